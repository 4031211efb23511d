"""`irods-watcher run` on a mount of NFSRODS: the real program, the model of NFSRODS, and a folder that shows its files.

The program's clock and those of the caches go sixty times as fast, since a set on a mount rests for minutes.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Program
from tests.integration.mounted import LANDING, RUN, Mounted
from tests.irods_server import IrodsServer
from tests.irods_server.dialogue import digest

HASTE = 60
_LAUNCHER = Path(__file__).parents[1] / "faults" / "strange_program.py"


class Hasty:
    """A clock for NFSRODS that goes as fast as the program's."""

    def __init__(self) -> None:
        self._begin = (time.time(), time.monotonic())

    def now(self) -> float:
        """Seconds since 1970."""
        wall, counter = self._begin
        return wall + HASTE * (time.monotonic() - counter)


@contextlib.contextmanager
def shown(mounted: Mounted) -> Iterator[None]:
    """Meanwhile the folder holds what the mount shows, as far as its caches let it."""
    stop = threading.Event()

    def show() -> None:
        while not stop.wait(0.1):
            mounted.client.walk()

    thread = threading.Thread(target=show, name="mount")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Mounted]:
    """An instrument that writes through NFSRODS, in time that flies."""
    with IrodsServer() as server:
        made = Mounted(tmp_path, server, Hasty().now)
        made.client.walk()
        yield made
        made.close()


@pytest.fixture
def program(tmp_path: Path, mounted: Mounted) -> Iterator[Program]:
    """The program with the profile of the mount."""
    made = Program(tmp_path, "")
    mounted.write_profile(made.profile)
    yield made
    for process in made.processes:
        process.kill()
        process.wait(20)


def launch(program: Program, *words: str) -> "subprocess.Popen[str]":
    environment = program._env() | {"FAULTS_HASTE": str(HASTE), "FAULTS_NOT_ROOT": "yes"}
    with (program.home / "run.log").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, str(_LAUNCHER), *words],
            cwd=program.home, env=environment, stdout=log, stderr=log, text=True,
        )  # fmt: skip
    program.processes.append(process)
    return process


def test_run_publishes_what_is_written_through_a_mount(mounted: Mounted, program: Program) -> None:
    with shown(mounted):
        process = launch(program, "run", "profile.yaml")
        mounted.write("run1/a.dat", b"")
        for number in range(5):
            mounted.append("run1/a.dat", b"piece %d" % number)
            time.sleep(0.3)
        written = mounted.now()
        program.wait_for(lambda: mounted.said(RUN).get("acq:state") == "complete")
        assert mounted.now() - written >= 120
        if sys.platform == "linux":
            opened = Path(f"/proc/{process.pid}/fd")
            assert "anon_inode:inotify" not in {os.readlink(one) for one in opened.iterdir() if one.is_symlink()}
        assert program.stop(process) == 0
    # What lies there is no local copy, which might go.
    refused = program("release", "--all", "--dry-run", "--profile", "profile.yaml")
    assert refused.returncode == 2
    assert "the set itself and no copy of it" in refused.stderr
    whole = b"piece 0piece 1piece 2piece 3piece 4"
    assert mounted.server.objects()[f"{RUN}/a.dat"].read() == whole
    assert mounted.server.objects()[f"{RUN}/a.dat"].checksum == digest(whole)
    assert mounted.said(RUN)["acq:fixity"] == "server-only"
    (one,) = program.sets("published")
    assert (one["name"], one["collection"]) == ("run1", f"{LANDING}/run1")


def test_a_mount_that_comes_after_the_program_and_goes_away_again_is_waited_for(
    mounted: Mounted, program: Program
) -> None:
    log = program.home / "run.log"
    told = "the mount does not show the known file"
    mounted.client.unmount()
    mounted.write("run1/a.dat")
    process = launch(program, "run", "profile.yaml")
    program.wait_for(lambda: told in log.read_text(encoding="utf-8"))
    mounted.client.mount()
    with shown(mounted):
        program.wait_for(lambda: mounted.said(RUN).get("acq:state") == "complete")
    before = mounted.server.avus(RUN)
    mounted.client.unmount()
    log.write_text("", encoding="utf-8")
    program.wait_for(lambda: told in log.read_text(encoding="utf-8"))
    assert process.poll() is None
    assert program.stop(process) == 0
    (one,) = program.sets("published")
    assert one["name"] == "run1"
    assert mounted.server.avus(RUN) == before
    assert "Traceback" not in log.read_text(encoding="utf-8")


def test_a_wrong_mount_is_refused_at_the_start(mounted: Mounted, program: Program) -> None:
    with mounted.client.entries(mounted.client.root / "home/facility"):
        (mounted.client.root / "home/facility/README.txt").write_text("another zone", encoding="utf-8")
    for words in (("run", "profile.yaml"), ("validate", "--online", "profile.yaml")):
        assert launch(program, *words).wait(30) == 78
    log = (program.home / "run.log").read_text(encoding="utf-8")
    assert log.count("this is not /tempZone/home/facility/README.txt in iRODS") == 2
    assert "Traceback" not in log


def test_root_is_refused_and_others_are_not(mounted: Mounted, program: Program) -> None:
    (mounted.client.root / "home/facility/README.txt").write_text("another zone", encoding="utf-8")
    result = program("run", "profile.yaml")
    assert result.returncode == 78
    asked_as_root = "NFSRODS takes root for the administrator of the zone" in result.stderr
    assert asked_as_root is (os.geteuid() == 0)
    assert "Traceback" not in result.stderr


def test_init_writes_a_profile_for_a_mount(mounted: Mounted, program: Program) -> None:
    watched = mounted.client.root / "home/facility/landing"
    words = ("init", "new.yaml", "--instrument", "LSM", "--watch", str(watched), "--mount", str(mounted.client.root))
    result = program(*words)
    assert result.returncode == 2
    assert "--mount needs --collection" in result.stderr
    assert program(*words, "--collection", "/tempZone").returncode == 0
    assert program("validate", "new.yaml").returncode == 0
    assert "kind: mount" in (program.home / "new.yaml").read_text(encoding="utf-8")
