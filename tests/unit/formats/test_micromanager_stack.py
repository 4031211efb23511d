"""Micro-Manager image stacks: closed ones are sound, open, damaged and incomplete ones are called so."""

import gzip
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats.base import HEAD_BYTES, Examination
from watcher.formats.mm_stack import FORMAT

PREFIX = "1.4compatTest_3"
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one byte short": lambda data: data[:-1],
    "half": lambda data: data[: len(data) // 2],
    "only the header": lambda data: data[:40],
    "tail of zeros": lambda data: data[:-60000] + bytes(60000),
    "empty": lambda _: b"",
}


@pytest.fixture(scope="session")
def unpacked(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mm")
    for path in (samples / "mm-imagestack").iterdir():
        if path.suffix == ".gz":
            (folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
        else:
            shutil.copyfile(path, folder / path.name)
    return folder


@pytest.fixture
def dataset(unpacked: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(unpacked, tmp_path / "set"))


def synthetic_mm_stack(path: Path, images: int = 2, blanks: int = 0) -> Path:
    """A closed stack of 4 x 2 pixels without OME-XML, from the layout of MultipageTiffWriter. Synthetic."""
    summary = json.dumps(
        {"UserName": "someone", "MicroManagerVersion": "2.0.1", "StartTime": "2024-05-06 07:08:09 +0200"}
    )
    index_at = 40 + len(summary)
    data = summary.encode() + struct.pack("<2I", 3453623, images)
    first = index_at + 8 + 20 * images
    size = 2 + 6 * 12 + 4 + 8
    data += b"".join(struct.pack("<5I", 0, 0, number, 0, first + size * number) for number in range(images))
    for number in range(images + blanks):
        at = first + size * number
        fields = [(256, 4), (257, 2), (258, 8), (259, 1), (273, at + size - 8), (279, 8)]
        page = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
        data += (
            struct.pack("<H", 6) + page + struct.pack("<I", at + size if number < images + blanks - 1 else 0) + bytes(8)
        )
    settings_at = 40 + len(data)
    data += struct.pack("<2I", 347834724, 2) + b"[]"
    comments_at = 40 + len(data)
    data += struct.pack("<2I", 84720485, 2) + b"{}" + bytes(8)
    marks = (54773648, index_at, 483765892, settings_at, 99384722, comments_at, 2355492, len(summary))
    path.write_bytes(struct.pack("<2sHI8I", b"II", 42, first, *marks) + data)
    return path


def open_again(path: Path, size: int) -> None:
    """Make a stack look as while the dataset is written: no flags, and longer than what it holds."""
    with path.open("r+b") as file:
        file.truncate(size)
        file.seek(16)
        file.write(bytes(16))


def examined(folder: Path) -> Examination:
    return FORMAT.examine(folder, tuple(sorted(path.name for path in folder.glob("*.tif") if recognised(path))))


def recognised(path: Path) -> bool:
    with path.open("rb") as file:
        return FORMAT.recognises(file.read(HEAD_BYTES), path.name)


@pytest.mark.samples
def test_a_public_dataset_is_one_sound_set(unpacked: Path) -> None:
    stacks = sorted(unpacked.glob("*.ome.tif"))
    assert len(stacks) == 4
    assert all(recognised(path) for path in stacks)
    claims = [FORMAT.claim(path) for path in stacks]
    assert {frozenset(claim.lists) for claim in claims} == {frozenset(path.name for path in unpacked.iterdir())}
    assert {(claim.title, claim.problems, claim.tree) for claim in claims} == {(PREFIX, (), None)}
    found = examined(unpacked)
    assert (found.sound, found.problems, found.missing, found.remarks) == (True, (), (), ())
    assert found.metadata["software"] == "Micro-Manager 1.4.23-20160209"
    assert found.metadata["size"] == "64x64x2x2x2"
    assert found.sources.keys() == found.metadata.keys()


@pytest.mark.samples
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_stack_is_not_sound(dataset: Path, damage: str) -> None:
    name = f"{PREFIX}_MMStack_1-Pos_000_001.ome.tif"
    (dataset / name).write_bytes(DAMAGES[damage]((dataset / name).read_bytes()))
    found = FORMAT.examine(dataset, tuple(sorted(path.name for path in dataset.glob("*.tif"))))
    assert found.sound is False
    assert found.problems[0].startswith(name)


@pytest.mark.samples
@pytest.mark.parametrize("damage", ["one byte short", "half", "empty"])
def test_a_damaged_metadata_text_is_found(dataset: Path, damage: str) -> None:
    text = dataset / f"{PREFIX}_MMStack_1-Pos_000_001_metadata.txt"
    text.write_bytes(DAMAGES[damage](text.read_bytes()))
    found = examined(dataset)
    assert found.problems == (f"{text.name}: unfinished: it does not end with the closing bracket of a whole one",)


@pytest.mark.samples
def test_a_missing_position_is_named(dataset: Path) -> None:
    gone = f"{PREFIX}_MMStack_1-Pos_001_001.ome.tif"
    (dataset / gone).unlink()
    found = examined(dataset)
    assert (found.sound, found.missing) == (False, (gone,))


@pytest.mark.samples
def test_an_open_dataset_is_unfinished(dataset: Path) -> None:
    for path in dataset.glob("*.ome.tif"):
        open_again(path, 1 << 32)
    found = examined(dataset)
    assert (found.sound, len(found.problems)) == (False, 4)
    assert all(": unfinished: Micro-Manager has not closed it" in problem for problem in found.problems)
    assert not any("chriswei" in problem for problem in found.problems)


def test_open_stacks_are_one_set_before_there_is_ome_xml(tmp_path: Path) -> None:
    for name in ("run_MMStack_Pos0", "run_MMStack_Pos0_1", "run_MMStack_Pos1", "other_MMStack_Pos0"):
        open_again(synthetic_mm_stack(tmp_path / f"{name}.ome.tif"), 1 << 20)
    (tmp_path / "run_MMStack_Pos0_metadata.txt").write_text("{")
    (tmp_path / "comments.txt").write_text("{}")
    claim = FORMAT.claim(tmp_path / "run_MMStack_Pos1.ome.tif")
    assert sorted(claim.lists) == [
        *(f"run_MMStack_{name}" for name in ("Pos0.ome.tif", "Pos0_1.ome.tif", "Pos0_metadata.txt", "Pos1.ome.tif"))
    ]
    assert claim.title == "run"


def test_a_synthetic_stack_with_all_kinds_of_names(tmp_path: Path) -> None:
    path = synthetic_mm_stack(tmp_path / "Zellen [ü] #1 100%_MMStack_A (2).ome.tif")
    assert recognised(path)
    claim = FORMAT.claim(path)
    assert (claim.lists, claim.title) == ((path.name,), "Zellen [ü] #1 100%")
    found = examined(tmp_path)
    assert (found.sound, found.problems, found.remarks) == (True, (), ())
    assert found.metadata["acquired"] == "2024-05-06T07:08:09+02:00"
    assert found.metadata["experimenter"] == "someone"


def test_blank_images_of_a_stopped_acquisition_are_a_remark(tmp_path: Path) -> None:
    synthetic_mm_stack(tmp_path / "a_MMStack.ome.tif", images=2, blanks=3)
    found = examined(tmp_path)
    assert found.sound
    assert found.remarks[0].startswith("a_MMStack.ome.tif: the acquisition was stopped early; its last 3 images")


@pytest.mark.timeout(60)
def test_an_endless_chain_and_absurd_counts_cost_little(tmp_path: Path) -> None:
    path = synthetic_mm_stack(tmp_path / "a_MMStack.ome.tif", images=3)
    data = bytearray(path.read_bytes())
    (index_at,) = struct.unpack_from("<I", data, 12)
    (last,) = struct.unpack_from("<I", data, index_at + 8 + 40 + 16)
    struct.pack_into("<I", data, last + 2 + 72, last)  # the last page is followed by itself
    path.write_bytes(data)
    found = examined(tmp_path)
    assert found.sound is False
    struct.pack_into("<I", data, index_at + 4, 0xFFFFFFFF)
    path.write_bytes(data)
    assert "cut off: the index" in examined(tmp_path).problems[0]


def test_a_plain_tiff_is_not_claimed() -> None:
    assert not FORMAT.recognises(b"II*\0\x08\0\0\0" + bytes(100), "a_MMStack.ome.tif")
    assert not FORMAT.recognises(b"", "a_MMStack.ome.tif")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.binary(max_size=300), cut=st.integers(0, 500), flip=st.integers(0, 500))
def test_any_bytes_are_survived(tmp_path_factory: pytest.TempPathFactory, data: bytes, cut: int, flip: int) -> None:
    FORMAT.recognises(data, "a.tif")
    path = synthetic_mm_stack(tmp_path_factory.mktemp("fuzz") / "a_MMStack.ome.tif")
    good = bytearray(path.read_bytes())
    good[flip % len(good)] ^= 0xFF
    for content in (data, bytes(good), bytes(good[:cut]) + data):
        path.write_bytes(content)
        found = FORMAT.examine(path.parent, (path.name,))
        assert (found.sound is False) == bool(found.problems)
        FORMAT.claim(path)
