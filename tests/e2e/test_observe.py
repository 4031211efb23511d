"""`observe` as an operator runs it: beside an instrument that really writes."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from watcher import simulate
from watcher.profile import load


@contextmanager
def _observing(home: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """The verb in a process of its own, from the moment at which it looks."""
    (home / "data").mkdir()
    command = [sys.executable, "-m", "watcher", "observe", "data", *options]
    with subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as observer:
        try:
            assert observer.stderr is not None
            assert "Start the acquisition now" in observer.stderr.readline()
            time.sleep(1)
            yield observer
        finally:
            if observer.poll() is None:
                observer.kill()


def test_a_test_acquisition_becomes_a_profile(tmp_path: Path) -> None:
    options = ("--until-quiet", "2s", "--json", "--profile-out", "scope.yaml", "--instrument", "Scope-1")
    with _observing(tmp_path, *options) as observer:
        instrument = threading.Thread(
            target=simulate.plane_directory, args=(tmp_path / "data", "plate"), kwargs={"pause": time.sleep}
        )
        instrument.start()
        instrument.join()
        out, error = observer.communicate(timeout=30)
    assert observer.returncode == 0, error
    record = json.loads(out)
    assert record["schema_version"] == 1
    assert [(one["name"], len(one["members"])) for one in record["sets"]] == [("plate", 7)]
    assert record["choices"]["marker"]["value"] == "metadata.json"
    profile = tmp_path / "scope.yaml"
    assert profile.read_text(encoding="utf-8") == record["profile"]
    assert load(profile).complete.marker == "metadata.json"
    assert {path.name for path in tmp_path.iterdir()} == {"data", "scope.yaml"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send Ctrl-C to one process")
def test_ctrl_c_ends_it_and_says_what_was_seen(tmp_path: Path) -> None:
    with _observing(tmp_path) as observer:
        (tmp_path / "data" / "scan.raw").write_bytes(b"pixels")
        time.sleep(1.5)
        observer.send_signal(signal.SIGINT)
        out, error = observer.communicate(timeout=30)
    assert observer.returncode == 0, error
    assert "created" in out
    assert "group: auto" in out
    assert "created: scan.raw" in error
