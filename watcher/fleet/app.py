"""The facility view as an ASGI application: the page, the same for programs, gauges, and where reports are posted.

Page, login and guard are those of the page of one instrument. Only reports come in beside the gate, since a watcher has
no password: they are known by their signature.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from anyio import to_thread
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from watcher.fleet import words
from watcher.fleet.gauges import Gauges
from watcher.fleet.reception import NotTaken, Reception
from watcher.fleet.register import Register, as_record
from watcher.notify.fleet import PATH
from watcher.overview import language
from watcher.overview.language import later
from watcher.overview.report import LARGEST
from watcher.web.asking import Ask, answer, page, refusing, shown
from watcher.web.gate import Gate
from watcher.web.guard import HEADERS, Guard, Refused
from watcher.web.login import Login
from watcher.web.rendering import STATIC
from watcher.web.site import Site

#: All of a report must have come after so many seconds.
_PATIENCE: Final = 20.0
PAGES: Final = (("/", later("Overview")),)


@dataclass(frozen=True, slots=True)
class Glance:
    """What stands on every page: the mood in its title, and a name for the whole."""

    mood: str
    instrument: str


@dataclass(frozen=True, slots=True)
class View:
    """What the parts of a page of one instrument ask a site for, here of all of them."""

    name: str
    register: Register
    guard: Guard
    now: Callable[[], float]
    trouble: Callable[[str, str], None]
    pages: tuple[tuple[str, str], ...] = PAGES
    translations: Path = field(default=language.FOLDER)

    def glance(self, _: str) -> Glance:
        """The whole in one word."""
        return Glance(words.mood(self.register.lines()), self.name)


def make_app(view: View, reception: Reception) -> ASGIApp:
    """The application; whoever may see the page may see the rest."""
    # The gate, the login and the pages ask a site for nothing that a view does not have.
    site = cast("Site", view)
    metrics = CollectorRegistry()
    metrics.register(Gauges(view.register))

    def first(ask: Ask) -> Response:
        lines = view.register.lines()
        return page(ask, "fleet.html", lines=lines, headline=words.sentence(lines), plain=words.plain, now=view.now())

    def everything(ask: Ask) -> Response:  # noqa: ARG001 - the form of what is shown
        lines = view.register.lines()
        return answer({
            "name": view.name, "sentence": words.sentence(lines), "mood": words.mood(lines),
            "instruments": [as_record(line) for line in lines],
        })  # fmt: skip

    def gauges(ask: Ask) -> Response:  # noqa: ARG001
        return Response(generate_latest(metrics), media_type=CONTENT_TYPE_LATEST)

    def health(ask: Ask) -> Response:  # noqa: ARG001
        return Response("It answers.\n", media_type="text/plain")

    async def unknown(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        return await shown(site, refusing(Refused(status, later("There is no such page."))))(request)

    work = {"/": first, PATH.rstrip("/"): everything, "/metrics": gauges, "/healthz": health}
    routes: list[Route | Mount] = [
        *(Route(path, shown(site, one), methods=["GET"]) for path, one in work.items()),
        *Login(site).routes(),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    inner = Starlette(routes=routes, exception_handlers={HTTPException: unknown})
    inner.router.redirect_slashes = False
    return _Door(Gate(inner, site), reception)


class _Door:
    """Before the gate: reports go to the reception, everything else through the gate."""

    def __init__(self, gate: ASGIApp, reception: Reception) -> None:
        self._gate = gate
        self._reception = reception

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith(PATH):
            await self._gate(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            body = await asyncio.wait_for(_body(request), _PATIENCE)
            name = scope["path"].removeprefix(PATH)
            # In a thread, since what is taken is written to the disk.
            await to_thread.run_sync(self._reception.take, name, dict(request.headers), body)
            response = Response(status_code=204)
        except NotTaken as error:
            response = JSONResponse({"error": {"what": error.what}}, error.status)
        except (ClientDisconnect, TimeoutError):
            response = Response(status_code=408)
        response.headers.update(dict(HEADERS))
        await response(scope, receive, send)


async def _body(request: Request) -> bytes:
    """All that is posted. Raises NotTaken if it is too much."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            raise NotTaken(413, "no report is so large")
    return bytes(body)
