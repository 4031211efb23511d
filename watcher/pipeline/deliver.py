"""Sending the members of a valid set to its collection, several at a time, each read exactly once."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Self

from watcher.errors import Conflict
from watcher.journal import Journal
from watcher.model import Avu, ImageSet, Member, State
from watcher.pipeline.destination import Destination
from watcher.provenance import manifest
from watcher.provenance.vocabulary import COMPLETE, MANIFEST_DIGEST, SUPERSEDED
from watcher.stores.base import Session, Store
from watcher.stores.source import Source

#: Called with a set, a member and the number of its bytes that have just been sent.
Progress = Callable[[ImageSet, Member, int], None]


class Crew:
    """Worker threads, each with a session of its own in one store, and a session for the caller."""

    def __init__(self, store: Store, workers: int) -> None:
        self._store = store
        self._own = threading.local()
        self._sessions: list[Session] = []
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="deliver")

    @property
    def session(self) -> Session:
        """The session of the calling thread."""
        session: Session | None = getattr(self._own, "session", None)
        if session is None:
            session = self._own.session = self._store.session()
            with self._lock:
                self._sessions.append(session)
        return session

    def each(self, work: Callable[[Member], None], members: Sequence[Member]) -> None:
        """Do the work for every member; the first failure stops those not yet begun, and is raised."""
        stop = threading.Event()

        def guarded(member: Member) -> None:
            if not stop.is_set():
                work(member)

        futures: list[Future[None]] = [self._pool.submit(guarded, member) for member in members]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            stop.set()
            wait(futures)
        for future in futures:
            future.result()

    def close(self) -> None:
        """End the threads and give up their connections."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            sessions, self._sessions = self._sessions, []
        for session in sessions:
            session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Delivery:
    """The step from valid to delivered."""

    journal: Journal
    destination: Destination
    crew: Crew
    progress: Progress

    def __call__(self, image_set: ImageSet, now: Callable[[], float]) -> ImageSet:
        """Send what is not yet in the store. Raises StoreError, SourceError or StaleSet."""
        members = self.journal.sets.members(image_set.id)
        before = self._same_as_before(image_set, members)
        if before:
            return self._no_new_version(image_set, before, members)
        if not image_set.claimed:
            image_set = self._claim(image_set, members)
        elif not self.crew.session.claim(_collection(image_set), image_set.id):
            # Claimed again because somebody may have removed it meanwhile; but then it was given to something else.
            raise Conflict(f"{image_set.collection}: this collection belongs to something else now")
        state = self.crew.session.avus(_collection(image_set)) & {COMPLETE, SUPERSEDED}
        if state:
            # Published, though the journal does not say so: it was lost, or its files changed just at the marker.
            return self._recognise(image_set, members, now(), newest=SUPERSEDED not in state)
        unsent = [member for member in members if member.sha256 is None]
        self.crew.each(lambda member: self._send(image_set, member), unsent)
        return self.journal.sets.advance(image_set, State.DELIVERED, now(), f"{len(unsent)} files sent")

    def _send(self, image_set: ImageSet, member: Member) -> None:
        collection = _collection(image_set)
        receipt = self.crew.session.put(
            source_of(image_set, member),
            collection,
            member.target,
            lambda count: self.progress(image_set, member, count),
        )
        self.journal.sets.sent(image_set, member, receipt.sha256)

    def _claim(self, image_set: ImageSet, members: Sequence[Member]) -> ImageSet:
        for collection in self.destination.candidates(image_set, members):
            taken = self.journal.sets.take_collection(image_set, collection)
            if taken is None:
                continue
            image_set = taken
            if self.crew.session.claim(collection, image_set.id):
                return self.journal.sets.change(image_set, claimed=True)
        raise Conflict(f"{image_set.collection or image_set.name}: this collection belongs to something else already")

    def _recognise(self, image_set: ImageSet, members: Sequence[Member], now: float, *, newest: bool) -> ImageSet:
        """Compare what is published with what is on the disk, and never change what is published."""
        digests = self._digests(image_set, members)
        read = [replace(member, sha256=digests[member.target]) for member in members]
        published = self.crew.session.avus(_collection(image_set))
        if newest and Avu(MANIFEST_DIGEST, manifest.digest(read)) in published:
            for member in read:
                self.journal.sets.sent(image_set, member, member.sha256)
            return self.journal.sets.advance(image_set, State.DELIVERED, now, "found in the store")
        with self.journal.database.transaction():
            files = self.journal.files.of_set(image_set.id)
            old = self.journal.sets.advance(image_set, State.SUPERSEDED, now, "found in the store with other content")
            new = self.journal.sets.create(
                old.root, old.folder, old.name,
                grouped_by=old.grouped_by, format=old.format, now=now, last_change=old.last_change,
            )  # fmt: skip
            self.journal.files.assign(old.root, files, new.id)
        return new

    def _same_as_before(self, image_set: ImageSet, members: Sequence[Member]) -> ImageSet | None:
        """The published version before, if this one differs only in times: it was copied back, or saved unchanged."""
        former = self.journal.sets.former(image_set)
        if image_set.claimed or former is None or former.state not in {State.PUBLISHED, State.RELEASED}:
            return None
        before = {member.target: member for member in self.journal.sets.members(former.id)}
        sizes = {target: member.facts.size for target, member in before.items()}
        if sizes != {member.target: member.facts.size for member in members}:
            return None
        digests = self._digests(image_set, members)
        return former if all(before[target].sha256 == digest for target, digest in digests.items()) else None

    def _no_new_version(self, image_set: ImageSet, before: ImageSet, members: Sequence[Member]) -> ImageSet:
        """Drop the new version, and let the one before be the set of these files as they are now."""
        digests = {member.target: member.sha256 for member in self.journal.sets.members(before.id)}
        with self.journal.database.transaction():
            files = self.journal.files.of_set(image_set.id)
            self.journal.sets.forget(image_set)
            known = [replace(member, sha256=digests[member.target]) for member in members]
            self.journal.sets.freeze(before, known)
            self.journal.files.assign(before.root, files, before.id)
            self.journal.files.rest(before.id)
            return self.journal.sets.change(before, cleared=False)

    def _digests(self, image_set: ImageSet, members: Sequence[Member]) -> dict[str, str]:
        return {member.target: source_of(image_set, member).sha256() for member in members}


def source_of(image_set: ImageSet, member: Member) -> Source:
    """The member on the disk, with the facts that were frozen."""
    return Source(image_set.root / member.path, member.facts)


def _collection(image_set: ImageSet) -> str:
    assert image_set.collection is not None  # noqa: S101 - a claimed set has one
    return image_set.collection
