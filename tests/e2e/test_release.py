"""The local copy, as people let it go and bring it back: with the watcher and without, in words that say why."""

from pathlib import Path

import pytest

from tests.e2e.conftest import Program
from watcher.errors import Exit

RELEASE = "release: {youngest: 0s, grace: 1h}\n"


@pytest.fixture(params=["archive_program", "irods_program"])
def program(request: pytest.FixtureRequest) -> Program:
    """The program with each kind of store."""
    program: Program = request.getfixturevalue(request.param)
    program.write_profile(more=RELEASE)
    for name in ("a", "b"):
        (program.data / f"{name}.dat").write_bytes(name.encode() * 1000)
    assert program("once", "profile.yaml").returncode == 0
    return program


def local(program: Program) -> set[str]:
    return {path.name for path in program.data.glob("*.dat")}


def test_without_a_word_in_the_profile_nothing_ever_goes(program: Program) -> None:
    program.write_profile()
    refused = program("release", "--all", "-p", "profile.yaml")
    assert refused.returncode == Exit.USAGE
    assert "this profile lets no local copy go; write for example `release: {grace: 24h}` into it" in refused.stderr
    asked = program("release", "--all", "--dry-run", "-p", "profile.yaml")
    assert "a: its files stay: it was published too short a time ago" in asked.stdout
    assert local(program) == {"a.dat", "b.dat"}


def test_it_goes_by_order_comes_back_by_order_and_is_gone_after_the_grace(program: Program) -> None:
    asked = program("release", "--all", "--dry-run", "-p", "profile.yaml")
    assert asked.stdout == "a: it could go\nb: it could go\n"
    assert local(program) == {"a.dat", "b.dat"}
    (program.data / "b.dat").write_bytes(b"B" * 1000)
    gone = program("release", "a", "b", "-p", "profile.yaml")
    assert gone.returncode == Exit.PARTLY, gone.stderr
    assert "a: put aside until " in gone.stdout
    assert "b.dat: it is not as it was when it was sent" in gone.stdout
    assert local(program) == {"b.dat"}
    back = program("restore", "a", "-p", "profile.yaml")
    assert back.returncode == 0, back.stderr
    assert "a: its files are back in " in back.stdout
    assert (program.data / "a.dat").read_bytes() == b"a" * 1000
    assert "no files of it are put aside" in program("restore", "a", "-p", "profile.yaml").stderr
    assert "Nothing was removed yet." in program("release", "--log", "-p", "profile.yaml").stdout


@pytest.mark.timeout(180)
def test_a_running_watcher_does_it_and_forgets_nothing(program: Program) -> None:
    program.write_profile(more="release: {after: 1s, youngest: 0s, grace: 2s}\n")
    process = program.start("run", "profile.yaml")
    program.wait_for(lambda: local(program) == set(), 60)
    program.wait_for(lambda: len(program.sets("released")) == 2, 90)
    assert not [path for path in Path(program.data).rglob("*") if path.is_file()]
    told = program("release", "--log", "-p", "profile.yaml").stdout
    assert "2 files removed; every line is as it was signed." in told
    assert "`irods-watcher fetch" in program("restore", "a", "-p", "profile.yaml").stderr
    (program.data / "c.dat").write_bytes(b"c")
    program.wait_for(lambda: any(one["name"] == "c" for one in program.sets("published", "released")))
    assert program.stop(process) == 0
