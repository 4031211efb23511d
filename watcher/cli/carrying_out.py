"""Letting the running watcher carry out what was ordered in the journal, or doing it here if none runs."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from watcher.cli.app import say
from watcher.cli.console import LogListener
from watcher.daemon import Daemon
from watcher.journal import Journal, watched_by
from watcher.profile import Profile

#: How long in seconds the running watcher is waited for, and how often it is looked.
_PATIENCE: Final = 600.0
_OFTEN: Final = 0.2


def carry_out(
    place: Path, profile: Profile, what: str, is_done: Callable[[Journal], bool], do: Callable[[Daemon], None]
) -> None:
    """See to it that it is done; `what` says in words what the watcher does. Raises what `do` raises."""
    if watcher := watched_by(place):
        say(f"The watcher ({watcher}) {what}.")
        end = time.monotonic() + _PATIENCE
        while watched_by(place) and time.monotonic() < end:
            with Journal(place) as journal:
                if is_done(journal):
                    return
            time.sleep(_OFTEN)
    if not watched_by(place):
        with Journal(place, owned=True) as journal:
            do(Daemon(profile, journal, LogListener()))
