"""The picture in a CZI: ZEN's thumbnail, or the tiles of one plane of a level of the pyramid.

Layout: SubBlockSegment, AttachmentSegment, PixelType and CompressionMode in ZEISS/libczi Src/libCZI/CziStructs.h and
libCZI_Pixels.h; openreadout docs/formats/czi.md. With Zstandard in its second form (6) a header of one or three bytes
comes first, and the halves of 16-bit numbers may lie apart, which is not undone here.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

from watcher.formats.czi import Entry, attachments, entries, header_of
from watcher.formats.plane import Picture, Plane
from watcher.formats.reading import Unsound, open_file, read_at, size_of, unpack_at

#: Bytes of a thumbnail, and tiles of a plane.
MAX_THUMBNAIL: Final = 16 << 20
MAX_TILES: Final = 400
#: A level whose longer side has so many pixels is large enough.
_ENOUGH: Final = 256

_HEADER_BYTES, _ATTACHED_AT, _IMAGE_AT = 32, 256, 256
_JPEG: Final = b"JPG"
# PixelType: how numpy names a pixel, and its colours
_PIXELS: Final = {
    0: ("<u1", 1), 1: ("<u2", 1), 2: ("<f4", 1), 3: ("<u1", 3), 4: ("<u2", 3), 8: ("<f4", 3), 9: ("<u1", 4),
    12: ("<i4", 1),
}  # fmt: skip
# CompressionMode; a thumbnail of JPEG XR and Zstandard needs imagecodecs
_PACKED: Final = {0: "", 1: "jpeg", 4: "jpegxr", 5: "zstd", 6: "zstd"}
_JPEG_MODE, _ZSTD_1 = 1, 6


def picture(path: Path) -> Picture | None:
    """The thumbnail, or the tiles; None of a part of a document, or if the pixels are of no known kind."""
    with open_file(path) as file:
        size = size_of(file)
        header = header_of(file, size)
        if header.attachments > 0 and (found := _thumbnail(file, header.attachments + _HEADER_BYTES, size)):
            return found
        if header.directory <= 0:
            return None
        there = [
            one
            for one in entries(file, header.directory + _HEADER_BYTES, size)
            if one.part == header.part
            and one.pixel in _PIXELS
            and one.compression in _PACKED
            and {"X", "Y"} <= one.axes.keys()
        ]
        tiles = _middle(_level(there))
        if not 0 < len(tiles) <= MAX_TILES:
            return None
        return tuple(_plane(path, file, one, size) for one in tiles)


def _thumbnail(file: BinaryIO, start: int, size: int) -> bytes | None:
    for where, part, kind, name in attachments(file, start, size):
        if not part and kind == _JPEG and name == b"Thumbnail":
            (length,) = unpack_at(file, "<i", where + _HEADER_BYTES, "the thumbnail", size)
            if 0 < length <= MAX_THUMBNAIL:
                return read_at(file, where + _HEADER_BYTES + _ATTACHED_AT, length, "the thumbnail", size)
    return None


def _scale(entry: Entry) -> float:
    """How many pixels of the full resolution one of this level stands for."""
    _, length, stored = entry.axes["X"]
    return max(1.0, length / stored) if stored else 1.0


def _level(there: Sequence[Entry]) -> list[Entry]:
    """The images of the smallest level of the pyramid that is large enough."""
    levels: dict[int, list[Entry]] = {}
    for one in there:
        levels.setdefault(round(_scale(one)), []).append(one)
    for scale in sorted(levels, reverse=True):
        if max(_extent(levels[scale], axis) for axis in "XY") / scale >= _ENOUGH:
            return levels[scale]
    return levels[min(levels)] if levels else []


def _extent(level: Sequence[Entry], axis: str) -> int:
    return max(one.axes[axis][0] + one.axes[axis][1] for one in level) - min(one.axes[axis][0] for one in level)


def _middle(level: Sequence[Entry]) -> list[Entry]:
    """The tiles of one plane, in the middle of depth, channels and times and of what else there is but tiles."""
    chosen = list(level)
    for axis in sorted({axis for one in level for axis in one.axes} - {"X", "Y", "M"}):
        places = sorted({one.axes[axis][0] for one in chosen if axis in one.axes})
        if places:
            middle = places[len(places) // 2]
            chosen = [one for one in chosen if axis not in one.axes or one.axes[axis][0] == middle]
    return chosen


def _plane(path: Path, file: BinaryIO, one: Entry, size: int) -> Plane:
    """A SubBlockSegment: its metadata stand before the pixels, what is attached to it behind."""
    metadata, _, length = unpack_at(file, "<iiq", one.where + _HEADER_BYTES, "an image", size)
    if metadata < 0 or length < 0:
        raise Unsound("damaged: an image is said to have less than no bytes")
    at = one.where + _HEADER_BYTES + max(_IMAGE_AT, 16 + 32 + 20 * len(one.axes)) + metadata
    if one.compression == _ZSTD_1:
        (head,) = unpack_at(file, "<B", at, "an image", size)
        at, length = at + head, length - head
    kind, samples = _PIXELS[one.pixel]
    (x, _, width), (y, _, height) = one.axes["X"], one.axes["Y"]
    scale = _scale(one)
    return Plane(
        path, at, width, height, kind, samples, bgr=samples > 1 and one.compression != _JPEG_MODE, length=length,
        packed=_PACKED[one.compression], x=round(x / scale), y=round(y / scale),
    )  # fmt: skip
