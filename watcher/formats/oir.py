"""Olympus/Evident OIR: a file of blocks with an index at its end, and continuations `<stem>_00001` without extension.

Sources: reference/image-formats.md 2.5; openreadout docs/formats/oir.md, "Byte layout", "Continuation files" and
"XML documents"; OIRReader of Bio-Formats. No program's writer is public: that the index is written last is inferred.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from watcher.formats import oir_values
from watcher.formats.base import Claim, Examination
from watcher.formats.reading import Unsound, cut_off, open_file, read_at, size_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

#: Blocks of one file that are visited, from its beginning and before its end, and bytes of its documents that are read.
MAX_BLOCKS: Final = 50_000
LAST_BLOCKS: Final = 200
MAX_DOCUMENTS: Final = 8 << 20
MAX_SENTENCES: Final = 20

_MAGIC = b"OLYMPUSRAWFORMAT"
_FIRST_BLOCK = 96
_NOTHING = 0xFFFFFFFFFFFFFFFF
_CONTINUATION = re.compile(r"(.+)_(\d{5})", re.DOTALL)
_DOCUMENTS, _TAG, _PIXELS, _LAST_KIND = 0, 3, 4, 5
_TAG_BYTES = 300
# [t###][l###][z###]_<a>_<b>_<channel>_<chunk>; reference images begin with REF_
_CHUNK = re.compile(rb"((?:[a-z]\d+)*_\d+_\d+_[0-9A-Fa-f-]+)_\d+")


class Oir:
    """OIR sets: the file with the metadata and its continuations."""

    name = "oir"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the Protocol gives it
        """Whether the file begins as OIR; its name does not matter."""
        return head.startswith(_MAGIC)

    def claim(self, path: Path) -> Claim:
        """Itself, and for a continuation the file that it continues: that one does not list its continuations."""
        main = _main_of(path.name)
        names = (path.name,) if main is None else (main, path.name)
        return Claim(self.name, names, title=Path(main or path.name).stem)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Follow the index of each member, and count the planes of each set. OSError passes through."""
        found = _Found(directory)
        for name in members:
            found.look(name)
        for main in sorted({_main_of(name) or name for name in members}):
            found.compare(main)
        problems = found.problems
        return Examination(
            sound=not problems,
            problems=tuple(problems),
            missing=tuple(found.missing),
            checked="oir:block-index",
            metadata=found.metadata,
            sources=found.sources,
            remarks=tuple(found.remarks),
        )


FORMAT: Final = Oir()


@dataclass(slots=True)
class _File:
    """What one file holds. planes: names without the number of the part. partial: not all blocks were visited."""

    planes: set[bytes] = field(default_factory=set)
    described: "Element | None" = None
    remarks: list[str] = field(default_factory=list)
    partial: bool = False


@dataclass(slots=True)
class _Found:
    """What is known so far of the sets that are examined. there: all files that exist, sound or not."""

    directory: Path
    there: set[str] = field(default_factory=set)
    files: dict[str, _File] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def look(self, name: str) -> None:
        """Read one file. What it lacks is a problem; OSError passes through."""
        try:
            with open_file(self.directory / name) as file:
                found = self.files[name] = _look(file)
        except FileNotFoundError:
            if not self.directory.is_dir():
                raise
            self._lost(name, "it is no longer there")
            return
        except Unsound as problem:
            self.there.add(name)
            self.problems.append(f"{name}: {problem}")
            return
        self.there.add(name)
        self.remarks += [f"{name}: {remark}" for remark in found.remarks]

    def compare(self, main: str) -> None:
        """The parts of one set: the main file is there, no number is left out, the planes are all there."""
        stem = Path(main).stem
        given = {_number_of(name) for name in self.there if _main_of(name) == main}
        if main not in self.there and main not in self.missing:
            self._lost(main, f"{stem}_{min(given, default=1):05} continues it")
        gaps = [number for number in range(1, max(given, default=0)) if number not in given]
        for number in gaps[:MAX_SENTENCES]:
            self._lost(f"{stem}_{number:05}", f"{stem}_{max(given):05} is there")
        if len(gaps) > MAX_SENTENCES:
            self.missing += [f"{stem}_{number:05}" for number in gaps[MAX_SENTENCES:]]
            self.problems.append(f"{len(gaps) - MAX_SENTENCES} more files are missing, up to {self.missing[-1]}")
        if main in self.files:
            parts = [name for name in self.there if (_main_of(name) or name) == main]
            self._describe(
                main,
                [self.files[name] for name in parts if name in self.files],
                whole=not gaps and all(name in self.files for name in parts),
            )

    def _describe(self, main: str, files: list[_File], *, whole: bool) -> None:
        document = self.files[main].described
        if document is None:
            if self.files[main].partial:
                return
            self.problems.append(
                f"{main}: unfinished: what the image is, which is written at the end, is not in the file"
            )
            return
        facts = oir_values.facts_of(document)
        metadata, sources = oir_values.described(document, facts)
        self.metadata, self.sources = {**metadata, **self.metadata}, {**sources, **self.sources}
        stored = len(set().union(*(file.planes for file in files)))
        if facts.planes > stored and whole and not any(file.partial for file in files):
            following = f"{Path(main).stem}_{len(files):05}"
            self.problems.append(
                f"{main}: incomplete: it says that it has {facts.planes} planes, its files hold {stored}; "
                f"{following} may be missing"
            )

    def _lost(self, name: str, why: str) -> None:
        self.missing.append(name)
        self.problems.append(f"{name}: missing, {why}")


def _main_of(name: str) -> str | None:
    """The file that this one continues, None if it is a main file itself."""
    found = _CONTINUATION.fullmatch(name)
    return f"{found[1]}.oir" if found else None


def _number_of(name: str) -> int:
    found = _CONTINUATION.fullmatch(name)
    return int(found[2]) if found else 0


def _look(file: BinaryIO) -> _File:
    size = size_of(file)
    if not size:
        raise Unsound("empty: the file has no bytes yet")
    header = read_at(file, 0, _FIRST_BLOCK, "the file header", size)
    if not header.startswith(_MAGIC):
        raise Unsound("not an OIR file: its first bytes are something else")
    said, index, count = struct.unpack_from("<QQI", header, 32)
    if said in (0, _NOTHING) or index in (0, _NOTHING):
        raise Unsound("unfinished: the index of its parts, which is written at the end, is not there")
    if said > size:
        raise cut_off("the file", said, size)
    end = index + 4 + 8 * count
    if index < _FIRST_BLOCK or end > said:
        raise Unsound("damaged: the index of its parts does not fit into the file")
    if read_at(file, index, 4, "the index of its parts", size) != b"\xff\xff\xff\xff":
        raise Unsound("unfinished or damaged: the index of its parts is not where the header says")
    found = _File()
    if said < size:
        found.remarks.append(f"{size - said} bytes follow the end of the image")
    walker = _Walker(file, size, index, found)
    first = min(count, MAX_BLOCKS)
    at = walker.run(_FIRST_BLOCK, 0, first)
    if first < count:
        found.remarks.append(
            f"it has {count} parts, of which the first {MAX_BLOCKS} and the last {LAST_BLOCKS} were visited"
        )
        found.partial = True
        start = max(first, count - LAST_BLOCKS)
        at = walker.run(None, start, count - start)
    if at != index:
        raise Unsound(f"damaged: its parts end at byte {at}, the index begins at {index}")
    if walker.documents is not None:
        found.described = oir_values.properties_in(read_at(file, *walker.documents, "its description", size))
    return found


class _Walker:
    """Visits the blocks of one file: each begins where the one before it ends. documents: where the last ones are."""

    def __init__(self, file: BinaryIO, size: int, index: int, found: _File) -> None:
        self._file = file
        self._size = size
        self._index = index
        self._found = found
        self._promised: int | None = None
        self.documents: tuple[int, int] | None = None

    def run(self, at: int | None, first: int, count: int) -> int:
        """Visit `count` blocks from number `first` on, which begins `at` a place if that is known. Where they end."""
        self._promised = None
        end = at or 0
        place = self._index + 4 + 8 * first
        for number, offset in enumerate(_offsets(self._file, self._size, place, count), start=first + 1):
            if at is None:
                at = end = offset
            if offset != end:
                raise Unsound(f"damaged: part {number} should begin at byte {end}, the index says {offset}")
            end = self._visit(number, offset)
        return end

    def _visit(self, number: int, at: int) -> int:
        start = read_at(self._file, at, max(8, min(_TAG_BYTES, self._size - at)), f"part {number}", self._size)
        length, kind = struct.unpack_from("<II", start)
        if kind > _LAST_KIND or at + 8 + length > self._index:
            raise Unsound(f"damaged: part {number} at byte {at} is no part of an OIR file")
        if self._promised is not None and (kind != _PIXELS or length != self._promised):
            raise Unsound(f"damaged: part {number} should be {self._promised} bytes of image data")
        self._promised = None
        if kind == _TAG and length >= 12:
            self._promised, plane = _tag(start[8 : 8 + length])
            if plane:
                self._found.planes.add(plane)
        elif kind == _DOCUMENTS and length <= MAX_DOCUMENTS:
            self.documents = (at + 8, length)
        return int(at + 8 + length)


def _offsets(file: BinaryIO, size: int, at: int, count: int) -> Iterator[int]:
    for start in range(0, count, 8192):
        number = min(8192, count - start)
        yield from struct.unpack(f"<{number}Q", read_at(file, at + 8 * start, 8 * number, "the index", size))


def _tag(payload: bytes) -> tuple[int, bytes]:
    """The length of the image data that follows, and the name of the plane that it is a part of."""
    _, length, name_length = struct.unpack_from("<III", payload)
    name = _CHUNK.fullmatch(payload[12 : 12 + min(name_length, _TAG_BYTES)])
    return length, name[1] if name else b""
