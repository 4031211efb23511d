"""GE/Cytiva IN Cell Analyzer: a plate is a folder whose .xdce names every image beside it.

Root ImageStack with Images/Image@filename; Creation@date and @time in the local time of a computer that it does not
place; ObjectiveCalibration with pixel_width and pixel_height in micrometres (Bio-Formats, InCellReader). When in a run
the .xdce is written is not known, so its end tag says that the list is whole, and the images must follow.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from watcher.formats.base import Claim, Examination
from watcher.formats.plates import Findings, Listing, ends_with, moment, number, scan
from watcher.formats.reading import Unsound, open_file

_ROOT: Final = "ImageStack"
_OPENING = re.compile(rb"\s*(?:<\?xml[^>]*\?>\s*)?<ImageStack[\s>]")
_DESCRIPTIONS: Final = ("Application", "Creation", "Operator", "Computer", "ObjectiveCalibration")


class InCell:
    """Plates of IN Cell Analyzers."""

    name = "incell"

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether this is XML with the root of such a list; other programs may use that word, so the name counts."""
        return name.lower().endswith(".xdce") and _OPENING.match(head.removeprefix(b"\xef\xbb\xbf")) is not None

    def claim(self, path: Path) -> Claim:
        """The folder with all in it. Nothing needs to be read for that."""
        return Claim(self.name, (path.name,), tree=".")

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Every list is whole, and every image that it names is there."""
        findings = Findings()
        for name in sorted(members):
            try:
                _List(directory, name).read(findings)
            except Unsound as problem:
                findings.problems.append(f"{name}: {problem}")
            except OSError as error:
                findings.absent(directory, name, error)
        return findings.examination("incell:list+files")


FORMAT: Final = InCell()


class _List:
    """One pass over one .xdce."""

    def __init__(self, directory: Path, name: str) -> None:
        self._path = directory / name
        self._name = name
        self._listing = Listing(directory, name)
        self._first: dict[str, Mapping[str, str]] = {}
        self._images = 0

    def read(self, findings: Findings) -> None:
        """Read it, and add what was found. Raises Unsound, and OSError."""
        with open_file(self._path) as file:
            if not ends_with(file, _ROOT):
                raise Unsound(f"unfinished: it does not end with </{_ROOT}>, it is still being written or was cut off")
            scan(file, ("Image", *_DESCRIPTIONS), (), (), self._see)
        self._listing.report(findings)
        if not self._images:
            findings.problems.append(f"{self._name}: incomplete: it lists no image")
        self._describe(findings)

    def _see(self, kind: str, given: Mapping[str, str], _: Mapping[str, str]) -> None:
        if kind != "Image":
            self._first.setdefault(kind, given)
        elif name := given.get("filename"):
            self._images += 1
            self._listing.look(name)

    def _describe(self, findings: Findings) -> None:
        program, creation = self._first.get("Application", {}), self._first.get("Creation", {})
        optics = self._first.get("ObjectiveCalibration", {})
        source = self._name.rpartition("/")[2]
        acquired = moment(f"{creation.get('date', '')}T{creation.get('time', '')}")
        findings.say("acquired", acquired, f"{source}: Creation")
        findings.say("instrument", program.get("name", ""), f"{source}: Application/name")
        findings.say("software", program.get("software_version", ""), f"{source}: Application/software_version")
        findings.say("objective", optics.get("objective_name", ""), f"{source}: ObjectiveCalibration/objective_name")
        across, down = number(optics.get("pixel_width", "")), number(optics.get("pixel_height", ""))
        if across and down:
            findings.say("pixel_size_um", f"{across}x{down}", f"{source}: ObjectiveCalibration/pixel_width and _height")
        findings.say("experimenter", self._first.get("Operator", {}).get("login", ""), f"{source}: Operator/login")
        findings.say("computer", self._first.get("Computer", {}).get("name", ""), f"{source}: Computer/name")
