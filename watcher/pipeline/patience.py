"""How long to wait before what has failed is tried again: by the kind of failure, and longer each time."""

from collections.abc import Callable
from typing import Final

from tenacity import RetryCallState, Retrying, wait_exponential
from tenacity.wait import wait_base

from watcher.errors import FixityError, NotifierAway, SinkAway, SourceUnreadable, StoreBusy, WatcherError

#: The longest time in seconds between two attempts at what may pass.
LONGEST_WAIT: Final = 60.0
#: And the pause in seconds after what was nobody's fault.
SOON: Final = 0.5
#: So often is a replica found busy before it counts as stuck: for some ten minutes, which is longer than a server needs
#: to notice that a client is gone (its own keepalive, mostly two minutes).
BUSY_IS_STUCK: Final = 15

_KINDS: Final[tuple[tuple[type[WatcherError], wait_base], ...]] = (
    # An agent that lost its client lets go within a second, or not for minutes.
    (StoreBusy, wait_exponential(multiplier=1, max=LONGEST_WAIT)),
    # A bad disk or line is not mended by sending the same at once again.
    (FixityError, wait_exponential(multiplier=5, max=LONGEST_WAIT)),
    # An acquisition program that holds its file locked does so until it is done.
    (SourceUnreadable, wait_exponential(multiplier=5, max=LONGEST_WAIT)),
    # Another program has all the time that it takes: nothing but its own work waits for it.
    (SinkAway, wait_exponential(multiplier=1, max=5 * LONGEST_WAIT)),
    # A mail server that wants a sender to come again later means minutes (greylisting).
    (NotifierAway, wait_exponential(multiplier=LONGEST_WAIT / 2, max=15 * LONGEST_WAIT)),
    (WatcherError, wait_exponential(multiplier=1, max=LONGEST_WAIT)),
)


def pause_after(error: WatcherError, attempts: int, jitter: Callable[[], float]) -> float:
    """Seconds until the next attempt, after so many failed ones before this; `jitter` gives 0 to 1, for half of it."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempts + 1
    wait = next(wait for kind, wait in _KINDS if isinstance(error, kind))
    return wait(state) * (0.5 + jitter() / 2)


def is_stuck(error: WatcherError, attempts: int) -> bool:
    """Whether one object in the store will not let go by itself; a whole resource that is down comes back."""
    return isinstance(error, StoreBusy) and error.path is not None and attempts + 1 >= BUSY_IS_STUCK
