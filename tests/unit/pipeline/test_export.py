"""A set out of the archive: every byte as in the manifest, whatever comes between."""

import hashlib
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path, PurePosixPath

import bagit
import pytest

from watcher.errors import FixityError, NameRefused, NotAllowed, UsageError, WatcherError
from watcher.model import Avu, FileFacts, ImageSet, Member, State
from watcher.pipeline.export import Exported, export
from watcher.profile import Profile, load
from watcher.provenance import manifest
from watcher.provenance.vocabulary import MANIFEST_DIGEST, SIZE

FILES = {"a.tif": b"a" * 3_000_000, "pos 1/b%.tif": b"", "pos 1/c.tif": b"c", "back\\slash": b"\\"}


class Archive:
    """A store with one set, as files below a folder; it can be told to break off at a read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reads: list[str] = []
        self.breaks_at: int | None = None
        for name, content in FILES.items():
            self.put(name, content)
        members = [
            Member(name, FileFacts(len(content), 0, ""), name, hashlib.sha256(content).hexdigest())
            for name, content in FILES.items()
        ]
        self.put(manifest.NAME, manifest.text(members).encode())
        self.put("ro-crate-metadata.json", b"{}")
        self.digest = manifest.digest(members)

    def put(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def read(self, collection: str, name: str, offset: int = 0) -> Iterator[bytes]:
        assert collection == "/zone/cells"
        if not (self.folder / name).is_file():
            raise NotAllowed(f"{name}: it is not there")
        self.reads.append(name)
        content = (self.folder / name).read_bytes()[offset:]
        yield content[: len(content) // 2]
        if len(self.reads) == self.breaks_at:
            raise KeyboardInterrupt
        yield content[len(content) // 2 :]

    def avus(self, collection: str) -> frozenset[Avu]:
        size = sum(map(len, FILES.values()))
        return frozenset({Avu(MANIFEST_DIGEST, self.digest), Avu(SIZE, str(size)), Avu("dcterms:title", "cells")})


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    path = tmp_path / "scope.yaml"
    path.write_text(
        "instrument: {name: scope}\nwatch: [{path: /data}]\nstore: {kind: folder, path: /archive}\n"
        "people: {facility: {name: The Facility}}\n"
    )
    return load(path)


SET = ImageSet(
    "urn:uuid:me", Path("/data"), PurePosixPath("x"), "cells", "", "stem", State.PUBLISHED, collection="/zone/cells"
)


def exported(archive: Archive, profile: Profile, to: Path, progress: list[tuple[int, int]] | None = None) -> Exported:
    seen: list[tuple[int, int]] = [] if progress is None else progress
    to.mkdir(exist_ok=True)
    return export(SET, profile, archive, to, date(2026, 3, 4), lambda done, all_: seen.append((done, all_)))


def test_a_set_becomes_a_valid_bag_with_all_that_is_in_the_store(
    tmp_path: Path, archive: Archive, profile: Profile
) -> None:
    progress: list[tuple[int, int]] = []
    done = exported(archive, profile, tmp_path / "out", progress)
    found = bagit.Bag(str(done.bag))
    found.validate()
    assert {
        path.relative_to(done.bag / "data").as_posix(): path.read_bytes() for path in _files(done.bag / "data")
    } == {path.relative_to(archive.folder).as_posix(): path.read_bytes() for path in _files(archive.folder)}
    assert found.info["Payload-Oxum"] == f"{done.size}.{done.files}"
    assert found.info["Source-Organization"] == "The Facility"
    assert found.info["External-Identifier"] == "urn:uuid:me"
    assert found.info["Bagging-Date"] == "2026-03-04"
    assert progress == sorted(progress)
    assert progress[-1] == (3_000_002, 3_000_002)
    assert (1_500_000, 3_000_002) in progress
    assert done.remarks == ()
    checked = subprocess.run(
        ["sha256sum", "--quiet", "--strict", "-c", manifest.NAME], cwd=done.bag / "data", check=False
    )
    assert checked.returncode == 0


def test_what_is_there_already_is_never_touched(tmp_path: Path, archive: Archive, profile: Profile) -> None:
    (tmp_path / "out" / "cells").mkdir(parents=True)
    with pytest.raises(UsageError, match="it is there already"):
        exported(archive, profile, tmp_path / "out")
    assert archive.reads == []


@pytest.mark.parametrize("breaks_at", range(1, 8))
def test_it_goes_on_after_a_kill_at_any_file(
    tmp_path: Path, archive: Archive, profile: Profile, breaks_at: int
) -> None:
    archive.breaks_at = breaks_at
    with pytest.raises(KeyboardInterrupt):
        exported(archive, profile, tmp_path / "out")
    assert not (tmp_path / "out" / "cells").exists()
    whole = set(archive.reads[1:-1])
    archive.reads.clear()
    archive.breaks_at = None
    done = exported(archive, profile, tmp_path / "out")
    bagit.Bag(str(done.bag)).validate()
    assert not whole & FILES.keys() & set(archive.reads)  # what was whole is not read again
    assert not list((tmp_path / "out").glob("*.part"))


def test_other_bytes_in_the_store_make_no_bag(tmp_path: Path, archive: Archive, profile: Profile) -> None:
    archive.put("pos 1/c.tif", b"C")
    with pytest.raises(FixityError, match=r"pos 1/c\.tif: the store gives other bytes"):
        exported(archive, profile, tmp_path / "out")
    assert not (tmp_path / "out" / "cells").exists()
    archive.put("pos 1/c.tif", b"c")
    bagit.Bag(str(exported(archive, profile, tmp_path / "out").bag)).validate()


def test_a_manifest_that_was_changed_makes_no_bag(tmp_path: Path, archive: Archive, profile: Profile) -> None:
    archive.put(manifest.NAME, b"")
    with pytest.raises(FixityError, match="not the manifest that was published"):
        exported(archive, profile, tmp_path / "out")


def test_nothing_is_written_outside_of_the_bag(tmp_path: Path, archive: Archive, profile: Profile) -> None:
    listing = f"{'0' * 64}  ../../evil\n"
    archive.put(manifest.NAME, listing.encode())
    archive.digest = hashlib.sha256(listing.encode()).hexdigest()
    with pytest.raises(NameRefused):
        exported(archive, profile, tmp_path / "out")
    assert not (tmp_path / "evil").exists()


def test_what_a_cut_off_attempt_left_is_mended_or_removed(tmp_path: Path, archive: Archive, profile: Profile) -> None:
    left = tmp_path / "out" / "cells.part" / "data"
    left.mkdir(parents=True)
    (left / "a.tif").write_bytes(b"a")
    (left / "gone.tif").write_bytes(b"gone")
    done = exported(archive, profile, tmp_path / "out")
    bagit.Bag(str(done.bag)).validate()
    assert not (done.bag / "data" / "gone.tif").exists()


def test_a_set_without_a_crate_can_be_exported(tmp_path: Path, archive: Archive, profile: Profile) -> None:
    (archive.folder / "ro-crate-metadata.json").unlink()
    done = exported(archive, profile, tmp_path / "out")
    bagit.Bag(str(done.bag)).validate()
    assert not (done.bag / "data" / "ro-crate-metadata.json").exists()


def test_a_disk_that_refuses_is_told_in_words(tmp_path: Path, archive: Archive, profile: Profile) -> None:
    listing = f"{'0' * 64}  {'x' * 300}\n"
    archive.put(manifest.NAME, listing.encode())
    archive.digest = hashlib.sha256(listing.encode()).hexdigest()
    with pytest.raises(UsageError, match="this disk cannot hold such a name"):
        exported(archive, profile, tmp_path / "out")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WatcherError, match="it cannot be written"):
        export(SET, profile, archive, tmp_path / "file", date.today(), print)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
