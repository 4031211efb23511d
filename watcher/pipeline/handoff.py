"""Handing published sets on to other programs: one thread a way, so that a slow one delays nothing but itself."""

import random
import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from watcher.clock import Clock
from watcher.errors import HandoffError, JournalError, SinkAway, SinkRefused
from watcher.journal import Journal
from watcher.model import Event
from watcher.notify.base import Sink
from watcher.pipeline.patience import LONGEST_WAIT, pause_after

#: Seconds until a sink is asked again that has refused an event, and the longest pause that one may ask for.
_SELDOM: Final = 3600.0
#: How many seconds `once` tries each way.
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


class Line:
    """What waits for one sink, told in order; a sink that is away is tried ever more seldom, at least every 5 minutes.

    It may also be the event that the other side cannot take: so the events take turns as the probe, and one that was
    never tried does not wait for that, unless the other side asked to be left alone.
    """

    def __init__(
        self,
        sink: Sink,
        journal: Journal,
        clock: Clock,
        *,
        stopping: Callable[[], bool],
        trouble: Trouble,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = sink.name
        self._sink = sink
        self._journal = journal
        self._clock = clock
        self._stopping = stopping
        self._trouble = trouble
        self._jitter = jitter
        self._failures = 0
        self._rest_until = 0.0
        self._asked_until = 0.0
        self._told: set[str] = set()

    def round(self) -> float:
        """Tell the sink what is due; see `Duty`."""
        now = self._clock.now()
        if now >= self._asked_until:
            found = self._journal.outbox.due(self.name, now, fresh=now < self._rest_until)
            if found is not None:
                self._tell(*found)
                return 0.0
        self._sink.rest()
        at = self._journal.outbox.next_at(self.name)
        wait = LONGEST_WAIT if at is None else max(at, self._rest_until, self._asked_until) - now
        return min(LONGEST_WAIT, max(0.05, wait))

    def close(self) -> None:
        """Give up what is being told."""
        self._sink.close()

    def _tell(self, event: Event, attempts: int) -> None:
        try:
            self._sink.tell(event)
        except HandoffError as error:
            self._failed(event, attempts, error)
        except Exception as error:
            what = f"{self._sink.place}: unexpected {type(error).__name__}: {error}"
            self._failed(event, attempts, SinkAway(what, cure="this is a mistake of the program: please report it"))
        else:
            self._failures, self._rest_until = 0, 0.0
            self._journal.outbox.accepted(event, self.name, self._clock.now())
            self._say()

    def _failed(self, event: Event, attempts: int, error: HandoffError) -> None:
        if self._stopping():
            return  # cut off by ourselves, which says nothing
        now = self._clock.now()
        refused = isinstance(error, SinkRefused)
        if isinstance(error, SinkAway):
            pause = pause_after(error, attempts, self._jitter)
            self._asked_until = now + min(error.not_before, _SELDOM)
            self._rest_until = now + pause_after(error, self._failures, self._jitter)
            self._failures += 1
        else:
            pause, self._failures, self._rest_until = _SELDOM, 0, 0.0
        self._journal.outbox.failed(event, self.name, now, now + pause, str(error), refused=refused)
        self._say()

    def _say(self) -> None:
        """Tell of trouble when it begins and when it ends, and not at every attempt between."""
        for refused, where in ((False, f"hand-off by {self.name}"), (True, f"hand-off by {self.name}, refused")):
            what = self._journal.outbox.problem(self.name, refused=refused)
            if bool(what) is not (where in self._told):
                self._told ^= {where}
                self._trouble(where, what)


class HandingOn:
    """The threads that hand published sets on, for as long as `run` runs."""

    def __init__(self, duties: Sequence[Duty], clock: Clock, stop: threading.Event, trouble: Trouble) -> None:
        self._clock = clock
        self._stop = stop
        self._trouble = trouble
        self._duties = [(duty, threading.Event()) for duty in duties]
        self._threads = [
            threading.Thread(target=self._carry, args=pair, name=f"handoff-{pair[0].name}") for pair in self._duties
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """There may be something to tell."""
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
                self._trouble(f"hand-off by {duty.name}", what)
            if wait and not self._stop.is_set():
                self._clock.wait(wait, wake)
