"""The orders that can be given on the page and by programs: through the journal and the facility's files."""

import random
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from watcher import identifiers
from watcher.errors import UsageError
from watcher.journal.attributions import Order
from watcher.journal.sessions import WorkSession
from watcher.model import ImageSet
from watcher.pipeline import orders, working
from watcher.provenance import facility
from watcher.provenance.request import Request, stated
from watcher.web.asking import Ask

#: Who ordered something, if nobody said.
_NOBODY: Final = "the page"
#: What a form says of a request, beside what to acquire.
_PLAIN: Final = ("title", "scientist", "project", "group", "sample", "omero", "source", "licence", "retention")
_ACQUIRE: Final = ("what", "objective", "positions", "repeats")


def retry(ask: Ask, one: ImageSet) -> None:
    """Try a set again. Raises UsageError and StaleSet, as the others do."""
    orders.again(ask.site.journal, one, ask.site.now())


def skip(ask: Ask, one: ImageSet) -> None:
    """Leave a set out."""
    orders.leave_out(ask.site.journal, one, ask.site.now(), _reason(ask))


def hold(ask: Ask, one: ImageSet) -> None:
    """Send nothing of a set for now."""
    orders.hold_back(ask.site.journal, one, _reason(ask))


def attribute(ask: Ask, one: ImageSet) -> None:
    """Say who made a set; with nothing said it is found out anew."""
    said = {key: ask.said[key] for key in facility.SAYABLE if ask.said.get(key)}
    checked = facility.checked(said, ask.site.profile)
    if checked:
        who = ask.visitor.name or ask.said.get("by") or _NOBODY
        ask.site.journal.attributions.order([one.id], Order(ask.site.now(), who, checked))
    else:
        ask.site.journal.attributions.look_again([one.id])


#: What can be ordered of a set, and the word by which its page says that it was.
OF_SETS: Final[Mapping[str, tuple[Callable[[Ask, ImageSet], None], str]]] = {
    "retry": (retry, "retried"),
    "skip": (skip, "skipped"),
    "hold": (hold, "held"),
    "attribute": (attribute, "attributed"),
}


def pause(ask: Ask) -> None:
    """Send nothing until `resume`."""
    orders.pause(ask.site.journal, ask.site.now(), ask.visitor.name or _NOBODY)


def resume(ask: Ask) -> None:
    """Send again."""
    orders.resume(ask.site.journal)


def drafted(ask: Ask) -> tuple[Request, list[str]]:
    """The request that a form states, and what is missing in it; nothing is written. Raises UsageError."""
    draft = stated({"id": identifiers.new_request(random.SystemRandom()), **_stated(ask.said)})
    return draft, facility.lacks(draft, facility.people_of(ask.site.profile))


def make_request(ask: Ask) -> Request:
    """Write down what a form states. Raises UsageError."""
    requests = facility.requests_of(ask.site.profile)
    return requests.make(random.SystemRandom(), date.today(), **_stated(ask.said))


def close_request(ask: Ask) -> Request:
    """Note that a request is done. Raises UsageError and RequestError."""
    return facility.requests_of(ask.site.profile).close(ask.parts["request"], date.today())


def start_session(ask: Ask) -> WorkSession:
    """Begin to work on a request. Raises UsageError."""
    request, operator = ask.said.get("request", ""), ask.said.get("operator", "") or ask.visitor.name
    if not request:
        raise UsageError("no request is chosen", cure="choose one")
    if not operator:
        raise UsageError("nobody has said who operates", cure="give your login, ORCID or name")
    folder = Path(ask.said["folder"]) if ask.said.get("folder") else None
    begun, _ = working.begin(
        ask.site.journal, ask.site.profile, request, operator, ask.site.now(), folder=folder,
        anyway=bool(ask.said.get("anyway")),
    )  # fmt: skip
    return begun


def stop_session(ask: Ask) -> WorkSession:
    """End a session. Raises UsageError if it is not open."""
    number = ask.parts["session"]
    if not (number.isascii() and number.isdigit()):
        raise UsageError(f"session {number}: there is none", cure="")
    return working.end(ask.site.journal, int(number[:9]), ask.site.now())


def as_form(request: Request) -> dict[str, str]:
    """What a request says, as it stands in the fields of the form."""
    found = {key: getattr(request, key) or "" for key in _PLAIN}
    found |= {key: getattr(request.acquire, key) or "" for key in _ACQUIRE}
    found["channels"] = ", ".join(request.acquire.channels)
    if request.authorship:
        found |= {"authorship": request.authorship.operator, "agreed": "yes" if request.authorship.agreed else ""}
    return found


def _reason(ask: Ask) -> str:
    return ask.said.get("reason") or "a person said so"


def _stated(said: Mapping[str, str]) -> dict[str, Any]:
    """What a form says of a request, in the shape of its file; empty fields stay open."""
    channels = [part.strip() for part in said.get("channels", "").split(",") if part.strip()]
    found: dict[str, Any] = {key: said[key] for key in _PLAIN if said.get(key)}
    found["acquire"] = {**{key: said[key] for key in _ACQUIRE if said.get(key)}, "channels": channels}
    if said.get("authorship"):
        found["authorship"] = {"operator": said["authorship"], "agreed": bool(said.get("agreed"))}
    return found
