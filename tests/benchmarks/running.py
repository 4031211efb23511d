"""`irods-watcher run` as a process of its own, as a service manager starts it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.benchmarks.processes import ROOT, memory_peak


class Running:
    """The program while it runs; `log` is what it says."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self._process = process
        self._seen = psutil.Process(process.pid)
        self.log = log

    @property
    def cpu(self) -> float:
        """The CPU seconds that it has used so far, user and system."""
        times = self._seen.cpu_times()
        return float(times.user + times.system)

    @property
    def peak(self) -> float:
        """The most memory that it has held, in MiB."""
        return memory_peak(self._process.pid)

    def wait_for(self, what: Callable[[], bool], seconds: float, every: float = 0.1) -> None:
        """Wait until something is true. Raises RuntimeError with the end of the log if it does not come, or it died."""
        end = time.monotonic() + seconds
        while not what():
            if time.monotonic() > end or self._process.poll() is not None:
                said = self.log.read_text(encoding="utf-8", errors="replace")[-3000:]
                raise RuntimeError(f"it ended, or it did not happen within {seconds:g} s; the program said:\n{said}")
            time.sleep(every)

    def wait_until_idle(self, seconds: float) -> None:
        """Wait until it has used next to no CPU for three seconds."""
        used = [self.cpu]

        def idle() -> bool:
            used.append(self.cpu)
            return len(used) > 4 and used[-1] - used[-4] < 0.03

        self.wait_for(idle, seconds, every=1.0)


@contextmanager
def running(profile: Path, state: Path) -> Iterator[Running]:
    """Run it until the end of the block."""
    log = state.with_suffix(".log")
    command = [sys.executable, "-m", "watcher", "run", str(profile), "--state", str(state)]
    with log.open("wb") as said, subprocess.Popen(
        command, cwd=ROOT, stdout=said, stderr=said, env=os.environ | {"COLUMNS": "200"}
    ) as process:  # fmt: skip
        try:
            yield Running(process, log)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
