"""What leaves the archive again is what the microscope wrote, in a form that others can check."""

import os
import pty
import subprocess
import sys

import bagit
import pytest

from tests.crate_validator import CrateValidator
from tests.e2e.conftest import Program
from watcher.errors import Exit


@pytest.fixture(params=["folder", "irods"])
def program(request: pytest.FixtureRequest) -> Program:
    """The program with each kind of store."""
    kind = "archive_program" if request.param == "folder" else "irods_program"
    program: Program = request.getfixturevalue(kind)
    program.write_profile(more="people: {facility: {name: The Facility}}\n")
    (program.home / "out").mkdir()
    return program


def delivered(program: Program, name: str) -> dict[str, bytes]:
    """What was written and has been published, by its path in the set."""
    assert program("simulate", "ome-tiff-series", "--into", program.data, "--name", name, "--fast").returncode == 0
    result = program("once", program.profile)
    assert result.returncode == 0, result.stderr
    return {path.name: path.read_bytes() for path in program.data.rglob("*") if path.is_file()}


def test_a_published_set_becomes_a_bag_and_a_crate_that_others_accept(
    program: Program, crate_validator: CrateValidator
) -> None:
    written = delivered(program, "embryo")
    result = program("export", "embryo", "--to", "out", "--profile", program.profile)
    assert result.returncode == 0, result.stderr
    bag = program.home / "out" / "embryo"
    assert "out/embryo: " in result.stdout
    bagit.Bag(str(bag)).validate()
    payload = {path.name: path.read_bytes() for path in (bag / "data").rglob("*") if path.is_file()}
    assert written.items() <= payload.items()
    assert payload.keys() - written.keys() - {"irods-watcher.json"} == {"manifest-sha256.txt", "ro-crate-metadata.json"}
    subprocess.run(["sha256sum", "--quiet", "--strict", "-c", "manifest-sha256.txt"], cwd=bag / "data", check=True)
    assert crate_validator.issues(bag / "data") == []
    again = program("export", "embryo", "--to", "out", "--profile", program.profile)
    assert again.returncode == Exit.USAGE
    assert "it is there already" in again.stderr


def test_what_cannot_be_exported_is_told_with_a_cure(archive_program: Program) -> None:
    archive_program.write_profile()
    none = archive_program("export", "x", "--to", "out", "--profile", archive_program.profile)
    assert (none.returncode, "no journal is there" in none.stderr) == (Exit.USAGE, True)
    delivered(archive_program, "embryo")
    for words, what in (
        (("nobody", "--to", "."), "there is no such set"),
        (("embryo", "--to", "out"), "there is no such folder"),
    ):
        result = archive_program("export", *words, "--profile", archive_program.profile)
        assert (result.returncode, what in result.stderr) == (Exit.USAGE, True), result.stderr
    archive_program.write_profile(quiet="1h")
    assert archive_program("simulate", "growing-stack", "--into", "data", "--name", "slow", "--fast").returncode == 0
    archive_program("once", archive_program.profile)
    growing = archive_program("export", "slow", "--to", ".", "--profile", archive_program.profile)
    assert (growing.returncode, "still being written" in growing.stderr) == (Exit.USAGE, True), growing.stderr


def test_a_changed_file_in_the_archive_makes_no_bag(archive_program: Program) -> None:
    archive_program.write_profile()
    delivered(archive_program, "embryo")
    (archive_program.home / "out").mkdir()
    image = next((archive_program.home / "archive").rglob("*.tif"))
    image.write_bytes(image.read_bytes()[:-1])
    result = archive_program("export", "embryo", "--to", "out", "--profile", archive_program.profile)
    assert result.returncode == Exit.TRY_LATER
    assert "the store gives other bytes than the manifest says" in result.stderr
    assert not (archive_program.home / "out" / "embryo").exists()


def test_a_terminal_shows_how_far_it_is(archive_program: Program) -> None:
    archive_program.write_profile()
    delivered(archive_program, "embryo")
    (archive_program.home / "out").mkdir()
    words = ["export", "embryo", "--to", "out", "--profile", str(archive_program.profile)]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "watcher", *words],
        cwd=archive_program.home, env=archive_program._env(), stdout=subprocess.DEVNULL, stderr=theirs,
    )  # fmt: skip
    shown = b""
    os.close(theirs)
    try:
        while block := os.read(ours, 4096):
            shown += block
    except OSError:  # Linux says so when the other side has closed a terminal
        pass
    os.close(ours)
    assert process.wait(30) == 0
    assert b"embryo" in shown
