"""What the XML of a Zeiss CZI file says of it.

Elements: openreadout docs/formats/czi.md, "XML model"; reference/image-formats.md 2.2.
"""

from collections.abc import Mapping, Sequence

from watcher.formats.metadata import MAX_TEXT

_MAX_CHANNELS = 100
_IMAGE = "Information/Image/"
_SCOPE = "Information/Instrument/Microscopes/Microscope"
_LENS = "Information/Instrument/Objectives/Objective"
_CHANNEL = "Information/Image/Dimensions/Channels/Channel"
_DISTANCE = "Scaling/Items/Distance"
_APPLICATION = "Information/Application/"
#: The elements whose first text is kept, below ImageDocument/Metadata.
_KEPT = frozenset(
    (
        *(f"{_IMAGE}Size{axis}" for axis in "XYZCT"),
        f"{_IMAGE}AcquisitionDateAndTime",
        "Information/Document/CreationDate",
        "Information/Document/UserName",
        "Information/User/DisplayName",
        f"{_APPLICATION}Name",
        f"{_APPLICATION}Version",
        f"{_SCOPE}/System",
        f"{_SCOPE}/Manufacturer/Model",
        f"{_LENS}/Manufacturer/Model",
        f"{_LENS}/NominalMagnification",
        f"{_LENS}/LensNA",
    )
)
_LAST = frozenset(path.rpartition("/")[2] for path in _KEPT)


class CziXml:
    """Collects values as the elements pass (a `vendor_xml.Visitor`). Use once."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._channels: list[str] = []
        self._steps: dict[str, str] = {}
        self._axis = ""

    def start(self, path: Sequence[str], attributes: Mapping[str, str]) -> None:
        """Names and identifiers stand in attributes."""
        if path[-1] not in ("Channel", "Distance", "Microscope", "Objective"):
            return
        where = "/".join(path[2:])
        if where == _CHANNEL and attributes.get("Name") and len(self._channels) < _MAX_CHANNELS:
            self._channels.append(attributes["Name"])
        elif where == _DISTANCE:
            self._axis = attributes.get("Id", "")
        elif where in (_SCOPE, _LENS) and attributes.get("Name"):
            self._texts.setdefault(f"{where}@Name", attributes["Name"])

    def end(self, path: Sequence[str], text: str) -> None:
        """Everything else stands in texts."""
        if text and path[-1] in _LAST and (where := "/".join(path[2:])) in _KEPT:
            self._texts.setdefault(where, text)
        elif text and path[-1] == "Value" and "/".join(path[2:-1]) == _DISTANCE:
            self._steps.setdefault(self._axis, text)

    def size(self, axis: str) -> int:
        """How many images it was set up for along Z, C or T; 0 if it does not say."""
        text = self._texts.get(f"{_IMAGE}Size{axis}", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0

    def metadata(self) -> dict[str, str]:
        """The values that are there, by the keys of `formats/metadata.py`."""
        return {key: value for key, (value, _) in self._values().items()}

    def sources(self) -> dict[str, str]:
        """Where each of them stands, below ImageDocument/Metadata."""
        return {key: place for key, (_, place) in self._values().items()}

    def _values(self) -> dict[str, tuple[str, str]]:
        application = " ".join(filter(None, (self._texts.get(f"{_APPLICATION}{part}") for part in ("Name", "Version"))))
        values = {
            "acquired": self._first(f"{_IMAGE}AcquisitionDateAndTime", "Information/Document/CreationDate"),
            "instrument": self._first(f"{_SCOPE}/System", f"{_SCOPE}@Name", f"{_SCOPE}/Manufacturer/Model"),
            "objective": (self._objective(), _LENS),
            "channels": (", ".join(self._channels), f"{_CHANNEL}@Name"),
            "size": (self._size(), f"{_IMAGE}SizeX"),
            "pixel_size_um": (self._pixel_size(), _DISTANCE),
            "software": (application, _APPLICATION.rstrip("/")),
            "experimenter": self._first("Information/Document/UserName", "Information/User/DisplayName"),
        }
        return {key: (value[:MAX_TEXT], place) for key, (value, place) in values.items() if value}

    def _first(self, *places: str) -> tuple[str, str]:
        return next(((self._texts[place], place) for place in places if place in self._texts), ("", ""))

    def _objective(self) -> str:
        name, _ = self._first(f"{_LENS}/Manufacturer/Model", f"{_LENS}@Name")
        magnification = _number(self._texts.get(f"{_LENS}/NominalMagnification", ""))
        aperture = _number(self._texts.get(f"{_LENS}/LensNA", ""))
        optics = "/".join(filter(None, (magnification and f"{magnification}x", aperture)))
        return " ".join(filter(None, (name, optics)))

    def _size(self) -> str:
        """A dimension that is not there has one element: libCZI leaves it out."""
        sizes = [self._texts.get(f"{_IMAGE}Size{axis}", "" if axis in "XY" else "1") for axis in "XYZCT"]
        return "x".join(sizes) if all(sizes) else ""

    def _pixel_size(self) -> str:
        """In metres in the file."""
        return "x".join(filter(None, (_number(self._steps.get(axis, ""), 1e6) for axis in "XYZ")))


def _number(text: str, factor: float = 1) -> str:
    """A number without the digits that only binary fractions have; "" if it is none, or no size."""
    try:
        value = float(text) * factor
    except ValueError:
        return ""
    return f"{value:.6g}" if 0 < value < float("inf") else ""
