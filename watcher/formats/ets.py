"""ETS: the file in which cellSens keeps the tiles of one image, with a table of them at its end.

Sources: reference/image-formats.md 2.5 (in the sample the table ends where the file ends, and the last tile where the
table begins); openreadout docs/formats/vsi.md, "ETS files"; CellSensReader of Bio-Formats.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from watcher.formats.reading import Unsound, cut_off, open_file, read_at, size_of

MAGIC: Final = b"SIS\0"
#: Tiles of one file that are looked at: a slide has some 100 000.
MAX_TILES: Final = 1_000_000
_BLOCK = 8192
_COORDINATES = range(2, 17)


@dataclass(frozen=True, slots=True)
class Ets:
    """What one file holds. unsure: what was not looked at, "" if all was."""

    tiles: int
    remark: str = ""
    unsure: str = ""


def look_at(path: Path) -> Ets:
    """Check the header and the table of tiles. Raises Unsound; OSError passes through."""
    with open_file(path) as file:
        return _look(file)


def _look(file: BinaryIO) -> Ets:
    size = size_of(file)
    if not size:
        raise Unsound("empty: the file has no bytes yet")
    header = read_at(file, 0, 64, "the file header", size)
    length, _, coordinates, inner, inner_size, _, table, tiles = struct.unpack_from("<IIIQIIQI", header, 4)
    if not header.startswith(MAGIC) or length != 64:
        raise Unsound("unfinished or not an ETS file: its header is not there")
    if not table or not tiles:
        raise Unsound("unfinished: the table of its tiles, which is written at the end, is not there")
    if coordinates not in _COORDINATES:
        raise Unsound(f"damaged: its tiles are said to have {coordinates} coordinates")
    if read_at(file, inner, min(inner_size, 4), "the image header", size) != b"ETS\0":
        raise Unsound("damaged: its second header is not there")
    entry = struct.Struct(f"<I{4 * coordinates}xQI4x")
    end = table + tiles * entry.size
    if end > size:
        raise cut_off("the table of its tiles", end, size)
    _check_tiles(file, size, entry, (table, min(tiles, MAX_TILES), coordinates))
    remark = f"{size - end} bytes follow the table of its tiles" if end < size else ""
    unsure = f"it has {tiles} tiles; only the first {MAX_TILES} were checked" if tiles > MAX_TILES else ""
    return Ets(tiles, remark, unsure)


def _check_tiles(file: BinaryIO, size: int, entry: struct.Struct, where: tuple[int, int, int]) -> None:
    """Every tile lies between the headers and the end of the file."""
    table, tiles, coordinates = where
    for first in range(0, tiles, _BLOCK):
        count = min(_BLOCK, tiles - first)
        data = read_at(file, table + first * entry.size, count * entry.size, "the table of its tiles", size)
        for number, (said, offset, length) in enumerate(entry.iter_unpack(data), start=first + 1):
            if said != coordinates or offset < 64:
                raise Unsound(f"unfinished or damaged: the table of its tiles has no place for tile {number}")
            if offset + length > size:
                raise cut_off(f"tile {number}", offset + length, size)
