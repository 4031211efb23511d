"""The program as its users run it: a process of its own, a profile on the disk, an archive or a zone to send to."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.irods_server import IrodsServer

BASE = "/tempZone/home/rods/facility"


@dataclass
class Program:
    """One instrument's installation in a temporary folder."""

    home: Path
    store: str
    environment: dict[str, str] = field(default_factory=dict)
    processes: list["subprocess.Popen[str]"] = field(default_factory=list)

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def profile(self) -> Path:
        return self.home / "profile.yaml"

    def write_profile(self, text: str = "", *, settle: str = "0s", quiet: str = "0s", more: str = "") -> None:
        """A profile with the given times, or exactly this text."""
        self.data.mkdir(exist_ok=True)
        self.profile.write_text(
            text
            or f"instrument: {{name: Scope-1}}\nwatch: [{{path: data, settle: {settle}, sweep: 1s}}]\n"
            # Any port for the page: several programs may run on this machine.
            f"complete: {{quiet: {quiet}, deadline: 1h}}\nstore: {self.store}\nweb: {{port: 0}}\n{more}",
            encoding="utf-8",
        )

    def __call__(self, *words: str | Path, timeout: float = 50) -> "subprocess.CompletedProcess[str]":
        """Run a verb to its end."""
        command = [sys.executable, "-m", "watcher", *map(str, words)]
        return subprocess.run(
            command, cwd=self.home, env=self._env(), capture_output=True, text=True, timeout=timeout, encoding="utf-8"
        )

    def json(self, *words: str | Path) -> dict[str, Any]:
        """What a verb prints with --json."""
        result = self(*words, "--json")
        assert "Traceback" not in result.stderr, result.stderr
        document: dict[str, Any] = json.loads(result.stdout)
        assert document["schema_version"] == 1
        return document

    def start(self, *words: str | Path) -> "subprocess.Popen[str]":
        """Start a verb that goes on until it is stopped."""
        log = (self.home / "run.log").open("a", encoding="utf-8")
        with log:
            process = subprocess.Popen(
                [sys.executable, "-m", "watcher", *map(str, words)],
                cwd=self.home, env=self._env(), stdout=log, stderr=log, text=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def stop(self, process: "subprocess.Popen[str]") -> int:
        """Ask it to end, as systemd does."""
        process.send_signal(signal.SIGTERM)
        return process.wait(20)

    def sets(self, *states: str) -> list[dict[str, Any]]:
        """The sets that the journal knows, in these states if any are given."""
        if not (self.home / "state" / "journal.sqlite").exists():
            return []
        found: list[dict[str, Any]] = self.json("list")["sets"]
        return [one for one in found if not states or one["state"] in states]

    def page(self) -> str:
        """The address of the running watcher's page, without the last slash."""
        self.wait_for(lambda: bool(self.json("status")["page"]))
        return str(self.json("status")["page"]).rstrip("/")

    def wait_for(self, what: Callable[[], bool], seconds: float = 30) -> None:
        """Wait until something is true; the log tells why it did not come."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if what():
                return
            time.sleep(0.1)
        log = self.home / "run.log"
        pytest.fail(f"it did not happen within {seconds} s; log:\n{log.read_text(encoding='utf-8')[-3000:]}")

    def _env(self) -> dict[str, str]:
        return {**os.environ, "IRODS_WATCHER_STATE": str(self.home / "state"), "COLUMNS": "200", **self.environment}


@pytest.fixture
def archive_program(tmp_path: Path) -> Iterator[Program]:
    """The program with the folder store."""
    (tmp_path / "archive").mkdir()
    yield from _program(tmp_path, "{kind: folder, path: archive}")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[IrodsServer]:
    """A zone with the collection that sets go below."""
    vault = tmp_path / "vault"
    vault.mkdir()
    with IrodsServer(users={"rods": "rods"}, vault=vault) as running:
        running.make_collection(BASE, owner="rods")
        yield running


@pytest.fixture
def irods_program(tmp_path: Path, server: IrodsServer) -> Iterator[Program]:
    """The program with the test server's zone; the password comes from the environment."""
    (tmp_path / "irods_environment.json").write_text(json.dumps(server.environment()), encoding="utf-8")
    store = (
        "{kind: irods, environment: irods_environment.json, password: {env: TEST_IRODS_PASSWORD}, "
        f"collection: '{BASE}/{{instrument}}/{{folder}}/{{set}}'}}"
    )
    for program in _program(tmp_path, store):
        program.environment["TEST_IRODS_PASSWORD"] = "rods"
        yield program


def _program(home: Path, store: str) -> Iterator[Program]:
    program = Program(home, store)
    program.write_profile()
    yield program
    for process in program.processes:
        if process.poll() is None:
            process.kill()
        process.wait()
