"""Published sets compared with a zone again, and sets taken over that others have uploaded, by the real program."""

import json
import os
from pathlib import Path

import pytest
from irods.access import iRODSAccess

from tests.e2e.conftest import BASE, Program
from tests.irods_server import GOOD, IrodsServer
from tests.irods_server.dialogue import connect
from watcher.errors import Exit

SETS = f"{BASE}/Scope-1"
#: Several programs are started in a test.
pytestmark = pytest.mark.timeout(240)


def write_set(program: Program, name: str, files: int = 3) -> dict[str, bytes]:
    (program.data / name / "deep").mkdir(parents=True)
    content = {f"{number}.dat": os.urandom(500) for number in range(files)} | {"deep/x.dat": os.urandom(500)}
    for path, data in content.items():
        (program.data / name / path).write_bytes(data)
    return content


def damage(server: IrodsServer, path: str) -> None:
    item = server.objects(path)[path]
    item.location.write_bytes(b"!" * item.size)


@pytest.fixture
def published(irods_program: Program) -> Program:
    irods_program.write_profile(more="sets: {group: directory}\n")
    for name in ("a", "b", "c"):
        write_set(irods_program, name)
    assert irods_program("once", "profile.yaml").returncode == 0
    return irods_program


def test_verify_says_which_sets_are_as_they_were_published(published: Program, server: IrodsServer) -> None:
    before = {path: item.checksum for path, item in server.objects().items()}
    server.reset_requests()
    fine = published("verify", "--all")
    assert fine.returncode == Exit.OK, fine.stderr
    assert f"a: as it was published, in {SETS}/a" in fine.stdout
    assert "3 sets verified: 3 as published, 0 not." in fine.stdout
    assert {request.api for request in server.requests} <= {702, 110000, 700, 703, 704, 711, 725, 726}
    assert {path: item.checksum for path, item in server.objects().items()} == before
    assert published("verify", "a", "--deep").returncode == Exit.OK
    sampled = published("verify", "--sample", "2")
    assert "2 sets verified: 2 as published, 0 not." in sampled.stdout


def test_each_drift_is_found_and_shown_until_it_is_mended(published: Program, server: IrodsServer) -> None:
    server.add_resource("tape")
    server.add_user("bob", "bob")
    server.replicate(f"{SETS}/a/0.dat", "tape", stale=True)
    with connect(server) as admin:
        admin.acls.set(iRODSAccess("read", f"{SETS}/b", "bob", "tempZone"))
        content = admin.data_objects.open(f"{SETS}/c/deep/x.dat", "r").read()
        admin.data_objects.unlink(f"{SETS}/c/deep/x.dat", force=True)
    found = published("verify", "--all")
    assert found.returncode == Exit.PARTLY, found.stderr
    assert "a: 0.dat: a replica is out of date" in found.stdout
    assert f"b: {SETS}/b: a user or group has more access to it than was given" in found.stdout
    assert "bob" not in found.stdout + found.stderr
    assert "c: deep/x.dat: the catalogue does not have it" in found.stdout
    status = published.json("status")
    assert sorted(need["kind"] for need in status["attention"]) == ["audit"] * 3
    assert "c is not as it was published" in published("status").stdout
    assert "not as published: deep/x.dat" in published("show", "c").stdout
    (published.home / "x.dat").write_bytes(content)
    with connect(server) as admin:
        admin.data_objects.put(published.home / "x.dat", f"{SETS}/c/deep/x.dat", regChksum="")
        admin.acls.set(iRODSAccess("null", f"{SETS}/b", "bob", "tempZone"))
    mended = published.json("verify", "b", "c")
    assert [one["drift"] for one in mended["sets"]] == [[], []]
    assert len(published.json("status")["attention"]) == 1


def test_bytes_that_rotted_on_the_resource_are_found_by_deep_alone(published: Program, server: IrodsServer) -> None:
    damage(server, f"{SETS}/b/1.dat")
    assert published("verify", "--all").returncode == Exit.OK
    found = published("verify", "--all", "--deep")
    assert found.returncode == Exit.PARTLY
    assert "b: 1.dat: the stored bytes are not those of its checksum" in found.stdout
    assert "1 not; all stored bytes were read again." in found.stdout
    # What is known to be damaged stays told until the bytes are read again.
    assert published("verify", "--all").returncode == Exit.PARTLY


def test_more_replicas_are_counted(published: Program, server: IrodsServer) -> None:
    server.add_resource("tape")
    for path in server.objects(f"{SETS}/a/"):
        server.replicate(path, "tape")
    assert ("acq:copies", "1", "") in server.avus(f"{SETS}/a")
    assert published("verify", "a").returncode == Exit.OK
    assert ("acq:copies", "2", "") in server.avus(f"{SETS}/a")
    assert published.json("show", "a")["sets"][0]["replicas"] == 2
    with connect(server) as admin:
        admin.data_objects.modDataObjMeta({"objPath": f"{SETS}/a/0.dat"}, {"replStatus": "0"})
    assert "1 of 2 good replicas of each file are left" in published("verify", "a").stdout
    assert ("acq:copies", "1", "") in server.avus(f"{SETS}/a")


def test_what_is_asked_must_be_there(published: Program, server: IrodsServer) -> None:
    assert "say which sets" in published("verify").stderr
    assert published("verify", "none").returncode == Exit.USAGE
    server.stop()
    away = published("verify", "--all")
    assert away.returncode == Exit.TRY_LATER, away.stderr
    assert published.json("status")["attention"] == []


def test_a_running_watcher_finds_it_by_itself(published: Program, server: IrodsServer) -> None:
    published.write_profile(more="sets: {group: directory}\naudit: {every: 1s, deep: 1s}\n")
    damage(server, f"{SETS}/b/1.dat")
    with connect(server) as admin:
        admin.data_objects.unlink(f"{SETS}/c/0.dat", force=True)
    process = published.start("run", "profile.yaml")
    published.wait_for(lambda: len(published.json("status")["attention"]) == 2, 60)
    write_set(published, "d")
    published.wait_for(lambda: len(published.sets("published")) == 4, 60)
    assert published.stop(process) == 0


# sets that others have uploaded


def upload(server: IrodsServer, program: Program, name: str, content: dict[str, bytes], **options: str) -> None:
    with connect(server) as admin:
        for path, data in content.items():
            target = f"{SETS}/{name}/{path}"
            admin.collections.create(target.rpartition("/")[0], recurse=True)
            file = program.home / "upload"
            file.write_bytes(data)
            admin.data_objects.put(file, target, **options)


@pytest.fixture
def uploaded(irods_program: Program, server: IrodsServer) -> Program:
    """Sets a (with checksums) and b (without) were uploaded by others; alice may read b."""
    server.add_user("alice", "alice")
    irods_program.write_profile(more="sets: {group: directory}\n")
    upload(server, irods_program, "a", write_set(irods_program, "a"), regChksum="")
    upload(server, irods_program, "b", write_set(irods_program, "b"))
    with connect(server) as admin:
        admin.acls.set(iRODSAccess("read", f"{SETS}/b", "alice", "tempZone"))
    return irods_program


def test_adopt_takes_over_what_is_the_same_in_every_byte(uploaded: Program, server: IrodsServer) -> None:
    before = {path: (item.location, item.read()) for path, item in server.objects().items()}
    done = uploaded("adopt", "data", "-p", "profile.yaml")
    assert done.returncode == Exit.OK, done.stdout + done.stderr
    assert f"a: adopted in {SETS}/a" in done.stdout
    assert "2 sets looked at: 2 adopted, 0 not." in done.stdout
    after = {path: (item.location, item.read()) for path, item in server.objects().items()}
    assert {path: after[path] for path in before} == before
    for name in ("a", "b"):
        new = {path.removeprefix(f"{SETS}/{name}/") for path in after.keys() - before.keys() if f"/{name}/" in path}
        assert new == {"manifest-sha256.txt", "ro-crate-metadata.json"}
        assert ("acq:state", "complete", "") in server.avus(f"{SETS}/{name}")
    assert {item.status for item in server.objects().values()} == {GOOD}
    assert "alice" in server.access(f"{SETS}/b")
    assert {one["name"] for one in uploaded.sets("published")} == {"a", "b"}
    assert "uploaded by other means" in uploaded("show", "a").stdout
    # Nothing is sent again, and nothing is to be adopted any more; whom others let in is no drift.
    server.reset_requests()
    assert uploaded("once", "profile.yaml").returncode == Exit.OK
    assert not {606, 602, 676} & {request.api for request in server.requests}
    assert "0 sets looked at" in uploaded("adopt", "data").stdout
    assert uploaded("verify", "--all").returncode == Exit.OK


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("byte here", "0.dat: other bytes are there than here"),
        ("size here", "0.dat: 500 bytes are there, 501 are here"),
        ("file here", "new.dat: it is not there"),
        ("file there", "new.dat: it is there and is no file of this set"),
        ("rotted there", "0.dat: the stored bytes are not those of its checksum"),
        ("stale there", "0.dat: the catalogue has no good replica of it"),
        ("labelled there", "/a: it is labelled as a set already"),
        ("nothing there", "/a: nothing is there"),
    ],
)
def test_what_is_not_the_same_is_told_and_not_touched(
    uploaded: Program, server: IrodsServer, change: str, why: str
) -> None:
    here, there = uploaded.data / "a", f"{SETS}/a"
    match change:
        case "byte here":
            (here / "0.dat").write_bytes(os.urandom(500))
        case "size here":
            (here / "0.dat").write_bytes(os.urandom(501))
        case "file here":
            (here / "new.dat").write_bytes(b"new")
        case "file there":
            upload(server, uploaded, "a", {"new.dat": b"new"})
        case "rotted there":
            damage(server, f"{there}/0.dat")
        case "stale there":
            with connect(server) as admin:
                admin.data_objects.modDataObjMeta({"objPath": f"{there}/0.dat"}, {"replStatus": "0"})
        case "labelled there":
            with connect(server) as admin:
                admin.collections.get(there).metadata.add("dcterms:identifier", "another")
        case "nothing there":
            with connect(server) as admin:
                admin.collections.remove(there, force=True)
    objects = {path: item.read() for path, item in server.objects(f"{there}/").items()}
    avus = server.avus(there) if objects else []
    done = uploaded("adopt", "data", "-p", "profile.yaml")
    assert done.returncode == Exit.PARTLY, done.stderr
    assert "a: not adopted: " in done.stdout
    assert why in done.stdout
    assert "b: adopted" in done.stdout
    assert {path: item.read() for path, item in server.objects(f"{there}/").items()} == objects
    assert (server.avus(there) if objects else []) == avus
    # The watcher brings it into safety beside.
    assert uploaded("once", "profile.yaml").returncode == Exit.OK
    (published,) = (one for one in uploaded.sets("published") if one["name"] == "a")
    assert published["collection"] == (f"{there}~{published['id'][9:17]}" if objects else there)
    assert {path: item.read() for path, item in server.objects(f"{there}/").items()}.items() >= objects.items()


def test_adopt_is_refused_elsewhere_and_beside_a_running_watcher(uploaded: Program, tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    refused = uploaded("adopt", tmp_path / "else", "-p", "profile.yaml")
    assert refused.returncode == Exit.USAGE
    assert "it is not in a folder that this profile watches" in refused.stderr
    only_b = json.loads(uploaded("adopt", "data/b", "-p", "profile.yaml", "--json").stdout)
    assert [one["name"] for one in only_b["sets"]] == ["b"]
    process = uploaded.start("run", "profile.yaml")
    uploaded.wait_for(lambda: uploaded.json("status")["watcher"] is not None)
    assert uploaded("adopt", "data").returncode == Exit.TRY_LATER
    assert uploaded.stop(process) == 0
