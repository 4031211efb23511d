"""The verbs before anything runs: `init` writes a profile, `validate` checks one."""

from pathlib import Path
from typing import Annotated

import typer

from watcher import formats
from watcher import profile as profiles
from watcher.cli.app import JsonOption, say
from watcher.errors import Exit, ProfileError, UsageError, WatcherError
from watcher.notify import open_channels, open_sinks
from watcher.overview import records
from watcher.profile.sample import sample
from watcher.provenance.registers import Registers
from watcher.stores import open_store


def init(
    path: Annotated[Path, typer.Argument(help="The profile to write; never overwritten.")] = Path("profile.yaml"),
    instrument: Annotated[str, typer.Option(help="A short name for the instrument.")] = "my-microscope",
    watch: Annotated[Path, typer.Option(help="The folder that the instrument writes to.")] = Path("data"),
    archive: Annotated[Path | None, typer.Option(help="Send to this folder.", show_default=False)] = None,
    collection: Annotated[
        str | None, typer.Option(help="Send to iRODS, below this collection.", show_default=False)
    ] = None,
    mount: Annotated[
        Path | None,
        typer.Option(help="Send nothing: --collection is mounted here by NFSRODS, --watch below.", show_default=False),
    ] = None,
) -> None:
    """Write a commented profile to start from.

    Example: irods-watcher init lsm980.yaml --instrument LSM980-2 --watch D:/Data --collection /zone/home/facility
    """
    if archive and collection:
        raise UsageError("--archive and --collection exclude each other")
    if mount and not collection:
        raise UsageError("--mount needs --collection", cure="say which collection is mounted there, as in /zone")
    if mount and collection:
        text = sample(instrument, str(watch), "mount", collection.rstrip("/"), str(mount))
    elif collection:
        target = collection.rstrip("/") + "/{year}/{instrument}/{folder}/{set}"
        text = sample(instrument, str(watch), "irods", target)
    else:
        text = sample(instrument, str(watch), "folder", str(archive or "archive"))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path}: it is there already", cure="choose another name, or remove it first") from None
    except OSError as error:
        raise UsageError(f"{path}: it cannot be written ({error.strerror})", cure="choose another place") from None
    say(f"{path} is written. Next: look through it, then `irods-watcher validate {path}`.")


def validate(
    paths: Annotated[list[Path], typer.Argument(help="The profiles to check.", show_default=False)],
    online: Annotated[bool, typer.Option("--online", help="Also log in and look at the target collection.")] = False,
    json: JsonOption = False,
) -> int:
    """Check profiles, every mistake with its line.

    Example: irods-watcher validate profiles/*.yaml
    """
    problems: dict[str, list[str]] = {}
    for path in paths:
        try:
            _check(path, online=online)
            problems[str(path)] = []
        except ProfileError as error:
            problems[str(path)] = list(error.problems)
        except WatcherError as error:
            problems[str(path)] = [f"{path}: {error}"]
    if json:
        records.emit(profiles=[{"path": path, "problems": found} for path, found in problems.items()])
    else:
        for name, found in problems.items():
            say("\n".join(found) or f"{name}: good")
    return Exit.CONFIGURATION if any(problems.values()) else Exit.OK


def _check(path: Path, *, online: bool) -> None:
    profile = profiles.load(path)
    formats.checked(profile.sets.formats)
    cure = "make this folder, or write the right one there"
    missing = [
        f"{path}: watch.path {watch.path} is not there; {cure}" for watch in profile.watch if not watch.path.is_dir()
    ]
    # What the profile names is as much of it as what stands in it.
    problems = [*missing, *Registers(profile).refresh().problems.values()]
    if problems:
        raise ProfileError([line for problem in problems for line in problem.splitlines()])
    if online:
        from watcher.pipeline.destination import destination_of

        open_sinks(profile)  # what they keep secret may be only in the environment of the service
        open_channels(profile)
        for watch in profile.watch:
            for base in destination_of(profile, watch).bases:
                open_store(profile).check(base, used=False)
