"""NDTiff (Micro-Manager 2, Pycro-Manager): a folder with NDTiff.index and the TIFF stacks whose images it lists.

Index and preallocation: `IndexEntryData.java`, `IndexWriter.java`, `NDTiffWriter.java` and `ndtiff_file.py` of github
micro-manager/NDStorage; reference/image-formats.md 3.1. While it runs, the Java writer's index is 25 MiB and every
stack that is written 4 GiB long; both are cut to what they hold at the end.
"""

import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Final

from watcher.formats import micromanager
from watcher.formats.base import Claim, Examination
from watcher.formats.metadata import MAX_TEXT
from watcher.formats.reading import Unsound, cut_off, inside, open_file, read_at, size_of
from watcher.formats.tiff import Facts, walk

INDEX: Final = "NDTiff.index"
#: What a stack's size is while it is written (NDTiffWriter.MAX_FILE_SIZE).
RESERVED: Final = 4 << 30
#: Images and stack files that one index is followed for; the time of the worst index stays below a second.
MAX_IMAGES: Final = 200_000
MAX_STACKS: Final = 4096
MAX_SENTENCES: Final = 20
#: The longest description of an image's place on its axes, and the longest file name, that are believed.
_MAX_AXES, _MAX_NAME = 16384, 255
#: Images whose axes are counted for the metadata.
_COUNTED: Final = 20_000

# NDTiffWriter.writeMMHeaderAndSummaryMD: at byte 8 what it is, then its version, then the summary
_STACK: Final = struct.pack("<I", 483729)
_SUMMARY: Final = 2355492
_NUMBERS: Final = struct.Struct("<8I")
_RGB, _EIGHT_BIT = 2, 0
# Folders of a pyramid (ResolutionLevel, NDTiffStorage)
_FULL: Final = "Full resolution"
_SMALLER: Final = re.compile(r"Downsampled_x\d+")


class NDTiff:
    """NDTiff datasets: the whole folder is the set, of a pyramid the folder above its levels."""

    name = "ndtiff"

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether this is a stack by its header, or an index by its name and the axes that it begins with."""
        if head[:4] == b"II*\0":
            return head[8:12] == _STACK
        if name != INDEX:
            return False
        # An index that was only reserved holds nothing but zeros, and one that was just made nothing at all.
        return not head.strip(b"\0") or head[4:5] == b"{"

    def claim(self, path: Path) -> Claim:
        """The folder tree; listed by name are the index and this file. Reads nothing."""
        level = path.parent.name == _FULL or _SMALLER.fullmatch(path.parent.name) is not None
        top = path.parent.parent if level else path.parent
        return Claim(self.name, tuple(dict.fromkeys((INDEX, path.name))), title=top.name, tree=".." if level else ".")

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Every stack and image that the index lists is there, and the index lists all that the stacks hold."""
        found = _Dataset(directory)
        try:
            with open_file(directory / INDEX) as file:
                found.read(file)
        except FileNotFoundError:
            found.lost(INDEX, "without it nothing is known of the images")
        except Unsound as problem:
            found.problems.append(f"{INDEX}: {problem}")
        for name in dict.fromkeys((*members, *found.ends)):
            if name != INDEX:
                found.check(name)
        if not _SMALLER.fullmatch(directory.name):
            return found.examination()
        if not (directory.parent / _FULL).is_dir():
            found.problems.append(f"{directory.name}: the folder {_FULL!r} of this pyramid is not beside it")
        # What a smaller copy says of its size is not what the set has.
        return replace(found.examination(), metadata={}, sources={})


FORMAT: Final = NDTiff()


@dataclass(slots=True)
class _Dataset:
    """What is known of a dataset so far. ends: by stack, the byte after the last thing that the index lists in it."""

    directory: Path
    ends: dict[str, int] = field(default_factory=dict)
    axes: dict[str, set[int | str]] = field(default_factory=dict)
    images: int = 0
    width: int = 0
    height: int = 0
    unsure: str = ""
    whole: bool = False
    missing: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def read(self, file: BinaryIO) -> None:
        """Follow the index to its end. Raises Unsound where it ends early or makes no sense."""
        for axes, name, numbers in _entries(file):
            at, width, height, kind, packed, text_at, text, _ = numbers
            if not at or not text_at:
                raise Unsound(f"damaged: image {self.images + 1} of the index has no place in its stack")
            pixels = 0 if packed else width * height * (3 if kind == _RGB else 1 if kind == _EIGHT_BIT else 2)
            self.ends[name] = max(self.ends.get(name, 0), at + pixels, text_at + text)
            if len(self.ends) > MAX_STACKS:
                raise Unsound(f"damaged: the index names more than {MAX_STACKS} stacks")
            self.images += 1
            self.width, self.height = max(self.width, width), max(self.height, height)
            self._count(axes)
            if self.images >= MAX_IMAGES:
                self.unsure = f"unchecked: {INDEX}: it lists more than {MAX_IMAGES} images; those were checked"
                return
        if not self.images:
            raise Unsound("unfinished: it lists no image yet")
        self.whole = True

    def _count(self, axes: bytes) -> None:
        if self.images > _COUNTED:
            return
        try:
            found = json.loads(axes)
        except (ValueError, RecursionError):
            raise Unsound(f"damaged: the axes of image {self.images} of the index make no sense") from None
        for axis, value in found.items() if isinstance(found, dict) else ():
            if isinstance(value, int | str) and len(str(value)) <= 100 and len(self.axes) < 100:
                self.axes.setdefault(axis.lower(), set()).add(value)

    def check(self, name: str) -> None:
        """Walk one stack, and compare it with what the index says of it. OSError passes through."""
        try:
            file = open_file(self.directory / name)
        except FileNotFoundError:
            self.lost(name, f"{INDEX} lists it")
            return
        with file:
            facts = walk(file, name)
            self.problems += (f"{name}: {problem}" for problem in self._differences(name, facts))
            if not self.sources and facts.order == "<":
                self._describe(file, name)

    def _differences(self, name: str, facts: Facts) -> Iterator[str]:
        end = self.ends.get(name, 0)
        if facts.size == RESERVED and max(end, facts.end) < RESERVED:
            yield "unfinished: its 4 GiB are still reserved, as while the acquisition runs or after a crash"
            return
        yield from facts.problems
        if end > facts.size:
            yield str(cut_off(f"the last image that {INDEX} lists in it", end, facts.size))
        elif self.whole and facts.sound and facts.end != end:
            yield f"incomplete: {INDEX} lists its images up to byte {end}, its pages end at byte {facts.end}"

    def lost(self, name: str, why: str) -> None:
        """Remember a file that is not there. Raises OSError if its folder is gone too: then nothing is known."""
        self.directory.stat()
        self.missing.append(name)
        if len(self.missing) <= MAX_SENTENCES:
            self.problems.append(f"{name}: missing, {why}")

    def _describe(self, file: BinaryIO, name: str) -> None:
        """The summary in a stack's header, at byte 20 since version 3 and at byte 16 before."""
        size = size_of(file)
        for at in (20, 16):
            if size < at + 8:
                continue
            mark, length = struct.unpack("<2I", read_at(file, at, 8, "the header", size))
            if mark == _SUMMARY and length <= min(size - at - 8, micromanager.MAX_SUMMARY):
                text = read_at(file, at + 8, length, "the summary", size).decode("utf-8", "replace")
                self.metadata, self.sources = micromanager.describe(micromanager.parse(text), f"{name}/Summary")
                return

    def examination(self) -> Examination:
        """The verdict, and what the index adds to the metadata."""
        if len(self.missing) > MAX_SENTENCES:
            self.problems.append(f"{len(self.missing) - MAX_SENTENCES} more stacks are missing")
        if self.images:
            counts = (len(self.axes.get(axis, ())) or 1 for axis in ("z", "channel", "time"))
            if self.images <= _COUNTED:
                self._say("size", "x".join(map(str, (self.width, self.height, *counts))))
            named = [value for value in self.axes.get("channel", ()) if isinstance(value, str)]
            self._say("channels", ", ".join(sorted(named)))
        return Examination(
            sound=False if self.problems else None if self.unsure else True,
            problems=tuple(self.problems),
            missing=tuple(self.missing),
            checked=self.unsure or "ndtiff:index+ifd-walk",
            metadata=self.metadata,
            sources=self.sources,
        )

    def _say(self, key: str, value: str) -> None:
        if value and key not in self.metadata:
            self.metadata[key] = value[:MAX_TEXT]
            self.sources[key] = INDEX


def _entries(file: BinaryIO) -> Iterator[tuple[bytes, str, tuple[int, ...]]]:
    """The axes, the stack and the eight numbers of each image: IndexEntryData.asByteBuffer. Raises Unsound."""
    size = size_of(file)
    file.seek(0)
    at = 0
    names: dict[bytes, str] = {}
    while at < size:
        what = f"the entry at byte {at} of the index"
        (length,) = struct.unpack("<I", _next(file, 4, at, size, what))
        if not length:
            raise Unsound(f"unfinished: from byte {at} of {size} on it is only reserved, as while the acquisition runs")
        if length > _MAX_AXES:
            raise Unsound(f"damaged: {what} is longer than any real one")
        axes = _next(file, length, at + 4, size, what)
        (named,) = struct.unpack("<I", _next(file, 4, at + 4 + length, size, what))
        if not 0 < named <= _MAX_NAME:
            raise Unsound(f"damaged: {what} names no stack")
        raw = _next(file, named, at + 8 + length, size, what)
        numbers = _NUMBERS.unpack(_next(file, _NUMBERS.size, at + 8 + length + named, size, what))
        if raw not in names:
            names[raw] = _stack(raw, what)
        yield axes, names[raw], numbers
        at += 8 + length + named + _NUMBERS.size


def _next(file: BinaryIO, length: int, at: int, size: int, what: str) -> bytes:
    data = file.read(length)
    if len(data) < length:
        raise cut_off(what, at + length, size)
    return data


def _stack(raw: bytes, what: str) -> str:
    try:
        said = raw.decode()
    except UnicodeDecodeError:
        said = ""
    name = inside(said)
    if name is None or "/" in name or name == INDEX:
        raise Unsound(f"damaged: {what} names a stack that is no file of its folder")
    return name
