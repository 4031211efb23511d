"""Sending the members of a valid set to its collection, several at a time, each read exactly once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from watcher.errors import Conflict
from watcher.journal import Journal
from watcher.model import Avu, ImageSet, Member, State
from watcher.pipeline.crew import Crew
from watcher.pipeline.destination import Destination
from watcher.pipeline.plan import Errand, Lane, plan
from watcher.pipeline.sharing import ALONE, Sharing
from watcher.provenance import manifest
from watcher.provenance.vocabulary import COMPLETE, MANIFEST_DIGEST, SUPERSEDED
from watcher.stores.base import Claimed, Session, Store
from watcher.stores.source import Source

#: What the history says of a set that a lost journal has found again.
FOUND: Final = "found in the store"
#: Called with a set, a member and the number of its bytes that have just been sent.
Progress = Callable[[ImageSet, Member, int], None]


@dataclass(frozen=True, slots=True)
class Sending:
    """What it takes to get members of a set into its collection."""

    journal: Journal
    store: Store
    destination: Destination
    crew: Crew
    progress: Progress
    sharing: Sharing = ALONE

    def begin(self, image_set: ImageSet) -> ImageSet:
        """The set as it is delivered. Raises StaleSet."""
        return image_set

    def claim(self, image_set: ImageSet, members: Sequence[Member]) -> ImageSet:
        """The set with a collection of its own, claimed now. Raises Conflict, StoreError or StaleSet."""
        for collection in self.destination.candidates(image_set, members):
            taken = self.journal.collections.take(image_set, collection)
            if taken is None:
                continue
            image_set = taken
            found = self.crew.do(partial(_claim, collection, image_set.id))
            if found is Claimed.BEFORE:
                # The journal does not know what an attempt has left there before it was lost.
                self.journal.sets.may_be_there(image_set, self.crew.do(partial(_what_is_there, collection)))
            if found:
                return self.journal.collections.claimed(image_set)
        raise Conflict(f"{image_set.collection or image_set.name}: this collection belongs to something else already")

    def is_published(self, image_set: ImageSet) -> frozenset[Avu]:
        """The markers on a claimed collection that say that it must never change again; none while it may."""
        return self.crew.do(lambda session: session.avus(collection_of(image_set))) & {COMPLETE, SUPERSEDED}

    def digests(self, image_set: ImageSet, members: Sequence[Member]) -> dict[str, str]:
        """The SHA-256 of each member as it is now, by target. Raises SourceError."""
        return {member.target: source_of(image_set, member).sha256() for member in members}

    def send(self, image_set: ImageSet, members: Iterable[Member]) -> None:
        """Send these members and note each that has arrived. Raises StoreError or SourceError of the first failure."""
        errands = plan(members, self.store.lanes(), self.crew.workers)
        self.crew.each(errands, lambda session, errand: self._send(session, image_set, errand))

    def _send(self, session: Session, image_set: ImageSet, errand: Errand) -> None:
        members = {member.target: member for member in errand.members}
        plain = {target: source_of(image_set, member) for target, member in members.items()}
        with self.sharing.among(image_set, errand.members, plain) as sources:
            if errand.lane in {Lane.BUNDLE, Lane.IN_PLACE}:
                receipts = session.put_bundle(
                    sources,
                    collection_of(image_set),
                    lambda target, count: self.progress(image_set, members[target], count),
                )
                with self.journal.database.transaction():
                    for target, receipt in receipts.items():
                        self.journal.sets.sent(image_set, members.pop(target), receipt.sha256)
            for target, member in members.items():
                self._send_alone(session, image_set, member, sources[target])

    def _send_alone(self, session: Session, image_set: ImageSet, member: Member, source: Source) -> None:
        receipt = session.put(
            source,
            collection_of(image_set),
            member.target,
            lambda count: self.progress(image_set, member, count),
        )
        self.journal.sets.sent(image_set, member, receipt.sha256)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The step from valid to delivered."""

    sending: Sending

    def __call__(self, image_set: ImageSet, now: Callable[[], float]) -> ImageSet:
        """Send what is not yet in the store. Raises StoreError, SourceError or StaleSet."""
        image_set = self.sending.begin(image_set)
        members = self.sending.journal.sets.members(image_set.id)
        self.sending.store.check_names(member.target for member in members)
        before = self._same_as_before(image_set, members)
        if before:
            return before
        if not image_set.claimed:
            image_set = self.sending.claim(image_set, members)
        elif not self.sending.crew.do(lambda session: session.claim(collection_of(image_set), image_set.id)):
            # Claimed again because somebody may have removed it meanwhile; but then it was given to something else.
            raise Conflict(f"{image_set.collection}: this collection belongs to something else now")
        if state := self.sending.is_published(image_set):
            # Published, though the journal does not say so: it was lost, or its files changed just at the marker.
            return self._recognise(image_set, members, now(), newest=SUPERSEDED not in state)
        unsent = [member for member in members if member.sha256 is None]
        self.sending.send(image_set, unsent)
        return self.sending.journal.sets.advance(image_set, State.DELIVERED, now(), f"{len(unsent)} files sent")

    def _recognise(self, image_set: ImageSet, members: Sequence[Member], now: float, *, newest: bool) -> ImageSet:
        """Compare what is published with what is on the disk, and never change what is published."""
        digests = self.sending.digests(image_set, members)
        read = [replace(member, sha256=digests[member.target]) for member in members]
        published = self.sending.crew.do(lambda session: session.avus(collection_of(image_set)))
        if newest and Avu(MANIFEST_DIGEST, manifest.digest(read)) in published:
            for member in read:
                self.sending.journal.sets.sent(image_set, member, member.sha256)
            return self.sending.journal.sets.advance(image_set, State.DELIVERED, now, FOUND)
        return begin_version(image_set, self.sending.journal, now, f"{FOUND} with other content")

    def _same_as_before(self, image_set: ImageSet, members: Sequence[Member]) -> ImageSet | None:
        """The published version before, if this one differs only in times: it was copied back, or saved unchanged."""
        former = self.sending.journal.sets.former(image_set)
        if image_set.claimed or former is None or former.state not in {State.PUBLISHED, State.RELEASED}:
            return None
        before = {member.target: member for member in self.sending.journal.sets.members(former.id)}
        sizes = {target: member.facts.size for target, member in before.items()}
        # A list that was forgotten after a month is not missed: the collection has the digest of its manifest.
        if before and sizes != {member.target: member.facts.size for member in members}:
            return None
        digests = self.sending.digests(image_set, members)
        read = [replace(member, sha256=digests[member.target]) for member in members]
        if before:
            same = all(before[target].sha256 == digest for target, digest in digests.items())
        else:
            published = self.sending.crew.do(lambda session: session.avus(collection_of(former)))
            same = Avu(MANIFEST_DIGEST, manifest.digest(read)) in published
        return self._no_new_version(image_set, former, read) if same else None

    def _no_new_version(self, image_set: ImageSet, before: ImageSet, read: Sequence[Member]) -> ImageSet:
        """Drop the new version, and let the one before be the set of these files as they are now. Raises StaleSet."""
        with self.sending.journal.database.transaction():
            self.sending.journal.sets.change(image_set)  # only if it is still what was compared
            files = self.sending.journal.files.of_set(image_set.id)
            self.sending.journal.sets.forget(image_set)
            self.sending.journal.sets.freeze(before, read)
            self.sending.journal.files.assign(before.root, files, before.id)
            self.sending.journal.files.rest(before.id)
            return self.sending.journal.sets.change(before, cleared=False)


def begin_version(image_set: ImageSet, journal: Journal, now: float, why: str) -> ImageSet:
    """Let the files of a set be those of its next version, which a lost journal has taken for it. Raises StaleSet."""
    with journal.database.transaction():
        files = journal.files.of_set(image_set.id)
        old = journal.sets.advance(image_set, State.SUPERSEDED, now, why)
        new = journal.sets.create(
            old.root, old.folder, old.name,
            grouped_by=old.grouped_by, format=old.format, now=now, last_change=old.last_change,
        )  # fmt: skip
        journal.files.assign(old.root, files, new.id)
    return new


def _claim(collection: str, set_id: str, session: Session) -> Claimed:
    return session.claim(collection, set_id)


def _what_is_there(collection: str, session: Session) -> Iterable[str]:
    return session.replicas(collection).keys()


def source_of(image_set: ImageSet, member: Member) -> Source:
    """The member on the disk, with the facts that were frozen."""
    return Source(image_set.root / member.path, member.facts)


def collection_of(image_set: ImageSet) -> str:
    """Where a claimed set goes."""
    assert image_set.collection is not None  # noqa: S101 - a claimed set has one
    return image_set.collection
