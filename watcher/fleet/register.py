"""The last report of each instrument, kept in a small file for each, and how each instrument is now."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from pydantic import TypeAdapter, ValidationError

from watcher import names
from watcher.errors import ConfigurationError
from watcher.fleet.document import Fleet, Instrument
from watcher.overview.report import Report

#: What the mood of an instrument can be beside those of a report: it says nothing, or may still say its first.
SILENT: Final = "silent"
UNHEARD: Final = "unheard"
#: The moods from the worst to the best.
MOODS: Final = ("attention", SILENT, UNHEARD, "paused", "busy", "safe")


@dataclass(frozen=True, slots=True)
class Heard:
    """A report as it came: when, by our own clock, and with which time stamp it was signed (0 if we asked for it)."""

    at: float
    stamp: int
    report: Report


@dataclass(frozen=True, slots=True)
class Line:
    """One instrument on the page; `heard` is its last report, None if there never was one.

    `silent`: that was too long ago, or it has had the time for a first one.
    """

    instrument: Instrument
    heard: Heard | None
    silent: bool

    @property
    def mood(self) -> str:
        """One of `MOODS`."""
        if self.silent:
            return SILENT
        return self.heard.report.mood if self.heard else UNHEARD


_HEARD: Final = TypeAdapter(Heard)


class Register:
    """What was heard of the instruments in fleet.yaml; safe to share between threads.

    An instrument is silent when nothing was heard of it for longer than it may take while this program listened: the
    time in which this program itself was not there does not count. Raises ConfigurationError for a directory that
    cannot be made.
    """

    def __init__(self, fleet: Fleet, folder: Path, now: Callable[[], float]) -> None:
        self._fleet = fleet
        self._folder = folder
        self._now = now
        self._lock = threading.Lock()
        self._heard: dict[str, Heard] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigurationError(
                f"{folder}: this directory cannot be made ({error.strerror})", cure="give another one with --state"
            ) from None
        for instrument in fleet.instruments:
            if found := _read(self._file(instrument.name)):
                self._heard[instrument.name] = found
        self._since = now()
        # Whoever was heard last tells how long this program was there before.
        self._before = min(self._since, max((heard.at for heard in self._heard.values()), default=0.0))

    def hear(self, name: str, report: Report, stamp: int = 0) -> bool:
        """Take the report of a known instrument; False if one with this time stamp or a later one was taken already."""
        with self._lock:
            before = self._heard.get(name)
            last = before.stamp if before else 0
            if stamp and stamp <= last:
                return False
            heard = Heard(self._now(), stamp or last, report)
            self._heard[name] = heard
            _write(self._file(name), _HEARD.dump_json(heard))
        return True

    def lines(self) -> list[Line]:
        """How each instrument is now, in their order."""
        return [
            Line(one, heard := self._heard.get(one.name), self._is_silent(one, heard))
            for one in self._fleet.instruments
        ]

    def _is_silent(self, instrument: Instrument, heard: Heard | None) -> bool:
        now, limit = self._now(), self._fleet.patience(instrument)
        if heard is None:
            return now - self._since > limit
        listened = now - heard.at if heard.at >= self._since else now - self._since + max(0.0, self._before - heard.at)
        return listened > max(limit, 3 * heard.report.every)

    def _file(self, name: str) -> Path:
        return self._folder / f"{names.legal(name)}.json"


def _read(path: Path) -> Heard | None:
    try:
        return _HEARD.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not what was written there"
        structlog.get_logger().warning("an earlier report cannot be read", file=str(path), problem=why)
        return None


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all; a full disk costs what is known after a restart, and no more."""
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        structlog.get_logger().warning("a report cannot be kept", file=str(path), problem=error.strerror)


def as_record(line: Line) -> Mapping[str, object]:
    """One instrument for programs."""
    heard = line.heard
    return {
        "name": line.instrument.name,
        "mood": line.mood,
        "silent": line.silent,
        "last_seen": heard.at if heard else None,
        "page": line.instrument.page,
        "report": json.loads(heard.report.model_dump_json()) if heard else None,
    }
