"""Reads compound files (OLE2, as FluoView's OIB): which streams they have, and whether every sector of them is there.

Layout: Microsoft [MS-CFB], sections 2.2 (header), 2.3 (FAT), 2.4 (mini FAT), 2.5 (DIFAT) and 2.6 (directory).
Content that makes no sense raises Unsound; the table of sectors is the only thing of the file's size that is kept.
"""

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, NamedTuple

from watcher.formats.reading import Unsound, cut_off, read_at, size_of

MAGIC: Final = bytes.fromhex("d0cf11e0a1b11ae1")
#: Sectors and directory entries that are looked at: keeps time and memory small. 4 million sectors are 2 GB or more.
MAX_SECTORS: Final = 1 << 22
MAX_ENTRIES: Final = 100_000

_LAST_SECTOR = 0xFFFFFFFA  # MAXREGSECT, section 2.1
_END, _FREE = 0xFFFFFFFE, 0xFFFFFFFF
_STREAM, _ROOT = 2, 5  # object types, section 2.6.1
_ENTRY = struct.Struct("<64sHB49xIQ")
_UNFINISHED = "unfinished: the tables of its parts, which are written at the end, are empty"


class Stream(NamedTuple):
    """Where a stream begins and how many bytes it has."""

    start: int
    length: int


class CompoundFile:
    """The streams of one open compound file. Raises Unsound from every method."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = size_of(file)
        header = read_at(file, 0, 512, "the file header", self._size)
        if header[:8] != MAGIC:
            raise Unsound("not a compound file: its first bytes are something else")
        version, order, shift, mini_shift = struct.unpack_from("<4H", header, 26)
        if (version, shift) not in ((3, 9), (4, 12)) or order != 0xFFFE or mini_shift != 6:
            raise Unsound("damaged: the file header does not say how long its parts are")
        self.sector = 1 << shift
        if self._size % 512:
            raise cut_off("the file", self._size + 512 - self._size % 512, self._size)
        self._header = header
        self._fat = self._table(self._fat_sectors(), "the table of parts")
        if not any(self._fat):
            raise Unsound(_UNFINISHED)
        self._mini_fat = array("I")
        self._mini_sectors = array("I")
        self.streams = self._directory()

    def check(self) -> None:
        """Follow every stream through the file: all its parts are there, and no more than the file can hold."""
        whole = sum(stream.length for stream in self.streams.values())
        if whole > self._size:
            raise Unsound(f"damaged: its streams say that they have {whole} bytes, the file has {self._size}")
        for name, stream in self.streams.items():
            for _ in self._parts(stream, name):
                pass

    def read(self, name: str, most: int) -> bytes:
        """The bytes of a stream, at most `most` of them. Raises Unsound if it is absent or not whole."""
        stream = self.streams.get(name)
        if stream is None:
            raise Unsound(f"incomplete: the stream {name[:80]} is missing")
        wanted = Stream(stream.start, min(stream.length, most))
        data = bytearray()
        for offset, length in self._parts(wanted, name):
            data += read_at(self._file, offset, length, f"the stream {name}", self._size)
        return bytes(data)

    def _parts(self, stream: Stream, name: str) -> Iterator[tuple[int, int]]:
        """Offset and length of each part of a stream, in order. Small streams lie in the mini stream (section 2.4)."""
        (cutoff,) = struct.unpack_from("<I", self._header, 56)
        mini = self.streams.get(name, stream).length < cutoff
        size = 64 if mini else self.sector
        table = self._mini_fat if mini else self._fat
        sector, left = stream.start, stream.length
        while left > 0:
            if sector >= len(table):
                raise Unsound(f"damaged: the stream {name[:80]} ends {left} bytes too early")
            offset = self._mini_offset(sector) if mini else (sector + 1) * size
            length = min(left, size)
            if offset + size > self._size:
                raise cut_off(f"the stream {name[:80]}", offset + size, self._size)
            yield offset, length
            left -= length
            sector = table[sector]

    def _mini_offset(self, sector: int) -> int:
        index, within = divmod(sector * 64, self.sector)
        if index >= len(self._mini_sectors):
            raise Unsound("damaged: a small stream lies outside of the place for small streams")
        place: int = (self._mini_sectors[index] + 1) * self.sector + within
        return place

    def _fat_sectors(self) -> list[int]:
        """The sectors that hold the FAT: 109 in the header, more in the DIFAT chain (section 2.5)."""
        (count,) = struct.unpack_from("<I", self._header, 44)
        if count * self.sector > self._size:
            raise Unsound(f"cut off or damaged: its table of {count * self.sector} bytes is longer than the file")
        if count * (self.sector // 4) > MAX_SECTORS:
            raise Unsound(f"damaged or too large: its table has {count} parts")
        found = list(struct.unpack_from("<109I", self._header, 76))
        (following,) = struct.unpack_from("<I", self._header, 68)
        while len(found) < count and following < _LAST_SECTOR:
            *more, following = self._sector(following, "the list of tables")
            found += more
        if len(found) < count or not count:
            raise Unsound(_UNFINISHED)
        return found[:count]

    def _table(self, sectors: Iterable[int], what: str) -> "array[int]":
        table = array("I")
        for sector in sectors:
            table.frombytes(read_at(self._file, (sector + 1) * self.sector, self.sector, what, self._size))
        if sys.byteorder == "big":
            table.byteswap()
        return table

    def _sector(self, sector: int, what: str) -> tuple[int, ...]:
        data = read_at(self._file, (sector + 1) * self.sector, self.sector, what, self._size)
        return struct.unpack(f"<{self.sector // 4}I", data)

    def _chain(self, first: int, what: str) -> Iterator[int]:
        """The sectors of a chain, in order; never more than there are, so that a circle ends."""
        sector = first
        for _ in range(len(self._fat) + 1):
            if sector in (_END, _FREE):
                return
            if sector >= len(self._fat):
                raise Unsound(f"damaged: {what} leads out of the file")
            yield sector
            sector = self._fat[sector]
        raise Unsound(f"damaged: {what} leads back to itself")

    def _directory(self) -> dict[str, Stream]:
        """All streams by name (section 2.6). OIB numbers its streams, so that no name comes twice in one file."""
        (first,) = struct.unpack_from("<I", self._header, 48)
        (mini_first,) = struct.unpack_from("<I", self._header, 60)
        streams: dict[str, Stream] = {}
        root: Stream | None = None
        entries = 0
        for sector in self._chain(first, "the list of streams"):
            data = read_at(self._file, (sector + 1) * self.sector, self.sector, "the list of streams", self._size)
            entries += len(data) // _ENTRY.size
            if entries > MAX_ENTRIES:
                raise Unsound(f"damaged or too large: it lists more than {MAX_ENTRIES} streams")
            for raw, length, kind, start, size in _ENTRY.iter_unpack(data):
                if kind == _STREAM:
                    streams[raw[: max(length - 2, 0)].decode("utf-16-le", "replace")] = Stream(start, size)
                elif kind == _ROOT:
                    root = Stream(start, size)
        if root is None:
            raise Unsound("damaged: its list of streams has no beginning")
        small = array("I", self._chain(mini_first, "the table of small streams"))
        if len(small) * (self.sector // 4) > MAX_SECTORS:
            raise Unsound("damaged or too large: the table of small streams is longer than any real one")
        self._mini_fat = self._table(small, "the table of small streams")
        if root.length:
            self._mini_sectors = array("I", self._chain(root.start, "the place for small streams"))
        return streams
