"""What all benchmarks share: fresh processes to measure in, a test server in another one, and telling."""

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from watcher import osfacts
from watcher.stores.irods import IrodsStore
from watcher.stores.source import Source

MIB = 1024 * 1024
HOME = "/tempZone/home/rods"
PASSWORD = "rods"
_ROOT = Path(__file__).parents[2]

Figures = dict[str, float]


def tell(text: str = "") -> None:
    """Say it to whoever runs the benchmark."""
    print(text, flush=True)  # noqa: T201


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table: the first column to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        tell("  " + "  ".join((str.rjust if i else str.ljust)(text, widths[i]) for i, text in enumerate(row)).rstrip())


# processes


def fresh(function: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a module's function in a new interpreter; arguments and result travel as JSON."""
    command = [sys.executable, "-m", "tests.benchmarks.fresh", function.__module__, function.__name__]
    asked = json.dumps(arguments)
    done = subprocess.run(command, input=asked, stdout=subprocess.PIPE, text=True, check=True, cwd=_ROOT)
    return json.loads(done.stdout)


def memory_now() -> float:
    """What this process holds in memory now, in MiB; nan where there is no /proc."""
    return _status("VmRSS")


def memory_peak() -> float:
    """The most that this process has held, in MiB.

    Not ru_maxrss: Linux hands the peak of the process that started this one down to it.
    """
    return _status("VmHWM")


def _status(name: str) -> float:
    status = Path("/proc/self/status")
    if not status.exists():
        return math.nan
    lines = status.read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def cpu_of(work: Callable[[], object], times: int = 1) -> float:
    """The CPU seconds, user and system, of all threads of this process for the work; the median of several times."""
    taken = []
    for _ in range(times):
        before = time.process_time()
        work()
        taken.append(time.process_time() - before)
    return statistics.median(taken)


def elapsed(work: Callable[[], object]) -> float:
    """The seconds that the work takes."""
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


# the test server


class Server:
    """A test server in a process of its own, so that its CPU, memory and lock are not the client's."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.environment: dict[str, Any] = self.ask("environment")

    def ask(self, call: str, **given: Any) -> Any:
        """Carry out one command of `tests.irods_server.control`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"call": call, "with": given}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]


@contextmanager
def server(place: Path) -> Iterator[Server]:
    """A running server whose vault and environment file lie in `place`."""
    vault = place / "vault"
    command = [sys.executable, "-m", "tests.irods_server", "--vault", str(vault)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=_ROOT) as process:
        running = Server(process)
        environment_file(place).write_text(json.dumps(running.environment), encoding="utf-8")
        yield running
        # Its standard input ends here, and the server with it.


def environment_file(place: Path) -> Path:
    """The `irods_environment.json` of the server in `place`."""
    return place / "irods_environment.json"


def store(place: Path) -> IrodsStore:
    """The watcher's own store on the server in `place`."""
    return IrodsStore(environment_file(place), password=PASSWORD)


def client(place: Path) -> Any:
    """A session of python-irodsclient on the server in `place`, connected."""
    from irods.session import iRODSSession

    at = json.loads(environment_file(place).read_text(encoding="utf-8"))
    session = iRODSSession(
        host=at["irods_host"], port=at["irods_port"], zone=at["irods_zone_name"], user="rods", password=PASSWORD
    )
    session.collections.exists(HOME)
    return session


# files


def write_file(path: Path, size: int) -> Path:
    """A file of random bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for start in range(0, size, MIB):
            file.write(os.urandom(min(MIB, size - start)))
    return path


def forget_cached(path: Path) -> None:
    """Let the next reading of the file come from the disk, where the system allows that."""
    with path.open("rb") as file:
        os.fsync(file.fileno())  # what is not on the disk yet is not forgotten
        osfacts.forget_cached(file)


def source_of(path: Path) -> Source:
    """The file as a member that was frozen just now."""
    return Source(path, osfacts.facts_at(path))
