"""What a thumbnail costs, and what a hostile file would: made in a process of its own, and in the watcher's."""

import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import tifffile

from tests.benchmarks.processes import Figures, fresh, memory_peak
from tests.benchmarks.telling import table, tell
from tests.unit.thumbnails.hostile import MIB, bomb
from watcher.thumbnails.child import make
from watcher.thumbnails.pixels import of_file

_PLAIN, _LARGE, _PACKED, _BOMB = "plane 2048²", "plane 30000², not packed", "tiles 16384², packed", "bomb"


def run(place: Path, *, small: bool) -> None:
    """Tell the figures for files of several kinds."""
    unpacked = 256 if small else 4096
    tell(f"pictures: one thumbnail of each file; the bomb unpacks to {unpacked} MiB")
    rows = []
    for name, path in files(place, unpacked, small=small).items():
        found = fresh(apart, str(path))
        inside = fresh(within, str(path))
        size = path.stat().st_size / MIB
        rows.append(
            (name, f"{size:.1f}", f"{found['s']:.2f}", f"{found['cpu']:.2f}", f"{found['peak']:.0f}",
             "yes" if found["made"] else "no", f"{inside['s']:.2f}", f"{inside['peak']:.0f}")
        )  # fmt: skip
    table(("", "MiB", "apart: s", "CPU s", "peak MiB", "made", "within: s", "peak MiB"), rows)
    tell("  apart: with the start of the process; within: in this one, its libraries loaded, as a thread would do it")


def files(place: Path, unpacked: int, *, small: bool) -> dict[str, Path]:
    """What pictures are made of; that of 30000 x 30000 pixels has holes, so that it takes no room."""
    paths = {name: place / f"{number}.tif" for number, name in enumerate((_PLAIN, _LARGE, _PACKED))}
    side = 512 if small else 2048
    tifffile.imwrite(paths[_PLAIN], np.add.outer(np.arange(side), np.arange(side)).astype("u2"))
    side = 2000 if small else 30_000
    tifffile.imwrite(paths[_LARGE], shape=(side, side), dtype="u2", photometric="minisblack")
    with tifffile.TiffFile(paths[_LARGE]) as file:
        offset = file.pages[0].dataoffsets[0]
    with paths[_LARGE].open("r+b") as file:
        file.seek(offset)
        file.write(bytes(range(256)) * 100)
    side = 1024 if small else 16_384
    ramp = np.add.outer(np.arange(256), np.arange(256)).astype("u2")
    tiles = (ramp for _ in range((side // 256) ** 2))
    tifffile.imwrite(paths[_PACKED], tiles, shape=(side, side), dtype="u2", tile=(256, 256), compression="zlib")
    return {**paths, _BOMB: bomb(place / "bomb.tif", unpacked * MIB)}


def apart(path: str) -> Figures:
    """A picture as the watcher has it made: seconds, CPU and peak of the process of its own."""
    most = 0.0

    def wait(seconds: float) -> bool:
        nonlocal most
        for child in psutil.Process().children():
            try:
                most = max(most, memory_peak(child.pid))
            except (OSError, StopIteration):
                continue
        time.sleep(seconds / 10)
        return False

    before, begin = psutil.Process().cpu_times(), time.perf_counter()
    outcome = make([(Path(path), "")], wait)
    after = psutil.Process().cpu_times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"s": time.perf_counter() - begin, "cpu": cpu, "peak": most, "made": float(bool(outcome.picture))}


def within(path: str) -> Figures:
    """The same pixels read in this process."""
    begin = time.perf_counter()
    with suppress(Exception):  # only what it costs is asked
        of_file(Path(path), "")
    return {"s": time.perf_counter() - begin, "peak": memory_peak()}
