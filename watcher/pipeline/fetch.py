"""A published set back from a store into a folder, as it was on the microscope's disk."""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from watcher import names
from watcher.errors import UsageError
from watcher.model import ImageSet, Member
from watcher.pipeline.retrieve import (
    Readable,
    check_names,
    content_of,
    named,
    part_of,
    published_manifest,
    receive,
    sha256_of,
)
from watcher.provenance import crate, manifest
from watcher.provenance.vocabulary import CRATE, SIZE

#: Files that are in the way and named.
_MOST = 3


@dataclass(frozen=True, slots=True)
class Fetched:
    """What is there now: files and bytes in a folder, how many files of them had been there before."""

    folder: Path
    files: int
    size: int
    kept: int


def fetch(
    image_set: ImageSet,
    collection: str,
    known: Sequence[Member],
    session: Readable,
    folder: Path,
    progress: Callable[[int, int], None],
) -> Fetched:
    """Bring the set from this collection into a folder, every byte compared with the manifest that was published.

    The members get the names and, as far as they are known, the times that they had; a set that was a folder becomes
    one. `known` is what the journal knows of them. What is there and right is kept, and what was cut off is gone on
    with. Raises UsageError, before anything is written, if something else is there or the disk cannot hold it; a
    FixityError, and what a session raises. `progress` is called with the bytes that are done and how many there are.
    """
    avus = session.avus(collection)
    wanted = manifest.parse(published_manifest(session, collection, avus))
    top = (image_set.folder.name or image_set.name) if image_set.grouped_by == "directory" else ""
    places = {target: folder / top / names.original_path(target) for target in wanted}
    total = sum(int(avu.value) for avu in avus if avu.attribute == SIZE)
    with named(folder):
        check_names(wanted, (path.relative_to(folder).as_posix() for path in places.values()), folder)
        there = _right_ones(wanted, places)
        _check_room(folder, total, places.values())
        times = _times(wanted, known, session, collection)
        done = 0
        for target, path in places.items():
            if target not in there:
                receive(session, collection, target, path, wanted[target], _beyond(done, total, progress))
            if target in times:
                os.utime(path, ns=(times[target], times[target]))
            done += path.stat().st_size
            progress(done, total)
    return Fetched(folder / top, len(places), done, len(there))


def _right_ones(wanted: Mapping[str, str], places: Mapping[str, Path]) -> set[str]:
    """The members that are there already. Raises UsageError if something else has the place of one."""
    there = {target for target, path in places.items() if os.path.lexists(path)}
    other = sorted(target for target in there if not _is(places[target], wanted[target]))
    if other:
        more = f" and {len(other) - _MOST} more" if len(other) > _MOST else ""
        raise UsageError(
            f"{', '.join(str(places[target]) for target in other[:_MOST])}{more}: something else is there",
            cure="move it away, or give another folder with --to; nothing is overwritten",
        )
    return there


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and not path.is_symlink() and sha256_of(path) == digest


def _check_room(folder: Path, total: int, places: Iterable[Path]) -> None:
    """Raise UsageError if the disk has less room than what is still to come."""
    here = [file for path in places for file in (path, part_of(path)) if file.is_file()]
    free, left = shutil.disk_usage(folder).free, total - sum(file.stat().st_size for file in here)
    if free < left:
        raise UsageError(
            f"{folder}: {left} bytes are to come, and {free} are free", cure="make space, or give another folder"
        )


def _times(wanted: Mapping[str, str], known: Sequence[Member], session: Readable, collection: str) -> Mapping[str, int]:
    """When each member was last changed, in ns since 1970: from the journal, else to the second from the crate."""
    times = {one.target: one.facts.mtime_ns for one in known if wanted.get(one.target) == one.sha256}
    if len(times) < len(wanted) and (described := content_of(session, collection, CRATE)):
        try:
            files = crate.contents_in(described.decode("utf-8")).files
        except ValueError:  # somebody has changed it, and the times are all that it is asked for
            files = ()
        listed = {one.target: one.modified * 10**9 for one in files if wanted.get(one.target) == one.sha256}
        times = {**listed, **times}
    return times


def _beyond(before: int, total: int, progress: Callable[[int, int], None]) -> Callable[[int], None]:
    return lambda done: progress(before + done, total)
