"""What is done beside the sets on their way, each thing in a thread of its own, so that a slow one delays no other."""

import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from watcher.clock import Clock
from watcher.errors import JournalError
from watcher.pipeline.patience import LONGEST_WAIT

#: How many seconds `once` gives to each.
_ONCE: Final = 30.0

#: Told where something is wrong and what, "" when it is over.
Trouble = Callable[[str, str], None]


class Duty(Protocol):
    """Something that a thread of its own does again and again."""

    @property
    def name(self) -> str: ...

    def round(self) -> float:
        """Do one thing; 0 if there may be more, else the seconds until there may be. Raises JournalError."""
        ...

    def close(self) -> None:
        """Give up what takes long, if that can be done; called from another thread."""
        ...


class Duties:
    """The threads of some duties, for as long as `run` runs; or one turn of each for `once`."""

    def __init__(self, duties: Sequence[Duty], clock: Clock, stop: threading.Event, trouble: Trouble) -> None:
        self._clock = clock
        self._stop = stop
        self._trouble = trouble
        self._duties = [(duty, threading.Event()) for duty in duties]
        self._threads = [
            threading.Thread(target=self._carry, args=pair, name=f"duty-{pair[0].name}") for pair in self._duties
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """There may be something to do."""
        for _, wake in self._duties:
            wake.set()

    def join(self) -> None:
        """Wait for the threads, after `stop` was set."""
        for duty, _ in self._duties:
            duty.close()
        self.wake()
        for thread in self._threads:
            thread.join()

    def once(self) -> None:
        """Do what is due now in the calling thread, for a limited time. Raises JournalError."""
        for duty, _ in self._duties:
            end = self._clock.now() + _ONCE
            while not self._stop.is_set() and self._clock.now() < end and not duty.round():
                pass

    def _carry(self, duty: Duty, wake: threading.Event) -> None:
        """A thread's life. Nothing that goes wrong in it is worth stopping what brings sets into safety."""
        while not self._stop.is_set():
            wake.clear()
            try:
                wait = duty.round()
            except JournalError:
                wait = LONGEST_WAIT  # the main thread writes to it too, and tells
            except Exception as error:
                wait = LONGEST_WAIT
                what = f"unexpected {type(error).__name__}: {error}; this is a mistake of the program: please report it"
                self._trouble(f"duty {duty.name}", what)
            if not wait:
                # What one has done may be work for another, as a change is that somebody is to be told of.
                for _, other in self._duties:
                    if other is not wake:
                        other.set()
            elif not self._stop.is_set():
                self._clock.wait(wait, wake)
