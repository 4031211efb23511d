"""The verbs for what a scientist wants acquired: `request new`, `list`, `show`, `check` and `close`."""

import random
import sys
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from watcher.cli.app import JsonOption, StateOption, complain_plainly, known_profile, out, say
from watcher.errors import Exit, RequestError
from watcher.overview import records
from watcher.profile import Profile
from watcher.provenance import facility
from watcher.provenance.request import Acquire, Request
from watcher.provenance.requests import Requests

app = typer.Typer(
    help="What scientists want acquired: new, list, show, check, close.", no_args_is_help=True, rich_markup_mode=None
)

ProfileOption = Annotated[
    Path | None,
    typer.Option("--profile", "-p", help="The instrument's profile; absent: that of the watcher.", show_default=False),
]
#: Things that are wanting which a list names.
_MOST = 2
Which = Annotated[str, typer.Argument(help="The request's identifier.", show_default=False)]


@app.command()
def new(
    title: Annotated[str | None, typer.Option(help="What it is about.", show_default=False)] = None,
    scientist: Annotated[str | None, typer.Option(help="Who asks: login, ORCID or name.", show_default=False)] = None,
    project: Annotated[str | None, typer.Option(help="The project.", show_default=False)] = None,
    sample: Annotated[str | None, typer.Option(help="The sample.", show_default=False)] = None,
    what: Annotated[str | None, typer.Option(help="What to acquire.", show_default=False)] = None,
    channel: Annotated[list[str] | None, typer.Option(help="A channel; again for more.", show_default=False)] = None,
    objective: Annotated[str | None, typer.Option(help="The objective.", show_default=False)] = None,
    positions: Annotated[str | None, typer.Option(help="How many positions.", show_default=False)] = None,
    repeats: Annotated[str | None, typer.Option(help="How many repeats.", show_default=False)] = None,
    authorship: Annotated[
        str | None,
        typer.Option(help="What the operator gets: author, acknowledgement or none.", show_default=False),
    ] = None,
    agreed: Annotated[bool, typer.Option("--agreed", help="Both have agreed on that.")] = False,
    also: Annotated[
        list[str] | None, typer.Option(help="Who else, as in asmith:ProjectLeader.", show_default=False)
    ] = None,
    group: Annotated[str | None, typer.Option(help="The group of the images.", show_default=False)] = None,
    omero: Annotated[str | None, typer.Option(help="The target in OMERO.", show_default=False)] = None,
    source: Annotated[str | None, typer.Option(help="The entry in the notebook.", show_default=False)] = None,
    profile: ProfileOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Make a request; on a terminal it asks for what is missing.

    Example: irods-watcher request new --title "Actin in HeLa" --scientist jdoe --channel DAPI --channel GFP
    """
    loaded, requests = _requests(profile, state)
    people = facility.people_of(loaded)
    acquire: dict[str, Any] = {
        "what": what, "channels": channel or [], "objective": objective, "positions": positions,
        "repeats": repeats,
    }  # fmt: skip
    said: dict[str, Any] = {
        "title": title, "scientist": scientist, "project": project, "group": group, "sample": sample, "omero": omero,
        "source": source, "also": list(map(_credited, also or ())),
    }  # fmt: skip
    if sys.stdin.isatty() and not json:
        _ask(said, acquire)
    made = requests.make(
        random.SystemRandom(), date.today(), acquire=acquire,
        authorship={"operator": authorship, "agreed": agreed} if authorship else None, **said,
    )  # fmt: skip
    lacks = facility.lacks(made, people)
    if json:
        records.emit(requests=[records.of_request(made, lacks)])
        return
    say(f"{made.id} is written to {requests.folder / made.id}.yaml.")
    say("An operator can begin." if not lacks else "Before an operator can begin:")
    for one in lacks:
        say(f"  {one}")


@app.command(name="list")
def list_requests(
    everything: Annotated[bool, typer.Option("--all", help="Also those that are closed.")] = False,
    profile: ProfileOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> int:
    """All requests, and whether an operator can begin.

    Example: irods-watcher request list --all
    """
    loaded, requests = _requests(profile, state)
    found, problems = requests.all()
    people = facility.people_of(loaded)
    shown = [one for one in found.values() if everything or not one.closed]
    if json:
        records.emit(
            requests=[records.of_request(one, facility.lacks(one, people)) for one in shown], problems=problems
        )
    else:
        table = Table(box=None, pad_edge=False)
        for heading in ("id", "made", "scientist", "project", "title", "state"):
            table.add_column(heading, overflow="fold")
        for one in sorted(shown, key=lambda one: (one.made or "", one.id)):
            lacks = facility.lacks(one, people)
            row = (one.id, one.made or "-", one.scientist or "-", one.project or "-", one.title or "-")
            table.add_row(*row, _state(one, lacks))
        out().print(table if shown else "No requests.")
        for problem in problems:
            complain_plainly(problem)
    return Exit.PARTLY if problems else Exit.OK


@app.command()
def show(which: Which, profile: ProfileOption = None, state: StateOption = None, json: JsonOption = False) -> None:
    """One request, as it stands in its file.

    Example: irods-watcher request show RQ4F7K2MT
    """
    loaded, requests = _requests(profile, state)
    request = requests.get(which)
    lacks = facility.lacks(request, facility.people_of(loaded))
    if json:
        records.emit(requests=[records.of_request(request, lacks)])
        return
    say((requests.folder / f"{request.id}.yaml").read_text(encoding="utf-8-sig").rstrip())
    say(f"# {_state(request, lacks)}")


@app.command()
def check(
    which: Annotated[list[str], typer.Argument(help="Identifiers of requests.", show_default=False)],
    profile: ProfileOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> int:
    """What is missing or wrong before an operator can begin. Exit code 3 if anything is.

    Example: irods-watcher request check RQ4F7K2MT
    """
    loaded, requests = _requests(profile, state)
    people = facility.people_of(loaded)
    found: dict[str, list[str]] = {}
    for word in which:
        try:
            request = requests.get(word)
            found[request.id] = facility.lacks(request, people)
        except RequestError as error:
            found[word] = list(error.problems)
    if json:
        records.emit(requests=[{"id": word, "ready": not lacks, "lacks": lacks} for word, lacks in found.items()])
    else:
        for word, lacks in found.items():
            say(f"{word}: {'ready' if not lacks else 'not ready'}")
            for one in lacks:
                say(f"  {one}")
    return Exit.PARTLY if any(found.values()) else Exit.OK


@app.command()
def close(which: Which, profile: ProfileOption = None, state: StateOption = None) -> None:
    """Note that a request is done: no session can be started on it any more.

    Example: irods-watcher request close RQ4F7K2MT
    """
    _, requests = _requests(profile, state)
    closed = requests.close(which, date.today())
    say(f"{closed.id} is closed.")


def _requests(profile: Path | None, state: Path | None) -> tuple[Profile, Requests]:
    loaded = known_profile(profile, state)
    return loaded, facility.requests_of(loaded)


def _state(request: Request, lacks: list[str]) -> str:
    if request.closed:
        return f"closed on {request.closed}"
    if len(lacks) > _MOST:
        lacks = [*lacks[:_MOST], f"and {len(lacks) - _MOST} more"]
    return "ready" if not lacks else f"not ready: {'; '.join(lacks)}"


def _credited(text: str) -> dict[str, str]:
    who, _, role = text.partition(":")
    return {"who": who, **({"role": role} if role else {})}


def _ask(said: dict[str, Any], acquire: dict[str, Any]) -> None:
    """Ask on the terminal for what was not said; an empty answer leaves it open."""
    for answers, fields in ((said, Request.model_fields), (acquire, Acquire.model_fields)):
        for key in ("title", "scientist", "project", "sample", "what", "channels", "objective", "positions", "repeats"):
            if key in answers and not answers[key]:
                answer = typer.prompt(f"{key} ({fields[key].description})", default="", show_default=False).strip()
                parts = [part.strip() for part in answer.split(",") if part.strip()]
                answers[key] = parts if key == "channels" else answer or None
