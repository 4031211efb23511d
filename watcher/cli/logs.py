"""The verb `logs`: what the watcher has said, and what it says now."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

from watcher.cli import completing
from watcher.cli.app import StateOption, complain_plainly, journal_only, printable, state_only
from watcher.cli.moments import since as moment_since
from watcher.logs.files import FOLDER
from watcher.logs.lines import readable
from watcher.logs.reading import Event, Level, Reader, at_least

#: How many lines are shown if nobody says which, and how often in seconds it is looked for new ones.
_LAST = 100
_OFTEN = 0.5


def logs(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is said from now on.")] = False,
    which: Annotated[
        str | None,
        typer.Option(
            "--set",
            help="Only of this set: name, identifier or collection.",
            show_default=False,
            autocompletion=completing.sets,
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="All since then, as in 2h or 2026-11-27T09:00.", show_default=False)
    ] = None,
    level: Annotated[Level, typer.Option(help="Only what is so serious, or more.")] = Level.DEBUG,
    lines: Annotated[
        int | None, typer.Option("--lines", "-n", min=0, help="The last so many; absent: 100.", show_default=False)
    ] = None,
    state: StateOption = None,
    json: Annotated[bool, typer.Option("--json", help="The lines as they are kept, one JSON object each.")] = False,
) -> None:
    """What the watcher has said, whether it runs or not.

    The last 100 lines, or all since a time, or all of a set.

    Example: irods-watcher logs --follow --level warning
    """
    folder = state_only(state) / FOLDER
    of_set = _of_set(which, state)
    begin = None if since is None else moment_since(since, time.time())
    most = _LAST if (lines, since, which) == (None, None, None) else lines
    with Reader(folder, lambda event: of_set(event) and at_least(event, level)) as reader:
        found = reader.last(most, begin)
        _print(found, json=json)
        if not found and not follow:
            complain_plainly("No such lines." if folder.is_dir() else f"{folder}: nothing has been kept yet.")
        while follow:
            time.sleep(_OFTEN)
            _print(reader.more(), json=json)


def _of_set(which: str | None, state: Path | None) -> Callable[[Event], bool]:
    """Whether a line is of a set, of any version of it."""
    if which is None:
        return lambda _: True
    with journal_only(state) as journal:
        one = journal.sets.find(which)
    return lambda event: event.get("set") == one.id or ("set" in event and event.get("name") == one.name)


def _print(events: Iterable[Event], *, json: bool) -> None:
    terminal = sys.stdout.isatty()
    for event in events:
        line = _dumps(event) if json else readable(event, colours=terminal and "NO_COLOR" not in os.environ)
        sys.stdout.write(printable(line) + "\n")
    sys.stdout.flush()


def _dumps(event: Event) -> str:
    return json.dumps(event, ensure_ascii=True)
