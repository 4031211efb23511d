"""What is on the disk: a sweep finds everything, and native events only say where to look sooner."""

import os
import stat
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wcmatch import glob

from watcher import names, osfacts
from watcher.clock import Clock
from watcher.errors import WatchFolderError
from watcher.journal import Journal
from watcher.model import FileFacts
from watcher.profile import Watch

#: Names that acquisition programs, browsers, copy programs and operating systems use for what is not finished or no
#: data (reference/image-formats.md, section 1).
IGNORED = (
    "*.tmp", "*.temp", "*.part", "*.partial", "*.crdownload", "*.filepart", "*.lock", "*.lck", "*.swp", "~$*", "*~",
    "*downloading", "*.__lock", ".*", "Thumbs.db", "desktop.ini",
)  # fmt: skip
#: Names with a dot that are data all the same: the metadata of zarr version 2 (zarr specification v2, storage).
_DATA = frozenset({".zarray", ".zattrs", ".zgroup", ".zmetadata"})
#: A directory that was changed this many seconds before it was listed may change again without its time telling: FAT
#: counts in steps of two seconds.
_COARSE = 2.5
_FLAGS = glob.GLOBSTAR | glob.BRACE | glob.DOTGLOB | glob.FORCEUNIX | glob.IGNORECASE
# Directories of zarr and others begin with a dot; temporary directories are told by the other patterns.
_IGNORED_FOLDERS = (*(pattern for pattern in IGNORED if pattern not in (".*", "*.lock")), names.ASIDE)


@dataclass(slots=True)
class Seen:
    """What one sweep found: how much it looked at, where something changed, and which folders it could not read."""

    folders: int = 0
    listed: int = 0
    files: int = 0
    changed: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


#: By name, with the status whence the facts are, if there is one.
_Files = dict[str, tuple[FileFacts, os.stat_result | None]]


@dataclass(frozen=True, slots=True)
class _Listing:
    mtime_ns: int
    listed_at: float
    folders: tuple[str, ...]


class Sweep:
    """Walks one watched folder and tells the journal what is new, different or gone.

    A directory whose own time did not change is not listed again; in it only the live files are looked at. `deep` lists
    all the same, for systems and programs that change files without a trace. What is kept here between sweeps only
    saves work: without it the next sweep is a deep one.

    On a disk that is not to be trusted, as a mount is not, everything is listed each time, and what seems new,
    different or gone is asked for again in a way that can be believed (`osfacts.Disk.confirmed`).

    With `trust_times` a file that is new to the journal is taken to be at rest since its own latest time stamp and
    not since now. A sweep ends early if the program is `stopping`. Raises WatchFolderError if the folder is not
    there, or looks emptied (a share that went away).
    """

    def __init__(
        self,
        watch: Watch,
        journal: Journal,
        clock: Clock,
        *,
        trust_times: bool = False,
        stopping: Callable[[], bool] = lambda: False,
        disk: osfacts.Disk = osfacts.LOCAL,
    ) -> None:
        self.watch = watch
        self._disk = disk
        self._stopping = stopping
        self._files = journal.files
        self._clock = clock
        self._trust_times = trust_times
        self._listings: dict[str, _Listing] = {}
        # On a mount, by folder: what is listed there and is the watcher's own, as the last question has shown.
        self._ours: dict[str, frozenset[str]] = {}
        self._wanted = Filter(watch)

    def run(self, *, deep: bool = False) -> Seen:
        """Look at everything below the watched folder."""
        seen = Seen()
        with self._disk.looking():
            live = self._files.live_folders(self.watch.path)
            self._check_root(bool(live))
            self._walk([""], seen, live, deep=deep or not self._disk.trusted)
            if seen.unread and not self._disk.trusted:
                # A mount stumbles over single paths (ESTALE, EIO, ENOENT), and mostly not twice.
                again, seen.unread, seen.problems = sorted(seen.unread), set(), []
                self._walk(again, seen, live, deep=True)
        return seen

    def look_at(self, folders: Iterable[str]) -> Seen:
        """Look only at these folders, and at what is new below them; on a mount, at what can be believed of them."""
        seen = Seen()
        with self._disk.looking():
            self._check_root(known=False)
            stack = [folder for folder in folders if self._is_watched(folder)]
            while stack:
                folder = stack.pop()
                before = self._listings.get(folder)
                known = set(before.folders) if before else set()
                below = self._visit(folder, seen, live=False, deep=True, sure=True)
                stack.extend(path for path in below if path not in known or path not in self._listings)
        return seen

    def _walk(self, stack: list[str], seen: Seen, live: Collection[str], *, deep: bool) -> None:
        # Cut short, it has seen less: nothing is concluded from what was not looked at.
        while stack and not self._stopping():
            folder = stack.pop()
            stack.extend(self._visit(folder, seen, live=folder in live, deep=deep))

    def _is_watched(self, folder: str) -> bool:
        """Whether a sweep would come to this folder: no part of its path is temporary, excluded or a link."""
        path = ""
        for part in folder.split("/") if folder else ():
            path = f"{path}/{part}" if path else part
            if not self._wanted.folder(path, part) or (self.watch.path / path).is_symlink():
                return False
        return True

    def _check_root(self, known: bool) -> None:
        root = self.watch.path
        try:
            with self._disk.entries(root) as entries:
                empty = next(entries, None) is None
        except OSError as error:
            raise WatchFolderError(f"{root}: the watched folder cannot be read ({error.strerror or error})") from error
        if empty and self._disk.trusted and (known or self._files.count(root)):
            raise WatchFolderError(
                f"{root}: the watched folder is empty although files were seen in it",
                cure="if its disk or share went away, bring it back; nothing is forgotten meanwhile",
            )

    def _visit(self, folder: str, seen: Seen, *, live: bool, deep: bool, sure: bool = False) -> tuple[str, ...]:
        """Look at one directory, and return the paths of the directories in it."""
        path = self.watch.path / folder
        seen.folders += 1
        try:
            mtime_ns = self._disk.stat(path).st_mtime_ns
            before = self._listings.get(folder)
            if before and not deep and before.mtime_ns == mtime_ns and mtime_ns / 1e9 < before.listed_at - _COARSE:
                if live:
                    self._look_at_live(folder, seen)
                return before.folders
            now = time.time()  # the file system's clock is compared with, not the watcher's own
            listing = self._list(folder, path, seen, sure=sure)
            self._listings[folder] = _Listing(mtime_ns, now, listing)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and self._disk.gone(path):
                if folder:
                    self._forget(folder, seen)
                return ()
            # Not read as "all files deleted": what is known stays known until the folder can be read again.
            seen.unread.add(folder)
            seen.problems.append(f"{path}: the folder cannot be read ({error.strerror or error})")
            return ()
        return listing

    def _list(self, folder: str, path: Path, seen: Seen, *, sure: bool) -> tuple[str, ...]:
        seen.listed += 1
        folders: list[str] = []
        now_there: _Files = {}
        unsure: set[str] = set()
        facts_from = self._disk.facts
        for entry in _entries(self._disk, path):
            relative = f"{folder}/{entry.name}" if folder else entry.name
            try:
                if osfacts.is_link(entry):
                    # Never followed: it may lead out of the watched folder, and what it shows inside is seen anyway.
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if self._wanted.folder(relative, entry.name):
                        folders.append(relative)
                elif self._wanted.file(relative, entry.name):
                    status = osfacts.status_of(entry)
                    if stat.S_ISREG(status.st_mode):
                        now_there[entry.name] = facts_from(status), status
            except FileNotFoundError:
                continue
            except OSError as error:
                # Whatever it is, it is there: what is known of it stays known.
                unsure.add(entry.name)
                seen.unread.add(folder)
                seen.problems.append(f"{path / entry.name}: it cannot be looked at ({error.strerror or error})")
        seen.files += len(now_there)
        self._compare(folder, now_there, unsure, seen, sure=sure)
        self._forget_lost_folders(folder, {*folders, *(f"{folder}/{name}".lstrip("/") for name in unsure)}, seen)
        return tuple(folders)

    def _compare(self, folder: str, now_there: _Files, unsure: set[str], seen: Seen, *, sure: bool) -> None:
        known = self._files.known(self.watch.path, folder)
        now = self._clock.now()
        changed, gone = self._differences(known, now_there, unsure, now)
        if not self._disk.trusted and (gone or sure or changed.keys() - self._ours.get(folder, frozenset())):
            beyond_doubt = self._disk.confirmed(self.watch.path / folder)
            # What the watcher itself says of a set lies among its files, and is none of them.
            self._ours[folder] = names.SIDECARS & changed.keys() - beyond_doubt.keys()
            now_there = {name: (facts, None) for name, facts in beyond_doubt.items() if self._wants(folder, name)}
            changed, gone = self._differences(known, now_there, (), now)
        elif not self._disk.trusted:
            changed = {}
        if changed or gone:
            self._files.record_since(self.watch.path, folder, changed, gone, now)
            seen.changed.add(folder)

    def _differences(
        self, known: Mapping[str, tuple[int, int, str]], now_there: _Files, unsure: Collection[str], now: float
    ) -> tuple[dict[str, tuple[FileFacts, float]], set[str]]:
        """The files that are new or different, with the time since which they rest, and those that are gone."""
        changed = {
            name: (facts, self._since(name in known, facts, status, now))
            for name, (facts, status) in now_there.items()
            if known.get(name) != facts
        }
        return changed, known.keys() - now_there.keys() - set(unsure)

    def _wants(self, folder: str, name: str) -> bool:
        return self._wanted.file(f"{folder}/{name}" if folder else name, name)

    def _since(self, was_known: bool, facts: FileFacts, status: os.stat_result | None, now: float) -> float:
        if was_known or not self._trust_times:
            return now
        return min(max(status.st_mtime, status.st_ctime) if status else facts.mtime_ns / 1e9, now)

    def _look_at_live(self, folder: str, seen: Seen) -> None:
        """The listing is the same, but files may have grown: only those that somebody still waits for are asked.

        Size and time are enough: a file that took another's name has changed the time of the directory.
        """
        changed: dict[str, FileFacts] = {}
        live = self._files.live_in(self.watch.path, folder)
        seen.files += len(live)
        with osfacts.asking_in(os.path.join(self.watch.path, folder)) as ask:
            for name, size, mtime_ns in live:
                try:
                    status = ask(name)
                except OSError:
                    continue  # gone or unreadable just now: the directory's time tells at the next sweep
                if status.st_mtime_ns != mtime_ns or status.st_size != size:
                    changed[os.fsdecode(name)] = osfacts.facts_from(status)
        if changed:
            self._files.record(self.watch.path, folder, changed, (), self._clock.now())
            seen.changed.add(folder)

    def _forget_lost_folders(self, folder: str, there: set[str], seen: Seen) -> None:
        before = self._listings.get(folder)
        if before is None:
            depth = folder.count("/") + 1 if folder else 0
            below = self._files.subfolders(self.watch.path, folder)
            known = {"/".join(path.split("/")[: depth + 1]) for path in below}
        else:
            known = set(before.folders)
        for lost in known - there:
            wanted = self._wanted.folder(lost, lost.rpartition("/")[2])
            if not wanted or self._disk.gone(self.watch.path / lost):
                self._forget(lost, seen)

    def _forget(self, folder: str, seen: Seen) -> None:
        for path in self._files.subfolders(self.watch.path, folder) | {folder}:
            self._listings.pop(path, None)
            seen.changed.add(path)
        self._files.forget_folder(self.watch.path, folder, self._clock.now())


class Filter:
    """Which files and folders the profile wants to be watched."""

    def __init__(self, watch: Watch) -> None:
        everything = tuple(watch.include) == ("**",)
        self._included = None if everything else glob.compile(watch.include, flags=_FLAGS)
        self._excluded = glob.compile(watch.exclude, flags=_FLAGS) if watch.exclude else None
        self._temporary = _suffix_test(IGNORED)
        self._temporary_folder = _suffix_test(_IGNORED_FOLDERS)

    def file(self, path: str, name: str) -> bool:
        """Whether a file is data that is wanted."""
        if (self._temporary(name) and name not in _DATA) or (self._included and not self._included.match(path)):
            return False
        return not (self._excluded and self._excluded.match(path))

    def folder(self, path: str, name: str) -> bool:
        """Whether a folder is to be looked into."""
        if self._temporary_folder(name):
            return False
        return not (self._excluded and self._excluded.match(path + "/"))


def _suffix_test(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """A test for the shapes that IGNORED has (*end, start*, whole names), faster than globs on a million files."""
    ends = tuple(pattern[1:].lower() for pattern in patterns if pattern.startswith("*"))
    starts = tuple(pattern[:-1].lower() for pattern in patterns if pattern.endswith("*"))
    names = {pattern.lower() for pattern in patterns if "*" not in pattern}

    def test(name: str) -> bool:
        lower = name.lower()
        return lower.endswith(ends) or (bool(starts) and lower.startswith(starts)) or lower in names

    return test


def _entries(disk: osfacts.Disk, path: Path) -> Iterator[osfacts.Entry]:
    with disk.entries(path) as entries:
        yield from entries
