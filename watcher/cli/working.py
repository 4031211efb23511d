"""The verbs of work at the instrument: `session start`, `stop` and `status`."""

import getpass
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from watcher.cli.app import JsonOption, StateOption, journal_only, known_profile, say, state_of
from watcher.cli.requesting import ProfileOption, lacks_of, people_of, requests_of
from watcher.errors import UsageError
from watcher.journal import Journal
from watcher.journal.sessions import WorkSession
from watcher.model import Person
from watcher.overview import records
from watcher.overview.people import session_words
from watcher.overview.words import when
from watcher.profile import Profile

app = typer.Typer(
    help="Work at the instrument for a request: start, stop, status.", no_args_is_help=True, rich_markup_mode=None
)
#: Sessions that `status` tells of, the open ones not counted.
_LAST = 5


@app.command()
def start(
    request: Annotated[str, typer.Argument(help="The request's identifier.", show_default=False)],
    operator: Annotated[
        str | None, typer.Option(help="Who works: login, ORCID or name; absent: who is logged in.", show_default=False)
    ] = None,
    folder: Annotated[Path | None, typer.Option(help="Only for images in this folder.", show_default=False)] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Although the request is not ready.")] = False,
    profile: ProfileOption = None,
    state: StateOption = None,
) -> None:
    """Begin to work on a request: what the instrument produces from now on belongs to it.

    Example: irods-watcher session start RQ4F7K2MT --operator rroe
    """
    loaded = known_profile(profile, state)
    wanted = requests_of(loaded).get(request)
    lacks = lacks_of(wanted, loaded)
    if lacks and (wanted.closed or not anyway):
        cure = "complete it, or say --anyway" if not wanted.closed else "make a new one"
        raise UsageError(f"{wanted.id}: an operator cannot begin: {'; '.join(lacks)}", cure=cure)
    who = _operator(operator, loaded)
    place = _place(folder, loaded)
    with Journal(state_of(loaded, state)) as journal:
        begun = journal.sessions.start(wanted.id, who, place, time.time(), loaded.people.sessions.longest)
    say(f"Session {begun.id} on {wanted.id} ({wanted.title or 'no title'}) has begun.")
    say(f"What {loaded.instrument.name} writes{f' below {place}' if place else ''} belongs to it until "
        f"`irods-watcher session stop`, or {when(begun.until)}.")  # fmt: skip


@app.command()
def stop(
    number: Annotated[int | None, typer.Argument(help="The session; absent: the open one.", show_default=False)] = None,
    state: StateOption = None,
) -> None:
    """End a session.

    Example: irods-watcher session stop
    """
    with journal_only(state) as journal:
        now = time.time()
        found = [one for one in journal.sessions.between(now, now) if number in (None, one.id)]
        if not found:
            raise UsageError("no session is open" if number is None else f"session {number} is not open", cure="")
        if len(found) > 1:
            listed = ", ".join(f"{one.id} ({one.request}, {one.folder or 'everywhere'})" for one in found)
            raise UsageError(f"several sessions are open: {listed}", cure="say which")
        journal.sessions.stop(found[0].id, now, "the operator")
        say(f"Session {found[0].id} on {found[0].request} has ended.")


@app.command()
def status(state: StateOption = None, json: JsonOption = False) -> None:
    """Which sessions are open, and the last ones.

    Example: irods-watcher session status
    """
    with journal_only(state) as journal:
        now = time.time()
        running = journal.sessions.between(now, now)
        latest = [one for one in journal.sessions.latest(len(running) + _LAST) if one not in running]
        if json:
            records.emit(sessions=[_record(one, now) for one in (*running, *latest)])
            return
        say("\n".join(map(session_words, running)) or "No session is open.")
        for one in latest:
            ended = one.ended_by or "by itself"
            say(f"  before: {one.id}, {one.request}, {when(one.started)} - {when(one.until)}, ended: {ended}")


def _record(one: WorkSession, now: float) -> dict[str, Any]:
    return {
        "id": one.id, "request": one.request, "operator": one.operator, "folder": one.folder, "started": one.started,
        "until": one.until, "open": one.is_open(now), "ended_by": one.ended_by,
    }  # fmt: skip


def _operator(word: str | None, profile: Profile) -> str:
    """The operator in a word that the directory knows. Raises UsageError."""
    people = people_of(profile)
    said = word or getpass.getuser()
    if people is None:
        raise UsageError(
            f"{profile.source}: this profile names no directory of persons",
            cure="write for example `people: {directory: people.yaml}` into it",
        )
    found = people.find(said)
    if not isinstance(found, Person):
        who = f"{said}: " if word else f"you are logged in as {said}, but "
        raise UsageError(f"{who}{found}", cure="say who you are with --operator, by a login, ORCID or name")
    return said


def _place(folder: Path | None, profile: Profile) -> str:
    if folder is None:
        return ""
    for watch in profile.watch:
        for path in (folder.absolute(), watch.path / folder):
            if path.is_relative_to(watch.path):
                return str(path)
    raise UsageError(f"{folder}: it lies in no watched folder", cure="give a folder below watch.path")
