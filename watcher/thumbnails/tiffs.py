"""One plane of a TIFF of any maker, by tifffile, and by Pillow where tifffile alone cannot unpack it.

Of a pyramid the smallest level that is large enough, of a stack the plane in the middle; of a large plane only what a
small picture needs.
"""

import io
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from tifffile import TiffFile

from watcher.formats.plane import Plane
from watcher.formats.reading import Unsound
from watcher.thumbnails import encoded, raw
from watcher.thumbnails.raw import MOST, Unknown
from watcher.thumbnails.shown import SIDE, Pixels, step_for

_WHITE_IS_ZERO, _PALETTE = 0, 3
# Compression tag: Aperio's and the usual numbers for JPEG 2000
_JPEG_2000: Final = frozenset({33003, 33004, 33005, 34712})
# What the TIFF of one segment needs of its page: TIFF 6.0, and its supplement 2 (347)
_COMPRESSION, _PHOTOMETRIC, _PREDICTOR, _TABLES, _SUBSAMPLING = 259, 262, 317, 347, 530


def read(file: BinaryIO) -> Pixels:
    """The pixels of one plane. Raises Unsound and Unknown, and what tifffile raises for nonsense."""
    with TiffFile(file, name="image.tif", _multifile=False) as tif:
        series = tif.series
        if not series:
            raise Unsound("it has no page")
        level = _level(series[0].levels)
        pages = [page for page in level.pages if page is not None]
        planes, chosen = _middle(level)
        share = max(1, planes // max(1, len(level.pages)))
        found = []
        for number in chosen:
            page = level.pages[min(number // share, len(level.pages) - 1)] or pages[0]
            within = number % share
            if level.dataoffset is not None and level.keyframe.is_contiguous:
                found.append(_raw(tif, level.keyframe, level.dataoffset, number))
            elif level.keyframe.is_contiguous:
                found.append(_raw(tif, level.keyframe, page.dataoffsets[0], within))
            else:
                found.append(_segments(tif, page, within))
        pixels = found[0] if len(found) == 1 else np.stack(found, axis=-1)
        return _coloured(pixels, level.keyframe)


def _level(levels: Any) -> Any:
    """The smallest level that is large enough, or else the largest."""
    ordered = sorted(levels, key=lambda level: max(_size(level.keyframe)))
    return next((level for level in ordered if max(_size(level.keyframe)) >= SIDE), ordered[-1])


def _size(page: Any) -> tuple[int, int]:
    return page.imagewidth, page.imagelength


def _middle(level: Any) -> tuple[int, list[int]]:
    """How many planes there are, and the number of the one in the middle of all axes; of separate colours all three."""
    axes, shape = level.axes, level.shape
    if "Y" not in axes:
        return 1, [0]
    # Behind the columns there are only colours and channels that lie together.
    before = axes.index("Y")
    counts = list(shape[:before])
    middle = [count // 2 for count in counts]
    places = [middle]
    if (colours := axes.find("S", 0, before)) >= 0 and counts[colours] in (3, 4):
        places = [[*middle[:colours], band, *middle[colours + 1 :]] for band in range(3)]
    return math.prod(counts), [_number(place, counts) for place in places]


def _number(place: list[int], counts: list[int]) -> int:
    number = 0
    for at, count in zip(place, counts, strict=True):
        number = number * count + at
    return number


def _raw(tif: TiffFile, page: Any, offset: int, number: int) -> Pixels:
    """A plane of which all bytes lie together, behind `number` others."""
    width, height = _size(page)
    samples, kind = page.shaped[-1], page.dtype.newbyteorder(tif.byteorder)
    size = width * height * samples * kind.itemsize
    plane = Plane(Path(), offset + number * size, width, height, kind.str, samples)
    return raw.read(tif.filehandle, plane, step_for(width, height))


def _segments(tif: TiffFile, page: Any, within: int) -> Pixels:
    """A plane that is cut in strips or tiles: only those are unpacked in which there is a row that is wanted."""
    first, (width, height) = page.keyframe, _size(page.keyframe)
    step = step_for(width, height)
    whole: Pixels | None = None
    for index, x, y, rows in _wanted(first, within, step):
        data = _data(tif, page, index)
        if data is None:
            continue
        pixels = _unpacked(page, index, data, rows)
        if whole is None:
            shape = (-(-height // step), -(-width // step), *pixels.shape[2:])
            whole = np.zeros(shape, pixels.dtype)
        seen = pixels[-y % step :: step, -x % step :: step]
        place = whole[-(-y // step) :, -(-x // step) :][: seen.shape[0], : seen.shape[1]]
        place[...] = seen[: place.shape[0], : place.shape[1]]
    if whole is None:
        raise Unsound("none of its strips or tiles is there")
    return whole


def _wanted(page: Any, within: int, step: int) -> Iterator[tuple[int, int, int, int]]:
    """Number, place and rows of the segments of a plane that hold a row and column that is wanted."""
    width, height = _size(page)
    across, down = (page.tilewidth, page.tilelength) if page.is_tiled else (width, min(page.rowsperstrip, height))
    if min(across, down) < 1:
        raise Unsound("its tiles have no width or no height")
    columns, rows = -(-width // across), -(-height // down)
    for row in range(rows):
        y = row * down
        if -(-y // step) * step >= min(y + down, height):
            continue
        for column in range(columns):
            x = column * across
            if -(-x // step) * step < min(x + across, width):
                tall = down if page.is_tiled else min(down, height - y)
                yield within * rows * columns + row * columns + column, x, y, tall


def _data(tif: TiffFile, page: Any, index: int) -> bytes | None:
    """The bytes of a strip or tile, None if it was left out."""
    offset, count = page.dataoffsets[index], page.databytecounts[index]
    if not offset or not count:
        return None
    if count > MOST:
        raise Unsound("a strip of it is longer than those of any image")
    tif.filehandle.seek(offset)
    data = tif.filehandle.read(count)
    return bytes(data)


def _unpacked(page: Any, index: int, data: bytes, rows: int) -> Pixels:
    """Rows x columns, or with colours."""
    first = page.keyframe
    width = first.tilewidth if first.is_tiled else first.imagewidth
    if width * rows * first.shaped[-1] * first.dtype.itemsize > MOST:
        raise Unsound("a strip of it is larger than those of any image")
    try:
        more = {"jpegtables": page.jpegtables, "jpegheader": first.jpegheader} if first.compression in {6, 7} else {}
        pixels = first.decode(data, index, _fullsize=first.is_tiled, **more)[0][0]
    except (ValueError, NotImplementedError, ImportError, RuntimeError):
        pixels = _by_pillow(page, data, width, rows)
    found = np.asarray(pixels)
    return found[..., 0] if found.ndim == 3 and found.shape[2] == 1 else found


def _by_pillow(page: Any, data: bytes, width: int, rows: int) -> Pixels:
    """JPEG, LZW and JPEG 2000, which tifffile leaves to imagecodecs. Raises Unknown."""
    try:
        if page.keyframe.compression in _JPEG_2000:
            return encoded.read(io.BytesIO(data), "JPEG2000")
        return encoded.read(io.BytesIO(_alone(page, data, width, rows)), "TIFF")
    except Unsound as problem:
        raise Unknown(f"compression {page.keyframe.compression}: {problem}") from None


def _alone(page: Any, data: bytes, width: int, rows: int) -> bytes:
    """A TIFF of one strip around the data of a strip or tile."""
    first = page.keyframe
    order, tags = page.parent.byteorder, first.tags
    samples = first.shaped[-1]
    fields: list[tuple[int, str, tuple[int, ...] | bytes]] = [
        (256, "I", (width,)), (257, "I", (rows,)), (258, "H", (first.bitspersample,) * samples),
        (_COMPRESSION, "H", (int(first.compression),)), (_PHOTOMETRIC, "H", (int(first.photometric),)),
        (273, "I", (8,)), (277, "H", (samples,)), (278, "I", (rows,)), (279, "I", (len(data),)), (284, "H", (1,)),
        (_PREDICTOR, "H", (int(first.predictor),)), (339, "H", (int(first.sampleformat),) * samples),
    ]  # fmt: skip
    if page.jpegtables:
        fields.append((_TABLES, "B", bytes(page.jpegtables)))
    if _SUBSAMPLING in tags:
        fields.append((_SUBSAMPLING, "H", tuple(tags[_SUBSAMPLING].value)))
    if samples == 4:
        fields.append((338, "H", (0,)))
    fields.sort()
    data += b"\0" * (len(data) % 2)
    directory = struct.pack(order + "H", len(fields))
    behind = b""
    values_at = 8 + len(data) + 2 + 12 * len(fields) + 4
    for tag, letter, values in fields:
        packed = values if isinstance(values, bytes) else struct.pack(f"{order}{len(values)}{letter}", *values)
        directory += struct.pack(order + "HHI", tag, {"B": 7, "H": 3, "I": 4}[letter], len(values))
        if len(packed) > 4:
            directory += struct.pack(order + "I", values_at + len(behind))
            behind += packed + b"\0" * (len(packed) % 2)
        else:
            directory += packed.ljust(4, b"\0")
    mark = b"II*\0" if order == "<" else b"MM\0*"
    head = mark + struct.pack(order + "I", 8 + len(data))
    return head + data + directory + b"\0" * 4 + behind


def _coloured(pixels: Pixels, page: Any) -> Pixels:
    """As it is to be seen: white where the file says that 0 is white, and in the colours of its palette."""
    if page.photometric == _WHITE_IS_ZERO and _PHOTOMETRIC in page.tags and pixels.dtype.kind in "ub":
        return np.invert(pixels)
    if page.photometric == _PALETTE and page.colormap is not None and pixels.dtype.kind == "u":
        table = (np.asarray(page.colormap) >> 8).astype(np.uint8).T
        return table[np.minimum(pixels, len(table) - 1)]
    return pixels
