"""Bringing published sets to one further store, and keeping them there as the main one has them."""

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from watcher import names
from watcher.clock import Clock
from watcher.errors import Conflict, FixityError, JournalError, Paused, SourceError, StoreBusy, WatcherError
from watcher.journal import Copy, Journal
from watcher.model import IDENTIFIER, STATE, UPLOADING, Avu, FileFacts, ImageSet, Member
from watcher.pipeline.copies import Do
from watcher.pipeline.crew import Crew
from watcher.pipeline.deliver import collection_of, source_of
from watcher.pipeline.duties import Trouble
from watcher.pipeline.elsewhere import Elsewhere
from watcher.pipeline.patience import LONGEST_WAIT, SOON, pause_after
from watcher.pipeline.plan import Errand, Lane, plan
from watcher.pipeline.retrieve import FromStore, content_of, published_manifest
from watcher.pipeline.sharing import Relay, Sharing, Spent
from watcher.pipeline.verify import replicas_of, wanting
from watcher.profile import MAIN
from watcher.provenance import manifest
from watcher.provenance.credits import is_credit
from watcher.provenance.handoff import CONVERSATION
from watcher.provenance.vocabulary import (
    COMPLETE,
    COPIES,
    COPY,
    COPY_OF,
    CREATED,
    MANIFEST_DIGEST,
    STUCK,
    SUPERSEDED,
    fitting,
)  # fmt: skip
from watcher.stores.base import Claimed, Replica, Session, Store
from watcher.stores.folder import METADATA
from watcher.stores.source import Source

#: What needs a person is tried again after so many seconds.
_SELDOM: Final = 3600.0
#: What a copy says for itself: its state, its own replicas; and what only one agent is to be asked, of the main one.
_OWN: Final = {STATE, STUCK, COPIES, COPY, COPY_OF, *CONVERSATION}

T = TypeVar("T")


class _MainAway(Exception):
    """The main store cannot be asked now; others tell of that."""


class Mirror:
    """Makes the copies in one further store that the journal says are wanted; a duty (see `duties.Duty`).

    Each step can be killed and repeated: what is there already is found by that store's own catalogue. Nothing of it
    ever changes the state of a set. `main` is the crew of the main store and `store` that store, of which one more
    connection is made for as long as members are read from it that are not on the disk any more.
    """

    def __init__(
        self,
        there: Elsewhere,
        journal: Journal,
        crew: Crew,
        relay: Relay,
        main: Crew,
        store: Store,
        clock: Clock,
        *,
        spent: Spent,
        resting: Callable[[], float],
        stopping: Callable[[], bool],
        trouble: Trouble,
    ) -> None:
        self.name = f"copy {there.name}"
        self._there = there
        self._journal = journal
        self._crew = crew
        self._relay = relay
        self._main = main
        self._store = store
        self._clock = clock
        self._spent = spent
        self._resting = resting
        self._stopping = stopping
        self._trouble = trouble
        self._pause = 1.0

    def round(self) -> float:
        """Bring one set there; see `duties.Duty`."""
        try:
            if rest := self._resting():
                return min(rest, LONGEST_WAIT)
            wait = self._step()
        except JournalError:
            raise
        except (_MainAway, Paused):
            return LONGEST_WAIT
        except WatcherError as error:
            if self._stopping():
                return LONGEST_WAIT
            self._relay.doubt()
            self._trouble(self.name, f"copies to {self._there.name}: {error}")
            self._pause, wait = min(LONGEST_WAIT, 2 * self._pause), self._pause
            return wait
        self._pause = 1.0
        return wait

    def close(self) -> None:
        """What is being sent there is given up by its progress."""

    def _step(self) -> float:
        copies, name, now = self._journal.copies, self._there.name, self._clock.now()
        withdrawals = [one for one in copies.withdrawals(name) if not self._relay.is_busy(one[1])]
        set_id = copies.due(name, now)
        if not withdrawals and set_id is None:
            return min(LONGEST_WAIT, max(SOON, (copies.next_at(name) or now + LONGEST_WAIT) - now))
        self._relay.check()
        for collection, owner in withdrawals:
            self._crew.do(partial(_withdraw, collection, owner))
            copies.withdrawn(name, collection)
        if set_id is not None:
            if self._relay.is_busy(set_id):
                return SOON
            self._deal_with(self._journal.sets.get(set_id), copies.one(set_id, name))
        self._trouble(self.name, "")
        return 0.0

    def _deal_with(self, image_set: ImageSet, copy: Copy) -> None:
        try:
            self._bring(image_set, copy)
        except (JournalError, _MainAway):
            raise
        except WatcherError as error:
            if error.store_wide:
                raise
            wait = pause_after(error, copy.attempts, lambda: 0.5) if error.transient else _SELDOM
            self._journal.copies.failed(image_set.id, copy.name, self._clock.now() + wait, str(error))
        except Exception as error:
            # One set that the program cannot handle must not keep all others from being copied.
            what = f"unexpected {type(error).__name__}: {error}; this is a mistake of the program: please report it"
            self._journal.copies.failed(image_set.id, copy.name, self._clock.now() + _SELDOM, what)

    def _bring(self, image_set: ImageSet, copy: Copy) -> None:
        """Everything that a copy needs, in an order in which nobody can take for whole what is not."""
        main = collection_of(image_set)
        said = self._ask(lambda session: session.avus(main))
        if Avu(IDENTIFIER, image_set.id) not in said or not said & {COMPLETE, SUPERSEDED}:
            raise Conflict(
                f"{main}: it does not say any more that it is this set, published", cure="look who changed it"
            )
        members = self._members(image_set, said)
        place, strange = self._claim(image_set, copy, members)
        ours = self._crew.do(lambda session: session.avus(place))
        have = self._crew.do(lambda session: session.replicas(place))
        published = ours & {COMPLETE, SUPERSEDED}
        missing = wanting(members, have)
        if published:
            self._check_published(place, ours, said, [target for target in missing if target in have])
        else:
            known = {*names.SIDECARS, *(member.target for member in members)}
            extra = have.keys() - known if strange else self._journal.sets.leftovers(image_set.id)
            for target in extra:
                self._crew.do(partial(_remove, place, target))
            self._journal.copies.claimed(image_set.id, copy.name)
        if missing:
            self._send(image_set, copy, place, [member for member in members if member.target in missing])
            have = self._crew.do(lambda session: session.replicas(place))
            for target, problem in wanting(members, have).items():
                raise FixityError(f"{self._there.store.place(place)}/{target}: {problem}")
        self._send_sidecars(main, place, have)
        own = fitting([Avu(COPIES, str(replicas_of(members, have))), Avu(COPY_OF, self._store.place(main), copy.name)])
        self._describe(place, said, ours, own)
        mine = fitting([Avu(COPY, self._there.store.place(place), copy.name)])
        told = {avu for avu in said if avu.attribute == COPY and avu.unit == copy.name}
        if told != set(mine):
            self._ask(lambda session: session.annotate(main, set(mine) - told, told - set(mine)))
        self._journal.copies.verified(image_set.id, copy.name, copy.revision, self._clock.now())

    def _members(self, image_set: ImageSet, said: frozenset[Avu]) -> list[Member]:
        """What the set was published with, each from the disk if the journal knows it there; else it has no path."""
        main = collection_of(image_set)
        listed = manifest.parse(self._ask(lambda session: published_manifest(session, main, said)))
        known = {one.target: one for one in self._journal.sets.members(image_set.id) if one.sha256}
        if all(target in known and known[target].sha256 == digest for target, digest in listed.items()):
            return [known[target] for target in listed]
        stored = self._ask(lambda session: session.replicas(main))
        time_ns = max((_time_ns(avu.value) for avu in said if avu.attribute == CREATED), default=0)
        return [
            known[target]
            if target in known and known[target].sha256 == digest
            else Member("", FileFacts(_size(stored, main, target), time_ns, ""), target, digest)
            for target, digest in listed.items()
        ]

    def _claim(self, image_set: ImageSet, copy: Copy, members: Sequence[Member]) -> tuple[str, bool]:
        """The set's collection there, and whether something may be in it that the journal does not know of."""
        first = [copy.collection] if copy.collection else []
        for place in dict.fromkeys([*first, *self._there.candidates(image_set, members)]):
            where = self._there.store.place(place)
            if place != copy.collection and not self._journal.copies.take(image_set.id, copy.name, place, where):
                raise StoreBusy(f"{place}: what an earlier set has left there is still to be removed")
            found = self._crew.do(partial(_claim, place, image_set.id))
            if found:
                known = copy.claimed and place == copy.collection
                return place, found is Claimed.BEFORE and not known
        raise Conflict(
            f"{copy.collection or image_set.name}: its place in {copy.name} belongs to something else already"
        )

    def _check_published(self, place: str, ours: frozenset[Avu], said: frozenset[Avu], damaged: Sequence[str]) -> None:
        """Raise Conflict if what is published there is not a copy of this set with the right bytes; never mended."""
        where = self._there.store.place(place)
        digests = [{avu for avu in avus if avu.attribute == MANIFEST_DIGEST} for avus in (ours, said)]
        if not any(avu.attribute == COPY_OF for avu in ours):
            raise Conflict(f"{where}: the set is there, but not as a copy", cure="give the copy another collection")
        if digests[0] != digests[1]:
            raise Conflict(f"{where}: the set is there with other files")
        if damaged:
            what = f"{where}/{damaged[0]}: the copy holds other bytes than the set"
            raise Conflict(what, cure="look who changed it, and move the copy away; it is made anew then")

    def _send(self, image_set: ImageSet, copy: Copy, place: str, members: Sequence[Member]) -> None:
        """Send members from the disk, or from the main store if they are not there, or were found to be others."""
        # What is wrong there after an attempt may be wrong on the disk.
        here = {one.target: source_of(image_set, one) for one in members if one.path and not copy.attempts}
        errands = plan(members, self._there.store.lanes(), self._crew.workers)
        with contextlib.closing(_Reader(self._store, collection_of(image_set))) as reader:
            self._crew.each(errands, lambda session, errand: self._send_some(session, place, errand, here, reader))

    def _send_some(
        self, session: Session, place: str, errand: Errand, here: Mapping[str, Source], reader: "_Reader"
    ) -> None:
        members = {member.target: member for member in errand.members}
        if errand.lane is Lane.BUNDLE and members.keys() <= here.keys():
            together = {target: here[target] for target in members}
            with contextlib.suppress(SourceError):
                for target in session.put_bundle(together, place, lambda _, count: self._spent(count)):
                    del members[target]
        for target, member in members.items():
            try:
                if target in here:
                    session.put(here[target], place, target, self._spent)
                    continue
            except SourceError:
                pass  # it is not on the disk any more as it was delivered
            with reader.source(member) as source:
                session.put(source, place, target, self._spent)

    def _send_sidecars(self, main: str, place: str, have: Mapping[str, Replica]) -> None:
        for name in sorted(names.SIDECARS - {METADATA}):
            content = self._ask(partial(_content, main, name))
            if content is not None and not _is(have.get(name), content):
                self._crew.do(partial(_rewrite, place, name, content))

    def _describe(self, place: str, said: frozenset[Avu], ours: frozenset[Avu], own: Sequence[Avu]) -> None:
        """Metadata as in the main store, then readers, then the marker; what was there and is no longer true goes."""
        wanted = {avu for avu in said if avu.attribute not in _OWN} | set(own)
        about = {avu.attribute for avu in wanted}
        outdated = {avu for avu in ours - wanted if avu.attribute in about or is_credit(avu.attribute)}
        state = SUPERSEDED if SUPERSEDED in said else COMPLETE
        if not ours & {COMPLETE, SUPERSEDED}:
            self._crew.do(lambda session: session.annotate(place, wanted - ours, outdated))
            self._crew.do(lambda session: session.open_to_readers(place))
            self._crew.do(lambda session: session.annotate(place, [state], ours & {UPLOADING}))
        elif wanted - ours or outdated or state not in ours:
            was = ours & {COMPLETE, SUPERSEDED} - {state}
            self._crew.do(lambda session: session.annotate(place, (wanted | {state}) - ours, outdated | was))

    def _ask(self, work: Callable[[Session], T]) -> T:
        """Have the main store asked or told."""
        try:
            return self._main.do(work)
        except WatcherError as error:
            if error.store_wide:
                raise _MainAway from error
            raise


@dataclass(frozen=True, slots=True)
class Crews:
    """The crew of the main store, and those of the further ones by name, with what brings sets there."""

    main: Crew
    others: Mapping[str, Crew]
    mirrors: Sequence[Mirror]
    sharing: Sharing

    @property
    def asking(self) -> Mapping[str, Do]:
        """How each store is asked, by its name."""
        return {name: crew.do for name, crew in {MAIN: self.main, **self.others}.items()}


class _Reader:
    """The one connection by which members are read from the main store, made when it is first needed."""

    def __init__(self, store: Store, collection: str) -> None:
        self._store = store
        self._collection = collection
        self._lock = threading.Lock()
        self._session: Session | None = None

    @contextlib.contextmanager
    def source(self, member: Member) -> Iterator[FromStore]:
        """A member to be read within this, by one at a time."""
        with self._lock:
            self._session = self._session or self._store.session()
            digest = member.sha256 or ""
            yield FromStore(Path(member.target), member.facts, self._session, self._collection, member.target, digest)

    def close(self) -> None:
        """Give up the connection."""
        if self._session is not None:
            self._session.close()


def _size(stored: Mapping[str, Replica], main: str, target: str) -> int:
    if target not in stored:
        raise FixityError(f"{main}/{target}: the main store does not have it any more")
    return stored[target].size


def _is(replica: Replica | None, content: bytes) -> bool:
    return replica == Replica(len(content), hashlib.sha256(content).hexdigest(), good=True)


def _time_ns(time: str) -> int:
    try:
        return int(datetime.fromisoformat(time).timestamp()) * 1_000_000_000
    except ValueError:
        return 0


def _claim(place: str, set_id: str, session: Session) -> Claimed:
    return session.claim(place, set_id)


def _withdraw(place: str, set_id: str, session: Session) -> None:
    session.withdraw(place, set_id)


def _remove(place: str, target: str, session: Session) -> None:
    session.remove(place, target)


def _content(main: str, name: str, session: Session) -> bytes | None:
    return content_of(session, main, name)


def _rewrite(place: str, name: str, content: bytes, session: Session) -> None:
    session.rewrite(place, name, content)
