"""Real watchers that report to a real facility view, one of which dies."""

import base64
import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Program
from watcher import simulate

KEY = base64.b64encode(bytes(range(32))).decode()
FLEET = """\
name: BioImaging Facility
silent: 30s
secret: {env: FLEET_SECRET}
instruments: [{name: STED-1}, {name: LSM980-2}]
web: {port: 0}
"""
PROFILE = """\
instrument: {{name: {name}}}
watch: [{{path: data, settle: 0s, sweep: 1s}}]
complete: {{quiet: 0s, deadline: 0s}}
store: {{kind: folder, path: archive}}
fleet: {{url: "{url}", secret: {{env: FLEET_SECRET}}, every: 10s}}
web: {{enabled: false}}
"""


class View:
    """The facility view as a process of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "fleet.yaml").write_text(FLEET, encoding="utf-8")
        self.program = Program(home, "", {"FLEET_SECRET": KEY})
        self.start()

    def start(self) -> None:
        """Start it, also again."""
        self.log = self.home / "run.log"
        self.log.unlink(missing_ok=True)
        self.process = self.program.start("fleet", "serve", "fleet.yaml", "--state", "reports")
        self.program.wait_for(lambda: self.log.exists() and '"fleet"' in self.log.read_text(encoding="utf-8"))
        self.url = json.loads(self.log.read_text(encoding="utf-8").splitlines()[0])["address"]

    def __call__(self) -> dict[str, Any]:
        """What it says for programs."""
        with urllib.request.urlopen(f"{self.url}api/v1/fleet", timeout=10) as answer:  # noqa: S310 - our own address
            document: dict[str, Any] = json.loads(answer.read())
            return document

    @property
    def moods(self) -> dict[str, str]:
        """How each instrument is."""
        return {one["name"]: one["mood"] for one in self()["instruments"]}


@pytest.fixture
def view(tmp_path: Path) -> Iterator[View]:
    (tmp_path / "view").mkdir()
    made = View(tmp_path / "view")
    yield made
    _end(made.program)


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[Callable[[str, str], tuple[Program, "subprocess.Popen[str]"]]]:
    """Starts a watcher of this name that reports to an address."""
    programs: list[Program] = []

    def start(name: str, url: str) -> tuple[Program, "subprocess.Popen[str]"]:
        home = tmp_path / name
        (home / "archive").mkdir(parents=True)
        program = Program(home, "", {"FLEET_SECRET": KEY})
        program.write_profile(PROFILE.format(name=name, url=url))
        programs.append(program)
        return program, program.start("run", "profile.yaml")

    yield start
    for program in programs:
        _end(program)


def _end(program: Program) -> None:
    for process in program.processes:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.mark.timeout(180)
def test_the_view_shows_all_and_finds_the_one_that_dies(
    view: View, watcher: Callable[[str, str], tuple[Program, "subprocess.Popen[str]"]]
) -> None:
    assert view.moods == {"STED-1": "unheard", "LSM980-2": "unheard"}
    (sted, dying), (lsm, _) = watcher("STED-1", view.url), watcher("LSM980-2", view.url)
    sted.wait_for(lambda: set(view.moods.values()) == {"safe"})
    simulate.KINDS["ome-tiff-series"](lsm.data, "broken", pause=lambda _: None, missing=(3,))
    lsm.wait_for(lambda: view.moods == {"STED-1": "safe", "LSM980-2": "attention"})
    assert view()["sentence"] == "LSM980-2 needs somebody; 1 instrument is well."
    dying.send_signal(signal.SIGKILL)
    sted.wait_for(lambda: view.moods == {"STED-1": "silent", "LSM980-2": "attention"}, 60)
    last_seen = view()["instruments"][0]["last_seen"]
    assert "STED-1 is silent since 20" in view()["sentence"]
    # The view forgets nothing when it is started again, at another address that nobody reports to.
    assert view.program.stop(view.process) == 0
    view.start()
    assert view()["instruments"][0]["last_seen"] == last_seen
    assert view.moods["LSM980-2"] == "attention"
    lsm.wait_for(lambda: "the facility view at 127.0.0.1" in (lsm.home / "run.log").read_text(encoding="utf-8"))
    assert "the facility view at" in lsm("status").stdout
    log = "".join((program.home / "run.log").read_text(encoding="utf-8") for program in (sted, lsm, view.program))
    assert "Traceback" not in log
    assert KEY not in log


def test_a_file_that_is_wrong_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text("instruments: [{nam: A}]\n", encoding="utf-8")
    command = [sys.executable, "-m", "watcher", "fleet", "serve", "fleet.yaml"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=50)
    assert result.returncode == 78
    assert "fleet.yaml:1:16: instruments[0].nam: there is no such key; did you mean name?" in result.stderr
