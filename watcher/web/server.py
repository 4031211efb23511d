"""The page's own threads: one that answers, in the watcher's process, from when it runs until it ends.

Nothing that goes wrong here reaches the watcher. A port that is taken is told, and tried again.
"""

import asyncio
import contextlib
import errno
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import structlog
import uvicorn
from anyio import to_thread
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from watcher.errors import ConfigurationError, JournalError, WatcherError
from watcher.journal import Journal
from watcher.profile import Profile, Web
from watcher.provenance.registers import Registers
from watcher.web.app import make_app
from watcher.web.events import Changes
from watcher.web.exposing import address_of, exposed
from watcher.web.glance import Glance
from watcher.web.guard import Guard
from watcher.web.site import Beside, Site

#: What is noted in the journal: where the page is.
NOTED: Final = "page"
#: Where trouble with the page is told.
PLACE: Final = "page"
#: Connections at the same time: each takes a handle of the watcher's process, which needs them for files.
_CONNECTIONS: Final = 300
#: Requests that are worked on at the same time: they share one connection to the journal.
_WORKERS: Final = 8
#: How long in seconds a connection may say nothing, the end waits for answers, and a taken port is left alone.
_SILENT: Final = 20.0
_END: Final = 1
AGAIN: Final = 15.0


class PageServer:
    """The page of one instrument, as a context: while it is open, the page is there.

    `state` is the journal's directory, and `trouble` is told where something is wrong and what, "" when it is over.
    """

    def __init__(
        self,
        profile: Profile,
        state: Path,
        registers: Registers,
        trouble: Callable[[str, str], None],
        *,
        beside: Beside | None = None,
        now: Callable[[], float] = time.time,
        again: float = AGAIN,
        **site: Any,
    ) -> None:
        self._profile = profile
        self._state = state
        self._registers = registers
        self._trouble = trouble
        self._beside = beside or Beside()
        self._now = now
        self._again = again
        self._more = site
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name="page")
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        if self._profile.web.enabled:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if server := self._server:
            server.end()
        if self._thread.ident is not None:
            self._thread.join()

    def _live(self) -> None:
        while not self._stop.is_set():
            try:
                self._serve()
            except WatcherError as error:
                self._tell(f"{error}; it is tried again by itself")
            except Exception as error:
                what = f"unexpected {type(error).__name__}: {error}; this is a mistake of the program: please report it"
                self._tell(what)
            self._stop.wait(self._again)

    def _tell(self, what: str) -> None:
        self._trouble(PLACE, f"The page cannot be shown: {what}" if what else "")

    def _serve(self) -> None:
        """Open the port and answer until the end. Raises WatcherError."""
        web = self._profile.web
        with Journal(self._state) as journal:
            journal.note(NOTED, None)  # what a process that was killed has left
            with listening(web) as port:
                self._answer(port, journal)

    def _answer(self, port: socket.socket, journal: Journal) -> None:
        web, number = self._profile.web, port.getsockname()[1]
        guard, glance = Guard(web, self._now), Glance(journal, self._now)
        changes = Changes(journal, glance)
        site = Site(
            self._profile, journal, self._registers, guard, glance, changes, self._now, self._trouble, self._beside,
            **self._more,
        )  # fmt: skip
        check_certificate(web)
        self._server = _Server(config(make_app(site), web), changes)
        if self._stop.is_set():
            return
        address = address_of(web, number)
        structlog.get_logger().info("page", address=address, seen=exposed(web))
        self._tell("")
        journal.note(NOTED, {"address": address})
        try:
            self._server.run_on(port)
        finally:
            with contextlib.suppress(JournalError):
                journal.note(NOTED, None)


class _Server(uvicorn.Server):
    """uvicorn in a thread that is not the main one: it sleeps until there is something to do, and ends when told."""

    def __init__(self, config: uvicorn.Config, changes: Changes) -> None:
        super().__init__(config)
        self._changes = changes
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = asyncio.Event()
        self._ended = threading.Event()

    def run_on(self, port: socket.socket) -> None:
        """Answer what comes to an open port, until `end`."""
        asyncio.run(self._run(port))

    async def _run(self, port: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        to_thread.current_default_thread_limiter().total_tokens = _WORKERS
        if self._ended.is_set():
            return
        await self.serve([port])

    def end(self) -> None:
        """End soon; called from another thread."""
        self._ended.set()
        with contextlib.suppress(RuntimeError):  # it has ended already
            if self._loop:
                self._loop.call_soon_threadsafe(self._over.set)

    async def main_loop(self) -> None:
        """Instead of ten looks a second at whether it is over."""
        await self._over.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End all streams first; who does not read what we say is not waited for."""
        self._changes.end()
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)


class _Connection(H11Protocol):
    """One connection. There are never too many, and none that says nothing for long before it asks."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > _CONNECTIONS:
            transport.abort()
            return
        self._patience = self.loop.call_later(_SILENT, self._lose_patience)

    def connection_lost(self, exc: Exception | None) -> None:
        if hasattr(self, "_patience"):
            self._patience.cancel()
        super().connection_lost(exc)

    def _lose_patience(self) -> None:
        """Between two requests uvicorn itself closes it; what has never asked for anything is closed here."""
        if self.cycle is None:
            self.transport.abort()


def config(app: ASGIApp, web: Web) -> uvicorn.Config:
    """How an application is served on the port that the section names."""
    return uvicorn.Config(
        app, http=_Connection, ws="none", lifespan="off", log_config=None, access_log=False,
        log_level="critical", proxy_headers=False, server_header=False, date_header=False, timeout_keep_alive=30,
        timeout_graceful_shutdown=_END, ssl_certfile=web.certificate, ssl_keyfile=web.key,
    )  # fmt: skip


def check_certificate(web: Web) -> None:
    """Raises ConfigurationError if certificate and key cannot be used."""
    if web.certificate is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(web.certificate, web.key)
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"{web.certificate} and {web.key}: this certificate cannot be used ({why})",
            cure="write both as PEM files that this account may read, the key without a passphrase",
        ) from None


def _bind(port: socket.socket, web: Web) -> None:
    """Take the best port that is free. Raises OSError."""
    *better, last = web.ports
    for number in better:
        with contextlib.suppress(OSError):
            return port.bind((web.listen, number))
    return port.bind((web.listen, last))


@contextlib.contextmanager
def listening(web: Web) -> Any:
    """The open port. Raises WatcherError if it is taken, or this computer has no such address."""
    family = socket.AF_INET6 if ":" in web.listen else socket.AF_INET
    # Said aloud, because asyncio sends small parts at once (TCP_NODELAY) only where it is: each page was 40 ms late.
    port = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # where it would let two programs have the same port
            port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(port, web)
        port.listen(128)
        port.setblocking(False)
        yield port
    except OSError as error:
        where = f"{web.listen}:{web.port}"
        if error.errno in {errno.EADDRINUSE, errno.EACCES} or getattr(error, "winerror", None) in {10013, 10048}:
            raise WatcherError(
                f"{where}: the port is taken, or this account may not have it",
                cure="write another one under web.port",
            ) from None
        raise WatcherError(
            f"{where}: {error.strerror or error}", cure="check web.listen, web.certificate and web.key"
        ) from None
    finally:
        port.close()
