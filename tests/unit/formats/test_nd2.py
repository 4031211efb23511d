"""Nikon ND2. No real file can be reached: `synthetic_nd2` follows the published layout (reference 2.4)."""

import struct
import tracemalloc
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats.nd2 import FORMAT

MAP_END = b"ND2 CHUNK MAP SIGNATURE 0000001!"

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one byte short": lambda data: data[:-1],
    "half": lambda data: data[: len(data) // 2],
    "only the header": lambda data: data[:112],
    "tail of zeros": lambda data: data[: len(data) * 3 // 4].ljust(len(data), b"\0"),
    "empty": lambda _: b"",
    "preallocated": lambda data: data[:600].ljust(1 << 20, b"\0"),
}


def lv(name: str, value: "int | float | str | Mapping[str, object]") -> bytes:
    text = (name + "\0").encode("utf-16-le")
    head = bytes([{int: 3, float: 6, str: 8}.get(type(value), 11), len(name) + 1]) + text
    if isinstance(value, int):
        return head + struct.pack("<I", value)
    if isinstance(value, float):
        return head + struct.pack("<d", value)
    if isinstance(value, str):
        return head + (value + "\0").encode("utf-16-le")
    inner = b"".join(lv(key, one) for key, one in value.items())  # type: ignore[arg-type]
    return head + struct.pack("<IQ", len(value), len(head) + 12 + len(inner)) + inner + bytes(8 * len(value))


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack("<4sIQ", b"\xda\xce\xbe\x0a", 32, len(data)) + name.ljust(32, b"\0") + data


def describing(frames: int) -> dict[bytes, bytes]:
    planes = {"sPlaneNew": {"a0": {"sDescription": "DAPI"}, "a1": {"sDescription": "GFP"}}}
    loop = {"eType": 4, "uLoopPars": {"uiCount": frames, "dZStep": 0.3}}
    picture = {"dTimeAbsolute": 2459485.5, "dCalibration": 0.11, "wsObjectiveName": "Plan Apo 60x", "dObjectiveNA": 1.4}
    return {
        b"ImageAttributesLV!": lv("SLxImageAttributes", {"uiWidth": 8, "uiHeight": 4, "uiSequenceCount": frames}),
        b"ImageMetadataSeqLV|0!": lv("SLxPictureMetadata", {**picture, "sPicturePlanes": planes}),
        b"ImageTextInfoLV!": lv(
            "SLxImageTextInfo", {"TextInfoItem_14": "NIS-Elements AR 5.30", "TextInfoItem_4": "Ada"}
        ),
        b"ImageMetadataLV!": lv("SLxExperiment", loop),
    }


def synthetic_nd2(
    images: tuple[int, ...] = (0, 1, 2), trees: Mapping[bytes, bytes] | None = None, place: int | None = None
) -> bytes:
    """A modern ND2: signature chunk, images, describing chunks, map of chunks."""
    data = chunk(b"ND2 FILE SIGNATURE CHUNK NAME01!", b"Ver3.0".ljust(64, b"\0"))
    entries = b""
    parts = {b"ImageDataSeq|%d!" % number: bytes(64) for number in images}
    for name, payload in {**parts, **(describing(len(images)) if trees is None else trees)}.items():
        entries += name + struct.pack("<QQ", len(data), len(payload))
        data += chunk(name, payload)
    place = len(data) if place is None else place
    return data + chunk(b"ND2 FILEMAP SIGNATURE NAME 0001!", entries + MAP_END + struct.pack("<Q", place))


def written(folder: Path, data: bytes, name: str = "scan.nd2") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["scan.nd2", "a b [1] #2 100% é.nd2"])
def test_a_whole_file_is_sound_and_describes_itself(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, synthetic_nd2(), name)
    assert FORMAT.recognises(path.read_bytes()[:1024], name)
    assert FORMAT.claim(path).lists == (name,)
    found = FORMAT.examine(tmp_path, (name,))
    assert (found.sound, found.problems, found.remarks) == (True, (), ())
    assert found.metadata == {
        "acquired": "2021-09-28T00:00:00.000+00:00",
        "objective": "Plan Apo 60x NA 1.4",
        "channels": "DAPI, GFP",
        "size": "8x4x3x2x1",
        "pixel_size_um": "0.11x0.11x0.3",
        "software": "NIS-Elements AR 5.30",
        "experimenter": "Ada",
    }
    assert found.sources.keys() == found.metadata.keys()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_growing_file_is_not_sound(tmp_path: Path, damage: str) -> None:
    written(tmp_path, DAMAGES[damage](synthetic_nd2()))
    found = FORMAT.examine(tmp_path, ("scan.nd2",))
    assert found.sound is False
    assert found.problems[0].startswith("scan.nd2: ")


def test_a_file_without_its_map_is_unfinished_and_says_how_far_it_is(tmp_path: Path) -> None:
    data = synthetic_nd2(trees={})
    growing = data[: data.index(b"ND2 FILEMAP") - 16]
    written(tmp_path, growing)
    (problem,) = FORMAT.examine(tmp_path, ("scan.nd2",)).problems
    assert problem.startswith("scan.nd2: unfinished: 3 images are whole")
    written(tmp_path, growing[:-10])
    (problem,) = FORMAT.examine(tmp_path, ("scan.nd2",)).problems
    said, cut = len(growing), len(growing) - 10
    assert problem == f"scan.nd2: cut off: the chunk ImageDataSeq|2! should end at byte {said}, the file has {cut}"


def test_a_run_that_was_broken_off_has_no_place_for_its_map(tmp_path: Path) -> None:
    written(tmp_path, synthetic_nd2(place=0))
    (problem,) = FORMAT.examine(tmp_path, ("scan.nd2",)).problems
    assert problem.startswith("scan.nd2: unfinished: the acquisition was broken off")


def test_a_gap_in_the_images_is_found_and_a_stopped_run_is_only_told(tmp_path: Path) -> None:
    written(tmp_path, synthetic_nd2((0, 1, 3)))
    assert FORMAT.examine(tmp_path, ("scan.nd2",)).problems == (
        "scan.nd2: incomplete: image 2 of the images 0 to 3 is not in the file",
    )
    written(tmp_path, synthetic_nd2((0, 1), describing(5)))
    found = FORMAT.examine(tmp_path, ("scan.nd2",))
    assert found.sound
    assert found.remarks == ("scan.nd2: it was made for 5 images and has 2: the acquisition was stopped",)
    assert "size" not in found.metadata


def test_a_chunk_that_is_not_at_its_place_is_found(tmp_path: Path) -> None:
    data = synthetic_nd2()
    at = data.index(b"ImageDataSeq|1!") - 16
    written(tmp_path, data[:at] + bytes(112) + data[at + 112 :])
    (problem,) = FORMAT.examine(tmp_path, ("scan.nd2",)).problems
    assert problem.startswith("scan.nd2: damaged: the chunk ImageDataSeq|1! is not at byte")


def test_a_version_2_file_describes_itself_in_xml(tmp_path: Path) -> None:
    xml = (
        b'<?xml version="1.0"?><variant version="1.0"><no_name runtype="CLxListVariant">'
        b'<uiWidth runtype="lx_uint32" value="8"/><uiHeight runtype="lx_uint32" value="4"/>'
        b'<TextInfoItem_14 runtype="CLxStringW" value="NIS 3.2"/></no_name></variant>\0\0'
    )
    written(tmp_path, synthetic_nd2(trees={b"ImageAttributes!": xml, b"ImageTextInfo!": xml}))
    found = FORMAT.examine(tmp_path, ("scan.nd2",))
    assert found.sound
    assert found.metadata == {"software": "NIS 3.2"}


def test_a_legacy_file_is_known_by_its_name_and_not_checked(tmp_path: Path) -> None:
    head = b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(200)
    assert FORMAT.recognises(head, "OLD.ND2")
    assert not FORMAT.recognises(head, "photo.jp2")
    written(tmp_path, head)
    found = FORMAT.examine(tmp_path, ("scan.nd2",))
    assert found.sound is None
    assert found.checked.startswith("unchecked: scan.nd2: a legacy ND2")


def test_other_files_are_not_claimed() -> None:
    assert not FORMAT.recognises(b"\xda\xce\xbe\x0a" + bytes(1020), "scan.nd2")
    assert not FORMAT.recognises(b"", "scan.nd2")


BOMB = bytes([76, 0]) + bytes(10) + zlib.compress(bytes(64 << 20))
DEEP = b"".join(bytes([11, 0]) + struct.pack("<IQ", 1, 14 * (9000 - n)) for n in range(9000))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "tree",
    [
        BOMB,
        DEEP,
        bytes([11, 0]) + struct.pack("<IQ", 0xFFFFFFFF, 1 << 60),
        bytes([8, 0]) * 500_000,
        bytes([1, 0, 1]) * 500_000,
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    ],
    ids=["bomb", "deep", "absurd length", "texts without an end", "very many values", "entities"],
)
def test_malicious_values_are_a_problem_and_cost_little(tmp_path: Path, tree: bytes) -> None:
    written(tmp_path, synthetic_nd2(trees={**describing(3), b"ImageAttributesLV!": tree}))
    peak, problems = measured(tmp_path)
    assert len(problems) == 1
    assert peak < 50 << 20


def test_a_description_that_cannot_be_read_is_only_told(tmp_path: Path) -> None:
    written(tmp_path, synthetic_nd2(trees={**describing(3), b"ImageMetadataSeqLV|0!": b"\x63\x01\0\0"}))
    found = FORMAT.examine(tmp_path, ("scan.nd2",))
    assert found.sound
    assert "ImageMetadataSeqLV|0!" in found.remarks[0]
    assert found.metadata["software"] == "NIS-Elements AR 5.30"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [0xFFFFFFFF, 5_000_000])
def test_absurd_numbers_of_images_cost_little(tmp_path: Path, number: int) -> None:
    written(tmp_path, synthetic_nd2((0, number)))
    peak, problems = measured(tmp_path)
    assert problems == (f"scan.nd2: damaged: it lists an image {number}, more than any file has",)
    assert peak < 50 << 20


def test_a_map_that_is_too_long_to_check_is_said_to_be_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watcher.formats.nd2.MAX_ENTRIES", 4)
    written(tmp_path, synthetic_nd2())
    found = FORMAT.examine(tmp_path, ("scan.nd2",))
    assert found.sound is None
    assert found.checked.startswith("unchecked: scan.nd2: the first 4 chunks")


def measured(folder: Path) -> tuple[int, tuple[str, ...]]:
    tracemalloc.start()
    found = FORMAT.examine(folder, ("scan.nd2",))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, found.problems


WHOLE = synthetic_nd2()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.binary(max_size=300), st.integers(0, len(WHOLE) - 1), st.booleans())
def test_no_content_crashes(tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int, whole: bool) -> None:
    data = WHOLE[:at] + junk + WHOLE[at + len(junk) :] if whole else junk
    folder = tmp_path_factory.mktemp("fuzz")
    path = written(folder, data)
    FORMAT.recognises(data[:1024], path.name)
    assert FORMAT.claim(path).lists == ("scan.nd2",)
    assert FORMAT.examine(folder, ("scan.nd2",)).sound in (True, False, None)
