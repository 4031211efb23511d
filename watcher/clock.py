"""Time as the watcher sees it, passed in everywhere so that tests hold it."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What time it is, and waiting."""

    def now(self) -> float:
        """Seconds since 1970."""
        ...

    def wait(self, seconds: float, wake: threading.Event) -> bool:
        """Wait until the time has passed or the event is set; whether it was set."""
        ...


class SystemClock:
    """The computer's clock, read once at the start and then carried on by its monotonic counter.

    So that a quiet time is a quiet time even if somebody sets the clock of the acquisition PC meanwhile.
    """

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        """Seconds since 1970."""
        return self._offset + time.monotonic()

    def wait(self, seconds: float, wake: threading.Event) -> bool:
        """Wait until the time has passed or the event is set; whether it was set."""
        return wake.wait(max(0.0, seconds))
