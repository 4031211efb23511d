"""NDTiff: public datasets are sound and one set each; damaged, growing and malicious ones are called so."""

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats.base import HEAD_BYTES, Examination
from watcher.formats.ndtiff import FORMAT, INDEX, MAX_STACKS, RESERVED

LEVELS = [
    "12_bit_pycromanager_mda",
    "labeled_positions_1",
    "ndtiff3.2_11bit_1",
    *(f"ndtiff3.2_magellan_explore_rgb/{level}" for level in ("Full resolution", "Downsampled_x2", "Downsampled_x32")),
    *(f"ndtiff3.2_magellan_explore_rgb/Downsampled_x{n}" for n in (4, 8, 16)),
    "ndtiff3.2_monochrome",
    "ndtiffv2.0_test/Full resolution",
    "ndtiffv3.0_test",
    "no_magellan_explore_multi_channel/Full resolution",
    *(f"no_magellan_explore_multi_channel/Downsampled_x{n}" for n in (2, 4, 8, 16, 32, 64)),
]
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one byte short": lambda data: data[:-1],
    "half": lambda data: data[: len(data) // 2],
    "only the header": lambda data: data[:8],
    "tail of zeros": lambda data: data[: len(data) * 3 // 4].ljust(len(data), b"\0"),
    "empty": lambda _: b"",
}
# Why the format cannot tell, by the file and the damage.
CANNOT_TELL = {
    ("stack", "tail of zeros"): "the last quarter is black pixels of the last image, and text that nobody parses",
}


def synthetic_ndtiff(folder: Path, images: int = 3, name: str = "a_NDTiffStack.tif", **summary: object) -> Path:
    """A dataset with one stack of 4 x 2 pixels, from the layout of NDTiffWriter and IndexEntryData. Synthetic."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(summary).encode()
    stack = struct.pack("<2s H 6I", b"II", 42, 28 + len(text), 483729, 3, 3, 2355492, len(text)) + text
    index = b""
    for number in range(images):
        about = b'{"Exposure":10}'
        pixels_at = len(stack) + 2 + 7 * 12 + 4
        end = pixels_at + 8 + len(about)
        fields = [(256, 4), (257, 2), (258, 8), (259, 1), (273, pixels_at), (279, 8)]
        page = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
        page += struct.pack("<HHII", 51123, 2, len(about), pixels_at + 8)
        stack += struct.pack("<H", 7) + page + struct.pack("<I", end if number < images - 1 else 0) + bytes(8) + about
        axes = json.dumps({"time": number, "channel": "DAPI"}).encode()
        index += struct.pack("<I", len(axes)) + axes + struct.pack("<I", len(name.encode())) + name.encode()
        index += struct.pack("<8I", pixels_at, 4, 2, 0, 0, pixels_at + 8, len(about), 0)
    (folder / name).write_bytes(stack)
    (folder / INDEX).write_bytes(index)
    return folder


def examined(folder: Path) -> Examination:
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    return FORMAT.examine(folder, tuple(name for name in names if recognised(folder / name)))


def recognised(path: Path) -> bool:
    with path.open("rb") as file:
        return FORMAT.recognises(file.read(HEAD_BYTES), path.name)


def stack_of(folder: Path) -> Path:
    return next(folder.glob("*_NDTiffStack.tif"))


@pytest.mark.samples
def test_no_sample_is_left_out(samples: Path) -> None:
    found = {path.parent.relative_to(samples / "ndtiff").as_posix() for path in (samples / "ndtiff").rglob(INDEX)}
    assert found == set(LEVELS)


@pytest.mark.samples
@pytest.mark.parametrize("level", LEVELS)
def test_a_public_dataset_is_sound_and_one_set(samples: Path, level: str) -> None:
    folder = samples / "ndtiff" / level
    found = examined(folder)
    assert (found.sound, found.problems, found.missing) == (True, (), ())
    for path in (folder / INDEX, stack_of(folder)):
        assert recognised(path)
        claim = FORMAT.claim(path)
        assert (claim.tree, claim.title) == (".." if "/" in level else ".", level.split("/")[0])


@pytest.mark.samples
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("which", ["index", "stack"])
@pytest.mark.parametrize("level", ["12_bit_pycromanager_mda", "labeled_positions_1", "ndtiffv2.0_test/Full resolution"])
def test_a_damaged_dataset_is_not_sound(samples: Path, tmp_path: Path, level: str, which: str, damage: str) -> None:
    folder = tmp_path / Path(level).name
    shutil.copytree(samples / "ndtiff" / level, folder)
    path = folder / INDEX if which == "index" else stack_of(folder)
    path.chmod(0o644)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    found = FORMAT.examine(folder, (INDEX, stack_of(folder).name))
    if (which, damage) in CANNOT_TELL and level == "labeled_positions_1":
        assert found.sound, "no longer an exception: take it off the list"
    else:
        assert found.sound is False
        assert path.name in found.problems[0]


@pytest.mark.samples
def test_what_a_dataset_says_of_itself(samples: Path) -> None:
    found = examined(samples / "ndtiff" / "12_bit_pycromanager_mda")
    assert found.metadata["acquired"] == "2022-12-28T17:04:23"
    assert found.metadata["size"] == "64x64x1x2x4"
    assert found.metadata["channels"] == "DAPI, FITC"
    assert found.sources.keys() == found.metadata.keys()
    smaller = examined(samples / "ndtiff" / "ndtiff3.2_magellan_explore_rgb" / "Downsampled_x2")
    assert smaller.metadata == {}, "the size of a smaller copy is not that of the set"


def test_a_synthetic_dataset_with_all_kinds_of_names(tmp_path: Path) -> None:
    folder = synthetic_ndtiff(
        tmp_path / "Zellen (2) [ü] #1 100%", name="Zellen #1 [ü] 5%_NDTiffStack.tif", MicroManagerVersion="2.0.3"
    )
    found = examined(folder)
    assert (found.sound, found.problems) == (True, ())
    assert found.metadata["software"] == "Micro-Manager 2.0.3"
    assert found.metadata["size"] == "4x2x1x1x3"
    assert FORMAT.claim(folder / INDEX).title == folder.name


def test_a_running_dataset_is_unfinished(tmp_path: Path) -> None:
    folder = synthetic_ndtiff(tmp_path / "run")
    with (folder / INDEX).open("r+b") as file:
        file.truncate(26_214_400)
    data = bytearray(stack_of(folder).read_bytes())
    with stack_of(folder).open("r+b") as file:
        file.truncate(RESERVED)
        last = data.rfind(struct.pack("<I", 0) + bytes(8) + b'{"Exposure"')
        file.seek(last)
        file.write(struct.pack("<I", len(data)))  # the next page is to follow
    found = examined(folder)
    assert found.sound is False
    assert any(problem.startswith(f"{INDEX}: unfinished: from byte") for problem in found.problems)
    assert any(problem.startswith(f"{stack_of(folder).name}: unfinished: its 4 GiB") for problem in found.problems)


def test_a_stack_that_is_still_reserved_is_unfinished_even_if_its_last_page_is_whole(tmp_path: Path) -> None:
    folder = synthetic_ndtiff(tmp_path, 3)
    os.truncate(stack_of(folder), RESERVED)
    problems = [one for one in examined(folder).problems if one.startswith(stack_of(folder).name)]
    assert problems == [
        f"{stack_of(folder).name}: unfinished: its 4 GiB are still reserved, as while the acquisition "
        "runs or after a crash"
    ]  # or 4 GiB of zeros would be sent early


def test_a_dataset_that_has_only_been_reserved_is_unfinished(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_bytes(bytes(5000))
    assert recognised(tmp_path / INDEX)
    assert examined(tmp_path).problems[0].startswith(f"{INDEX}: unfinished")


def test_missing_files_are_named(tmp_path: Path) -> None:
    folder = synthetic_ndtiff(tmp_path / "a")
    stack_of(folder).unlink()
    found = examined(folder)
    assert (found.sound, found.missing) == (False, ("a_NDTiffStack.tif",))
    folder = synthetic_ndtiff(tmp_path / "b")
    (folder / INDEX).unlink()
    found = examined(folder)
    assert (found.sound, found.missing) == (False, (INDEX,))
    assert INDEX in FORMAT.claim(stack_of(folder)).lists


def test_an_index_that_lost_its_last_images_is_found(tmp_path: Path) -> None:
    folder = synthetic_ndtiff(tmp_path)
    index = (folder / INDEX).read_bytes()
    (folder / INDEX).write_bytes(index[: len(index) // 3 * 2])
    assert "lists its images up to byte" in examined(folder).problems[0]


def test_a_smaller_copy_without_the_full_resolution_is_found(tmp_path: Path) -> None:
    found = examined(synthetic_ndtiff(tmp_path / "Downsampled_x2"))
    assert found.problems == ("Downsampled_x2: the folder 'Full resolution' of this pyramid is not beside it",)


@pytest.mark.parametrize("name", ["../other.tif", "/etc/passwd", "sub/other.tif", "C:\\x.tif", "a\nb.tif", INDEX])
def test_names_that_leave_the_folder_are_not_followed(tmp_path: Path, name: str) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "other.tif").write_bytes(b"II*\0")
    folder = tmp_path / "inner"
    entry = b"\x02\0\0\0{}" + struct.pack("<I", len(name)) + name.encode() + struct.pack("<8I", 8, 1, 1, 0, 0, 9, 1, 0)
    (folder / INDEX).write_bytes(entry)
    found = examined(folder)
    assert found.missing == ()
    assert "names a stack that is no file of its folder" in found.problems[0]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("stacks", [1, MAX_STACKS + 10])
def test_an_absurd_index_costs_little(tmp_path: Path, stacks: int) -> None:
    names = [b"s%08d.tif" % number for number in range(stacks)]
    numbers = struct.pack("<8I", 8, 1, 1, 0, 0, 9, 1, 0)
    entries = [b"\x02\0\0\0{}" + struct.pack("<I", len(name)) + name + numbers for name in names]
    (tmp_path / INDEX).write_bytes(b"".join(entries) * (400_000 // stacks))
    found = examined(tmp_path)
    assert found.sound is False
    assert len(found.problems) < 30


def test_deep_and_huge_axes_are_a_problem(tmp_path: Path) -> None:
    for axes in (b'{"a":' * 3000, b"{" + b" " * 20000):
        (tmp_path / INDEX).write_bytes(
            struct.pack("<I", len(axes)) + axes + b"\x01\0\0\0s" + struct.pack("<8I", 8, 1, 1, 0, 0, 9, 1, 0)
        )
        assert "damaged" in examined(tmp_path).problems[0]


@pytest.mark.parametrize("name", ["NDTiff.index.bak", "other.index", "notes.txt"])
def test_other_files_are_not_claimed(name: str) -> None:
    assert not FORMAT.recognises(b"\x1b\0\0\0{", name)
    assert not FORMAT.recognises(b"#!/bin/sh\n", INDEX)
    assert not FORMAT.recognises(b"II*\0\x08\0\0\0" + bytes(100), "a_NDTiffStack.tif")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.binary(max_size=300), cut=st.integers(0, 700), flip=st.integers(0, 700), which=st.booleans())
def test_any_bytes_are_survived(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cut: int, flip: int, which: bool
) -> None:
    FORMAT.recognises(data, INDEX)
    folder = synthetic_ndtiff(tmp_path_factory.mktemp("fuzz"))
    path = folder / INDEX if which else stack_of(folder)
    good = bytearray(path.read_bytes())
    good[flip % len(good)] ^= 0xFF
    for content in (data, bytes(good), bytes(good[:cut]) + data):
        path.write_bytes(content)
        found = FORMAT.examine(folder, (INDEX, "a_NDTiffStack.tif"))
        assert (found.sound is False) == bool(found.problems)
        FORMAT.claim(path)
