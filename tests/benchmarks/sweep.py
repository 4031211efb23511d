"""What it costs to watch a large tree in which nothing happens, beside watchdog's PollingObserver and os.walk."""

import os
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.processes import Figures, cpu_of, elapsed, fresh, memory_now, memory_peak
from tests.benchmarks.telling import table, tell
from watcher.clock import SystemClock
from watcher.journal import Journal
from watcher.pipeline.observe import Sweep
from watcher.profile import Watch

FOLDERS = 200
#: What is demanded of a watcher in whose folder nothing changes: so many times less CPU and memory.
DEMANDED = 4
_TIMES = 5
#: Long enough ago that a directory's time is trusted.
_AGE = 3600.0
POLLING = "PollingObserver"


def run(place: Path, *, small: bool) -> None:
    """Tell the figures for 200,000 files, or 20,000."""
    files = 20_000 if small else 200_000
    tell(f"sweep: {files} files in {FOLDERS} folders, each case in a fresh process; ratios to {POLLING}")
    found = measure(place, files)
    first = found["first: s"]
    tell(f"  first sweep, everything is new: {first:.1f} s, {files / first:.0f} files/s, {_memory(found, 'first')}")
    tell("  nothing changes:")
    rows = []
    for name in CASES:
        cells = [name]
        ratios = []
        for key, form in (("cpu", ".3f"), ("more", ".1f"), ("peak", ".0f")):
            value = found[f"{name}: {key}"]
            ratios.append(found[f"{POLLING}: {key}"] / value)
            cells += [f"{value:{form}}", f"{ratios[-1]:.1f}"]
        missed = name.startswith("irods-watcher") and min(ratios[:2]) < DEMANDED
        rows.append((*cells, f"below {DEMANDED}" if missed else ""))
    less = "times less"
    table(("", "CPU s", less, "MiB above start", less, "peak MiB", less, ""), rows)


def measure(place: Path, files: int) -> Figures:
    """CPU seconds for one look and memory in MiB of all cases."""
    make_tree(place / "data", files)
    found: Figures = {f"first: {key}": value for key, value in fresh(first, str(place)).items()}
    for name, (function, live) in CASES.items():
        fresh(set_live, str(place), live)
        found |= {f"{name}: {key}": value for key, value in fresh(function, str(place)).items()}
    return found


def make_tree(data: Path, files: int) -> None:
    """Empty files with the names of planes, in folders that were last changed an hour ago."""
    for folder in range(FOLDERS):
        path = data / f"{folder:03d}"
        path.mkdir(parents=True)
        for number in range(files // FOLDERS):
            (path / f"img_channel000_position{folder:03d}_time{number:09d}_z000.tif").touch()
        then = path.stat().st_mtime - _AGE
        os.utime(path, (then, then))
    os.utime(data, (then, then))


def first(place: str) -> Figures:
    """The first sweep of all, with a new journal."""
    before = memory_now()
    with Journal(Path(place, "state")) as journal:
        seconds = elapsed(_sweep(place, journal).run)
    return {"s": seconds, **_memory_since(before)}


def set_live(place: str, live: bool) -> None:
    """Let every folder be a set of which everything, or nothing, is still to be done."""
    root = Path(place, "data")
    with Journal(Path(place, "state")) as journal, journal.database.transaction() as sql:
        for folder in os.listdir(root):
            journal.files.assign(root, journal.files.in_folder(root, folder), folder)
            journal.files.rest(folder)
        if live:
            sql.execute("UPDATE file SET live = 1")


def quiet(place: str) -> Figures:
    """The sweeps of a watcher that was started on a journal which knows everything."""
    before = memory_now()
    with Journal(Path(place, "state")) as journal:
        sweep = _sweep(place, journal)
        started = cpu_of(sweep.run)
        seen = [sweep.run()]
        cpu = cpu_of(lambda: seen.append(sweep.run()), _TIMES)
    _nothing_changed(any(one.changed or one.listed for one in seen))
    return {"cpu": cpu, "started": started, **_memory_since(before)}


def deep(place: str) -> Figures:
    """The same, with everything listed again each time, as is done once an hour."""
    before = memory_now()
    with Journal(Path(place, "state")) as journal:
        sweep = _sweep(place, journal)
        cpu = cpu_of(lambda: sweep.run(deep=True), _TIMES)
    return {"cpu": cpu, **_memory_since(before)}


def polling(place: str) -> Figures:
    """The polls of PollingObserver's own emitter in the calling thread, after the one at its start."""
    from watchdog.events import FileSystemEventHandler
    from watchdog.observers.polling import PollingObserver

    before = memory_now()
    observer = PollingObserver(timeout=0)
    observer.schedule(FileSystemEventHandler(), str(Path(place, "data")), recursive=True)
    (emitter,) = observer.emitters
    emitter.on_thread_start()
    cpu = cpu_of(lambda: emitter.queue_events(0), _TIMES)
    _nothing_changed(not observer.event_queue.empty())
    return {"cpu": cpu, **_memory_since(before)}


def walk(place: str) -> Figures:
    """os.walk and a stat of every file, and nothing kept."""
    before = memory_now()

    def look() -> None:
        for folder, _, names in os.walk(Path(place, "data")):
            for name in names:
                os.stat(os.path.join(folder, name))

    return {"cpu": cpu_of(look, _TIMES), **_memory_since(before)}


CASES: dict[str, tuple[Callable[[str], Figures], bool]] = {
    POLLING: (polling, False),
    "os.walk and stat": (walk, False),
    "irods-watcher, all published": (quiet, False),
    "irods-watcher, all live": (quiet, True),
    "irods-watcher, hourly deep sweep": (deep, False),
}


def _sweep(place: str, journal: Journal) -> Sweep:
    return Sweep(Watch(path=Path(place, "data")), journal, SystemClock())


def _memory_since(before: float) -> Figures:
    return {"peak": memory_peak(), "more": max(0.1, memory_peak() - before)}


def _memory(found: Figures, name: str) -> str:
    return f"peak {found[f'{name}: peak']:.0f} MiB, {found[f'{name}: more']:.1f} MiB above start"


def _nothing_changed(changed: bool) -> None:
    if changed:
        raise RuntimeError("something changed in the tree while it was measured")
