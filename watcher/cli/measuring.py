"""The verb for those who collect metrics: `metrics`."""

from pathlib import Path
from typing import Annotated

import typer

from watcher.cli.app import StateOption, journal_only, say


def metrics(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file to write; absent: stdout.", show_default=False)
    ] = None,
    state: StateOption = None,
) -> None:
    """What Prometheus wants to know, from the journal.

    For a machine on which no port may be scraped: run it every minute, and let node_exporter or windows_exporter read
    the file with its textfile collector. Counters and durations are only at the running watcher's /metrics.

    Example: irods-watcher metrics --output /var/lib/node_exporter/irods-watcher.prom
    """
    from watcher.metrics import rendered_gauges  # imported here: no other verb needs the library
    from watcher.metrics.app import write

    with journal_only(state) as journal:
        content = rendered_gauges(journal)
    if output is None:
        say(content.decode().rstrip("\n"))
    else:
        write(output, content)
