"""Handing published sets on to other programs, in order for a set, with patience for those that are away."""

import random
from collections.abc import Callable
from typing import Final

from watcher.clock import Clock
from watcher.errors import HandoffError, SinkAway, SinkRefused
from watcher.journal import Journal
from watcher.model import Event
from watcher.notify.base import Sink
from watcher.pipeline.duties import Trouble
from watcher.pipeline.patience import LONGEST_WAIT, pause_after

#: Seconds until a sink is asked again that has refused an event, and the longest pause that one may ask for.
_SELDOM: Final = 3600.0


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
        """Tell the sink what is due; see `duties.Duty`."""
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
