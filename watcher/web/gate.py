"""The gate before everything: it knows the visitor, lets in whom the guard lets in, and seals every answer."""

import traceback
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watcher.overview.language import later
from watcher.web.asking import answer
from watcher.web.guard import COOKIE, HEADERS, Guard, Refused
from watcher.web.site import Site

#: What everybody may have who reaches the page.
_OPEN: Final = ("/static/", "/login", "/healthz")
_METHODS: Final = frozenset({"GET", "HEAD", "POST"})


class Gate:
    """An ASGI application around the others. Whatever goes wrong behind it is told, and the page goes on."""

    def __init__(self, inner: ASGIApp, site: Site) -> None:
        self._inner = inner
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
        if scope["type"] != "http":
            return
        begun = False

        async def sealed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message = {**message, "headers": _with_ours(message.get("headers", ()))}
            await send(message)

        request = Request(scope, receive)
        try:
            self._admit(request)
            await self._inner(scope, receive, sealed)
        except Refused as error:
            await _refusal(request, error, self._site.guard)(scope, receive, sealed)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            what = f"unexpected {type(error).__name__} in {Path(place.filename).name}:{place.lineno}"
            self._site.trouble("page", f"The page: {what}; this is a mistake of the program: please report it")
            if not begun:
                await Response("Something unexpected happened.\n", 500)(scope, receive, sealed)

    def _admit(self, request: Request) -> None:
        guard, headers = self._site.guard, dict(request.headers)
        guard.check_host(headers.get("host", ""))
        if request.method not in _METHODS:
            raise Refused(405, later("This is not possible here."))
        address = request.client.host if request.client else ""
        request.state.visitor = visitor = guard.visitor(address, headers, _cookie(headers.get("cookie", "")))
        path = request.url.path
        if not guard.may_see(visitor) and not any(path == one or path.startswith(one) for one in _OPEN):
            raise Refused(401, later("This needs the password."))


def _refusal(request: Request, error: Refused, guard: Guard) -> Response:
    if request.url.path.startswith("/api/"):
        told = answer({"error": {"what": error.what, "cure": error.cure}}, error.status)
        if error.status == 401:
            told.headers["www-authenticate"] = "Bearer"
        return told
    if error.status == 401 and guard.has_password and request.method == "GET":
        return RedirectResponse("/login", 303)
    return Response(f"{error}\n", error.status, media_type="text/plain")


def _cookie(text: str) -> str:
    try:
        found = SimpleCookie(text).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _with_ours(headers: object) -> list[tuple[bytes, bytes]]:
    """The headers of an answer with those that all have; what is named by its content may be kept."""
    theirs = list(headers)  # type: ignore[call-overload]
    names = {name.lower() for name, _ in theirs}
    return [*theirs, *((name.encode(), value.encode()) for name, value in HEADERS if name.encode() not in names)]
