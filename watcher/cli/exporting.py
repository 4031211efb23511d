"""The verb that takes a set out of the archive: `export` makes a bag of it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from watcher import profile as profiles
from watcher.cli.app import StateOption, complain_plainly, say, state_of
from watcher.cli.completing import WhichSet
from watcher.errors import UsageError
from watcher.journal import FILE_NAME, Journal
from watcher.model import ImageSet, State
from watcher.overview.words import amount, files, plain
from watcher.pipeline.export import export as make_bag
from watcher.profile import Profile
from watcher.stores import open_store

_EXPORTABLE = {State.PUBLISHED, State.RELEASED, State.SUPERSEDED}


def export(
    which: WhichSet,
    to: Annotated[Path, typer.Option("--to", help="The folder to make the bag in.", show_default=False)],
    profile: Annotated[Path, typer.Option("--profile", "-p", help="The instrument's profile.", show_default=False)],
    state: StateOption = None,
) -> None:
    """Copy a set out of the archive as a BagIt bag, every byte verified.

    Example: irods-watcher export 20260304_Actin_plate3 --to E:/handover --profile lsm980.yaml
    """
    loaded = profiles.load(profile)
    one = _found(which, loaded, state)
    if not to.is_dir():
        raise UsageError(f"{to}: there is no such folder", cure="create it, or give another one with --to")
    with open_store(loaded).session() as session, _progress(one.name) as progress:
        done = make_bag(one, loaded, session, to, date.today(), progress)
    say(f"{done.bag}: {files(done.files)}, {amount(done.size)}, every byte as in the manifest")
    for remark in done.remarks:
        complain_plainly(f"remark: {remark}")


def _found(which: str, profile: Profile, state: Path | None) -> ImageSet:
    folder = state_of(profile, state)
    if not (folder / FILE_NAME).exists():
        raise UsageError(f"{folder}: no journal is there", cure="check --state or IRODS_WATCHER_STATE")
    with Journal(folder) as journal:
        one = journal.sets.find(which)
    if one.state not in _EXPORTABLE or not one.collection:
        raise UsageError(f"{one.name}: it is {plain(one.state)}", cure="a set can be exported once it is published")
    return one


@contextmanager
def _progress(name: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    bars = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}"), *bars, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name)
        yield lambda done, everything: bar.update(task, completed=done, total=everything)
