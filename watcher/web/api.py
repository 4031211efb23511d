"""The same for programs, under /api/v1: the records of `--json`, as `openapi.py` describes them."""

from collections.abc import Sequence
from typing import Any, Final

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from watcher.errors import UsageError
from watcher.model import ImageSet
from watcher.overview import records
from watcher.overview.language import later
from watcher.provenance.facility import lacks, requests_of
from watcher.provenance.request import Request
from watcher.web import discreet, giving, listing, openapi
from watcher.web.asking import Ask, answer, ordered, shown
from watcher.web.events import EventStream
from watcher.web.guard import Refused
from watcher.web.site import Site

#: Members in one answer, and sessions.
MEMBERS: Final = 1000
_SESSIONS: Final = 50
BASE: Final = "/api/v1"


def routes(site: Site) -> list[Route]:
    """Where it is to be found."""

    def get(path: str, work: Any) -> Route:
        return Route(f"{BASE}{path}", shown(site, work), methods=["GET"])

    def post(path: str, work: Any) -> Route:
        return Route(f"{BASE}{path}", ordered(site, work), methods=["POST"])

    return [
        get("/openapi.json", description),
        get("/status", status),
        get("/sets", sets),
        get("/sets/{number}", one_set),
        post("/sets/{number}/{order}", order),
        post("/pause", pause),
        post("/resume", resume),
        get("/requests", requests),
        post("/requests", make_request),
        get("/requests/{request}", one_request),
        post("/requests/{request}/close", close_request),
        get("/sessions", sessions),
        post("/sessions", start_session),
        post("/sessions/{session}/stop", stop_session),
        Route(f"{BASE}/events", EventStream(site.changes), methods=["GET"]),
    ]


def description(ask: Ask) -> Response:
    """The description of all this."""
    return JSONResponse(openapi.description(ask.site.profile.instrument.name))


def status(ask: Ask) -> Response:
    """The instrument at a glance."""
    overview = ask.site.glance(ask.language)
    record = records.of_overview(overview, ask.site.journal)
    return answer(record if ask.sees_people else discreet.of_overview(record, overview.attention))


def sets(ask: Ask) -> Response:
    """A page of sets, without their members."""
    zone = ask.site.profile.instrument.timezone
    found = listing.asked(ask.query, zone, sees_people=ask.sees_people).page(ask.site.journal)
    beside = {"newer": found.newer or None, "older": found.older or None}
    return answer({"sets": [_of_set(ask, one, ()) for one in found.sets], **beside})


def one_set(ask: Ask) -> Response:
    """One set with all that happened to it, and a thousand of its members."""
    journal, one = ask.site.journal, _the_set(ask)
    skip = ask.query.get("skip", "0")
    if not (skip.isascii() and skip.isdigit()):
        raise UsageError(f"skip {skip}: this is no number", cure="")
    found = records.in_full(one, journal.listing.members(one, MEMBERS, int(skip[:9])), journal)
    return answer({"sets": [_as_seen(ask, found)]})


def order(ask: Ask) -> Response:
    """An order for one set."""
    if ask.parts["order"] not in giving.OF_SETS:
        raise Refused(404, later("This is not possible here."))
    give, _ = giving.OF_SETS[ask.parts["order"]]
    give(ask, _the_set(ask))
    return answer({"sets": [_of_set(ask, _the_set(ask), ())]})


def pause(ask: Ask) -> Response:
    """Send nothing."""
    giving.pause(ask)
    return answer({"paused": True})


def resume(ask: Ask) -> Response:
    """Send again."""
    giving.resume(ask)
    return answer({"paused": False})


def requests(ask: Ask) -> Response:
    """All requests that are open, or all with `all=yes`."""
    known = ask.site.registers.ask()
    shown_ = [one for one in known.requests.values() if ask.query.get("all") or not one.closed]
    return answer({"requests": [_of_request(ask, one) for one in shown_]})


def one_request(ask: Ask) -> Response:
    """One request."""
    return answer({"requests": [_of_request(ask, requests_of(ask.site.profile).get(ask.parts["request"]))]})


def make_request(ask: Ask) -> Response:
    """A new request."""
    return answer({"requests": [_of_request(ask, giving.make_request(ask))]}, 201)


def close_request(ask: Ask) -> Response:
    """A request is done."""
    return answer({"requests": [_of_request(ask, giving.close_request(ask))]})


def sessions(ask: Ask) -> Response:
    """The sessions that are open, and the last ones."""
    return answer({"sessions": _of_sessions(ask, ask.site.journal.sessions.latest(_SESSIONS))})


def start_session(ask: Ask) -> Response:
    """A session begins."""
    return answer({"sessions": _of_sessions(ask, [giving.start_session(ask)])}, 201)


def stop_session(ask: Ask) -> Response:
    """A session ends."""
    number = giving.stop_session(ask).id
    found = [one for one in ask.site.journal.sessions.latest(_SESSIONS) if one.id == number]
    return answer({"sessions": _of_sessions(ask, found)})


def _the_set(ask: Ask) -> ImageSet:
    number = ask.parts["number"]
    return ask.site.journal.sets.get(number if number.startswith("urn:uuid:") else f"urn:uuid:{number}")


def _of_set(ask: Ask, one: ImageSet, members: Sequence[Any]) -> dict[str, Any]:
    return _as_seen(ask, records.in_brief(one, members, ask.site.journal))


def _as_seen(ask: Ask, record: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = discreet.without_addresses(record) if ask.sees_people else discreet.of_set(record)
    return found


def _of_request(ask: Ask, one: Request) -> dict[str, Any]:
    found = records.of_request(one, lacks(one, ask.site.registers.now.people))
    return found if ask.sees_people else discreet.of_request(found)


def _of_sessions(ask: Ask, found: Sequence[Any]) -> list[dict[str, Any]]:
    shown_ = [records.of_session(one, ask.site.now()) for one in found]
    return shown_ if ask.sees_people else [discreet.of_session(one) for one in shown_]
