"""Micro-Manager separate images: the text names what must be there; its last bracket proves nothing alone."""

import json
import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats.base import HEAD_BYTES, Examination
from watcher.formats.mm_planes import FORMAT, TEXT


def synthetic_mm_planes(folder: Path, images: int = 4, *, closed: bool = True, planned: int = 4, **more: Any) -> Path:
    """A position with its images and text, from StorageSinglePlaneTiffSeries. Synthetic."""
    folder.mkdir(parents=True)
    summary = {"IntendedDimensions": {"time": planned, "channel": 1}, "UserName": "someone", **more}
    entries = ['"Summary": ' + json.dumps(summary, indent=2)]
    for number in range(images):
        name = f"img_channel000_position000_time{number:09}_z000.tif"
        (folder / name).write_bytes(b"II*\0")
        entries.append(f'"Coords-{name}": ' + json.dumps({"time": number}, indent=2))
    text = "{\n" + ",\n".join(entries) + ("\n}\n" if closed else "")
    (folder / TEXT).write_text(text, encoding="utf-8")
    return folder


def examined(folder: Path) -> Examination:
    return FORMAT.examine(folder, (TEXT,))


def recognised(path: Path) -> bool:
    return FORMAT.recognises(path.read_bytes()[:HEAD_BYTES], path.name)


@pytest.mark.samples
def test_a_public_dataset_that_was_never_closed_is_not_blocked(samples: Path) -> None:
    folder = samples / "mm-singleplane" / "alpha_2.0_singleplane_manual" / "Pos0"
    assert recognised(folder / TEXT)
    claim = FORMAT.claim(folder / TEXT)
    assert (claim.tree, claim.title, claim.lists) == ("..", "alpha_2.0_singleplane_manual", (TEXT,))
    found = examined(folder)
    # Without the last bracket nothing tells whether more images were to come: unchecked, and told.
    assert (found.sound, found.problems, found.missing) == (None, (), ())
    assert found.checked.startswith("unchecked: metadata.txt: it was never closed")
    assert found.remarks == ("metadata.txt: it was never closed, as after a crash and by some old versions",)
    assert found.metadata["channels"] == "Alpha, Beta, Romeo"
    assert "acquired" not in found.metadata, "its start time is 'The age of Aquarius'"


@pytest.mark.samples
@pytest.mark.parametrize("end", [-1, 1100, 1, 0])
def test_a_cut_text_of_a_public_dataset_is_found(samples: Path, tmp_path: Path, end: int) -> None:
    folder = tmp_path / "Pos0"
    shutil.copytree(samples / "mm-singleplane" / "alpha_2.0_singleplane_manual" / "Pos0", folder)
    text = folder / TEXT
    text.chmod(0o644)
    text.write_bytes(text.read_bytes()[:end])
    assert examined(folder).sound is False


def test_a_zeroed_tail_is_found(tmp_path: Path) -> None:
    folder = synthetic_mm_planes(tmp_path / "Pos0")
    data = (folder / TEXT).read_bytes()
    (folder / TEXT).write_bytes(data[:-100] + bytes(100))
    assert examined(folder).sound is False


def test_a_whole_position_is_sound(tmp_path: Path) -> None:
    folder = synthetic_mm_planes(tmp_path / "Zellen (ü) #1 100%" / "Pos [0]", Prefix="Zellen (ü) #1 100%")
    found = examined(folder)
    assert (found.sound, found.problems, found.remarks) == (True, (), ())
    claim = FORMAT.claim(folder / TEXT)
    assert (claim.tree, claim.title) == ("..", "Zellen (ü) #1 100%")


@pytest.mark.parametrize(
    ("folder", "more", "tree"),
    [
        ("run_1/Pos0", {}, ".."),
        ("run_1/1-Pos_000_001", {}, ".."),
        ("run_1/Pos0", {"Prefix": "run_1"}, ".."),
        ("day/Pos0", {"Prefix": "Pos0"}, "."),
        ("run_1/A1-Site_0", {"StagePositions": [{"label": "A1-Site_0"}]}, ".."),
        ("day/run_1", {"Prefix": "run_1"}, "."),
        ("day/run_1", {}, "."),
    ],
)
def test_the_set_is_the_folder_above_the_positions(
    tmp_path: Path, folder: str, more: dict[str, Any], tree: str
) -> None:
    path = synthetic_mm_planes(tmp_path / folder, **more) / TEXT
    claim = FORMAT.claim(path)
    assert (claim.tree, claim.title) == (tree, folder.split("/")[0 if tree == ".." else 1])


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    folder = synthetic_mm_planes(tmp_path / "Pos0", 30, planned=30)
    for path in folder.glob("*.tif"):
        path.unlink()
    found = examined(folder)
    assert (found.sound, len(found.missing)) == (False, 30)
    assert found.problems[0] == f"img_channel000_position000_time000000000_z000.tif: missing, {TEXT} lists it"
    assert found.problems[-1] == "10 more images are missing"


def test_names_of_1_4_are_known(tmp_path: Path) -> None:
    (tmp_path / "img_000000000_DAPI_000.tif").write_bytes(b"II*\0")
    frame = {"FileName": "img_000000000_DAPI_000.tif", "Slice": 0}
    text = '{\n"Summary": {\n"Frames": 1,\n"Slices": 1,\n"Channels": 1\n},\n"FrameKey-0-0-0": '
    (tmp_path / TEXT).write_text(text + json.dumps(frame, indent=2) + "\n}\n")
    assert examined(tmp_path).sound
    (tmp_path / "img_000000000_DAPI_000.tif").unlink()
    assert examined(tmp_path).missing == ("img_000000000_DAPI_000.tif",)


def test_fewer_images_than_planned_are_only_told(tmp_path: Path) -> None:
    found = examined(synthetic_mm_planes(tmp_path / "Pos0", 3, planned=9))
    assert (found.sound, found.problems) == (True, ())
    assert found.remarks[0].startswith(f"{TEXT}: it names 3 of 9 planned images")


def test_a_text_that_is_not_closed_but_names_all_planned_images_is_sound(tmp_path: Path) -> None:
    assert examined(synthetic_mm_planes(tmp_path / "Pos0", 4, closed=False)).sound


def test_a_growing_text_is_unchecked_and_an_empty_list_unfinished(tmp_path: Path) -> None:
    assert examined(synthetic_mm_planes(tmp_path / "Pos0", 3, closed=False)).sound is None
    found = examined(synthetic_mm_planes(tmp_path / "Pos1", 0, closed=False))
    assert found.problems == (f"{TEXT}: unfinished: it names no image yet",)


def test_escaped_names_are_known(tmp_path: Path) -> None:
    (tmp_path / "img_000000000_Grün (1)_000.tif").write_bytes(b"II*\0")
    entry = json.dumps({"FileName": "img_000000000_Grün (1)_000.tif"}, indent=2)
    (tmp_path / TEXT).write_text('{\n"Summary": {\n"Frames": 1\n},\n"FrameKey-0-0-0": ' + entry + "\n}\n")
    assert (examined(tmp_path).problems, examined(tmp_path).sound) == ((), True)


def test_an_image_outside_of_the_folder_is_not_looked_for(tmp_path: Path) -> None:
    folder = synthetic_mm_planes(tmp_path / "Pos0")
    text = (folder / TEXT).read_text().replace('"Coords-img_channel000_position000_time000000000', '"Coords-../evil')
    (folder / TEXT).write_text(text)
    found = examined(folder)
    assert (found.sound, found.missing) == (False, ())
    assert "outside of its folder" in found.problems[0]


@pytest.mark.timeout(60)
def test_an_absurd_text_costs_little(tmp_path: Path) -> None:
    entries = b",\n".join(b'"Coords-img_%09d.tif": {}' % number for number in range(300_000))
    (tmp_path / TEXT).write_bytes(b'{\n"Summary": {"a": 1},\n' + entries + b"\n}\n")
    found = examined(tmp_path)
    assert found.sound is False
    assert len(found.problems) < 30
    (tmp_path / TEXT).write_bytes(b'{"Summary": ' + b'{"a":' * 100_000)
    assert "cut off" in examined(tmp_path).problems[0]


@pytest.mark.parametrize("filler", [b'{"a": [' + b"[]," * 300_000 + b"1]}", b'{"a": "' + b"x" * (9 << 20) + b'"}'])
def test_an_absurd_summary_needs_little_memory(tmp_path: Path, filler: bytes) -> None:
    (tmp_path / TEXT).write_bytes(b'{\n"Summary": ' + filler + b',\n"Coords-img_0.tif": {\n}\n}\n')
    (tmp_path / "img_0.tif").write_bytes(b"II*\0")
    tracemalloc.start()
    try:
        assert examined(tmp_path).sound
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("head", "name"), [(b'{"Summary": {', "notes.txt"), (b'{"x": 1}', TEXT), (b"", TEXT)])
def test_other_texts_are_not_claimed(head: bytes, name: str) -> None:
    assert not FORMAT.recognises(head, name)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.binary(max_size=300), cut=st.integers(0, 900), flip=st.integers(0, 900))
def test_any_bytes_are_survived(tmp_path_factory: pytest.TempPathFactory, data: bytes, cut: int, flip: int) -> None:
    FORMAT.recognises(data, TEXT)
    folder = synthetic_mm_planes(tmp_path_factory.mktemp("fuzz") / "Pos0")
    good = bytearray((folder / TEXT).read_bytes())
    good[flip % len(good)] ^= 0xFF
    for content in (data, bytes(good), bytes(good[:cut]) + data):
        (folder / TEXT).write_bytes(content)
        found = examined(folder)
        assert (found.sound is False) == bool(found.problems)
        FORMAT.claim(folder / TEXT)
