"""Nikon ND2: chunks, and at the end a map of them that NIS-Elements writes when the acquisition is closed.

Sources: reference/image-formats.md 2.4; openreadout docs/formats/nd2.md, "Modern container"; tlambert03/nd2
src/nd2/_parse/_chunk_decode.py. Legacy files (JPEG 2000 boxes) are known by their beginning and their name, and have
no mark that would tell whether they are whole.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from watcher.formats import nd2_values
from watcher.formats.base import Claim, Examination
from watcher.formats.nd2_values import Tree
from watcher.formats.plane import Picture, Plane
from watcher.formats.reading import Unsound, cut_off, open_file, read_at, size_of

#: Entries of the map, and chunks that are visited, at their own place or on the way through a file without a map.
MAX_ENTRIES: Final = 500_000
MAX_VISITS: Final = 20_000

_MAGIC = b"\xda\xce\xbe\x0a"
_HEADER = struct.Struct("<4sIQ")
_FIRST = b"ND2 FILE SIGNATURE CHUNK NAME01!"
_MAP = b"ND2 FILEMAP SIGNATURE NAME 0001!"
_MAP_END = b"ND2 CHUNK MAP SIGNATURE 0000001!"
_LEGACY = b"\0\0\0\x0cjP  "
_NAME_MOST = 255
_BLOCK = 1 << 20
# An image begins with its time; eCompression: 0 lossless (zlib), 1 lossy, 2 none
_TIME_BYTES = 8
_LOSSLESS, _LOSSY = 0, 1
_IMAGE = re.compile(rb"ImageDataSeq\|(\d{1,10})!")
#: The chunks that describe the file: names since version 3, and the XML ones before.
_ATTRIBUTES, _PICTURE, _TEXTS, _EXPERIMENT = (
    (b"ImageAttributesLV!", b"ImageAttributes!"),
    (b"ImageMetadataSeqLV|0!", b"ImageMetadataSeq|0!"),
    (b"ImageTextInfoLV!", b"ImageTextInfo!"),
    (b"ImageMetadataLV!", b"ImageMetadata!"),
)
_WANTED = frozenset(name for names in (_ATTRIBUTES, _PICTURE, _TEXTS, _EXPERIMENT) for name in names)


class Nd2:
    """ND2: each file is a set of its own."""

    name = "nd2"

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether the file begins with ND2's first chunk, or as JPEG 2000 with the name of a legacy ND2."""
        if head.startswith(_LEGACY):
            return name.lower().endswith(".nd2")
        return head.startswith(_MAGIC) and head[16:48] == _FIRST

    def claim(self, path: Path) -> Claim:
        """Itself: an ND2 names no other file."""
        return Claim(self.name, (path.name,), title=path.stem)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Compare each member with its map of chunks. OSError passes through."""
        problems: list[str] = []
        remarks: list[str] = []
        unsure = ""
        metadata: dict[str, str] = {}
        sources: dict[str, str] = {}
        for name in members:
            try:
                with open_file(directory / name) as file:
                    found = _look(file)
            except Unsound as problem:
                problems.append(f"{name}: {problem}")
                continue
            remarks += [f"{name}: {remark}" for remark in found.remarks]
            unsure = unsure or (f"unchecked: {name}: {found.checked}" if found.sound is None else "")
            metadata, sources = {**found.metadata, **metadata}, {**found.sources, **sources}
        return Examination(
            sound=False if problems else None if unsure else True,
            problems=tuple(problems),
            checked=unsure if unsure and not problems else "nd2:chunk-map",
            metadata=metadata,
            sources=sources,
            remarks=tuple(remarks),
        )

    def picture(self, path: Path) -> Picture | None:
        """The image in the middle, with its channels as colours if it has three; none of a legacy file."""
        with open_file(path) as file:
            size = size_of(file)
            if not read_at(file, 0, 4, "the file header", size).startswith(_MAGIC):
                return None
            (place,) = struct.unpack("<Q", read_at(file, max(size - 8, 0), min(size, 8), "the end", size))
            images: dict[int, int] = {}
            contents = _Contents()
            for name, offset, _ in _entries(file, place, size):
                if image := _IMAGE.fullmatch(name):
                    images[int(image[1])] = offset
                elif name in _WANTED:
                    contents.described[name] = offset
                if len(images) >= MAX_ENTRIES:
                    break
            if not images:
                return None
            offset = images[sorted(images)[len(images) // 2]]
            header = _HEADER.unpack(read_at(file, offset, _HEADER.size, "an image", size))
            return _plane(path, _tree(file, size, contents, _ATTRIBUTES), offset, header)


FORMAT: Final = Nd2()


def _plane(path: Path, attributes: Tree, offset: int, header: tuple[bytes, int, int]) -> Picture | None:
    """The pixels of an image behind the eight bytes of its time (nd2.md, "Image data"; nd2, _chunk_decode.py)."""
    _, name_length, length = header
    bits, packed = int(attributes.number("uiBpcInMemory")), int(attributes.number("eCompression"))
    if bits not in (8, 16, 32) or packed == _LOSSY:
        return None
    start = offset + _HEADER.size + name_length + _TIME_BYTES
    return (
        Plane(
            path, start, int(attributes.number("uiWidth")), int(attributes.number("uiHeight")),
            f"<{'f' if bits == 32 else 'u'}{bits // 8}", int(attributes.number("uiComp")) or 1, bgr=False,
            row=int(attributes.number("uiWidthBytes")), packed="zlib" if packed == _LOSSLESS else "",
            length=length - _TIME_BYTES,
        ),
    )  # fmt: skip


@dataclass(slots=True)
class _Contents:
    """What the map lists: images by their number, and where the describing chunks are."""

    entries: int = 0
    images: int = 0
    seen: bytearray = field(default_factory=bytearray)
    described: dict[bytes, int] = field(default_factory=dict)


def _look(file: BinaryIO) -> Examination:
    size = size_of(file)
    if not size:
        raise Unsound("empty: the file has no bytes yet")
    head = read_at(file, 0, min(size, 48), "the file header", size)
    if head.startswith(_LEGACY):
        return Examination(None, checked="a legacy ND2 (JPEG 2000) has no mark that shows whether it is whole")
    if not head.startswith(_MAGIC) or head[16:] != _FIRST:
        raise Unsound("cut off or not an ND2 file: its first chunk is not there")
    end = read_at(file, max(size - 40, 0), min(size, 40), "the end", size)
    if end[:32] != _MAP_END:
        raise _without_map(file, size)
    (place,) = struct.unpack("<Q", end[32:])
    if not place:
        raise Unsound("unfinished: the acquisition was broken off before NIS-Elements wrote the map of its chunks")
    contents = _Contents()
    for name, offset, length in _entries(file, place, size):
        if contents.entries >= MAX_ENTRIES:
            return Examination(
                None, checked=f"the first {MAX_ENTRIES} chunks of its map were checked, the rest was not"
            )
        _check_entry(file, size, contents, (name, offset, length))
    return _verdict(file, size, contents)


def _verdict(file: BinaryIO, size: int, contents: _Contents) -> Examination:
    gap = contents.seen.find(0)
    if gap >= 0:
        last = len(contents.seen) - 1
        raise Unsound(f"incomplete: image {gap} of the images 0 to {last} is not in the file")
    if not contents.images:
        raise Unsound("incomplete: the map of its chunks lists no image")
    attributes = _tree(file, size, contents, _ATTRIBUTES)
    if not attributes:
        raise Unsound("damaged: the size of its images is not described")
    remarks: list[str] = []
    if contents.images < (planned := int(attributes.number("uiSequenceCount"))):
        remarks.append(f"it was made for {planned} images and has {contents.images}: the acquisition was stopped")
    trees = []
    for names in (_PICTURE, _TEXTS, _EXPERIMENT):
        try:
            trees.append(_tree(file, size, contents, names))
        except Unsound as problem:  # the images need only the attributes, and programs write more than is known
            trees.append(Tree())
            remarks.append(f"not described in full: {problem}")
    picture, texts, experiment = trees
    metadata, sources = nd2_values.described(attributes, picture, texts, experiment, contents.images)
    return Examination(True, metadata=metadata, sources=sources, remarks=tuple(remarks))


def _entries(file: BinaryIO, place: int, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, offset and length of each chunk that the map lists, in blocks, so that memory stays flat."""
    header = read_at(file, place, _HEADER.size, "the map of its chunks", size)
    magic, name_length, length = _HEADER.unpack(header)
    at = place + _HEADER.size + name_length
    if magic != _MAGIC or read_at(file, place + _HEADER.size, 32, "the map of its chunks", size) != _MAP:
        raise Unsound("damaged: the map of its chunks is not where the end of the file says")
    end = at + length
    if end > size:
        raise cut_off("the map of its chunks", end, size)
    data = b""
    while at < end or data:
        more = read_at(file, at, min(_BLOCK, end - at), "the map of its chunks", size)
        at += len(more)
        data += more
        position = 0
        while (stop := data.find(b"!", position, position + _NAME_MOST) + 1) and stop + 16 <= len(data):
            name = data[position:stop]
            if name == _MAP_END:
                return
            yield name, *struct.unpack_from("<QQ", data, stop)
            position = stop + 16
        data = data[position:]
        if data.startswith(_MAP_END):
            return
        if len(data) > _NAME_MOST + 16 or not more:
            break
    raise Unsound("damaged: the map of its chunks does not end where it should")


def _check_entry(file: BinaryIO, size: int, contents: _Contents, entry: tuple[bytes, int, int]) -> None:
    """A chunk that the map lists lies inside the file, and is what the map says, for the first MAX_VISITS."""
    name, offset, length = entry
    contents.entries += 1
    # Some maps repeat the offset instead of the length (nd2, get_chunkmap).
    end = offset + _HEADER.size + (0 if length == offset else length)
    if end > size:
        raise cut_off(_shown(name), end, size)
    if contents.entries <= MAX_VISITS:
        what = _shown(name)
        found = read_at(file, offset, _HEADER.size + len(name), what, size)
        if not found.startswith(_MAGIC) or found[_HEADER.size :] != name:
            raise Unsound(f"damaged: {what} is not at byte {offset}, where the map says that it is")
    if name in _WANTED:
        contents.described[name] = offset
    elif image := _IMAGE.fullmatch(name):
        number = int(image[1])
        if number >= MAX_ENTRIES:
            raise Unsound(f"damaged: it lists an image {number}, more than any file has")
        if number >= len(contents.seen):
            contents.seen.extend(bytes(number + 1 - len(contents.seen)))
        contents.images += not contents.seen[number]
        contents.seen[number] = 1


def _shown(name: bytes) -> str:
    return f"the chunk {name.decode('ascii', 'replace')[:60]}"


def _tree(file: BinaryIO, size: int, contents: _Contents, names: tuple[bytes, ...]) -> Tree:
    """A chunk that describes the file; empty if it is absent, or longer than a description is."""
    name = next((name for name in names if name in contents.described), None)
    if name is None:
        return Tree()
    offset, what = contents.described[name], f"the chunk {name.decode()}"
    _, name_length, length = _HEADER.unpack(read_at(file, offset, _HEADER.size, what, size))
    if length > nd2_values.MAX_BYTES:
        return Tree()
    return nd2_values.parse(read_at(file, offset + _HEADER.size + name_length, length, what, size), what)


def _without_map(file: BinaryIO, size: int) -> Unsound:
    """Why a file has no map: chunk by chunk, up to the one that is not whole."""
    at = images = 0
    for _ in range(MAX_VISITS):
        if at + _HEADER.size > size:
            break
        magic, name_length, length = _HEADER.unpack(read_at(file, at, _HEADER.size, "a chunk", size))
        if magic != _MAGIC:
            break
        taken = max(0, min(name_length, _NAME_MOST, size - at - _HEADER.size))
        name = read_at(file, at + _HEADER.size, taken, "a chunk", size).partition(b"!")[0].decode("ascii", "replace")
        end = at + _HEADER.size + name_length + length
        if end > size:
            return cut_off(f"the chunk {name[:60]}!", end, size)
        images += name.startswith("ImageDataSeq|")
        at = end
    return Unsound(
        f"unfinished: {images} images are whole, and the map of its chunks, which NIS-Elements writes at the end, "
        "is not there: the acquisition goes on, or was broken off"
    )
