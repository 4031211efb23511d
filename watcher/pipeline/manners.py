"""Good manners on the network: how fast members may be sent, and when."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from watcher import osfacts
from watcher.clock import Clock
from watcher.journal import Journal
from watcher.profile import Profile
from watcher.profile.limits import WHOLE_DAY, Limits

#: How often in seconds it is asked whether the instrument acquires.
ASK_EVERY: Final = 10.0
#: What was written so many seconds ago is being acquired; longer if the sweeps, which notice it, are further apart.
FRESH: Final = 30.0
#: The longest sleep in one piece, so that a change of the rate takes effect.
_SLICE: Final = 1.0
#: The shortest one: what is left below it is an error of rounding.
_TICK: Final = 0.001
_MINUTE: Final = 60
#: A part of the day that the clocks skip in spring may be away for two days.
_LOOK_AHEAD: Final = 3 * 24 * 60


@dataclass(frozen=True, slots=True)
class Pace:
    """What is in force: bytes per second (None: no limit), whether that is because the instrument acquires, and until
    when nothing is sent (seconds since 1970, None: it is sent now)."""

    rate: float | None
    acquiring: bool
    resting_until: float | None


class Manners:
    """A token bucket with debt for all threads of the program: bytes are spent after they were sent, in turn.

    A thread that has spent more than there was sleeps until it is earned, so that over any time no more is sent than
    the rate allows, a second's worth, and the one block of each thread that it had in hand. `timezone` is the
    instrument's, None for this computer's own. `acquiring` is asked every 10 s if there is a rate for it; what it
    raises is raised by `spend` and `pace`. `wait` sleeps for seconds and says whether the program is to stop. `wall` is
    the computer's clock as it is set now, by which the hours go; without it they go by `clock`.
    """

    def __init__(
        self,
        limits: Limits,
        timezone: tzinfo | None,
        clock: Clock,
        acquiring: Callable[[], bool],
        wait: Callable[[float], bool],
        *,
        wall: Callable[[], float] | None = None,
    ) -> None:
        self._limits = limits
        self._timezone = timezone
        self._clock = clock
        self._acquiring = acquiring
        self._wait = wait
        self._wall = wall or clock.now
        self._lock = threading.Lock()
        self._asked_at = float("-inf")
        self._acquires = False
        self._earned_at = clock.now()
        self._earned = self._rate() or 0.0
        self._spent = 0

    def spend(self, count: int) -> None:
        """So many bytes have been sent: sleep until the rate allows more, or until the program is to stop.

        Negative counts, bytes that did not count after all, are ignored: they took their time on the line.
        """
        if count <= 0 or (self._limits.rate is None and self._limits.rate_while_acquiring is None):
            return
        with self._lock:
            self._earn()
            self._spent += count
            mine = self._spent
        while (pause := self._due(mine)) > 0:
            if self._wait(max(_TICK, min(_SLICE, pause))):
                return

    def resting(self) -> float:
        """Seconds until the hours allow sending, 0.0 if they do now. Asked before a member, never within one.

        Hours are those of the clock on the wall: one that the clocks skip is not there, one that comes twice counts
        twice.
        """
        hours = self._limits.hours
        if hours == WHOLE_DAY:
            return 0.0
        now = self._wall()
        this_minute = now - now % _MINUTE
        # Minute by minute, since only the clock on the wall knows what its next one is.
        for ahead in range(_LOOK_AHEAD):
            at = this_minute + ahead * _MINUTE
            wall = datetime.fromtimestamp(at, self._timezone)
            if any(window.holds(wall.hour * 60 + wall.minute) for window in hours):
                return max(0.0, at - now)
        return float(_LOOK_AHEAD * _MINUTE)

    def pace(self) -> Pace:
        """What is in force now, for whoever looks."""
        self._ask()
        rest = self.resting()
        with self._lock:
            return Pace(self._rate(), self._acquires, self._wall() + rest if rest else None)

    def _due(self, mine: int) -> float:
        """Seconds at the present rate until this many bytes are earned."""
        self._ask()
        with self._lock:
            self._earn()
            rate = self._rate()
            return (mine - self._earned) / rate if rate is not None else 0.0

    def _earn(self) -> None:
        now, rate = self._clock.now(), self._rate()
        if rate is None:
            self._earned = float(self._spent)
        else:
            gained = max(0.0, now - self._earned_at) * rate
            # What is not spent within a second is gone.
            self._earned = min(self._earned + gained, self._spent + rate)
        self._earned_at = now

    def _rate(self) -> float | None:
        lower = self._limits.rate_while_acquiring
        return lower if self._acquires and lower is not None else self._limits.rate

    def _ask(self) -> None:
        if self._limits.rate_while_acquiring is None:
            return
        with self._lock:
            if 0 <= self._clock.now() - self._asked_at < ASK_EVERY:
                return
            self._asked_at = self._clock.now()
        # Without the lock, since looking through all processes takes a moment.
        acquires = self._acquiring()
        with self._lock:
            self._earn()  # at the rate that held until now
            self._acquires = acquires


def acquires(profile: Profile, journal: Journal, clock: Clock) -> Callable[[], bool]:
    """How to ask whether the instrument acquires: its program runs, or something was just written.

    The question raises JournalError.
    """
    named = profile.limits.acquiring
    if named is not None:
        return lambda: osfacts.runs(named.process)
    fresh = max(FRESH, *(1.5 * watch.sweep for watch in profile.watch))

    def just_written() -> bool:
        last = journal.sets.last_change()
        return last is not None and clock.now() - last < fresh

    return just_written
