"""A store or folder that is away from the start, or while nothing is delivered; and a watcher that is told to stop.

What goes away during a delivery: test_messages.py and test_surroundings.py.
"""

import os
import shutil
from pathlib import Path

from tests.e2e.conftest import Program, archive_program, irods_program, server
from tests.e2e.contents import digest, in_archive, in_zone
from tests.irods_server import IrodsServer
from watcher import simulate

__all__ = ["archive_program", "irods_program", "server"]


def _image(folder: Path, name: str, seed: int = 0) -> Path:
    simulate.KINDS["growing-stack"](folder, name, pause=lambda _: None, seed=seed)
    return folder / f"{name}.tif"


def test_a_watcher_that_is_started_while_the_server_is_away_is_patient(
    irods_program: Program, server: IrodsServer
) -> None:
    program = irods_program
    server.stop()
    _image(program.data, "scan")
    process = program.start("run", "profile.yaml")
    program.wait_for(lambda: "The store has a problem" in program("status").stdout)
    server.start()
    program.wait_for(lambda: len(program.sets("published")) == 1, seconds=45)
    assert program.stop(process) == 0


def test_stopped_in_the_middle_of_a_large_file_it_ends_at_once_and_goes_on_next_time(
    irods_program: Program, server: IrodsServer
) -> None:
    program = irods_program
    big = program.data / "big.dat"
    with big.open("wb") as file:
        for number in range(96):
            file.write(os.urandom(1 << 20) if number % 8 == 0 else bytes([number]) * (1 << 20))
    server.faults.slow(0.3)
    process = program.start("run", "profile.yaml")
    program.wait_for(lambda: any(request.api == 676 for request in server.requests))
    assert program.stop(process) == 0
    assert program.sets()[0]["state"] == "valid", "the rest was not sent first"
    server.faults.clear()
    assert program("once", "profile.yaml").returncode == 0
    assert in_zone(server) == {"big/big.dat": digest(big.read_bytes())}


def test_a_share_that_goes_away_is_not_read_as_all_files_deleted(archive_program: Program) -> None:
    program = archive_program
    program.write_profile(settle="0s", quiet="1h")
    scan = _image(program.data, "scan")
    process = program.start("run", "profile.yaml")
    program.wait_for(lambda: len(program.sets("growing")) == 1)
    away = program.home / "away"
    program.data.rename(away)
    program.data.mkdir()  # what a mount point looks like without its share
    log = program.home / "run.log"
    program.wait_for(lambda: "is empty although files were seen in it" in log.read_text(encoding="utf-8"))
    assert len(program.sets("growing")) == 1
    program.data.rmdir()
    program.wait_for(lambda: "cannot be read" in log.read_text(encoding="utf-8"))
    assert len(program.sets("growing")) == 1
    away.rename(program.data)
    _image(program.data, "second", seed=1)
    program.wait_for(lambda: len(program.sets("growing")) == 2)
    assert scan.exists()
    assert program.stop(process) == 0


def test_an_archive_disk_that_goes_away_is_waited_for(archive_program: Program) -> None:
    program = archive_program
    process = program.start("run", "profile.yaml")
    _image(program.data, "first")
    program.wait_for(lambda: len(program.sets("published")) == 1)
    shutil.move(program.home / "archive", program.home / "unplugged")
    second = _image(program.data, "second", seed=1)
    program.wait_for(lambda: "The store has a problem" in program("status").stdout)
    shutil.move(program.home / "unplugged", program.home / "archive")
    program.wait_for(lambda: len(program.sets("published")) == 2, seconds=45)
    assert in_archive(program.home / "archive")["second/second.tif"] == digest(second.read_bytes())
    assert program.stop(process) == 0
