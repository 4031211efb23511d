"""Giving the password: once, in a form; then a cookie that no script reads and no foreign page can use."""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from watcher.overview.language import later
from watcher.web.asking import Ask, Work, go_to, in_words, page, shown, what_is_said
from watcher.web.guard import COOKIE, LASTS, TOKEN, Refused
from watcher.web.site import Site

#: How long in seconds a wrong password waits for its answer, and how many may wait at the same time.
SLOWLY: Final = 1.0
_AT_ONCE: Final = 5


class Login:
    """The form, and what it leads to."""

    def __init__(self, site: Site, *, slowly: float = SLOWLY) -> None:
        self._site = site
        self._slowly = slowly
        self._waiting = 0

    def routes(self) -> list[Route]:
        """Where it is to be found."""
        return [
            Route("/login", shown(self._site, _form), methods=["GET"]),
            Route("/login", self._log_in, methods=["POST"]),
            Route("/logout", self._log_out, methods=["POST"]),
        ]

    async def _log_in(self, request: Request) -> Response:
        try:
            password = (await self._form_of_ours(request)).get("password", "")
            await self._check(password)
        except Refused as error:
            return await shown(self._site, _refusing(error))(request)
        answer = go_to("/")
        cookie = self._site.guard.logged_in()
        answer.set_cookie(
            COOKIE, cookie, max_age=LASTS, secure=self._site.guard.encrypted, httponly=True, samesite="strict"
        )
        return answer

    async def _log_out(self, request: Request) -> Response:
        try:
            await self._form_of_ours(request)
        except Refused as error:
            return await shown(self._site, _refusing(error))(request)
        answer = go_to("/")
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    async def _form_of_ours(self, request: Request) -> dict[str, str]:
        said, guard = await what_is_said(request), self._site.guard
        guard.check_origin(request.state.visitor, dict(request.headers))
        if not guard.is_token(said.get(TOKEN, "")):
            raise Refused(403, later("This form is of an earlier start of the watcher."), cure=later("Load it again."))
        return said

    async def _check(self, password: str) -> None:
        """Whoever tries passwords out is slowed down, and nobody else."""
        if self._waiting >= _AT_ONCE:
            raise Refused(429, later("Too many wrong passwords come in."), cure=later("Try again in a moment."))
        if not self._site.guard.is_password(password):
            self._waiting += 1
            try:
                await asyncio.sleep(self._slowly)
            finally:
                self._waiting -= 1
            raise Refused(401, later("This is not the password."), cure=later("Ask the facility for it."))


def _form(ask: Ask) -> Response:
    return page(ask, "login.html", problem="", cure="") if ask.site.guard.has_password else go_to("/")


def _refusing(error: Refused) -> Work:
    def refuse(ask: Ask) -> Response:
        return page(ask, "login.html", error.status, problem=in_words(error.what), cure=in_words(error.cure))

    return refuse
