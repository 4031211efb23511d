"""The verbs of the facility view: `fleet serve`."""

import signal
from pathlib import Path
from typing import Annotated

import platformdirs
import typer

from watcher.cli.app import VerboseOption
from watcher.errors import Exit
from watcher.logs.lines import set_up

app = typer.Typer(help="Many watchers on one page: serve.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def serve(
    fleet: Annotated[Path, typer.Argument(help="The list of instruments (YAML).", show_default=False)],
    state: Annotated[
        Path | None, typer.Option("--state", help="The directory for what was last reported.", show_default=False)
    ] = None,
    verbose: VerboseOption = False,
) -> int:
    """Show all instruments on one page, until stopped.

    Example: irods-watcher fleet serve fleet.yaml
    """
    from watcher.fleet import document, server  # only this verb needs a web server of its own

    set_up(verbose=verbose)
    folder = state or platformdirs.user_state_path("irods-watcher-fleet", appauthor=False)
    came = server.serve(document.load(fleet), folder)
    return Exit.INTERRUPTED if signal.SIGINT in came else Exit.OK
