"""Comparing published sets with their stores again: journal, manifest and catalogue, and if wanted the stored bytes."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from watcher.clock import Clock
from watcher.errors import JournalError, StaleSet, StoreUnreachable, WatcherError
from watcher.journal import Journal
from watcher.model import IDENTIFIER, STATE, Avu, FileFacts, ImageSet, Member
from watcher.pipeline.copies import wanting_in
from watcher.pipeline.retrieve import published_manifest
from watcher.pipeline.verify import replicas_of
from watcher.profile import MAIN
from watcher.provenance import manifest
from watcher.provenance.vocabulary import COPIES, COPY_OF, MANIFEST_DIGEST
from watcher.stores.base import LEVELS, Replica, Session, Store, Surveyed

#: What is wrong with one set in one store is told up to so many things.
_MOST: Final = 3
#: What is asked of the metadata: the rest of it says nothing of the bytes.
_ASKED: Final = (IDENTIFIER, STATE, MANIFEST_DIGEST, COPIES, COPY_OF)
_UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True)
class Place:
    """One store that is asked, by its name in the profile; `check` raises if it is not there, or not as it was."""

    name: str
    store: Store
    check: Callable[[], None]


@dataclass(slots=True)
class Found:
    """What is not as it was published of one set, in words by the store's name; only stores that were asked."""

    image_set: ImageSet
    problems: dict[str, list[str]] = field(default_factory=dict)
    #: The further stores that do not hold the set any more as they should.
    lost: dict[str, str] = field(default_factory=dict)
    #: The further stores that were asked.
    asked: set[str] = field(default_factory=set)

    @property
    def drift(self) -> list[str]:
        """All of it, each thing with the name of the store if that is not the main one."""
        lines = []
        for name, problems in self.problems.items():
            more = [f"and {len(problems) - _MOST} more"] if len(problems) > _MOST else []
            lines += [what if name == MAIN else f"{name}: {what}" for what in [*problems[:_MOST], *more]]
        return lines


class Auditor:
    """Asks the stores of sets, by a connection of its own to each, and writes down what it finds. Sets are not changed.

    `away` is told of a further store that cannot be asked, and "" when it can: the others are asked all the same.
    """

    def __init__(
        self, journal: Journal, places: Sequence[Place], clock: Clock, away: Callable[[str, str], None]
    ) -> None:
        self._journal = journal
        self._places = places
        self._clock = clock
        self._away = away
        self._sessions: dict[str, Session] = {}
        self._over = False

    def look(self, sets: Sequence[ImageSet]) -> list[Found]:
        """What is found of these sets, in a few questions for all of them. Raises if the main store cannot be asked."""
        found = {one.id: Found(one) for one in sets}
        members = {one.id: self._journal.sets.members(one.id) for one in sets}
        for place in self._places:
            asked = [replace(one, collection=where) for one in sets if (where := self._where(one, place))]
            with self._asking(place):
                self._look_there(place, asked, members, found)
        return list(found.values())

    def read_again(self, image_set: ImageSet) -> Iterator[tuple[int, str]]:
        """Have the stored bytes of a set read again, an object at a time: its bytes, and what is wrong, "" if nothing.

        Raises if the main store cannot be asked.
        """
        for place in self._places:
            if where := self._where(image_set, place):
                with self._asking(place):
                    yield from self._read_there(place, replace(image_set, collection=where))

    def record(self, found: Found, damaged: Sequence[str] | None = None) -> tuple[Sequence[str], Sequence[str]]:
        """Write down what was found: all that is not as it was published before this, and now.

        `damaged` is what reading the bytes has shown, None if that was not done.
        """
        set_id = found.image_set.id
        with self._journal.database.transaction():
            for name, problem in found.lost.items():
                self._journal.copies.lost(set_id, name, problem)
            before = self._journal.looks.record(set_id, self._clock.now(), found.drift, damaged)
            return before.drift, self._journal.looks.of(set_id).drift

    def interrupt(self) -> None:
        """Called from another thread: end what takes long, for good."""
        self._over = True
        for session in list(self._sessions.values()):
            session.interrupt()

    @property
    def is_over(self) -> bool:
        """Whether it was interrupted."""
        return self._over

    def close(self) -> None:
        """Give up the connections; they are made again when they are needed."""
        while self._sessions:
            self._sessions.popitem()[1].close()

    @contextlib.contextmanager
    def _asking(self, place: Place) -> Iterator[None]:
        try:
            yield
        except JournalError:
            raise
        except WatcherError as error:
            if place.name == MAIN or self._over:
                raise
            self._away(place.name, str(error))
        else:
            if place.name != MAIN:
                self._away(place.name, "")

    def _where(self, image_set: ImageSet, place: Place) -> str | None:
        if place.name == MAIN:
            return image_set.collection
        copy = self._journal.copies.one(image_set.id, place.name)
        return copy.collection if copy.verified_at else None  # what is not there yet is the mirror's to tell

    def _session(self, place: Place) -> Session:
        if place.name not in self._sessions:
            place.check()
            self._sessions[place.name] = place.store.session()
        if self._over:
            raise StoreUnreachable(f"{place.name}: asking it was given up")
        return self._sessions[place.name]

    def _look_there(
        self, place: Place, sets: Sequence[ImageSet], members: Mapping[str, list[Member]], found: Mapping[str, Found]
    ) -> None:
        if not sets:
            return
        session = self._session(place)
        try:
            known = {one.id: members[one.id] or self._listed(one, session) for one in sets}
            wanted = {one.collection or "": [member.target for member in known[one.id]] for one in sets}
            seen = session.survey(wanted, _ASKED)
        except WatcherError as error:
            if error.store_wide:
                raise
            if len(sets) > 1:  # one of them keeps the others from being asked about
                for one in sets:
                    self._look_there(place, [one], members, found)
                return
            found[sets[0].id].problems[place.name] = [str(error)]
            return
        for one in sets:
            self._judge(one, known[one.id], seen[one.collection or ""], place, session, found[one.id])

    def _judge(
        self, one: ImageSet, members: list[Member], seen: Surveyed, place: Place, session: Session, found: Found
    ) -> None:
        there = seen.replicas if seen.digests else _with_digests(seen.replicas, members)
        members = [_sized(member, there) for member in members]
        if place.name != MAIN:
            found.asked.add(place.name)
        problems = wanting_in(one, members, seen.avus, there, "" if place.name == MAIN else place.name)
        if problems and place.name != MAIN:
            found.lost[place.name] = problems[0]
        count = replicas_of(members, there)
        if stale := [member.target for member in members if there.get(member.target, _NOTHING).stale]:
            problems.append(f"{stale[0]}: {_and_more('a replica is out of date', len(stale) - 1)}")
        if place.name == MAIN and 0 < count < one.replicas:
            problems.append(f"{count} of {one.replicas} good replicas of each file are left")
        if wider := self._wider(one, seen, place):
            problems.append(f"{one.collection}: {wider} more access to it than was given")
        if problems:
            found.problems[place.name] = problems
        if count and Avu(IDENTIFIER, one.id) in seen.avus:
            self._tell_count(one, count, seen, place, session)

    def _wider(self, one: ImageSet, seen: Surveyed, place: Place) -> str:
        """How many have more access than the profile, the request or the collection above give; nobody is named."""
        zone = (one.collection or "").strip("/").split("/")[0]
        given: dict[str, str] = dict(self._journal.looks.of(one.id).readers or {}) if place.name == MAIN else {}
        if place.name == MAIN and seen.access:
            for who, (level, _) in self._journal.attributions.granted(one.id).items():
                given[who if "#" in who else f"{who}#{zone}"] = level
        wider = sum(_rank(level) > _rank(given.get(who, "")) for who, level in seen.access.items())
        return f"{wider} users or groups have" if wider > 1 else "a user or group has" if wider else ""

    def _tell_count(self, one: ImageSet, count: int, seen: Surveyed, place: Place, session: Session) -> None:
        """Let `acq:copies` say how many good replicas there are now."""
        told = {avu for avu in seen.avus if avu.attribute == COPIES}
        if told != {Avu(COPIES, str(count))}:
            session.annotate(one.collection or "", [Avu(COPIES, str(count))], told)
        if place.name == MAIN and count > one.replicas:
            with contextlib.suppress(StaleSet):
                self._journal.sets.change(self._journal.sets.get(one.id), replicas=count)

    def _read_there(self, place: Place, one: ImageSet) -> Iterator[tuple[int, str]]:
        session = self._session(place)
        prefix = "" if place.name == MAIN else f"{place.name}: "
        known = self._journal.sets.members(one.id) or self._listed(one, session)
        copies = max(1, one.replicas)
        for member in known:
            size = max(0, member.facts.size)
            try:
                problem = session.reread(
                    one.collection or "", member.target, Replica(size, member.sha256, True, copies)
                )
            except WatcherError as error:
                if error.store_wide:
                    raise
                problem = str(error)
            yield size, f"{prefix}{member.target}: {problem}" if problem else ""

    @staticmethod
    def _listed(one: ImageSet, session: Session) -> list[Member]:
        """The members by the manifest in the store, of a set of which the journal has forgotten them."""
        collection = one.collection or ""
        listed = manifest.parse(published_manifest(session, collection, session.avus(collection)))
        return [Member("", FileFacts(_UNKNOWN, 0, ""), target, digest) for target, digest in listed.items()]


_NOTHING: Final = Replica(0, None, good=False, copies=0)


def _sized(member: Member, there: Mapping[str, Replica]) -> Member:
    """The member; if only the manifest knows it, its size is whatever the store says."""
    if member.facts.size != _UNKNOWN or member.target not in there:
        return member
    return replace(member, facts=member.facts._replace(size=there[member.target].size))


def _with_digests(there: Mapping[str, Replica], members: Sequence[Member]) -> Mapping[str, Replica]:
    """What a disk says as if its bytes had been read: names and sizes are compared, and no more is claimed."""
    known = {member.target: member.sha256 for member in members}
    if all(known.values()):
        known[manifest.NAME] = manifest.digest(members)
    return {target: replace(one, sha256=known.get(target)) for target, one in there.items()}


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else -1


def _and_more(what: str, more: int) -> str:
    return f"{what} (and of {more} other files)" if more else what
