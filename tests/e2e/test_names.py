"""Whatever a file is called: it arrives, is listed by that name, and can be checked and found again by anybody."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from irods.session import iRODSSession

from tests.e2e.conftest import BASE, Program
from tests.e2e.contents import SIDECARS, digest, in_zone, on_disk
from tests.irods_server import IrodsServer
from watcher import names

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has disks that hold all these names")

#: Names that every store can hold as they are.
KEPT = [
    b"it's \"quoted\" & <tagged>; it's.tif",
    "emoji \U0001f52c \U0001f468\u200d\U0001f52c.tif".encode(),
    "composed \u00e9.tif".encode(),
    "decomposed e\u0301.tif".encode(),
    b" leading and trailing space.tif ",
    b"trailing dots.tif..",
    b"n" * 246 + b".tif",
    "\u00e9".encode() * 120 + b".tif",
    b"100%.tif",
    b"50%20x %41.tif",
    b"back\\slash\\n.tif",
    b"$(touch pwned) `x` $HOME.tif",
    b"-rf *.tif",
    b"a:b|c?.tif",
    b"Case.tif",
    b"case.tif",
    "right to left \u202e.tif".encode(),
]
#: Names that must be escaped, with what they become.
ESCAPED = {
    b"line\nend.tif": "line%0Aend.tif",
    b"tab\there \x01\x1b[31m\x7f.tif": "tab%09here %01%1B[31m%7F.tif",
    "next\u0085line \uffff.tif".encode(): "next%u0085line %uFFFF.tif",
    b"caf\xe9 \xff.tif": "caf%E9 %FF.tif",
    b"a%0Ab.tif": "a%250Ab.tif",
    b"manifest-sha256.txt": "%6Danifest-sha256.txt",
    b"MANIFEST-SHA256.TXT": "%4DANIFEST-SHA256.TXT",
    b"irods-watcher.json": "%69rods-watcher.json",
    b"ro-crate-metadata.json": "%72o-crate-metadata.json",
}
EXPECTED = {os.fsdecode(name): name for name in KEPT} | {target: name for name, target in ESCAPED.items()}
DIRECTORY = "sets: {group: directory}\n"


def write_all(folder: Path) -> None:
    """A file of each name, whose content is its name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in EXPECTED.values():
        (folder / os.fsdecode(name)).write_bytes(name)


def check_with_sha256sum(folder: Path, files: int) -> None:
    """What a person without this program would do; each line must be understood and each file be as it was."""
    done = subprocess.run(["sha256sum", "--strict", "-c", "manifest-sha256.txt"], cwd=folder, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b": OK\n") == files


def true_names(values: list[str]) -> dict[str, bytes]:
    """What a shell makes of the true names, by the names in the store."""
    pairs = [value.rsplit(": $'", 1) for value in values]
    script = " ".join(["printf '%s\\0'", *(f"$'{quoted}" for _, quoted in pairs)])
    read = subprocess.run(
        ["bash", "-c", script], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}
    )
    return dict(zip((target for target, _ in pairs), read.stdout.split(b"\0"), strict=False))


def test_every_name_arrives_in_a_zone_and_is_listed_there(irods_program: Program, server: IrodsServer) -> None:
    program = irods_program
    write_all(program.data / "odd")
    program.write_profile(more=DIRECTORY)
    result = program("once", "profile.yaml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert in_zone(server) == {f"odd/{target}": digest(name) for target, name in EXPECTED.items()}
    # Another client, in the mode that all use.
    with iRODSSession(host=server.host, port=server.port, user="rods", password="rods", zone=server.zone) as session:
        listed = {item.name: item.size for item in session.collections.get(f"{BASE}/Scope-1/odd").data_objects}
    for name in ("manifest-sha256.txt", "ro-crate-metadata.json"):
        listed.pop(name)
    assert listed == {target: len(name) for target, name in EXPECTED.items()}
    # Fetched by those names, with the manifest.
    fetched = program.home / "fetched"
    fetched.mkdir()
    for path, replica in server.objects(f"{BASE}/Scope-1/odd/").items():
        (fetched / path.rpartition("/")[2]).write_bytes(replica.read())
    check_with_sha256sum(fetched, len(EXPECTED))
    avus = server.avus(f"{BASE}/Scope-1/odd")
    told = [value for name, value, _ in avus if name == "acq:member_name"]
    assert true_names(told) == {target: name for name, target in ESCAPED.items()}
    assert ("acq:member_names", str(len(ESCAPED)), "") in avus


def test_every_name_arrives_in_an_archive_and_can_be_checked_there(archive_program: Program) -> None:
    program = archive_program
    write_all(program.data / "odd")
    program.write_profile(more=DIRECTORY)
    result = program("once", "profile.yaml")
    assert result.returncode == 0, result.stdout + result.stderr
    archived = program.home / "archive/Scope-1/odd"
    found = on_disk(archived)
    assert found.keys() - EXPECTED.keys() == SIDECARS
    assert {target: found[target] for target in EXPECTED} == {t: digest(name) for t, name in EXPECTED.items()}
    check_with_sha256sum(archived, len(EXPECTED))
    for verb in ("list", "status", "show"):
        shown = program(verb, *(["odd"] if verb == "show" else []))
        assert shown.returncode == 0, shown.stderr


def test_every_name_can_be_that_of_a_set(irods_program: Program, server: IrodsServer) -> None:
    program = irods_program
    write_all(program.data)
    program.write_profile(more="sets: {group: file}\n")
    result = program("once", "profile.yaml")
    assert result.returncode == 0, result.stdout + result.stderr
    found = in_zone(server)
    assert {path.rpartition("/")[2]: value for path, value in found.items()} == {
        target: digest(name) for target, name in EXPECTED.items()
    }
    collections = {path.rpartition("/")[0] for path in found}
    assert len(collections) == len(EXPECTED)
    for collection in collections:
        assert ("acq:state", "complete", "") in server.avus(f"{BASE}/Scope-1/{collection}")


def test_a_lost_journal_recognises_every_name(irods_program: Program, server: IrodsServer) -> None:
    program = irods_program
    write_all(program.data / "odd")
    program.write_profile(more=DIRECTORY)
    assert program("once", "profile.yaml").returncode == 0
    before = in_zone(server)
    (program.home / "state/journal.sqlite").unlink()
    result = program("once", "profile.yaml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert in_zone(server) == before
    assert [(one["state"], one["version"]) for one in program.sets()] == [("published", 1)]


def test_folders_have_such_names_too(archive_program: Program) -> None:
    program = archive_program
    folders = [b"caf\xe9", b"line\nend", b" space ", "e\u0301".encode(), b"manifest-sha256.txt", b"a & b's"]
    for folder in folders:
        inside = program.data / "odd" / os.fsdecode(folder)
        inside.mkdir(parents=True)
        (inside / "x.tif").write_bytes(folder)
    program.write_profile()
    result = program("once", "profile.yaml")
    assert result.returncode == 0, result.stdout + result.stderr
    found = on_disk(program.home / "archive/Scope-1")
    for folder in folders:
        name = names.legal(os.fsdecode(folder))
        assert digest(folder) in {value for path, value in found.items() if name in path.split("/")}, name
