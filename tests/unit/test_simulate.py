"""The simulated microscope: what it writes is recognised, sound and complete, unless it is told to fail."""

from itertools import pairwise
from pathlib import Path

import pytest

from watcher.errors import UsageError
from watcher.formats import Claim, by_name, look
from watcher.formats.base import Examination
from watcher.simulate import KINDS, growing_stack, ome_tiff_series, plane, plane_directory


def no_pause(_: float) -> None:
    """Takes no time."""


def looked(path: Path) -> tuple[Claim, Examination]:
    claim = look(path)
    assert claim is not None
    return claim, by_name(claim.format).examine(path.parent, claim.lists)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_writes_sound_images_and_nothing_else(tmp_path: Path, kind: str) -> None:
    written = KINDS[kind](tmp_path, "beads", pause=no_pause)
    assert set(written) == {path for path in tmp_path.rglob("*") if path.is_file()}
    images = [path for path in written if path.suffix == ".tif"]
    assert images
    for path in images:
        _, found = looked(path)
        assert (found.sound, found.missing) == (True, ())


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_leave_its_last_image_cut_off(tmp_path: Path, kind: str) -> None:
    written = KINDS[kind](tmp_path, "beads", pause=no_pause, truncate=True)
    last = [path for path in written if path.suffix == ".tif"][-1]
    _, found = looked(last)
    assert found.sound is False
    assert found.problems[0].startswith(f"{last.name}: cut off")


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, kind: str) -> None:
    once, again, other = (
        [path.read_bytes() for path in KINDS[kind](tmp_path / folder, "beads", pause=no_pause, seed=seed)]
        for folder, seed in (("a", 7), ("b", 7), ("c", 8))
    )
    assert once == again
    assert once != other


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_in_a_line_what_it_is(kind: str) -> None:
    line = (KINDS[kind].__doc__ or "").splitlines()[0]
    assert line.endswith(".")


def test_a_series_is_one_set_with_a_name_that_a_user_knows(tmp_path: Path) -> None:
    written = ome_tiff_series(tmp_path, "beads & more", pause=no_pause, planes=12)
    for path in written:
        claim, found = looked(path)
        assert (claim.format, claim.title) == ("ome-tiff", "beads & more")
        assert claim.lists == tuple(file.name for file in written)
    assert found.metadata["size"] == "256x256x12x1x1"
    assert found.metadata["pixel_size_um"] == "0.1625x0.1625x0.5"
    assert found.metadata["objective"] == "Plan 40x/0.95"


def test_a_member_that_never_comes_is_missed(tmp_path: Path) -> None:
    written = ome_tiff_series(tmp_path, "beads", pause=no_pause, missing=(2,))
    assert len(written) == 4
    _, found = looked(written[0])
    assert (found.sound, found.missing) == (False, ("beads_Z02.ome.tif",))


def test_files_of_a_series_appear_whole_and_one_by_one(tmp_path: Path) -> None:
    seen: list[list[str]] = []
    ome_tiff_series(
        tmp_path, "beads", planes=3, pause=lambda _: seen.append(sorted(p.name for p in tmp_path.iterdir()))
    )
    assert seen == [[], ["beads_Z01.ome.tif"], ["beads_Z01.ome.tif", "beads_Z02.ome.tif"]]


def test_a_stack_grows_in_place(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    sizes: list[int] = []
    growing_stack(tmp_path, "stack", pages=4, pause=lambda _: sizes.append(path.stat().st_size if path.exists() else 0))
    sizes.append(path.stat().st_size)
    assert sizes[0] == 0
    assert all(later - earlier >= 256 * 256 * 2 for earlier, later in pairwise(sizes))


def test_no_member_of_a_single_file_can_be_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        growing_stack(tmp_path, "stack", pause=no_pause, missing=(1,))
    assert list(tmp_path.iterdir()) == []


def test_a_directory_of_planes_ends_with_its_metadata(tmp_path: Path) -> None:
    seen: list[int] = []
    count = lambda _: seen.append(len(list(tmp_path.rglob("*.*"))))  # noqa: E731
    written = plane_directory(tmp_path, "run1", channels=2, z=2, missing=(3,), pause=count)
    assert seen == [0, 1, 2, 2, 3]
    assert [path.name for path in written] == [
        "img_channel000_position000_time000000000_z000.tif",
        "img_channel000_position000_time000000000_z001.tif",
        "img_channel001_position000_time000000000_z001.tif",
        "metadata.json",
    ]
    assert {path.parent for path in written} == {tmp_path / "run1"}


def test_a_plane_shows_spots_on_a_dark_ground() -> None:
    image = plane(seed=1, number=3, of=5)
    assert (image.shape, str(image.dtype)) == ((256, 256), "uint16")
    assert image.max() > 10 * int(image.mean())
    assert plane(seed=1, number=1, of=5).max() < 65535
