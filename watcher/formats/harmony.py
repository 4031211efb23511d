"""Harmony and Columbus (Opera, Operetta): a measurement is a folder whose index names every plane's file.

The index is `Index.idx.xml`, `Index.xml` (from Harmony 6) or `Index.ref.xml`, mostly in the folder `Images`, or
`ImageIndex.ColumbusIDX.xml`; its root is EvaluationInputData. Image/URL is relative to the index; an empty one is a
plane that was recorded without an image. Before Harmony 6 the description of a channel stands in each Image, later in
Maps/Map/Entry; lengths are in metres (reference/image-formats.md 3.2; openreadout docs/provenance/opera-harmony.md).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from watcher.formats.base import Claim, Examination
from watcher.formats.plates import Findings, Listing, ends_with, moment, number, scan
from watcher.formats.reading import Unsound, open_file

_ROOT: Final = "EvaluationInputData"
_OPENING = re.compile(rb"\s*(?:<\?xml[^>]*\?>\s*)?<(?:[\w.-]+:)?EvaluationInputData[\s>]")
# One element of each is enough: all planes of a measurement have the same
_ONCE: Final = frozenset(
    (
        "User",
        "InstrumentType",
        "MeasurementStartTime",
        "ImageResolutionX",
        "ImageResolutionY",
        "ImageSizeX",
        "ImageSizeY",
        "ObjectiveMagnification",
        "ObjectiveNA",
    )
)
_COUNTED: Final = ("PlaneID", "ChannelID", "TimepointID", "ChannelName")
_EACH: Final = frozenset(("URL", "State", *_COUNTED))
#: Different values of one kind, as time points, that are counted.
_MAX_VALUES = 10_000
_MAX_TEXT = 200


class Harmony:
    """Measurements of Harmony and exports of Columbus."""

    name = "harmony"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the Protocol gives it
        """Whether this is XML with the root of an index."""
        return _OPENING.match(head.removeprefix(b"\xef\xbb\xbf")) is not None

    def claim(self, path: Path) -> Claim:
        """The measurement's folder: the one above, if the index is in `Images`. Nothing needs to be read for that."""
        return Claim(self.name, (path.name,), tree=".." if path.absolute().parent.name.lower() == "images" else ".")

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Every index is whole, and every file that it names is there."""
        findings = Findings()
        for name in sorted(members):
            try:
                _Index(directory, name).read(findings)
            except Unsound as problem:
                findings.problems.append(f"{name}: {problem}")
            except OSError as error:
                findings.absent(directory, name, error)
        return findings.examination("harmony:index+files")


FORMAT: Final = Harmony()


class _Index:
    """One pass over one index."""

    def __init__(self, directory: Path, name: str) -> None:
        self._path = directory / name
        self._name = name
        self._listing = Listing(directory, name)
        self._first: dict[str, str] = {}
        self._values: dict[str, dict[str, None]] = {kind: {} for kind in _COUNTED}
        self._planes = self._empty = self._not_ok = 0

    def read(self, findings: Findings) -> None:
        """Read it, and add what was found. Raises Unsound, and OSError."""
        with open_file(self._path) as file:
            if not ends_with(file, _ROOT):
                raise Unsound(
                    f"unfinished: it does not end with </{_ROOT}>, so it is still being written or was cut off"
                )
            self._first = scan(file, ("Image", "Entry"), _EACH, _ONCE, self._see)
        self._listing.report(findings)
        if not self._planes:
            findings.problems.append(f"{self._name}: incomplete: it lists no plane")
        if self._empty:
            findings.remarks.append(
                f"{self._name}: {self._empty} of {self._planes} planes were recorded without an image"
            )
        if self._not_ok:
            findings.remarks.append(
                f"{self._name}: {self._not_ok} of {self._planes} planes have a state that is not Ok"
            )
        self._describe(findings)

    def _see(self, kind: str, given: Mapping[str, str], said: Mapping[str, str]) -> None:
        """A plane, or a channel's entry in Maps; in Wells stand Images that only point to one, by an attribute."""
        for name, known in self._values.items():
            if (text := said.get(name)) and text not in known and len(known) < _MAX_VALUES and len(text) < _MAX_TEXT:
                known[text] = None
        if kind != "Image" or ("id" in given and "URL" not in said):
            return
        self._planes += 1
        if url := said.get("URL"):
            self._listing.look(url)
        else:
            self._empty += 1
        self._not_ok += said.get("State", "Ok") != "Ok"

    def _describe(self, findings: Findings) -> None:
        first, source = self._first, self._name.rpartition("/")[2]

        def micrometres(key: str) -> str:
            try:
                value = float(first.get(key, "")) * 1e6
            except ValueError:
                return ""
            return f"{value:.6g}" if 0 < value < 1e6 else ""

        findings.say("acquired", moment(first.get("MeasurementStartTime", "")), f"{source}: Plate/MeasurementStartTime")
        findings.say("instrument", first.get("InstrumentType", ""), f"{source}: InstrumentType")
        magnification, aperture = number(first.get("ObjectiveMagnification", "")), number(first.get("ObjectiveNA", ""))
        optics = f"{magnification}x" + (f" NA {aperture}" if aperture else "") if magnification else ""
        findings.say("objective", optics, f"{source}: ObjectiveMagnification, ObjectiveNA")
        findings.say("channels", ", ".join(self._values["ChannelName"]), f"{source}: ChannelName")
        across, down = micrometres("ImageResolutionX"), micrometres("ImageResolutionY")
        if across and down:
            findings.say("pixel_size_um", f"{across}x{down}", f"{source}: ImageResolutionX and Y")
        wide, high = number(first.get("ImageSizeX", "")), number(first.get("ImageSizeY", ""))
        if wide and high:
            counts = "x".join(str(len(self._values[kind])) for kind in ("PlaneID", "ChannelID", "TimepointID"))
            source_of_size = f"{source}: ImageSizeX and Y; PlaneID, ChannelID and TimepointID that occur"
            findings.say("size", f"{wide}x{high}x{counts}", source_of_size)
        findings.say("experimenter", first.get("User", ""), f"{source}: User")
