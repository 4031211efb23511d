"""What the shell offers when somebody presses Tab: sets and requests, by what the journal and the profile say."""

import re
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, TypeVar

import typer

from watcher.cli.app import journal_only, known_profile
from watcher.overview.words import plain

#: So many are offered, and so long in seconds a share is waited for.
_MOST = 50
_PATIENCE = 1.0

T = TypeVar("T")


def sets(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The sets whose name or identifier begins so, the last changed first, each with its state."""

    def found() -> list[tuple[str, str]]:
        with journal_only(context.params.get("state")) as journal:
            return [
                (_word(name, set_id, incomplete), plain(state))
                for name, set_id, state in journal.sets.beginning(incomplete, _MOST)
            ]

    return _quietly(found)


def requests(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The requests whose identifier begins so; which are closed is not looked at."""

    def found() -> list[tuple[str, str]]:
        folder = known_profile(context.params.get("profile"), context.params.get("state")).people.requests
        names = [path.stem for path in folder.iterdir() if path.suffix == ".yaml"] if folder else []
        return [(name, "") for name in sorted(names) if name.startswith(incomplete.upper())][:_MOST]

    return _quietly(found)


#: One set, and one that need not be named.
WhichSet = Annotated[
    str,
    typer.Argument(
        metavar="SET", help="Name, identifier or collection of a set.", show_default=False, autocompletion=sets
    ),
]
MaybeSet = Annotated[
    str | None,
    typer.Argument(
        metavar="SET", help="Name, identifier or collection of a set.", show_default=False, autocompletion=sets
    ),
]


def _word(name: str, set_id: str, incomplete: str) -> str:
    """What can be typed for a set without quotes, in any shell."""
    short = set_id.removeprefix("urn:uuid:")
    plainly = re.fullmatch(r"[\w.+=@%,/~-]+", name) and name.startswith(incomplete)
    return name if plainly else short if short.startswith(incomplete) and incomplete else short[:8]


def _quietly(look: Callable[[], list[T]]) -> list[T]:
    """What is found, or nothing: nobody who presses Tab wants to read a message, or to wait."""
    found: list[T] = []

    def work() -> None:
        with suppress(Exception):
            found.extend(look())

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    return list(found)
