"""Fresh processes to measure in, and what they cost: seconds, CPU, memory."""

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

Figures = dict[str, float]


def fresh(function: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a module's function in a new interpreter; arguments and result travel as JSON."""
    command = [sys.executable, "-m", "tests.benchmarks.fresh", function.__module__, function.__name__]
    asked = json.dumps(arguments)
    done = subprocess.run(command, input=asked, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout)


def memory_now() -> float:
    """What this process holds in memory now, in MiB; nan where there is no /proc."""
    return _status("VmRSS")


def memory_peak(process: int | str = "self") -> float:
    """The most that this process, or the one with that number, has held, in MiB.

    Not ru_maxrss: Linux hands the peak of the process that started this one down to it.
    """
    return _status("VmHWM", process)


def _status(name: str, process: int | str = "self") -> float:
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return math.nan
    lines = status.read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def cpu_so_far(process: int) -> float:
    """The CPU seconds, user and system, that another process has used; nan where there is no /proc."""
    stat = Path(f"/proc/{process}/stat")
    if not stat.exists():
        return math.nan
    fields = stat.read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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
