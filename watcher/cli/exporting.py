"""The verbs that take a set out of the archive: `export` makes a bag of it, `fetch` brings it back as it was."""

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
from watcher.cli.app import StateOption, complain_plainly, known_profile, say, state_of
from watcher.cli.completing import WhichSet
from watcher.cli.requesting import ProfileOption
from watcher.errors import UsageError, WatcherError
from watcher.journal import FILE_NAME, Journal
from watcher.model import ImageSet, State
from watcher.overview.words import amount, files, plain
from watcher.pipeline.export import export as make_bag
from watcher.pipeline.fetch import fetch as bring_back
from watcher.profile import MAIN, Profile
from watcher.stores import open_copies, open_store

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


def fetch(
    which: Annotated[str, typer.Argument(help="Name, identifier or collection of a set.", show_default=False)],
    to: Annotated[Path, typer.Option("--to", help="The folder to bring it into.")] = Path(),
    origin: Annotated[
        str, typer.Option("--from", help="Where to take it from: the store, or one of the profile's copies by name.")
    ] = MAIN,
    profile: ProfileOption = None,
    state: StateOption = None,
) -> None:
    """Bring a set back as it was, every byte verified.

    What is there already and right is kept, and nothing is overwritten: after an interruption the same command goes on.

    Example: irods-watcher fetch 20260304_Actin_plate3 --to E:/again
    """
    loaded = known_profile(profile, state)
    folder = to.resolve()
    if not folder.is_dir():
        raise UsageError(f"{to}: there is no such folder", cure="create it, or give another one with --to")
    if any(folder.is_relative_to(watch.path.resolve()) for watch in loaded.watch):
        cure = "give a folder elsewhere with --to"
        raise UsageError(f"{folder}: nothing is ever written into a folder that is watched", cure=cure)
    one = _found(which, loaded, state)
    with Journal(state_of(loaded, state)) as journal:
        known, copies = journal.sets.members(one.id), journal.copies.of(one.id)
    places = {MAIN: one.collection or ""} | {copy.name: copy.collection for copy in copies if copy.collection}
    stores = {MAIN: open_store(loaded), **open_copies(loaded)}
    if origin not in stores or origin not in places:
        there = ", ".join(name for name in places if name in stores)
        raise UsageError(f"{origin}: {one.name} is not there", cure=f"it is in {there}")
    try:
        with stores[origin].session() as session, _progress(one.name) as progress:
            done = bring_back(one, places[origin], known, session, folder, progress)
    except WatcherError as error:
        if error.store_wide and (others := [copy.name for copy in copies if copy.verified_at and copy.name != origin]):
            error.cure += f", or give --from {others[0]}"
        raise
    kept = f" ({done.kept} of them had been there)" if done.kept else ""
    say(f"{done.folder}: {files(done.files)}{kept}, {amount(done.size)}, every byte as in the manifest")


def _found(which: str, profile: Profile, state: Path | None) -> ImageSet:
    folder = state_of(profile, state)
    if not (folder / FILE_NAME).exists():
        raise UsageError(f"{folder}: no journal is there", cure="check --state or IRODS_WATCHER_STATE")
    with Journal(folder) as journal:
        one = journal.sets.find(which)
    if one.state not in _EXPORTABLE or not one.collection:
        raise UsageError(f"{one.name}: it is {plain(one.state)}", cure="a set leaves the archive once it is published")
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
