"""Bytes read from the disk for a byte delivered, by the whole way from the watched folder to publication."""

import json
from pathlib import Path
from unittest import mock

import watcher.formats
from tests.benchmarks.counting import Counted, fetched
from tests.benchmarks.files import MIB, forget_cached, write_file
from tests.benchmarks.processes import Figures, fresh
from tests.benchmarks.telling import table, tell
from tests.benchmarks.way import deliver, write_profile
from tests.benchmarks.zones import HOME, test_server
from watcher import names, osfacts, simulate
from watcher.formats import reading


def run(place: Path, *, small: bool) -> None:
    """Tell the figures for single lane, stream lane and TIFFs, and for all together."""
    tell("reads: bytes read for a byte delivered, once over the whole way")
    kinds = {
        "20 KB files (single lane)": {"files": 50 if small else 500},
        "40 MiB files (stream lane)": {"large": 2 if small else 8},
        "OME-TIFF z-stacks": {"stacks": 2 if small else 20},
        "all of these, with a second copy": {
            "files": 50 if small else 500,
            "large": 2 if small else 8,
            "stacks": 2 if small else 20,
            "copies": 1,
        },
    }
    rows: list[tuple[str, ...]] = []
    for name, content in kinds.items():
        found = measure(place / str(len(rows)), **content)
        delivered = found["delivered"]
        rows.append(
            (
                name,
                f"{found['files']:.0f}",
                f"{delivered / MIB:.1f}",
                f"{found['source'] / delivered:.4f}",
                f"{found['formats'] / delivered:.4f}",
                f"{found['formats'] / found['files']:.0f}",
                f"{found['disk'] / delivered:.3f}",
            )
        )
        if found["uncounted"]:
            tell(f"  {name}: {found['uncounted']:.0f} openings of source files that were not counted")
    table(("", "files", "MiB", "delivery", "formats", "formats, bytes/file", "disk"), rows)
    tell("  delivery, formats: what read() returned, for a byte delivered; disk: what the kernel fetched for it all")
    tell("  a second copy, in a folder, is not counted as delivered; `disk` has the reading back that proves it")


def measure(place: Path, *, files: int = 0, large: int = 0, stacks: int = 0, copies: int = 0) -> Figures:
    """Bytes that were delivered, and read by the delivery, by the formats, and by the kernel from the disk.

    With `copies` they go to so many folders as well; `copied` is what is there then.
    """
    data = place / "data"
    data.mkdir(parents=True)
    for number in range(files):
        write_file(data / f"{number:04d}.bin", 20_000)
    for number in range(large):
        write_file(data / f"large-{number:04d}.bin", 40 * MIB)
    for number in range(stacks):
        simulate.ome_tiff_series(data / f"stack-{number}", f"stack-{number}", pause=lambda _: None, seed=number)
    with test_server(place) as zone:
        folders = [place / f"copy-{number}" for number in range(copies)]
        for folder in folders:
            folder.mkdir()
        more = f"copies: {json.dumps([{'kind': 'folder', 'path': str(folder)} for folder in folders])}\n"
        path = write_profile(place, zone, data, "reads", sets="auto", more=more)
        found: Figures = fresh(counted, str(path), str(place))
        assert zone.server
        stored = zone.server.ask("objects", prefix=HOME)
    members = [item for path, item in stored.items() if Path(path).name not in names.SIDECARS]
    found["delivered"] = sum(item["size"] for item in members if item["status"] == 1)
    found["files"] = len(members)
    files_there = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    found["copied"] = sum(path.stat().st_size for path in files_there if path.name not in names.SIDECARS)
    return found


def counted(path: str, place: str) -> Figures:
    """Deliver everything below `place`/data once, and count what is read of it."""
    data = Path(place, "data")
    count = Counted(data)
    source, formats = count.opener("source"), count.opener("formats")
    for file in data.rglob("*.*"):
        forget_cached(file)
    before = fetched()
    count.watch_openings()
    with (
        mock.patch.object(osfacts, "open_shared", source),
        mock.patch.object(watcher.formats, "open_shared", formats),
        mock.patch.object(reading, "open_shared", formats),
    ):
        deliver(path, str(Path(place, "state")))
    return {
        "source": count.bytes["source"],
        "formats": count.bytes["formats"],
        "uncounted": count.openings - count.counted_openings,
        "disk": fetched() - before,
    }
