"""The verbs by which a person decides. They go through the journal, so the watcher need not run."""

import getpass
import time
from typing import Annotated

import typer

from watcher.cli.app import StateOption, journal_only, say
from watcher.cli.completing import MaybeSet, WhichSet
from watcher.errors import UsageError
from watcher.model import State
from watcher.pipeline import orders

Reason = Annotated[str, typer.Option(help="Why, for whoever asks later.")]


def retry(
    which: MaybeSet = None,
    everything: Annotated[bool, typer.Option("--all", help="All that need attention.")] = False,
    state: StateOption = None,
) -> None:
    """Try a set again that needs attention, is on hold or left out.

    Example: irods-watcher retry --all
    """
    if (which is None) != everything:
        raise UsageError("give a set, or --all")
    with journal_only(state) as journal:
        sets = journal.sets.in_states(State.HELD) if which is None else [journal.sets.find(which)]
        for one in sets:
            orders.again(journal, one, time.time())
            say(f"{one.name}: it is tried again")
        if not sets:
            say("No set needs attention.")


def skip(which: WhichSet, reason: Reason = "a person said so", state: StateOption = None) -> None:
    """Leave a set out; its files stay where they are.

    Example: irods-watcher skip test-image --reason "only a focus test"
    """
    with journal_only(state) as journal:
        one = journal.sets.find(which)
        orders.leave_out(journal, one, time.time(), reason)
        say(f"{one.name}: it is left out; `irods-watcher retry {one.id[9:17]}` takes it in again")


def hold(which: WhichSet, reason: Reason = "a person said so", state: StateOption = None) -> None:
    """Send nothing of a set for now; what was sent stays closed to readers.

    Example: irods-watcher hold test-image --reason "wrong folder"
    """
    with journal_only(state) as journal:
        one = journal.sets.find(which)
        orders.hold_back(journal, one, reason)
        say(f"{one.name}: it is on hold; `irods-watcher retry {one.id[9:17]}` lets it go on")


def pause(state: StateOption = None) -> None:
    """Send nothing until `resume`; images are still noticed and checked.

    Example: irods-watcher pause
    """
    with journal_only(state) as journal:
        orders.pause(journal, time.time(), getpass.getuser())
        say("Sending is paused. `irods-watcher resume` lets it go on.")


def resume(state: StateOption = None) -> None:
    """Send again after `pause`.

    Example: irods-watcher resume
    """
    with journal_only(state) as journal:
        say("Sending goes on." if orders.resume(journal) else "It was not paused.")
