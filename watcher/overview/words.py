"""How things are said to people: states, amounts, times; the same on the command line, the page and in messages."""

import time
from collections.abc import Sequence

from watcher.model import ImageSet, State
from watcher.overview.language import later, say, say_many

#: The states in words that nobody has to look up.
PLAIN = {
    State.GROWING: later("still being written"),
    State.COMPLETE: later("finished, to be checked"),
    State.VALID: later("checked, to be sent"),
    State.DELIVERED: later("sent, to be verified"),
    State.VERIFIED: later("verified, to be published"),
    State.PUBLISHED: later("safe in the archive"),
    State.RELEASED: later("safe in the archive, removed here"),
    State.HELD: later("needs attention"),
    State.SKIPPED: later("left out"),
    State.SUPERSEDED: later("replaced by a later version"),
}


def plain(state: State) -> str:
    """A state in words."""
    return say(PLAIN[state])


def detail(one: ImageSet) -> str:
    """What a person wants to know next of a set: why it waits or needs attention, "" if there is nothing."""
    if one.on_hold:
        return say("on hold: {why}", why=one.on_hold)
    return one.reason or "; ".join(one.waits_for)


def files(count: int) -> str:
    """A number of files in words."""
    return say_many("{number} file", "{number} files", count)


def sets(count: int) -> str:
    """A number of image sets in words."""
    return say_many("{number} set", "{number} sets", count)


def some(names: Sequence[str], most: int = 10) -> str:
    """The first of many names."""
    more = say(" and {number} more", number=len(names) - most) if len(names) > most else ""
    return ", ".join(names[:most]) + more


def when(seconds: float | None) -> str:
    """A time for people, in this computer's zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) if seconds else "-"


def amount(count: float) -> str:
    """A number of bytes for people, in decimal units."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float) -> str:
    """About how long something takes."""
    if seconds < 60:
        return say("less than a minute")
    minutes = round(seconds / 60)
    if minutes < 100:
        return say_many("{number} minute", "{number} minutes", minutes)
    hours = round(seconds / 3600)
    if hours < 48:
        return say_many("{number} hour", "{number} hours", hours)
    return say_many("{number} day", "{number} days", round(seconds / 86400))
