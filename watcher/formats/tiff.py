"""Plain TIFF, BigTIFF and ImageJ TIFF: every page that the file speaks of is in it, found by walking its directories.

Opening a TIFF with a library proves nothing: they open files that are cut in half (reference/image-formats.md 0).
The walk reads directories and lists of strips, never pixels, so bytes lost *inside* the pixels are not seen.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from watcher.formats.base import Claim, Examination
from watcher.formats.reading import Unsound, cut_off, open_file
from watcher.formats.tiff_ifd import Directory, Entry, Reader, Span, farthest, layout_of

#: Directories, their fields, and strips that one walk looks at: keeps the worst file below about a second.
MAX_IFDS: Final = 50_000
MAX_FIELDS: Final = 1_000_000
MAX_STRIPS: Final = 4_000_000
#: Bytes of the description that are kept, enough to see what kind it is.
OPENING: Final = 4096
#: From this share of strips or tiles without data on, a page was never written. Slide scanners leave out background
#: tiles, so a few are legal; the damaged slide in reference/image-formats.md 2.1 lacks 32704 of 32705.
EMPTY_SHARE: Final = 0.9

# TIFF 6.0, section 8 (baseline) and 15 (tiles); 330: TIFF Technical Note 1; 32997 and 32998: SGI volumes, libtiff
_WIDTH, _LENGTH, _BITS, _COMPRESSION, _DESCRIPTION = 256, 257, 258, 259, 270
_STRIPS, _STRIP_BYTES, _TILES, _TILE_BYTES = 273, 279, 324, 325
_SAMPLES, _ROWS, _PLANAR, _TILE_WIDTH, _TILE_LENGTH = 277, 278, 284, 322, 323
_SUB_IFDS, _JPEG_STREAM, _DEPTH, _TILE_DEPTH = 330, 513, 32997, 32998
# Private tags of relatives whose offsets or planes mean something else (reference/image-formats.md 2.1, tifffile)
_STK_PLANES, _LSM, _NDPI = 33629, 34412, 65420
# fmt: off
_WANTED = frozenset({
    _WIDTH, _LENGTH, _BITS, _COMPRESSION, _DESCRIPTION, _STRIPS, _STRIP_BYTES, _TILES, _TILE_BYTES, _SAMPLES, _ROWS,
    _PLANAR, _TILE_WIDTH, _TILE_LENGTH, _SUB_IFDS, _JPEG_STREAM, _DEPTH, _TILE_DEPTH, _STK_PLANES, _LSM, _NDPI,
})
# fmt: on
_NDPI_REASON = "an NDPI slide keeps 64-bit offsets, which this walk does not follow"

_NOWHERE = Span(0, 0)
_HEADER_BYTES = 8
_SEPARATE = 2  # PlanarConfiguration: each sample has strips of its own


@dataclass(frozen=True, slots=True)
class Facts:
    """What the walk of one TIFF found.

    size and end in bytes: end is the byte after the last one used, so that size - end is slack. pages: directories of
    the main chain. order: "<" (II) or ">" (MM), "" if it is no TIFF. description: where the first page's text is, and
    opening its first OPENING bytes. problems: why it is not sound, at most one. unsure: why a walk without problems
    does not vouch for it, "" if it does.
    """

    size: int
    pages: int = 0
    order: str = ""
    big: bool = False
    description: Span = _NOWHERE
    opening: bytes = b""
    end: int = 0
    problems: tuple[str, ...] = ()
    unsure: str = ""

    @property
    def sound(self) -> bool | None:
        """True, False, or None where this walk cannot tell."""
        if self.problems:
            return False
        return None if self.unsure else True


def walk(file: BinaryIO, name: str = "", most: int = MAX_IFDS) -> Facts:
    """Look at every directory of an open TIFF, at most `most` of them; `name` helps to know a slide by its extension.

    Content never raises; OSError passes through. Memory is flat; MAX_IFDS, MAX_FIELDS and MAX_STRIPS bound the time.
    """
    try:
        reader = Reader(file)
    except Unsound as problem:
        return Facts(size=file.seek(0, 2), problems=(str(problem),))
    walker = _Walker(reader, most)
    problems: tuple[str, ...] = ()
    try:
        walker.run(ndpi=name.lower().endswith(".ndpi"))
    except Unsound as problem:
        problems = (str(problem),)
    except _Enough as reason:
        walker.unsure = str(reason)
    return Facts(
        size=reader.size,
        pages=walker.pages,
        order=reader.layout.order,
        big=reader.layout.big,
        description=walker.description,
        opening=walker.opening,
        end=walker.end,
        problems=problems,
        unsure=walker.unsure,
    )


def walk_path(path: Path, most: int = MAX_IFDS) -> Facts:
    """`walk` of a file by its path. OSError passes through."""
    with open_file(path) as file:
        return walk(file, path.name, most)


class _Enough(Exception):
    """The walk ends here without a verdict; the text says why."""


class _Walker:
    """What one walk has found so far."""

    def __init__(self, reader: Reader, most: int) -> None:
        self.reader = reader
        self.pages = 0
        self.end = 0
        self.description = _NOWHERE
        self.opening = b""
        self.unsure = ""
        self._most = most
        self._fields_left = MAX_FIELDS
        self._strips_left = MAX_STRIPS
        self._seen: set[int] = set()

    def run(self, *, ndpi: bool) -> None:
        if ndpi:
            raise _Enough(_NDPI_REASON)
        if self.reader.size >= 132 and self.reader.read(128, 4, "the header") == b"DICM":  # PS3.10, section 7.1
            raise _Enough("a DICOM file, whose first 128 bytes happen to begin like a TIFF")
        offset = self.reader.first
        if not offset:
            raise Unsound("unfinished: only the header of the file has been written, no page yet")
        while offset:
            what = f"page {self.pages + 1}"
            page = self._visit(offset, what)
            if not self.pages:
                self._first(page)
            self._image_data(page, what)
            self._smaller_copies(page, what)
            self.pages += 1
            offset = page.link
        if self.pages == 1:
            self._planes_behind(page)

    def _visit(self, offset: int, what: str) -> Directory:
        if offset in self._seen:
            raise Unsound(f"damaged: after {what} an earlier page follows, so the list of pages never ends")
        if len(self._seen) >= self._most or self._fields_left < 0:
            raise _Enough(f"it has more than {self.pages} pages; those were checked, the rest was not")
        self._seen.add(offset)
        directory = self.reader.directory(offset, f"the header of {what}", _WANTED)
        self._fields_left -= directory.fields
        self.end = max(self.end, directory.end)
        return directory

    def _first(self, page: Directory) -> None:
        text = page.entries.get(_DESCRIPTION)
        if text is not None:
            self.description = Span(text.offset, text.values)
            self.opening = self.reader.read(text.offset, min(text.values, OPENING), "the description")
        if _NDPI in page.entries:
            raise _Enough(_NDPI_REASON)
        if _LSM in page.entries and self.reader.size >= 1 << 32:
            raise _Enough("an LSM file over 4 GiB keeps only the low half of its offsets")
        if (planes := page.entries.get(_STK_PLANES)) is not None and planes.values > 1:
            self.unsure = "a MetaMorph stack has planes that its one page does not list"

    def _smaller_copies(self, page: Directory, what: str) -> None:
        """Follow a pyramid's lower levels (TIFF Technical Note 1); their own links are not part of the chain."""
        if (entry := page.entries.get(_SUB_IFDS)) is None:
            return
        for chunk in self.reader.chunks(entry, f"the list of smaller copies of {what}"):
            for offset in chunk:
                self._image_data(self._visit(offset, f"a smaller copy of {what}"), f"a smaller copy of {what}")

    def _image_data(self, page: Directory, what: str) -> None:
        """Every strip or tile is listed, and lies inside the file."""
        tiled = _TILES in page.entries
        word = "tiles" if tiled else "strips"
        offsets = page.entries.get(_TILES if tiled else _STRIPS)
        counts = page.entries.get(_TILE_BYTES if tiled else _STRIP_BYTES)
        if offsets is None:
            if _JPEG_STREAM in page.entries:  # the old JPEG of TIFF 6.0, section 22, which needs no strips
                return
            raise Unsound(f"damaged: {what} does not say where its image data is")
        expected = self._pieces(page, what, tiled=tiled)
        listed = offsets.values if counts is None else min(offsets.values, counts.values)
        if listed < expected:
            raise Unsound(f"incomplete: {what} lists {listed} of its {expected} {word}")
        self._strips_left -= listed
        if self._strips_left < 0:
            raise _Enough(f"it has more than {MAX_STRIPS} {word}; {what} and what follows was not checked")
        if counts is None:
            self.unsure = f"{what} does not say how many bytes its image data has"
            return
        self._pieces_inside(offsets, counts, what, word)

    def _pieces_inside(self, offsets: Entry, counts: Entry, what: str, word: str) -> None:
        end = empty = 0
        both = zip(self.reader.chunks(offsets, what), self.reader.chunks(counts, what), strict=False)
        for starts, lengths in both:
            end = max(end, farthest(starts, lengths))
            empty += lengths.count(0)
            if min(starts) < _HEADER_BYTES and any(
                length and start < _HEADER_BYTES for start, length in zip(starts, lengths, strict=False)
            ):
                raise Unsound(f"unfinished: {what} has {word} without a place in the file")
        if end > self.reader.size:
            raise cut_off(f"the image data of {what}", end, self.reader.size)
        if empty >= EMPTY_SHARE * counts.values:
            raise Unsound(f"incomplete: {empty} of the {counts.values} {word} of {what} hold no data")
        self.end = max(self.end, end)

    def _pieces(self, page: Directory, what: str, *, tiled: bool) -> int:
        """How many strips or tiles a page of this size has: TIFF 6.0, section 8 (StripsPerImage) and 15."""

        def field(tag: int, default: int) -> int:
            return self.reader.number(page, tag, default)

        width, length = field(_WIDTH, 0), field(_LENGTH, 0)
        across, down = field(_TILE_WIDTH, 0), field(_TILE_LENGTH, 0)
        if not (width and length) or (tiled and not (across and down)):
            raise Unsound(f"damaged: {what} has no width or no height")
        if tiled:
            pieces = -(-width // across) * -(-length // down) * -(-field(_DEPTH, 1) // (field(_TILE_DEPTH, 1) or 1))
        else:
            pieces = -(-length // (field(_ROWS, length) or length))
        return pieces * (field(_SAMPLES, 1) if field(_PLANAR, 1) == _SEPARATE else 1)

    def _planes_behind(self, page: Directory) -> None:
        """The planes of an ImageJ stack that has one page and the rest of its raw planes behind it (tifffile)."""
        found = re.search(rb"^images=(\d{1,9})\s", self.opening, re.MULTILINE)
        number = self.reader.number
        if not self.opening.startswith(b"ImageJ=") or found is None or number(page, _COMPRESSION, 1) != 1:
            return
        bits = number(page, _WIDTH, 0) * number(page, _LENGTH, 0) * number(page, _SAMPLES, 1) * number(page, _BITS, 1)
        planes = int(found[1])
        end = number(page, _STRIPS, 0) + planes * (bits // 8)
        if planes > 1 and end > self.reader.size:
            raise cut_off(f"the image data of plane {planes} of this ImageJ stack", end, self.reader.size)
        self.end = max(self.end, end)


class Tiff:
    """TIFF, BigTIFF and ImageJ TIFF: each file is a set of its own."""

    name = "tiff"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the Protocol gives it
        """Whether the file begins as TIFF or BigTIFF; its name does not matter."""
        return layout_of(head) is not None

    def claim(self, path: Path) -> Claim:
        """Itself: a plain TIFF names no other file, and nothing needs to be read for that."""
        return Claim(self.name, (path.name,), title=path.stem)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Walk each member (names relative to `directory`). OSError passes through."""
        return verdict("tiff:ifd-walk", {name: walk_path(directory / name) for name in members})


def verdict(checked: str, walks: Mapping[str, Facts], more: tuple[str, ...] = ()) -> Examination:
    """The examination that follows from the walks of a set's files, by name, and from `more` problems.

    Where a walk cannot tell, `checked` says why.
    """
    problems = (*(f"{name}: {problem}" for name, facts in walks.items() for problem in facts.problems), *more)
    if problems:
        return Examination(sound=False, problems=problems, checked=checked)
    unsure = next((f"unchecked: {name}: {facts.unsure}" for name, facts in walks.items() if facts.unsure), "")
    return Examination(sound=None if unsure else True, checked=unsure or checked)


FORMAT: Final = Tiff()
