"""Requests for a small file, and files in a second: this program's `put` beside that of python-irodsclient."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.benchmarks.files import source_of, write_file
from tests.benchmarks.processes import Figures, elapsed
from tests.benchmarks.telling import table, tell
from tests.benchmarks.zones import HOME, Zone, test_server

SIZE = 20_000
ROUND_TRIP = 0.005
#: AUTHENTICATION_APN: not counted, because the watcher makes its connection anew after 500 requests.
_LOGIN = 110000
_SET = f"{HOME}/set"
_ID = "urn:uuid:00000000-0000-4000-8000-000000000000"


def run(place: Path, *, small: bool) -> None:
    """Tell the figures for a line without a delay and for one with a round trip of 5 ms."""
    files = 50 if small else 200
    tell(f"rpcs: {files} files of {SIZE} bytes, one connection, logging in not counted")
    rows = []
    for delay in (0.0, ROUND_TRIP):
        found = measure(place / f"{delay}", files, delay)
        for name in ("irods-watcher", "python-irodsclient"):
            ratio = found[f"{name}: files/s"] / found["python-irodsclient: files/s"]
            requests, rate = found[f"{name}: requests"], found[f"{name}: files/s"]
            rows.append((name, f"{delay * 1000:.0f} ms", f"{requests:.2f}", f"{rate:.0f}", f"{ratio:.2f}"))
    table(("", "delay", "requests a file", "files/s", "ratio"), rows)
    tell("  irods-watcher: stored and the SHA-256 verified; python-irodsclient: put() as it comes, no checksum")


def measure(place: Path, files: int, delay: float = 0.0, rounds: int = 3) -> Figures:
    """Requests a file and files a second (the best round) of both; `delay` is what each reply waits for, in seconds."""
    paths = [write_file(place / "data" / f"{number:04d}.bin", SIZE) for number in range(files)]
    found: Figures = {}
    with test_server(place) as zone:
        running = zone.server
        assert running
        with _watcher(zone) as ours, _client(zone) as theirs:
            running.ask("faults.slow", seconds=delay)
            for number in range(rounds):
                for name, put in (("irods-watcher", ours), ("python-irodsclient", theirs)):
                    running.ask("reset_requests")
                    rate = files / elapsed(partial(_each, put, paths, f"{name}-{number}"))
                    counted = [one for one in running.ask("requests") if one["api"] != _LOGIN]
                    found[f"{name}: requests"] = len(counted) / files
                    found[f"{name}: files/s"] = max(rate, found.get(f"{name}: files/s", 0.0))
        stored = running.ask("objects", prefix=_SET)
    found["stored"] = sum(item["size"] == SIZE and item["status"] == 1 for item in stored.values())
    return found


Put = Callable[[Path, str], object]


@contextmanager
def _watcher(zone: Zone) -> Iterator[Put]:
    with zone.store().session() as session:
        session.claim(_SET, _ID)
        yield lambda path, name: session.put(source_of(path), _SET, name, lambda _: None)


@contextmanager
def _client(zone: Zone) -> Iterator[Put]:
    with zone.client() as session:
        yield lambda path, name: session.data_objects.put(str(path), f"{_SET}/{name}")


def _each(put: Put, paths: list[Path], prefix: str) -> None:
    for path in paths:
        put(path, f"{prefix}-{path.name}")
