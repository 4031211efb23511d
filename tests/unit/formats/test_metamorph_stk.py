"""MetaMorph STK: no public file is at hand, so all are synthetic, from the layout that tifffile reads."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats.base import HEAD_BYTES, Examination
from watcher.formats.stk import FORMAT

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one byte short": lambda data: data[:-1],
    "half": lambda data: data[: len(data) // 2],
    "only the header": lambda data: data[:8],
    "empty": lambda _: b"",
}


def synthetic_stk(path: Path, planes: int = 5, *, compression: int = 1) -> Path:
    """A stack of 4 x 2 pixels in two strips, its page before its planes. Synthetic."""
    first = 8 + 2 + 11 * 12 + 4
    strips_at = first
    uic1_at = strips_at + 16
    values_at = uic1_at + 24
    uic2_at = values_at + 8 + 6
    uic3_at = uic2_at + 24 * planes
    pixels = uic3_at + 8 * planes
    fields = [
        (256, 4, 1, 4), (257, 4, 1, 2), (258, 4, 1, 8), (259, 4, 1, compression), (262, 4, 1, 1),
        (273, 4, 2, strips_at), (278, 4, 1, 1), (279, 4, 2, strips_at + 8),
        (33628, 4, 3, uic1_at), (33629, 5, planes, uic2_at), (33630, 5, planes, uic3_at),
    ]  # fmt: skip
    data = struct.pack("<H", len(fields)) + b"".join(struct.pack("<HHII", *one) for one in fields) + bytes(4)
    data += struct.pack("<4I", pixels, pixels + 4, 4, 4)
    data += struct.pack("<6I", 4, values_at, 5, values_at, 6, values_at + 8)
    data += struct.pack("<2I", 1, 8) + struct.pack("<I", 2) + b"um"
    data += struct.pack("<6I", 1, 2, 2455000, 3_600_000, 2455000, 3_600_000) * planes
    data += struct.pack("<2I", 500, 1) * planes
    path.write_bytes(struct.pack("<2sHI", b"II", 42, 8) + data + bytes(range(1, 9)) * planes)
    return path


def examined(path: Path) -> Examination:
    return FORMAT.examine(path.parent, (path.name,))


def test_the_synthetic_file_is_an_stk_for_others_too(tmp_path: Path) -> None:
    with tifffile.TiffFile(synthetic_stk(tmp_path / "a.stk")) as file:
        assert file.is_stk
        assert file.series[0].shape == (5, 2, 4)
        assert file.series[0].asarray()[4].tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_a_whole_file_is_sound(tmp_path: Path) -> None:
    path = synthetic_stk(tmp_path / "Zelle [ü] #1 100%.stk")
    for name in (path.name, "a.tif"):
        assert FORMAT.recognises(path.read_bytes()[:HEAD_BYTES], name)
    assert (FORMAT.claim(path).format, FORMAT.claim(path).lists) == ("stk", (path.name,))
    found = examined(path)
    assert (found.sound, found.problems) == (True, ())
    assert found.metadata == {"acquired": "2009-06-17T01:00:00", "size": "4x2x5x1x1", "pixel_size_um": "0.125x0.125"}
    assert found.sources.keys() == found.metadata.keys()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_not_sound(tmp_path: Path, damage: str) -> None:
    path = synthetic_stk(tmp_path / "a.stk")
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    found = examined(path)
    assert found.sound is False
    assert found.problems[0].startswith("a.stk: ")


def test_a_growing_stack_names_the_plane_that_is_missing(tmp_path: Path) -> None:
    path = synthetic_stk(tmp_path / "a.stk", planes=100)
    path.write_bytes(path.read_bytes()[:-300])  # the page is whole, and so is the first plane
    size = path.stat().st_size
    expected = f"a.stk: cut off: the last of its 100 planes should end at byte {size + 300}, the file has {size}"
    assert examined(path).problems == (expected,)


def test_a_zeroed_tail_of_pixels_cannot_be_told(tmp_path: Path) -> None:
    path = synthetic_stk(tmp_path / "a.stk", planes=100)
    path.write_bytes(path.read_bytes()[:-300] + bytes(300))
    assert examined(path).sound, "black pixels are legal"


def test_compressed_planes_are_unchecked(tmp_path: Path) -> None:
    found = examined(synthetic_stk(tmp_path / "a.stk", compression=5))
    assert (found.sound, found.problems) == (None, ())
    assert found.checked == "unchecked: a.stk: it does not say where its planes end"


@pytest.mark.parametrize("count", [0, 1 << 27, 0xFFFFFFFF])
def test_absurd_counts_are_a_problem(tmp_path: Path, count: int) -> None:
    path = synthetic_stk(tmp_path / "a.stk")
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, 10 + 12 * 9 + 4, count)
    path.write_bytes(data)
    assert examined(path).sound is False


@pytest.mark.samples
def test_a_public_metamorph_image_of_one_plane_is_not_called_damaged(samples: Path) -> None:
    path = samples / "tiff" / "cellprofiler" / "MetamorphImage.tif"
    if FORMAT.recognises(path.read_bytes()[:HEAD_BYTES], path.name):
        assert examined(path).sound
    assert FORMAT.claim(path).lists == (path.name,)


def test_a_plain_tiff_is_none_whatever_its_name(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.stk", [[1, 2]], photometric="minisblack")
    assert not FORMAT.recognises((tmp_path / "a.stk").read_bytes()[:HEAD_BYTES], "a.tif")
    assert FORMAT.claim(tmp_path / "a.stk").format == "tiff"
    assert not FORMAT.recognises(b"no TIFF at all", "a.stk")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.binary(max_size=300), cut=st.integers(0, 400), flip=st.integers(0, 400))
def test_any_bytes_are_survived(tmp_path_factory: pytest.TempPathFactory, data: bytes, cut: int, flip: int) -> None:
    path = synthetic_stk(tmp_path_factory.mktemp("fuzz") / "a.stk")
    good = bytearray(path.read_bytes())
    good[flip % len(good)] ^= 0xFF
    for content in (data, b"II*\0" + data, bytes(good), bytes(good[:cut]) + data):
        FORMAT.recognises(content[:HEAD_BYTES], "a.stk")
        path.write_bytes(content)
        assert (examined(path).sound is False) == bool(examined(path).problems)
        FORMAT.claim(path)
