"""A gateway: many instruments, a process each; what happens to one is nothing to the others."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import Program


class Site:
    """A folder of profiles, and the gateway that works by them."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.profiles = program.home / "profiles"
        self.profiles.mkdir()
        (program.home / "state").mkdir()

    def profile(self, name: str, more: str = "") -> Path:
        """A profile of an instrument with a folder of its own."""
        (self.program.home / f"data-{name}").mkdir(exist_ok=True)
        path = self.profiles / f"{name}.yaml"
        path.write_text(
            f"instrument: {{name: {name}}}\nwatch: [{{path: ../data-{name}, settle: 0s, sweep: 1s}}]\n"
            f"complete: {{quiet: 0s}}\nstore: {{kind: folder, path: ../archive}}\n{more}",
            encoding="utf-8",
        )
        return path

    def start(self) -> None:
        """Start the gateway."""
        self.process = self.program.start("gateway", "profiles", "--state", str(self.program.home / "states"))

    def published(self, name: str, content: str) -> None:
        """What the instrument writes arrives."""
        (self.program.home / f"data-{name}" / f"{content}.dat").write_text(content)
        there = self.program.home / "archive" / name / content / f"{content}.dat"
        self.program.wait_for(there.exists)

    def watcher(self, name: str) -> int:
        """The process of an instrument's watcher."""
        holder = self.program.home / "states" / name / "holder.json"
        self.program.wait_for(lambda: holder.exists() and psutil.pid_exists(json.loads(holder.read_text())["pid"]))
        pid: int = json.loads(holder.read_text())["pid"]
        return pid

    def log(self) -> str:
        return (self.program.home / "run.log").read_text(encoding="utf-8")


@pytest.fixture
def site(archive_program: Program) -> Iterator[Site]:
    site = Site(archive_program)
    yield site
    for process in psutil.Process(site.process.pid).children(recursive=True) if site.process.poll() is None else ():
        with contextlib.suppress(psutil.Error):
            process.kill()


@pytest.mark.timeout(180)
def test_each_profile_has_a_watcher_and_they_come_and_go_with_their_files(site: Site) -> None:
    for name in ("one", "two"):
        site.profile(name)
    (site.profiles / "people.yaml").write_text("persons: []\n")
    site.start()
    site.published("one", "a")
    site.published("two", "b")
    three = site.profile("three")
    site.published("three", "c")
    before = site.watcher("three")
    three.write_text(three.read_text() + "nonsense: 1\n")
    site.program.wait_for(lambda: "there is no such key" in site.log())
    site.published("three", "d")
    assert site.watcher("three") == before, "what runs goes on with the profile that was right"
    site.profile("three", "limits: {rate: 10MB/s}\n")
    site.program.wait_for(lambda: site.watcher("three") != before)
    site.published("three", "e")
    gone = site.watcher("three")
    three.unlink()
    site.program.wait_for(lambda: not psutil.pid_exists(gone))
    site.profile("two-again").write_text((site.profiles / "two.yaml").read_text())
    site.program.wait_for(lambda: "is of the same instrument already" in site.log())
    site.published("two", "f")
    assert "people.yaml" not in site.log()
    children = psutil.Process(site.process.pid).children(recursive=True)
    assert site.program.stop(site.process) == 0
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert "Traceback" not in site.log()


@pytest.mark.timeout(180)
def test_one_that_hangs_or_is_killed_is_nothing_to_the_others(site: Site) -> None:
    for name in ("one", "two"):
        site.profile(name)
    site.start()
    site.published("one", "a")
    site.published("two", "a")
    killed = site.watcher("one")
    os.kill(killed, signal.SIGKILL)
    site.published("two", "b")
    site.published("one", "b")
    assert site.watcher("one") != killed
    assert "watcher of one" in site.log()
    hangs = site.watcher("one")
    os.kill(hangs, signal.SIGSTOP)
    site.published("two", "c")
    begin = time.monotonic()
    site.process.terminate()
    assert site.process.wait(60) == 0
    assert time.monotonic() - begin < 40
    assert not psutil.pid_exists(hangs) or psutil.Process(hangs).status() == psutil.STATUS_ZOMBIE


def test_a_folder_that_is_not_there_is_told(archive_program: Program) -> None:
    result = archive_program("gateway", "nowhere")
    assert result.returncode != 0
    assert "nowhere: the folder of the profiles cannot be read" in result.stderr
    assert "Traceback" not in result.stderr
