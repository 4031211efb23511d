"""HDF5: the superblock says where the file ends and whether somebody has it open; a small reader finds groups in it.

Facts: "HDF5 File Format Specification Version 3.0" (HDF Group), sections II.A superblock, III.A-E B-trees, symbol
tables and local heaps, IV.A object headers and messages; behaviour while a file is open: reference/image-formats.md
2.7 (h5py experiment). Dense groups (fractal heaps, section III.G) are read by `hdf5_dense`. Pixels are never read.
"""

import math
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from watcher.formats.base import Claim, Examination
from watcher.formats.metadata import MAX_TEXT
from watcher.formats.plane import Picture
from watcher.formats.reading import Unsound, cut_off, open_file, read_at, size_of

SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
#: What one reading of a file may look at, which keeps the worst file to about a second; a real one that is larger is
#: checked as far as that.
MAX_MESSAGES: Final = 400_000
MAX_NODES: Final = 20_000
MAX_CHUNKS: Final = 150_000
#: Bytes of one block of an object header; a real one is a few hundred.
MAX_BLOCK: Final = 1 << 20
MAX_LINKS: Final = 100_000
#: Bytes of lists and headers that are read of one file.
MAX_BYTES: Final = 256 << 20
#: Links that lead to another file or by a name, of which only the existence is known.
ELSEWHERE: Final = -1

_MAX_USER_BLOCK = 1 << 30
_MAX_RANK = 32
# Message types, specification section IV.A.2
_DATASPACE, _LINK_INFO, _LINK, _LAYOUT, _ATTRIBUTE, _CONTINUED, _SYMBOL_TABLE = 1, 2, 6, 8, 12, 16, 17
_WRITING, _SWMR = 1, 4  # file consistency flags, section II.A, version 3
_STRING = 3  # class of a datatype message


class Enough(Exception):
    """The file may be right, but this reader does not go on; the text says why."""


@dataclass(frozen=True, slots=True)
class Superblock:
    """What the first block of a file says. base: its own place; end: the byte after the last one, counted in the file;
    root: the address of the root group; width and span: bytes of an address and of a length.
    """

    version: int
    base: int
    width: int
    span: int
    flags: int
    end: int
    root: int


def superblock_at(head: bytes) -> int | None:
    """Where in the head the HDF5 signature stands; None if it does not (user blocks of 1 KiB and more hide it)."""
    return next((at for at in (0, 512) if head[at : at + 8] == SIGNATURE), None)


class Hdf5:
    """An open HDF5 file. Every method raises Unsound for what cannot be true, and Enough where it cannot go on."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = size_of(file)
        self.superblock = self._superblock()
        self._messages_left = MAX_MESSAGES
        self.nodes_left = MAX_NODES
        self._chunks_left = MAX_CHUNKS
        self._bytes_left = MAX_BYTES

    def closed(self) -> None:
        """Raise Unsound if the superblock contradicts the size, or says that a program still writes."""
        block = self.superblock
        if block.flags & (_WRITING | _SWMR):
            raise Unsound("unfinished: it is marked as open for writing (or the program that wrote it crashed)")
        if block.end > self.size:
            raise cut_off("its data", block.end, self.size)
        if block.end < self.size:
            raise Unsound(f"unfinished: it says that it ends at byte {block.end}, the file has {self.size}")

    def read(self, address: int, length: int, what: str) -> bytes:
        """Bytes at an address."""
        self._bytes_left -= length
        if self._bytes_left < 0 and self.superblock.base + address + length <= self.size:
            raise Enough("its lists are longer than is looked at; what was seen is right")
        return read_at(self._file, self.superblock.base + address, length, what, self.size)

    def child(self, address: int, *names: str) -> int | None:
        """The address of what is reached by these names; None if it is not there."""
        for name in names:
            found = self.links(address).get(name)
            if found is None or found == ELSEWHERE:
                return found
            address = found
        return address

    def links(self, address: int) -> dict[str, int]:
        """What is in the group at this address: names and addresses."""
        found: dict[str, int] = {}
        for kind, data in self.messages(address):
            if kind == _LINK:
                found.update([self.link(data)])
            elif kind == _SYMBOL_TABLE:
                found.update(self._symbol_table(data))
            elif kind == _LINK_INFO:
                found.update(self._dense_links(data))
            if len(found) > MAX_LINKS:
                raise Enough(f"a group has more than {MAX_LINKS} members")
        return found

    def everything(self) -> int:
        """Look at every object that can be reached from the root, and return how many datasets there are."""
        datasets = 0
        waiting = [(self.superblock.root, "")]
        seen = {self.superblock.root}
        while waiting:
            address, path = waiting.pop()
            if any(kind == _LAYOUT for kind, _ in self.messages(address)):
                self.dataset(address, f"the data of {path[-200:]}")
                datasets += 1
                continue
            for name, target in self.links(address).items():
                if target != ELSEWHERE and target not in seen:
                    seen.add(target)
                    waiting.append((target, f"{path}/{name}"[-300:]))
        return datasets

    def attributes(self, address: int) -> dict[str, str]:
        """The attributes at this address that are text, also as an array of single letters; others are "" """
        found: dict[str, str] = {}
        for kind, data in self.messages(address):
            if kind == _ATTRIBUTE:
                name, value = self._attribute(data)
                found[name] = value
        return found

    def dataset(self, address: int, what: str) -> tuple[int, ...]:
        """The shape of a dataset whose data, as far as it says where they are, lie in the file; chunks one by one."""
        shape: tuple[int, ...] | None = None
        layout: bytes | None = None
        for kind, data in self.messages(address):
            if kind == _DATASPACE:
                shape = self.shape(data)
            elif kind == _LAYOUT:
                layout = data
        if layout is None or shape is None:
            raise Unsound(f"damaged: {what} have no size or no place")
        self._stored(layout, what)
        return shape

    def number(self, data: bytes, at: int, width: int) -> int:
        """An unsigned number in a block."""
        if at + width > len(data):
            raise Unsound("damaged: an entry is longer than the block that holds it")
        return int.from_bytes(data[at : at + width], "little")

    def address(self, data: bytes, at: int) -> int | None:
        """An address in a block; None if it is the undefined one."""
        width = self.superblock.width
        value = self.number(data, at, width)
        return None if value == (1 << 8 * width) - 1 else value

    def link(self, data: bytes) -> tuple[str, int]:
        """The name and the target of a link message (section IV.A.2.g)."""
        if len(data) < 2 or data[0] != 1:
            raise Enough("a link is of an unknown version")
        flags, at, kind = data[1], 2, 0
        if flags & 8:
            kind, at = self.number(data, at, 1), at + 1
        at += (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
        wide = 1 << (flags & 3)
        length, at = self.number(data, at, wide), at + wide
        if at + length > len(data):
            raise Unsound("damaged: the name of a group member is cut off")
        name = data[at : at + length].decode("utf-8", "replace")
        if kind:
            return name, ELSEWHERE
        target = self.address(data, at + length)
        return name, ELSEWHERE if target is None else target

    def node(self) -> None:
        """Count one block of a tree. Raises Enough when there are too many, as in a circle."""
        self.nodes_left -= 1
        if self.nodes_left < 0:
            raise Enough("its lists are longer than is looked at; what was seen is right")

    def _superblock(self) -> Superblock:
        base = 0
        while read_at(self._file, base, 8, "the header", self.size) != SIGNATURE:
            base = base * 2 or 512
            if base > min(self.size - 8, _MAX_USER_BLOCK):
                raise Unsound("damaged: it does not begin as HDF5 files do")
        head = read_at(self._file, base, 16, "the header", self.size)
        version = head[8]
        if version > 3:
            raise Enough(f"HDF5 with a superblock of version {version}")
        old = version < 2
        width, span = (head[13], head[14]) if old else (head[9], head[10])
        if width not in (2, 4, 8) or span not in (2, 4, 8):
            raise Unsound("damaged: the header gives an impossible size of addresses")
        start = (24 if version == 0 else 28) if old else 12
        count = 6 if old else 4
        raw = read_at(self._file, base + start, count * width, "the header", self.size)
        places = [int.from_bytes(raw[at : at + width], "little") for at in range(0, len(raw), width)]
        end, root = (places[2], places[5]) if old else (places[2], places[3])
        # The stated end counts from the start of the file, as the base does; both move if bytes were put before it
        return Superblock(version, base, width, span, 0 if old else head[11], end + base - places[0], root)

    def messages(self, address: int) -> Iterator[tuple[int, bytes]]:
        """The messages of the object header at this address; shared ones, which point elsewhere, are left out."""
        head = self.read(address, 16, "the header of an object")
        if head[:4] == b"OHDR":
            blocks, entry = self._header_2(address, head)
        elif head[0] == 1:
            blocks, entry = [(address + 16, struct.unpack_from("<I", head, 8)[0])], 8
        else:
            raise Unsound(f"damaged: there is no object at byte {self.superblock.base + address}")
        seen = set(blocks)
        while blocks:
            start, length = blocks.pop(0)
            if length > MAX_BLOCK:
                raise Unsound("damaged: the header of an object is longer than any real one")
            data = self.read(start, length, "the header of an object")
            for kind, body in self._entries(data, entry):
                if kind != _CONTINUED:
                    yield kind, body
                    continue
                width = self.superblock.width
                more = self.number(body, 0, width), self.number(body, width, self.superblock.span)
                if entry != 8:
                    if self.read(more[0], 4, "the header of an object") != b"OCHK":
                        raise Unsound("damaged: the header of an object does not go on where it says")
                    more = more[0] + 4, max(0, more[1] - 8)
                if more in seen:
                    raise Unsound("damaged: the header of an object goes round in a circle")
                seen.add(more)
                blocks.append(more)

    def _header_2(self, address: int, head: bytes) -> tuple[list[tuple[int, int]], int]:
        flags = head[5]
        at = 6 + (16 if flags & 32 else 0) + (4 if flags & 16 else 0)
        wide = 1 << (flags & 3)
        length = int.from_bytes(self.read(address + at, wide, "the header of an object"), "little")
        # Six bytes before each message where the order of creation is tracked, else four
        return [(address + at + wide, length)], 6 if flags & 4 else 4

    def _entries(self, data: bytes, entry: int) -> Iterator[tuple[int, bytes]]:
        at = 0
        while at + entry <= len(data):
            self._messages_left -= 1
            if self._messages_left < 0:
                raise Enough("it holds more objects than are looked at; what was seen is right")
            if entry == 8:
                kind, length, flags = struct.unpack_from("<HHB", data, at)
            else:
                kind, length, flags = struct.unpack_from("<BHB", data, at)
            at += entry
            if at + length > len(data):
                raise Unsound("damaged: an entry is longer than the block that holds it")
            if not flags & 2:
                yield kind, data[at : at + length]
            at += length

    def _symbol_table(self, data: bytes) -> Iterator[tuple[str, int]]:
        """The members of an old group: names in a local heap, addresses in the leaves of a B-tree."""
        width, span = self.superblock.width, self.superblock.span
        tree, heap = self.number(data, 0, width), self.number(data, width, width)
        head = self.read(heap, 8 + 2 * span + width, "the names of a group")
        if head[:4] != b"HEAP":
            raise Unsound("damaged: the names of a group are not where they should be")
        names = self.read(self.number(head, 8 + 2 * span, width), min(self.number(head, 8, span), 16 << 20), "names")
        entry = 2 * width + 24
        for leaf in self._leaves(tree, 0, span):
            node = self.read(leaf, 8, "the list of a group")
            if node[:4] != b"SNOD":
                raise Unsound("damaged: the list of a group is not where it should be")
            count = int.from_bytes(node[6:8], "little")
            rows = self.read(leaf + 8, count * entry, "the list of a group")
            for at in range(0, len(rows), entry):
                start = self.number(rows, at, width)
                stop = names.find(b"\0", start)
                if start >= len(names) or stop < 0:
                    raise Unsound("damaged: the name of a group member is cut off")
                target = self.address(rows, at + width)
                yield names[start:stop].decode("utf-8", "replace"), ELSEWHERE if target is None else target

    def _leaves(self, root: int, kind: int, key: int) -> Iterator[int]:
        """What the leaves of a version 1 B-tree point to (section III.A.1); `key` is the length of its keys."""
        for data, level, count in self.tree(root, kind, key):
            if level == 0:
                width = self.superblock.width
                yield from (self.number(data, key + at * (key + width), width) for at in range(count))

    def tree(self, root: int, kind: int, key: int) -> Iterator[tuple[bytes, int, int]]:
        """The nodes of a version 1 B-tree: what stands behind the head, the level, and how many children."""
        width = self.superblock.width
        waiting: list[tuple[int, int | None]] = [(root, None)]
        while waiting:
            address, above = waiting.pop()
            self.node()
            head = self.read(address, 8 + 2 * width, "a list")
            level, count = head[5], int.from_bytes(head[6:8], "little")
            if head[:4] != b"TREE" or head[4] != kind or (above is not None and level != above - 1):
                raise Unsound(
                    f"damaged: there is no list at byte {self.superblock.base + address}, where one should be"
                )
            data = self.read(address + len(head), count * (key + width), "a list")
            yield data, level, count
            if level:
                step = key + width
                waiting.extend((self.number(data, key + at * step, width), level) for at in range(count))

    def _dense_links(self, data: bytes) -> Iterable[tuple[str, int]]:
        at = 2 + (8 if len(data) > 1 and data[1] & 1 else 0)
        heap = self.address(data, at)
        tree = self.address(data, at + self.superblock.width)
        if heap is None or tree is None:
            return ()
        from watcher.formats.hdf5_dense import links

        return links(self, heap, tree)

    def shape(self, data: bytes) -> tuple[int, ...]:
        """The sizes in a dataspace message."""
        if len(data) < 4 or data[0] not in (1, 2) or data[1] > _MAX_RANK:
            raise Unsound("damaged: the size of a dataset makes no sense")
        at, span = (8 if data[0] == 1 else 4), self.superblock.span
        return tuple(self.number(data, at + axis * span, span) for axis in range(data[1]))

    def _attribute(self, data: bytes) -> tuple[str, str]:
        """The name and the text of an attribute (section IV.A.2.m)."""
        if len(data) < 9 or data[0] not in (1, 2, 3):
            raise Unsound("damaged: an attribute is cut off")
        name_size, type_size, space_size = struct.unpack_from("<HHH", data, 2)
        pad = 8 if data[0] == 1 else 1
        at = 9 if data[0] == 3 else 8
        kind_at = at + -(-name_size // pad) * pad
        space_at = kind_at + -(-type_size // pad) * pad
        value_at = space_at + -(-space_size // pad) * pad
        name = data[at : at + name_size].split(b"\0")[0].decode("utf-8", "replace")
        if (data[0] > 1 and data[1]) or value_at > len(data) or data[kind_at] & 15 != _STRING:
            return name, ""
        length = self.number(data, kind_at + 4, 4) * math.prod(self.shape(data[space_at:value_at]))
        raw = data[value_at : value_at + min(length, 4 * MAX_TEXT)]
        return name, raw.split(b"\0")[0].decode("utf-8", "replace").strip()[:MAX_TEXT]

    def _stored(self, data: bytes, what: str) -> None:
        """The data of a dataset lie in the file (layout message, section IV.A.2.i)."""
        version, width, span = self.number(data, 0, 1), self.superblock.width, self.superblock.span
        if version not in (3, 4):
            return  # written before HDF5 1.6.3
        kind = self.number(data, 1, 1)
        if kind == 1 and (start := self.address(data, 2)) is not None:
            self._inside(start, self.number(data, 2 + width, span), what)
        elif kind == 2 and version == 3:
            rank, tree = self.number(data, 2, 1), self.address(data, 3)
            if tree is not None:
                self._chunks(tree, rank, what)

    def _chunks(self, tree: int, rank: int, what: str) -> None:
        key, width = 8 + 8 * rank, self.superblock.width
        for data, level, count in self.tree(tree, 1, key):
            if level:
                continue
            self._chunks_left -= count
            if self._chunks_left < 0:
                raise Enough("it has more chunks than are looked at; those that were are in the file")
            for at in range(0, count * (key + width), key + width):
                self._inside(self.number(data, at + key, width), self.number(data, at, 4), what)

    def _inside(self, start: int, length: int, what: str) -> None:
        if self.superblock.base + start + length > self.size:
            raise cut_off(what, self.superblock.base + start + length, self.size)


class AnyHdf5:
    """HDF5 files of no family that is known better: each is a set of its own."""

    name = "hdf5"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the Protocol gives it
        """Whether the file begins as HDF5, or does so behind a user block of 512 bytes."""
        return superblock_at(head) is not None

    def claim(self, path: Path) -> Claim:
        """Itself, as the family that its groups show; its stem is the title."""
        return Claim(kind_of(path), (path.name,), title=path.stem)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """The superblock agrees with the size, nobody writes, and what the groups hold lies in the file."""
        return verdict("hdf5:objects", [(name, *check(directory / name)) for name in members])

    def picture(self, path: Path) -> Picture | None:
        """A plane of the image that is large enough."""
        from watcher.formats.hdf5_plane import picture  # imported here, since it uses this module

        return picture(path)


def check(path: Path) -> tuple[str, str]:
    """What is wrong with an HDF5 file as such, and why that cannot be told; "" for nothing."""
    with open_file(path) as file:
        try:
            one = Hdf5(file)
            one.closed()
            one.everything()
        except Unsound as problem:
            return str(problem), ""
        except Enough as reason:
            return "", str(reason)
    return "", ""


def verdict(checked: str, found: Iterable[tuple[str, str, str]]) -> Examination:
    """The examination that follows from (name, problem, why it cannot be told) of each file."""
    rows = list(found)
    problems = tuple(f"{name}: {problem}" for name, problem, _ in rows if problem)
    unsure = next((f"unchecked: {name}: {reason}" for name, _, reason in rows if reason), "")
    if problems:
        return Examination(sound=False, problems=problems, checked=checked)
    return Examination(sound=None if unsure else True, checked=unsure or checked)


def kind_of(path: Path) -> str:
    """Which family an HDF5 file is of: what its root group holds decides; where that cannot be read yet, its name."""
    lower = path.name.lower()
    with open_file(path) as file:
        try:
            one = Hdf5(file)
            links = one.links(one.superblock.root)
            attributes = one.attributes(one.superblock.root)
        except (Unsound, Enough):
            links, attributes = {}, {}
    if {"DataSet", "DataSetInfo"} & links.keys() and ("ImarisDataSet" in attributes or lower.endswith(".ims")):
        return "ims"
    if "__DATA_TYPES__" in links or {"s00", "t00000"} <= links.keys():
        return "bdv"
    if {"Data", "Version"} <= links.keys() or "version_major" in attributes:
        return "emd"
    if lower.endswith(".lux.h5") and ("Data" in links or not links):
        return "luxendo"
    by_name = {".ims": "ims", ".emd": "emd"}
    return "hdf5" if links else next((kind for end, kind in by_name.items() if lower.endswith(end)), "hdf5")


FORMAT: Final = AnyHdf5()
