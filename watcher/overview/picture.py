"""The one picture of an instrument: is everything safe, what is under way, and what needs a person."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from watcher.journal import Backlog, Journal, watched_by
from watcher.journal.sessions import WorkSession
from watcher.model import UNDER_WAY, ImageSet, Resolution, State
from watcher.overview import words
from watcher.overview.attention import Attention, attentions
from watcher.overview.language import say, say_many
from watcher.overview.space import Disk, disks
from watcher.pipeline import orders

#: What the watcher notes of the sending is of no use after so many seconds.
_FRESH: Final = 30.0
#: Sets that are shown with a bar.
_BARS: Final = 20
_HOUR: Final = 3600.0
_TOLD: Final = (State.PUBLISHED, State.HELD)
HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Sending:
    """How far a set has come that is being sent: bytes of all, and bytes that are there or on the line."""

    image_set: ImageSet
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Hour:
    """What happened in one of the last 24 hours: sets that became safe, and sets that came to need attention."""

    begin: float
    safe: int
    held: int


@dataclass(frozen=True, slots=True)
class Overview:
    """All that is shown of one instrument at a glance; times in seconds since 1970, rate in bytes a second."""

    taken_at: float
    instrument: str
    version: str
    watcher: str | None
    page: str | None
    heartbeat: float | None
    paused: bool
    store_problem: str
    counts: Mapping[State, int]
    on_hold: int
    attention: tuple[Attention, ...]
    sending: tuple[Sending, ...]
    rate: float
    left: int
    pace: Mapping[str, Any] | None
    disks: tuple[Disk, ...]
    sessions: tuple[WorkSession, ...]
    unattributed: int
    last_safe: float | None
    oldest_open: float | None
    backlogs: tuple[Backlog, ...]
    hours: tuple[Hour, ...]

    @property
    def open_sets(self) -> int:
        """Sets that are on the way and need nobody."""
        return sum(self.counts.get(one, 0) for one in (State.GROWING, *UNDER_WAY))

    @property
    def safe(self) -> int:
        """Sets that are in the archive, of which no later version is."""
        return self.counts.get(State.PUBLISHED, 0) + self.counts.get(State.RELEASED, 0)

    @property
    def urgent(self) -> tuple[Attention, ...]:
        """What keeps images from being safe."""
        return tuple(one for one in self.attention if one.urgent)

    @property
    def mood(self) -> str:
        """In one word: `attention` if a person is needed, `paused`, `busy` if sets are on the way, else `safe`."""
        if self.urgent:
            return "attention"
        if self.paused:
            return "paused"
        return "busy" if self.open_sets else "safe"

    @property
    def seconds_left(self) -> float | None:
        """How long it takes to send what is left at the present rate; None if nobody knows."""
        return self.left / self.rate if self.rate > 0 and self.left else None


def take(journal: Journal, now: float) -> Overview:
    """The picture as the journal has it at this moment. Raises JournalError."""
    counts, watcher, watching = journal.sets.counts(), watched_by(journal.state), journal.noted("watching")
    watching = watching if isinstance(watching, dict) else {}
    heartbeat, pace = journal.noted("heartbeat"), journal.noted("pace")
    page = journal.noted("page") if watcher else None
    rate, under_way = _sending(journal, now) if watcher else (0.0, {})
    open_sets = journal.sets.in_states(*UNDER_WAY, limit=_BARS)
    growing = [journal.sets.maybe(set_id) for set_id in under_way if set_id not in {one.id for one in open_sets}]
    sending = [_bar(one, journal, under_way) for one in (*open_sets, *filter(None, growing))]
    unattributed = sum(n for how, n in journal.attributions.counts().items() if how is not Resolution.RESOLVED)
    return Overview(
        now,
        str(watching.get("instrument", "")),
        str(watching.get("version", "")),
        watcher,
        str(page["address"]) if isinstance(page, dict) else None,
        heartbeat if isinstance(heartbeat, float) else None,
        orders.paused(journal) is not None,
        str(journal.noted("store") or ""),
        counts,
        journal.sets.on_hold(),
        tuple(attentions(journal, now, watched=watcher is not None)),
        tuple(one for one in sending if one.total),
        rate,
        max(0, journal.sets.unsent() - sum(under_way.values())),
        pace if watcher and isinstance(pace, dict) else None,
        tuple(disks(journal)),
        tuple(journal.sessions.between(now, now)),
        unattributed,
        journal.sets.last_published(),
        journal.sets.oldest_open(),
        tuple(journal.outbox.backlogs()),
        tuple(_hours(journal, now)),
    )


def sentence(overview: Overview) -> str:
    """The one sentence that an operator reads."""
    where = say(" from {instrument}", instrument=overview.instrument) if overview.instrument else ""
    safe, open_sets, held = overview.safe, overview.open_sets, overview.counts.get(State.HELD, 0)
    if overview.store_problem:
        return say("The store has a problem: {what}", what=overview.store_problem)
    if held:
        needs = say_many("{number} set{where} needs you", "{number} sets{where} need you", held, where=where)
        return needs + say("; {safe} safe, {open} on the way.", safe=safe, open=open_sets)
    if overview.urgent:
        return overview.urgent[0].what
    if overview.paused:
        return say("Sending is paused; {open} on the way, {safe} safe in the archive.", open=open_sets, safe=safe)
    if open_sets:
        way = say_many(
            "{number} set{where} is on the way", "{number} sets{where} are on the way", open_sets, where=where
        )
        return way + say("; {safe} safe in the archive.", safe=safe)
    if not safe:
        return say("No sets{where} yet.", where=where)
    return say_many(
        "The one set{where} is safe in the archive.", "All {number} sets{where} are safe in the archive.", safe,
        where=where,
    )  # fmt: skip


def pace_words(pace: Mapping[str, Any]) -> str:
    """How the profile's limits slow the sending down at the moment, "" if they do not."""
    if pace["resting_until"] is not None:
        return say("Nothing is sent until {when}, as the profile's hours say.", when=words.when(pace["resting_until"]))
    if pace["rate"] is None:
        return ""
    rate = words.amount(pace["rate"])
    if pace["acquiring"]:
        return say("At most {rate} are sent in a second while the instrument acquires.", rate=rate)
    return say("At most {rate} are sent in a second.", rate=rate)


def safe_to_delete(one: ImageSet) -> bool | None:
    """Whether the local files may be cleared as far as this program knows; None if there are none to clear."""
    if one.cleared or one.state in {State.RELEASED, State.SUPERSEDED}:
        return None
    return one.state is State.PUBLISHED


def _sending(journal: Journal, now: float) -> tuple[float, dict[str, int]]:
    noted = journal.noted("sending")
    if not isinstance(noted, dict):
        return 0.0, {}
    # The watcher notes only what changes, and the end of it.
    return (noted["rate"] if noted["sets"] or now - noted["at"] < _FRESH else 0.0), noted["sets"]


def _bar(one: ImageSet, journal: Journal, under_way: Mapping[str, int]) -> Sending:
    sent, total = journal.sets.amounts(one.id)
    return Sending(one, min(total, sent + under_way.get(one.id, 0)), total)


def _hours(journal: Journal, now: float) -> list[Hour]:
    first = now - now % _HOUR - (HOURS - 1) * _HOUR
    safe, held = (Counter(int((at - first) // _HOUR) for at in journal.sets.became(state, first)) for state in _TOLD)
    return [Hour(first + number * _HOUR, safe[number], held[number]) for number in range(HOURS)]
