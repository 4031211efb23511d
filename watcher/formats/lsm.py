"""Zeiss LSM (LSM 510 to 710): a TIFF whose pages alternate with thumbnails, described by the private field CZ_LSMINFO.

Layout: `CZ_LSMINFO`, `read_lsm_scaninfo`, `read_lsm_channelcolors`, `_lsm_fix_strip_offsets` and
`_lsm_fix_strip_bytecounts` of github cgohlke/tifffile; reference/image-formats.md 2.1 and 2.8. Two habits forbid the
walk of a plain TIFF: compressed strips state their size before compression, and in files of 4 GiB and more the offsets
of strips are kept modulo 4 GiB, while those of pages stay below.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final

from watcher.formats.base import Claim, Examination
from watcher.formats.metadata import MAX_TEXT
from watcher.formats.reading import Unsound, cut_off, open_file
from watcher.formats.tiff import FORMAT as TIFF
from watcher.formats.tiff_ifd import Directory, Reader, farthest, layout_of
from watcher.formats.tiff_private import in_file, in_head

#: Pages, with thumbnails, and strips that are looked at; the time of the worst file stays below about a second.
MAX_PAGES: Final = 50_000
MAX_STRIPS: Final = 2_000_000
#: Entries and bytes of one text of the scan information that are read.
_MAX_ENTRIES, _MAX_NAME = 2000, 1000

_SUBFILE, _COMPRESSION, _STRIPS, _STRIP_BYTES, _LSM = 254, 259, 273, 279, 34412
_WANTED: Final = frozenset({_SUBFILE, _COMPRESSION, _STRIPS, _STRIP_BYTES, _LSM})
_MAGIC: Final = frozenset({50350412, 67127628})
_WRAP: Final = 1 << 32
# The part of CZ_LSMINFO that all versions have
_INFO: Final = struct.Struct("<2I8i6d2H5Id8I")
# Its numbers by their place: sizes, voxel sizes in metres, and where the parts of the file are that are not images
_SIZES, _VOXELS, _SCAN_TYPE = slice(2, 7), slice(10, 13), 16
_PARTS: Final = {
    19: "the overlay", 20: "the input lookup table", 21: "the output lookup table", 22: "the channel colours",
    24: "the channel data types", 25: "the scan information", 27: "the time stamps", 28: "the list of events",
}  # fmt: skip
_COLOURS, _SCAN, _TIMES = 22, 25, 27
# Scan information: the recording's texts, number 0 and user, and what ends a block
_OBJECTIVE, _STARTED, _USER, _RECORDING, _END = 0x10000004, 0x10000036, 0x10000047, 0x10000000, 0xFFFFFFFF
_TEXT, _FLOAT, _BLOCK = 2, 5, 0


class Lsm:
    """Zeiss LSM: each file is a set of its own."""

    name = "lsm"

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether the first page has CZ_LSMINFO; `claim` looks if it lies beyond the head."""
        return in_head(head, _LSM) or (layout_of(head) is not None and name.lower().endswith(".lsm"))

    def claim(self, path: Path) -> Claim:
        """Itself; a file that is only named so is a plain TIFF."""
        return Claim(self.name, (path.name,), path.stem) if in_file(path, _LSM) else TIFF.claim(path)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """The chain of pages, their strips, and the other parts of each file. OSError passes through."""
        problems: list[str] = []
        remarks: list[str] = []
        metadata: dict[str, str] = {}
        sources: dict[str, str] = {}
        unsure = ""
        for name in members:
            with open_file(directory / name) as file:
                found = _File()
                try:
                    found.read(file)
                except Unsound as problem:
                    problems.append(f"{name}: {problem}")
            remarks += (f"{name}: {remark}" for remark in found.remarks)
            unsure = unsure or (f"unchecked: {name}: {found.unsure}" if found.unsure else "")
            metadata = {key: value[:MAX_TEXT] for key, value in found.metadata.items()} | metadata
            sources = {key: f"{name}/{where}" for key, where in found.sources.items()} | sources
        sound = False if problems else None if unsure else True
        checked = unsure or "lsm:ifd-walk+parts"
        return Examination(sound, tuple(problems), (), checked, metadata, sources, tuple(remarks))


FORMAT: Final = Lsm()


@dataclass(slots=True)
class _File:
    """What was found in one file."""

    remarks: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    unsure: str = ""

    def read(self, file: BinaryIO) -> None:
        """Walk the pages, then look at the parts. Raises Unsound."""
        reader = Reader(file)
        if not reader.first:
            raise Unsound("unfinished: only the header of the file has been written, no page yet")
        planes, info_at = self._pages(reader)
        if reader.layout.order != "<" or not info_at:
            raise Unsound("damaged: the description of the recording (CZ_LSMINFO) is gone")
        info = _INFO.unpack(reader.read(info_at, _INFO.size, "the description of the recording"))
        if info[0] not in _MAGIC or info[1] < _INFO.size:
            raise Unsound("damaged: the description of the recording (CZ_LSMINFO) makes no sense")
        if reader.size < _WRAP:  # beyond, what is written is not where these are
            _parts(reader, info)
        expected = _expected(info)
        if not self.unsure and planes < expected:
            self.remarks.append(f"it holds {planes} of {expected} planned images; the recording may have been stopped")
        for key, value, where in _describe(reader, info):
            self.metadata[key], self.sources[key] = value, where

    def _pages(self, reader: Reader) -> tuple[int, int]:
        """Walk the chain of pages: how many are no thumbnails, and where CZ_LSMINFO is. Raises Unsound."""
        seen: set[int] = set()
        planes = info_at = used = strips = 0
        at = reader.first
        while at:
            what = f"page {len(seen) + 1}"
            if at in seen:
                raise Unsound(f"damaged: before {what} an earlier page follows, so the list of pages never ends")
            if len(seen) >= MAX_PAGES or strips > MAX_STRIPS:
                self.unsure = f"it has more than {len(seen)} pages; those were checked, the rest was not"
                break
            seen.add(at)
            page = reader.directory(at, f"the header of {what}", _WANTED)
            if len(seen) == 1 and _LSM in page.entries:
                info_at = page.entries[_LSM].offset
            planes += reader.number(page, _SUBFILE, 0) & 1 == 0
            number, size = _strips(reader, page, what)
            strips += number
            used += size
            at = page.link
        # Wherever they are, all strips together must fit: the only bound where offsets are kept modulo 4 GiB.
        if used > reader.size:
            raise cut_off("the last image", used, reader.size)
        return planes, info_at


def _strips(reader: Reader, page: Directory, what: str) -> tuple[int, int]:
    """How many strips a page has, and the bytes they take at least. Raises Unsound."""
    offsets, counts = page.entries.get(_STRIPS), page.entries.get(_STRIP_BYTES)
    if offsets is None or counts is None or not offsets.values:
        raise Unsound(f"damaged: {what} does not say where its image data is")
    if offsets.values > MAX_STRIPS:
        raise Unsound(f"damaged: {what} lists {offsets.values} strips, more than any real one")
    packed = reader.number(page, _COMPRESSION, 1) != 1
    used = 0
    for starts, lengths in zip(reader.chunks(offsets, what), reader.chunks(counts, what), strict=False):
        if min(starts) < 8:
            raise Unsound(f"unfinished: {what} has strips without a place in the file")
        # Compressed strips are not as long as they say.
        end = max(starts) + 1 if packed else farthest(starts, lengths)
        if end > reader.size and reader.size < _WRAP:
            raise cut_off(f"the image data of {what}", end, reader.size)
        used += len(starts) if packed else sum(lengths)
    return offsets.values, used


def _parts(reader: Reader, info: tuple[Any, ...]) -> None:
    """The parts of the file that are not images begin inside it, and its time stamps end there. Raises Unsound."""
    for place, what in _PARTS.items():
        if info[place] and info[place] + 4 > reader.size:
            raise cut_off(what, info[place] + 4, reader.size)
    for place in (_COLOURS, _TIMES):  # these begin with their length
        if info[place]:
            (length,) = struct.unpack("<I", reader.read(info[place], 4, _PARTS[place]))
            if info[place] + length > reader.size:
                raise cut_off(_PARTS[place], info[place] + length, reader.size)


def _expected(info: tuple[Any, ...]) -> int:
    """The pages, without thumbnails, of a recording of this kind: tifffile, CZ_LSMINFO_SCANTYPE. An upper bound."""
    _, _, depth, _, times = info[_SIZES]
    pages = {0: depth, 3: times, 4: times, 6: depth * times}.get(info[_SCAN_TYPE], 0)
    return pages if 0 < pages < 1 << 31 else 0


def _describe(reader: Reader, info: tuple[Any, ...]) -> Iterator[tuple[str, str, str]]:
    """Metadata: key, value, and where it stands."""
    sizes = info[_SIZES]
    if all(0 < size < 1 << 31 for size in sizes):
        yield "size", "x".join(map(str, sizes)), "CZ_LSMINFO/Dimension"
    microns = [voxel * 1e6 for voxel in info[_VOXELS]]
    if all(math.isfinite(one) and one > 0 for one in microns[:2]):
        deep = math.isfinite(microns[2]) and microns[2] > 0
        yield "pixel_size_um", "x".join(f"{one:.6g}" for one in microns[: 2 + deep]), "CZ_LSMINFO/VoxelSize"
    if reader.size >= _WRAP:
        return
    try:
        yield from _scan(reader, info[_SCAN])
        if names := _channels(reader, info[_COLOURS]):
            yield "channels", ", ".join(names), "CZ_LSMINFO/ChannelColors"
    except Unsound:  # what stands there is of an unknown version; the images are whole
        return


def _scan(reader: Reader, at: int) -> Iterator[tuple[str, str, str]]:
    """The recording's own entries: each is a kind, a type and a length, and then the value."""
    what = "the scan information"
    if not at or reader.read(at, 4, what) != struct.pack("<I", _RECORDING):
        return
    depth = 0
    for _ in range(_MAX_ENTRIES):
        kind, form, length = struct.unpack("<3I", reader.read(at, 12, what))
        at += 12 + length
        depth += (form == _BLOCK and kind != _END) - (kind == _END)
        if depth <= 0:
            return
        if form == _TEXT and kind in (_OBJECTIVE, _USER):
            text = reader.read(at - length, min(length, _MAX_NAME), what).partition(b"\0")[0].decode("latin-1").strip()
            if text:
                key = "objective" if kind == _OBJECTIVE else "experimenter"
                yield key, text, "ScanInformation/" + ("Objective" if kind == _OBJECTIVE else "User")
        elif form == _FLOAT and kind == _STARTED and length == 8:
            (days,) = struct.unpack("<d", reader.read(at - 8, 8, what))
            if 25569 < days < 109574:  # 1970 to 2199, in days since 30 December 1899
                when = datetime(1899, 12, 30) + timedelta(seconds=round(days * 86400))
                yield "acquired", when.isoformat(), "ScanInformation/Sample0time"


def _channels(reader: Reader, at: int) -> list[str]:
    """The names of the channels: each is its length and then its text, which a zero ends."""
    if not at:
        return []
    size, _, number, _, start = struct.unpack("<5I", reader.read(at, 20, "the channel colours"))
    if not 20 <= start <= size or not 0 < number <= 100:
        return []
    data = reader.read(at + start, min(size - start, 100 * _MAX_NAME), "the channel colours")
    names: list[str] = []
    while len(data) > 4 and len(names) < number:
        (length,) = struct.unpack_from("<I", data)
        names.append(data[4 : 4 + length].partition(b"\0")[0].decode("latin-1"))
        data = data[4 + length :]
    return [name for name in names if name.isprintable() and name]
