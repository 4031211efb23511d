"""`fetch` by the real program: from the store, from a copy, on after an interruption, and what it refuses."""

import os
import shutil

import pytest

from tests.e2e.conftest import Program
from watcher.errors import Exit
from watcher.pipeline.retrieve import part_of


@pytest.fixture(params=["folder", "irods"])
def program(request: pytest.FixtureRequest) -> Program:
    """The program with each kind of store, and a copy of a set of two files in a folder."""
    program: Program = request.getfixturevalue("archive_program" if request.param == "folder" else "irods_program")
    (program.home / "backup").mkdir()
    (program.home / "out").mkdir()
    program.write_profile(more="sets: {group: directory}\ncopies: [{kind: folder, path: backup}]\n")
    (program.data / "run").mkdir()
    (program.data / "run/large.dat").write_bytes(os.urandom(9_000_000))
    (program.data / "run/small.dat").write_bytes(b"small")
    for path in (program.data / "run").iterdir():
        os.utime(path, (1_000_000, 1_000_000))
    assert program("once", "profile.yaml").returncode == 0
    return program


def assert_same(program: Program) -> None:
    for path in (program.data / "run").iterdir():
        there = program.home / "out/run" / path.name
        assert there.read_bytes() == path.read_bytes()
        assert there.stat().st_mtime == 1_000_000
    assert len(list((program.home / "out/run").iterdir())) == 2


@pytest.mark.parametrize("origin", ["store", "backup"])
def test_a_set_is_fetched_and_what_is_there_is_kept(program: Program, origin: str) -> None:
    result = program("fetch", "run", "--to", "out", "--from", origin)
    assert result.returncode == Exit.OK, result.stderr
    assert "out/run: 2 files, 9.0 MB, every byte as in the manifest" in result.stdout
    assert_same(program)
    again = program("fetch", "run", "--to", "out", "--from", origin)
    assert "2 files (2 of them had been there)" in again.stdout


def test_a_file_that_was_cut_off_is_gone_on_with(program: Program) -> None:
    program("fetch", "run", "--to", "out")
    whole = program.home / "out/run/large.dat"
    part_of(whole).write_bytes(whole.read_bytes()[:5_000_001])
    whole.unlink()
    assert program("fetch", "run", "--to", "out").returncode == Exit.OK
    assert_same(program)


def test_what_cannot_be_fetched_is_told_with_a_cure(archive_program: Program) -> None:
    program = archive_program
    program.write_profile(more="copies: [{kind: folder, path: backup}]\n")
    (program.home / "backup").mkdir()
    (program.data / "a.dat").write_bytes(b"a")
    assert program("once", "profile.yaml").returncode == 0
    for words, what in (
        (("a", "--to", "nowhere"), "there is no such folder"),
        (("a", "--to", "data"), "nothing is ever written into a folder that is watched"),
        (("a", "--from", "tape"), "tape: a is not there; it is in store, backup"),
        (("b",), "there is no such set"),
    ):
        result = program("fetch", *words)
        assert (result.returncode, what in result.stderr) == (Exit.USAGE, True), result.stderr
    (program.home / "out").mkdir()
    (program.home / "out/a.dat").write_bytes(b"mine")
    refused = program("fetch", "a", "--to", "out")
    assert (refused.returncode, "something else is there" in refused.stderr) == (Exit.USAGE, True)
    shutil.rmtree(program.home / "archive")
    away = program("fetch", "a", "--to", ".")
    assert away.returncode == Exit.CONFIGURATION
    assert "or give --from backup" in away.stderr
    assert program("fetch", "a", "--to", ".", "--from", "backup").returncode == Exit.OK
    assert (program.home / "a.dat").read_bytes() == b"a"
