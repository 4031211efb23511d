"""Sets that came into the store by other means: compared member by member, and only then this program's own.

Nothing in the store is changed before everything of a set was found to be the same, except that the catalogue keeps a
checksum where it had none. What is not the same is told, and never touched: `run` brings such a set to a place beside.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

from watcher.clock import Clock
from watcher.errors import Conflict, FixityError, NotAllowed, WatcherError
from watcher.journal import Journal
from watcher.model import IDENTIFIER, UNDER_WAY, ImageSet, Member, State
from watcher.pipeline.deliver import source_of
from watcher.pipeline.way import Way
from watcher.stores.base import Replica, Session

#: What the history says of a set that was uploaded by other means.
ADOPTED: Final = "it was in the store already, uploaded by other means"
#: So many differences are told of one set.
_MOST: Final = 3

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Adoption:
    """Takes over finished sets whose files are in the store at their own place already, the same in every byte."""

    journal: Journal
    way: Way
    clock: Clock

    def take_over(self, image_set: ImageSet) -> str:
        """Publish the set where it is: "", or in words why that cannot be; then nothing of it was changed there.

        Raises what concerns the whole store. It can be killed at any instruction: `run` or another `adopt` goes on.
        """
        if image_set.state is State.COMPLETE:
            image_set = self._step(image_set)
        if image_set.state is State.VALID:
            try:
                image_set = self._take(image_set)
            except WatcherError as error:
                if error.store_wide:
                    raise
                return error.what
        while image_set.state in {State.DELIVERED, State.VERIFIED}:
            before, image_set = image_set, self._step(image_set)
            if image_set.state is before.state:
                break
        if image_set.state is State.PUBLISHED:
            return ""
        if image_set.state is State.VALID:
            return f"{image_set.collection}: it was changed just now"
        return image_set.reason or "; ".join(image_set.waits_for) or "it is not finished"

    def _step(self, image_set: ImageSet) -> ImageSet:
        return self.way.step(image_set) or self.journal.sets.get(image_set.id)

    def _ask(self, work: Callable[[Session], T]) -> T:
        return self.way.crew.do(work)

    def _take(self, image_set: ImageSet) -> ImageSet:
        """The set as delivered, if it is there. It is claimed only by its publication: nothing is ever sent there.

        Raises Conflict, FixityError, NotAllowed or SourceError if it is not, and StaleSet.
        """
        members = self.journal.sets.members(image_set.id)
        # Its own place, and none of those where it would go if that belongs to something else.
        collection = next(self.way.destinations[image_set.root].candidates(image_set, members))
        there = self._ask(lambda session: session.replicas(collection))
        _check(_of_the_catalogue(collection, members, there))
        self._ask(partial(_check_unlabelled, collection))
        read = [replace(member, sha256=source_of(image_set, member).sha256()) for member in members]
        _check(self._ask(partial(_of_the_bytes, collection, read, there)))
        access = self._ask(lambda session: session.survey({collection: ()}, (IDENTIFIER,))[collection].access)
        with self.journal.database.transaction():
            taken = self.journal.collections.take(image_set, collection)
            if taken is None:
                raise Conflict(f"{collection}: another set goes there")
            for member in read:
                self.journal.sets.sent(taken, member, member.sha256)
            self.journal.looks.let_in(taken.id, access)
            return self.journal.sets.advance(taken, State.DELIVERED, self.clock.now(), ADOPTED)


def _check(problems: Sequence[str]) -> None:
    if problems:
        more = [f"and {len(problems) - _MOST} more"] if len(problems) > _MOST else []
        raise FixityError("; ".join([*problems[:_MOST], *more]))


def _check_unlabelled(collection: str, session: Session) -> None:
    """Raise Conflict if it is a set already, or lies in one."""
    for path in (PurePosixPath(collection), *PurePosixPath(collection).parents):
        if path.name and any(avu.attribute == IDENTIFIER for avu in session.avus(str(path))):
            raise Conflict(f"{path}: it is labelled as a set already")


def _of_the_catalogue(collection: str, members: Sequence[Member], there: Mapping[str, Replica]) -> list[str]:
    """Names, sizes and states: what differs is found without reading a byte."""
    if not there:
        raise NotAllowed(f"{collection}: nothing is there")
    found = []
    for member in members:
        replica, path = there.get(member.target), f"{collection}/{member.target}"
        if replica is None:
            found.append(f"{path}: it is not there")
        elif not replica.good:
            found.append(f"{path}: the catalogue has no good replica of it")
        elif replica.size != member.facts.size:
            found.append(f"{path}: {replica.size} bytes are there, {member.facts.size} are here")
    strange = sorted(there.keys() - {member.target for member in members})
    return [*found, *(f"{collection}/{target}: it is there and is no file of this set" for target in strange)]


def _of_the_bytes(
    collection: str, members: Sequence[Member], there: Mapping[str, Replica], session: Session
) -> list[str]:
    """Whether what is stored is what is here: the store reads all of it, and compares with its own checksums."""
    missing = {one.target: one.facts.size for one in members if there[one.target].sha256 is None}
    computed = session.checksums(collection, missing) if missing else {}
    found = []
    for member in members:
        replica, path = there[member.target], f"{collection}/{member.target}"
        digest = computed.get(member.target) if member.target in missing else replica.sha256
        if digest is None:
            found.append(f"{path}: it has a checksum of another kind than SHA-256 (`ichksum -f` makes one)")
        elif digest != member.sha256:
            found.append(f"{path}: other bytes are there than here")
        elif member.target not in missing and (problem := session.reread(collection, member.target, replica)):
            found.append(f"{path}: {problem}")
        if len(found) > _MOST:
            break
    return found


def to_be_adopted(journal: Journal, folder: Path) -> Iterator[ImageSet]:
    """The sets that lie in a folder or below it and are in no store yet, or were left on their way by an adoption."""
    for one in journal.sets.in_states(State.GROWING, State.HELD, *UNDER_WAY):
        if (one.root / one.folder).resolve().is_relative_to(folder) and not one.claimed and not one.on_hold:
            yield one
