"""Reads planes that a format has found, and no more of them than a small picture needs."""

import gzip
import io
import zlib
from collections.abc import Sequence
from typing import BinaryIO, Final

import numpy as np

from watcher.formats.plane import Plane
from watcher.formats.reading import Unsound, open_file, read_at, size_of
from watcher.thumbnails import encoded
from watcher.thumbnails.shown import Pixels, step_for

#: Bytes that are read in one piece, or that packed data may have and unpack to.
MOST: Final = 128 << 20
#: A picture of more tiles is not put together.
_MOST_TILES: Final = 1000


class Unknown(Exception):
    """It is packed in a way that nothing installed here unpacks."""


def picture(tiles: Sequence[Plane]) -> Pixels:
    """The plane of these tiles, every n-th row and column of it if it is large. Raises Unsound, Unknown, OSError."""
    if not 0 < len(tiles) <= _MOST_TILES:
        raise Unsound(f"it has {len(tiles)} tiles")
    left, top = min(tile.x for tile in tiles), min(tile.y for tile in tiles)
    width = max(tile.x + tile.width for tile in tiles) - left
    height = max(tile.y + tile.height for tile in tiles) - top
    step = step_for(width, height)
    whole: Pixels | None = None
    for tile in tiles:
        with open_file(tile.file) as file:
            pixels = read(file, tile, step)
        if whole is None:
            if len(tiles) == 1:
                return pixels
            whole = np.zeros((-(-height // step), -(-width // step), *pixels.shape[2:]), pixels.dtype)
        y, x = (tile.y - top) // step, (tile.x - left) // step
        place = whole[y : y + pixels.shape[0], x : x + pixels.shape[1]]
        place[...] = pixels[: place.shape[0], : place.shape[1]]
    assert whole is not None  # noqa: S101 - there is at least one tile
    return whole


def read(file: BinaryIO, plane: Plane, step: int) -> Pixels:
    """Every n-th row and column of one plane in an open file. Raises Unsound, Unknown, OSError."""
    if min(plane.width, plane.height, plane.samples) < 1:
        raise Unsound("it has no width or no height")
    if plane.packed in _IMAGES:
        pixels = _IMAGES[plane.packed](_packed(file, plane))[::step, ::step]
    else:
        kind = np.dtype(plane.kind)
        rows = _unpacked(file, plane, step) if plane.packed else _rows(file, plane, step)
        pixels = np.frombuffer(rows, kind).reshape(-1, plane.width, plane.samples)[:, ::step]
        pixels = pixels if plane.samples > 1 else pixels[..., 0]
    return pixels[..., [2, 1, 0]] if plane.bgr else pixels


def _lengths(plane: Plane) -> tuple[int, int]:
    """Bytes of a row of pixels, and from one to the next."""
    length = plane.width * plane.samples * np.dtype(plane.kind).itemsize
    if plane.row and plane.row < length:
        raise Unsound("its rows are shorter than its pixels")
    return length, plane.row or length


def _rows(file: BinaryIO, plane: Plane, step: int) -> bytes:
    """Every n-th row, in one piece if they follow each other."""
    length, row = _lengths(plane)
    size, offset = size_of(file), plane.offset + plane.skip
    if length * -(-plane.height // step) > 2 * MOST:
        raise Unsound("its rows are longer than those of any image")
    if step == 1 and row == length:
        return read_at(file, offset, row * plane.height, "a plane", size)
    return b"".join(read_at(file, offset + y * row, length, "a plane", size) for y in range(0, plane.height, step))


def _packed(file: BinaryIO, plane: Plane) -> bytes:
    if plane.length > MOST:
        raise Unsound("it is packed in one piece, and too large")
    return read_at(file, plane.offset, plane.length, "a packed plane", size_of(file))


def _unpacked(file: BinaryIO, plane: Plane, step: int) -> bytes:
    length, row = _lengths(plane)
    wanted = plane.skip + row * (plane.height - 1) + length
    if wanted > MOST:
        raise Unsound("it is packed in one piece, and too large")
    unpacked = _unpack(plane.packed, _packed(file, plane), wanted)
    if len(unpacked) < wanted:
        raise Unsound("it unpacks to less than it should")
    starts = range(plane.skip, wanted, row * step)
    return b"".join(unpacked[start : start + length] for start in starts)


def _unpack(how: str, data: bytes, most: int) -> bytes:
    """The first `most` bytes of what these unpack to, or more. Raises Unsound and Unknown."""
    try:
        if how == "zlib":
            return zlib.decompressobj().decompress(data, most)
        if how == "gzip":
            return gzip.GzipFile(fileobj=io.BytesIO(data)).read(most)
    except (OSError, EOFError, zlib.error) as error:
        raise Unsound(f"it cannot be unpacked ({error})") from None
    # What the package imagecodecs can do, which comes with `pip install "irods-watcher[thumbnails]"`.
    try:
        import imagecodecs

        decode = getattr(imagecodecs, f"{how}_decode")
    except (ImportError, AttributeError):
        raise Unknown(how) from None
    return bytes(decode(data))


def _jpegxr(data: bytes) -> Pixels:
    try:
        import imagecodecs
    except ImportError:
        raise Unknown("jpegxr") from None
    return np.asarray(imagecodecs.jpegxr_decode(data))


def _jpeg(data: bytes) -> Pixels:
    return encoded.read(io.BytesIO(data), "JPEG", whole=True)


#: What unpacks to an image, and says itself of what size and kind it is.
_IMAGES: Final = {"jpeg": _jpeg, "jpegxr": _jpegxr}
