"""TIFFs of many kinds, each of known pixels: the right plane, the right level, and no more read than is needed."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tests.unit.formats.test_lsm import synthetic_lsm
from tests.unit.formats.test_metamorph_stk import synthetic_stk
from watcher.formats.reading import Unsound
from watcher.osfacts import open_shared
from watcher.thumbnails import tiffs
from watcher.thumbnails.pixels import of_file
from watcher.thumbnails.shown import ENOUGH, Pixels


def seen(path: Path) -> Pixels:
    found = of_file(path, "tiff")
    assert found is not None
    return found


def counted(*shape: int, kind: str = "u2") -> NDArray[np.generic]:
    return (np.arange(np.prod(shape)) % 60_000).reshape(shape).astype(kind)


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "f4"])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"rowsperstrip": 7},
        {"tile": (16, 32)},
        {"compression": "zlib", "rowsperstrip": 5},
        {"compression": "zlib", "tile": (16, 32)},
        {"bigtiff": True, "byteorder": ">"},
    ],
)
def test_a_plane_is_seen_as_it_was_written(tmp_path: Path, how: dict[str, object], kind: str) -> None:
    pixels = counted(50, 70, kind=kind)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", **how)
    assert np.array_equal(seen(tmp_path / "a.tif"), pixels)


@pytest.mark.parametrize(
    "how",
    [
        {"ome": True, "metadata": {"axes": "TZCYX"}},
        {"imagej": True, "metadata": {"axes": "TZCYX"}},
        {"ome": True, "metadata": {"axes": "TZCYX"}, "compression": "zlib"},
    ],
)
def test_of_a_stack_the_plane_in_the_middle_of_all_axes_is_seen(tmp_path: Path, how: dict[str, object]) -> None:
    pixels = counted(2, 5, 3, 20, 30)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", **how)
    assert np.array_equal(seen(tmp_path / "a.tif"), pixels[1, 2, 1])


def test_of_plain_pages_the_one_in_the_middle_is_seen(tmp_path: Path) -> None:
    pixels = counted(7, 20, 30)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for page in pixels:
            file.write(page, photometric="minisblack", metadata=None)
    assert np.array_equal(seen(tmp_path / "a.tif"), pixels[3])


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("how", [{}, {"compression": "zlib"}, {"tile": (16, 16)}])
def test_colours_are_colours_however_they_lie(tmp_path: Path, planar: str, how: dict[str, object]) -> None:
    pixels = counted(20, 30, 3, kind="u1")
    stored = pixels if planar == "contig" else np.moveaxis(pixels, -1, 0)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar, **how)
    assert np.array_equal(seen(tmp_path / "a.tif"), pixels)


def test_of_a_pyramid_the_smallest_level_that_is_large_enough_is_read(tmp_path: Path) -> None:
    levels = [np.full((side, side), side % 251, "u1") for side in (2048, 1024, 512, 256, 128)]
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as file:
        file.write(levels[0], subifds=4, tile=(64, 64), compression="zlib")
        for level in levels[1:]:
            file.write(level, tile=(64, 64), compression="zlib")
    with _Counted(tmp_path / "a.ome.tif") as file:
        assert np.array_equal(tiffs.read(file), levels[3])
        assert file.bytes_read < 40_000, "and not the others"


def test_of_a_large_plane_every_nth_row_and_column_is_read(tmp_path: Path) -> None:
    pixels = counted(4100, 3000)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack")
    with _Counted(tmp_path / "a.tif") as file:
        found = tiffs.read(file)
        assert np.array_equal(found, pixels[::5, ::5])
        assert max(found.shape) <= ENOUGH
        assert file.bytes_read < pixels.nbytes / 4
    tifffile.imwrite(tmp_path / "b.tif", pixels, photometric="minisblack", compression="zlib", rowsperstrip=1)
    with _Counted(tmp_path / "b.tif") as file:
        assert np.array_equal(tiffs.read(file), pixels[::5, ::5])
        assert file.bytes_read < (tmp_path / "b.tif").stat().st_size / 2
    tifffile.imwrite(tmp_path / "c.tif", pixels, photometric="minisblack", compression="zlib", tile=(208, 304))
    assert np.array_equal(seen(tmp_path / "c.tif"), pixels[::5, ::5])


@pytest.mark.parametrize("compression", ["tiff_lzw", "jpeg", "packbits", "tiff_adobe_deflate"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_what_other_programs_pack_is_unpacked_with_pillow(tmp_path: Path, compression: str, mode: str) -> None:
    ramp = np.add.outer(np.arange(100), np.arange(140)).astype("u1")
    pixels = ramp if mode == "L" else np.stack([ramp, ramp[::-1], ramp // 2], axis=-1)
    options: dict[str, Any] = {"quality": 95} if compression == "jpeg" else {}
    Image.fromarray(pixels).save(tmp_path / "a.tif", compression=compression, **options)
    found = seen(tmp_path / "a.tif")
    assert found.shape == pixels.shape
    assert np.abs(found.astype(int) - pixels).max() <= (12 if compression == "jpeg" else 0)


def test_numbers_of_16_bits_packed_by_lzw_with_differences_are_unpacked(tmp_path: Path) -> None:
    pixels = counted(40, 50)
    Image.fromarray(pixels).save(tmp_path / "a.tif", compression="tiff_lzw", tiffinfo={317: 2})
    assert np.array_equal(seen(tmp_path / "a.tif"), pixels)


def test_tiles_of_jpeg_with_common_tables_are_unpacked(tmp_path: Path) -> None:
    """As slide scanners write them: the tables of all tiles stand once."""
    ramp = np.add.outer(np.arange(64), np.arange(64)).astype("u1")
    files = []
    for tile in (ramp, ramp[::-1]):
        file = io.BytesIO()
        Image.fromarray(tile).save(file, "JPEG", quality=95)
        files.append(file.getvalue())
    tables, tiles = _split(files[0]), [_without_tables(file) for file in files]
    at = 8 + len(tables)
    places = [at, at + len(tiles[0])]
    behind = at + sum(map(len, tiles)) + len(tables) % 2
    fields = [
        (256, 4, 1, 128), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 7), (262, 3, 1, 1), (277, 3, 1, 1),
        (322, 3, 1, 64), (323, 3, 1, 64), (324, 4, 2, behind), (325, 4, 2, behind + 8), (347, 7, len(tables), 8),
    ]  # fmt: skip
    data = (tables + b"".join(tiles)).ljust(behind - 8, b"\0")
    data += struct.pack("<4I", *places, *map(len, tiles))
    directory = struct.pack("<H", len(fields)) + b"".join(struct.pack("<HHII", *field) for field in fields) + bytes(4)
    (tmp_path / "a.tif").write_bytes(b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory)
    found = seen(tmp_path / "a.tif")
    assert np.abs(found.astype(int) - np.hstack([ramp, ramp[::-1]])).max() < 12


def test_stacks_of_metamorph_and_zeiss_are_shown_by_their_middle(tmp_path: Path) -> None:
    stack = synthetic_stk(tmp_path / "a.stk", planes=5)
    pixels = counted(5, 2, 4, kind="u1")
    stack.write_bytes(stack.read_bytes()[: -pixels.nbytes] + pixels.tobytes())
    assert np.array_equal(seen(stack), pixels[2])
    scan = synthetic_lsm(tmp_path / "a.lsm", planes=3)
    with tifffile.TiffFile(scan) as file:
        offsets = [page.dataoffsets[0] for page in file.series[0].pages if page]
    data = bytearray(scan.read_bytes())
    for plane, offset in zip(pixels, offsets, strict=False):
        data[offset : offset + 8] = plane.tobytes()
    scan.write_bytes(data)
    assert np.array_equal(seen(scan), pixels[1])


def test_white_is_zero_and_palettes_are_seen_as_they_are_meant(tmp_path: Path) -> None:
    pixels = counted(20, 10, kind="u1")
    tifffile.imwrite(tmp_path / "white.tif", pixels, photometric="miniswhite")
    assert np.array_equal(seen(tmp_path / "white.tif"), 255 - pixels)
    table = np.zeros((3, 256), "u2")
    table[0] = np.arange(256) * 257
    tifffile.imwrite(tmp_path / "palette.tif", pixels, photometric="palette", colormap=table)
    found = seen(tmp_path / "palette.tif")
    assert np.array_equal(found[..., 0], pixels)
    assert not found[..., 1:].any()


def test_tiles_that_were_left_out_are_black(tmp_path: Path) -> None:
    pixels = counted(32, 64, kind="u1")
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", tile=(32, 32), compression="zlib")
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        file.pages[0].tags[325].overwrite([file.pages[0].databytecounts[0], 0])
    found = seen(tmp_path / "a.tif")
    assert np.array_equal(found[:, :32], pixels[:, :32])
    assert not found[:, 32:].any()


def test_files_of_a_set_are_never_opened_by_name(tmp_path: Path) -> None:
    """The OME-XML of one file names others, and tifffile would open them in a way that its writer notices."""
    pixels = counted(3, 20, 30)
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels[0], metadata={"axes": "YX"}, ome=True)
    xml = tifffile.tiffcomment(tmp_path / "a.ome.tif")
    other = xml.replace('FileName="a.ome.tif"', 'FileName="b.ome.tif"').replace('SizeZ="1"', 'SizeZ="3"')
    tifffile.tiffcomment(tmp_path / "a.ome.tif", other)
    (tmp_path / "b.ome.tif").symlink_to("/dev/zero")
    assert np.array_equal(seen(tmp_path / "a.ome.tif"), pixels[0])


@pytest.mark.parametrize("part", [0.1, 0.3, 0.6, 0.9])
def test_a_file_that_is_cut_off_raises_and_never_shows_what_is_not_there(tmp_path: Path, part: float) -> None:
    tifffile.imwrite(tmp_path / "a.tif", counted(200, 300), photometric="minisblack", compression="zlib")
    data = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(data[: int(part * len(data))])
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the library says; the child process bears it
        seen(tmp_path / "a.tif")


def test_a_strip_that_says_that_it_is_longer_than_any_is_not_read(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", counted(20, 30), photometric="minisblack", compression="zlib")
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        file.pages[0].tags[279].overwrite((1 << 31,))
    with pytest.raises(Unsound, match="longer than those of any image"):
        seen(tmp_path / "a.tif")


class _Counted(io.BufferedReader):
    """Counts what is read of a file."""

    def __init__(self, path: Path) -> None:
        super().__init__(open_shared(path), 512)  # type: ignore[arg-type]
        self.bytes_read = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.bytes_read += len(data)
        return data

    def readinto(self, buffer: object, /) -> int:
        count = super().readinto(buffer)  # type: ignore[arg-type]
        self.bytes_read += count or 0
        return count


def _segments(jpeg: bytes) -> list[tuple[int, bytes]]:
    """The marker segments before the scan, and the rest from its beginning on (ITU T.81, B.1.1.4)."""
    at, found = 2, []
    while jpeg[at + 1] != 0xDA:
        length = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        found.append((jpeg[at + 1], jpeg[at : at + 2 + length]))
        at += 2 + length
    return [*found, (0xDA, jpeg[at:])]


def _split(jpeg: bytes) -> bytes:
    tables = b"".join(data for marker, data in _segments(jpeg) if marker in (0xDB, 0xC4))
    return b"\xff\xd8" + tables + b"\xff\xd9"


def _without_tables(jpeg: bytes) -> bytes:
    return b"\xff\xd8" + b"".join(data for marker, data in _segments(jpeg) if marker not in (0xDB, 0xC4, 0xE0))
