"""A set, its files and its profile, as the tests of what is said of a set need them."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import pytest

from watcher.model import FileFacts, ImageSet, Member, State
from watcher.profile import Profile, load
from watcher.provenance import manifest

AT = 1_735_686_000
SET_ID = "urn:uuid:6f1c0b5e-6c2c-4b35-8a5c-0b8c6e7c0001"

FULL = """\
instrument:
  name: LSM980-2
  manufacturer: Zeiss
  model: LSM 980
  serial: "3951000123"
  pid: https://hdl.handle.net/21.T11998/0000
  timezone: Europe/Amsterdam
watch: [{path: /data}]
store: {kind: folder, path: /archive}
people: {facility: {name: BioImaging Facility, ror: "https://ror.org/03yrm5c26"}}
metadata:
  tags: [ready for omero]
  licence: https://spdx.org/licenses/CC-BY-4.0
  imaging_method: FBbi:00000251 confocal microscopy
"""
BARE = "instrument: {name: scope}\nwatch: [{path: /data}]\nstore: {kind: folder, path: /archive}\n"

#: Writes files with these names below a folder, each with its own name as content, and the manifest; the members.
Put = Callable[[Path, Sequence[str]], list[Member]]


def profile_of(folder: Path, text: str) -> Profile:
    """The profile with this text."""
    path = folder / "scope.yaml"
    path.write_text(text)
    return load(path)


@pytest.fixture
def full_profile(tmp_path: Path) -> Profile:
    """A profile that says all that it can."""
    return profile_of(tmp_path, FULL)


@pytest.fixture
def bare_profile(tmp_path: Path) -> Profile:
    """A profile with the fewest words."""
    return profile_of(tmp_path, BARE)


@pytest.fixture
def image_set() -> ImageSet:
    """The set of `a_set`."""
    return a_set()


def a_set() -> ImageSet:
    """A whole and sound set with metadata of its own, which names a person as well."""
    return ImageSet(
        id=SET_ID,
        root=Path("/data"),
        folder=PurePosixPath("jdoe/cells"),
        name="cells",
        format="ome-tiff",
        grouped_by="ome-tiff",
        state=State.VERIFIED,
        collection="/zone/home/facility/cells",
        whole=True,
        sound=True,
        validated_by="ome-tiff:uuids",
        completed_by="quiet for 2m",
        first_seen=AT - 500,
        completed_at=AT + 120.5,
        problems=("a.tif: the first problem", "b.tif: " + "long " * 1000),
        remarks=("it was aborted",),
        embedded={"objective": "63x", "size": "1x2x3x4x5", "experimenter": "Musil, Robert", "computer": "MUSILS-PC"},
    )


def member(target: str, content: bytes | None = None, *, mtime_ns: int = AT * 10**9) -> Member:
    """A member that was sent, with its name as content if no other is given."""
    data = target.encode() if content is None else content
    return Member(target, FileFacts(len(data), mtime_ns, ""), target, hashlib.sha256(data).hexdigest())


@pytest.fixture
def put() -> Put:
    """Write members and their manifest."""

    def written(folder: Path, targets: Sequence[str]) -> list[Member]:
        members = [member(target) for target in targets]
        for target in targets:
            path = folder / target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(target.encode())
        (folder / manifest.NAME).write_bytes(manifest.text(members).encode())
        return members

    return written
