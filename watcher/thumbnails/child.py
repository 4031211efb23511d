"""One picture, made in a process of its own: what a file may cost is bounded, whatever is in it.

A thread would do for files that are what they seem. But a strip of a TIFF can unpack to gigabytes from a megabyte, in
one call of a library that nothing can stop: in the watcher's own process that would take the memory of the acquisition
PC, and the watcher with it. Figures: tests/benchmarks/README.md, `pictures`.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from watcher import osfacts
from watcher.thumbnails.__main__ import NOTHING

#: What one picture may take: memory in bytes, and seconds of CPU. After so many seconds by the clock it is given up for
#: this time: the computer may be busy, or the disk.
MEMORY: Final = 512 << 20
CPU_SECONDS: Final = 20
PATIENCE: Final = 300.0
#: Address space that is no memory: libraries that are mapped, stacks of threads.
_MAPPED: Final = 256 << 20
#: How often in seconds it is looked at.
_LOOK: Final = 0.05
#: A picture of 256 x 256 colours that cannot be packed has 200 kB.
_MOST: Final = 1 << 20
_PNG: Final = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The picture, or why there is none; `final`: it is the same the next time."""

    picture: bytes = b""
    why: str = ""
    final: bool = True


def make(
    files: Sequence[tuple[Path, str]],
    wait: Callable[[float], bool],
    *,
    memory: int = MEMORY,
    seconds: float = CPU_SECONDS,
    patience: float = PATIENCE,
) -> Outcome:
    """A picture of the first of these files (path, format) in which something can be seen.

    `wait` sleeps for seconds and says whether to give up.
    """
    limits = {"memory": memory + _MAPPED, "seconds": int(seconds) + 1}
    asked = {"files": [[str(path), kind] for path, kind in files], **limits}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        said.write(json.dumps(asked).encode())
        said.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "watcher.thumbnails"],
            stdin=said, stdout=out, stderr=subprocess.DEVNULL, creationflags=osfacts.NO_WINDOW,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        try:
            stopped = _watch(process, wait, memory, seconds, patience)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        return stopped or _result(process.returncode, out)


def _watch(
    process: "subprocess.Popen[bytes]", wait: Callable[[float], bool], memory: int, seconds: float, patience: float
) -> Outcome | None:
    """Wait for the end of it; what it is given up for, None if it ended by itself."""
    import psutil  # imported here: only a watcher that makes pictures needs it

    waited = 0.0
    while process.poll() is None:
        try:
            told = psutil.Process(process.pid)
            used, cpu = told.memory_info().rss, told.cpu_times()
        except psutil.Error:
            used, cpu = 0, None  # it has just ended
        if used > memory:
            return Outcome(why=f"it takes more than {memory >> 20} MiB of memory")
        if cpu is not None and cpu.user + cpu.system > seconds:
            return Outcome(why=f"it takes more than {seconds:g} s of CPU")
        if waited > patience:
            return Outcome(why=f"it takes more than {patience:g} s", final=False)
        if wait(_LOOK):
            return Outcome(why="the watcher stops", final=False)
        waited += _LOOK
    return None


def _result(code: int, out: IO[bytes]) -> Outcome:
    if code == NOTHING:
        return Outcome(why="nothing in it can be shown")
    out.seek(0)
    picture = out.read(_MOST + 1)
    if code or not picture.startswith(_PNG) or len(picture) > _MOST:
        return Outcome(why="it cannot be read within the memory and time that a picture may take")
    return Outcome(picture)
