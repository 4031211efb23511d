"""What a facility view is told of one instrument: enough for a line on its page, and no person's name."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from watcher.journal import Journal
from watcher.model import UNDER_WAY, State
from watcher.overview import picture, words
from watcher.overview.picture import Overview

SCHEMA_VERSION: Final = 1
#: No report is larger, in bytes.
LARGEST: Final = 64 * 1024
#: So many things of a kind are told, each in so many letters.
_MOST: Final = 10
_LETTERS: Final = 300

Mood = Literal["attention", "paused", "busy", "safe"]
Short = Annotated[str, StringConstraints(max_length=_LETTERS)]
Count = Annotated[int, Field(ge=0, le=2**63)]
Time = Annotated[float, Field(ge=0, le=1e11)]


class _Part(BaseModel):
    """A part of a report. A later version may say more than this one knows."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Need(_Part):
    """Something urgent, since when."""

    what: Short
    since: Time | None = None


class Room(_Part):
    """The disk of one watched folder: sizes in bytes, when it will be full if it goes on like this."""

    folder: Short
    free: Count
    total: Count
    full_at: Time | None = None


class Report(_Part):
    """How an instrument is; times in seconds since 1970, rate in bytes a second, every: until the next report.

    `needs` are the first of what is urgent, `others` is how much else needs somebody.
    """

    schema_version: Annotated[int, Field(ge=SCHEMA_VERSION)] = SCHEMA_VERSION
    instrument: Short
    version: Short
    taken_at: Time
    every: Annotated[float, Field(gt=0, le=86400)]
    sentence: Short
    mood: Mood
    safe: Count
    on_the_way: Count
    held: Count
    needs: Annotated[tuple[Need, ...], Field(max_length=_MOST)] = ()
    others: Count = 0
    rate: Annotated[float, Field(ge=0)] = 0.0
    left: Count = 0
    seconds_left: Annotated[float, Field(ge=0)] | None = None
    disks: Annotated[tuple[Room, ...], Field(max_length=_MOST)] = ()
    last_safe: Time | None = None
    oldest_open: Time | None = None


def take(journal: Journal, now: float, every: float) -> Report:
    """The report at this moment. Raises JournalError."""
    return of(picture.take(journal, now), every)


def of(overview: Overview, every: float) -> Report:
    """A picture as a report."""
    urgent = overview.urgent
    disks = [
        Room(folder=_short(disk.folder), free=disk.free, total=disk.total, full_at=disk.full_at)
        for disk in overview.disks[:_MOST]
    ]
    return Report(
        instrument=_short(overview.instrument),
        version=_short(overview.version),
        taken_at=overview.taken_at,
        every=every,
        sentence=_short(picture.sentence(overview)),
        mood=cast("Mood", overview.mood),
        safe=overview.safe,
        on_the_way=overview.open_sets,
        held=overview.counts.get(State.HELD, 0),
        needs=tuple(Need(what=_short(one.what), since=one.since) for one in urgent[:_MOST]),
        others=len(overview.attention) - min(len(urgent), _MOST),
        rate=overview.rate,
        left=overview.left,
        seconds_left=overview.seconds_left,
        disks=tuple(disks),
        last_safe=overview.last_safe,
        oldest_open=overview.oldest_open,
    )


def from_status(status: Mapping[str, Any], now: float, every: float) -> Report:
    """A report from what the page of an instrument says under /api/v1/status (`records.of_overview`).

    Raises ValidationError, KeyError or TypeError if that says something else.
    """
    counts, needs = status["counts"], status["attention"]
    urgent = [need for need in needs if need["urgent"]]
    rooms = [{**disk, "folder": _short(disk["folder"])} for disk in status["disks"][:_MOST]]
    said: dict[str, Any] = {
        "instrument": _short(status["instrument"]), "version": _short(status["version"]), "taken_at": now,
        "every": every, "sentence": _short(status["sentence"]), "mood": status["mood"],
        "safe": counts["published"] + counts["released"], "held": counts["held"],
        "on_the_way": sum(counts[state] for state in (State.GROWING, *UNDER_WAY)),
        "needs": [{"what": _short(need["what"]), "since": need["since"]} for need in urgent[:_MOST]],
        "others": len(needs) - min(len(urgent), _MOST),
        **{key: status[key] for key in ("rate", "seconds_left", "last_safe", "oldest_open")}, "disks": rooms,
    }  # fmt: skip
    return Report.model_validate(said)


def _short(text: str) -> str:
    shown = words.printable(text)
    return shown if len(shown) <= _LETTERS else shown[: _LETTERS - 4] + " ..."
