"""The pages behind buttons and forms: an order is given, and another page says that it was."""

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from watcher.errors import UsageError, WatcherError
from watcher.journal.sessions import WorkSession
from watcher.overview.language import later, say
from watcher.provenance.facility import lacks
from watcher.provenance.request import Request
from watcher.web import giving
from watcher.web.asking import Ask, go_to, page
from watcher.web.guard import Refused
from watcher.web.pages import notice, the_set

#: Sessions that are shown beside the open ones.
_LAST = 20


def of_set(ask: Ask) -> Response:
    """A button on the page of a set."""
    one = the_set(ask)
    if ask.parts["order"] not in giving.OF_SETS:
        raise Refused(404, later("This is not possible here."))
    order, said = giving.OF_SETS[ask.parts["order"]]
    order(ask, one)
    return go_to(f"/sets/{ask.parts['number']}?said={said}")


def pause(ask: Ask) -> Response:
    """The button that lets nothing be sent."""
    giving.pause(ask)
    return go_to("/?said=paused")


def resume(ask: Ask) -> Response:
    """The button that lets it go on."""
    giving.resume(ask)
    return go_to("/?said=resumed")


def requests(ask: Ask) -> Response:
    """What scientists want acquired."""
    known = ask.site.registers.ask()
    everything = bool(ask.query.get("all"))
    found = [(one, lacks(one, known.people)) for one in known.requests.values() if everything or not one.closed]
    found.sort(key=lambda pair: (pair[0].made or "", pair[0].id), reverse=True)
    problem = known.problems.get(str(ask.site.profile.people.requests), "")
    return page(
        ask, "requests.html", found=found, everything=everything, problem=problem, notice=notice(ask),
        there=ask.site.profile.people.requests is not None,
    )  # fmt: skip


def request(ask: Ask) -> Response:
    """One request, and what can be done with it."""
    found = _known(ask, ask.parts["request"])
    wanting = lacks(found, ask.site.registers.now.people)
    return page(ask, "request.html", request=found, lacks=wanting, lines=_lines(ask, found), notice=notice(ask))


def new_request(ask: Ask) -> Response:
    """The form for a new request, filled in as another one if the address names it."""
    like = _known(ask, ask.query["like"]) if ask.query.get("like") else None
    return _form(ask, (), "", giving.as_form(like) if like and ask.sees_people else {})


def make_request(ask: Ask) -> Response:
    """Write it down, or say first what is missing."""
    try:
        _, wanting = giving.drafted(ask)
        if wanting and not ask.said.get("anyway"):
            return _form(ask, wanting, "")
        made = giving.make_request(ask)
    except UsageError as error:
        return _form(ask, (), str(error))
    return go_to(f"/requests/{made.id}?said=made")


def close_request(ask: Ask) -> Response:
    """A request is done."""
    return go_to(f"/requests/{giving.close_request(ask).id}?said=closed")


def sessions(ask: Ask) -> Response:
    """Who works at the instrument, and for which request."""
    return _sessions(ask, "")


def start_session(ask: Ask) -> Response:
    """An operator begins, or is told why that is not possible."""
    try:
        giving.start_session(ask)
    except WatcherError as error:
        return _sessions(ask, str(error))
    return go_to("/sessions?said=started")


def stop_session(ask: Ask) -> Response:
    """An operator ends."""
    giving.stop_session(ask)
    return go_to("/sessions?said=stopped")


def _known(ask: Ask, identifier: str) -> Request:
    found = ask.site.registers.ask().requests.get(identifier.upper())
    if found is None:
        raise Refused(404, later("There is no such request."), cure=later("Look at the list of requests."))
    return found


def _lines(ask: Ask, request: Request) -> list[tuple[str, str]]:
    """What a request says, with the words for it; without persons for those who may not see them."""
    acquire, said = request.acquire, giving.as_form(request)
    found = [
        (later("Scientist"), said["scientist"] if ask.sees_people else None),
        (later("Project"), said["project"]),
        (later("Group"), said["group"]),
        (later("Sample"), said["sample"]),
        (later("What"), acquire.what or ""),
        (later("Channels"), said["channels"]),
        (later("Objective"), said["objective"]),
        (later("Positions"), said["positions"]),
        (later("Repeats"), said["repeats"]),
        (later("What the operator gets for the work"), _agreement(request)),
        (later("Made"), request.made or ""),
        (later("Entry in the notebook"), said["source"]),
    ]
    return [(name, value) for name, value in found if value is not None]


def _agreement(request: Request) -> str:
    """What the operator gets, and whether that is agreed."""
    if request.authorship is None:
        return ""
    gets = {"author": say("Authorship, like the scientist"), "acknowledgement": say("Acknowledgement")}
    if request.authorship.operator not in gets:
        return say("None is wished")
    agreed = say("agreed") if request.authorship.agreed else say("not yet agreed")
    return f"{gets[request.authorship.operator]}, {agreed}"


def _form(ask: Ask, wanting: Sequence[str], problem: str, said: Mapping[str, str] | None = None) -> Response:
    status = 422 if wanting or problem else 200
    missing = {line.partition(" is missing")[0].removeprefix("acquire.") for line in wanting}
    return page(
        ask, "request_new.html", status, said=said or ask.said, lacks=wanting, problem=problem, missing=missing
    )  # fmt: skip


def _sessions(ask: Ask, problem: str) -> Response:
    now, journal, known = ask.site.now(), ask.site.journal, ask.site.registers.ask()
    running: list[WorkSession] = journal.sessions.between(now, now)
    latest = [one for one in journal.sessions.latest(len(running) + _LAST) if one not in running]
    choices = [(one, lacks(one, known.people)) for one in known.requests.values() if not one.closed]
    choices.sort(key=lambda pair: (bool(pair[1]), pair[0].id))
    staff = [person for person in known.people.persons if person.staff] if ask.sees_people else []
    return page(
        ask, "sessions.html", 422 if problem else 200, running=running, latest=latest, choices=choices, staff=staff,
        said={"request": ask.query.get("request", ""), **ask.said}, problem=problem, notice=notice(ask),
        there=ask.site.profile.people.requests is not None and ask.site.profile.people.directory is not None,
        titles={one.id: one.title or "" for one in known.requests.values()},
    )  # fmt: skip
