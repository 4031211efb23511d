"""A plane of an HDF5 dataset: which chunks it has, and where in the file they are.

HDF5 File Format Specification Version 3.0: datatype message (IV.A.2.d), filter pipeline (IV.A.2.l), layout message
(IV.A.2.i) of version 3, B-trees of version 1 (III.A.1). Chunks that are packed otherwise than by deflate, or indexed as
newer files may have them, are not looked into.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from watcher.formats.base import HEAD_BYTES
from watcher.formats.hdf5 import ELSEWHERE, Enough, Hdf5, superblock_at
from watcher.formats.plane import Plane
from watcher.formats.reading import open_file

#: Chunks of which a picture is put together, datasets that are looked at, and the least side of an image.
MAX_TILES: Final = 400
MAX_DATASETS: Final = 100
_LEAST_SIDE: Final = 16
#: A dataset with so many pixels on a side is large enough.
_ENOUGH: Final = 256
_DATASPACE, _DATATYPE, _LAYOUT, _FILTERS = 1, 3, 8, 11
_FIXED_POINT, _FLOATING_POINT = 0, 1
_CONTIGUOUS, _CHUNKED = 1, 2
_DEFLATE = 1


def picture(path: Path) -> tuple[Plane, ...] | None:
    """A plane of whatever image there is in a file; None if it is not HDF5, or none is found."""
    with open_file(path) as file:
        if superblock_at(file.read(HEAD_BYTES)) is None:
            return None
        try:
            one = Hdf5(file)
            return best(one, one.superblock.root, path)
        except Enough:
            return None


def best(one: Hdf5, top: int, path: Path) -> tuple[Plane, ...] | None:
    """A plane of the smallest dataset below a group that is large enough, or else of the largest."""
    found: list[tuple[int, int]] = []
    waiting, seen = [top], {top}
    while waiting and len(found) < MAX_DATASETS:
        address = waiting.pop(0)
        messages = dict(one.messages(address))
        if _LAYOUT in messages:
            shape = one.shape(messages[_DATASPACE]) if _DATASPACE in messages else ()
            if len(shape) >= 2 and min(shape[-2:]) >= _LEAST_SIDE:
                found.append((max(shape[-2:]), address))
            continue
        for target in one.links(address).values():
            if target != ELSEWHERE and target not in seen:
                seen.add(target)
                waiting.append(target)
    enough = sorted(pair for pair in found if pair[0] >= _ENOUGH)
    for _, address in (*enough, *sorted((pair for pair in found if pair[0] < _ENOUGH), reverse=True)):
        if tiles := plane(one, address, path):
            return tiles
    return None


def plane(one: Hdf5, address: int, path: Path) -> tuple[Plane, ...] | None:
    """The plane in the middle of all axes but the last two; None if its pixels are kept in an unknown way."""
    messages = dict(one.messages(address))
    if not {_DATASPACE, _DATATYPE, _LAYOUT} <= messages.keys():
        return None
    shape, kind = one.shape(messages[_DATASPACE]), _kind(messages[_DATATYPE])
    packed = _packed(messages.get(_FILTERS))
    layout, width = messages[_LAYOUT], one.superblock.width
    if not kind or packed is None or len(shape) < 2 or not all(shape) or layout[0] != 3:
        return None
    middle, size, base = [side // 2 for side in shape[:-2]], int(kind[2:]), one.superblock.base
    if layout[1] == _CONTIGUOUS and (start := one.address(layout, 2)) is not None:
        at = start + base + _number(middle, shape[:-2]) * math.prod(shape[-2:]) * size
        return (Plane(path, at, shape[-1], shape[-2], kind),)
    if layout[1] != _CHUNKED or (tree := one.address(layout, 3)) is None:
        return None
    rank = one.number(layout, 2, 1)
    sides = tuple(one.number(layout, 3 + width + 4 * axis, 4) for axis in range(rank - 1))
    if len(sides) != len(shape) or not all(sides):
        return None
    tiles = []
    for place, at, length in _chunks(one, tree, rank):
        if all(first <= wanted < first + side for first, wanted, side in zip(place, middle, sides, strict=False)):
            within = _number([m - first for m, first in zip(middle, place, strict=False)], sides[:-2])
            (y, x), (tall, wide) = place[-2:], sides[-2:]
            tiles.append(
                Plane(
                    path, base + at, min(wide, shape[-1] - x), min(tall, shape[-2] - y), kind, row=wide * size,
                    packed=packed, length=length, skip=within * tall * wide * size, x=x, y=y,
                )
            )  # fmt: skip
            if len(tiles) > MAX_TILES:
                return None
    return tuple(tiles) or None


def _chunks(one: Hdf5, tree: int, rank: int) -> Iterator[tuple[tuple[int, ...], int, int]]:
    """Of each chunk where in the dataset it begins, its address, and its bytes in the file."""
    key, width = 8 + 8 * rank, one.superblock.width
    for data, level, count in one.tree(tree, 1, key):
        for at in range(0, 0 if level else count * (key + width), key + width):
            place = tuple(one.number(data, at + 8 + 8 * axis, 8) for axis in range(rank - 1))
            yield place, one.number(data, at + key, width), one.number(data, at, 4)


def _kind(data: bytes) -> str:
    """numpy's name of a number; "" for anything else."""
    of, order, size = data[0] & 15, ">" if data[1] & 1 else "<", int.from_bytes(data[4:8], "little")
    if of == _FIXED_POINT and size in (1, 2, 4, 8):
        return f"{order}{'i' if data[1] & 8 else 'u'}{size}"
    return f"{order}f{size}" if of == _FLOATING_POINT and size in (2, 4, 8) else ""


def _packed(data: bytes | None) -> str | None:
    """The codec of the chunks, "" for none; None if there are other filters than deflate."""
    if data is None:
        return ""
    version, filters = data[0], data[1]
    first = int.from_bytes(data[8:10] if version == 1 else data[2:4], "little")
    return "zlib" if filters == 1 and first == _DEFLATE else None


def _number(place: list[int], sides: tuple[int, ...]) -> int:
    number = 0
    for at, side in zip(place, sides, strict=False):
        number = number * side + at
    return number
