"""EPU (Thermo Fisher) sessions: a micrograph's XML with its preview, its image and its movie of fractions.

Names in a session, `FoilHole_<id>_Data_<id>_<id>_<date>_<time>` with `.xml`, `.jpg`, `.mrc`, `_Fractions.mrc`,
`_Fractions.tiff` or `_EER.eer`: reference/image-formats.md 3.5, smartem-decisions (fs_watcher.py). Elements of the XML:
the same section, python-murfey and a document of SwissOpenEM/LS_Metadata_reader. The XML does not name its files, and
the movies may go to another place: what is beside it is taken, and nothing is called missing. The movies themselves
are checked as MRC, TIFF or EER. Gain references are no movies: they stay files of their own.
"""

import itertools
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from watcher.formats import by_name
from watcher.formats.base import HEAD_BYTES, Claim, Examination
from watcher.formats.electron import Finding, gathered, look_into, micrometres
from watcher.formats.families import candidates
from watcher.formats.reading import Unsound, open_file, read_at
from watcher.formats.safe_xml import local, root_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

#: Bytes of the XML of one image; real ones have about 15 000.
MAX_BYTES: Final = 1 << 20
#: Names of a folder that are looked at for those that share a stem.
MAX_NAMES: Final = 50_000

_MICROGRAPH = re.compile(r"FoilHole_.+_Data_.+", re.IGNORECASE)
_MOVIE = re.compile(r"(FoilHole_.+_Data_.+)_(?:Fractions|EER)\.(?:mrcs?|tiff?|eer)", re.IGNORECASE)
_PLAIN = (".xml", ".jpg", ".jpeg", ".mrc", ".tif", ".tiff")
_IMAGES = (".mrc", ".mrcs", ".tif", ".tiff", ".eer")
_ELEMENT = b"<MicroscopeImage"


class Epu:
    """Micrographs of EPU, and the other images of its sessions (grid squares, foil holes, atlas tiles)."""

    name = "epu"

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether this is the XML of an image, or a movie of fractions by name and content."""
        text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if text.startswith((b"<?xml", _ELEMENT)):
            return _ELEMENT in text
        return _is_movie(name) and _inner(head, name) is not None

    def claim(self, path: Path) -> Claim:
        """The XML with the files beside it that share its stem; a movie as its own format claims it, with its XML."""
        if not path.name.lower().endswith(".xml"):
            return self._movie(path)
        beside = _beside(path) if _MICROGRAPH.fullmatch(path.stem) else []
        return Claim(self.name, (path.name, *beside), title=path.stem)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """The XML of each image is whole, and says what it is. OSError passes through."""
        findings = {}
        for member in members:
            path = directory / member
            image = _Image()
            found = findings[member] = look_into(path, image)
            if _MICROGRAPH.fullmatch(path.stem) and not found.problems:
                found.remarks += _absent(_beside(path), movie=image.movie)
        return gathered("epu:xml", findings)

    def _movie(self, path: Path) -> Claim:
        with open_file(path) as file:
            head = file.read(HEAD_BYTES)
        kind = _inner(head, path.name)
        if kind is None:
            return Claim(self.name, (path.name,), title=path.stem)
        inner = by_name(kind).claim(path)
        match = _MOVIE.fullmatch(path.name)
        if match is None or not path.with_name(match[1] + ".xml").is_file():
            return inner
        return replace(inner, lists=(*inner.lists, match[1] + ".xml"), title=match[1])


class _Image:
    """The XML of one image. movie: whether the image was recorded as a movie."""

    movie = False

    def look(self, file: BinaryIO, size: int, found: Finding) -> None:
        if size > MAX_BYTES:
            raise Unsound(f"it is longer than {MAX_BYTES} bytes, which no XML of one image is")
        root = root_of(read_at(file, 0, size, "the XML", size), "the XML")
        if local(root.tag) != "MicroscopeImage":
            raise Unsound("not an EPU file: the XML describes something else")
        values: dict[str, str] = {}
        for element in root.iter():
            name, text = local(element.tag), (element.text or "").strip()
            values.setdefault(name, text)
            self.movie |= name == "Key" and text == "FractionationSettings"
        _describe(values, found)
        found.says("pixel_size_um", _pixel_size(root), "SpatialScale/pixelSize")


FORMAT: Final = Epu()


def _is_movie(name: str) -> bool:
    return "gain" not in name.lower() and _MOVIE.fullmatch(name) is not None


def _inner(head: bytes, name: str) -> str | None:
    """The format that looks into a movie: the first other one that knows it."""
    others = (family.name for family in candidates(head, name) if family.name != FORMAT.name)
    return next((other for other in others if by_name(other).recognises(head, name)), None)


def _beside(path: Path) -> list[str]:
    """The files in the XML's folder that belong to its micrograph, spelled as they are there."""
    stem = path.stem.lower()
    names = []
    with os.scandir(path.parent) as entries:
        for entry in itertools.islice(entries, MAX_NAMES):
            lower = entry.name.lower()
            if not lower.startswith(stem) or entry.name == path.name:
                continue
            movie = _MOVIE.fullmatch(entry.name) if _is_movie(entry.name) else None
            plain = lower.removeprefix(stem) in _PLAIN
            if (plain or (movie is not None and movie[1].lower() == stem)) and entry.is_file():
                names.append(entry.name)
    return sorted(names)


def _absent(beside: list[str], *, movie: bool) -> list[str]:
    """What a person may expect beside a micrograph's XML; it may lie elsewhere or come later."""
    if not any(name.lower().endswith(_IMAGES) for name in beside):
        return ["no image and no movie lies beside it"]
    if movie and not any(_is_movie(name) for name in beside):
        return ["it was recorded as a movie, and none lies beside it"]
    return []


def _describe(values: dict[str, str], found: Finding) -> None:
    found.says("acquired", values.get("acquisitionDateTime", ""), "microscopeData/acquisition/acquisitionDateTime")
    software = f"{values.get('ApplicationSoftware', '')} {values.get('ApplicationSoftwareVersion', '')}".strip()
    found.says("software", software, "microscopeData/core/ApplicationSoftware")
    found.says("instrument", values.get("InstrumentModel", ""), "microscopeData/instrument/InstrumentModel")
    found.says("computer", values.get("ComputerName", ""), "microscopeData/instrument/ComputerName")
    if magnification := values.get("NominalMagnification", ""):
        source = "microscopeData/optics/TemMagnification/NominalMagnification"
        found.says("objective", f"{magnification}x", source)


def _pixel_size(root: "Element") -> str:
    """SpatialScale/pixelSize/x and y, in metres."""
    lengths = []
    for path in ("x", "y"):
        value = root.findtext(f"{{*}}SpatialScale/{{*}}pixelSize/{{*}}{path}/{{*}}numericValue", "")
        try:
            lengths.append(float(value))
        except ValueError:
            return ""
    return micrometres(lengths, 1e6)
