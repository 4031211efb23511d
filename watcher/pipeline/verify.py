"""Asking the store's own catalogue whether every member is there as it was read from the disk."""

from collections.abc import Iterable, Mapping

from watcher.errors import FixityError
from watcher.journal import Journal
from watcher.model import ImageSet, Member, State
from watcher.provenance.vocabulary import COMPLETE, SUPERSEDED
from watcher.stores.base import Replica, Session


def verify(image_set: ImageSet, journal: Journal, session: Session, now: float) -> ImageSet:
    """Move a delivered set to verified; members that are wanting are marked to be sent again, and FixityError raised.

    Leftovers of members that the set no longer has are removed first; what others put there is left alone.
    """
    collection = image_set.collection or ""
    leftovers = journal.sets.leftovers(image_set.id)
    if leftovers and not session.avus(collection) & {COMPLETE, SUPERSEDED}:
        for target in leftovers:
            session.remove(collection, target)
    there = session.replicas(collection)
    members = journal.sets.members(image_set.id)
    missing = wanting(members, there)
    if not missing:
        note, replicas = f"{len(members)} files confirmed by the catalogue", replicas_of(members, there)
        return journal.sets.advance(image_set, State.VERIFIED, now, note, replicas=replicas)
    with journal.database.transaction():
        for member in members:
            if member.target in missing:
                journal.sets.sent(image_set, member, None)
        journal.sets.advance(image_set, State.VALID, now, "files must be sent again")
    target, problem = next(iter(missing.items()))
    others = f" (and {len(missing) - 1} other files)" if len(missing) > 1 else ""
    raise FixityError(f"{collection}/{target}: {problem}{others}")


def wanting(members: Iterable[Member], there: Mapping[str, Replica]) -> dict[str, str]:
    """What the catalogue does not confirm of the members, in words, by target; {} if all of them are safe there."""
    return {one.target: problem for one in members if (problem := _problem(one, there.get(one.target)))}


def replicas_of(members: Iterable[Member], there: Mapping[str, Replica]) -> int:
    """How many good replicas there are at least of each member."""
    return min((there[one.target].copies if one.target in there else 0 for one in members), default=0)


def _problem(member: Member, replica: Replica | None) -> str:
    if replica is None:
        return "the catalogue does not have it"
    if not replica.good:
        return "the catalogue has no good replica of it"
    if replica.size != member.facts.size:
        return f"the catalogue says {replica.size} bytes, {member.facts.size} were sent"
    if replica.sha256 is None:
        return "the catalogue has no SHA-256 of it"
    return "" if replica.sha256 == member.sha256 else "the catalogue has another SHA-256 than was sent"
