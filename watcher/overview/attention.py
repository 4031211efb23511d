"""What needs a person, each with a key that stays the same as long as it is the same thing."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from watcher.journal import Journal
from watcher.model import State
from watcher.overview import handoffs, space, words
from watcher.overview.language import say

#: So many sets are told of one by one, and so many other things of one kind.
MOST_SETS: Final = 50
_MOST: Final = 10
#: A watcher that looks at nothing for so long, in seconds, hangs.
HANGS: Final = 900.0
#: Less room than this part of a disk is too little; one that is full so soon, in seconds, is urgent, or worth telling.
_LITTLE: Final = 0.05
_SOON: Final = 24 * 3600.0
_LATER: Final = 7 * 24 * 3600.0
#: Where trouble is told in more detail by what is noted elsewhere.
_TOLD_ELSEWHERE: Final = ("store", "hand-off ")


class Kind(StrEnum):
    """What an attention is about; metrics count by it."""

    SET = "set"
    STORE = "store"
    WATCHER = "watcher"
    FOLDER = "folder"
    DISK = "disk"
    PEOPLE = "people"
    ACCESS = "access"
    HANDOFF = "handoff"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True)
class Attention:
    """One thing that needs a person, in a sentence without names of persons.

    `urgent`: images do not get safe, or soon will not, unless somebody does something. since: seconds since 1970.
    """

    key: str
    kind: Kind
    what: str
    since: float | None = None
    urgent: bool = True
    set_id: str = ""


def what_to_do(one: Attention) -> str:
    """What a person does about it, in a sentence."""
    match one.kind:
        case Kind.SET if one.set_id:
            return say("Look at the set; mend what is wrong at the instrument, then retry it, or skip it.")
        case Kind.SET:
            return say("Look at the list of what needs attention.")
        case Kind.STORE:
            return say("Images are safe on this disk meanwhile; leave them there until this is over.")
        case Kind.WATCHER:
            return say("Tell whoever looks after the watcher: it should be looked at, or started again.")
        case Kind.FOLDER:
            return say("See that the disk or share is there and that the watcher may read it.")
        case Kind.DISK:
            return say("Clear away sets for which the column “Safe to delete here” says yes.")
        case Kind.PEOPLE:
            return say("Correct the file that is named; it is read again by itself.")
        case Kind.ACCESS:
            return say("Ask the iRODS administrator whether that user or group is there; it is tried again by itself.")
        case Kind.HANDOFF:
            return say("The images are safe; ask whoever runs that program.")
        case Kind.ARCHIVE:
            return say("Tell the iRODS administrator; nothing of it is needed any more.")


def attentions(journal: Journal, now: float, *, watched: bool) -> list[Attention]:
    """All that needs a person now, what is urgent first; `watched`: whether a process is the watcher."""
    found = [*_store(journal), *_watcher(journal, now, watched=watched), *_disks(journal, now), *_sets(journal)]
    found += [*_troubles(journal), *_access(journal), *_handoffs(journal), *_archive(journal)]
    return sorted(found, key=lambda one: not one.urgent)


def _store(journal: Journal) -> Iterator[Attention]:
    if problem := str(journal.noted("store") or ""):
        since = journal.troubles().get("store", ("", None))[1]
        yield Attention("store", Kind.STORE, say("The store has a problem: {what}", what=problem), since)


def _watcher(journal: Journal, now: float, *, watched: bool) -> Iterator[Attention]:
    heartbeat = journal.noted("heartbeat")
    if watched and isinstance(heartbeat, float) and now - heartbeat > HANGS:
        what = say("The watcher has not looked at its folders since {when}.", when=words.when(heartbeat))
        yield Attention("heartbeat", Kind.WATCHER, what, heartbeat)


def _disks(journal: Journal, now: float) -> Iterator[Attention]:
    for disk in space.disks(journal):
        left = disk.full_at - now if disk.full_at is not None else None
        if disk.free < _LITTLE * disk.total or (left is not None and left < _LATER):
            free = words.amount(disk.free)
            what = say("Only {free} are free on the disk of {folder}.", free=free, folder=disk.folder)
            if left is not None and left < _LATER:
                what += " " + say("It will be full in {time} if it goes on like this.", time=words.duration(left))
            urgent = disk.free < _LITTLE * disk.total or (left is not None and left < _SOON)
            yield Attention(f"disk:{disk.folder}", Kind.DISK, what, disk.at, urgent)


def _sets(journal: Journal) -> Iterator[Attention]:
    held = journal.sets.in_states(State.HELD, limit=MOST_SETS + 1)
    for one in held[:MOST_SETS]:
        since = journal.sets.since(one.id)
        yield Attention(f"set:{one.id}", Kind.SET, f"{one.name}: {one.reason}", since, set_id=one.id)
    if len(held) > MOST_SETS:
        more = journal.sets.counts()[State.HELD] - MOST_SETS
        yield Attention("sets", Kind.SET, say("And {sets} more need attention.", sets=words.sets(more)))


def _troubles(journal: Journal) -> Iterator[Attention]:
    for where, (what, since) in journal.troubles().items():
        if where.startswith(_TOLD_ELSEWHERE):
            continue
        kind = Kind.PEOPLE if where.startswith(("registers ", "attribution ")) else Kind.FOLDER
        kind = Kind.WATCHER if where == "page" else kind
        yield Attention(f"trouble:{where}", kind, what, since, urgent=where == "watch")


def _access(journal: Journal) -> Iterator[Attention]:
    counts = Counter((who, why) for _, who, why in journal.attributions.shut_out())
    for (who, why), number in counts.most_common(_MOST):
        what = say("No access yet for {who} to {sets}: {why}", who=who, sets=words.sets(number), why=why)
        yield Attention(f"access:{who}:{why}", Kind.ACCESS, what, urgent=False)
    for set_id, why in journal.attributions.problems()[:_MOST]:
        what = say("The store could not be told who made {set}: {why}", set=set_id[9:17], why=why)
        yield Attention(f"untold:{set_id}", Kind.ACCESS, what, urgent=False, set_id=set_id)


def _handoffs(journal: Journal) -> Iterator[Attention]:
    for backlog in journal.outbox.backlogs():
        for line in handoffs.sink_lines([backlog]) if backlog.problem or backlog.refused else ():
            yield Attention(f"sink:{backlog.sink}", Kind.HANDOFF, line, backlog.since, urgent=False)
    for agent, state, number in journal.handoffs.counts():
        if state == "failed":
            line = handoffs.failed_line(journal, agent, number)
            yield Attention(f"agent:{agent}", Kind.HANDOFF, line, urgent=False)


def _archive(journal: Journal) -> Iterator[Attention]:
    for collection, why in journal.collections.abandoned():
        what = say("For the iRODS administrator: {collection} is no longer used and can be removed ({why})",
                   collection=collection, why=why)  # fmt: skip
        yield Attention(f"abandoned:{collection}", Kind.ARCHIVE, what, urgent=False)
