"""Which address leads where."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from watcher.overview.language import later
from watcher.web import api, ordering, pages
from watcher.web.asking import Work, ordered, refusing, shown
from watcher.web.gate import Gate
from watcher.web.guard import Refused
from watcher.web.login import Login
from watcher.web.rendering import STATIC
from watcher.web.site import Site

#: What only shows, and what orders.
_SHOWN: Final[Mapping[str, Work]] = {
    "/": pages.first,
    "/sets/{number}": pages.one_set,
    "/sets/{number}/thumbnail": pages.thumbnail,
    "/requests": ordering.requests,
    "/requests/new": ordering.new_request,
    "/requests/{request}": ordering.request,
    "/sessions": ordering.sessions,
    "/about": pages.about,
    "/healthz": pages.health,
}
_ORDERED: Final[Mapping[str, Work]] = {
    "/pause": ordering.pause,
    "/resume": ordering.resume,
    "/sets/{number}/{order}": ordering.of_set,
    "/requests/new": ordering.make_request,
    "/requests/{request}/close": ordering.close_request,
    "/sessions": ordering.start_session,
    "/sessions/{session}/stop": ordering.stop_session,
}


def make_app(site: Site) -> ASGIApp:
    """The page as an ASGI application, with the gate before it."""
    routes: list[Route | Mount] = [
        *(Route(path, shown(site, work), methods=["GET"]) for path, work in _SHOWN.items()),
        *(Route(path, ordered(site, work), methods=["POST"]) for path, work in _ORDERED.items()),
        *Login(site).routes(),
        *api.routes(site),
        Mount("/static", _Kept(directory=STATIC)),
        *(Route(path, _Whole(app), methods=["GET"]) for path, app in site.beside.programs.items()),
    ]

    async def unknown(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        return await shown(site, refusing(Refused(status, later("There is no such page."))))(request)

    async def unforeseen(_request: Request, _error: Exception) -> Response:
        return Response("Something unexpected happened.\n", 500)

    # What is unforeseen comes to the gate, too, which tells it.
    inner = Starlette(routes=routes, exception_handlers={HTTPException: unknown, Exception: unforeseen})
    inner.router.redirect_slashes = False
    return Gate(inner, site)


@dataclass(frozen=True, slots=True)
class _Whole:
    """An application at one address; as a bare function Starlette would take it for the answer to a request."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class _Kept(StaticFiles):
    """Files that come with the program: their addresses change with them, so that a browser may keep them."""

    def file_response(self, full_path: Any, stat_result: Any, scope: Scope, status_code: int = 200) -> Response:
        found = super().file_response(full_path, stat_result, scope, status_code)
        found.headers["cache-control"] = "public, max-age=31536000, immutable"
        return found
