"""The part of reading OME-XML that sees one element after the other (SAX), and keeps only what a watcher needs."""

from dataclasses import dataclass
from typing import Final
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

#: Files and levels that one document may have; more is nonsense, and would fill the memory.
MAX_FILES: Final = 100_000
MAX_DEPTH: Final = 64
#: Elements that are read; Micro-Manager writes three a plane. Keeps the worst document to a few seconds.
MAX_ELEMENTS: Final = 1_000_000
#: Characters of one value that are kept, so that it fits a catalogue.
MAX_TEXT: Final = 500
_WANTED = frozenset(
    (
        "BinaryOnly",
        "Microscope",
        "Objective",
        "Experimenter",
        "AcquisitionDate",
        "Pixels",
        "Channel",
        "TiffData",
        "UUID",
    )
)
_MAX_DIGITS = 12
_MAX_PROBLEMS = 10
_MAX_CHANNELS = 100

# Micrometres in a unit of length: OME-XML schema 2016-06, UnitsLength; without a unit it is micrometres.
_MICROMETRES: Final = {
    **dict.fromkeys(("", "µm", "μm", "um"), 1.0),
    "nm": 1e-3,
    "pm": 1e-6,
    "Å": 1e-4,
    "mm": 1e3,
    "cm": 1e4,
    "m": 1e6,
}


class Stop(Exception):
    """The document need not, or must not, be read further; the text says why, "" if all is well."""


@dataclass(slots=True)
class Listed:
    """What a document lists of one file: its identifier ("" = none given) and the pages that it must have at least."""

    uuid: str = ""
    pages: int = 0


class Handler(ContentHandler):
    """Collects from the elements as they pass. Use once."""

    def __init__(self, *, only_uuid: bool) -> None:
        super().__init__()
        self.uuid = self.companion = self.companion_uuid = ""
        self.files: dict[str, Listed] = {}
        self.problems: list[str] = []
        self._only_uuid = only_uuid
        self._path: list[str] = []
        self._text: list[str] | None = None
        self._first: dict[str, dict[str, str]] = {}
        self._acquired = ""
        self._software = ""
        self._channels: list[str] = []
        self._images = 0
        self._elements = 0
        self._pixels = _Pixels()
        self._block: dict[str, str] = {}
        self._block_file: tuple[str, str] = ("", "")

    def metadata(self) -> dict[str, str]:
        """The values that were there, as text; see `ome_xml.Ome`."""
        pixels = self._first.get("Pixels", {})
        microscope, objective = self._first.get("Microscope", {}), self._first.get("Objective", {})
        experimenter = self._first.get("Experimenter", {})
        sizes = [pixels.get(f"Size{axis}", "") for axis in "XYZCT"]
        values = {
            "acquired": self._acquired,
            "instrument": _joined(microscope, "Manufacturer", "Model"),
            "objective": _objective(objective),
            "channels": ", ".join(self._channels),
            "size": "x".join(sizes) if all(sizes) else "",
            "pixel_size_um": _pixel_size(pixels),
            "software": self._software,
            "experimenter": _joined(experimenter, "FirstName", "LastName") or experimenter.get("UserName", ""),
        }
        return {key: value[:MAX_TEXT] for key, value in values.items() if value}

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - SAX calls it so
        """One element begins."""
        element = name.rpartition(":")[2]
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise Stop(f"the OME-XML has more than {MAX_ELEMENTS} elements")
        if not self._path:
            self._root(element, attrs)
        parent = self._path[-1] if self._path else ""
        self._path.append(element)
        if len(self._path) > MAX_DEPTH:
            raise Stop(f"the OME-XML is nested more than {MAX_DEPTH} levels deep")
        if self._only_uuid and element not in ("OME", "BinaryOnly"):
            raise Stop("")
        if element in _WANTED:
            self._begin(element, parent, dict(attrs.items()))

    def _begin(self, element: str, parent: str, given: dict[str, str]) -> None:
        match element, parent:
            case "BinaryOnly", _:
                self.companion, self.companion_uuid = given.get("MetadataFile", ""), _identifier(given.get("UUID", ""))
            case (("Microscope" | "Objective" | "Experimenter"), _):
                self._first.setdefault(element, given)
            case "Pixels", _:
                self._first.setdefault(element, given)
                self._images += 1
                self._pixels = _Pixels(*(self._number(given, f"Size{axis}", 1) for axis in "ZCT"))
            case "Channel", "Pixels":
                self._channel(given)
            case "TiffData", _:
                self._block, self._block_file = given, ("", "")
            case "UUID", "TiffData":
                self._block_file = (given.get("FileName", ""), "")
                self._text = []
            case "AcquisitionDate", "Image":
                self._text = []

    def _channel(self, given: dict[str, str]) -> None:
        self._pixels.channels += 1
        label = given.get("Name") or given.get("Fluor")
        if self._images == 1 and label and len(self._channels) < _MAX_CHANNELS:
            self._channels.append(label[:MAX_TEXT])

    def characters(self, content: str) -> None:
        """Text of the element that is open; only identifiers and dates are kept."""
        if self._text is not None and len(self._text) < MAX_TEXT:
            self._text.append(content[:MAX_TEXT])

    def endElement(self, name: str) -> None:  # noqa: ARG002, N802 - SAX calls it so
        """One element ends."""
        element = self._path.pop()
        text = "".join(self._text or ()).strip()
        self._text = None
        if element == "UUID":
            self._block_file = (self._block_file[0], _identifier(text))
        elif element == "AcquisitionDate":
            self._acquired = self._acquired or text
        elif element == "TiffData":
            self._list(*self._block_file)
        elif element == "Pixels":
            self._complete()

    def _root(self, element: str, given: AttributesImpl) -> None:
        if element != "OME":
            raise Stop("it is XML, but not OME-XML")
        self.uuid = _identifier(given.get("UUID", ""))
        self._software = given.get("Creator", "")

    def _list(self, file: str, uuid: str) -> None:
        """One TiffData: IFD 0 by default; PlaneCount 1 if an IFD is given, else all planes (OME-TIFF specification)."""
        first = self._number(self._block, "IFD", 0)
        planes = self._number(self._block, "PlaneCount", 1 if "IFD" in self._block else self._pixels.planes)
        self._pixels.listed += planes
        if file not in self.files and len(self.files) >= MAX_FILES:
            raise Stop(f"the OME-XML lists more than {MAX_FILES} files")
        listed = self.files.setdefault(file, Listed())
        listed.pages = max(listed.pages, first + planes)
        listed.uuid = listed.uuid or uuid
        if uuid and uuid != listed.uuid:
            self._problem(f"the OME-XML gives {file or 'its own file'} two identifiers, {listed.uuid} and {uuid}")

    def _complete(self) -> None:
        listed, planes = self._pixels.listed, self._pixels.planes
        if 0 < listed < planes:
            self._problem(f"the OME-XML lists {listed} of the {planes} planes of image {self._images}")

    def _number(self, given: dict[str, str], name: str, default: int) -> int:
        value = given.get(name, "").strip()
        if not value:
            return default
        if value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS:
            return int(value)
        self._problem(f"the OME-XML gives image {self._images} a {name} that is not a sensible number")
        return default

    def _problem(self, text: str) -> None:
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(text)


@dataclass(slots=True)
class _Pixels:
    """One image's sizes, and how many of its planes have been listed so far."""

    z: int = 1
    c: int = 1
    t: int = 1
    channels: int = 0
    listed: int = 0

    @property
    def planes(self) -> int:
        """How many planes it has; the samples of a colour channel share one (OME schema, SamplesPerPixel)."""
        return self.z * self.t * (min(self.channels, self.c) or self.c)


def _identifier(text: str) -> str:
    """An identifier in the one form in which they can be compared (RFC 9562, section 4: case does not matter)."""
    return text.strip().lower()


def _joined(given: dict[str, str], *names: str) -> str:
    return " ".join(given[name].strip() for name in names if given.get(name))


def _objective(given: dict[str, str]) -> str:
    optics = f"{given['NominalMagnification']}x" if given.get("NominalMagnification") else ""
    if given.get("LensNA"):
        optics += f"/{given['LensNA']}"
    return " ".join(filter(None, (_joined(given, "Manufacturer", "Model"), optics)))


def _pixel_size(given: dict[str, str]) -> str:
    """The size of a pixel in micrometres, as in 0.1x0.1x0.5; "" if any of it is not a length."""
    sizes = []
    for axis in "XYZ":
        if value := given.get(f"PhysicalSize{axis}"):
            try:
                sizes.append(f"{float(value) * _MICROMETRES[given.get(f'PhysicalSize{axis}Unit', '')]:.6g}")
            except (ValueError, KeyError):
                return ""
    return "x".join(sizes)
