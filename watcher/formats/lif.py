"""Leica LIF: a project of many images in one file, whose list stands at the front; and its sidecar, LIFEXT.

Layout: openreadout docs/formats/lif.md "Byte layout"; liffile. That the blocks end with the file, and are those that
the XML lists, holds in real files: reference/image-formats.md 2.3. LAS X writes the whole project again at each save:
the list is there at once and the images follow, so that a file being saved lacks images; and a file that was complete
may grow again, which is a new version of the set.
"""

import struct
from pathlib import Path
from typing import BinaryIO, Final

from watcher.formats.absent import is_there
from watcher.formats.base import Claim, Examination
from watcher.formats.leica import BLOCK, ITEM, Memory, plane, read_text, text_block
from watcher.formats.leica_look import Look, examine
from watcher.formats.plane import Picture
from watcher.formats.reading import Unsound, cut_off, open_file, read_at, size_of, unpack_at
from watcher.formats.vendor_xml import TooLarge

#: Blocks that are walked: keeps the worst file below about a second.
MAX_BLOCKS: Final = 100_000
#: Characters of a block's identifier; real ones look like MemBlock_312.
MAX_IDENTIFIER: Final = 256
_LIST = "the list of its images (XML)"
_ROOTS = ("LMSDataContainerHeader", "LMSDataContainerEnhancedHeader")
_SIDECAR = ".lifext"


class Lif:
    """A LIF project, with its LIFEXT sidecar if it has one."""

    name = "lif"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the Protocol gives it
        """Whether it begins with a text block that holds XML of a Leica project."""
        if len(head) < 15 or head[:4] != struct.pack("<I", BLOCK) or head[8] != ITEM:
            return False
        text = head[13:].decode("utf-16-le", "replace").lstrip("\ufeff\r\n\t ")
        return text.startswith(("<?xml", *(f"<{root}" for root in _ROOTS)))

    def claim(self, path: Path) -> Claim:
        """Itself and its other half: the pairing is by stem only, the files do not name each other (lif.md)."""
        if path.suffix.lower() == _SIDECAR:
            other = next(
                (name for name in (f"{path.stem}.lif", f"{path.stem}.LIF") if is_there(path.with_name(name))), ""
            )
            remarks = () if other else (f"{path.name}: the project that it belongs to is not beside it",)
            return Claim(self.name, tuple(filter(None, (path.name, other))), title=path.stem, remarks=remarks)
        sidecar = path.with_suffix(_SIDECAR)
        return Claim(self.name, (path.name, sidecar.name) if is_there(sidecar) else (path.name,), title=path.stem)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Walk the blocks of each file to its end, and compare them with those that its XML lists."""
        return examine(directory, members, _check, "lif:blocks+list", told_by=_ROOTS[0])

    def picture(self, path: Path) -> Picture | None:
        """A plane of the first image, if its data are in this file."""
        with open_file(path) as file:
            size = size_of(file)
            text = text_block(file, 0, size, _LIST)
            xml = read_text(file, text, _LIST)
            first, position = next(iter(xml.memory), ""), text.end
            for _ in range(MAX_BLOCKS):
                if not first or position >= size:
                    break
                identifier, start, length = _block(file, position, size)
                if identifier == first:
                    found = plane(path, start, length, xml)
                    return (found,) if found else None
                position = start + length
        return None


FORMAT: Final = Lif()


def _check(file: BinaryIO, found: Look) -> None:
    size = size_of(file)
    text = text_block(file, 0, size, _LIST)
    too_large = ""
    try:
        found.xml = read_text(file, text, _LIST)
    except TooLarge as reason:  # the blocks can be walked all the same
        too_large = str(reason)
    blocks = _blocks(file, text.end, size, found.xml.memory)
    if too_large:
        raise TooLarge(too_large)
    if found.xml.root not in _ROOTS:
        raise Unsound(f"damaged: {_LIST} is of another kind of document")
    _compare(found.xml.memory, blocks)


def _blocks(file: BinaryIO, position: int, size: int, listed: dict[str, Memory]) -> dict[str, int]:
    """The memory blocks up to the end of the file: how long each is, by its identifier."""
    blocks: dict[str, int] = {}
    count = 0
    while position < size:
        if count >= MAX_BLOCKS:
            raise TooLarge(f"it has more than {MAX_BLOCKS} blocks; those were checked, the rest was not")
        identifier, start, length = _block(file, position, size)
        if (position := start + length) > size:
            image = listed[identifier].image if identifier in listed else ""
            raise cut_off(f"the data of {f'image {image!r}' if image else 'a block'}", position, size)
        blocks[identifier] = length
        count += 1
    return blocks


def _block(file: BinaryIO, position: int, size: int) -> tuple[str, int, int]:
    """A memory block's identifier, where its data begins, and how long it is.

    Its own length tells the two versions apart, with sizes of 64 and of 32 bits: a LIFEXT says version 1 and has 64.
    """
    what = "the header of a block"
    mark, length = unpack_at(file, "<II", position, what, size)
    if not mark and not length:
        raise Unsound(f"unfinished: from byte {position} on nothing has been written yet")
    if mark != BLOCK or not 10 <= length <= 14 + 2 * MAX_IDENTIFIER:
        raise Unsound(f"damaged: at byte {position} no block begins, as one should")
    header = read_at(file, position + 8, length, what, size)
    for form in ("<BQBI", "<BIBI"):
        if length < (fixed := struct.calcsize(form)):
            continue
        first, data, second, characters = struct.unpack_from(form, header)
        if first == second == ITEM and length == fixed + 2 * characters:
            return header[fixed:].decode("utf-16-le", "replace"), position + 8 + length, data
    raise Unsound(f"damaged: the header of the block at byte {position} contradicts itself")


def _compare(listed: dict[str, Memory], blocks: dict[str, int]) -> None:
    absent_images = [memory.image for identifier, memory in listed.items() if identifier not in blocks]
    if absent_images:
        raise Unsound(
            f"unfinished: {len(absent_images)} of the {len(listed)} images that it lists are not in the file yet,"
            f" the first is {absent_images[0]!r}"
        )
    for identifier, memory in listed.items():
        if blocks[identifier] != memory.size:
            raise Unsound(
                f"damaged: image {memory.image!r} should have {memory.size} bytes, and has {blocks[identifier]}"
            )
