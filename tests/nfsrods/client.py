"""One computer that has mounted NFSRODS: its own cache of attributes, and what goes wrong with a mount.

A program is given it as a `Disk`. The bytes lie in a real folder, as far as this computer has seen them by then, so
that formats read them as they read any file.
"""

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from watcher.osfacts import Disk, Entry

from .server import Attributes, Nfsrods

#: acregmax and acdirmax of nfs(5), in seconds: the most that this computer believes what it has been told.
KEPT: Final = 60.0
_DEVICE: Final = 4711


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    path: str
    attributes: Attributes

    def is_symlink(self) -> bool:
        return False

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return self.attributes.is_dir

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        return self.attributes.as_stat(_DEVICE)


@dataclass
class Client(Disk):
    """`logical` of the zone mounted at `root`, as the user with this uid sees it."""

    nfsrods: Nfsrods
    root: Path
    logical: str
    uid: int
    device: int = _DEVICE
    mounted: bool = True
    #: What was asked of the mount: the operation and the path.
    asked: list[tuple[str, str]] = field(default_factory=list)
    #: Other bytes than the zone has that are read here, by path below the root: what a page cache may do.
    instead: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._known: dict[str, tuple[float, Attributes]] = {}
        self._lists: dict[str, tuple[float, list[str]]] = {}
        self._faults: list[tuple[str, int, str]] = []
        self._away = self.root.with_name(f"{self.root.name}-behind")
        self.root.mkdir(exist_ok=True)

    # faults

    def fail(self, path: str, error: int, times: int = 1, what: str = "") -> None:
        """Let what is asked next of this path (below the root) fail: `stat`, `list`, or anything."""
        self._faults += [(path, error, what)] * times

    def unmount(self) -> None:
        """Only the mount point is left, which is an empty folder."""
        with self._lock:
            self.mounted = False
            self.root.rename(self._away)
            self.root.mkdir()

    def mount(self, device: int | None = None) -> None:
        """It is there again, perhaps as another device."""
        with self._lock:
            self.root.rmdir()
            self._away.rename(self.root)
            self.mounted = True
            self.device = device or self.device
            self.forget()

    def forget(self) -> None:
        """Nothing is believed any more of what was told before."""
        self._known.clear()
        self._lists.clear()

    # looking, as a program does

    def stat(self, path: Path) -> os.stat_result:
        """stat(2)."""
        with self._lock:
            self._note("stat", path)
            if not self.mounted:
                return os.stat(path)
            attributes = self._attributes(self._logical(path))
            self._show(path, attributes)
            return attributes.as_stat(self.device)

    @contextlib.contextmanager
    def entries(self, folder: Path) -> Iterator[Iterator[Entry]]:
        """readdir(3)."""
        with self._lock:
            self._note("list", folder)
            if not self.mounted:
                with os.scandir(folder) as entries:
                    yield iter(list(entries))
                return
            found = self._listing(self._logical(folder))
            for name in set(os.listdir(folder) if folder.is_dir() else ()) - found.keys():
                self._remove(folder / name)
            for name, attributes in found.items():
                self._show(folder / name, attributes)
            yield iter([_Entry(name, str(folder / name), attributes) for name, attributes in found.items()])

    def walk(self) -> None:
        """Look at everything, so that the folder holds what is seen of the zone by now."""
        folders = [self.root]
        while folders:
            # What went away meanwhile is not there the next time.
            with contextlib.suppress(OSError), self.entries(folder := folders.pop()) as entries:
                folders += [folder / entry.name for entry in entries if entry.is_dir()]

    def _listing(self, logical: str) -> dict[str, Attributes]:
        now = self.nfsrods.clock()
        at, names = self._lists.get(logical, (now - KEPT, []))
        if now - at < KEPT / 2 and names:
            return {name: self._attributes(f"{logical}/{name}") for name in names}
        found = self.nfsrods.listing(self.uid, logical)
        for name, attributes in found.items():
            before = self._known.get(f"{logical}/{name}")
            if before is None or now - before[0] >= KEPT:
                self._known[f"{logical}/{name}"] = (now, attributes)
        self._lists[logical] = (now, list(found))
        return {name: self._known[f"{logical}/{name}"][1] for name in found}

    def _attributes(self, logical: str) -> Attributes:
        now = self.nfsrods.clock()
        known = self._known.get(logical)
        if known is None or now - known[0] >= KEPT:
            try:
                known = self._known[logical] = (now, self.nfsrods.attributes(self.uid, logical))
            except OSError:
                self._known.pop(logical, None)
                raise
        return known[1]

    def _note(self, what: str, path: Path) -> None:
        below = path.relative_to(self.root).as_posix()
        self.asked.append((what, below))
        for fault in self._faults:
            place, error, kind = fault
            if place == below and kind in ("", what):
                self._faults.remove(fault)
                raise OSError(error, os.strerror(error), str(path))

    def _logical(self, path: Path) -> str:
        below = path.relative_to(self.root).as_posix()
        return self.logical if below == "." else f"{self.logical}/{below}"

    def _show(self, path: Path, attributes: Attributes) -> None:
        """Let the folder hold what this computer sees: no more bytes than it knows of."""
        if attributes.is_dir:
            path.mkdir(parents=True, exist_ok=True)
            return
        instead = self.instead.get(path.relative_to(self.root).as_posix())
        before = path.stat() if path.exists() else None
        if before and (before.st_size, before.st_mtime) == (attributes.size, attributes.modified) and not instead:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        data = instead or self.nfsrods.read(self.uid, self._logical(path), 0, attributes.size)
        path.write_bytes(data)
        os.utime(path, (attributes.modified, attributes.modified))

    @staticmethod
    def _remove(path: Path) -> None:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
