"""DICOM: real files of pydicom, and synthetic ones for slides, series, concatenations and DICOMDIR."""

import struct
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats import dicom, dicom_elements, reading
from watcher.formats.base import Examination
from watcher.formats.dicom import FORMAT

EXPLICIT, IMPLICIT, BIG, DEFLATED = (f"1.2.840.10008.1.2{end}" for end in (".1", "", ".2", ".1.99"))
JPEG = "1.2.840.10008.1.2.4.50"
WHOLE = ["CT_small.dcm", "JPEG2000.dcm", "MR_small.dcm"]
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one byte short": lambda data: data[:-1],
    "half": lambda data: data[: len(data) // 2],
    "only the header": lambda data: data[:140],
    "tail of zeros": lambda data: data[: len(data) * 3 // 4].ljust(len(data), b"\0"),
    "preallocated": lambda data: data[:400].ljust(len(data), b"\0"),
    "empty": lambda _: b"",
}

Made = tuple[int, int, bytes, bytes]


def text(group: int, element: int, vr: bytes, value: str) -> Made:
    raw = value.encode()
    return group, element, vr, raw + b" " * (len(raw) % 2)


def short(group: int, element: int, value: int) -> Made:
    return group, element, b"US", struct.pack("<H", value)


def packed(elements: list[Made], syntax: str = EXPLICIT) -> bytes:
    order = ">" if syntax == BIG else "<"
    out = b""
    for group, element, vr, value in elements:
        if order == ">" and vr == b"US":
            value = value[::-1]
        out += struct.pack(order + "HH", group, element)
        if syntax == IMPLICIT:
            out += struct.pack("<I", len(value))
        elif vr in (b"OB", b"OW", b"SQ", b"UN"):
            out += vr + struct.pack(order + "HI", 0, len(value))
        else:
            out += vr + struct.pack(order + "H", len(value))
        out += value
    return out


def synthetic_dicom(*elements: Made, syntax: str = EXPLICIT, tail: bytes = b"") -> bytes:
    meta = packed([text(2, 0x10, b"UI", syntax)])
    return bytes(128) + b"DICM" + meta + packed(sorted(elements), syntax) + tail


def image(
    *more: Made, series: str = "1.2.3", frames: int = 1, syntax: str = EXPLICIT, pixels: int | None = None
) -> bytes:
    """Frames of 4 x 6 pixels of 16 bits."""
    own = [
        text(0x20, 0x0E, b"UI", series),
        short(0x28, 2, 1),
        text(0x28, 8, b"IS", str(frames)),
        short(0x28, 0x10, 4),
        short(0x28, 0x11, 6),
        short(0x28, 0x100, 16),
        (0x7FE0, 0x10, b"OW", bytes(frames * 48 if pixels is None else pixels)),
    ]
    return synthetic_dicom(*own, *more, syntax=syntax)


def encapsulated(fragments: int, frames: int, *, closed: bool = True) -> bytes:
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0) if closed else b""
    body = struct.pack("<HHI", 0xFFFE, 0xE000, 0) + struct.pack("<HHI4s", 0xFFFE, 0xE000, 4, b"\xff" * 4) * fragments
    tail = struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF) + body + end
    fields = (short(0x28, 0x10, 4), short(0x28, 0x11, 6), text(0x28, 8, b"IS", str(frames)))
    return synthetic_dicom(text(0x20, 0x0E, b"UI", "1.2.3"), *fields, syntax=JPEG, tail=tail)


def slide(frames: int, *more: Made) -> bytes:
    """A slide of 2 x 2 tiles."""
    matrix = ((0x48, 6, b"UL", struct.pack("<I", 12)), (0x48, 7, b"UL", struct.pack("<I", 7)))
    return image(text(0x20, 0x9311, b"CS", "TILED_FULL"), *matrix, *more, frames=frames)


def part(number: int, parts: int, name: str = "9.9") -> tuple[Made, ...]:
    return text(0x20, 0x9161, b"UI", name), short(0x20, 0x9162, number), short(0x20, 0x9163, parts)


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def examined(path: Path) -> Examination:
    return FORMAT.examine(path.parent, (path.name,))


@pytest.mark.samples
@pytest.mark.parametrize("name", WHOLE)
def test_a_real_file_is_recognised_claimed_and_sound(samples: Path, tmp_path: Path, name: str) -> None:
    path = written(tmp_path, "dí a [x] #1 %20", (samples / "dicom" / name).read_bytes())
    assert FORMAT.recognises(path.read_bytes()[:1024], path.name)
    claim = FORMAT.claim(path)
    assert (claim.format, claim.lists, claim.tree, claim.problems) == ("dicom", (path.name,), None, ())
    found = examined(path)
    assert (found.sound, found.problems, found.missing, found.remarks) == (True, (), (), ())


@pytest.mark.samples
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", WHOLE)
def test_a_damaged_real_file_is_not_sound(samples: Path, tmp_path: Path, name: str, damage: str) -> None:
    path = written(tmp_path, name, DAMAGES[damage]((samples / "dicom" / name).read_bytes()))
    found = examined(path)
    assert found.sound is False
    assert found.problems[0].startswith(f"{name}: ")


@pytest.mark.samples
def test_what_a_real_file_says_of_itself(samples: Path) -> None:
    found = FORMAT.examine(samples / "dicom", ("CT_small.dcm",))
    assert found.metadata == {
        "acquired": "1997-04-30T11:29:36-05:00",
        "instrument": "GE MEDICAL SYSTEMS RHAPSODE",
        "software": "05",
        "computer": "CT01_OC0",
        "size": "128x128x1x1x1",
        "pixel_size_um": "661.468x661.468",
    }
    assert found.sources["software"] == "(0018,1020) SoftwareVersions"


@pytest.mark.samples
def test_the_truncated_sample_is_not_sound_and_belongs_to_its_series(samples: Path) -> None:
    folder = samples / "dicom"
    assert FORMAT.claim(folder / "MR_small.dcm").lists == ("MR_small.dcm", "MR_truncated.dcm")
    found = FORMAT.examine(folder, ("MR_small.dcm", "MR_truncated.dcm"))
    assert found.problems == ("MR_truncated.dcm: cut off: the pixel data should end at byte 9692, the file has 9630",)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_all_ways_to_write_elements_are_followed(tmp_path: Path, syntax: str) -> None:
    assert examined(written(tmp_path, "a.dcm", image(syntax=syntax, frames=3))).sound is True
    few = examined(written(tmp_path, "b.dcm", image(syntax=syntax, frames=3, pixels=100)))
    assert few.problems == ("b.dcm: incomplete: 3 frames of 6 x 4 pixels need 144 bytes, it has 100",)


def test_a_data_set_that_is_compressed_as_a_whole_is_unchecked(tmp_path: Path) -> None:
    found = examined(written(tmp_path, "a.dcm", synthetic_dicom(syntax=DEFLATED, tail=b"\x12\x34" * 20)))
    assert found.sound is None
    assert found.checked.startswith("unchecked: a.dcm: ")


def test_more_pixels_than_needed_are_only_remarked_on(tmp_path: Path) -> None:
    found = examined(written(tmp_path, "a.dcm", image(pixels=60)))
    assert found.sound is True
    assert "12 more than its size needs" in found.remarks[0]


def test_an_image_without_pixels_is_unfinished(tmp_path: Path) -> None:
    data = image()
    found = examined(written(tmp_path, "a.dcm", data[: data.rindex(b"\xe0\x7f\x10\x00")]))
    assert found.problems == ("a.dcm: unfinished: it describes an image and has no pixel data",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (encapsulated(3, 3), ""),
        (encapsulated(2, 3), "should have 3 frames, its pixel data has 2"),
        (encapsulated(3, 3, closed=False), "no end mark"),
        (slide(4), ""),
        (slide(3), "has 4 tiles, the file says that it has 3"),
    ],
)
def test_frames_and_tiles_are_counted(tmp_path: Path, data: bytes, words: str) -> None:
    found = examined(written(tmp_path, "a.dcm", data))
    assert found.sound is (words == "")
    assert words in "".join(found.problems)


@pytest.mark.parametrize(("closed", "sound"), [(True, None), (False, False)])
def test_of_very_many_frames_at_least_the_end_is_checked(tmp_path: Path, closed: bool, sound: bool | None) -> None:
    number = dicom_elements.MAX_FRAGMENTS + 10
    found = examined(written(tmp_path, "a.dcm", encapsulated(number, number, closed=closed)))
    assert found.sound is sound
    assert "not all followed" in found.checked or "cut off" in found.problems[0]


def test_the_files_of_one_series_are_one_set(tmp_path: Path) -> None:
    for name, series in (("a 1.dcm", "1.2.3"), ("b", "1.2.3"), ("c.dcm", "1.2.4")):
        written(tmp_path, name, image(series=series))
    written(tmp_path, "notes.txt", b"no image")
    assert FORMAT.claim(tmp_path / "b").lists == FORMAT.claim(tmp_path / "a 1.dcm").lists == ("a 1.dcm", "b")
    assert FORMAT.claim(tmp_path / "c.dcm").lists == ("c.dcm",)
    written(tmp_path, "c.dcm", image(series="1.2.3", frames=2))
    assert FORMAT.claim(tmp_path / "b").lists == ("a 1.dcm", "b", "c.dcm")


def test_in_a_very_full_folder_a_file_stands_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom, "MOST_FILES", 2)
    for number in range(4):
        written(tmp_path, f"{number}.dcm", image())
    claim = FORMAT.claim(tmp_path / "0.dcm")
    assert claim.lists == ("0.dcm",)
    assert "more than 2 files" in claim.remarks[0]


def test_each_neighbour_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{number}.dcm" for number in range(30)]
    for name in names:
        written(tmp_path, name, image())
    opened: list[str] = []

    def counted(path: Path) -> BinaryIO:
        opened.append(path.name)
        return reading.open_file(path)

    monkeypatch.setattr(dicom, "open_file", counted)
    for name in names:
        assert len(FORMAT.claim(tmp_path / name).lists) == 30
    assert max(map(opened.count, names)) <= 2


def test_a_missing_part_of_a_split_image_is_told(tmp_path: Path) -> None:
    written(tmp_path, "a.dcm", image(*part(1, 3)))
    written(tmp_path, "c.dcm", image(*part(3, 3)))
    claim = FORMAT.claim(tmp_path / "c.dcm")
    found = FORMAT.examine(tmp_path, claim.lists)
    assert found.problems == ("a.dcm: incomplete: it is a part of an image in 3 files; missing are the parts 2",)
    assert found.sound is False
    written(tmp_path, "b.dcm", image(*part(2, 3)))
    whole = FORMAT.claim(tmp_path / "c.dcm")
    assert FORMAT.examine(tmp_path, whole.lists).sound is True


@pytest.mark.parametrize("undefined", [False, True])
def test_the_folder_of_a_dicomdir_is_one_set_and_its_list_is_checked(tmp_path: Path, undefined: bool) -> None:
    folder = tmp_path / "Pátek"
    (folder / "dicom").mkdir(parents=True)  # as some systems show the names of a disc
    records = b""
    for name in ("DICOM\\IM1", "DICOM\\IM2", "..\\..\\IM3"):
        record = packed([text(4, 0x1500, b"CS", name), short(0x28, 0x10, 4), short(0x28, 0x11, 6)])
        if undefined:
            ends = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
            records += struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + record + ends
        else:
            records += struct.pack("<HHI", 0xFFFE, 0xE000, len(record)) + record
    if undefined:
        ends = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
        tail = struct.pack("<HH2sHI", 4, 0x1220, b"SQ", 0, 0xFFFFFFFF) + records + ends
        data = synthetic_dicom(tail=tail)
    else:
        data = synthetic_dicom((4, 0x1220, b"SQ", records))
    path = written(folder, "DICOMDIR", data)
    written(folder / "dicom", "im1", image())
    claim = FORMAT.claim(path)
    assert (claim.lists, claim.tree, claim.title) == (("DICOMDIR",), ".", "Pátek")
    assert FORMAT.claim(written(folder, "x.dcm", image())).tree == "."
    found = examined(path)
    assert found.sound is False
    assert found.missing[0] == "DICOM/IM2"
    assert len(found.missing) == 2
    assert len(found.problems) == 2


def test_sequences_without_a_length_are_followed(tmp_path: Path) -> None:
    inner = packed([text(8, 0x100, b"SH", "x")])
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + inner + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    whole = struct.pack("<HH2sHI", 8, 0x1111, b"SQ", 0, 0xFFFFFFFF) + item
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    assert examined(written(tmp_path, "a.dcm", synthetic_dicom(tail=whole + end))).sound is True
    assert "still open" in examined(written(tmp_path, "a.dcm", synthetic_dicom(tail=whole))).problems[0]


def test_a_compressed_icon_is_not_taken_for_the_image(tmp_path: Path) -> None:
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    icon = struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0) + end
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + icon + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    icons = struct.pack("<HH2sHI", 0x88, 0x200, b"SQ", 0, 0xFFFFFFFF) + item + end
    head = (short(0x28, 0x10, 4), short(0x28, 0x11, 6))
    found = examined(written(tmp_path, "a.dcm", synthetic_dicom(*head, tail=icons)))
    assert found.problems == ("a.dcm: unfinished: it describes an image and has no pixel data",)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "tail",
    [
        struct.pack("<HH2sHI", 8, 0x1111, b"SQ", 0, 0xFFFFFFFF) * 100_000,
        struct.pack("<HH2sH", 8, 0x1111, b"SH", 0) * 400_000,
        struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 400_000,
        struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFF0),
        packed([text(0x20, 0x9161, b"UI", "1"), (0x20, 0x9163, b"UL", b"\xff" * 4)]),
    ],
    ids=["nested", "many", "fragments", "huge", "parts"],
)
def test_what_was_made_to_hurt_costs_little(tmp_path: Path, tail: bytes) -> None:
    path = written(tmp_path, "a.dcm", synthetic_dicom(tail=tail))
    found = examined(path)
    assert found.sound is not True
    FORMAT.claim(path)


def test_no_name_of_a_patient_is_read() -> None:
    assert all(group != 0x0010 for group, _ in dicom_elements.TEXTS | dicom_elements.NUMBERS)


def test_what_only_looks_like_dicom_is_not_recognised() -> None:
    assert not FORMAT.recognises(b"DICM" + bytes(200), "a.dcm")
    assert not FORMAT.recognises(b"", "a.dcm")


@given(at=st.floats(0, 0.999), new=st.binary(max_size=40), which=st.integers(0, 3))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_change_of_a_file_is_a_finding_or_nothing(at: float, new: bytes, which: int) -> None:
    data = (image(), encapsulated(3, 3), slide(4), image(*part(1, 2)))[which]
    start = int(at * len(data))
    everything_asked(data[:start] + new + data[start + len(new) :])


@given(data=st.binary(max_size=300))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_bytes_are_a_finding(data: bytes) -> None:
    everything_asked(bytes(128) + b"DICM" + data)


def everything_asked(data: bytes) -> None:
    FORMAT.recognises(data[:1024], "a.dcm")
    with TemporaryDirectory() as folder:
        path = written(Path(folder), "a.dcm", data)
        assert path.name in FORMAT.claim(path).lists
        found = examined(path)
        assert (found.sound is False) == bool(found.problems)
