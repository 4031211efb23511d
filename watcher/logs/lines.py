"""What a line of the log holds, and where it goes: the console at once, and the files while a journal is owned."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import structlog

from watcher import redact
from watcher.errors import WatcherError
from watcher.logs.files import FOLDER, Files

#: What this program says itself goes through this logger, all others are libraries.
_OURS: Final = "watcher"
#: What systemd's journal takes for the levels at the beginning of a line (sd-daemon(3)).
_PRIORITIES: Final = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}

Event = MutableMapping[str, Any]


class Style(StrEnum):
    """How lines look on the console."""

    CONSOLE = "console"
    JSON = "json"


class _Head:
    """Begins what every line holds: time, level, the instrument, and which library speaks if one does."""

    def __init__(self) -> None:
        self.instrument = ""

    def __call__(self, _logger: Any, _method: str, event: Event) -> Event:
        record: logging.LogRecord = event.pop("_record")
        at = datetime.fromtimestamp(record.created, UTC)
        head = {
            "timestamp": f"{at:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
            "level": record.levelname.lower(),
            "event": str(event.pop("event")),
        }
        if self.instrument:
            head["instrument"] = self.instrument
        if not event.pop("_from_structlog"):
            head["library"] = record.name
        return {**head, **event}


#: Of the whole process, as logging is.
_head: Final = _Head()


def set_up(*, verbose: bool, style: Style | None = None) -> None:
    """Send structlog and the libraries' own logs to stderr.

    Readable on a terminal and in systemd's journal, JSON elsewhere, unless `style` says otherwise.
    """
    _head.instrument = ""
    level = logging.DEBUG if verbose else logging.INFO
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: logging.getLogger(_OURS),
        cache_logger_on_first_use=False,
    )
    console = _Stderr()
    console.setFormatter(_console_formatter(style))
    # The libraries' debug logs would print whole payloads (irods/connection.py), so they never get below warnings.
    logging.basicConfig(level=logging.WARNING, handlers=[console], force=True)
    logging.getLogger(_OURS).setLevel(level)


@contextmanager
def kept(state: Path, instrument: str) -> Iterator[None]:
    """Meanwhile every line also goes into files beside the journal, says which instrument it is of, and nothing is lost
    of what threads and Python itself complain about. What ends the block is the last line."""
    files = Files(state / FOLDER, _tell_of_files)
    files.setFormatter(_json_formatter())
    root, former = logging.getLogger(), threading.excepthook
    root.addHandler(files)
    _head.instrument = instrument
    threading.excepthook = _thread_died
    logging.captureWarnings(True)
    try:
        yield
    except WatcherError as error:
        # The console is told of it anyway.
        files.handle(_record({"event": "ended", "problem": str(error)}))
        raise
    except Exception as error:
        files.handle(_record({"event": "ended", "problem": f"unexpected {type(error).__name__}", "exc_info": error}))
        raise
    finally:
        logging.captureWarnings(False)
        threading.excepthook = former
        root.removeHandler(files)
        files.close()


def readable(event: Mapping[str, Any], *, colours: bool, time: str = "%Y-%m-%d %H:%M:%S") -> str:
    """A line for people; times are those of this computer, written as `time` says."""
    shown = {key: _printable(value) for key, value in event.items() if key not in {"instrument", "timestamp"}}
    with suppress(KeyError, TypeError, ValueError):
        at = datetime.fromisoformat(event["timestamp"]).astimezone()
        shown |= {"timestamp": f"{at:{time}}"} if time else {}
    if isinstance(which := event.get("set"), str):
        shown["set"] = which.removeprefix("urn:uuid:")[:8]
    shown["event"] = shown.get("event", "")
    renderer = structlog.dev.ConsoleRenderer(
        colors=colours, pad_event_to=24, exception_formatter=structlog.dev.plain_traceback
    )
    return str(renderer(None, "", shown))


class _Stderr(logging.Handler):
    """Writes to whatever stderr is at that moment, which tests, progress bars and services exchange."""

    def emit(self, record: logging.LogRecord) -> None:
        if sys.stderr is not None:
            # Nobody is there any more to read it, or its disk is full.
            with suppress(OSError, ValueError):
                print(self.format(record), file=sys.stderr, flush=True)  # noqa: T201 - the log's one outlet


def _console_formatter(style: Style | None) -> logging.Formatter:
    terminal = sys.stderr is not None and sys.stderr.isatty()
    systemd = not terminal and _is_systemds()
    if style is Style.JSON or (style is None and not terminal and not systemd):
        return _json_formatter()

    def render(_logger: Any, _method: str, event: Event) -> str:
        line = readable(event, colours=terminal, time="" if systemd else "%H:%M:%S")
        if not systemd:
            return line
        priority = f"<{_PRIORITIES.get(event['level'], 6)}>"
        return "\n".join(priority + part for part in line.splitlines())

    # Whoever sits at the terminal works with these files, and has to see where they are.
    return _formatter(redact.secrets if terminal else redact.persons, render)


def _json_formatter() -> logging.Formatter:
    # In ASCII, because a name on a microscope's disk need not be text.
    return _formatter(redact.persons, structlog.processors.JSONRenderer(ensure_ascii=True))


def _formatter(redacted: Callable[[str], str], render: Callable[[Any, str, Event], Any]) -> logging.Formatter:
    def defend(_logger: Any, _method: str, event: Event) -> Event:
        kept = {key: event[key] for key in ("timestamp", "level", "set") if key in event}
        return {**redact.within(event, redacted), **kept}

    return structlog.stdlib.ProcessorFormatter(processors=[_head, structlog.processors.format_exc_info, defend, render])


def _is_systemds() -> bool:
    """Whether stderr goes to systemd's journal, as JOURNAL_STREAM says (systemd.exec(5))."""
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _tell_of_files(problem: str) -> None:
    log = structlog.get_logger()
    if problem:
        log.warning("log.not_kept", problem=f"{problem}; nothing else is harmed by it")
    else:
        log.info("log.kept_again")


def _thread_died(args: Any) -> None:
    if args.exc_type is not SystemExit:
        name = args.thread.name if args.thread else ""
        structlog.get_logger().error("thread.died", thread=name, exc_info=args.exc_value)


def _record(event: Event) -> logging.LogRecord:
    said = {"msg": event, "_logger": None, "_name": "error"}
    return logging.makeLogRecord({"name": _OURS, "levelno": logging.ERROR, "levelname": "ERROR", **said})


def _printable(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return "".join(sign if sign.isprintable() or sign == "\n" else ascii(sign)[1:-1] for sign in value)
