"""Every reason for which a local copy stays. Nothing is touched here; any doubt is a reason."""

import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from watcher import osfacts
from watcher.clock import Clock
from watcher.errors import SourceError
from watcher.journal import Journal
from watcher.model import ImageSet, Member, State
from watcher.pipeline.deliver import FOUND, source_of
from watcher.pipeline.observe import Filter
from watcher.pipeline.release.evidence import MAIN, Ask
from watcher.profile import Profile
from watcher.profile.release import Release

#: Clocks may differ by so many seconds.
_TOLERANCE: Final = 120.0
#: Reasons of one kind that are told.
_MOST: Final = 3


@dataclass(frozen=True, slots=True)
class Checks:
    """What must hold before the local copy of a set may be put aside, in the order of what it costs to ask."""

    profile: Profile
    release: Release
    journal: Journal
    clock: Clock
    acquires: Callable[[], bool]
    ask: Ask
    wall: Callable[[], float] = time.time

    def refusals(self, image_set: ImageSet, *, read: bool = True) -> list[str]:
        """Why the local copy of this set cannot go now, in words; empty if everything was proven.

        Without `read` the bytes of the files are not read, so that it is only what would be refused.
        """
        members = self.journal.sets.members(image_set.id)
        checks: list[Callable[[ImageSet, Sequence[Member]], Iterator[str]]] = [
            self._of_the_set, self._of_the_place, self._of_the_folders, _of_the_files, self._of_the_stores,
        ]  # fmt: skip
        for check in [*checks, _of_the_bytes] if read else checks:
            if found := list(check(image_set, members)):
                return found if len(found) <= _MOST else [*found[:_MOST], f"and {len(found) - _MOST} more"]
        return []

    def _of_the_set(self, image_set: ImageSet, members: Sequence[Member]) -> Iterator[str]:
        now = self.clock.now()
        if image_set.state is not State.PUBLISHED or image_set.published_at is None:
            yield f"it is {image_set.state} and not published"
            return
        if image_set.on_hold:
            yield f"a person holds it: {image_set.on_hold}"
        if image_set.whole is False:
            yield "something of it was missing when it was published"
        if now - image_set.published_at < self.release.youngest:
            yield "it was published too short a time ago"
        if image_set.cleared or not members:
            yield "its files are not here any more"
        if any(member.sha256 is None for member in members):
            yield "it is not known what was sent of it"
        found_at = [at for at, _, note in self.journal.sets.history(image_set.id) if note.startswith(FOUND)]
        if found_at and self.journal.releases.verified_at(image_set.id) < max(found_at):
            yield "the journal was rebuilt, and the set was not verified since: `irods-watcher verify`"

    def _of_the_place(self, image_set: ImageSet, _: Sequence[Member]) -> Iterator[str]:
        """The clock, the share, and the instrument."""
        root = image_set.root
        heartbeat, now = self.journal.noted("heartbeat"), self.clock.now()
        if abs(self.wall() - now) > _TOLERANCE or (isinstance(heartbeat, float) and heartbeat > now + _TOLERANCE):
            yield "the clock of this computer was changed"
        noted = self.journal.noted(f"folder:{root}")
        if not isinstance(noted, dict) or noted.get("problems"):
            yield f"{root}: it was not looked through without trouble lately"
        if not os.path.ismount(root) and not _has_entries(root):
            yield f"{root}: it is empty or cannot be read"
        if self.profile.limits.acquiring and self.acquires():
            yield "the instrument acquires"
        elif any(_share_a_folder(one, image_set) for one in self.journal.sets.in_states(State.GROWING)):
            yield "another set is being written in its folder"

    def _of_the_folders(self, image_set: ImageSet, members: Sequence[Member]) -> Iterator[str]:
        """A file that the watcher does not know, or has not yet looked at, may belong to the set."""
        root, mine = image_set.root, {member.path for member in members}
        wanted = next(Filter(watch) for watch in self.profile.watch if watch.path == root)
        folders = {path.rpartition("/")[0] for path in mine}
        whole = image_set.grouped_by == "directory"
        for folder in sorted(folders):
            known = self.journal.files.known(root, folder)
            try:
                with os.scandir(root / folder) as entries:
                    names = [entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)]
            except OSError as error:
                yield f"{root / folder}: it cannot be read ({error.strerror})"
                continue
            for name in names:
                path = f"{folder}/{name}" if folder else name
                if path not in mine and wanted.file(path, name) and (whole or name not in known):
                    yield f"{root / path}: this file is new in its folder"

    def _of_the_stores(self, image_set: ImageSet, members: Sequence[Member]) -> Iterator[str]:
        answers = self.ask(image_set, members)
        yield from answers.get(MAIN, ["the store was not asked"])
        good = [name for name, wanting in answers.items() if not wanting]
        if len(good) < self.release.copies:
            yield f"{len(good)} of {self.release.copies} copies are there and whole" + _first_of(answers)


def same_files(members: Sequence[Member], at: Callable[[Member], Path]) -> Iterator[str]:
    """What is not as it was frozen, of files that lie somewhere, by what the system says of them."""
    for member in members:
        path = at(member)
        try:
            status = path.stat(follow_symlinks=False)
        except OSError as error:
            yield f"{path}: it cannot be looked at ({error.strerror})"
            continue
        if not stat.S_ISREG(status.st_mode):
            yield f"{path}: it is no plain file"
        elif osfacts.facts_from(status) != member.facts:
            yield f"{path}: it is not as it was when it was sent"
        elif status.st_nlink > 1:
            yield f"{path}: it has another name elsewhere (a hard link)"


def _of_the_files(image_set: ImageSet, members: Sequence[Member]) -> Iterator[str]:
    here = _here(image_set)
    yield from same_files(members, here)
    for member in members:
        try:
            if osfacts.is_being_written(here(member)):
                yield f"{here(member)}: a program has it open for writing"
        except OSError as error:
            yield f"{here(member)}: it cannot be opened ({error.strerror})"


def _of_the_bytes(image_set: ImageSet, members: Sequence[Member]) -> Iterator[str]:
    """Each file is read to its end: the same size and time do not prove the same bytes."""
    for member in members:
        try:
            if source_of(image_set, member).sha256() != member.sha256:
                yield f"{image_set.root / member.path}: its bytes are not those that were sent"
        except SourceError as error:
            yield error.what


def _here(image_set: ImageSet) -> Callable[[Member], Path]:
    return lambda member: image_set.root / member.path


def _share_a_folder(one: ImageSet, other: ImageSet) -> bool:
    """Whether files of both lie in one folder, or those of one in what is the other's alone."""
    if one.root != other.root:
        return False
    pairs = ((one, other), (other, one))
    within = (a.folder.is_relative_to(b.folder) for a, b in pairs if b.grouped_by == "directory")
    return one.folder == other.folder or any(within)


def _has_entries(root: Path) -> bool:
    try:
        with os.scandir(root) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def _first_of(answers: Mapping[str, Sequence[str]]) -> str:
    said = [f"{name}: {wanting[0]}" for name, wanting in answers.items() if wanting and name != MAIN]
    return f"; {said[0]}" if said else ""
