"""One large member: time, memory and reads of the stream lane, beside python-irodsclient, iput, hashing and reading."""

import hashlib
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from tests.benchmarks.counting import Counted
from tests.benchmarks.files import MIB, forget_cached, source_of, write_file
from tests.benchmarks.processes import Figures, elapsed, fresh, memory_now, memory_peak
from tests.benchmarks.proxy import line
from tests.benchmarks.telling import table, tell
from tests.benchmarks.zones import Zone, each_zone, no_icommand, reached
from watcher import osfacts

ROUND_TRIP = 0.020
_ID = "urn:uuid:00000000-0000-4000-8000-000000000000"
_BLOCK = 4 * MIB
OURS, PUT = "irods-watcher stream lane", "put(), one stream, checksum"
_COMMANDS = {"iput -K": ("iput", "-K"), "iput -k": ("iput", "-k"), "irsync -K": ("irsync", "-K")}


def run(place: Path, *, small: bool) -> None:
    """Tell the figures for 1 GiB, or 128 MiB."""
    size = 128 * MIB if small else 1024 * MIB
    path = write_file(place / "data" / "large.bin", size)
    for zone in each_zone(place):
        tell(f"large: one member of {size // MIB} MiB, each in a fresh process, server in another; {zone.name}")
        found = measure(zone, path)
        put = found[f"{PUT}: s"]
        rows = []
        for name in (*WAYS, *_COMMANDS, *LATE):
            if f"{name}: s" not in found:
                tell(f"  {no_icommand(zone, name.split()[0])} ({name})")
                continue
            seconds = found[f"{name}: s"]
            peak, more, reads = (found.get(f"{name}: {key}", math.nan) for key in ("MiB peak", "MiB more", "reads"))
            rows.append(
                (name, f"{seconds:.2f}", f"{size / MIB / seconds:.0f}", f"{seconds / put:.2f}",
                 *("-" if math.isnan(value) else f"{value:.0f}" for value in (peak, more)),
                 "-" if math.isnan(reads) else f"{reads:.3f}")
            )  # fmt: skip
        table(("", "s", "MiB/s", "time ratio", "peak MiB", "MiB above start", "reads of the source"), rows)


def measure(zone: Zone, path: Path, times: int = 3) -> Figures:
    """Seconds and memory in MiB for each of `WAYS`, the least of several runs, and how many good objects came of it."""
    found: Figures = {}
    size = path.stat().st_size
    target = f"{zone.base}/large"
    with zone.store().session() as session:
        session.claim(target, _ID)

    def note(name: str, figures: Figures) -> None:
        for key, value in figures.items():
            found[f"{name}: {key}"] = min(value, found.get(f"{name}: {key}", math.inf))

    with line(zone, ROUND_TRIP) as slow:
        for number in range(times):
            for ways, there in ((WAYS, zone), (LATE, slow.zone)):
                for name, function in ways.items():
                    os.sync()  # nobody pays for what the one before has written
                    forget_cached(path)
                    run = f"{function.__name__}-{there.environment.stem}-{number}"
                    note(name, fresh(function, there.where, str(path), f"{target}/{run}"))
            for name, words in _COMMANDS.items():
                if not no_icommand(zone, words[0]):
                    os.sync()
                    forget_cached(path)
                    prefix = "i:" if words[0] == "irsync" else ""
                    note(name, {"s": zone.icommand(*words, path, f"{prefix}{target}/{words[0]}{words[1]}-{number}")})
    with zone.store().session() as session:
        stored = [item for item in session.replicas(target).values() if item.size == size and item.good]
    found["stored"] = len(stored)
    found["checksums"] = len({item.sha256 for item in stored if item.sha256})
    return found


def with_watcher(where: Sequence[str | None], file: str, target: str) -> Figures:
    """The stream lane: sent, hashed on the same read, and compared with what the server computed."""
    path = Path(file)
    collection, _, name = target.rpartition("/")
    count = Counted(path.parent)
    count.watch_openings()
    with (
        mock.patch.object(osfacts, "open_shared", count.opener("source")),
        reached(where).store().session() as session,
    ):
        session.avus(collection)  # connected, as python-irodsclient's is before it is timed
        source = source_of(path)
        figures = _taken(lambda: session.put(source, collection, name, lambda _: None))
    if count.openings != count.counted_openings:
        raise RuntimeError(f"{path}: it was opened by a way that is not counted")
    return figures | {"reads": count.bytes["source"] / source.facts.size}


def with_client(where: Sequence[str | None], file: str, target: str) -> Figures:
    """One stream of python-irodsclient; the server registers a checksum that nobody compares."""
    with reached(where).client() as session:
        return _taken(lambda: session.data_objects.put(file, target, num_threads=1, regChksum=""))


def with_client_streams(where: Sequence[str | None], file: str, target: str) -> Figures:
    """Four streams of python-irodsclient at most: it takes no more than there are cores."""
    with reached(where).client() as session:
        return _taken(lambda: session.data_objects.put(file, target, num_threads=4, regChksum=""))


def with_client_verified(where: Sequence[str | None], file: str, target: str) -> Figures:
    """One stream with what it takes to know that the right bytes arrived: a second read, and the question."""

    def work() -> None:
        session.data_objects.put(file, target, num_threads=1, regChksum="")
        with open(file, "rb") as opened:
            hashlib.file_digest(opened, "sha256")
        session.data_objects.chksum(target)

    with reached(where).client() as session:
        return _taken(work)


def hash_only(_where: Sequence[str | None], file: str, _target: str) -> Figures:
    """Reading and SHA-256."""
    return _taken(source_of(Path(file)).sha256)


def read_only(_where: Sequence[str | None], file: str, _target: str) -> Figures:
    """Reading."""
    source = source_of(Path(file))
    return _taken(lambda: [len(view) for view in source.blocks(_BLOCK)])


_Way = Callable[[Sequence[str | None], str, str], Figures]
WAYS: dict[str, _Way] = {
    OURS: with_watcher,
    PUT: with_client,
    "the same, then hashed to compare": with_client_verified,
    "put(), several streams, checksum": with_client_streams,
    "reading and SHA-256 alone": hash_only,
    "reading alone": read_only,
}
LATE: dict[str, _Way] = {f"{name}, 20 ms": WAYS[name] for name in (OURS, PUT)}


def _taken(work: Any) -> Figures:
    before = memory_now()
    seconds = elapsed(work)
    return {"s": seconds, "MiB peak": memory_peak(), "MiB more": memory_peak() - before}
