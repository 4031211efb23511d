"""One request as the pages see it, and how a page, an order or an answer to a program is made of it."""

import json
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from anyio import to_thread
from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from watcher.errors import ConfigurationError, JournalError, SetNotFound, StaleSet, UsageError, WatcherError
from watcher.overview import records
from watcher.overview.language import catalogue, later, speaking
from watcher.web.guard import TOKEN, TOKEN_HEADER, Refused, Visitor
from watcher.web.rendering import as_bytes, environment
from watcher.web.site import Site

#: No form of ours is larger, in bytes.
_LARGEST: Final = 64 * 1024
#: How long in seconds an order may take that writes to a share.
_PATIENCE: Final = 10.0
_ENGLISH: Final = ("en",)
_STATUS: Final[Sequence[tuple[type[WatcherError], int]]] = (
    (SetNotFound, 404), (StaleSet, 409), (UsageError, 422), (ConfigurationError, 422), (JournalError, 503),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ask:
    """Who asks for what. said is what a form or a program says, by name; partial: only what changes is wanted."""

    site: Site
    visitor: Visitor
    path: str
    parts: Mapping[str, str]
    query: Mapping[str, str]
    said: Mapping[str, str]
    language: str
    partial: bool

    @property
    def sees_people(self) -> bool:
        """Whether names of persons are shown."""
        return self.site.guard.sees_people(self.visitor)

    @property
    def may_order(self) -> bool:
        """Whether there are buttons."""
        return self.site.guard.may_order(self.visitor)


Work = Callable[[Ask], Response]
Endpoint = Callable[[Request], Awaitable[Response]]
_templates: Final[Environment] = environment()


def page(ask: Ask, template: str, status: int = 200, **values: Any) -> Response:
    """A page for people."""
    return Response(as_text(ask, template, **values), status, media_type="text/html")


def as_text(ask: Ask, template: str, **values: Any) -> bytes:
    """The same, to be sent."""
    text = _templates.get_template(template).render(
        ask=ask, site=ask.site, guard=ask.site.guard, layout="partial.html" if ask.partial else "base.html",
        **{"overview": ask.site.glance(ask.language), **values},
    )  # fmt: skip
    return as_bytes(text)


def answer(content: Mapping[str, Any], status: int = 200) -> Response:
    """An answer for programs, in ASCII so that no name on a disk can break it."""
    text = json.dumps({"schema_version": records.SCHEMA_VERSION, **content}, ensure_ascii=True)
    return Response(text, status, media_type="application/json")


def go_to(address: str) -> Response:
    """After an order: look at this page of ours."""
    return RedirectResponse(address, 303)


def shown(site: Site, work: Work) -> Endpoint:
    """An endpoint that only shows something."""

    async def endpoint(request: Request) -> Response:
        return await to_thread.run_sync(_done, work, site, request, {})

    return endpoint


def ordered(site: Site, work: Work) -> Endpoint:
    """An endpoint that orders something, which is checked first."""

    async def endpoint(request: Request) -> Response:
        headers = dict(request.headers)
        try:
            said = await what_is_said(request)
            token = said.pop(TOKEN, "") or headers.get(TOKEN_HEADER, "")
            site.guard.check_order(request.state.visitor, headers, token)
        except WatcherError as error:
            return await to_thread.run_sync(_done, refusing(error), site, request, {})
        done = await to_thread.run_sync(_patiently, work, site, request, said)
        site.glance.forget()
        return done

    return endpoint


async def what_is_said(request: Request) -> dict[str, str]:
    """The form or the JSON object in a request. Raises Refused."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            raise Refused(413, later("This is more than any form of this page has."))
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "application/json":
            found = json.loads(body or b"{}")
            if not isinstance(found, dict) or not all(isinstance(value, str | bool) for value in found.values()):
                raise Refused(422, later("This must be one JSON object whose values are text."))
            return {key: value if isinstance(value, str) else "yes" * value for key, value in found.items()}
        if kind in {"", "application/x-www-form-urlencoded"}:
            pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=100)
            return {key: value.strip() for key, value in pairs}
    except (ValueError, RecursionError):
        raise Refused(400, later("This cannot be read.")) from None
    raise Refused(415, later("This must be a form or JSON."))


def refusing(error: WatcherError) -> Work:
    """Work that only tells what is wrong."""

    def refuse(_: Ask) -> Response:
        raise error

    return refuse


def _patiently(work: Work, site: Site, request: Request, said: dict[str, str]) -> Response:
    """In a thread of its own, since a share that hangs must not keep the page or the program from ending."""
    made: list[Response] = []
    thread = threading.Thread(target=lambda: made.append(_done(work, site, request, said)), name="order", daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    if made:
        return made[0]
    slow = Refused(
        504, later("It takes long."), cure=later("Look in a minute whether it has happened before you order it again.")
    )
    return _done(refusing(slow), site, request, {})


def _done(work: Work, site: Site, request: Request, said: dict[str, str]) -> Response:
    """The work in the language of whoever asks; what goes wrong is told there."""
    with speaking(_languages(request.headers.get("accept-language", "")), site.translations) as language:
        ask = Ask(
            site, request.state.visitor, request.url.path, request.path_params, dict(request.query_params), said,
            language, "hx-request" in request.headers,
        )  # fmt: skip
        try:
            return work(ask)
        except WatcherError as error:
            return told(ask, error)


def told(ask: Ask, error: WatcherError) -> Response:
    """What went wrong, in words, as a page or as an answer."""
    status = error.status if isinstance(error, Refused) else 500
    status = next((number for kind, number in _STATUS if isinstance(error, kind)), status)
    if ask.path.startswith("/api/"):
        return answer({"error": {"what": error.what, "cure": error.cure}}, status)
    try:
        return page(ask, "error.html", status, what=in_words(error.what), cure=in_words(error.cure))
    except JournalError:
        return Response(f"{error}\n", status, media_type="text/plain")


def in_words(text: str) -> str:
    """What the pages themselves refuse is said in the language of whoever asks, everything else as it comes."""
    return catalogue().gettext(text) if text else ""


def _languages(accepted: str) -> list[str]:
    """The languages of an Accept-Language header (RFC 9110, 12.5.4), each followed by itself without its region."""
    found: list[tuple[float, str]] = []
    for part in accepted.split(",")[:20]:
        name, _, weight = part.partition(";q=")
        try:
            found.append((-float(weight or 1), name.strip().replace("-", "_")))
        except ValueError:
            continue
    names = (name for weight, name in sorted(found, key=lambda one: one[0]) if name and weight)
    return [*dict.fromkeys(form for name in names for form in (name, name.partition("_")[0])), *_ENGLISH]
