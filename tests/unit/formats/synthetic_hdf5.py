"""Builds small HDF5 files from the published layout, in the old and the new form, since no library for it is here.

"HDF5 File Format Specification Version 3.0". Checksums are left zero: the reader does not look at them.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

SIGNATURE = b"\x89HDF\r\n\x1a\n"
NOWHERE = (1 << 64) - 1


@dataclass(frozen=True)
class Data:
    """A dataset: in one piece, or in `chunks` pieces that an index lists."""

    shape: tuple[int, ...] = (2, 4, 4)
    chunks: int = 0


Tree = Mapping[str, object]


def synthetic_hdf5(tree: Tree, version: int = 0, *, dense: bool = False, user_block: int = 0, flags: int = 0) -> bytes:
    """A file of such groups (mappings), datasets (Data), links to elsewhere (None) and attributes (names with @).

    Versions 0 and 1 have symbol tables, 2 and 3 link messages, or with `dense` heaps.
    """
    made = _Writer(version, dense)
    root = made.group(tree)
    end = len(made.data) + user_block
    if version < 2:
        head = SIGNATURE + bytes([version, 0, 0, 0, 0, 8, 8, 0]) + struct.pack("<HHI", 4, 16, 0)
        head += b"\1\0\0\0" if version else b""
        head += struct.pack("<6Q", user_block, NOWHERE, end, NOWHERE, 0, root) + bytes(24)
    else:
        head = SIGNATURE + bytes([version, 8, 8, flags]) + struct.pack("<4Q", user_block, NOWHERE, end, root) + bytes(4)
    made.data[: len(head)] = head
    return bytes(user_block) + bytes(made.data)


class _Writer:
    def __init__(self, version: int, dense: bool) -> None:
        self.data = bytearray(104)
        self.old = version < 2
        self.dense = dense

    def put(self, data: bytes) -> int:
        address = len(self.data)
        self.data += data + bytes(-len(data) % 8)
        return address

    def group(self, tree: Tree) -> int:
        links = {name: self._target(value) for name, value in tree.items() if not name.startswith("@")}
        messages = [(12, _attribute(name[1:], str(value))) for name, value in tree.items() if name.startswith("@")]
        if self.old:
            messages.append((17, struct.pack("<2Q", *self._symbols(links))))
        elif self.dense:
            messages.append((2, b"\0\0" + struct.pack("<2Q", *self._heap([_link(*link) for link in links.items()]))))
        else:
            messages += [(6, _link(name, target)) for name, target in links.items()]
        return self._header(messages)

    def _target(self, value: object) -> int | None:
        if value is None:
            return None
        if isinstance(value, Data):
            return self._dataset(value)
        assert isinstance(value, Mapping)
        return self.group(value)

    def _dataset(self, data: Data) -> int:
        space = bytes([1, len(data.shape), 0, 0]) + bytes(4) + struct.pack(f"<{len(data.shape)}Q", *data.shape)
        if not data.chunks:
            layout = b"\3\1" + struct.pack("<2Q", self.put(b"pixels  " * 4), 32)
        else:
            rank = len(data.shape) + 1
            leaf = b"TREE\1\0" + struct.pack("<H2Q", data.chunks, NOWHERE, NOWHERE)
            for at in range(data.chunks):
                leaf += struct.pack(f"<II{rank}Q", 8, 0, at, *[0] * (rank - 1)) + struct.pack(
                    "<Q", self.put(b"a chunk ")
                )
            leaf += struct.pack(f"<II{rank}Q", 0, 0, *[0] * rank)
            layout = b"\3\2" + bytes([rank]) + struct.pack(f"<Q{rank}I", self.put(leaf), *[1] * rank)
        return self._header([(1, space), (8, layout)])

    def _header(self, messages: list[tuple[int, bytes]]) -> int:
        """An object header, of which the last message stands in a continuation."""
        *first, last = messages or [(0, b"")]
        if self.old:
            more = _message_1(*last)
            inner = b"".join(_message_1(*message) for message in first)
            inner += _message_1(16, struct.pack("<2Q", self.put(more), len(more)))
            return self.put(struct.pack("<BBHIII", 1, 0, len(messages) + 1, 1, len(inner), 0) + inner)
        more = b"OCHK" + _message_2(*last) + bytes(4)
        inner = b"".join(_message_2(*message) for message in first)
        inner += _message_2(16, struct.pack("<2Q", self.put(more), len(more)))
        return self.put(b"OHDR\2\2" + struct.pack("<I", len(inner)) + inner + bytes(4))

    def _symbols(self, links: Mapping[str, int | None]) -> tuple[int, int]:
        names = bytearray(8)
        rows = b""
        for name, target in sorted(links.items()):
            rows += struct.pack("<2QII16x", len(names), NOWHERE if target is None else target, 0, 0)
            names += name.encode() + b"\0"
        heap = self.put(b"HEAP\0\0\0\0" + struct.pack("<3Q", len(names), NOWHERE, self.put(bytes(names))))
        leaf = self.put(b"SNOD\1\0" + struct.pack("<H", len(links)) + rows)
        below = self.put(b"TREE\0\0" + struct.pack("<H5Q", 1, NOWHERE, NOWHERE, 0, leaf, 0))
        tree = self.put(b"TREE\0\1" + struct.pack("<H5Q", 1, NOWHERE, NOWHERE, 0, below, 0))
        return tree, heap

    def _heap(self, objects: list[bytes]) -> tuple[int, int]:
        """A fractal heap of blocks of 512 bytes (then 1024), and the index over it."""
        sizes = [512] * 8 + [1024] * 4 + [2048] * 4 + [4096] * 4
        blocks = [bytearray(_block_head(0))]
        starts = [0]
        records: list[bytes] = []
        for one in objects:
            if len(blocks[-1]) + len(one) > sizes[len(blocks) - 1]:
                starts.append(starts[-1] + sizes[len(blocks) - 1])
                blocks.append(bytearray(_block_head(starts[-1])))
            place = starts[-1] + len(blocks[-1])
            records.append(struct.pack("<IBIH", len(records), 0, place, len(one)))
            blocks[-1] += one
        placed = [self.put(bytes(block).ljust(sizes[at], b"\0")) for at, block in enumerate(blocks)]
        rows = -(-len(placed) // 4) if len(placed) > 1 else 0
        root = placed[0]
        if rows:
            places = [*placed, *[NOWHERE] * (rows * 4 - len(placed))]
            root = self.put(b"FHIB\0" + bytes(8 + 4) + struct.pack(f"<{rows * 4}Q", *places) + bytes(4))
        head = b"FRHP\0" + struct.pack("<HHBI12Q", 7, 0, 0, 4096, 0, NOWHERE, 0, NOWHERE, *[0] * 8)
        head += struct.pack("<HQQHHQH", 4, 512, 65536, 32, 0, root, rows) + bytes(4)
        return self.put(head), self._index(records)

    def _index(self, records: list[bytes]) -> int:
        room = (512 - 10) // 11
        if len(records) <= room:
            root = self.put(b"BTLF\0\5" + b"".join(records) + bytes(4))
            return self._tree(root, len(records), len(records), 0)
        between = records[room :: room + 1]
        leaves = [records[at : at + room] for at in range(0, len(records), room + 1)]
        node = b"BTIN\0\5" + b"".join(between)
        for leaf in leaves:
            node += struct.pack("<QB", self.put(b"BTLF\0\5" + b"".join(leaf) + bytes(4)), len(leaf))
        if len(leaves) == len(between):
            node += struct.pack("<QB", self.put(b"BTLF\0\5" + bytes(4)), 0)
        return self._tree(self.put(node + bytes(4)), len(between), len(records), 1)

    def _tree(self, root: int, count: int, total: int, depth: int) -> int:
        return self.put(b"BTHD\0\5" + struct.pack("<IHHBBQHQ", 512, 11, depth, 100, 40, root, count, total) + bytes(4))


def _block_head(start: int) -> bytes:
    return b"FHDB\0" + bytes(8) + struct.pack("<I", start) + bytes(4)


def _link(name: str, target: int | None) -> bytes:
    raw = name.encode()
    if target is None:  # a link to another file (type 64)
        return b"\1\x08\x40" + bytes([len(raw)]) + raw + b"\3\0\0x\0"
    return b"\1\0" + bytes([len(raw)]) + raw + struct.pack("<Q", target)


def _attribute(name: str, value: str) -> bytes:
    """An array of single letters, as Imaris writes."""
    raw, text = name.encode() + b"\0", value.encode()
    kind = bytes([0x13, 0, 0, 0]) + struct.pack("<I", 1)
    space = bytes([2, 1, 0, 1]) + struct.pack("<Q", len(text))
    return struct.pack("<BBHHHB", 3, 0, len(raw), len(kind), len(space), 0) + raw + kind + space + text


def _message_1(kind: int, data: bytes) -> bytes:
    data += bytes(-len(data) % 8)
    return struct.pack("<HHB3x", kind, len(data), 0) + data


def _message_2(kind: int, data: bytes) -> bytes:
    return struct.pack("<BHB", kind, len(data), 0) + data
