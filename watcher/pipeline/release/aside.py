"""The holding folder: all files of a set are moved there, or none, and come back to where they were.

It lies in the watched folder, so that moving is a change of names on the same disk; sweeps pass it by.
"""

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from watcher import names, osfacts
from watcher.errors import SourceUnreadable, UsageError
from watcher.model import ImageSet, Member
from watcher.pipeline.release.checks import same_files


def folder_of(image_set: ImageSet) -> Path:
    """Where the files of a set wait: below the watched folder, by the set's identifier."""
    return image_set.root / names.ASIDE / image_set.id.rpartition(":")[2]


def place_of(image_set: ImageSet, member: Member) -> Path:
    """Where one file waits."""
    return folder_of(image_set) / member.path


def move_there(image_set: ImageSet, members: Sequence[Member]) -> None:
    """Move all files of a set to its holding folder. Raises SourceUnreadable if one cannot be; then call `bring_back`.

    What was replaced by another file in the moment before it was moved is found here, since a move keeps what a file
    is to the system.
    """
    try:
        for member in members:
            place = place_of(image_set, member)
            place.parent.mkdir(parents=True, exist_ok=True)
            osfacts.move_new(image_set.root / member.path, place)
        for folder in {place_of(image_set, member).parent for member in members}:
            osfacts.sync_directory(folder)
    except OSError as error:
        raise SourceUnreadable(f"{error.filename}: it cannot be put aside ({error.strerror})") from error
    if changed := next(same_files(members, lambda member: place_of(image_set, member)), None):
        raise SourceUnreadable(changed)


def bring_back(image_set: ImageSet, members: Sequence[Member]) -> list[str]:
    """Move what is in the holding folder back to where it was; what could not be, in words.

    A file that has meanwhile taken such a name stays, and so does ours in the holding folder.
    """
    problems = []
    for member in members:
        place, home = place_of(image_set, member), image_set.root / member.path
        if not os.path.lexists(place):
            continue
        try:
            home.parent.mkdir(parents=True, exist_ok=True)
            osfacts.move_new(place, home)
        except FileExistsError:
            if _are_one(place, home):  # a move that was cut off between its two steps
                place.unlink()
            else:
                problems.append(f"{home}: another file is there now; the one of the set is {place}")
        except OSError as error:
            problems.append(f"{place}: it cannot be moved back ({error.strerror})")
    if not problems:
        clear(image_set)
    return problems


def clear(image_set: ImageSet) -> None:
    """Remove the empty folders that held a set's files. Raises UsageError if something is left in them."""
    folder = folder_of(image_set)
    for path, _, _ in os.walk(folder, topdown=False):
        _remove_empty(Path(path), must=True)
    _remove_empty(folder.parent, must=False)


def folders_left(image_set: ImageSet, members: Sequence[Member]) -> Iterator[Path]:
    """The folders that were the set's own, innermost first: those that hold nothing else may go with it."""
    own = image_set.folder if image_set.grouped_by == "directory" else None
    found = set()
    for member in members:
        for parent in Path(member.path).parents:
            inside = own is not None and parent.is_relative_to(own)
            if inside or (own is None and parent != Path(image_set.folder) and parent.is_relative_to(image_set.folder)):
                found.add(parent)
    for parent in sorted(found, key=lambda path: -len(path.parts)):
        if parent.parts:
            yield image_set.root / parent


def remove_empty_folders(image_set: ImageSet, members: Sequence[Member]) -> None:
    """Remove the folders that were the set's own and are empty now."""
    for folder in folders_left(image_set, members):
        _remove_empty(folder, must=False)


def _remove_empty(folder: Path, *, must: bool) -> None:
    try:
        folder.rmdir()
    except FileNotFoundError:
        pass
    except OSError as error:
        if must and error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            raise UsageError(
                f"{folder}: something lies there that is not of the set", cure="move it to where it belongs"
            ) from None
        if must:
            raise SourceUnreadable(f"{folder}: it cannot be removed ({error.strerror})") from error


def _are_one(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
