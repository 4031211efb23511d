"""Zeiss CZI: a chain of segments that ends with the file, and a directory that says where each image is in it.

Layout: ZEISS/libczi Src/libCZI/CziStructs.h, and openreadout docs/formats/czi.md; what holds in real files:
reference/image-formats.md 2.2. Reading the directory is not enough: ZEN writes it at the start, before the images, so
that a file cut in half still lists all of them. The field `update_pending` says nothing (section 0, finding 6).
"""

import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from watcher.formats.absent import absent, is_there, sentences
from watcher.formats.base import Claim, Examination
from watcher.formats.czi_xml import CziXml
from watcher.formats.plane import Picture
from watcher.formats.reading import Unsound, cut_off, open_file, read_at, size_of, unpack_at
from watcher.formats.vendor_xml import TooLarge, pieces, visit

#: Segments that are walked one by one, and entries of the directory that are read: each bounds the time to a second.
MAX_SEGMENTS: Final = 100_000
MAX_ENTRIES: Final = 200_000
#: Files that one document may be split into; ZEN numbers them from 1.
MAX_PARTS: Final = 1000
_MAX_DIMENSIONS = 64

_FILE, _DIRECTORY, _SUBBLOCK = b"ZISRAWFILE", b"ZISRAWDIRECTORY", b"ZISRAWSUBBLOCK"
_METADATA, _ATTACHMENTS, _ATTACHMENT = b"ZISRAWMETADATA", b"ZISRAWATTDIR", b"ZISRAWATTACH"
_KNOWN = frozenset((_FILE, _DIRECTORY, _SUBBLOCK, _METADATA, _ATTACHMENTS, _ATTACHMENT, b"DELETED"))
_HEADER_BYTES = 32
# SubBlockDirectorySegment: the number of entries, and a reserve before the first one
_ENTRIES_AT = 128
# MetadataSegment: the size of the XML, and a reserve before it
_XML_AT = 256
# AttachmentDirectorySegment: 256 bytes, then entries of 128
_ATTACHMENTS_AT, _ATTACHMENT_BYTES = 256, 128
# CompressionMode: from 1000 on it is the raw format of a camera or system (reference/image-formats.md 2.2)
_RAW_COMPRESSION = 1000
_PART_NAME = re.compile(r"(?P<stem>.+?) ?\((?P<part>\d{1,4})\)(?P<suffix>\.[^.]+)")


@dataclass(frozen=True, slots=True)
class Header:
    """The file header. document and file are identifiers; part is 0 for the first file of a document."""

    document: bytes
    part: int
    directory: int
    metadata: int
    attachments: int


class Entry(NamedTuple):
    """An image that the directory lists: its place and part, how it is packed, the type of its pixels.

    axes: of each dimension where it begins, how many of the full resolution it covers, and how many are stored.
    """

    where: int
    part: int
    compression: int
    pixel: int
    axes: dict[str, tuple[int, int, int]]


@dataclass(slots=True)
class _Found:
    """What was found in one file.

    last: by part, where the last image is that the directory lists in it; unlisted: images that it does not list;
    extent: how many there are along each dimension.
    """

    name: str
    header: Header | None = None
    problems: list[str] = field(default_factory=list)
    unsure: str = ""
    last: dict[int, int] = field(default_factory=dict)
    unlisted: int = 0
    compression: int = 0
    extent: dict[str, int] = field(default_factory=dict)
    xml: CziXml = field(default_factory=CziXml)

    def remarks(self) -> Iterator[str]:
        if self.compression >= _RAW_COMPRESSION:
            yield f"{self.name}: its images are in a raw high-speed format ({self.compression}), which only ZEN reads"
        if self.unlisted:
            yield f"{self.name}: {self.unlisted} images in it are not listed in its directory"
        for axis, has in self.extent.items():
            if has < (says := self.xml.size(axis)):
                yield f"{self.name}: it was set up for {says} along {axis} and has {has}: stopped early, or an extract"


class Czi:
    """A CZI file, or the files `name.czi`, `name (1).czi` ... that one document was split into."""

    name = "czi"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the Protocol gives it
        """Whether it begins with a file segment. TIFF files that are named .czi exist, and do not."""
        return head[:16] == _FILE.ljust(16, b"\0")

    def claim(self, path: Path) -> Claim:
        """Itself and the other files of its document, by the part and the identifier in each header.

        The names are as Bio-Formats' ZeissCZIReader looks for them. Which parts must be there, only the directory
        says, which `examine` reads.
        """
        header = _header_of(path)
        if header is None:
            return Claim(self.name, (path.name,), title=path.stem)
        if not header.part:
            return Claim(self.name, (path.name, *_parts_beside(path, header)), title=path.stem)
        first = _first_of(path.name, header.part)
        if not first:
            problem = f"{path.name}: part {header.part} of a document, whose first file is not known from this name"
            return Claim(self.name, (path.name,), title=path.stem, problems=(problem,))
        return Claim(self.name, (path.name, first), title=Path(first).stem)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Walk the segments of each file, follow its directories, read its XML, and ask for the parts it speaks of."""
        lost = absent(directory, members)
        looks = [_examine(directory / name, name) for name in members if name not in lost]
        missing = dict.fromkeys(lost)
        wrong: list[str] = []
        for look in looks:
            _follow_parts(directory, look, members, missing, wrong)
        told_missing = sentences(tuple(missing), "and its document is not whole without it")
        problems = (*(f"{look.name}: {problem}" for look in looks for problem in look.problems), *told_missing, *wrong)
        unsure = next((f"unchecked: {look.name}: {look.unsure}" for look in looks if look.unsure), "")
        told = next((look.xml for look in looks if look.xml.metadata()), CziXml())
        return Examination(
            sound=False if problems else None if unsure else True,
            problems=problems,
            missing=tuple(missing),
            checked="czi:segments+directory" if problems or not unsure else unsure,
            metadata=told.metadata(),
            sources=told.sources(),
            remarks=tuple(remark for look in looks for remark in look.remarks()),
        )

    def picture(self, path: Path) -> Picture | None:
        """The thumbnail that ZEN attaches, or the image in the middle of the level that is large enough for one."""
        from watcher.formats.czi_picture import picture  # imported here, since it uses this module

        return picture(path)


FORMAT: Final = Czi()


def _header_of(path: Path) -> Header | None:
    """The header of a CZI file; None if it is none, or does not have all of it. OSError passes through."""
    with open_file(path) as file, suppress(Unsound):
        return header_of(file, size_of(file))
    return None


def entries(file: BinaryIO, start: int, size: int) -> Iterator[Entry]:
    """What a DirectorySegment lists whose data begin at `start`: DirectoryEntryDV. Raises Unsound and TooLarge."""
    what = "the directory of its images"
    (count,) = unpack_at(file, "<i", start, what, size)
    if count < 0 or start + _ENTRIES_AT + count * _HEADER_BYTES > size:
        raise Unsound(f"damaged: {what} claims {count} images, more than the file can hold")
    if count > MAX_ENTRIES:
        raise TooLarge(f"it has {count} images; the first {MAX_SEGMENTS} segments were checked")
    at = start + _ENTRIES_AT
    for _ in range(count):
        schema, pixel, where, part, compression, dimensions = unpack_at(file, "<2siqii6xi", at, what, size)
        if schema != b"DV" or not 0 <= dimensions <= _MAX_DIMENSIONS or not 0 <= part <= MAX_PARTS:
            raise Unsound(f"damaged: {what} has an entry at byte {at} that makes no sense")
        axes = struct.iter_unpack("<4sii4xi", read_at(file, at + 32, 20 * dimensions, what, size))
        named = {axis.rstrip(b"\0").decode("latin-1"): (first, length, stored) for axis, first, length, stored in axes}
        at += 32 + 20 * dimensions
        yield Entry(where, part, compression, pixel, named)


def attachments(file: BinaryIO, start: int, size: int) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Place, part, kind and name of what is attached: AttachmentEntryA1, behind `start` of their directory."""
    what = "the directory of its attachments"
    (count,) = unpack_at(file, "<i", start, what, size)
    if not 0 <= count <= MAX_SEGMENTS:
        raise Unsound(f"damaged: {what} claims {count} attachments")
    for number in range(count):
        at = start + _ATTACHMENTS_AT + number * _ATTACHMENT_BYTES
        schema, where, part, kind, name = unpack_at(file, "<2s10xqi16x8s80s", at, what, size)
        if schema != b"A1":
            raise Unsound(f"damaged: {what} has an entry at byte {at} that makes no sense")
        yield where, part, kind.rstrip(b"\0"), name.rstrip(b"\0")


def header_of(file: BinaryIO, size: int) -> Header:
    """FileHeaderSegmentData, behind the segment's own header."""
    data = read_at(file, 0, 112, "the file header", size)
    if data[:16] != _FILE.ljust(16, b"\0"):
        raise Unsound("damaged: it does not begin as a CZI file")
    document, part, directory, metadata, attachments = struct.unpack_from("<16s16xiqq4xq", data, 48)
    return Header(document, part, directory, metadata, attachments)


def _first_of(name: str, part: int) -> str:
    """The first file of the document that this one is a part of; "" if its name does not tell."""
    named = _PART_NAME.fullmatch(name)
    return named["stem"] + named["suffix"] if named is not None and int(named["part"]) == part else ""


def _spellings(first: Path, part: int) -> tuple[str, str]:
    return f"{first.stem} ({part}){first.suffix}", f"{first.stem}({part}){first.suffix}"


def _parts_beside(first: Path, header: Header) -> Iterator[str]:
    """The following parts of a document that lie beside its first file."""
    for part in range(1, MAX_PARTS + 1):
        name = next((name for name in _spellings(first, part) if _is_part(first.with_name(name), header, part)), "")
        if not name:
            return
        yield name


def _is_part(path: Path, header: Header, part: int) -> bool:
    try:
        found = _header_of(path)
    except OSError:
        return False
    return found is not None and found.part == part and found.document == header.document


def _follow_parts(
    directory: Path, look: _Found, members: tuple[str, ...], missing: dict[str, None], wrong: list[str]
) -> None:
    """The other files in which the directory of one file lists images: are they there, the right ones, and whole?"""
    if look.header is None:
        return
    first = _first_of(look.name, look.header.part)
    if look.header.part and first:
        missing |= dict.fromkeys(absent(directory, (first,)))
    if look.header.part:
        return
    for part, last in sorted(look.last.items()):
        if not part:
            continue
        spellings = _spellings(directory / look.name, part)
        name = next((name for name in spellings if is_there(directory / name)), "")
        if not name:
            missing[spellings[0]] = None
        elif not _is_part(directory / name, look.header, part):
            wrong.append(f"{name}: it is not part {part} of the document {look.name}")
        elif (size := (directory / name).stat().st_size) < last + _HEADER_BYTES:
            wrong.append(f"{name}: {cut_off('an image that its document lists', last + _HEADER_BYTES, size)}")
        elif name not in members:
            wrong.append(f"{name}: unfinished: it belongs to the document {look.name}, and is not in its set yet")


def _examine(path: Path, name: str) -> _Found:
    found = _Found(name)
    with open_file(path) as file:
        try:
            _Check(file, found).run()
        except Unsound as problem:
            found.problems.append(str(problem))
        except TooLarge as reason:
            found.unsure = str(reason)
    return found


class _Check:
    """One file, looked at in the order in which a person would want to hear what is wrong."""

    def __init__(self, file: BinaryIO, found: _Found) -> None:
        self._file = file
        self._size = size_of(file)
        self._found = found
        self._images: set[int] | None = None

    def run(self) -> None:
        header = self._found.header = header_of(self._file, self._size)
        self._segments()
        # A following part holds images only; its first file has the rest (openreadout, Multi-file documents).
        if header.directory > 0 or not header.part:
            self._directory(header.directory, header.part)
        if header.metadata > 0 or not header.part:
            self._xml(header.metadata)
        if header.attachments > 0:
            self._attachments(header.attachments)

    def _segments(self) -> None:
        """The chain of segments ends exactly with the file, as in all 15 real ones that were looked at."""
        images: set[int] = set()
        position = count = 0
        while position < self._size:
            if count >= MAX_SEGMENTS:
                return  # its directory says where the images are
            mark, allocated = self._segment(position)
            if mark == _SUBBLOCK:
                images.add(position)
            position += _HEADER_BYTES + allocated
            count += 1
            if position > self._size:
                raise cut_off(f"the segment {mark.decode()}", position, self._size)
        self._images = images

    def _segment(self, position: int) -> tuple[bytes, int]:
        mark, allocated = unpack_at(self._file, "<16sq8x", position, "the header of a segment", self._size)
        mark = mark.rstrip(b"\0")
        if not mark and not allocated:
            raise Unsound(f"unfinished: from byte {position} on nothing has been written yet")
        if mark not in _KNOWN or allocated < 0:
            raise Unsound(f"damaged: at byte {position} no segment begins, as one should")
        return mark, allocated

    def _at(self, position: int, mark: bytes, what: str) -> int:
        """Where the data of a segment begins that the header points to."""
        if position <= 0:
            raise Unsound(f"unfinished: {what} has not been written yet")
        if position + _HEADER_BYTES > self._size:
            raise cut_off(what, position + _HEADER_BYTES, self._size)
        found, _ = self._segment(position)
        if found != mark:
            raise Unsound(f"damaged: {what} is not at byte {position}, where it should be")
        return position + _HEADER_BYTES

    def _directory(self, position: int, own_part: int) -> None:
        what = "the directory of its images"
        lasts, listed = self._found.last, set[int]()
        for entry in entries(self._file, self._at(position, _DIRECTORY, what), self._size):
            self._count(entry)
            lasts[entry.part] = max(lasts.get(entry.part, 0), entry.where)
            if entry.part == own_part:
                self._image_at(entry.where)
                listed.add(entry.where)
        if self._images is not None:
            self._found.unlisted = len(self._images - listed)
        elif own_part in lasts:
            _, allocated = self._segment(lasts[own_part])
            if (end := lasts[own_part] + _HEADER_BYTES + allocated) > self._size:
                raise cut_off("its last image", end, self._size)

    def _count(self, entry: Entry) -> None:
        for name in "ZCT":
            if name in entry.axes:
                first, length, _ = entry.axes[name]
                self._found.extent[name] = max(self._found.extent.get(name, 0), first + length)
        self._found.compression = max(self._found.compression, entry.compression)

    def _image_at(self, where: int) -> None:
        if self._images is not None and where in self._images:
            return
        if where + _HEADER_BYTES > self._size:
            raise cut_off("an image that its directory lists", where + _HEADER_BYTES, self._size)
        if self._images is not None or where <= 0:
            raise Unsound(f"damaged: its directory lists an image at byte {where}, and there is none")

    def _xml(self, position: int) -> None:
        start = self._at(position, _METADATA, "its description (XML)")
        (length,) = unpack_at(self._file, "<i", start, "its description (XML)", self._size)
        if length < 0 or start + _XML_AT + length > self._size:
            raise cut_off("its description (XML)", start + _XML_AT + max(length, 0), self._size)
        visit(pieces(self._file, start + _XML_AT, length), self._found.xml, "its description (XML)")

    def _attachments(self, position: int) -> None:
        start = self._at(position, _ATTACHMENTS, "the directory of its attachments")
        for where, part, _, _ in attachments(self._file, start, self._size):
            if not part:
                self._at(where, _ATTACHMENT, "an attachment")
