"""Everything that people get wrong: a message that names the place and the cure, an exit code, never a traceback."""

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import BASE, Program
from tests.e2e.contents import in_zone
from tests.irods_server import IrodsServer
from watcher import simulate


def _refused(result: "subprocess.CompletedProcess[str]", code: int, *words: str) -> None:
    assert result.returncode == code, result.stdout + result.stderr
    said = result.stdout + result.stderr
    assert "Traceback" not in said
    for word in words:
        assert word in said, said


def _image(program: Program, name: str = "scan") -> None:
    simulate.KINDS["growing-stack"](program.data, name, pause=lambda _: None)


@pytest.mark.parametrize("verb", ["once", "run", "validate"])
def test_a_missing_profile(archive_program: Program, verb: str) -> None:
    _refused(archive_program(verb, "nowhere.yaml"), 78, "nowhere.yaml")


def test_broken_yaml_is_named_with_its_line(archive_program: Program) -> None:
    archive_program.write_profile("instrument: {name: Scope-1\nwatch: []\n")
    _refused(archive_program("once", "profile.yaml"), 78, "profile.yaml:2:")


def test_an_unknown_key_with_what_was_meant(archive_program: Program) -> None:
    archive_program.write_profile(
        "instrument: {name: Scope-1}\nwatch:\n  - path: data\n    setle: 20s\nstore: {kind: folder, path: archive}\n"
    )
    _refused(archive_program("once", "profile.yaml"), 78, "profile.yaml:4:5: watch[0].setle", "did you mean settle")


def test_a_wrong_type_with_what_would_be_right(archive_program: Program) -> None:
    archive_program.write_profile(
        "instrument: {name: Scope-1}\nwatch: [{path: data, settle: 20}]\nstore: {kind: folder, path: archive}\n"
    )
    _refused(archive_program("once", "profile.yaml"), 78, "profile.yaml:2:30: watch[0].settle", "20s")


def test_an_unknown_format(archive_program: Program) -> None:
    archive_program.write_profile(
        "instrument: {name: Scope-1}\nwatch: [{path: data}]\nsets: {formats: [tif]}\n"
        "store: {kind: folder, path: archive}\n"
    )
    _refused(archive_program("once", "profile.yaml"), 78, "tif", "ome-tiff")


def test_a_watched_folder_that_is_not_there(archive_program: Program) -> None:
    archive_program.data.rmdir()
    _refused(archive_program("once", "profile.yaml"), 78, "data: the watched folder cannot be read")
    _refused(archive_program("validate", "profile.yaml"), 78, "is not there")


def test_a_watcher_whose_folder_is_not_there_yet_says_so_and_begins_when_it_comes(archive_program: Program) -> None:
    program = archive_program
    program.data.rmdir()
    process = program.start("run", "profile.yaml")
    log = program.home / "run.log"
    program.wait_for(lambda: "the watched folder cannot be read" in log.read_text(encoding="utf-8"))
    program.wait_for(lambda: "no events are heard" in log.read_text(encoding="utf-8"))
    program.data.mkdir()
    _image(program)
    program.wait_for(lambda: len(program.sets("published")) == 1)
    assert program.stop(process) == 0


@pytest.mark.skipif(not shutil.which("setpriv"), reason="setpriv, which takes the right to read everything, is absent")
def test_an_unreadable_folder_is_named_and_the_rest_delivered(archive_program: Program) -> None:
    program = archive_program
    _image(program)
    locked = program.data / "locked"
    locked.mkdir()
    locked.chmod(0)
    command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    command += [sys.executable, "-m", "watcher", "once", "profile.yaml", "--state", "state"]
    result = subprocess.run(command, cwd=program.home, capture_output=True, text=True, timeout=50)
    locked.chmod(0o755)
    assert f"{locked}: the folder cannot be read" in result.stderr
    assert "Traceback" not in result.stderr
    assert [one["name"] for one in program.sets("published")] == ["scan"]


@contextlib.contextmanager
def _tiny_disk(at: Path, size: str) -> Iterator[Path]:
    at.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(at)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk can only be made by root")
    try:
        yield at
    finally:
        subprocess.run(["umount", str(at)], check=True)


@pytest.mark.parametrize("size", ["160k", "320k"])  # full when the journal is made, and when it is written to
def test_a_full_disk_for_the_journal(archive_program: Program, size: str) -> None:
    program = archive_program
    for number in range(300):
        (program.data / f"scan with a rather long name {number:04}.dat").write_bytes(b"x")
    with _tiny_disk(program.home / "tiny", size) as tiny:
        _refused(program("once", "profile.yaml", "--state", tiny), 5, "the disk that holds the journal is full")
    assert len(list(program.data.iterdir())) == 300


def test_a_second_watcher_is_told_who_has_the_journal(archive_program: Program) -> None:
    process = archive_program.start("run", "profile.yaml")
    archive_program.wait_for(lambda: "process" in archive_program("status").stdout)
    _refused(archive_program("once", "profile.yaml"), 5, "another watcher", f"process {process.pid}")
    assert archive_program.stop(process) == 0


def test_a_wrong_password(irods_program: Program) -> None:
    irods_program.environment["TEST_IRODS_PASSWORD"] = "wrong"
    _image(irods_program)
    _refused(irods_program("once", "profile.yaml"), 78, "rods", "iinit")
    _refused(irods_program("run", "profile.yaml"), 78, "rods", "iinit")


def test_a_missing_environment_file(irods_program: Program) -> None:
    (irods_program.home / "irods_environment.json").unlink()
    _image(irods_program)
    _refused(irods_program("once", "profile.yaml"), 78, "irods_environment.json")


def test_a_server_that_does_not_answer(irods_program: Program, server: IrodsServer) -> None:
    _image(irods_program)
    server.stop()
    _refused(irods_program("once", "profile.yaml"), 5, str(server.port), "it is tried again")
    assert [one["state"] for one in irods_program.sets()] == ["complete"]


def test_a_missing_target_collection(irods_program: Program) -> None:
    _image(irods_program)
    text = irods_program.profile.read_text(encoding="utf-8").replace("/facility/", "/nowhere/")
    irods_program.profile.write_text(text, encoding="utf-8")
    _refused(irods_program("once", "profile.yaml"), 78, "/tempZone/home/rods/nowhere", "administrator")


def test_no_permission_in_the_target_collection(irods_program: Program, server: IrodsServer) -> None:
    server.add_user("alice", "secret")
    environment = server.environment("alice")
    (irods_program.home / "irods_environment.json").write_text(json.dumps(environment), encoding="utf-8")
    irods_program.environment["TEST_IRODS_PASSWORD"] = "secret"
    server.make_collection("/tempZone/home/public/only-to-look", owner="rods")
    _image(irods_program)
    result = irods_program("once", "profile.yaml")
    assert result.returncode in {3, 78}
    _refused(result, result.returncode, BASE, "administrator")


def test_a_name_that_irods_cannot_hold_is_held_and_the_others_delivered(
    irods_program: Program, server: IrodsServer
) -> None:
    program = irods_program
    deep = program.data.joinpath(*(["d" * 200] * 6))
    deep.mkdir(parents=True)
    simulate.KINDS["growing-stack"](deep, "too-deep", pause=lambda _: None)
    _image(program)
    _refused(program("once", "profile.yaml"), 3, "too-deep", "1087")
    assert set(in_zone(server)) == {"scan/scan.tif"}


def test_names_that_only_look_impossible_arrive(irods_program: Program, server: IrodsServer) -> None:
    program = irods_program
    names = ["it's µm (1) & <b>", " leading", 'quote"d', "50%20x", "emoji 🔬", "e\u0301", "new\nline"]
    for name in names:
        (program.data / f"{name}.dat").write_bytes(name.encode())
    (program.data / b"latin\xe9.dat".decode("utf-8", "surrogateescape")).write_bytes(b"latin")
    result = program("once", "profile.yaml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert len(in_zone(server)) == len(names) + 1


def test_a_usage_error(archive_program: Program) -> None:
    _refused(archive_program("once"), 2)
    _refused(archive_program("once", "profile.yaml", "--no-such-option"), 2)
    _refused(archive_program("show", "nothing", "--state", "nowhere"), 2, "no journal is there")
    archive_program("once", "profile.yaml")
    _refused(archive_program("show", "nothing"), 2, "nothing", "list")
    _refused(archive_program("inspect", "nothing.tif"), 5, "nothing.tif")
