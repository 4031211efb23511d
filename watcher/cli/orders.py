"""The verbs by which a person decides: `retry` and `skip`. They go through the journal, so the watcher need not run."""

import time
from typing import Annotated

import typer

from watcher.cli.app import StateOption, journal_only, say
from watcher.errors import StaleSet, UsageError
from watcher.journal import Journal
from watcher.model import UNDER_WAY, ImageSet, State


def retry(
    which: Annotated[str | None, typer.Argument(help="Name or identifier of a set.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are held.")] = False,
    state: StateOption = None,
) -> None:
    """Try a set again that is held or left out.

    Example: irods-watcher retry --all
    """
    if (which is None) != everything:
        raise UsageError("give a set, or --all")
    with journal_only(state) as journal:
        sets = journal.sets.in_states(State.HELD) if which is None else [journal.sets.find(which)]
        for one in sets:
            _again(journal, one)
            say(f"{one.name}: it is tried again")
        if not sets:
            say("No set is held.")


def skip(
    which: Annotated[str, typer.Argument(help="Name or identifier of a set.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why, for whoever asks later.")] = "a person said so",
    state: StateOption = None,
) -> None:
    """Leave a set out; its files stay where they are.

    Example: irods-watcher skip test-image --reason "only a focus test"
    """
    with journal_only(state) as journal:
        one = journal.sets.find(which)
        if one.state not in {State.GROWING, State.HELD, *UNDER_WAY}:
            raise UsageError(f"{one.name}: it is {one.state}, so there is nothing to leave out", cure="see `list`")
        _changed(journal, one, State.SKIPPED, reason)
        say(f"{one.name}: it is left out; `irods-watcher retry {one.id[9:17]}` takes it in again")


def _again(journal: Journal, one: ImageSet) -> None:
    if one.state in {State.HELD, State.SKIPPED}:
        _changed(journal, one, State.GROWING, "")
    elif one.state in {State.GROWING, *UNDER_WAY}:
        journal.sets.change(one, retry_at=0.0, attempts=0)
    else:
        raise UsageError(f"{one.name}: it is {one.state}, so there is nothing to try again", cure="see `list`")


def _changed(journal: Journal, one: ImageSet, to: State, reason: str) -> None:
    note = reason or "retry was ordered"
    try:
        journal.sets.advance(one, to, time.time(), note, reason=reason, retry_at=0.0, attempts=0, problems=())
    except StaleSet:
        raise StaleSet(f"{one.name}: the watcher changed it at this moment", cure="give the order again") from None
