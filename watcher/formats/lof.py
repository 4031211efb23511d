"""Leica LOF: one image in one file, whose XML is written last; a part of an XLEF project, or alone.

Layout: openreadout docs/formats/lif.md "LOF (single object)"; liffile, which also says that the XML of older files is
a bare Data element. No real file has been seen (reference/image-formats.md, section 6).
"""

import struct
from pathlib import Path
from typing import BinaryIO, Final

from watcher.formats.base import Claim, Examination
from watcher.formats.leica import BLOCK, ITEM, plane, read_text, text_block
from watcher.formats.leica_look import Look, examine
from watcher.formats.plane import Picture
from watcher.formats.reading import Unsound, cut_off, open_file, size_of, unpack_at

_NAME = "LMS_Object_File"
_START = struct.pack("<IIBI", BLOCK, 2 * len(_NAME) + 5, ITEM, len(_NAME)) + _NAME.encode("utf-16-le")
_HEADER, _DATA, _XML = "its header", "its image data", "its description (XML)"
_ROOTS = ("LMSDataContainerHeader", "Data")


class Lof:
    """A LOF file."""

    name = "lof"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the Protocol gives it
        """Whether it begins with the text block that says so."""
        return head.startswith(_START)

    def claim(self, path: Path) -> Claim:
        """Itself; the project that it is a part of names it."""
        return Claim(self.name, (path.name,), title=path.stem)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """The image data is as long as its header says, the XML is behind it, and they speak of the same amount."""
        return examine(directory, members, _check, "lof:data+xml")

    def picture(self, path: Path) -> Picture | None:
        """The plane in the middle."""
        with open_file(path) as file:
            size = size_of(file)
            start, length = _data(file, size)
            xml = read_text(file, text_block(file, start + length, size, _XML), _XML)
            found = plane(path, start, length, xml)
            return (found,) if found else None


FORMAT: Final = Lof()


def data_length(file: BinaryIO) -> int:
    """How many bytes of image data an open LOF holds. Raises Unsound if it is none."""
    return _data(file, size_of(file))[1]


def _data(file: BinaryIO, size: int) -> tuple[int, int]:
    """Where the image data begins, and its length: they stand behind the name and two version numbers."""
    text = text_block(file, 0, size, _HEADER)
    form = "<BIBIBQ"
    first, _, second, _, third, length = unpack_at(file, form, text.end, _HEADER, size)
    if not first == second == third == ITEM:
        raise Unsound(f"damaged: {_HEADER} does not say how long {_DATA} is")
    return text.end + struct.calcsize(form), length


def _check(file: BinaryIO, found: Look) -> None:
    size = size_of(file)
    start, length = _data(file, size)
    if start + length > size:
        raise cut_off(_DATA, start + length, size)
    if start + length == size:
        raise Unsound(f"unfinished: {_XML}, which is written last, is not there yet")
    text = text_block(file, start + length, size, _XML)
    found.xml = read_text(file, text, _XML)
    if found.xml.root not in _ROOTS:
        raise Unsound(f"damaged: {_XML} is of another kind of document")
    described = max((memory.size for memory in found.xml.memory.values()), default=0)
    if described > length:
        raise Unsound(f"incomplete: {_XML} speaks of {described} bytes of image data, it has {length}")
    if text.end < size:
        found.remarks.append(f"{size - text.end} bytes follow its description, and were not looked at")
