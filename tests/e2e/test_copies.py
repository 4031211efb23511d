"""Second copies by the real program: zones and folders hold the same tree, and everybody is told where."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import BASE, Program
from tests.irods_server import GOOD, IrodsServer
from watcher.errors import Exit

OTHER = "/otherZone/home/rods/copies"
FOLDER = "{kind: folder, path: backup}"
OTHER_ZONE = (
    "{kind: irods, environment: other.json, password: {env: TEST_IRODS_PASSWORD}, "
    f"collection: '{OTHER}/{{instrument}}/{{set}}'}}"
)
SAME_ZONE = (
    "{kind: irods, name: tape, environment: irods_environment.json, password: {env: TEST_IRODS_PASSWORD}, "
    "resource: tapeResc, collection: '/tempZone/home/rods/tape/{instrument}/{set}'}"
)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[IrodsServer]:
    vault = tmp_path / "other-vault"
    vault.mkdir()
    with IrodsServer(zone="otherZone", users={"rods": "rods"}, vault=vault) as running:
        running.make_collection(OTHER, owner="rods")
        (tmp_path / "other.json").write_text(json.dumps(running.environment()), encoding="utf-8")
        (tmp_path / "backup").mkdir()
        yield running


def below(server: IrodsServer, collection: str) -> dict[str, bytes]:
    objects = server.objects(f"{collection}/")
    assert all(item.status == GOOD for item in objects.values())
    return {path.removeprefix(f"{collection}/"): item.read() for path, item in objects.items()}


def folder(path: Path) -> dict[str, bytes]:
    files = {found.relative_to(path).as_posix(): found.read_bytes() for found in path.rglob("*") if found.is_file()}
    files.pop("irods-watcher.json")
    return files


def write_set(program: Program, name: str, files: int, size: int = 500) -> None:
    (program.data / name).mkdir(parents=True)
    for number in range(files):
        (program.data / name / f"{number:03d}.dat").write_bytes(os.urandom(size))


def use(program: Program, *copies: str) -> None:
    program.write_profile(more=f"sets: {{group: directory}}\ncopies: [{', '.join(copies)}]\n")


def test_a_zone_another_zone_and_a_folder_hold_the_same(
    irods_program: Program, server: IrodsServer, other: IrodsServer
) -> None:
    server.add_resource("tapeResc")
    server.make_collection("/tempZone/home/rods/tape", owner="rods")
    use(irods_program, FOLDER, OTHER_ZONE, SAME_ZONE)
    write_set(irods_program, "run", 70)
    result = irods_program("once", irods_program.profile)
    assert result.returncode == Exit.OK, result.stderr
    main = below(server, f"{BASE}/Scope-1/run")
    assert len(main) == 70 + 2
    backup = irods_program.home / "backup/rods/facility/Scope-1/run"
    places = {"otherZone": f"{OTHER}/Scope-1/run", "tape": "/tempZone/home/rods/tape/Scope-1/run"}
    assert folder(backup) == main
    assert below(other, places["otherZone"]) == main
    assert below(server, places["tape"]) == main
    assert {item.resource for item in server.objects(f"{places['tape']}/").values()} == {"tapeResc"}
    told = {(value, unit) for name, value, unit in server.avus(f"{BASE}/Scope-1/run") if name == "acq:copy"}
    assert told == {(str(backup), "backup"), (places["otherZone"], "otherZone"), (places["tape"], "tape")}
    metadata = {(name, value) for name, value, _ in server.avus(f"{BASE}/Scope-1/run") if name != "acq:copy"}
    there = {(name, value) for name, value, _ in other.avus(places["otherZone"]) if name != "acq:copy_of"}
    assert there == metadata
    assert ("acq:copy_of", f"{BASE}/Scope-1/run", "otherZone") in other.avus(places["otherZone"])
    # Small members went together there, too.
    assert any(request.api == 665 for request in other.requests)
    (one,) = irods_program.json("list")["sets"]
    assert {copy["name"]: copy["place"] for copy in one["copies"]} == {value: place for place, value in told}
    assert all(copy["verified_at"] and not copy["problem"] for copy in one["copies"])
    assert one["replicas"] == 1
    shown = irods_program("show", "run").stdout
    assert f"copy in otherZone: {places['otherZone']}, verified" in shown


def test_a_folder_can_have_its_copy_in_a_zone(archive_program: Program, other: IrodsServer) -> None:
    archive_program.environment["TEST_IRODS_PASSWORD"] = "rods"
    use(archive_program, OTHER_ZONE)
    write_set(archive_program, "run", 3, size=6 << 20)
    assert archive_program("once", archive_program.profile).returncode == Exit.OK
    assert below(other, f"{OTHER}/Scope-1/run") == folder(archive_program.home / "archive/Scope-1/run")
    assert ("acq:state", "complete", "") in other.avus(f"{OTHER}/Scope-1/run")


def test_a_zone_that_is_away_is_told_and_served_when_it_is_back(archive_program: Program, other: IrodsServer) -> None:
    archive_program.environment["TEST_IRODS_PASSWORD"] = "rods"
    use(archive_program, OTHER_ZONE, FOLDER)
    other.stop()
    write_set(archive_program, "run", 3)
    result = archive_program("once", archive_program.profile)
    assert result.returncode == Exit.OK, result.stderr
    assert "copies to otherZone" in result.stderr
    status = archive_program.json("status")
    assert status["copies"] == [{"name": "otherZone", "waiting": 1, "problem": ""}]
    assert [need["kind"] for need in status["attention"]] == ["copy"]
    assert "1 set waits for its copy in otherZone." in archive_program("status").stdout
    other.start()
    process = archive_program.start("run", "profile.yaml")
    archive_program.wait_for(lambda: archive_program.json("status")["copies"] == [])
    archive_program.wait_for(lambda: archive_program.json("status")["attention"] == [])
    assert archive_program.stop(process) == 0
    assert below(other, f"{OTHER}/Scope-1/run") == folder(archive_program.home / "archive/Scope-1/run")
