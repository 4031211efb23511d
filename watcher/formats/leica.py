"""What Leica's LIF, LOF, XLEF and XLIF files share: one kind of text block, and one kind of XML.

Sources: openreadout docs/formats/lif.md ("Byte layout", "XML model", "Acquisition metadata"); liffile; what holds in
real files: reference/image-formats.md 2.3. The flag IsSavedFlag in the XML says nothing (section 0, finding 6).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final

from watcher.formats.metadata import MAX_TEXT
from watcher.formats.plane import Plane
from watcher.formats.reading import Unsound, cut_off, unpack_at
from watcher.formats.vendor_xml import TooLarge, pieces, visit

#: Memory blocks, references or frames that one document may list.
MAX_LISTED: Final = 100_000
#: Characters of all file names in one document.
MAX_CHARACTERS: Final = 10 << 20
#: How every block begins, and what stands before each text or size in it.
BLOCK: Final = 0x70
ITEM: Final = 0x2A
_MAX_CHANNELS = 100
_MAX_NAME = 80
_MAX_PATH = 1000
_UTF16_MARK = b"\xff\xfe"
_AXES = {"1": "X", "2": "Y", "3": "Z", "4": "T"}  # DimensionDescription@DimID
_NOBODY = "UserManagementFeatureInactive"
_CENTIMETRE = 0.01


@dataclass(frozen=True, slots=True)
class Text:
    """Where a text block's UTF-16 is, in bytes."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """The byte after it."""
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Memory:
    """A block of image data that a document lists: how long it is, and the image that it belongs to."""

    size: int
    image: str


@dataclass(frozen=True, slots=True)
class Frame:
    """A part of an image's data that is in another file; size is in bytes when it is read."""

    file: str
    offset: int
    size: int


def text_block(file: BinaryIO, offset: int, size: int, what: str) -> Text:
    """The text block at an offset: marker, length, marker, number of characters, text (lif.md "File header block").

    Raises Unsound if there is none, or if it reaches beyond the file's `size`.
    """
    block, length, item, characters = unpack_at(file, "<IIBI", offset, what, size)
    if not block and not length:
        raise Unsound(f"unfinished: {what} has not been written yet")
    if block != BLOCK or item != ITEM or length != 2 * characters + 5:
        raise Unsound(f"damaged: {what} does not begin as it should")
    text = Text(offset + 13, 2 * characters)
    if text.end > size:
        raise cut_off(what, text.end, size)
    return text


def read_text(file: BinaryIO, text: Text, what: str) -> "LeicaXml":
    """The XML in a text block. Raises Unsound or TooLarge."""
    xml = LeicaXml(what)
    visit(_marked(file, text), xml, what)
    return xml


def _marked(file: BinaryIO, text: Text) -> Iterator[bytes]:
    yield _UTF16_MARK
    yield from pieces(file, text.offset, text.length)


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel: bytes from the beginning of a plane to its first pixel, bits of a pixel, and its colour's name."""

    offset: int
    bits: int
    colour: str


class LeicaXml:
    """Collects what a document says, as the elements pass (a `vendor_xml.Visitor`). Use once.

    memory: by identifier, the blocks that have data. references: other documents. frames: files with image data.
    Of several images, the metadata is the first one's, and so are the channels and the steps: elements, and bytes from
    one to the next, along each axis.
    """

    def __init__(self, what: str = "its XML") -> None:
        self.root = ""
        self.memory: dict[str, Memory] = {}
        self.references: list[str] = []
        self.frames: list[Frame] = []
        self.channels: list[Channel] = []
        self.steps: dict[str, tuple[int, int]] = {}
        self._what = what
        self._elements: list[str] = []
        self._images = self._characters = 0
        self._sizes: dict[str, str] = {}
        self._lengths: dict[str, tuple[str, str]] = {}
        self._colours: list[str] = []
        self._dyes: list[str] = []
        self._key = ""
        self._found: dict[str, tuple[str, str]] = {}

    def start(self, path: Sequence[str], attributes: Mapping[str, str]) -> None:
        """Nearly everything stands in attributes."""
        element = path[-1]
        if not self.root:
            self.root = element
        parent = path[-2] if len(path) > 1 else ""
        if element == "Element":
            self._elements.append(attributes.get("Name", "")[:_MAX_NAME])
        elif element == "Memory":
            self._memory(attributes)
        elif parent == "Memory" and "File" in attributes:
            self.frames.append(
                Frame(
                    attributes["File"][:_MAX_PATH], _number(attributes.get("Offset")), _number(attributes.get("Size"))
                )
            )
        elif element == "Reference" and parent == "Children" and "File" in attributes:
            self.references.append(attributes["File"][:_MAX_PATH])
        elif element == "ImageDescription":
            self._images += 1
        self._characters += len(attributes.get("File", ""))
        many = max(len(self.references), len(self.frames), len(self.memory)) > MAX_LISTED
        if many or self._characters > MAX_CHARACTERS:
            raise TooLarge(f"{self._what} lists more than {MAX_LISTED} parts, or {MAX_CHARACTERS} characters of names")
        self._note(element, attributes)

    def end(self, path: Sequence[str], text: str) -> None:
        """Times and the names of dyes stand in texts."""
        element = path[-1]
        if element == "Element" and self._elements:
            self._elements.pop()
        elif element == "TimeStampList" and text:
            self._keep("acquired", _time(text.split()[0]), "TimeStampList")
        elif element == "Key":
            self._key = text
        elif element == "Value" and self._key == "DyeName":
            self._dye(text)

    def metadata(self) -> dict[str, str]:
        """The values that are there, by the keys of `formats/metadata.py`."""
        return {key: value for key, (value, _) in self._values().items()}

    def sources(self) -> dict[str, str]:
        """The element or attribute in which each of them stands."""
        return {key: place for key, (_, place) in self._values().items()}

    def _dye(self, text: str) -> None:
        if self._images == 1 and text and len(self._dyes) < _MAX_CHANNELS:
            self._dyes.append(text)

    def _memory(self, attributes: Mapping[str, str]) -> None:
        size = _number(attributes.get("Size"))
        if size and "MemoryBlockID" in attributes:
            name = self._elements[-1] if self._elements else ""
            self.memory[attributes["MemoryBlockID"][:_MAX_NAME]] = Memory(size, name)

    def _note(self, element: str, attributes: Mapping[str, str]) -> None:
        """The values of the first image that has them (lif.md "Acquisition metadata"; LAS X first, then LAS AF)."""
        if element == "DimensionDescription" and self._images == 1:
            axis = _AXES.get(attributes.get("DimID", ""), "")
            self._sizes.setdefault(axis, attributes.get("NumberOfElements", ""))
            self._lengths.setdefault(axis, (attributes.get("Length", ""), attributes.get("Unit", "")))
            step = _number(attributes.get("NumberOfElements")), _number(attributes.get("BytesInc"))
            self.steps.setdefault(axis, step)
        elif element == "ChannelDescription" and self._images == 1 and len(self._colours) < _MAX_CHANNELS:
            self._colours.append(attributes.get("LUTName", ""))
            offset, bits = _number(attributes.get("BytesInc")), _number(attributes.get("Resolution"))
            self.channels.append(Channel(offset, bits, attributes.get("LUTName", "")))
        elif element == "TimeStamp":
            high, low = _number(attributes.get("HighInteger")), _number(attributes.get("LowInteger"))
            self._keep("acquired", _time(f"{high << 32 | low:x}"), "TimeStamp")
        elif element in ("FilterSettingRecord", "ScannerSettingRecord"):
            if attributes.get("Attribute") == "Objective":
                self._keep("objective", attributes.get("Variant", ""), "FilterSettingRecord[Objective]")
            elif attributes.get("Identifier") == "SystemType":
                self._keep("instrument", attributes.get("Variant", ""), "ScannerSettingRecord[SystemType]")
        if "ObjectiveName" in attributes:
            self._keep("objective", _objective(attributes), "@ObjectiveName")
        self._keep("instrument", attributes.get("SystemTypeName", ""), "@SystemTypeName")
        self._keep("software", attributes.get("Software", ""), "@Software")
        if (user := attributes.get("UserManagementUserName", "")) != _NOBODY:
            self._keep("experimenter", user, "@UserManagementUserName")

    def _keep(self, key: str, value: str, place: str) -> None:
        if value.strip():
            self._found.setdefault(key, (value.strip(), place))

    def _values(self) -> dict[str, tuple[str, str]]:
        colours = [colour for colour in self._colours if colour]
        values = {
            **self._found,
            "channels": (
                (", ".join(self._dyes), "ChannelProperty[DyeName]")
                if self._dyes
                else (", ".join(colours), "ChannelDescription@LUTName")
            ),
            "size": (self._size(), "DimensionDescription@NumberOfElements"),
            "pixel_size_um": (self._pixel_size(), "DimensionDescription@Length"),
        }
        return {key: (value[:MAX_TEXT], place) for key, (value, place) in values.items() if value}

    def _size(self) -> str:
        """A dimension that is not described has one element."""
        if not (self._sizes.get("X") and self._sizes.get("Y")):
            return ""
        channels = str(len(self._colours) or 1)
        return "x".join(channels if axis == "C" else self._sizes.get(axis) or "1" for axis in "XYZCT")

    def _pixel_size(self) -> str:
        """Length is from the first to the last element, in metres; pixel numbers labelled as metres are left out."""
        sizes = []
        for axis in "XYZ":
            length, unit = self._lengths.get(axis, ("", ""))
            try:
                step = abs(float(length)) / (_number(self._sizes.get(axis)) - 1)
            except (ValueError, ZeroDivisionError):
                continue
            if unit == "m" and 0 < step < _CENTIMETRE:
                sizes.append(f"{step * 1e6:.6g}")
        return "x".join(sizes)


def plane(path: Path, start: int, length: int, xml: LeicaXml) -> Plane | None:
    """The plane in the middle of the first image, whose data begin at `start`; None if its pixels are of no known kind.

    BytesInc of DimensionDescription and ChannelDescription: openreadout lif.md "XML model". Colours lie together,
    blue first, where a pixel has three bytes and three channels.
    """
    (width, each), (height, row) = xml.steps.get("X", (0, 0)), xml.steps.get("Y", (0, 0))
    if not (xml.channels and width and height):
        return None
    channel = xml.channels[len(xml.channels) // 2]
    kind = next((kind for bits, kind in ((8, "<u1"), (16, "<u2"), (32, "<f4")) if channel.bits <= bits), "")
    size = int(kind[2:] or 0)
    samples = each // size if size and each % size == 0 else 0
    if samples not in (1, 3) or row < width * each:
        return None
    skip = 0 if samples == 3 else channel.offset
    skip += sum(count // 2 * step for axis, (count, step) in xml.steps.items() if axis not in ("X", "Y"))
    if skip + row * (height - 1) + width * each > length:
        return None
    return Plane(path, start + skip, width, height, kind, samples, bgr=samples == 3, row=row)


def _number(text: str | None) -> int:
    """A whole number of a sensible length, else 0."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else 0


def _time(filetime: str) -> str:
    """A FILETIME, in hexadecimal, as UTC (MS-DTYP 2.3.3); "" if it is none."""
    try:
        ticks = int(filetime[:16], 16)
        moment = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
    except (ValueError, OverflowError):
        return ""
    return moment.isoformat(timespec="milliseconds") if ticks else ""


def _objective(attributes: Mapping[str, str]) -> str:
    name = " ".join(attributes["ObjectiveName"].split())
    magnification, aperture = attributes.get("Magnification", ""), attributes.get("NumericalAperture", "")
    optics = "/".join(filter(None, (magnification and f"{magnification}x", aperture)))
    return " ".join(filter(None, (name, optics)))
