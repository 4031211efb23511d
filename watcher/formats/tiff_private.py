"""Knows relatives of TIFF by the private fields of their first page, from the head of a file or from the file."""

import struct
from pathlib import Path
from typing import Final

from watcher.formats.reading import Unsound, open_file
from watcher.formats.tiff_ifd import Reader, layout_of

_ENTRY: Final = 12  # bytes of a field in a classic TIFF: TIFF 6.0, section 2


def in_head(head: bytes, tag: int) -> bool:
    """Whether the first page of a classic TIFF has this field, as far as its directory lies within the head."""
    layout = layout_of(head)
    if layout is None or layout.big:
        return False
    (first,) = struct.unpack(layout.order + "I", head[4:8].ljust(4, b"\0"))
    if not 8 <= first <= len(head) - 2:
        return False
    (count,) = struct.unpack_from(layout.order + "H", head, first)
    starts = range(first + 2, min(first + 2 + count * _ENTRY, len(head) - 1), _ENTRY)
    return any(struct.unpack_from(layout.order + "H", head, start) == (tag,) for start in starts)


def in_file(path: Path, tag: int) -> bool:
    """Whether the first page of a TIFF has this field; False for a file that is damaged there."""
    with open_file(path) as file:
        try:
            reader = Reader(file)
            return bool(reader.first) and tag in reader.directory(reader.first, "page 1", frozenset({tag})).entries
        except Unsound:
            return False
