"""What stands in the files of the log: the last lines, and those that come, whichever file they are in."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

from watcher import osfacts
from watcher.logs.files import numbered

#: So much of a file is read at a time, in bytes.
_BLOCK: Final = 1 << 20

Event = dict[str, Any]


class Level(StrEnum):
    """The levels from the least to the most serious."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class Reader:
    """Reads the log in a folder while it is written, and holds no file so that its writer could notice.

    Only lines of which `wanted` says so are given.
    """

    def __init__(self, folder: Path, wanted: Callable[[Event], bool]) -> None:
        self._folder = folder
        self._wanted = wanted
        self._number = 0
        self._file: BinaryIO | None = None
        self._rest = b""

    def last(self, most: int | None, since: float | None = None) -> list[Event]:
        """The last lines, or all since that time (seconds since 1970); `more` then gives what comes behind them."""
        found: list[list[Event]] = []
        for number, path in sorted(numbered(self._folder).items(), reverse=True):
            newest = not found
            events = list(self._open(number, path)) if newest else list(_all_in(path))
            fits = (one for one in events if self._wanted(one) and (since is None or at(one) >= since))
            found.append(list(fits))
            enough = most is not None and sum(map(len, found)) >= most
            if enough or (since is not None and events and at(events[0]) < since):
                break
        lines = [event for events in reversed(found) for event in events]
        return lines if most is None else lines[max(0, len(lines) - most) :]

    def more(self) -> Iterator[Event]:
        """What has been written since; it ends when there is nothing more for now."""
        while True:
            # Looked for first: to a file behind which there is another nothing is added any more.
            following = {number: path for number, path in numbered(self._folder).items() if number > self._number}
            yield from filter(self._wanted, self._new_lines())
            if not following:
                return
            self.close()
            number = min(following)
            yield from filter(self._wanted, self._open(number, following[number]))

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
        self._file, self._rest = None, b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _open(self, number: int, path: Path) -> Iterator[Event]:
        """Go on with this file: what is in it so far."""
        self._number, self._file = number, _opened(path)
        return self._new_lines()

    def _new_lines(self) -> Iterator[Event]:
        while self._file is not None and (block := self._file.read(_BLOCK)):
            *whole, self._rest = (self._rest + block).split(b"\n")
            yield from filter(None, map(_event, whole))


def at(event: Event) -> float:
    """When it was written, in seconds since 1970; 0.0 if it does not say."""
    try:
        return datetime.fromisoformat(event["timestamp"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return 0.0


def at_least(event: Event, level: Level) -> bool:
    """Whether a line is as serious as this level, or more."""
    levels = list(Level)
    return event.get("level") not in levels or levels.index(event["level"]) >= levels.index(level)


def _all_in(path: Path) -> Iterator[Event]:
    if file := _opened(path):
        with file:
            yield from filter(None, map(_event, file.read().split(b"\n")))


def _opened(path: Path) -> BinaryIO | None:
    try:
        return osfacts.open_shared(path)
    except OSError:  # it was removed at this moment
        return None


def _event(line: bytes) -> Event | None:
    """A line; None if it is empty or was cut off."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
