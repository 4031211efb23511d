"""MetaMorph stacks (STK): a TIFF of one page behind whose image the other planes lie, as many as a private field says.

Layout: "MetaMorph Stack (STK) Image File Format" (Molecular Devices), read through `read_uic2tag` and `UIC_TAGS` of
github cgohlke/tifffile and `MetamorphReader.java` of github ome/bioformats; reference/image-formats.md 2.1.
"""

import struct
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final

from watcher.formats.base import Claim, Examination
from watcher.formats.metadata import MAX_TEXT
from watcher.formats.reading import Unsound, cut_off, open_file
from watcher.formats.tiff import FORMAT as TIFF
from watcher.formats.tiff import walk
from watcher.formats.tiff_ifd import Directory, Reader, farthest, layout_of
from watcher.formats.tiff_private import in_file, in_head

_WIDTH, _LENGTH, _COMPRESSION, _STRIPS, _STRIP_BYTES = 256, 257, 259, 273, 279
_UIC1, _UIC2, _UIC3, _UIC4 = 33628, 33629, 33630, 33631
_WANTED: Final = frozenset({_WIDTH, _LENGTH, _COMPRESSION, _STRIPS, _STRIP_BYTES, _UIC1, _UIC2, _UIC3, _UIC4})
#: Bytes a plane in UIC2: a fraction, and two dates and times.
_PLANE: Final = 24
#: Entries of UIC1 that are looked at; there are some 65 kinds.
_MAX_ENTRIES: Final = 200
_LONG: Final = 4
# UIC1: X and Y calibration, their unit, the time of creation
_ACROSS, _DOWN, _UNIT, _CREATED = 4, 5, 6, 16
#: Day 1 of Python's calendar as a Julian day number, less one.
_JULIAN: Final = 1721425


class Stk:
    """MetaMorph STK: each file is a set of its own, unless an .nd file lists it."""

    name = "stk"

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether the first page says how many planes there are; `claim` looks if it lies beyond the head."""
        return in_head(head, _UIC2) or (layout_of(head) is not None and name.lower().endswith(".stk"))

    def claim(self, path: Path) -> Claim:
        """Itself; a file that is only named so is a plain TIFF."""
        return Claim(self.name, (path.name,), path.stem) if in_file(path, _UIC2) else TIFF.claim(path)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """The page as in any TIFF, and every plane behind it. OSError passes through."""
        problems: list[str] = []
        metadata: dict[str, str] = {}
        sources: dict[str, str] = {}
        unsure = ""
        for name in members:
            with open_file(directory / name) as file:
                facts = walk(file, name)
                if facts.problems:
                    problems += (f"{name}: {problem}" for problem in facts.problems)
                    continue
                try:
                    reader, page = _page(file)
                    if not _planes_inside(reader, page):
                        unsure = unsure or f"unchecked: {name}: it does not say where its planes end"
                    found = dict(_describe(reader, page))
                except Unsound as problem:
                    problems.append(f"{name}: {problem}")
                    continue
            sources = {key: f"{name}/{where}" for key, (_, where) in found.items()} | sources
            metadata = {key: value[:MAX_TEXT] for key, (value, _) in found.items()} | metadata
        sound = False if problems else None if unsure else True
        return Examination(sound, tuple(problems), (), unsure or "stk:ifd-walk+planes", metadata, sources)


FORMAT: Final = Stk()


def _page(file: BinaryIO) -> tuple[Reader, Directory]:
    reader = Reader(file)
    page = reader.directory(reader.first, "the page", _WANTED)
    if _UIC2 not in page.entries:
        raise Unsound("damaged: the field that says how many planes it has is gone")
    return reader, page


def _planes_inside(reader: Reader, page: Directory) -> bool:
    """Whether it could be told that all planes, and the list of their times, are in the file. Raises Unsound.

    The planes are as long as the first one and follow each other.
    """
    times = page.entries[_UIC2]
    planes = times.values
    if not planes:
        raise Unsound("unfinished: it has no plane yet")
    if times.offset + planes * _PLANE > reader.size:
        raise cut_off("the list of its planes", times.offset + planes * _PLANE, reader.size)
    offsets, counts = page.entries.get(_STRIPS), page.entries.get(_STRIP_BYTES)
    if offsets is None or counts is None or (reader.number(page, _COMPRESSION, 1) != 1 and planes > 1):
        return False
    first, end = reader.number(page, _STRIPS, 0), 0
    for starts, lengths in zip(reader.chunks(offsets, "the page"), reader.chunks(counts, "the page"), strict=False):
        first = min(first, *starts)
        end = max(end, farthest(starts, lengths))
    last = first + planes * (end - first)
    if last > reader.size:
        raise cut_off(f"the last of its {planes} planes", last, reader.size)
    return True


def _describe(reader: Reader, page: Directory) -> Iterator[tuple[str, tuple[str, str]]]:
    """Metadata by key: the value, and where it stands."""
    planes = page.entries[_UIC2]
    top, bottom, day, clock = struct.unpack(
        f"{reader.layout.order}4I", reader.read(planes.offset, 16, "the list of its planes")
    )
    if when := _when(day, clock):
        yield "acquired", (when, "UIC2/DateCreated")
    if top and bottom and planes.values > 1:  # planes with a distance are a z series
        size = (reader.number(page, _WIDTH, 0), reader.number(page, _LENGTH, 0), planes.values, 1, 1)
        yield "size", ("x".join(map(str, size)), "UIC2/ZDistance")
    values = _calibration(reader, page)
    if values.get(_UNIT, "").lower() in ("um", "µm", "micron", "microns"):
        across, down = values.get(_ACROSS, ""), values.get(_DOWN, "")
        if across and down:
            yield "pixel_size_um", (f"{across}x{down}", "UIC1/XCalibration")


def _calibration(reader: Reader, page: Directory) -> dict[int, str]:
    """The calibration and its unit from UIC1, whose entries are a kind and, for these, the place of the value."""
    entry = page.entries.get(_UIC1)
    found: dict[int, str] = {}
    if entry is None or entry.kind != _LONG:  # before MetaMorph 2.5 it was something else
        return found
    order = reader.layout.order
    for index in range(min(entry.values, _MAX_ENTRIES)):
        try:
            kind, at = struct.unpack(f"{order}2I", reader.read(entry.offset + 8 * index, 8, "UIC1"))
            if kind in (_ACROSS, _DOWN):
                top, bottom = struct.unpack(f"{order}2I", reader.read(at, 8, "the calibration"))
                found[kind] = f"{top / bottom:g}" if top and bottom else ""
            elif kind == _UNIT:
                (length,) = struct.unpack(f"{order}I", reader.read(at, 4, "the unit"))
                found[kind] = reader.read(at + 4, min(length, 20), "the unit").decode("latin-1").strip("\0 ")
        except Unsound:  # some writers leave the place empty: tifffile, read_uic_tag
            continue
    return found


def _when(day: int, clock: int) -> str:
    """A Julian day and the milliseconds since midnight, in the time zone of the computer."""
    try:
        date = datetime.fromordinal(day - _JULIAN)
    except (ValueError, OverflowError):
        return ""
    if not (1980 <= date.year <= 2200 and clock < 86_400_000):
        return ""
    return (date + timedelta(seconds=clock // 1000)).isoformat()
