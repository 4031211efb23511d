"""The facility view as a program: it answers until it is told to stop."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog
import uvicorn

from watcher.fleet.app import View, make_app
from watcher.fleet.document import Fleet
from watcher.fleet.reception import Reception
from watcher.fleet.register import Register
from watcher.fleet.sources import Asking, Source
from watcher.signals import ended_by_signals
from watcher.web.exposing import address_of
from watcher.web.guard import Guard
from watcher.web.server import check_certificate, config, listening


def serve(
    fleet: Fleet,
    folder: Path,
    *,
    now: Callable[[], float] = time.time,
    started: Callable[[str, Callable[[], None]], None] = lambda *_: None,
) -> set[int]:
    """Answer until a signal comes; which signals came. `started` hears where the page is, and gets what ends it.

    Raises ConfigurationError for keys, a certificate or a directory that cannot be used, and WatcherError if the port
    is taken.
    """
    check_certificate(fleet.web)
    register = Register(fleet, folder, now)
    reception = Reception(fleet, register, now)
    log = structlog.get_logger()

    def trouble(where: str, what: str) -> None:
        log.warning("trouble", where=where, problem=what) if what else log.info("recovered", where=where)

    sources: list[Source] = [Asking(one.name, one.ask, register.hear, trouble) for one in fleet.instruments if one.ask]
    view = View(fleet.name, register, Guard(fleet.web, now), now, trouble)
    with listening(fleet.web) as port:
        server = _Server(config(make_app(view, reception), fleet.web))
        with ended_by_signals(server.end) as came, contextlib.ExitStack() as stack:
            for source in sources:
                stack.enter_context(source)
            address = address_of(fleet.web, port.getsockname()[1])
            log.info("fleet", address=address, instruments=len(fleet.instruments))
            started(address, server.end)
            asyncio.run(server.serve([port]))
    log.info("stopped")
    return came


class _Server(uvicorn.Server):
    """uvicorn, whose end is ours to order."""

    def end(self) -> None:
        """End soon; from any thread or signal handler."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """They are caught around it."""
        yield
