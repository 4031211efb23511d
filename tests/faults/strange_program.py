"""Starts the program as `python -m watcher` does, with what no user can set and a test must.

FAULTS_PATIENCE   seconds without an answer after which a connection is given up (the program's own: 60)
FAULTS_STUCK      how often a replica is found busy before it counts as stuck (the program's own: 15)
FAULTS_CLOCK      a file with the seconds by which the computer's clock is wrong now
FAULTS_NOT_ROOT   root, as whom tests may run, is taken for another user
FAULTS_DIE_AT     `before 7` or `after 7`: SIGKILL at the seventh commit to the journal
    FAULTS_COUNT      a file to write the number of commits to, as it grows
"""

import os
import signal
import time
from pathlib import Path

from watcher.cli.main import main
from watcher.clock import SystemClock
from watcher.journal.database import Database
from watcher.pipeline import patience
from watcher.stores.irods import IrodsStore
from watcher.stores.mount import MountStore


def _shorten_patience(seconds: float) -> None:
    defaults = IrodsStore.__init__.__kwdefaults__
    assert defaults is not None
    assert "patience" in defaults
    defaults["patience"] = seconds


def _hurry(haste: float) -> None:
    begin, wait = time.monotonic(), SystemClock.wait
    SystemClock.now = lambda self: self._offset + begin + haste * (time.monotonic() - begin)  # type: ignore[method-assign]
    SystemClock.wait = lambda self, seconds, wake: wait(self, seconds / haste, wake)  # type: ignore[method-assign]


def _set_the_clock_by(shift: Path) -> None:
    true_time = time.time
    time.time = lambda: true_time() + float(shift.read_text(encoding="utf-8"))


def _be_somebody_else() -> None:
    defaults = MountStore.__init__.__kwdefaults__
    assert defaults is not None
    assert "is_root" in defaults
    defaults["is_root"] = lambda: False


def _at_each_commit(when: str, number: int, tell: Path | None = None) -> None:
    commit = Database._commit
    count = 0

    def commit_or_die(database: Database) -> None:
        nonlocal count
        count += 1
        if tell:
            tell.write_text(str(count), encoding="utf-8")
        if when == "before" and count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        commit(database)
        if when == "after" and count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    Database._commit = commit_or_die  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    if "FAULTS_PATIENCE" in os.environ:
        _shorten_patience(float(os.environ["FAULTS_PATIENCE"]))
    if "FAULTS_HASTE" in os.environ:
        _hurry(float(os.environ["FAULTS_HASTE"]))
    if "FAULTS_STUCK" in os.environ:
        patience.BUSY_IS_STUCK = int(os.environ["FAULTS_STUCK"])  # type: ignore[misc]
    if "FAULTS_CLOCK" in os.environ:
        _set_the_clock_by(Path(os.environ["FAULTS_CLOCK"]))
    if "FAULTS_NOT_ROOT" in os.environ:
        _be_somebody_else()
    if "FAULTS_DIE_AT" in os.environ:
        _when, _number = os.environ["FAULTS_DIE_AT"].split()
        _at_each_commit(_when, int(_number))
    if "FAULTS_COUNT" in os.environ:
        _at_each_commit("never", 0, Path(os.environ["FAULTS_COUNT"]))
    main()
