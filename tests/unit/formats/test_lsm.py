"""Zeiss LSM: no public file is at hand, so all are synthetic, from the layout that tifffile reads."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats.base import HEAD_BYTES, Examination
from watcher.formats.lsm import FORMAT

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one byte short": lambda data: data[:-1],
    "half": lambda data: data[: len(data) // 2],
    "only the header": lambda data: data[:8],
    "empty": lambda _: b"",
}


def synthetic_lsm(path: Path, planes: int = 3, *, planned: int = 0, packed: bool = False) -> Path:
    """A z stack of 4 x 2 pixels and its thumbnails, described as by ZEN; its time stamps stand last. Synthetic."""
    step = 2 + 8 * 12 + 4
    pixels = 8 + 2 * planes * step
    size = 6 if packed else 8  # compressed strips are shorter than they say
    info_at = pixels + planes * (size + 1)
    scan_at = info_at + 152
    texts = [(0x10000004, b"Plan-Apochromat 63x/1.40\0"), (0x10000047, b"someone\0")]
    scan = struct.pack("<3I", 0x10000000, 0, 0)
    scan += b"".join(struct.pack("<3I", kind, 2, len(text)) + text for kind, text in texts)
    scan += struct.pack("<3Id", 0x10000036, 5, 8, 40000.5) + struct.pack("<3I", 0xFFFFFFFF, 0, 0)
    colours_at = scan_at + len(scan)
    names = b"".join(struct.pack("<I", len(name)) + name for name in (b"Ch1\0", b"Ch2-T\0"))
    colours = struct.pack("<6I", 32 + len(names), 2, 2, 24, 32, 0) + bytes(8) + names
    times_at = colours_at + len(colours)
    times = struct.pack("<2i", 8 + 8 * planes, planes) + bytes(8 * planes)
    info = struct.pack(
        "<2I8i6d2H", 67127628, 152, 4, 2, planned or planes, 2, 1, 1, 1, 1, 1e-7, 1e-7, 5e-7, 0, 0, 0, 0, 0
    )
    info += struct.pack("<5Id8I", 0, 0, 0, 0, colours_at, 0, 0, scan_at, 0, times_at, 0, 0, 0, 0)
    pages: list[bytes] = []
    for number in range(2 * planes):
        thumb, plane = number % 2, number // 2
        at = pixels + plane * (size + 1) + thumb * size
        sides = (1, 1) if thumb else (4, 2)
        fields = [(254, thumb), (256, sides[0]), (257, sides[1]), (258, 8), (259, 5 if packed else 1), (273, at)]
        entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
        entries += struct.pack("<HHII", 279, 4, 1, sides[0] * sides[1])
        entries += struct.pack("<HHII", *((34412, 1, len(info), info_at) if not number else (40000, 4, 1, 0)))
        link = 8 + (number + 1) * step if number < 2 * planes - 1 else 0
        pages.append(struct.pack("<H", 8) + entries + struct.pack("<I", link))
    data = b"".join(pages) + bytes(planes * (size + 1)) + info + scan + colours + times
    path.write_bytes(struct.pack("<2sHI", b"II", 42, 8) + data)
    return path


def examined(path: Path) -> Examination:
    return FORMAT.examine(path.parent, (path.name,))


def test_the_synthetic_file_is_an_lsm_for_others_too(tmp_path: Path) -> None:
    with tifffile.TiffFile(synthetic_lsm(tmp_path / "a.lsm")) as file:
        assert file.is_lsm
        about = file.lsm_metadata
    assert about is not None
    assert (about["DimensionZ"], about["ChannelColors"]["ColorNames"]) == (3, ["Ch1", "Ch2-T"])
    assert about["ScanInformation"]["User"] == "someone"


@pytest.mark.parametrize("packed", [False, True])
def test_a_whole_file_is_sound(tmp_path: Path, packed: bool) -> None:
    path = synthetic_lsm(tmp_path / "Zelle [ü] #1 100%.lsm", packed=packed)
    assert FORMAT.recognises(path.read_bytes()[:HEAD_BYTES], path.name)
    assert (FORMAT.claim(path).format, FORMAT.claim(path).lists) == ("lsm", (path.name,))
    found = examined(path)
    assert (found.sound, found.problems, found.remarks) == (True, (), ())
    assert found.metadata == {
        "acquired": "2009-07-06T12:00:00",
        "size": "4x2x3x2x1",
        "pixel_size_um": "0.1x0.1x0.5",
        "objective": "Plan-Apochromat 63x/1.40",
        "experimenter": "someone",
        "channels": "Ch1, Ch2-T",
    }
    assert found.sources.keys() == found.metadata.keys()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_not_sound(tmp_path: Path, damage: str, packed: bool) -> None:
    path = synthetic_lsm(tmp_path / "a.lsm", packed=packed)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    found = examined(path)
    assert found.sound is False
    assert found.problems[0].startswith("a.lsm: ")


def test_a_zeroed_description_is_found_and_zeroed_time_stamps_are_not(tmp_path: Path) -> None:
    path = synthetic_lsm(tmp_path / "a.lsm")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2].ljust(len(data), b"\0"))
    assert examined(path).sound is False
    path.write_bytes(data[:-8].ljust(len(data), b"\0"))
    assert examined(path).sound, "a time stamp of zero is legal: it cannot be told"


def test_a_page_that_has_not_been_written_is_found(tmp_path: Path) -> None:
    path = synthetic_lsm(tmp_path / "a.lsm")
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, 8 + 2 * 102 - 102 + 2 + 12 * 5 + 8, 0)  # the second page's strip has no place
    struct.pack_into("<I", data, 8 + 102 + 2 + 12 * 5 + 8, 0)
    path.write_bytes(data)
    assert examined(path).problems[0].startswith("a.lsm: unfinished: page 2")


def test_fewer_planes_than_planned_are_only_told(tmp_path: Path) -> None:
    found = examined(synthetic_lsm(tmp_path / "a.lsm", planned=9))
    assert found.sound
    assert found.remarks[0].startswith("a.lsm: it holds 3 of 9 planned images")


def test_more_than_4_gib_is_checked_by_what_the_strips_need(tmp_path: Path) -> None:
    path = synthetic_lsm(tmp_path / "a.lsm", planes=2)
    data = bytearray(path.read_bytes())
    for page in (0, 2):  # each image is said to be 3 GiB long
        struct.pack_into("<I", data, 8 + 102 * page + 2 + 12 * 6 + 8, 3 << 30)
    path.write_bytes(data)
    for size, sound in ((7 << 30, True), (5 << 30, False)):
        with path.open("r+b") as file:
            file.truncate(size)  # a hole, which needs no space
        assert examined(path).sound is sound


@pytest.mark.timeout(60)
def test_a_list_of_pages_that_never_ends_costs_little(tmp_path: Path) -> None:
    path = synthetic_lsm(tmp_path / "a.lsm")
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, 8 + 98, 8)
    path.write_bytes(data)
    assert "never ends" in examined(path).problems[0]
    path = synthetic_lsm(tmp_path / "b.lsm", planes=30_000)
    found = examined(path)
    assert (found.sound, found.checked[:20]) == (None, "unchecked: b.lsm: it")


def test_a_plain_tiff_is_none_whatever_its_name(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.lsm", [[1, 2]], photometric="minisblack")
    head = (tmp_path / "a.lsm").read_bytes()[:HEAD_BYTES]
    assert not FORMAT.recognises(head, "a.tif")
    assert FORMAT.claim(tmp_path / "a.lsm").format == "tiff"
    assert not FORMAT.recognises(b"no TIFF at all", "a.lsm")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.binary(max_size=300), cut=st.integers(0, 1200), flip=st.integers(0, 1200))
def test_any_bytes_are_survived(tmp_path_factory: pytest.TempPathFactory, data: bytes, cut: int, flip: int) -> None:
    path = synthetic_lsm(tmp_path_factory.mktemp("fuzz") / "a.lsm")
    good = bytearray(path.read_bytes())
    good[flip % len(good)] ^= 0xFF
    for content in (data, b"II*\0" + data, bytes(good), bytes(good[:cut]) + data):
        FORMAT.recognises(content[:HEAD_BYTES], "a.lsm")
        path.write_bytes(content)
        assert (examined(path).sound is False) == bool(examined(path).problems)
        FORMAT.claim(path)
