"""A plate of 100,000 images: how long until it is one set, judged, and examined, and how much memory that takes."""

import io
import json
import struct
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.processes import Figures, fresh, memory_peak
from tests.benchmarks.telling import table, tell
from tests.unit.formats.test_yokogawa import synthetic_yokogawa
from watcher.clock import SystemClock
from watcher.journal import Journal
from watcher.model import State
from watcher.pipeline.validate import validate
from watcher.pipeline.watching import Watching
from watcher.profile import Complete, FolderStore, Instrument, Profile, Sets, Watch
from watcher.stores.folder import FolderStore as Archive


def run(place: Path, *, small: bool) -> None:
    """Print the steps from files on the disk to a judged set."""
    count = 10_000 if small else 100_000
    _make(place / "data" / "plate", count)
    found = fresh(steps, str(place))
    tell(f"plate: one CV8000 measurement of {count} images, as it lies there after the acquisition")
    rows = [[step, f"{found[step]:.2f}", f"{found[f'peak: {step}']:.0f}"] for step in _STEPS]
    table(["", "s", "peak MiB"], rows)


_STEPS = ("sweep", "one set", "judged", "examined")


def steps(place: str) -> Figures:
    """Sweep, assemble, judge and examine in this process."""
    root = Path(place, "data")
    watch = Watch(path=root, settle=0.0)
    profile = Profile.model_construct(
        instrument=Instrument(name="CV8000"), watch=(watch,), sets=Sets(), complete=Complete(quiet=0.0),
        store=FolderStore(kind="folder", path=Path(place)), source=Path("plate.yaml"), digest="",
    )  # fmt: skip
    figures: Figures = {}
    with Journal(Path(place, "state"), owned=True) as journal:
        watching = Watching(watch, profile, journal, Archive(Path(place)), SystemClock(), trust_times=True)
        _time(figures, "sweep", watching.sweep.run)
        _time(figures, "one set", lambda: watching.look_at(()))
        _time(figures, "judged", watching.judge)
        (one,) = journal.sets.in_states(State.COMPLETE)
        files = [
            (file.path, json.loads(file.claim)[0] if file.claim else "tiff") for file in journal.files.of_set(one.id)
        ]
        _time(figures, "examined", lambda: validate(root, files))
    return figures


def _time(figures: Figures, step: str, work: Any) -> None:
    begin = time.perf_counter()
    work()
    figures[step] = time.perf_counter() - begin
    figures[f"peak: {step}"] = memory_peak()


def _make(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    names = [f"plate_A01_T0001F{number:06}L01A01Z01C01.tif" for number in range(count)]
    image = _smallest_tiff()
    for name in names:
        (folder / name).write_bytes(image)
    synthetic_yokogawa(folder, names)


def _smallest_tiff() -> bytes:
    """One pixel: TIFF 6.0, section 2 and 8."""
    fields = ((256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1), (279, 1))
    data = io.BytesIO()
    data.write(struct.pack("<2sHI", b"II", 42, 10) + b"\0\0" + struct.pack("<H", len(fields)))
    for tag, value in fields:
        data.write(struct.pack("<HHII", tag, 4, 1, value))
    data.write(struct.pack("<I", 0))
    return data.getvalue()
