"""What a person hears while the program works: the lines of the log, and progress bars on a terminal."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from watcher.errors import Unforeseen, WatcherError
from watcher.model import ImageSet, Member, State
from watcher.overview.attention import FLEET, MESSAGES, PING


class LogListener:
    """Writes what happens to the log, one line for what matters to a person."""

    def __init__(self) -> None:
        self._log = structlog.get_logger()

    def moved(self, image_set: ImageSet) -> None:
        about = {"set": image_set.id, "name": image_set.name}
        if image_set.state is State.HELD:
            self._log.error("set.held", **about, problem=image_set.reason)
            return
        say = self._log.info if image_set.state is State.PUBLISHED else self._log.debug
        say(f"set.{image_set.state}", **about)

    def sent(self, image_set: ImageSet, member: Member, count: int) -> None:
        """Bytes are no news for a log."""

    def failed(self, image_set: ImageSet, error: WatcherError) -> None:
        say = self._log.error if image_set.state is State.HELD else self._log.warning
        event = "set.held" if image_set.state is State.HELD else "set.delayed"
        # How a mistake of the program came about belongs in the log; everything else is said in words.
        exc_info = error.__cause__ if isinstance(error, Unforeseen) else None
        say(event, set=image_set.id, name=image_set.name, problem=str(error), exc_info=exc_info)

    def trouble(self, where: str, what: str) -> None:
        if not what:
            self._log.info("recovered", where=where)
        elif where == what:
            self._log.warning(what)
        else:
            say = self._log.warning if where.startswith((MESSAGES, PING, FLEET)) else self._log.error
            say("trouble", where=where, problem=what)


class BarListener(LogListener):
    """Log lines, and a progress bar for each set that is being sent."""

    def __init__(self, progress: Progress, totals: "Totals") -> None:
        super().__init__()
        self._progress = progress
        self._totals = totals
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def moved(self, image_set: ImageSet) -> None:
        with self._lock:
            if image_set.state not in {State.VALID, State.DELIVERED} and image_set.id in self._tasks:
                self._progress.remove_task(self._tasks.pop(image_set.id))
        super().moved(image_set)

    def sent(self, image_set: ImageSet, member: Member, count: int) -> None:  # noqa: ARG002 - a bar shows its set
        with self._lock:
            if image_set.id not in self._tasks:
                total = self._totals(image_set)
                self._tasks[image_set.id] = self._progress.add_task(image_set.name, total=total)
            self._progress.advance(self._tasks[image_set.id], count)


class Totals:
    """The bytes of a set, asked of the journal when its bar is first shown."""

    def __init__(self, members: Any) -> None:
        self._members = members

    def __call__(self, image_set: ImageSet) -> int:
        return sum(member.facts.size for member in self._members(image_set.id))


@contextmanager
def listening(members: Any) -> Iterator[LogListener]:
    """A listener for the place where the program runs: bars on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        yield LogListener()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield BarListener(progress, Totals(members))
