"""A million files under watch in which nothing happens: CPU and memory of `run`, and its sweep beside a bare walk.

The journal of a watcher that delivered everything long ago is made by the journal's own methods, not by delivering.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from tests.benchmarks.processes import Figures, elapsed, fresh, memory_peak
from tests.benchmarks.running import running
from tests.benchmarks.telling import table, tell
from tests.benchmarks.way import write_profile
from tests.benchmarks.zones import Zone, test_server
from watcher.clock import SystemClock
from watcher.journal import Journal
from watcher.model import UNDER_WAY, Member, State
from watcher.pipeline.observe import Sweep
from watcher.profile import Complete, Watch

FOLDERS = 1000
#: What is asked: per cent of a core, MiB, and times a walk.
CPU, MEMORY, WALKS = 1.0, 300.0, 2.0
PUBLISHED, LIVE = "all published", "all live"
WALKERS = ("scandir and stat, nothing kept", "first sweep of all", "first sweep after a start")
#: Long ago, so that folders rest and their times are trusted.
_AGE = 86400.0


def run(place: Path, *, small: bool) -> None:
    """Tell the figures for 1,000,000 files, or 20,000, over two of the sweeps that come every minute, or over one."""
    files, seconds = (20_000, 70.0) if small else (1_000_000, 140.0)
    free = os.statvfs(place).f_favail
    if free < 1.1 * files:
        tell(f"idle: {place} has room for {free} more files only: put TMPDIR on another disk")
        return
    tell(f"idle: {files} files in {FOLDERS} folders, `run` watched for {seconds:g} s after it came to rest")
    with test_server(place) as zone:
        found = measure(zone, files, seconds)
    walks = []
    for name in WALKERS:
        times, cpu = (found[f"{name}: {key}"] / found[f"{WALKERS[0]}: {key}"] for key in ("s", "cpu"))
        walks.append(
            (name, f"{found[f'{name}: s']:.1f}", f"{times:.2f}", f"{found[f'{name}: cpu']:.1f}", f"{cpu:.2f}",
             f"{found[f'{name}: peak']:.0f}", "" if times <= WALKS else f"over {WALKS:g}")
        )  # fmt: skip
    table(("", "s", "times", "CPU s", "times", "peak MiB", ""), walks)
    rows = []
    for name in (PUBLISHED, LIVE):
        share, peak = found[f"{name}: %"], found[f"{name}: peak"]
        over = [
            f"over {most:g} {unit}" for value, most, unit in ((share, CPU, "%"), (peak, MEMORY, "MiB")) if value > most
        ]
        rows.append(
            (name, f"{share:.2f}", f"{share / 100 * seconds / found[f'{WALKERS[0]}: cpu']:.2f}", f"{peak:.0f}",
             f"{found[f'{name}: start']:.0f}", f"{found[f'{name}: start cpu']:.1f}", ", ".join(over))
        )  # fmt: skip
    head = ("`run` at rest", "% of a core", "CPU of so many walks", "peak MiB", "s to rest", "CPU s to rest", "")
    table(head, rows)
    tell("  live: sets that still grow, since 24 h without a change are asked for, and are not sent early")


def measure(zone: Zone, files: int, seconds: float, folders: int = FOLDERS, times: int = 3) -> Figures:
    """Times of the walks, then CPU and memory of `run` with everything published, and with everything live."""
    data = zone.place / "data"
    make_tree(data, files, folders)
    found: Figures = {}
    walk(str(data), "")  # so that none of what follows reads the disk for the first time
    for number in range(times):
        state = str(zone.place / f"state-{number}")
        for name, function in zip(WALKERS, (walk, sweep, sweep), strict=True):
            for key, value in fresh(function, str(data), state).items():
                found[f"{name}: {key}"] = min(value, found.get(f"{name}: {key}", value))
    # Without early delivery: sets that grow would not be idle, but be sent.
    early = ", early: false" if "early" in Complete.model_fields else ""
    profile = write_profile(zone.place, zone, data, "idle", settle="20s", complete=f"quiet: 24h{early}")
    for name, live in ((LIVE, True), (PUBLISHED, False)):
        fresh(know, str(data), state, live)
        with running(profile, Path(state)) as program:
            begin = time.monotonic()
            program.wait_until_idle(600)
            found[f"{name}: start"] = time.monotonic() - begin
            found[f"{name}: start cpu"] = before = program.cpu
            time.sleep(seconds)
            found[f"{name}: %"] = 100 * (program.cpu - before) / seconds
            found[f"{name}: peak"] = program.peak
        with Journal(Path(state)) as journal:
            for kind, count in journal.sets.counts().items():
                found[f"{name}: {kind}"] = count
            found[f"{name}: known"] = journal.files.count(data)
    return found


def make_tree(data: Path, files: int, folders: int) -> None:
    """Empty files with the names of planes, in folders that were last changed a day ago."""
    then = time.time() - _AGE
    for folder in range(folders):
        path = data / f"set-{folder:04d}"
        path.mkdir(parents=True)
        for number in range(files // folders):
            os.close(os.open(path / f"img_channel000_time{number:09d}_z000.raw", os.O_CREAT | os.O_WRONLY))
        os.utime(path, (then, then))
    os.utime(data, (then, then))


def walk(data: str, _state: str) -> Figures:
    """A bare walk: scandir, a stat of each file, and nothing kept."""

    def look() -> None:
        stack = [data]
        while stack:
            with os.scandir(stack.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        stack.append(entry.path)
                    else:
                        entry.stat(follow_symlinks=False)

    return _taken(look)


def sweep(data: str, state: str) -> Figures:
    """The first sweep of a process: of all if the journal is new."""
    with Journal(Path(state), owned=True) as journal:
        return _taken(Sweep(Watch(path=Path(data)), journal, SystemClock()).run)


def know(data: str, state: str, live: bool) -> None:
    """Let every folder be a set that still grows, or go on from there to one that was published a day ago."""
    root, then = Path(data), time.time() - _AGE
    with Journal(Path(state), owned=True) as journal, journal.database.transaction() as sql:
        for folder in sorted(os.listdir(root)):
            files = journal.files.in_folder(root, folder)
            one = journal.sets.newest(root, PurePosixPath(folder), folder)
            if one is None:
                one = journal.sets.create(
                    root, PurePosixPath(folder), folder, grouped_by="directory", format="", now=then, last_change=then
                )
                journal.files.assign(root, files, one.id)
                journal.files.taken_in(root, [folder])
            if live:
                continue
            journal.sets.freeze(one, [Member(file.path, file.facts, file.name, "0" * 64) for file in files])
            for state_ in (*UNDER_WAY, State.PUBLISHED):
                one = journal.sets.advance(one, state_, then, completed_at=then, published_at=then, claimed=True)
            journal.files.rest(one.id)
        if live:
            # Not asked of the formats again, and at rest since less than the quiet time: the sets only wait.
            sql.execute("UPDATE file SET claim = '', stale = 0, changed_at = ?", (time.time() - 3600,))
            sql.execute("UPDATE image_set SET last_change = ?, retry_at = 0", (time.time() - 3600,))


def _taken(work: Callable[[], object]) -> Figures:
    cpu = time.process_time()
    seconds = elapsed(work)
    return {"s": seconds, "cpu": time.process_time() - cpu, "peak": memory_peak()}
