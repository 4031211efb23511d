"""The verbs of work at the instrument: `session start`, `stop` and `status`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from watcher.cli.app import JsonOption, StateOption, journal_only, known_profile, say, state_of
from watcher.cli.requesting import ProfileOption
from watcher.journal import Journal
from watcher.overview import records
from watcher.overview.people import session_words
from watcher.overview.words import when
from watcher.pipeline import working

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
    with Journal(state_of(loaded, state)) as journal:
        begun, wanted = working.begin(
            journal, loaded, request, operator, time.time(), folder=folder, anyway=anyway
        )  # fmt: skip
    say(f"Session {begun.id} on {wanted.id} ({wanted.title or 'no title'}) has begun.")
    below = f" below {begun.folder}" if begun.folder else ""
    say(f"What {loaded.instrument.name} writes{below} belongs to it until "
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
        ended = working.end(journal, number, time.time())
        say(f"Session {ended.id} on {ended.request} has ended.")


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
            records.emit(sessions=[records.of_session(one, now) for one in (*running, *latest)])
            return
        say("\n".join(map(session_words, running)) or "No session is open.")
        for one in latest:
            ended = one.ended_by or "by itself"
            say(f"  before: {one.id}, {one.request}, {when(one.started)} - {when(one.until)}, ended: {ended}")
