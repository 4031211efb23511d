"""FEI TIA .ser with its .emi: a table of offsets in front, an element of data and a tag for each of them.

Layout: Chris Boothroyd, "TIA file format", and openNCEM (ncempy/io/ser.py): header with the numbers of elements, the
place of the offset table, dimensions; elements with calibrations, data type and array size; the names of a series,
`X.emi` with `X_1.ser`, `X_2.ser`, and the `ObjectInfo` XML inside the .emi. The layout of the .emi is not public: it is
only searched for that XML, and travels with its .ser if it is there when that is seen.
"""

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from watcher.formats.base import Claim, Examination
from watcher.formats.electron import Finding, gathered, is_there, look_into
from watcher.formats.plane import Picture, Plane
from watcher.formats.reading import Unsound, cut_off, open_file, read_at, size_of
from watcher.formats.safe_xml import local, root_of

#: Elements that are looked at one by one; of more, the offsets of all and the place of the last one are.
MAX_ELEMENTS: Final = 100_000
#: Offsets that are looked at.
MAX_TABLE: Final = 4_000_000
#: Offsets that are held in memory at a time.
CHUNK: Final = 8192
#: Bytes of an .emi that are searched for its XML, and bytes of that XML.
MAX_EMI: Final = 8 << 20
MAX_XML: Final = 1 << 20

_MAGIC = b"II\x97\x01"
_OFFSETS = {0x210: "<i", 0x220: "<q"}
_AXES = {0x4120: 1, 0x4122: 2}
_TAG_BYTES = {0x4152: 8, 0x4142: 24}
_WIDTHS = {1: 1, 2: 2, 3: 4, 4: 1, 5: 2, 6: 4, 7: 4, 8: 8, 9: 8, 10: 16}
# numpy's types of those
_PIXELS = dict(enumerate(("<u1", "<u2", "<u4", "<i1", "<i2", "<i4", "<f4", "<f8", "<c8", "<c16"), start=1))
_CALIBRATION_BYTES = 20
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(r"\w{3} (\w{3}) +(\d{1,2}) (\d{2}:\d{2}:\d{2}) (\d{4})")
_SERIES = re.compile(r"(.+)_\d+\.ser", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Header:
    """What the first bytes say: axes of an element (1 or 2), kind of tags, elements planned and written, table."""

    offset: str
    axes: int
    tag: int
    planned: int
    written: int
    table: int


class Ser:
    """TIA series: each .ser with the .emi that describes it."""

    name = "ser"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the Protocol gives it
        """Whether the file begins with TIA's byte order, series mark and a known version."""
        return head[:4] == _MAGIC and head[4:6] in (b"\x10\x02", b"\x20\x02")

    def claim(self, path: Path) -> Claim:
        """Itself, and its .emi, which comes when the document is saved."""
        emi, title = _emi_of(path), _document_of(path)
        takes = f"(?i:{re.escape(title)}\\.emi)"
        return Claim(self.name, (path.name, emi) if emi else (path.name,), title=title, takes=takes)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Every element and tag that the table lists is in the file. OSError passes through."""
        findings = {name: look_into(directory / name, self) for name in members}
        for name, found in findings.items():
            path = directory / name
            emi = _emi_of(path)
            if emi:
                _describe(path.with_name(emi), found)
            else:
                found.remarks.append("its .emi, which describes it, is not beside it")
        return gathered("ser:offset-table", findings)

    def picture(self, path: Path) -> Picture | None:
        """The element in the middle, if the elements are images."""
        with open_file(path) as file:
            size = size_of(file)
            header = _header(file, size)
            if header.axes != 2 or not header.written:
                return None
            middle = header.written // 2
            table = header.table + middle * struct.calcsize(header.offset)
            (place,) = struct.unpack(
                header.offset, read_at(file, table, struct.calcsize(header.offset), "a place", size)
            )
            width, height = _element(file, size, header, place, middle)
            at = place + header.axes * _CALIBRATION_BYTES
            (kind,) = struct.unpack("<h", read_at(file, at, 2, "an element", size))
        return (Plane(path, at + 10, width, height, _PIXELS[kind]),)

    def look(self, file: BinaryIO, size: int, found: Finding) -> None:
        """Header, table, and the elements."""
        header = _header(file, size)
        if not header.written:
            raise Unsound("unfinished: no element has been written yet")
        if header.written > header.planned:
            raise Unsound(f"damaged: {header.written} of {header.planned} elements are said to be written")
        width = struct.calcsize(header.offset)
        end = header.table + 2 * header.planned * width
        if end > size:
            raise cut_off("the table of its elements", end, size)
        if header.written < header.planned:
            found.remarks.append(f"{header.written} of {header.planned} elements were recorded")
        if header.written > MAX_TABLE:
            found.unsure = f"it has more than {MAX_TABLE} elements"
            return
        last = 0
        for start in range(0, header.written, CHUNK):
            places = _offsets(file, size, header, header.table, start)
            tags = _offsets(file, size, header, header.table + header.planned * width, start)
            if min(places) < struct.calcsize("<3H"):
                raise Unsound("unfinished: the table of its elements has places that are not filled in")
            last = max(last, max(places))
            for index, (place, tag) in enumerate(zip(places, tags, strict=True), start):
                if index >= MAX_ELEMENTS:
                    break
                shape = _element(file, size, header, place, index)
                _tag(size, header, tag, index)
                if not index:
                    sizes = (*shape, 1)[:2]
                    found.says("size", f"{sizes[0]}x{sizes[1]}x1x1x{header.written}", "data element 1")
        _element(file, size, header, last, header.written - 1)


def _header(file: BinaryIO, size: int) -> Header:
    magic, version, axes, tag, planned, written = struct.unpack("<4sH4i", read_at(file, 0, 22, "the file header", size))
    if magic != _MAGIC or version not in _OFFSETS:
        raise Unsound("not a TIA series: its first bytes are something else")
    if axes not in _AXES or tag not in _TAG_BYTES or planned < 0 or written < 0:
        raise Unsound("damaged: its header speaks of a kind of series that there is not")
    form = _OFFSETS[version]
    (table,) = struct.unpack(form, read_at(file, 22, struct.calcsize(form), "the file header", size))
    if table < 22:
        raise Unsound("unfinished: the place of the table of its elements is not filled in")
    return Header(form, _AXES[axes], tag, planned, written, table)


def _offsets(file: BinaryIO, size: int, header: Header, table: int, start: int) -> tuple[int, ...]:
    number = min(CHUNK, header.written - start)
    width = struct.calcsize(header.offset)
    raw = read_at(file, table + start * width, number * width, "the table of its elements", size)
    return struct.unpack(f"<{number}{header.offset[1]}", raw)


def _element(file: BinaryIO, size: int, header: Header, place: int, index: int) -> tuple[int, ...]:
    """The size of the array of an element that lies inside the file. Raises Unsound if it does not."""
    what = f"element {index + 1} of {header.written}"
    at = place + header.axes * _CALIBRATION_BYTES
    kind, *shape = struct.unpack(
        f"<h{header.axes}i", read_at(file, at, 2 + 4 * header.axes, f"the beginning of {what}", size)
    )
    if kind not in _WIDTHS or min(shape) <= 0:
        raise Unsound(f"damaged: {what} has a size or a kind of number that there is not")
    values = 1
    for length in shape:
        values *= length
    end = at + 2 + 4 * header.axes + values * _WIDTHS[kind]
    if end > size:
        raise cut_off(what, end, size)
    return tuple(shape)


def _tag(size: int, header: Header, place: int, index: int) -> None:
    """The tag's place. Some writers leave it at the end of the file without a tag (openNCEM, ser.py)."""
    end = place + _TAG_BYTES[header.tag]
    if place != size and end > size:
        raise cut_off(f"the time of element {index + 1}", end, size)


def _document_of(path: Path) -> str:
    """The name of the document, `X` of `X_1.ser`."""
    match = _SERIES.fullmatch(path.name)
    return match[1] if match else path.stem


def _emi_of(path: Path) -> str:
    """The .emi in the same folder, spelled as it is there; "" if there is none."""
    wanted = f"{_document_of(path)}.emi"
    if not any(is_there(path.with_name(name)) for name in (wanted, wanted[:-4] + ".EMI")):
        return ""
    # Where names are the same in any case, the name must still be the one that the folder lists.
    return next((one.name for one in path.parent.iterdir() if one.name.lower() == wanted.lower()), "")


def _describe(emi: Path, found: Finding) -> None:
    """What the ObjectInfo inside the .emi says, if it is near its beginning and can be read."""
    with open_file(emi) as file:
        data = file.read(MAX_EMI)
    start = data.find(b"<ObjectInfo")
    end = data.find(b"</ObjectInfo>", start)
    if start < 0 or end < 0 or end - start > MAX_XML:
        found.remarks.append(f"{emi.name} holds no description that could be read")
        return
    try:
        root = root_of(data[start : end + len(b"</ObjectInfo>")], "its description")
    except Unsound:
        found.remarks.append(f"{emi.name} holds a description that is damaged")
        return
    said = {local(element.tag): (element.text or "").strip() for element in root if not len(element)}
    labels: dict[str, str] = {}
    for entry in root.iter("Data"):
        labels.setdefault(entry.findtext("Label", "").strip(), entry.findtext("Value", "").strip())
    found.says("acquired", _date(said.get("AcquireDate", "")), "emi/ObjectInfo/AcquireDate")
    instrument = f"{said.get('Manufacturer', '')} {labels.get('Microscope', '')}".strip()
    found.says("instrument", instrument, "emi/ObjectInfo/Manufacturer, Microscope")
    found.says("experimenter", labels.get("User", ""), "emi/ObjectInfo/ExperimentalDescription/User")
    if magnification := labels.get("Magnification", ""):
        found.says("objective", f"{magnification}x", "emi/ObjectInfo/ExperimentalDescription/Magnification")


def _date(text: str) -> str:
    """A date as in "Tue Apr 05 14:20:17 2016", in ISO 8601 without an offset; "" if it is none."""
    match = _DATE.fullmatch(text)
    if match is None or match[1] not in _MONTHS:
        return ""
    return f"{match[4]}-{_MONTHS.index(match[1]) + 1:02}-{int(match[2]):02}T{match[3]}"


FORMAT: Final = Ser()
