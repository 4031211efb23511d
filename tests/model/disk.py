"""The disk of an acquisition PC, and all that was ever on it."""

import io
import itertools
import os
from pathlib import Path

import numpy as np
import tifffile

#: Below that, all that a test writes is dated; the kernel's own times are above.
_PAST = 1_600_000_000_000_000_000
_OUTSIDE = 1_750_000_000_000_000_000


def _tiff(value: int, xml: str = "") -> bytes:
    file = io.BytesIO()
    image = np.full((4, 4), value, np.uint8)
    tifffile.imwrite(file, image, description=xml.encode() or None, metadata=None, photometric="minisblack")
    return file.getvalue()


def _of_series(number: int, *names: str) -> bytes:
    blocks = "".join(
        f'<TiffData IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:uuid:{name}</UUID></TiffData>' for name in names
    )
    sizes = f'SizeX="4" SizeY="4" SizeZ="{len(names)}" SizeC="1" SizeT="1"'
    pixels = f"<Image><Pixels {sizes}>{blocks}</Pixels></Image>"
    schema = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
    return _tiff(number, f'<OME xmlns="{schema}" UUID="urn:uuid:{names[number]}">{pixels}</OME>')


#: A series of two files that list each other, a set of three planes, files that share a stem, one in the way of ours.
SERIES = ("s_1.ome.tif", "s_2.ome.tif")
FILES = (
    "a.dat", "a.txt", "b.tif", "x/a.dat", "x/b.tif", "x/img_z001.tif", "x/img_z002.tif", "x/y/a.dat",
    f"w/{SERIES[0]}", f"w/{SERIES[1]}", "w/img_z001.tif", "manifest-sha256.txt", "odd\udcff%20'\n.dat", "c.dat.tmp",
)  # fmt: skip
_ONE = _tiff(1)
CONTENTS = {
    "empty": b"", "1": b"1", "22": b"22", "33": b"33", "tiff": _ONE, "another tiff": _tiff(2), "cut tiff": _ONE[:-7],
    "first of series": _of_series(0, *SERIES), "second of series": _of_series(1, *SERIES),
}  # fmt: skip


class Disk:
    """A watched folder as instruments and people treat it.

    Each content has a time of its own and no number of a file is used twice, so that what the program can see of a
    file tells its generation, as it does on a real disk between two of its ticks. With `aged`, directories have old
    times that change with each change in them, so that a sweep trusts them.
    """

    def __init__(self, base: Path) -> None:
        self.root = base / "data"
        self.aged = False
        #: Every state that the folder was ever in: contents by path.
        self.past: list[dict[str, bytes]] = []
        self._base = base
        self._ticks = itertools.count(1)
        self._saved: dict[str, tuple[bytes, int]] = {}
        for folder in (self.root, base / "graveyard"):
            folder.mkdir()
        self.write("stays.dat", "1", fresh=True)

    @property
    def plugged(self) -> bool:
        """Whether the share is there."""
        return not (self._base / "unplugged").exists()

    def write(self, path: str, content: str, *, fresh: bool) -> None:
        """A program writes one of `CONTENTS`, in place or under a new identity."""
        self._put(path, CONTENTS[content], _PAST + next(self._ticks), fresh=fresh)

    def append(self, path: str) -> None:
        """A file grows."""
        if self._is(path):
            self._put(path, (self.root / path).read_bytes() + b"+", _PAST + next(self._ticks), fresh=False)

    def truncate(self, path: str) -> None:
        """A file loses its last byte."""
        if self._is(path):
            self._put(path, (self.root / path).read_bytes()[:-1], _PAST + next(self._ticks), fresh=False)

    def exchange(self, path: str) -> None:
        """Another file of the same size and time takes its place: only its identity tells."""
        if self._is(path) and (content := (self.root / path).read_bytes()):
            time = (self.root / path).stat().st_mtime_ns
            self._put(path, content[:-1] + bytes([content[-1] ^ 1]), time, fresh=True)

    def copy_back(self, path: str) -> None:
        """What was there before comes back with its old time."""
        if path in self._saved:
            content, time = self._saved[path]
            self._put(path, content, time, fresh=True)

    def touch(self, path: str) -> None:
        """The time of a file changes."""
        if self._is(path):
            self._put(path, (self.root / path).read_bytes(), _PAST + next(self._ticks), fresh=False)

    def delete(self, path: str) -> None:
        """A file is removed."""
        if self._is(path):
            self._bury(path)
            (self.root / path).unlink()
            self._note()

    def rename(self, path: str, to: str) -> None:
        """A file gets another name, perhaps that of another file."""
        if self._is(path) and path != to:
            if self._is(to):
                self._bury(to)
            (self.root / to).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).rename(self.root / to)
            self._note()

    def move_folder(self, name: str, outside: bool) -> None:
        """A folder is renamed, or taken away; what was moved before comes back."""
        here, there = self.root / name, (self._base if outside else self.root) / f"{name}-moved"
        if not self.plugged:
            return
        if here.exists() and not there.exists():
            here.rename(there)
        elif there.exists() and not here.exists():
            there.rename(here)
        self._note()

    def unplug(self, empty: bool) -> None:
        """The share goes away, and may leave an empty folder behind."""
        if self.plugged:
            self.root.rename(self._base / "unplugged")
            if empty:
                self.root.mkdir()

    def plug(self) -> None:
        """The share comes back."""
        if not self.plugged:
            if self.root.exists():
                self.root.rmdir()
            (self._base / "unplugged").rename(self.root)

    def files(self) -> dict[str, bytes]:
        """The contents of the watched folder by path."""
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in self._all() if path.is_file()}

    def picture(self) -> dict[str, tuple[int, ...]]:
        """All that a program could have changed, without the contents."""
        found: dict[str, tuple[int, ...]] = {}
        for path in self._all():
            status = path.lstat()
            found[str(path)] = (status.st_ino, status.st_mtime_ns, status.st_mode, status.st_size, status.st_nlink)
        return found

    def was(self, files: dict[str, bytes]) -> bool:
        """Whether all these files were on the disk at one moment."""
        return any(files.items() <= moment.items() for moment in self.past)

    def _all(self) -> list[Path]:
        return [self.root, *self.root.rglob("*")] if self.root.exists() else []

    def _is(self, path: str) -> bool:
        return self.plugged and (self.root / path).is_file()

    def _put(self, path: str, content: bytes, time: int, *, fresh: bool) -> None:
        if not self.plugged:
            return
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if self._is(path):
            self._saved[path] = (file.read_bytes(), file.stat().st_mtime_ns)
            if fresh:
                self._bury(path)
        if fresh or not file.exists():
            spool = self._base / "spool"
            spool.write_bytes(content)
            os.utime(spool, ns=(time, time))
            spool.replace(file)
        else:
            file.write_bytes(content)
            os.utime(file, ns=(time, time))
        self._note()

    def _bury(self, path: str) -> None:
        """Keep a file elsewhere, so that its number is not given to another one."""
        os.link(self.root / path, self._base / "graveyard" / str(next(self._ticks)))

    def _note(self) -> None:
        if self.aged:
            for path in self._all():
                if path.is_dir() and path.stat().st_mtime_ns > _OUTSIDE:
                    time = _PAST + next(self._ticks)
                    os.utime(path, ns=(time, time))
        now = self.files()
        if not self.past or self.past[-1] != now:
            self.past.append(now)
