"""Reads the directories (IFDs) of TIFF and BigTIFF files one at a time, trusting no number that it finds in them."""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from operator import add
from struct import Struct
from typing import BinaryIO, Final, Literal, NamedTuple

from watcher.formats.reading import Unsound, cut_off, read_at

#: More entries than this in one directory are nonsense: real ones have 10 to 60 (reference/image-formats.md 2.1).
MAX_ENTRIES: Final = 4096
#: Values of one list that are held in memory at a time.
CHUNK: Final = 8192

# Bytes per value of each field type: TIFF 6.0, section 2; 13 (IFD) Adobe PageMaker 6.0 notes; 16 to 18 BigTIFF.
_WIDTHS: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_UNSIGNED: Final = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}


@dataclass(frozen=True, slots=True)
class Layout:
    """How this file writes its numbers: TIFF 6.0, section 2, and the BigTIFF design (Aware Systems, libtiff)."""

    order: str
    big: bool
    count: Struct
    entry: Struct
    link: Struct


class Entry(NamedTuple):
    """One field of a directory: its type, the number of its values, and where in the file they are."""

    kind: int
    values: int
    offset: int


@dataclass(frozen=True, slots=True)
class Directory:
    """One IFD: its fields by tag (the first where a tag is repeated, as Micro-Manager does) and what it points to."""

    entries: dict[int, Entry]
    fields: int
    end: int
    link: int


@dataclass(frozen=True, slots=True)
class Span:
    """A run of bytes in a file."""

    offset: int
    length: int


class Reader:
    """Bytes and numbers from one open file, never from beyond its end. Keeps nothing but the layout."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, io.SEEK_END)
        self.layout, self.first = self._header()
        self.byte_order: Literal["little", "big"] = "little" if self.layout.order == "<" else "big"

    def read(self, offset: int, length: int, what: str) -> bytes:
        """The bytes there. Raises Unsound if the file ends before them."""
        return read_at(self._file, offset, length, what, self.size)

    def directory(self, offset: int, what: str, wanted: frozenset[int]) -> Directory:
        """The IFD at `offset`, with its `wanted` fields; the values of all lie inside the file. Raises Unsound.

        Cost: one read for most files, whatever the directory claims to hold.
        """
        layout = self.layout
        (count,) = layout.count.unpack(self.read(offset, layout.count.size, what))
        if not 0 < count <= MAX_ENTRIES:
            raise Unsound(f"damaged: {what} says that it has {count} fields; the file is unfinished or was overwritten")
        start = offset + layout.count.size
        end = start + count * layout.entry.size + layout.link.size
        raw = self.read(start, end - start, what)
        (link,) = layout.link.unpack_from(raw, len(raw) - layout.link.size)
        entries: dict[int, Entry] = {}
        inline = layout.link.size
        value_at = start + layout.entry.size - inline
        for index, (tag, kind, values, value) in enumerate(layout.entry.iter_unpack(raw[:-inline])):
            length = _WIDTHS.get(kind, 0) * values
            if length > inline:
                if value + length > self.size:
                    raise cut_off(f"field {tag} of {what}", value + length, self.size)
                end = max(end, value + length)
            if tag in wanted and tag not in entries:
                at = value if length > inline else value_at + index * layout.entry.size
                entries[tag] = Entry(kind, values, at)
        return Directory(entries, count, end, link)

    def chunks(self, entry: Entry, what: str) -> Iterator[tuple[int, ...]]:
        """The unsigned integers of a field, at most CHUNK at a time. Raises Unsound if it holds anything else."""
        letter = _UNSIGNED.get(entry.kind)
        if letter is None:
            raise Unsound(f"damaged: {what} is described by something that is not a whole number")
        width = _WIDTHS[entry.kind]
        for start in range(0, entry.values, CHUNK):
            number = min(CHUNK, entry.values - start)
            data = self.read(entry.offset + start * width, number * width, what)
            yield struct.unpack(f"{self.layout.order}{number}{letter}", data)

    def number(self, directory: Directory, tag: int, default: int) -> int:
        """The first value of a field, or the default that the standard gives for a file without it."""
        entry = directory.entries.get(tag)
        if entry is None or not entry.values:
            return default
        if entry.kind not in _UNSIGNED:
            raise Unsound("damaged: the size of a page is not written as a whole number")
        return int.from_bytes(self.read(entry.offset, _WIDTHS[entry.kind], "a page"), self.byte_order)

    def _header(self) -> tuple[Layout, int]:
        if self.size == 0:
            raise Unsound("empty: the file has no bytes yet")
        self._file.seek(0)
        head = self._file.read(16)
        layout = layout_of(head)
        if layout is None:
            raise Unsound("not a TIFF file: its first bytes are something else")
        at = 8 if layout.big else 4
        if len(head) < at + layout.link.size:
            raise cut_off("the file header", at + layout.link.size, self.size)
        (first,) = layout.link.unpack_from(head, at)
        return layout, first


def layout_of(head: bytes) -> Layout | None:
    """How the numbers of a file that begins so are written; None if that is no TIFF.

    TIFF 6.0, section 2: II or MM, then 42. BigTIFF design (Aware Systems): 43, the size of its offsets (8), and 0.
    """
    for order, mark in (("<", b"II"), (">", b"MM")):
        if head[:4] == mark + struct.pack(order + "H", 42):
            return Layout(order, False, Struct(order + "H"), Struct(order + "HHII"), Struct(order + "I"))
        if head[:8] == mark + struct.pack(order + "3H", 43, 8, 0):
            return Layout(order, True, Struct(order + "Q"), Struct(order + "HHQQ"), Struct(order + "Q"))
    return None


def farthest(offsets: tuple[int, ...], counts: tuple[int, ...]) -> int:
    """The largest offset + count. Written without a Python loop: a file may have millions of strips."""
    return max(map(add, offsets, counts), default=0)
