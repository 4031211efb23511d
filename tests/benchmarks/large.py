"""One large member: time and memory of the stream lane, beside python-irodsclient, hashing and reading alone."""

import hashlib
import math
import os
from pathlib import Path
from typing import Any

from tests.benchmarks.common import (
    HOME,
    MIB,
    Figures,
    client,
    elapsed,
    forget_cached,
    fresh,
    memory_now,
    memory_peak,
    server,
    source_of,
    store,
    table,
    tell,
    write_file,
)  # fmt: skip

_SET = f"{HOME}/set"
_ID = "urn:uuid:00000000-0000-4000-8000-000000000000"
_BLOCK = 4 * MIB


def run(place: Path, *, small: bool) -> None:
    """Tell the figures for 1 GiB, or 128 MiB."""
    size = 128 * MIB if small else 1024 * MIB
    tell(f"large: one member of {size // MIB} MiB, each in a fresh process, server in another")
    found = measure(place, size)
    put = found["python-irodsclient put(): s"]
    rows = [
        (
            name,
            f"{seconds:.2f}",
            f"{size / MIB / seconds:.0f}",
            f"{seconds / put:.2f}",
            f"{found[f'{name}: MiB peak']:.0f}",
            f"{found[f'{name}: MiB more']:.0f}",
        )
        for name, seconds in ((name, found[f"{name}: s"]) for name in WAYS)
    ]
    table(("", "s", "MiB/s", "time ratio", "peak MiB", "MiB above start"), rows)


def measure(place: Path, size: int, times: int = 3) -> Figures:
    """Seconds and memory in MiB for each of `WAYS`, the least of several runs, and how many good objects came of it."""
    path = write_file(place / "data" / "large.bin", size)
    found: Figures = {}
    with server(place) as running:
        for number in range(times):
            for name, function in WAYS.items():
                os.sync()  # nobody pays for what the one before has written
                forget_cached(path)
                for key, value in fresh(function, str(place), f"{function.__name__}-{number}").items():
                    found[f"{name}: {key}"] = min(value, found.get(f"{name}: {key}", math.inf))
        stored = running.ask("objects", prefix=_SET)
    found["stored"] = sum(item["size"] == size and item["status"] == 1 for item in stored.values())
    found["checksums"] = len({item["checksum"] for item in stored.values() if item["checksum"]})
    return found


def with_watcher(place: str, name: str) -> Figures:
    """The stream lane: sent, hashed on the same read, and compared with what the server computed."""
    with store(Path(place)).session() as session:
        session.claim(_SET, _ID)
        source = source_of(Path(place, "data", "large.bin"))
        return _taken(lambda: session.put(source, _SET, name, lambda _: None))


def with_client(place: str, name: str) -> Figures:
    """One stream of python-irodsclient; the server registers a checksum that nobody compares."""
    with client(Path(place)) as session:
        path = Path(place, "data", "large.bin")
        return _taken(lambda: session.data_objects.put(str(path), f"{_SET}/{name}", num_threads=1, regChksum=""))


def with_client_verified(place: str, name: str) -> Figures:
    """The same with what it takes to know that the right bytes arrived: a second read, and the question."""
    path = Path(place, "data", "large.bin")

    def work() -> None:
        session.data_objects.put(str(path), f"{_SET}/{name}", num_threads=1, regChksum="")
        with path.open("rb") as file:
            hashlib.file_digest(file, "sha256")
        session.data_objects.chksum(f"{_SET}/{name}")

    with client(Path(place)) as session:
        return _taken(work)


def hash_only(place: str, _: str) -> Figures:
    """Reading and SHA-256."""
    return _taken(source_of(Path(place, "data", "large.bin")).sha256)


def read_only(place: str, _: str) -> Figures:
    """Reading."""
    source = source_of(Path(place, "data", "large.bin"))
    return _taken(lambda: [len(view) for view in source.blocks(_BLOCK)])


WAYS = {
    "irods-watcher stream lane": with_watcher,
    "python-irodsclient put()": with_client,
    "the same, then hashed to compare": with_client_verified,
    "reading and SHA-256 alone": hash_only,
    "reading alone": read_only,
}


def _taken(work: Any) -> Figures:
    before = memory_now()
    seconds = elapsed(work)
    return {"s": seconds, "MiB peak": memory_peak(), "MiB more": memory_peak() - before}
