"""Reads the elements of a DICOM file one after the other, never pixels, trusting no length that it finds.

PS3.5, section 7.1 (elements, explicit and implicit VR), 7.5 (sequences and items), A.4 (encapsulated pixel data);
PS3.10, section 7.1 (preamble, prefix DICM, file meta information).
"""

import struct
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from watcher.formats.reading import Unsound, cut_off, read_at, size_of

#: Elements and fragments of pixel data that one walk looks at, and elements that are read to know the series: keeps
#: the worst file below about a second.
MAX_ELEMENTS: Final = 200_000
MAX_HEAD: Final = 20_000
MAX_FRAGMENTS: Final = 100_000
MAX_DEPTH: Final = 64
#: Bytes of a value that are kept, and files that one DICOMDIR may name.
MAX_VALUE: Final = 1024
MAX_REFERENCES: Final = 20_000

Tag = tuple[int, int]
# File meta information, identity of the series
SYNTAX: Final = (0x0002, 0x0010)
CLASS: Final = (0x0008, 0x0016)
SERIES: Final = (0x0020, 0x000E)
CONCATENATION, PART, PARTS = (0x0020, 0x9161), (0x0020, 0x9162), (0x0020, 0x9163)
# The pixels: PS3.3, C.7.6.3 (image pixel module), C.7.6.17 (multi-frame dimension)
SAMPLES, PHOTOMETRIC, FRAMES = (0x0028, 0x0002), (0x0028, 0x0004), (0x0028, 0x0008)
ROWS, COLUMNS, BITS = (0x0028, 0x0010), (0x0028, 0x0011), (0x0028, 0x0100)
PLANAR, SIGNED = (0x0028, 0x0006), (0x0028, 0x0103)
ORGANISATION: Final = (0x0020, 0x9311)
# Slides: PS3.3, C.8.12.4
TOTAL_COLUMNS, TOTAL_ROWS, PATHS, PLANES = (0x0048, 0x0006), (0x0048, 0x0007), (0x0048, 0x0302), (0x0048, 0x0303)
# DICOMDIR: PS3.3, F.3
RECORDS, REFERENCED = (0x0004, 0x1220), (0x0004, 0x1500)
PIXELS: Final = frozenset({(0x7FE0, 0x0008), (0x7FE0, 0x0009), (0x7FE0, 0x0010)})
# fmt: off
#: Whole numbers, and texts. No name of a patient is ever read.
NUMBERS: Final = frozenset({
    SAMPLES, ROWS, COLUMNS, BITS, PLANAR, SIGNED, PART, PARTS, TOTAL_COLUMNS, TOTAL_ROWS, PATHS, PLANES,
})
TEXTS: Final = frozenset({
    SYNTAX, CLASS, SERIES, CONCATENATION, PHOTOMETRIC, FRAMES, ORGANISATION,
    (0x0008, 0x002A), (0x0008, 0x0022), (0x0008, 0x0032), (0x0008, 0x0023), (0x0008, 0x0033), (0x0008, 0x0201),
    (0x0008, 0x0070), (0x0008, 0x1090), (0x0018, 0x1020), (0x0008, 0x1010), (0x0008, 0x1070), (0x0028, 0x0030),
})
# fmt: on

_LONG: Final = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT: Final = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS"}
    | {b"ST", b"TM", b"UI", b"UL", b"US"}
)
_UNDEFINED: Final = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)
# What may stand behind the pixels: padding, a signature
_TAIL: Final = 1 << 16
_DEFLATED: Final = "1.2.840.10008.1.2.1.99"
_IMPLICIT: Final = "1.2.840.10008.1.2"
_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"


@dataclass(slots=True)
class Content:
    """What one walk has found.

    pixel_bytes is the length of native pixel data, -1 if there is none, and pixels_at where they begin; fragments
    counts the parts of encapsulated data without the table before them, -1 if there is none, and fragment is place and
    length of the first. pixel_vr_bits: 32 or 64 for float pixels, else 0. order: of the bytes, "<" or ">". unsure: why
    the walk ended before the end of the file.
    """

    size: int
    texts: dict[Tag, str] = field(default_factory=dict)
    numbers: dict[Tag, int] = field(default_factory=dict)
    references: list[str] = field(default_factory=list)
    pixel_bytes: int = -1
    pixels_at: int = 0
    fragments: int = -1
    fragment: tuple[int, int] = (0, 0)
    order: str = "<"
    pixel_vr_bits: int = 0
    unsure: str = ""

    @property
    def has_pixels(self) -> bool:
        """Whether there is pixel data of any kind."""
        return self.pixel_bytes >= 0 or self.fragments >= 0


def walk(file: BinaryIO, content: Content, *, only_head: bool = False) -> None:
    """Fill `content` from an open file, up to its series if `only_head`. Raises Unsound; what was found stays."""
    _Walker(file, content, only_head=only_head, left=MAX_HEAD if only_head else MAX_ELEMENTS).run()


def is_dicom(head: bytes) -> bool:
    """Whether a file that begins so is DICOM: PS3.10, section 7.1."""
    return head[128:132] == b"DICM"


@dataclass(slots=True)
class _Walker:
    file: BinaryIO
    content: Content
    only_head: bool
    left: int
    at: int = 132
    order: str = "<"
    explicit: bool = True
    # One entry for each open sequence or item of undefined length: whether the outside has explicit VR
    open: list[bool] = field(default_factory=list)
    # Where the records of a DICOMDIR end: they are walked, not skipped, and what they tell is of other files
    records_end: int = 0

    def run(self) -> None:
        size = self.content.size = size_of(self.file)
        if size == 0:
            raise Unsound("empty: the file has no bytes yet")
        if not is_dicom(read_at(self.file, 0, min(132, size), "the preamble", size)):
            raise Unsound("not a DICOM file: the letters DICM are missing")
        meta = True
        while self.at < size:
            if meta and read_at(self.file, self.at, min(2, size - self.at), "an element", size) != b"\x02\x00":
                meta = False
                if not self._data_set_begins():
                    return
            if self.left <= 0:
                self.content.unsure = f"it has more than {MAX_ELEMENTS} elements; those were checked, the rest was not"
                return
            self.left -= 1
            if self._element() and self.only_head:
                return
        if self.open:
            raise Unsound(f"cut off: a sequence is still open where the file ends, at byte {size}")

    def _data_set_begins(self) -> bool:
        syntax = self.content.texts.get(SYNTAX, "")
        if syntax == _DEFLATED:
            self.content.unsure = "its data set is compressed as a whole, and was not looked into"
            return False
        self.explicit = syntax != _IMPLICIT
        self.order = self.content.order = ">" if syntax == _BIG_ENDIAN else "<"
        return True

    def _element(self) -> bool:
        """Read one element, or the mark of an item; True where only the head was wanted and it ends."""
        start, size = self.at, self.content.size
        raw = read_at(self.file, start, min(12, size - start), "an element", size)
        if len(raw) < 8:
            raise cut_off("an element", start + 8, size)
        tag: Tag = struct.unpack_from(self.order + "HH", raw)
        if tag[0] == 0xFFFE:
            self._mark(tag, struct.unpack_from(self.order + "I", raw, 4)[0])
            return False
        if tag == (0, 0):
            raise Unsound(f"unfinished: zeros stand where an element should begin, at byte {start}")
        vr, length = self._kind(raw)
        if self.only_head and not self.open and tag >= (0x0028, 0):
            return True
        if length == _UNDEFINED:
            self._undefined(tag, vr)
        else:
            self._defined(tag, length)
        return False

    def _kind(self, raw: bytes) -> tuple[bytes, int]:
        """The VR ("" if implicit) and length of an element; the walk then stands at its value."""
        if not self.explicit:
            self.at += 8
            return b"", struct.unpack_from(self.order + "I", raw, 4)[0]
        vr = raw[4:6]
        if vr in _SHORT:
            self.at += 8
            return vr, struct.unpack_from(self.order + "H", raw, 6)[0]
        if vr not in _LONG:
            raise Unsound(f"damaged: no element begins at byte {self.at}, where one should")
        if len(raw) < 12:
            raise cut_off("an element", self.at + 12, self.content.size)
        self.at += 12
        return vr, struct.unpack_from(self.order + "I", raw, 8)[0]

    def _mark(self, tag: Tag, length: int) -> None:
        self.at += 8
        if tag == _ITEM:
            if length == _UNDEFINED:
                self._descend(self.explicit)
            elif not self._inside_records():
                self._skip(length, "an item of a sequence")
        elif tag in (_ITEM_END, _SEQUENCE_END) and length == 0:
            if self.open:
                self.explicit = self.open.pop()
            elif not self._inside_records():
                raise Unsound(f"damaged: a sequence ends at byte {self.at - 8} that did not begin")
        else:
            raise Unsound(f"damaged: an impossible mark of a sequence at byte {self.at - 8}")

    def _inside_records(self) -> bool:
        return self.at <= self.records_end

    def _descend(self, explicit: bool) -> None:
        self.open.append(explicit)
        if len(self.open) > MAX_DEPTH:
            raise Unsound(f"damaged: sequences are nested deeper than {MAX_DEPTH}")

    def _undefined(self, tag: Tag, vr: bytes) -> None:
        if tag in PIXELS:
            number = self._fragments()
            if not (self.open or self._inside_records()):  # else it is an icon
                self.content.fragments = number
            return
        if vr not in (b"", b"SQ", b"UN"):
            raise Unsound(f"damaged: the element before byte {self.at} has no length")
        self._descend(self.explicit)
        if tag == RECORDS:
            self.records_end = self.content.size
        if vr == b"UN":  # PS3.5, section 6.2.2, note 2: what is inside has implicit VR
            self.explicit = False

    def _defined(self, tag: Tag, length: int) -> None:
        if tag == RECORDS and not self.open:
            self.records_end = self.at + length
            return
        if self._inside_records():
            if tag == REFERENCED and length <= MAX_VALUE:
                self._refer(self._text(length))
        elif not self.open:
            self._keep(tag, length)
        self._skip(length, "the pixel data" if tag in PIXELS else f"element ({tag[0]:04X},{tag[1]:04X})")

    def _refer(self, name: str) -> None:
        if len(self.content.references) < MAX_REFERENCES:
            self.content.references.append(name)
        else:
            self.content.unsure = f"it names more than {MAX_REFERENCES} files; those were looked for, the rest was not"

    def _keep(self, tag: Tag, length: int) -> None:
        if tag in NUMBERS and length in (2, 4):
            raw = read_at(self.file, self.at, length, "a number", self.content.size)
            self.content.numbers[tag] = int.from_bytes(raw, "little" if self.order == "<" else "big")
        elif tag in TEXTS and length <= MAX_VALUE:
            self.content.texts[tag] = self._text(length)
        elif tag in PIXELS:
            self.content.pixel_bytes, self.content.pixels_at = length, self.at
            self.content.pixel_vr_bits = {0x0008: 32, 0x0009: 64}.get(tag[1], 0)

    def _text(self, length: int) -> str:
        raw = read_at(self.file, self.at, length, "a text", self.content.size)
        return raw.decode("utf-8", "replace").strip(" \0")

    def _skip(self, length: int, what: str) -> None:
        self.at += length
        if self.at > self.content.size:
            raise cut_off(what, self.at, self.content.size)

    def _fragments(self) -> int:
        """Encapsulated pixel data: items of defined length up to the mark of the sequence's end. How many after one."""
        for number in range(-1, MAX_FRAGMENTS):
            if self.at + 8 > self.content.size:
                raise Unsound(f"cut off: the pixel data has no end mark, the file ends at byte {self.content.size}")
            raw = read_at(self.file, self.at, 8, "the pixel data", self.content.size)
            *tag, length = struct.unpack(self.order + "HHI", raw)
            self.at += 8
            if tuple(tag) == _SEQUENCE_END:
                return max(number, 0)
            if tuple(tag) != _ITEM or length == _UNDEFINED:
                raise Unsound(f"damaged or unfinished: no fragment of the pixel data begins at byte {self.at - 8}")
            if number == 0 and not (self.open or self._inside_records()):
                self.content.fragment = self.at, length
            self._skip(length, f"fragment {number + 1} of the pixel data" if number >= 0 else "the table of frames")
        self._far_end()
        return MAX_FRAGMENTS

    def _far_end(self) -> None:
        """More fragments than are followed: the mark of their end must then stand near the end of the file."""
        self.content.unsure = f"its pixel data has more than {MAX_FRAGMENTS} fragments, which were not all followed"
        size = self.at = self.content.size
        length = min(size, _TAIL)
        mark = struct.pack(self.order + "HHI", *_SEQUENCE_END, 0)
        if mark not in read_at(self.file, size - length, length, "the pixel data", size):
            raise Unsound("cut off: the file does not end with the end mark of its pixel data")
