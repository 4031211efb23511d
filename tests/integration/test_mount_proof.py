"""What of a mounted set is proven, by whom, and what is not believed: checksums, sizes, good replicas that are none."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from tests.integration.mounted import CHECKSUM, LANDING, METADATA, PUBLISHED, RUN, WRITER, Mounted, by_the_watcher
from tests.irods_server.dialogue import digest
from tests.irods_server.entities import GOOD, INTERMEDIATE
from watcher import osfacts
from watcher.errors import FixityError, SourceChanged, StoreBusy
from watcher.model import State
from watcher.simulate import ome_tiff_series


def acquire(mounted: Mounted, folder: Path, *, written: float = 1.0) -> list[str]:
    """A series of OME-TIFF, of which the writer died in the last file."""
    (folder / "made").mkdir()
    files = ome_tiff_series(folder / "made", "cell", pause=lambda _: None)
    data = {file.name: file.read_bytes() for file in files}
    last = files[-1].name
    data[last] = data[last][: int(len(data[last]) * written)]
    return [mounted.write(f"run1/{name}", content) for name, content in data.items()]


def test_the_server_makes_the_checksums_and_it_is_said(mounted: Mounted) -> None:
    path = mounted.write("run1/a.dat", b"pixels")
    assert mounted.server.objects()[path].checksum == ""
    mounted.rest()
    assert mounted.server.objects()[path].checksum == digest(b"pixels")
    assert (CHECKSUM, path) in by_the_watcher(mounted, CHECKSUM)
    assert mounted.said(RUN)["acq:fixity"] == "server-only"


@pytest.mark.parametrize(("compare", "fixity"), [(False, "server-only"), (True, "compared")])
def test_bytes_are_read_through_the_mount_only_if_the_profile_asks(
    mounted: Mounted, compare: bool, fixity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    real = osfacts.open_shared

    def noted(path: Path) -> BinaryIO:
        read.append(path.name)
        return real(path)

    monkeypatch.setattr(osfacts, "open_shared", noted)
    mounted.configure(store={"compare": compare})
    mounted.write("run1/a.dat", b"x" * 3_000_000)
    mounted.sweep()
    read.clear()
    mounted.rest()
    assert mounted.states() == PUBLISHED
    assert ("a.dat" in read) is compare
    assert mounted.said(RUN)["acq:fixity"] == fixity


def test_a_difference_between_the_mount_and_the_checksum_is_found_by_comparing(mounted: Mounted) -> None:
    mounted.configure(store={"compare": True})
    mounted.write("run1/a.dat", b"pixels")
    mounted.client.instead["home/facility/landing/run1/a.dat"] = b"PIXELS"
    mounted.rest()
    assert mounted.only().state is State.VALID
    assert isinstance(mounted.told.failures[-1], FixityError)
    assert "acq:state" not in mounted.said(RUN) or mounted.said(RUN)["acq:state"] == "uploading"
    mounted.client.instead.clear()
    mounted.client.stat(mounted.client.root / "home/facility/landing/run1")
    mounted.client.stat(mounted.client.root / "home/facility/landing/run1/a.dat")
    (mounted.client.root / "home/facility/landing/run1/a.dat").write_bytes(b"pixels")
    mounted.rest()
    assert mounted.states() == PUBLISHED


def test_a_wrong_checksum_of_the_server_is_found_by_comparing(mounted: Mounted) -> None:
    mounted.configure(store={"compare": True})
    path = mounted.write("run1/a.dat")
    mounted.server.faults.lie_about_checksums(path=path)
    mounted.rest()
    assert mounted.only().state is State.VALID
    assert isinstance(mounted.told.failures[-1], FixityError)


def test_a_profile_that_asks_for_comparing_later_compares_what_was_not(mounted: Mounted) -> None:
    mounted.write("run1/a.dat", b"pixels")
    mounted.server.faults.drop(api=METADATA, path=RUN, nth=2, times=None)
    mounted.rest()
    mounted.server.faults.clear()
    assert mounted.only().state is not State.PUBLISHED
    mounted.configure(store={"compare": True})
    mounted.restart()
    mounted.journal.sets.change(mounted.only(), retry_at=0.0)
    mounted.rest()
    assert mounted.states() == PUBLISHED
    # What was proven before the restart is proven by the server alone, and said to be.
    assert mounted.said(RUN)["acq:fixity"] == mounted.only().fixity


# Half written, locked, stale.


def test_a_file_in_the_midst_of_a_write_is_not_published(mounted: Mounted) -> None:
    path = mounted.write("run1/a.dat", b"pixels")
    for _ in range(4):
        mounted.sweep()
    with mounted.nfsrods.writing(WRITER, path):
        mounted.daemon.once()
        assert mounted.only().state is not State.PUBLISHED
        assert isinstance(mounted.told.failures[-1], StoreBusy)
        assert mounted.server.objects()[path].status == INTERMEDIATE
    mounted.rest()
    assert mounted.states() == PUBLISHED


def test_a_write_that_never_ends_is_for_a_person(mounted: Mounted) -> None:
    path = mounted.write("run1/a.dat", b"pixels")
    for _ in range(4):
        mounted.sweep()
    with mounted.nfsrods.writing(WRITER, path):
        for _ in range(20):
            mounted.clock.advance(120)
            mounted.daemon.once()
        held = mounted.only()
        assert held.state is State.HELD
        assert path in held.reason
        assert "replicas" in held.reason
        # It lies where it lies: nothing is tried elsewhere.
        assert {one for one in mounted.server.collections() if one.startswith(LANDING)} == {LANDING, RUN}


def test_a_file_that_grows_between_its_checksum_and_the_verification_is_proven_anew(mounted: Mounted) -> None:
    mounted.write("run1/a.dat", b"pixels")
    written = iter([b" and more"])

    def write_on(_: object, member: Any, __: int) -> None:
        for data in written:
            mounted.append("run1/a.dat", data)

    mounted.told.sent = write_on  # type: ignore[assignment, method-assign]
    mounted.rest()
    assert mounted.only().state is not State.PUBLISHED
    assert isinstance(mounted.told.failures[-1], SourceChanged)
    mounted.rest()
    assert mounted.states() == PUBLISHED
    assert mounted.said(RUN)["dcat:byteSize"] == "15"


@pytest.mark.parametrize("rewritten", [b"PIXELS", b"pixels and more"])
@pytest.mark.parametrize("state", [State.DELIVERED, State.VERIFIED])
def test_what_was_proven_is_asked_for_once_more_before_it_is_published(
    mounted: Mounted, state: State, rewritten: bytes
) -> None:
    path = mounted.write("run1/a.dat", b"pixels")
    moved = mounted.told.moved

    def write_then(image_set: Any) -> None:
        moved(image_set)
        if image_set.state is state and mounted.server.objects()[path].read() == b"pixels":
            mounted.nfsrods.write(WRITER, path, rewritten, 0)

    mounted.told.moved = write_then  # type: ignore[method-assign]
    mounted.rest()
    assert "acq:manifest" not in mounted.said(RUN)
    assert mounted.only().state is not State.PUBLISHED
    mounted.rest()
    mounted.rest()
    assert mounted.states() == PUBLISHED
    assert digest(rewritten) == mounted.server.objects()[path].checksum
    text = mounted.server.objects()[f"{RUN}/manifest-sha256.txt"].read().decode()
    assert hashlib.sha256(rewritten).hexdigest() in text


def test_a_truncated_image_is_good_in_the_catalogue_and_held_by_its_structure(mounted: Mounted, tmp_path: Path) -> None:
    *_, path = acquire(mounted, tmp_path, written=0.5)
    assert mounted.server.objects()[path].status == GOOD
    mounted.configure(sets={"group": "auto"})
    mounted.rest()
    assert mounted.said(RUN).get("acq:state") != "complete"
    assert all(one.state is not State.PUBLISHED for one in mounted.sets())


def test_what_formats_look_into_must_be_what_the_catalogue_has(mounted: Mounted, tmp_path: Path) -> None:
    *_, last = acquire(mounted, tmp_path)
    landing = mounted.client.root / "home/facility/landing"
    for _ in range(4):
        mounted.sweep()
    # The mount still shows a half of it, whatever the catalogue says.
    real = mounted.client._attributes

    def old(logical: str) -> Any:
        found = real(logical)
        return dataclasses.replace(found, size=found.size // 2) if logical == last else found

    mounted.client._attributes = old  # type: ignore[method-assign]
    mounted.daemon.once()
    assert mounted.only().state is State.COMPLETE
    assert "the mount shows" in mounted.only().reason
    mounted.client._attributes = real  # type: ignore[method-assign]
    mounted.client.forget()
    with mounted.client.entries(landing / "run1"):
        mounted.rest()
    assert mounted.states() == PUBLISHED
