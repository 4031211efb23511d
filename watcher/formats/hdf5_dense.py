"""The members of a large HDF5 group, which newer libraries keep in a fractal heap with an index over their names.

Imaris writes every group of more than eight members (time points, most of all) so, since it asks for the 1.8 format.
Facts: "HDF5 File Format Specification Version 3.0", III.A.2 (version 2 B-trees, record type 5) and III.G (fractal
heap: doubling table of blocks, managed objects).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from watcher.formats.hdf5 import Enough, Hdf5
from watcher.formats.reading import Unsound

_NAME_INDEX: Final = 5
_MAX_BLOCK: Final = 1 << 20
#: Blocks that are kept: the index is in the order of hashes, so neighbours in it lie in different blocks.
_KEPT: Final = 24
_MAX_DEPTH: Final = 16
_CHECKSUM: Final = 4


def links(one: Hdf5, heap: int, tree: int) -> Iterator[tuple[str, int]]:
    """Names and addresses of what is in the group. Raises Unsound and Enough as the methods of Hdf5."""
    store = _Heap(one, heap)
    for record in _records(one, tree):
        yield one.link(store.get(record[4:]))


def _records(one: Hdf5, address: int) -> Iterator[bytes]:
    """The records of a version 2 B-tree, of which each is a hash of the name and the place in the heap."""
    width, span = one.superblock.width, one.superblock.span
    head = one.read(address, 16 + width + 2 + span, "the index of a group")
    if head[:4] != b"BTHD" or head[5] != _NAME_INDEX:
        raise Unsound("damaged: the index of a group is not where it should be")
    node_size, record, depth = one.number(head, 6, 4), one.number(head, 10, 2), one.number(head, 12, 2)
    root, count = one.address(head, 16), one.number(head, 16 + width, 2)
    if root is None or not count:
        return
    if record <= 4 or node_size > _MAX_BLOCK or depth > _MAX_DEPTH:
        raise Unsound("damaged: the index of a group makes no sense")
    pointers = _pointers(node_size, record, depth, width)
    waiting = [(root, count, depth)]
    while waiting:
        place, count, level = waiting.pop()
        one.node()
        count_bytes, total_bytes = pointers[level]
        step = width + count_bytes + total_bytes
        length = 6 + count * record + ((count + 1) * step if level else 0)
        data = one.read(place, length, "the index of a group")
        if data[:4] != (b"BTIN" if level else b"BTLF"):
            raise Unsound("damaged: a part of the index of a group is not where it should be")
        yield from (data[at : at + record] for at in range(6, 6 + count * record, record))
        waiting.extend(
            (one.number(data, at, width), one.number(data, at + width, count_bytes), level - 1)
            for at in range(6 + count * record, length, step)
        )


def _pointers(node_size: int, record: int, depth: int, width: int) -> list[tuple[int, int]]:
    """The bytes of the two counts that stand beside each child, by level: as many as the largest count needs."""
    fixed = 6 + _CHECKSUM
    total = max(0, node_size - fixed) // record
    count_bytes = _bytes_for(total)  # the leaves hold the most
    result = [(0, 0)]
    for level in range(1, depth + 1):
        total_bytes = _bytes_for(total) if level > 1 else 0
        result.append((count_bytes, total_bytes))
        step = width + count_bytes + total_bytes
        most = max(0, node_size - fixed - step) // (record + step)
        total = (most + 1) * total + most
    return result


def _bytes_for(value: int) -> int:
    return max(1, (value.bit_length() + 7) // 8)


@dataclass(frozen=True, slots=True)
class _Block:
    """A direct block: what part of the heap's own address space it holds."""

    start: int
    data: bytes


class _Heap:
    """A fractal heap, of which blocks are read when an object in them is asked for."""

    def __init__(self, one: Hdf5, address: int) -> None:
        width, span = one.superblock.width, one.superblock.span
        head = one.read(address, 22 + 12 * span + 3 * width, "the members of a group")
        if head[:4] != b"FRHP":
            raise Unsound("damaged: the members of a group are not where they should be")
        if one.number(head, 7, 2):
            raise Enough("a group's members are compressed")
        self._one = one
        self._largest_object = one.number(head, 10, 4)
        at = 14 + span + width + span + width + 8 * span  # to the doubling table
        self._columns = one.number(head, at, 2)
        self._first = one.number(head, at + 2, span)
        self._largest = one.number(head, at + 2 + span, span)
        self._bits = one.number(head, at + 2 + 2 * span, 2)
        self._root = one.address(head, at + 6 + 2 * span)
        self._rows = one.number(head, at + 6 + 2 * span + width, 2)
        if not (0 < self._columns <= 1024 and 0 < self._first <= self._largest <= _MAX_BLOCK and self._bits <= 64):
            raise Unsound("damaged: the members of a group are kept in a way that makes no sense")
        self._blocks: list[_Block] = []

    def get(self, identity: bytes) -> bytes:
        """The object of a heap ID: flags, offset and length (only managed objects: links are small)."""
        if identity[0] >> 4 & 3:
            raise Enough("a group has a member with a name that is kept apart")
        wide = -(-self._bits // 8)
        offset = self._one.number(identity, 1, wide)
        length = self._one.number(
            identity, 1 + wide, min(_bytes_for(min(self._largest, self._largest_object)), len(identity) - 1 - wide)
        )
        block = next((one for one in self._blocks if one.start <= offset < one.start + len(one.data)), None)
        if block is None:
            block = self._find(offset)
            self._blocks = [block, *self._blocks[:_KEPT]]
        at = offset - block.start
        if at + length > len(block.data):
            raise Unsound("damaged: a member of a group is cut off")
        return block.data[at : at + length]

    def _find(self, offset: int) -> _Block:
        """The direct block that holds an offset."""
        if self._root is None:
            raise Unsound("damaged: a group lists members and holds none")
        if not self._rows:
            return self._direct(self._root, 0, self._first)
        address, start, rows = self._root, 0, self._rows
        while True:
            row, column, size, begin = self._place(offset - start)
            child = self._child(address, rows, row, column)
            start += begin
            if size <= self._largest:
                return self._direct(child, start, size)
            address, rows = child, (size // self._first // self._columns).bit_length()

    def _place(self, offset: int) -> tuple[int, int, int, int]:
        """Row, column, size and start of the block with this offset in the doubling table."""
        row, size, begin = 0, self._first, 0
        while offset >= begin + size * self._columns:
            begin += size * self._columns
            size *= 2 if row else 1
            row += 1
            if row > 64:
                raise Unsound("damaged: a member of a group is at an impossible place")
        column = (offset - begin) // size
        return row, column, size, begin + column * size

    def _child(self, address: int, rows: int, row: int, column: int) -> int:
        if row >= rows:
            raise Unsound("damaged: a member of a group is at an impossible place")
        self._one.node()
        width = self._one.superblock.width
        at = 5 + width + -(-self._bits // 8)
        data = self._one.read(address, at + (row * self._columns + column + 1) * width, "the members of a group")
        child = self._one.address(data, len(data) - width)
        if data[:4] != b"FHIB" or child is None:
            raise Unsound("damaged: the members of a group are not where they should be")
        return child

    def _direct(self, address: int, start: int, size: int) -> _Block:
        self._one.node()
        data = self._one.read(address, size, "the members of a group")
        if data[:4] != b"FHDB":
            raise Unsound("damaged: the members of a group are not where they should be")
        return _Block(start, data)
