"""What anything on a disk is: its sets, whether they are whole and sound, and what they say of themselves."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from watcher import formats, osfacts
from watcher.clock import SystemClock
from watcher.errors import SourceGone, SourceUnreadable
from watcher.journal import Journal
from watcher.journal.files import SeenFile
from watcher.pipeline.assemble import Assembly, Group, stem
from watcher.pipeline.observe import Sweep
from watcher.pipeline.validate import Validation, validate
from watcher.profile import Sets, Watch


@dataclass(frozen=True, slots=True)
class Inspection:
    """One set as it lies there; complete says only whether all is there that its files list."""

    root: Path
    group: Group
    complete: bool
    validation: Validation


def inspect(path: Path) -> Iterator[Inspection]:
    """The sets in a folder, or the one that a file belongs to. Raises SourceError."""
    try:
        if path.is_dir():
            yield from _folder(path)
        else:
            yield from _file(path)
    except FileNotFoundError as error:
        raise SourceGone(f"{error.filename}: there is no such file or folder", cure="check the name") from error
    except OSError as error:
        raise SourceUnreadable(f"{error.filename}: it cannot be read ({error.strerror})") from error


def _folder(path: Path) -> Iterator[Inspection]:
    watch = Watch(path=path, settle=0.0)
    with tempfile.TemporaryDirectory(prefix="irods-watcher-") as state, Journal(Path(state)) as journal:
        clock = SystemClock()
        Sweep(watch, journal, clock).run()
        assembly = Assembly(watch, Sets(), journal)
        for area in sorted(assembly.areas((), clock.now(), {})):
            for group in assembly.groups(area):
                yield _judge(path, group)


def _file(path: Path) -> Iterator[Inspection]:
    """Only the file's own set: what it lists, what those list, and what shares a stem; never the whole folder."""
    folder = path.parent
    wanted = {path.name, *(entry.name for entry in os.scandir(folder) if stem(entry.name) == stem(path.name))}
    asked: set[str] = set()
    while wanted - asked:
        name = min(wanted - asked)
        asked.add(name)
        if (folder / name).is_file():
            claim = formats.look(folder / name)
            wanted |= {other for other in claim.lists if "/" not in other} if claim else set()
        elif name == path.name:
            raise FileNotFoundError(2, "no such file", str(path))
    there = {name: osfacts.facts_at(folder / name) for name in wanted if (folder / name).is_file()}
    watch = Watch(path=folder, settle=0.0)
    with tempfile.TemporaryDirectory(prefix="irods-watcher-") as state, Journal(Path(state)) as journal:
        clock = SystemClock()
        journal.files.record(folder, "", there, (), clock.now())
        assembly = Assembly(watch, Sets(), journal)
        assembly.learn("", clock.now())
        for group in assembly.groups(""):
            if any(file.name == path.name for file in group.files):
                yield _judge(folder, group)


def _judge(root: Path, group: Group) -> Inspection:
    found = validate(root, [(file.path, _kind(root, file)) for file in group.files])
    problems = tuple(dict.fromkeys((*group.problems, *found.problems)))
    remarks = tuple(dict.fromkeys((*group.remarks, *found.remarks)))
    complete = not (group.missing or found.missing)
    return Inspection(root, group, complete, replace(found, problems=problems, remarks=remarks))


def _kind(root: Path, file: SeenFile) -> str:
    claim = formats.look(root / file.path)
    return claim.format if claim else ""
