"""What all verbs share: the app, where the journal is, and how an error reaches a person."""

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import platformdirs
import typer
from rich.console import Console

from watcher import __version__, names
from watcher.errors import Exit, UsageError, WatcherError
from watcher.journal import FILE_NAME, Journal
from watcher.logs.lines import Style
from watcher.profile import Profile, load

app = typer.Typer(
    name="irods-watcher",
    help="Gets finished microscope image sets out of the facility and into iRODS: whole, verified, credited.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ProfileArgument = Annotated[
    Path, typer.Argument(metavar="PROFILE", help="The instrument's profile (YAML).", show_default=False)
]
StateOption = Annotated[
    Path | None,
    typer.Option("--state", envvar="IRODS_WATCHER_STATE", help="The directory of the journal.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Log every step.")]
LogFormatOption = Annotated[
    Style | None,
    typer.Option("--log-format", help="How log lines look on stderr; absent: as it fits.", show_default=False),
]


def _version(wanted: bool) -> None:
    if wanted:
        say(f"irods-watcher {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    _: Annotated[bool, typer.Option("--version", help="Show the version and exit.", callback=_version)] = False,
) -> None:
    pass


def out() -> Console:
    """A console for data on stdout; as wide as the terminal, and never cutting lines when it is none."""
    terminal = sys.stdout.isatty()
    return Console(soft_wrap=not terminal, width=None if terminal else 200, highlight=False, markup=False)


def say(text: str) -> None:
    """Print one line of data; what no terminal can show of a file's name is shown as its code."""
    out().print(printable(text))


def printable(text: str) -> str:
    """The text, with what no terminal can show of a file's name as its code."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def state_of(profile: Profile, state: Path | None) -> Path:
    """The directory of the journal of a profile's instrument."""
    return state or _all_states() / names.legal(profile.instrument.name)


def journal_only(state: Path | None) -> Journal:
    """The journal to look into when no profile is given. Raises UsageError if there is none, or several."""
    return Journal(state_only(state))


def state_only(state: Path | None) -> Path:
    """The directory of that journal. Raises UsageError."""
    found = [state] if state else sorted(path.parent for path in _all_states().glob(f"*/{FILE_NAME}"))
    if not found:
        raise UsageError(
            f"{_all_states()}: no journal is there yet", cure="start `irods-watcher run PROFILE` first, or give --state"
        )
    if len(found) > 1:
        listed = "\n  ".join(str(path) for path in found)
        raise UsageError(f"there are several journals:\n  {listed}\n", cure="say which with --state")
    if not (found[0] / FILE_NAME).exists():
        raise UsageError(f"{found[0]}: no journal is there", cure="check --state or IRODS_WATCHER_STATE")
    return found[0]


def known_profile(profile: Path | None, state: Path | None) -> Profile:
    """The profile that is given, or else the one that the watcher of the journal last ran with. Raises UsageError."""
    if profile is None:
        with journal_only(state) as journal:
            noted = journal.noted("profile")
        if not isinstance(noted, str):
            raise UsageError(f"{journal.state}: no watcher has run with this journal yet", cure="give --profile")
        profile = Path(noted)
    return load(profile)


def run_app(arguments: list[str] | None = None) -> int:
    """Run the program and return its exit code; no traceback ever reaches a person."""
    try:
        result = app(args=arguments, standalone_mode=False)
        return int(result) if isinstance(result, int) else Exit.OK
    except WatcherError as error:
        complain(str(error))
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except Exception as error:
        return _unforeseen(error)


def complain(text: str) -> None:
    """Print a message for a person on stderr."""
    complain_plainly(f"irods-watcher: {text}")


def complain_plainly(text: str) -> None:
    """Print on stderr; what no terminal can show of a file's name is shown as its code."""
    print(printable(text), file=sys.stderr)  # noqa: T201 - the one outlet for messages


def _unforeseen(error: Exception) -> int:
    usage: Any = getattr(error, "format_message", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        complain_plainly(usage())
        return Exit.USAGE
    if usage is not None:  # typer's own errors: an unknown option, a missing argument
        complain(f"{usage().rstrip('.')}; see --help")
        return Exit.USAGE
    place = traceback.extract_tb(error.__traceback__)[-1]
    complain(
        f"unexpected {type(error).__name__} in {Path(place.filename).name}:{place.lineno}: {error}; "
        "this is a mistake of the program: please report it with the output of --verbose"
    )
    if {"--verbose", "-v"} & set(sys.argv):
        traceback.print_exc()
    return Exit.UNEXPECTED


def _all_states() -> Path:
    return platformdirs.user_state_path("irods-watcher", appauthor=False)
