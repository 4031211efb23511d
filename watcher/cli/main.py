"""The command `irods-watcher`: its verbs, in the order in which people meet them."""

import sys

from watcher.cli import (
    attributing,
    exporting,
    gating,
    looking,
    measuring,
    orders,
    releasing,
    requesting,
    running,
    setting_up,
    tracing,
    trying,
    working,
)
from watcher.cli.app import app, run_app

VERBS = (
    setting_up.init,
    setting_up.validate,
    tracing.observe,
    running.run,
    running.once,
    gating.gateway,
    looking.status,
    looking.list_sets,
    looking.show,
    looking.explain,
    looking.inspect,
    measuring.metrics,
    exporting.export,
    orders.retry,
    orders.skip,
    orders.hold,
    orders.pause,
    orders.resume,
    releasing.release,
    releasing.restore,
    attributing.attribute,
    trying.simulate,
    trying.demo,
)
#: Those with verbs of their own.
GROUPS = {"request": requesting.app, "session": working.app}
for verb in VERBS:
    app.command(name="list" if verb is looking.list_sets else None)(verb)
for name, group in GROUPS.items():
    app.add_typer(group, name=name)


def main() -> None:
    """Run the command and end the process with its exit code."""
    sys.exit(run_app())
