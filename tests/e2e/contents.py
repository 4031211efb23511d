"""What is in an archive or a zone, to be compared with what is on the disk."""

import hashlib
import subprocess
from pathlib import Path

from tests.e2e.conftest import BASE
from tests.irods_server import IrodsServer

SIDECARS = {"manifest-sha256.txt", "ro-crate-metadata.json", "irods-watcher.json"}


def digest(data: bytes) -> str:
    """SHA-256 as hex."""
    return hashlib.sha256(data).hexdigest()


def on_disk(folder: Path) -> dict[str, str]:
    """Digest by path of every file below a folder."""
    return {p.relative_to(folder).as_posix(): digest(p.read_bytes()) for p in folder.rglob("*") if p.is_file()}


def in_archive(archive: Path, instrument: str = "Scope-1") -> dict[str, str]:
    """Digest by path of every delivered file, without the path component of the set that single files get."""
    found = on_disk(archive / instrument)
    return {path: value for path, value in found.items() if Path(path).name not in SIDECARS}


def in_zone(server: IrodsServer, instrument: str = "Scope-1") -> dict[str, str]:
    """The same for the test server, whose replicas must all be good with the right checksum."""
    prefix = f"{BASE}/{instrument}/"
    found = {}
    for path, replica in server.objects(prefix).items():
        if Path(path).name in SIDECARS:
            continue
        assert str(replica.status) == "1", (path, replica.status)
        found[path.removeprefix(prefix)] = digest(replica.read())
    return found


def check_with_sha256sum(collection: Path) -> None:
    """What a person without this program would do."""
    command = ["sha256sum", "--quiet", "--strict", "-c", "manifest-sha256.txt"]
    subprocess.run(command, cwd=collection, check=True)
    listed = {line.split("  ", 1)[1] for line in (collection / "manifest-sha256.txt").read_text().splitlines()}
    assert listed == on_disk(collection).keys() - SIDECARS
