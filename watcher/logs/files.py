"""The log in files: ten of at most 10 MB, each line one JSON object; whatever is wrong with them harms nothing else."""

import contextlib
import errno
import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

#: The folder of the log beside the journal.
FOLDER: Final = "logs"
_NAME: Final = re.compile(r"watcher-(\d{6,})\.jsonl")
#: After a failure the files are left alone for so long, in seconds.
_REST: Final = 60.0


def numbered(folder: Path) -> dict[int, Path]:
    """The files of the log by their numbers, the oldest first; none if there is no folder."""
    try:
        found = [(re.fullmatch(_NAME, entry.name), entry.path) for entry in os.scandir(folder)]
    except OSError:
        return {}
    return {number: Path(path) for number, path in sorted((int(name[1]), path) for name, path in found if name)}


class Files(logging.Handler):
    """Writes each record as one line; a full file is left as it is and a new one begun, the oldest removed.

    Nothing is renamed, so that a file which somebody reads keeps its name, on Windows too. One process at a time may
    write: the owner of the journal. `told` hears once what is wrong, and "" when the files are written again.
    """

    def __init__(
        self,
        folder: Path,
        told: Callable[[str], None],
        *,
        most: int = 10,
        size: int = 10_000_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._folder = folder
        self._told = told
        self._most = most
        self._limit = size
        self._clock = clock
        self._file: int | None = None
        self._number, self._path = 0, folder
        self._length = 0
        self._cut = False
        self._again_at = float("-inf")
        self._problem = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line, unless that cannot be done."""
        try:
            line = self.format(record).encode("ascii", "backslashreplace") + b"\n"
        except Exception:
            self.handleError(record)
            return
        if self._clock() < self._again_at:
            return
        try:
            self._write(line)
        except OSError as error:
            self._let_go()
            self._again_at = self._clock() + _REST
            self._say(f"{self._folder}: the log cannot be written ({error.strerror or error})")
        else:
            self._say("")

    def close(self) -> None:
        """Let go of the file."""
        self.acquire()
        try:
            self._let_go()
        finally:
            self.release()
        super().close()

    def _write(self, line: bytes) -> None:
        if self._file is None or not self._path.exists():
            self._open(max(numbered(self._folder), default=1))
        if self._length and self._length + len(line) > self._limit:
            self._open(self._number + 1)
        assert self._file is not None  # noqa: S101 - it was opened
        # What a full disk or a power failure has cut off must not spoil the line behind it.
        line = b"\n" + line if self._cut else line
        self._cut = True
        written = os.write(self._file, line)
        self._length += written
        if written < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._cut = False

    def _open(self, number: int) -> None:
        self._let_go()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for earlier, path in numbered(self._folder).items():
            if earlier <= number - self._most:
                with contextlib.suppress(OSError):
                    path.unlink()
        self._number, self._path = number, self._folder / f"watcher-{number:06d}.jsonl"
        self._file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        self._length, self._cut = os.lseek(self._file, 0, os.SEEK_END), False
        if self._length:
            os.lseek(self._file, -1, os.SEEK_END)
            self._cut = os.read(self._file, 1) != b"\n"

    def _let_go(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = None

    def _say(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self._told(problem)
