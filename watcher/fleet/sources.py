"""Where reports come from that no watcher posts: the page of an instrument is asked how it is."""

import json
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

from pydantic import ValidationError

from watcher import __version__
from watcher.fleet.document import Asked
from watcher.notify.exchange import FAILURES, Exchange, status_words
from watcher.notify.trust import trust
from watcher.overview.report import Report, from_status
from watcher.profile.handoff import parts_of

#: An answer must have come after so many seconds, and is not longer than so many bytes.
_TIMEOUT: Final = 10.0
_LARGEST: Final = 4_000_000

#: Hears the report of an instrument, by its name.
Hear = Callable[[str, Report], object]


class Source(Protocol):
    """A context: while it is open, reports are heard."""

    def __enter__(self) -> object: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Asking:
    """Asks one instrument's page again and again, in a thread of its own.

    `trouble` is told where something is wrong and what, "" when it is over. Raises ConfigurationError for a password or
    certificate that cannot be used.
    """

    def __init__(
        self,
        name: str,
        section: Asked,
        hear: Hear,
        trouble: Callable[[str, str], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        url = parts_of(section.url, "https", "http", section.unencrypted)
        self._url = url._replace(path=url.path.rstrip("/") + "/api/v1/status", query="", fragment="")
        self._context = trust(section.certificate, "ask") if url.scheme == "https" else None
        self._password = section.password.reveal() if section.password else ""
        self._every = section.every
        self._name = name
        self._hear = hear
        self._trouble = trouble
        self._now = now
        self._told = ""
        self._stop = threading.Event()
        self._exchange: Exchange | None = None
        self._thread = threading.Thread(target=self._live, name=f"asking {name}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if exchange := self._exchange:
            exchange.cut()
        self._thread.join()

    def _live(self) -> None:
        while not self._stop.is_set():
            problem = self._ask()
            if problem != self._told and not self._stop.is_set():
                self._told = problem
                self._trouble(f"asking {self._name}", problem)
            self._stop.wait(self._every)

    def _ask(self) -> str:
        """Ask once; what is wrong, "" if nothing."""
        exchange = self._exchange = Exchange(self._url, self._context, _TIMEOUT)
        headers = {"User-Agent": f"irods-watcher/{__version__}", "Accept": "application/json"}
        if self._password:
            headers["Authorization"] = f"Bearer {self._password}"
        try:
            status, body = exchange.get(headers, _LARGEST)
        except FAILURES as error:
            return exchange.why(error)
        finally:
            self._exchange = None
        if status != 200:
            return f"it answers {status_words(status)}"
        try:
            report = from_status(json.loads(body), self._now(), self._every)
        except (ValidationError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return "what it answers does not say how the instrument is"
        if report.instrument != self._name:
            return "it is the page of another instrument"
        self._hear(self._name, report)
        return ""
