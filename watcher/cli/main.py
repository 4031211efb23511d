"""The command `irods-watcher`."""

import sys

from watcher import __version__
from watcher.cli import looking, orders, running, setting_up, trying
from watcher.cli.app import app, run_app, say

#: The modules that hold the verbs; importing them is what registers them.
VERBS = (setting_up, running, looking, orders, trying)


@app.command()
def version() -> None:
    """The version of this program."""
    say(f"irods-watcher {__version__}")


def main() -> None:
    """Run the command and end the process with its exit code."""
    sys.exit(run_app())
