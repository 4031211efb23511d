"""The bookings of an instrument, as a booking system exports them: who had it, when, and for which project."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Protocol, TypeVar

from watcher.errors import PeopleError
from watcher.profile.document import in_lines
from watcher.profile.people import Bookings
from watcher.profile.problems import Problem
from watcher.provenance.table import read_table


class Period(Protocol):
    """Something that begins and ends; seconds since 1970."""

    @property
    def started(self) -> float: ...

    @property
    def until(self) -> float: ...


P = TypeVar("P", bound=Period)


@dataclass(frozen=True, slots=True)
class Booking:
    """One booking; times in seconds since 1970, line is its line in the table."""

    line: int
    started: float
    until: float
    person: str
    project: str = ""
    request: str = ""


def read_bookings(section: Bookings, instrument: str, zone: tzinfo | None) -> list[Booking]:
    """The bookings of this instrument; times without an offset are in its zone (None: this computer's).

    Without a column of instruments all rows are its own. Raises PeopleError with all that is wrong in the table.
    """
    columns = dict(section.columns)
    wanted = (section.instrument or instrument).casefold()
    found, problems = [], []
    for row in read_table(section.file, columns, needed=("start", "end", "person"), error=PeopleError):
        if row["instrument"] and row["instrument"].casefold() != wanted:
            continue
        start, end = (_seconds(row[key], section.time_format, zone) for key in ("start", "end"))
        if start is None or end is None:
            key, how = "end" if start else "start", section.time_format or "2026-11-27 09:00"
            problems.append(Problem(*row.at(key), columns[key], f"this is no time as in {how}; see time_format"))
        elif end <= start:
            problems.append(Problem(*row.at("end"), columns["end"], "the booking ends before it begins"))
        elif row["person"]:
            found.append(Booking(row.line, start, end, row["person"], row["project"], row["request"]))
    if problems:
        raise PeopleError(in_lines(section.file, problems))
    return found


def at_work(periods: Iterable[P], begin: float, end: float) -> Sequence[P]:
    """Which of the periods an acquisition belongs to: those in which it began, else those that it reaches into."""
    touched = [one for one in periods if one.started < end + 1 and one.until > begin]
    return [one for one in touched if one.started <= begin] or touched


def _seconds(text: str, form: str | None, zone: tzinfo | None) -> float | None:
    try:
        moment = datetime.strptime(text, form) if form else datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
