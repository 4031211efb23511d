"""Counting the bytes that are read from the files of one folder."""

import io
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO, cast


class Counted:
    """Counts the bytes read from files below a folder, and all openings of such files, also those by other ways."""

    def __init__(self, folder: Path) -> None:
        self.bytes: Counter[str] = Counter()
        self.openings = 0
        self.counted_openings = 0
        self._folder = str(folder)
        self._lock = threading.Lock()

    def opener(self, who: str) -> Any:
        """What stands in for `osfacts.open_shared` where `who` opens files."""

        def open_counted(path: Path) -> BinaryIO:
            with self._lock:
                self.counted_openings += str(path).startswith(self._folder)
            return cast(BinaryIO, _File(str(path), self, who if str(path).startswith(self._folder) else "other"))

        return open_counted

    def add(self, who: str, count: int) -> None:
        """Some bytes were read."""
        with self._lock:
            self.bytes[who] += count

    def watch_openings(self) -> None:
        """Count every opening of a file from now on, by whatever part of the program."""

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            if event == "open" and str(arguments[0]).startswith(self._folder):
                with self._lock:
                    self.openings += 1

        sys.addaudithook(hook)


class _File(io.FileIO):
    """An unbuffered file that counts what the system returned."""

    def __init__(self, path: str, counted: Counted, who: str) -> None:
        super().__init__(path, "rb")
        self._counted = counted
        self._who = who

    def readinto(self, buffer: Any, /) -> int:
        count = super().readinto(buffer) or 0
        self._counted.add(self._who, count)
        return count

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(-1 if size is None else size) or b""
        self._counted.add(self._who, len(data))
        return data

    def readall(self) -> bytes:
        data = super().readall() or b""
        self._counted.add(self._who, len(data))
        return data


def fetched() -> int:
    """The bytes that the disks have given to this process so far, in whole pages; 0 where the system does not say."""
    counters = Path("/proc/self/io")
    if not counters.exists():
        return 0
    lines = dict(line.split(": ") for line in counters.read_text(encoding="ascii").splitlines())
    return int(lines["read_bytes"])
