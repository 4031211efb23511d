"""Olympus/Evident VSI (cellSens, VS120, VS200): `X.vsi`, and the folder `_X_` with the tiles of its images as .ets.

The VSI is a TIFF with a small preview, in which a tree of records stands behind the header, so that it is to be asked
before TIFF. Sources: reference/image-formats.md 2.5; openreadout docs/formats/vsi.md, "Record tree" and "Tags we
normalize"; CellSensReader of Bio-Formats (tag 20005: whether there must be .ets files).
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from watcher.formats import ets
from watcher.formats.base import Claim, Examination
from watcher.formats.metadata import MAX_TEXT
from watcher.formats.reading import Unsound, cut_off, open_file, read_at, size_of
from watcher.formats.tiff import walk

#: Records of the tree and files of the folder that are looked at, and levels of each.
MAX_RECORDS: Final = 100_000
MAX_FILES: Final = 5_000
MAX_DEPTH: Final = 24
MAX_SENTENCES: Final = 20

_TIFF, _TREE, _TREE_AT = b"II*\0", b"\x18\0IS", 8
_TILES = ".ets"
_INDEXED, _VOLUME, _INLINE = 0x08000000, 0x80000000, 0x40000000
_EXTERNAL = 20005
_TIME, _CHANNEL, _OBJECTIVE, _SOFTWARE, _VERSION = 2015, 2021, 120063, 34, 35
_INFO, _SETTINGS = 2109, 2005
_TEXT_MOST = 4 * MAX_TEXT
_UTF8, _UTF16 = (0x1,), (0xD, 0x2000, 0x2002)


class Record(NamedTuple):
    """One record: the tags above it and its own, its kind, and where its value is; inline ones have it in `size`."""

    path: tuple[int, ...]
    kind: int
    offset: int
    size: int
    inline: bool


class Vsi:
    """VSI sets: the file and the folder with its images."""

    name = "vsi"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the Protocol gives it
        """Whether this is a TIFF with the records of cellSens behind its header, or a file of tiles."""
        return head.startswith(ets.MAGIC) or (head.startswith(_TIFF) and head[_TREE_AT : _TREE_AT + 4] == _TREE)

    def claim(self, path: Path) -> Claim:
        """The file, and its folder if the file says that there must be one, or if there is one; of tiles their VSI."""
        if path.suffix.lower() == _TILES:
            return _claim_of_tiles(path)
        folder = _folder_of(path.name)
        needed = (path.parent / folder).is_dir() or _needs_folder(path)
        return Claim(self.name, (path.name, f"{folder}/") if needed else (path.name,), title=path.stem)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Walk the records of each member and the tables of all tiles in its folder. OSError passes through."""
        found = _Found(directory)
        for name in members:
            if not name.lower().endswith(_TILES):
                found.look(name)
            elif not _has_vsi(directory):
                found.look_at_tiles(name)
        return Examination(
            sound=False if found.problems else None if found.unsure else True,
            problems=tuple(found.problems),
            missing=tuple(found.missing),
            checked=f"unchecked: {found.unsure}" if found.unsure and not found.problems else "vsi:records+tiles",
            metadata=found.metadata,
            sources=found.sources,
            remarks=tuple(found.remarks),
        )


FORMAT: Final = Vsi()


def _folder_of(name: str) -> str:
    return f"_{Path(name).stem}_"


def _vsi_of(stack: Path) -> str:
    """The name of the VSI whose tiles are in the folder `_X_/stackN`, "" if this is no such folder."""
    name = stack.parent.name
    return f"{name[1:-1]}.vsi" if len(name) > 2 and name[0] == name[-1] == "_" else ""


def _has_vsi(stack: Path) -> bool:
    """Whether tiles are checked with their VSI."""
    vsi = _vsi_of(stack)
    return bool(vsi) and (stack.parent.parent / vsi).exists()


def _claim_of_tiles(path: Path) -> Claim:
    """Tiles are never a set without their VSI, which is written long after them."""
    vsi = _vsi_of(path.parent)
    return Claim(Vsi.name, (path.name, f"../../{vsi}"), title=Path(vsi).stem) if vsi else Claim(Vsi.name, (path.name,))


def _needs_folder(path: Path) -> bool:
    try:
        with open_file(path) as file:
            return _read(file).external
    except Unsound:  # `examine` finds it again and says it
        return False


@dataclass(slots=True)
class _Tree:
    """What the records say. external: there must be .ets files; found: values by what they are of."""

    external: bool = False
    unsure: str = ""
    found: dict[str, list[str]] = field(default_factory=dict)


@dataclass(slots=True)
class _Found:
    """What is known so far of the sets that are examined."""

    directory: Path
    problems: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    unsure: str = ""

    def look(self, name: str) -> None:
        """Check one VSI and its folder."""
        external = False
        try:
            with open_file(self.directory / name) as file:
                tree = _read(file)
                external = tree.external
                walked = walk(file, name)
            self.problems += [f"{name}: {problem}" for problem in walked.problems]
            self.unsure = self.unsure or (f"{name}: {tree.unsure}" if tree.unsure else "")
            metadata, sources = _described(tree)
            self.metadata, self.sources = {**metadata, **self.metadata}, {**sources, **self.sources}
        except FileNotFoundError:
            if not self.directory.is_dir():
                raise
            self.missing.append(name)
            self.problems.append(f"{name}: missing, it is no longer there")
        except Unsound as problem:
            self.problems.append(f"{name}: {problem}")
        self._look_into(_folder_of(name), name, external=external)

    def _look_into(self, folder: str, name: str, *, external: bool) -> None:
        files = _files(self.directory / folder)
        for one in sorted(files):
            self.look_at_tiles(f"{folder}/{one}")
        if len(files) >= MAX_FILES:
            self.unsure = self.unsure or f"{folder} has more than {MAX_FILES} images"
        if external and not files:
            self.missing.append(f"{folder}/")
            self.problems.append(f"{folder}: missing, {name} says that its images are in that folder")

    def look_at_tiles(self, name: str) -> None:
        """Check the table of tiles of one file."""
        try:
            tiles = ets.look_at(self.directory / name)
        except Unsound as problem:
            self._tell(f"{name}: {problem}")
            return
        self.remarks += [f"{name}: {tiles.remark}"] if tiles.remark else []
        self.unsure = self.unsure or (f"{name}: {tiles.unsure}" if tiles.unsure else "")

    def _tell(self, problem: str) -> None:
        if len(self.problems) < MAX_SENTENCES:
            self.problems.append(problem)
        elif len(self.problems) == MAX_SENTENCES:
            self.problems.append("more files of the set are unfinished or damaged")


def _files(folder: Path) -> list[str]:
    """The images in the folders of a set's folder, as `stack1/frame_t_0.ets`; blobs are not images."""
    found: list[str] = []
    try:
        with os.scandir(folder) as stacks:
            for stack in stacks:
                if stack.is_dir(follow_symlinks=False):
                    with os.scandir(stack.path) as files:
                        named = (
                            file.name for file in files if file.name.lower().startswith("frame_") and file.is_file()
                        )
                        found += [f"{stack.name}/{name}" for name in named if name.lower().endswith(".ets")]
                if len(found) >= MAX_FILES:
                    return found[:MAX_FILES]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return found


def _read(file: BinaryIO) -> _Tree:
    """Walk all records. Raises Unsound."""
    size = size_of(file)
    if not size:
        raise Unsound("empty: the file has no bytes yet")
    if read_at(file, 0, 12, "the file header", size)[_TREE_AT:] != _TREE:
        raise Unsound("unfinished or not a VSI file: its records do not begin behind the header")
    tree = _Tree()
    records = _Records(file, size)
    for record in records.below(_TREE_AT, (), 0):
        tag, above = record.path[-1], record.path[-2:-1]
        if tag == _EXTERNAL and (record.inline or record.size == 4):
            tree.external = tree.external or _whole(file, record, size) == 1
        elif tag == _TIME and above == (_SETTINGS,) and record.size == 8 and not record.inline:
            _keep(tree, "acquired", _time(_whole(file, record, size)))
        elif tag == _OBJECTIVE:
            _keep(tree, "objective", _text(file, record, size))
        elif tag == _CHANNEL:
            _keep(tree, "channels", _text(file, record, size))
        elif tag in (_SOFTWARE, _VERSION) and above == (_INFO,):
            _keep(tree, "software" if tag == _SOFTWARE else "version", _text(file, record, size))
    tree.unsure = f"it has more than {MAX_RECORDS} records" if records.stopped else ""
    return tree


class _Records:
    """Walks the records of one open file, each once."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._seen: set[int] = set()
        self.stopped = False

    def below(self, start: int, path: tuple[int, ...], depth: int) -> Iterator[Record]:
        """All records of a set of them and of the sets in it. Raises Unsound."""
        if depth > MAX_DEPTH:
            raise Unsound("damaged: its records are nested deeper than any real ones")
        header = read_at(self._file, start, 24, "a set of records", self._size)
        following, _, count = struct.unpack_from("<III", header, 8)
        if header[:4] != _TREE:
            raise Unsound(f"damaged: no records are at byte {start}")
        count &= 0x0FFFFFFF  # the highest bits are flags (CellSensReader)
        at, seen = start + following, 0
        while following and seen < count:
            if at in self._seen:
                raise Unsound(f"damaged: its list of records leads back to byte {at}")
            if len(self._seen) >= MAX_RECORDS:
                self.stopped = True
                return
            self._seen.add(at)
            kind, tag, following, length = struct.unpack("<4I", read_at(self._file, at, 16, "a record", self._size))
            value = at + 16 + (4 if kind & _INDEXED else 0)
            seen += 1
            if kind & _VOLUME:
                yield Record((*path, tag), kind, value, 0, inline=False)
                yield from self.below(value, (*path, tag), depth + 1)
            else:
                if not kind & _INLINE and value + length > self._size:
                    raise cut_off(f"record {tag}", value + length, self._size)
                yield Record((*path, tag), kind & 0xFFFF, value, length, inline=bool(kind & _INLINE))
            at = start + following
        if seen < count and not self.stopped:
            raise Unsound(f"damaged: {count} records should be at byte {start}, there are {seen}")


def _whole(file: BinaryIO, record: Record, size: int) -> int:
    if record.inline:
        return record.size
    return int.from_bytes(read_at(file, record.offset, record.size, "a record", size), "little", signed=True)


def _text(file: BinaryIO, record: Record, size: int) -> str:
    if record.inline or record.kind not in (*_UTF8, *_UTF16):
        return ""
    data = read_at(file, record.offset, min(record.size, _TEXT_MOST), "a record", size)
    text = data.decode("utf-16-le" if record.kind in _UTF16 else "utf-8", "ignore").partition("\0")[0]
    return " ".join(text.split())


def _keep(tree: _Tree, key: str, value: str) -> None:
    known = tree.found.setdefault(key, [])
    if value and value not in known and len(known) < 64:
        known.append(value)


def _time(seconds: int) -> str:
    """Seconds since 1970 in UTC (openreadout vsi.md, 2015); "" for a clock that was not set."""
    return datetime.fromtimestamp(seconds, UTC).isoformat() if 0 < seconds < 1 << 32 else ""


def _described(tree: _Tree) -> tuple[dict[str, str], dict[str, str]]:
    """Metadata of the file: a slide has several images (label, overview, scan) that share most of it."""
    software = " ".join(tree.found.get(key, [""])[0] for key in ("software", "version") if tree.found.get(key))
    found = {
        "acquired": (min(tree.found.get("acquired", []), default=""), "record 2005/2015"),
        "objective": (", ".join(tree.found.get("objective", [])), "record 120063"),
        "channels": (", ".join(tree.found.get("channels", [])), "record 2021"),
        "software": (software, "records 2109/34, 2109/35"),
    }
    told = {key: pair for key, pair in found.items() if pair[0]}
    return {key: value[:MAX_TEXT] for key, (value, _) in told.items()}, {key: at for key, (_, at) in told.items()}
