"""Hamamatsu NDPI slides: a classic TIFF whose offsets have 32 more bits, so that it may be longer than 4 GiB.

tifffile (TIFF.NDPI_LE, TiffPage, NDPI_TAGS): the header's first offset has 8 bytes; after the fields of a directory
stand 8 bytes with the offset of the next one, and then 4 bytes a field with the upper half of its value or offset. In
files below 4 GiB no upper half is needed, and none is read: OpenSlide's tifflike does without them too.
"""

import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

from watcher.formats.base import Claim, Examination
from watcher.formats.reading import Unsound, cut_off, open_file, read_at, size_of
from watcher.formats.tiff import Facts, verdict
from watcher.formats.tiff_ifd import MAX_ENTRIES, Directory, Entry
from watcher.formats.tiff_kind import (
    MAKE,
    MODEL,
    NDPI,
    SOFTWARE,
    WHOLE,
    Page,
    Told,
    claim,
    may_be,
    page_of,
    pixel_size,
    tiff_time,
)

#: Directories that are followed; a slide has about 10, one with many focal planes some hundred.
MAX_IFDS: Final = 10_000
MAX_STRIPS: Final = 1_000_000
_4_GIB = 1 << 32
_STRIPS, _STRIP_BYTES, _LENS = 273, 279, 65421
# Bytes per value: TIFF 6.0, section 2
_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}


@dataclass(slots=True)
class _Slide:
    """An open slide and what was found in it."""

    file: BinaryIO
    size: int
    pages: int = 0
    unsure: str = ""
    first: Page | None = None
    lens: float = 0.0

    def walk(self) -> None:
        """Follow the chain of pages. Raises Unsound."""
        head = self.read(0, 12, "the file header")
        if head[:4] != b"II*\0":
            raise Unsound("not an NDPI file: its first bytes are something else")
        (offset,) = struct.unpack("<Q", head[4:])
        offset = self.small(offset)
        if not offset:
            raise Unsound("unfinished: only the header of the file has been written, no page yet")
        seen: set[int] = set()
        while offset:
            what = f"page {self.pages + 1}"
            if offset in seen:
                raise Unsound(f"damaged: after page {self.pages} an earlier page follows, so the list never ends")
            if self.pages >= MAX_IFDS:
                self.unsure = f"it has more than {MAX_IFDS} pages; those were checked, the rest was not"
                return
            seen.add(offset)
            page = self.directory(offset, f"the header of {what}")
            if not self.pages:
                self.first = page_of(self.read, page, WHOLE, big=False, order="<")
                lens = page.entries.get(_LENS)
                if lens is not None and lens.kind == 11 and lens.values:
                    (self.lens,) = struct.unpack("<f", self.read(lens.offset, 4, "the lens"))
            self.image_data(page, what)
            self.pages += 1
            offset = page.link

    def read(self, offset: int, length: int, what: str) -> bytes:
        """The bytes there. Raises Unsound if the file ends before them."""
        return read_at(self.file, offset, length, what, self.size)

    def small(self, offset: int) -> int:
        """An offset without its upper half, in a file that needs none."""
        return offset if self.size >= _4_GIB else offset % _4_GIB

    def directory(self, offset: int, what: str) -> Directory:
        """The fields there; single whole numbers point to where they stand, also if they have an upper half."""
        (count,) = struct.unpack("<H", self.read(offset, 2, what))
        if not 0 < count <= MAX_ENTRIES:
            raise Unsound(f"damaged: {what} says that it has {count} fields; the file is unfinished or was overwritten")
        start = offset + 2
        length = count * 12 + (8 + count * 4 if self.size >= _4_GIB else 4)
        raw = self.read(start, length, what)
        upper = struct.unpack_from(f"<{count}I", raw, count * 12 + 8) if self.size >= _4_GIB else (0,) * count
        (link,) = struct.unpack_from("<Q" if self.size >= _4_GIB else "<I", raw, count * 12)
        entries: dict[int, Entry] = {}
        for index, (tag, kind, values, value) in enumerate(struct.iter_unpack("<HHII", raw[: count * 12])):
            if not tag:  # TIFF 6.0, section 2: tags ascend, and none is 0
                raise Unsound(f"unfinished: {what} has zeros where field {index + 1} of {count} should stand")
            needs = _WIDTHS.get(kind, 0) * values
            at = start + index * 12 + 8
            if needs > 4:
                at = value + (upper[index] << 32)
                if at + needs > self.size:
                    raise cut_off(f"field {tag} of {what}", at + needs, self.size)
            if tag in (_STRIPS, _STRIP_BYTES) and values == 1:
                at = value + (upper[index] << 32)  # the number itself
            entries.setdefault(tag, Entry(kind, values, at))
        return Directory(entries, count, start + length, link)

    def image_data(self, page: Directory, what: str) -> None:
        """The pixels of a page lie inside the file; most pages are one long strip."""
        starts, lengths = page.entries.get(_STRIPS), page.entries.get(_STRIP_BYTES)
        if starts is None or lengths is None or starts.values != lengths.values:
            raise Unsound(f"damaged: {what} does not say where its image data is")
        if starts.values == 1:
            self.one_strip(starts.offset, lengths.offset, what)
        elif self.size >= _4_GIB or starts.values > MAX_STRIPS or (starts.kind, lengths.kind) != (4, 4):
            self.unsure = f"{what} lists its image data in a way that is not known of NDPI"
        else:
            form = f"<{starts.values}I"
            both = (struct.unpack(form, self.read(at.offset, at.values * 4, what)) for at in (starts, lengths))
            for start, length in zip(*both, strict=True):
                self.one_strip(start, length, what)

    def one_strip(self, start: int, length: int, what: str) -> None:
        """One strip has a place and a length, inside the file."""
        if start < 12:
            raise Unsound(f"unfinished: {what} has image data without a place in the file")
        if start + length > self.size:
            raise cut_off(f"the image data of {what}", start + length, self.size)


def _look(path: Path) -> tuple[Facts, Told]:
    with open_file(path) as file:
        slide = _Slide(file, size_of(file))
        problems: tuple[str, ...] = ()
        if not slide.size:
            return Facts(0, problems=("empty: the file has no bytes yet",)), Told()
        try:
            slide.walk()
        except Unsound as problem:
            problems = (str(problem),)
    facts = Facts(slide.size, pages=slide.pages, order="<", problems=problems, unsure=slide.unsure)
    return facts, Told() if slide.first is None else _tell(slide.first, slide.lens)


def _tell(page: Page, lens: float) -> Told:
    told = Told()
    told.put("acquired", tiff_time(page), "DateTime")
    told.put("instrument", f"{page.text(MAKE)} {page.text(MODEL)}", "Make,Model")
    told.put("objective", f"{lens:g}x" if 0 < lens < 1000 else "", str(_LENS))
    told.put("software", page.text(SOFTWARE), "Software")
    told.put("pixel_size_um", pixel_size(page), "XResolution,YResolution")
    return told


class Ndpi:
    """NDPI slides: each file is a set of its own."""

    name = "ndpi"

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether it is a little-endian TIFF and is named or may be marked as NDPI; `claim` tells for certain."""
        return head[:4] == b"II*\0" and (name.lower().endswith(".ndpi") or may_be(head, self.name))

    def claim(self, path: Path) -> Claim:
        """Itself, if the first page has the NDPI mark, 65420, or the file is cut before it; else as any other TIFF."""
        with open_file(path) as file:
            slide = _Slide(file, size_of(file))
            try:
                (offset,) = struct.unpack("<Q", slide.read(4, 8, "the file header"))
                marked = NDPI in slide.directory(slide.small(offset), "the header of page 1").entries
            except Unsound:
                marked = path.name.lower().endswith(".ndpi")
        return Claim(self.name, (path.name,), title=path.stem) if marked else claim(path)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Walk each member with 64-bit offsets. OSError passes through."""
        looked = {name: _look(directory / name) for name in members}
        first = next((told for _, told in looked.values()), Told())
        found = verdict("ndpi:ifd-walk", {name: facts for name, (facts, _) in looked.items()})
        return replace(found, metadata=first.metadata, sources=first.sources)


FORMAT: Final = Ndpi()
