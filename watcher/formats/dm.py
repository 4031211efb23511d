"""Gatan DigitalMicrograph DM3 and DM4: a tree of tags, as long as the header says, with eight zero bytes behind it.

Layout: Chris Boothroyd, "Digital Micrograph file format" (DM3 and DM4), and Greg Jefferis, "DM3 file format": header,
root group, tags with a type, a name and a description of their data; in DM4 the counts have 64 bits and each tag tells
its length. How the length in the header relates to the file: reference/image-formats.md 3.5. Where the values
stand: pynxtools-em (Gatan), nionswift's DM reader. Data of tags are stepped over, so zeroed pixels are not seen.
"""

import re
import struct
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final

from watcher.formats.base import Claim, Examination
from watcher.formats.electron import Finding, clean, gathered, look_into, micrometres
from watcher.formats.plane import Picture, Plane
from watcher.formats.reading import Unsound, cut_off, open_file, read_at, size_of

#: Tags that one walk looks at, and groups inside groups: real files have thousands, and about ten.
MAX_TAGS: Final = 50_000
MAX_DEPTH: Final = 60
#: Numbers that describe the data of one tag.
MAX_INFO: Final = 1000
#: Bytes of a value that is kept, and how many are.
MAX_VALUE: Final = 1000
MAX_VALUES: Final = 1000

_GROUP, _DATA = 20, 21
_STRUCT, _STRING, _ARRAY = 15, 18, 20
_PIXELS = {2: "i2", 3: "i4", 4: "u2", 5: "u4", 6: "f4", 7: "f8", 8: "u1", 9: "i1", 10: "u1"}
_IMAGE = re.compile(r"ImageList/(\d+)/ImageData/Data")
_NUMBERS = {2: "h", 3: "i", 4: "H", 5: "I", 6: "f", 7: "d", 8: "B", 9: "b", 10: "B", 11: "q", 12: "Q"}
_ENDS = (4, 8)  # bytes behind the length that the header gives, in 8 of 8 files
_WANTED = re.compile(
    r"ImageList/(\d+)/(?:ImageData/Dimensions/\d+|ImageData/Calibrations/Dimension/\d+/(?:Scale|Units)"
    r"|ImageTags/(?:Microscope Info/(?:Microscope|Indicated Magnification|Operator)"
    r"|DataBar/Acquisition Time \(OS\)|GMS Version/Created))"
)
_UNITS = {"m": 1e6, "mm": 1e3, "µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "Å": 1e-4, "A": 1e-4, "pm": 1e-6}

Value = float | int | str


@dataclass(frozen=True, slots=True)
class Header:
    """Version 3 or 4, the byte order of values, where the root group begins and where the tags should end."""

    version: int
    order: str
    start: int
    end: int


def header_of(head: bytes) -> Header | None:
    """The header in the first bytes of a file; None if they are none."""
    if len(head) < 27:
        return None
    version, length = struct.unpack_from(">2I", head)
    start = 12
    if version == 4:
        start = 16
        (length,) = struct.unpack_from(">Q", head, 4)
    (order,) = struct.unpack_from(">I", head, start - 4)
    first = head[start + (6 if version == 3 else 10)]
    if version not in (3, 4) or order > 1 or max(head[start : start + 2]) > 1 or first not in (_GROUP, _DATA, 0):
        return None
    return Header(version, "<" if order else ">", start, start + length)


class Dm:
    """DM3 and DM4 files: each is a set of its own."""

    name = "dm"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the Protocol gives it
        """Whether the file begins with version, byte order and root group of a DM3 or DM4."""
        return header_of(head) is not None

    def claim(self, path: Path) -> Claim:
        """Itself: a DM file names no other."""
        return Claim(self.name, (path.name,), title=path.stem)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Walk the tags of each member and hold their end against the header. OSError passes through."""
        return gathered("dm:tag-walk", {name: look_into(directory / name, self) for name in members})

    def picture(self, path: Path) -> Picture | None:
        """The slice in the middle of the last image: the first is the preview, where there is one."""
        with open_file(path) as file:
            size = size_of(file)
            header = header_of(read_at(file, 0, min(size, 32), "the header", size))
            if header is None:
                return None
            walker = _Walker(file, size, header)
            with suppress(_Enough):
                walker.group(header.start, (), 0)
        if not walker.images:
            return None
        last = max(walker.images)
        kind, at = walker.images[last]
        sizes = [walker.values.get(f"ImageList/{last}/ImageData/Dimensions/{axis}") for axis in range(3)]
        there = [length for length in sizes if isinstance(length, int) and length > 0]
        if len(there) < 2 or kind not in _PIXELS:
            return None
        width, height, depth = (*there, 1)[:3]
        pixels = _PIXELS[kind]
        start = at + depth // 2 * width * height * int(pixels[1])
        return (Plane(path, start, width, height, header.order + pixels),)

    def look(self, file: BinaryIO, size: int, found: Finding) -> None:
        """Length first, then the tags; what they say is kept although the file may not be sound."""
        header = header_of(read_at(file, 0, min(size, 32), "the header", size))
        if header is None:
            raise Unsound("not a DM3 or DM4 file, or only its header has been written")
        walker = _Walker(file, size, header)
        try:
            walker.group(header.start, (), 0)
        except _Enough as reason:
            found.unsure = str(reason)
        finally:
            _describe(walker.values, found)
        behind = size - header.end
        if behind < min(_ENDS):
            raise cut_off("the zero bytes that close the file", header.end + min(_ENDS), size)
        if behind not in _ENDS:
            if behind < max(_ENDS):
                raise cut_off("the zero bytes that close the file", header.end + max(_ENDS), size)
            raise Unsound(
                f"unfinished: its header tells of an end at byte {header.end + max(_ENDS)}, the file has {size}"
            )
        if any(read_at(file, size - min(_ENDS), min(_ENDS), "the end", size)):
            raise Unsound("damaged: it does not end in zero bytes, as such files do")


class _Enough(Exception):
    """The walk ends here without a verdict; the text says why."""


class _Walker:
    """Steps from tag to tag. values: what was wanted, by its path; images: the kind and place of pixels, by number."""

    def __init__(self, file: BinaryIO, size: int, header: Header) -> None:
        self.values: dict[str, Value] = {}
        self.images: dict[int, tuple[int, int]] = {}
        self._file = file
        self._size = size
        self._big = header.version == 4
        self._order = header.order
        self._number = ">Q" if self._big else ">I"
        self._width = 8 if self._big else 4
        self._tags_left = MAX_TAGS

    def group(self, at: int, path: tuple[str, ...], depth: int) -> int:
        """Walk the group there, and give the byte behind it. Raises Unsound, or _Enough for a file of too many tags."""
        if depth > MAX_DEPTH:
            raise Unsound(f"damaged: its groups of tags lie more than {MAX_DEPTH} deep in each other")
        tags = self._count(at + 2, "a group of tags")
        at += 2 + self._width
        for index in range(tags):
            self._tags_left -= 1
            if self._tags_left < 0:
                raise _Enough(f"it has more than {MAX_TAGS} tags; those were checked, the rest was not")
            kind, length = struct.unpack(">BH", self._read(at, 3, "a tag"))
            if kind not in (_GROUP, _DATA):
                raise Unsound(f"damaged: no tag begins at byte {at}; the file is unfinished or was overwritten")
            name = clean(self._read(at + 3, length, "the name of a tag")) or str(index)
            at += 3 + length
            end = at + 8 + self._count(at, "a tag") if self._big else 0
            at += 8 if self._big else 0
            below = (*path, name)
            at = self.group(at, below, depth + 1) if kind == _GROUP else self._data(at, "/".join(below))
            if self._big and at != end:
                raise Unsound(f"damaged: a tag should end at byte {end} and ends at byte {at}")
        return at

    def _data(self, at: int, path: str) -> int:
        """Step over the data of a tag, after reading them if they are wanted."""
        if self._read(at, 4, "a tag") != b"%%%%":
            raise Unsound(f"damaged: the data of a tag do not begin at byte {at}")
        count = self._count(at + 4, "a tag")
        if not 0 < count <= MAX_INFO:
            raise Unsound(f"damaged: {count} numbers describe the data of a tag")
        at += 4 + self._width
        raw = self._read(at, count * self._width, "the description of a tag")
        info = struct.unpack(f">{count}{self._number[1]}", raw)
        at += len(raw)
        try:
            length, _ = _length(info, 0, 0)
        except IndexError:
            raise Unsound("damaged: the description of a tag's data ends too early") from None
        if at + length > self._size:
            raise cut_off("the data of a tag", at + length, self._size)
        if info[0] == _ARRAY and (image := _IMAGE.fullmatch(path)):
            self.images[int(image[1])] = info[1], at
        if length <= MAX_VALUE and len(self.values) < MAX_VALUES and _WANTED.fullmatch(path):
            value = self._value(info, self._read(at, length, "a tag"))
            if value is not None:
                self.values[path] = value
        return at + length

    def _value(self, info: tuple[int, ...], raw: bytes) -> Value | None:
        """A number, or text of 16-bit letters."""
        if len(info) == 1 and info[0] in _NUMBERS:
            value: Value = struct.unpack(self._order + _NUMBERS[info[0]], raw)[0]
            return value
        if info[0] == _STRING or info[:2] == (_ARRAY, 4):
            return clean(raw.decode("utf-16-le" if self._order == "<" else "utf-16-be", "replace").encode())
        return None

    def _count(self, at: int, what: str) -> int:
        (count,) = struct.unpack(self._number, self._read(at, self._width, what))
        return int(count)

    def _read(self, at: int, length: int, what: str) -> bytes:
        return read_at(self._file, at, length, what, self._size)


def _length(info: tuple[int, ...], at: int, depth: int) -> tuple[int, int]:
    """Bytes of the data that `info` describes from `at` on, and where the description ends."""
    kind = info[at]
    if depth > 4:
        raise Unsound("damaged: the data of a tag are described as lists of lists without end")
    if kind in _NUMBERS:
        return struct.calcsize(f"={_NUMBERS[kind]}"), at + 1
    if kind == _STRING:
        return 2 * info[at + 1], at + 2
    if kind == _ARRAY:
        each, at = _length(info, at + 1, depth + 1)
        return each * info[at], at + 1
    if kind != _STRUCT:
        raise Unsound(f"damaged: the data of a tag are of a kind ({kind}) that there is not")
    total, fields, at = info[at + 1], info[at + 2], at + 3
    for _ in range(fields):
        name, (each, at) = info[at], _length(info, at + 1, depth + 1)
        total += name + each
    return total, at


def _describe(values: dict[str, Value], found: Finding) -> None:
    """What the last image says: the first is the preview, where there is one."""
    images = [int(match[1]) for path in values if (match := _WANTED.fullmatch(path)) and path.endswith("Dimensions/0")]
    if not images:
        return
    image = f"ImageList/{max(images)}/"

    def text(path: str) -> str:
        value = values.get(image + path, "")
        return value if isinstance(value, str) else f"{value:g}" if 0 < value < 1e9 else ""

    sizes = [values.get(f"{image}ImageData/Dimensions/{axis}") for axis in range(4)]
    there = [size for size in sizes if isinstance(size, int) and size > 0]
    if len(there) in (2, 3):
        found.says("size", "x".join(map(str, [*there, 1, 1, 1][:5])), f"{image}ImageData/Dimensions")
    found.says("pixel_size_um", _pixel_size(values, image), f"{image}ImageData/Calibrations/Dimension")
    found.says("instrument", text("ImageTags/Microscope Info/Microscope"), f"{image}ImageTags/Microscope Info")
    if magnification := text("ImageTags/Microscope Info/Indicated Magnification"):
        found.says("objective", f"{magnification}x", f"{image}ImageTags/Microscope Info/Indicated Magnification")
    found.says("experimenter", text("ImageTags/Microscope Info/Operator"), f"{image}ImageTags/Microscope Info/Operator")
    if version := text("ImageTags/GMS Version/Created"):
        found.says("software", f"DigitalMicrograph {version}", f"{image}ImageTags/GMS Version/Created")
    ticks = values.get(f"{image}ImageTags/DataBar/Acquisition Time (OS)", 0)
    found.says("acquired", _time(ticks), f"{image}ImageTags/DataBar/Acquisition Time (OS)")


def _pixel_size(values: dict[str, Value], image: str) -> str:
    """The first two axes, if both are lengths (and not an energy or a spatial frequency)."""
    lengths = []
    for axis in range(2):
        at = f"{image}ImageData/Calibrations/Dimension/{axis}/"
        scale, unit = values.get(at + "Scale"), values.get(at + "Units")
        if not isinstance(scale, float) or unit not in _UNITS:
            return ""
        lengths.append(scale * _UNITS[str(unit)])
    return micrometres(lengths, 1.0)


def _time(ticks: Value) -> str:
    """A Windows FILETIME, which counts 100 ns from 1601 on in UTC by its definition, as nionswift reads it."""
    if isinstance(ticks, str) or not 1e17 < ticks < 3e18:
        return ""
    return (datetime(1601, 1, 1, tzinfo=UTC) + timedelta(seconds=int(ticks / 1e7))).isoformat()


FORMAT: Final = Dm()
