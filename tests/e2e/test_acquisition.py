"""While an instrument writes: nothing leaves early, what is missing is named, what changes becomes a new version."""

import os
import time
from pathlib import Path

from tests.e2e.conftest import BASE, Program
from tests.e2e.contents import digest, in_archive, in_zone
from tests.irods_server import IrodsServer
from watcher import simulate


def test_a_file_that_grows_for_20_seconds_and_is_renamed_never_leaves_early(
    irods_program: Program, server: IrodsServer
) -> None:
    program = irods_program
    program.write_profile(settle="1s", quiet="2s")
    process = program.start("run", "profile.yaml")
    growing = program.data / "scan_running.tif"
    simulate.KINDS["growing-stack"](program.data, "template", pause=lambda _: None)
    whole = (program.data / "template.tif").read_bytes()
    (program.data / "template.tif").unlink()
    step = len(whole) // 20
    with growing.open("wb", buffering=0) as file:
        for second in range(20):
            file.write(whole[second * step : (second + 1) * step if second < 19 else len(whole)])
            time.sleep(1)
            assert in_zone(server) == {}
    final = program.data / "scan.tif"
    growing.rename(final)
    program.wait_for(lambda: len(program.sets("published")) == 1)
    assert in_zone(server) == {"scan/scan.tif": digest(whole)}
    assert program.stop(process) == 0
    # Nothing of the name it had while it was written has ever been a set of its own.
    assert [one["name"] for one in program.sets()] == ["scan"]


def test_a_listed_member_that_never_comes_is_named(archive_program: Program) -> None:
    program = archive_program
    simulate.KINDS["ome-tiff-series"](program.data, "embryo", pause=lambda _: None, missing=(3,))
    result = program("once", "profile.yaml")
    assert result.returncode == 5
    assert "embryo_Z03.ome.tif" in result.stdout
    assert in_archive(program.home / "archive") == {}
    explained = program("explain", program.data / "embryo_Z01.ome.tif", "--profile", "profile.yaml")
    assert "waits for the missing file embryo_Z03.ome.tif" in explained.stdout
    assert "goes to: Scope-1/embryo" in explained.stdout


def test_after_its_deadline_an_incomplete_set_is_held_and_a_person_told(archive_program: Program) -> None:
    program = archive_program
    simulate.KINDS["ome-tiff-series"](program.data, "embryo", pause=lambda _: None, missing=(3,))
    program.write_profile(_with_deadline(program, "hold"))
    result = program("once", "profile.yaml")
    assert result.returncode == 3
    status = program("status")
    assert "1 set from Scope-1 needs you" in status.stdout
    assert "embryo_Z03.ome.tif" in status.stdout
    simulate.KINDS["ome-tiff-series"](program.data, "other", pause=lambda _: None)
    assert (program("once", "profile.yaml").returncode, len(program.sets("published"))) == (3, 1)


def test_after_its_deadline_an_incomplete_set_is_delivered_with_a_label_if_the_profile_says_so(
    irods_program: Program, server: IrodsServer
) -> None:
    program = irods_program
    simulate.KINDS["ome-tiff-series"](program.data, "embryo", pause=lambda _: None, missing=(3,))
    program.write_profile(_with_deadline(program, "deliver"))
    result = program("once", "profile.yaml")
    assert result.returncode == 0, result.stdout + result.stderr
    avus = {name: value for name, value, _ in server.avus(f"{BASE}/Scope-1/embryo")}
    assert avus["acq:complete"] == "no"
    assert "embryo_Z03.ome.tif" in avus["acq:problems"]


def test_a_missing_member_that_comes_later_completes_a_held_set(archive_program: Program) -> None:
    program = archive_program
    simulate.KINDS["ome-tiff-series"](program.data, "embryo", pause=lambda _: None)
    third = program.data / "embryo_Z03.ome.tif"
    third.rename(program.home / "later.tif")
    program.write_profile(_with_deadline(program, "hold"))
    assert program("once", "profile.yaml").returncode == 3
    (program.home / "later.tif").rename(third)
    result = program("once", "profile.yaml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert len(program.sets("published")) == 1


def test_a_set_that_changes_after_delivery_becomes_a_version_beside_it(
    irods_program: Program, server: IrodsServer
) -> None:
    program = irods_program
    image = program.data / "scan.tif"
    simulate.KINDS["growing-stack"](program.data, "scan", pause=lambda _: None, seed=1)
    assert program("once", "profile.yaml").returncode == 0
    first = digest(image.read_bytes())
    image.unlink()
    simulate.KINDS["growing-stack"](program.data, "scan", pause=lambda _: None, seed=2)
    second = digest(image.read_bytes())
    assert program("once", "profile.yaml").returncode == 0
    assert in_zone(server) == {"scan/scan.tif": first, "scan.v2/scan.tif": second}
    old = {(name, value) for name, value, _ in server.avus(f"{BASE}/Scope-1/scan")}
    new = {(name, value) for name, value, _ in server.avus(f"{BASE}/Scope-1/scan.v2")}
    assert ("acq:state", "superseded") in old
    assert ("acq:state", "complete") in new
    os.utime(image)
    assert program("once", "profile.yaml").returncode == 0
    assert set(in_zone(server)) == {"scan/scan.tif", "scan.v2/scan.tif"}


def test_a_lost_journal_is_rebuilt_and_nothing_is_sent_twice(irods_program: Program, server: IrodsServer) -> None:
    program = irods_program
    for number in range(5):
        simulate.KINDS["growing-stack"](program.data, f"scan{number}", pause=lambda _: None, seed=number)
    assert program("once", "profile.yaml").returncode == 0
    before = in_zone(server)
    ids = {one["name"]: one["id"] for one in program.sets()}
    (program.home / "state" / "journal.sqlite").write_bytes(b"this is no journal any more")
    server.reset_requests()
    result = program("once", "profile.yaml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "set aside" in result.stderr
    assert in_zone(server) == before
    assert {one["name"]: one["id"] for one in program.sets("published")} == ids
    assert not [request for request in server.requests if request.api in {606, 676}]


def _with_deadline(program: Program, incomplete: str) -> str:
    return (
        "instrument: {name: Scope-1}\nwatch: [{path: data, settle: 0s, sweep: 1s}]\n"
        f"complete: {{quiet: 0s, deadline: 0s, incomplete: {incomplete}}}\nstore: {program.store}\n"
    )


def test_orders_of_a_person_go_through_the_journal(archive_program: Program, tmp_path: Path) -> None:
    program = archive_program
    simulate.KINDS["growing-stack"](program.data, "focus", pause=lambda _: None, truncate=True)
    assert program("once", "profile.yaml").returncode == 5
    assert program("skip", "focus", "--reason", "only a focus test").returncode == 0
    assert program("once", "profile.yaml").returncode == 0
    assert in_archive(tmp_path / "archive") == {}
    assert "only a focus test" in program("show", "focus").stdout
    assert program("retry", "focus").returncode == 0
    assert program("once", "profile.yaml").returncode == 5
