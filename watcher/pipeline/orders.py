"""What a person decides of sets and of the sending. All goes through the journal, so the watcher need not run."""

import time
from typing import Final

from watcher.clock import Clock
from watcher.errors import Paused, StaleSet, UsageError
from watcher.journal import Journal
from watcher.model import UNDER_WAY, ImageSet, State

#: What is noted in the journal while the sending is paused.
PAUSED: Final = "paused"
#: So long in seconds an answer of the journal holds: it is asked for each block that is sent.
_FRESH: Final = 0.5


def again(journal: Journal, one: ImageSet, now: float) -> None:
    """Try a set again that is held, left out, on hold or waiting. Raises UsageError if there is nothing to try."""
    if one.state in {State.HELD, State.SKIPPED}:
        _advance(journal, one, State.GROWING, now, "", on_hold="")
    elif one.state in {State.GROWING, *UNDER_WAY}:
        _change(journal, one, retry_at=0.0, attempts=0, on_hold="")
    else:
        raise UsageError(f"{one.name}: it is {one.state}, so there is nothing to try again", cure="see `list`")


def leave_out(journal: Journal, one: ImageSet, now: float, reason: str) -> None:
    """Leave a set out; its files stay where they are. Raises UsageError if it is past that."""
    if one.state not in {State.GROWING, State.HELD, *UNDER_WAY}:
        raise UsageError(f"{one.name}: it is {one.state}, so there is nothing to leave out", cure="see `list`")
    _advance(journal, one, State.SKIPPED, now, reason)


def hold_back(journal: Journal, one: ImageSet, reason: str) -> None:
    """Send nothing of a set until it is to be tried again. Raises UsageError if it is past that."""
    if one.state not in {State.GROWING, *UNDER_WAY}:
        raise UsageError(f"{one.name}: it is {one.state}, so there is nothing to hold back", cure="see `list`")
    _change(journal, one, on_hold=reason)


def pause(journal: Journal, now: float, who: str) -> None:
    """Send nothing, of no set, until `resume`; what is being sent is cut off and goes on then."""
    if journal.noted(PAUSED) is None:
        journal.note(PAUSED, {"since": now, "by": who})


def resume(journal: Journal) -> bool:
    """Send again; False if it was not paused."""
    was = journal.noted(PAUSED) is not None
    if was:
        journal.note(PAUSED, None)
    return was


def paused(journal: Journal) -> Paused | None:
    """That the sending is paused, and since when; None if it is not. No login is told."""
    noted = journal.noted(PAUSED)
    if not isinstance(noted, dict):
        return None
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(noted["since"]))
    return Paused(f"nothing is sent since {since}, because somebody has paused it")


class Pausing:
    """Whether the sending is paused, for what asks all the time."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._asked_at = float("-inf")
        self._answer: Paused | None = None

    def __call__(self) -> Paused | None:
        """That it is paused, half a second late at most. Raises JournalError."""
        if abs(self._clock.now() - self._asked_at) >= _FRESH:
            self._asked_at, self._answer = self._clock.now(), paused(self._journal)
        return self._answer


def _advance(journal: Journal, one: ImageSet, to: State, now: float, reason: str, **changes: object) -> None:
    note = reason or "retry was ordered"
    try:
        journal.sets.advance(one, to, now, note, reason=reason, retry_at=0.0, attempts=0, problems=(), **changes)
    except StaleSet:
        raise _meanwhile(one) from None


def _change(journal: Journal, one: ImageSet, **changes: object) -> None:
    try:
        journal.sets.change(one, **changes)
    except StaleSet:
        raise _meanwhile(one) from None


def _meanwhile(one: ImageSet) -> StaleSet:
    return StaleSet(f"{one.name}: the watcher changed it at this moment", cure="give the order again")
