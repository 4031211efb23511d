"""Files to deliver: written, forgotten by the cache, frozen."""

import os
from pathlib import Path

from watcher import osfacts
from watcher.stores.source import Source

MIB = 1024 * 1024


def write_file(path: Path, size: int) -> Path:
    """A file of random bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for start in range(0, size, MIB):
            file.write(os.urandom(min(MIB, size - start)))
    return path


def write_set(folder: Path, count: int, size: int) -> Path:
    """A folder of planes of random bytes: with `sets: {group: directory}` one image set."""
    for number in range(count):
        write_file(folder / f"plane_{number:06d}.raw", size)
    return folder


def forget_cached(path: Path) -> None:
    """Let the next reading of the file come from the disk, where the system allows that."""
    with path.open("rb") as file:
        os.fsync(file.fileno())  # what is not on the disk yet is not forgotten
        osfacts.forget_cached(file)


def source_of(path: Path) -> Source:
    """The file as a member that was frozen just now."""
    return Source(path, osfacts.facts_at(path))
