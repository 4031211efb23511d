"""The verbs to try it with: `simulate` writes image sets as an instrument does, `demo` shows the whole way."""

import hashlib
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Annotated

import typer

from watcher import profile as profiles
from watcher import simulate as microscope
from watcher.cli.app import VerboseOption, say
from watcher.cli.console import listening
from watcher.daemon import Daemon
from watcher.errors import Exit, UsageError, WatcherError
from watcher.journal import Journal
from watcher.logs.lines import set_up
from watcher.model import ImageSet, State
from watcher.provenance import manifest
from watcher.signals import ended_by_signals

_PROFILE = """\
# The profile of the demonstration: everything happens in this folder.
instrument: {name: demo-microscope}
watch:
  - {path: data, settle: 1s, sweep: 5s}
complete: {quiet: 3s}
store: {kind: folder, path: archive}
"""
_SETS = (("ome-tiff-series", "embryo"), ("growing-stack", "timelapse"), ("plane-directory", "plate"))
_PATIENCE = 60.0


def simulate(
    kind: Annotated[str | None, typer.Argument(help="What to write; none: list them.", show_default=False)] = None,
    into: Annotated[Path, typer.Option(help="The folder to write into.")] = Path(),
    name: Annotated[str, typer.Option(help="The name of the image set.")] = "simulated",
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
    missing: Annotated[list[int] | None, typer.Option(help="A member that never comes.", show_default=False)] = None,
    truncate: Annotated[bool, typer.Option("--truncate", help="Cut the last image file in half.")] = False,
    fast: Annotated[bool, typer.Option("--fast", help="Without the pauses of an instrument.")] = False,
) -> None:
    """Write an image set as an instrument does.

    Example: irods-watcher simulate growing-stack --into data --name timelapse
    """
    if kind is None:
        for title, writer in microscope.KINDS.items():
            say(f"{title:20} {(writer.__doc__ or '').splitlines()[0]}")
        return
    if kind not in microscope.KINDS:
        raise UsageError(f"{kind}: no such kind", cure=f"there are {', '.join(microscope.KINDS)}")
    into.mkdir(parents=True, exist_ok=True)
    written = microscope.KINDS[kind](
        into, name, pause=_no_pause if fast else time.sleep, seed=seed, missing=tuple(missing or ()), truncate=truncate
    )
    say(f"{name}: {len(written)} files in {into}")


def demo(
    folder: Annotated[Path, typer.Argument(help="A new folder for the demonstration.")] = Path("demo"),
    verbose: VerboseOption = False,
) -> int:
    """Show the whole way in a minute.

    A simulated microscope writes, a watcher delivers, and the archive proves itself.

    Example: irods-watcher demo
    """
    set_up(verbose=verbose)
    _prepare(folder)
    say(f"A watcher starts on the empty folder {folder / 'data'}; a simulated microscope writes three sets into it.")
    with Journal(folder / "state", owned=True) as journal, listening(journal.sets.members) as listener:
        daemon = Daemon(profiles.load(folder / "profile.yaml"), journal, listener)
        with ended_by_signals(daemon.stop) as signals:
            _acquire_while_watching(daemon, journal, folder / "data")
        if signals:
            return Exit.INTERRUPTED
        sets = journal.sets.in_states(State.PUBLISHED)
    if len(sets) != len(_SETS):
        raise WatcherError(f"only {len(sets)} of {len(_SETS)} sets arrived within {_PATIENCE:.0f} s")
    for one in sets:
        _prove(folder / "archive" / (one.collection or ""), one)
    say(f"All {len(sets)} sets are safe in {folder / 'archive'}, and every file there has the digest of its manifest.")
    return Exit.OK


def _prepare(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "profile.yaml").exists() or (folder / "profile.yaml").read_text(encoding="utf-8") != _PROFILE:
            raise UsageError(f"{folder}: it is not empty", cure="give another folder for the demonstration")
        shutil.rmtree(folder)  # only what an earlier demonstration left
    for name in ("data", "archive"):
        (folder / name).mkdir(parents=True)
    (folder / "profile.yaml").write_text(_PROFILE, encoding="utf-8")


def _acquire_while_watching(daemon: Daemon, journal: Journal, data: Path) -> None:
    instruments = [
        threading.Thread(target=microscope.KINDS[kind], args=(data, name), kwargs={"pause": time.sleep}, name=name)
        for kind, name in _SETS
    ]
    watcher = threading.Thread(target=daemon.run, name="watcher")
    watcher.start()
    for instrument in instruments:
        instrument.start()
    end = time.monotonic() + _PATIENCE
    told: dict[str, ImageSet] = {}
    while time.monotonic() < end and not daemon.stopping and len(told) < len(_SETS):
        for one in journal.sets.in_states():
            _tell(one, told)
        time.sleep(0.2)
    for instrument in instruments:
        instrument.join()
    daemon.stop()
    watcher.join()


def _tell(one: ImageSet, told: dict[str, ImageSet]) -> None:
    if one.state is State.PUBLISHED and one.id not in told:
        told[one.id] = one
        took = (one.published_at or 0) - one.last_change
        say(f"  {one.name}: safe in the archive, {took:.1f} s after its last file was written")


def _prove(collection: Path, one: ImageSet) -> None:
    """Check the archive without this program, where the system has sha256sum."""
    if shutil.which("sha256sum"):
        command = ["sha256sum", "--quiet", "--strict", "-c", manifest.NAME]
        checked = subprocess.run(command, cwd=collection, check=False)  # noqa: S603 - no word of it comes from outside
        good = checked.returncode == 0
        how = " ".join(command)
    else:
        lines = (collection / manifest.NAME).read_text(encoding="utf-8").splitlines()
        pairs = [line.split("  ", 1) for line in lines]
        good = all(hashlib.sha256((collection / name).read_bytes()).hexdigest() == digest for digest, name in pairs)
        how = f"digests in {manifest.NAME}"
    if not good:
        raise WatcherError(f"{collection}: a file does not have the digest of its manifest")
    say(f"  {one.name}: {how}: all files good")


def _no_pause(seconds: float) -> None:
    """As fast as the disk is."""
