"""Leica SCN slides: a BigTIFF whose description is XML that says which page holds which level of which image.

OpenSlide, format "leica" (the XML's namespace and the attribute `ifd`); Bio-Formats LeicaSCNReader (device, creation
date, objective, aperture; a view's size is in nanometres); reference/image-formats.md 3.4.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from watcher.formats.reading import Unsound
from watcher.formats.safe_xml import local, root_of
from watcher.formats.tiff import Facts
from watcher.formats.tiff_kind import DESCRIPTION, Page, SpecialTiff, Told, iso_as_is

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def _tell(page: Page, facts: Facts) -> Told:
    told = Told()
    try:
        root = root_of(page.text(DESCRIPTION), "the XML description")
    except Unsound as problem:
        told.problems.append(str(problem))
        return told
    listed = [
        int(said) for one in _all(root, "dimension") if (said := one.get("ifd", "")).isdecimal() and len(said) < 9
    ]
    if listed and max(listed) >= facts.pages and not facts.unsure:
        told.problems.append(f"incomplete: its XML lists page {max(listed) + 1}, the file has {facts.pages}")
    # The overview of the whole glass comes first or last; the main image is the finest one.
    image = min(_all(root, "image"), key=_pitch, default=None)
    if image is not None:
        _describe(told, image)
    return told


def _describe(told: Told, image: "Element") -> None:
    where = "ImageDescription/scn/collection/image/"
    told.put("acquired", iso_as_is(_text(image, "creationDate")), f"{where}creationDate")
    for device in _all(image, "device"):
        told.put("instrument", device.get("model", ""), f"{where}device/@model")
        told.put("software", device.get("version", ""), f"{where}device/@version")
    strength, aperture = _text(image, "objective"), _text(image, "numericalAperture")
    named = f"{strength}x/{aperture}" if strength and aperture else f"{strength}x" if strength else ""
    told.put("objective", named, f"{where}scanSettings")
    channels = ", ".join(name for one in _all(image, "channel") if (name := one.get("name", "")))
    told.put("channels", channels, f"{where}channel/@name")
    pitch = _pitch(image)
    told.put("pixel_size_um", f"{pitch:.6g}x{pitch:.6g}" if pitch < _UNKNOWN else "", f"{where}view,pixels")


_UNKNOWN: Final = float("inf")


def _pitch(image: "Element") -> float:
    """Micrometres a pixel of an image's finest level."""
    try:
        view, pixels = next(_all(image, "view")), next(_all(image, "pixels"))
        across, count = float(view.get("sizeX", "")), float(pixels.get("sizeX", ""))
    except (StopIteration, ValueError):
        return _UNKNOWN
    return across / count / 1000 if 0 < across < _UNKNOWN and 0 < count < _UNKNOWN else _UNKNOWN


def _all(root: "Element", name: str) -> Iterator["Element"]:
    return (one for one in root.iter() if local(one.tag) == name)


def _text(root: "Element", name: str) -> str:
    return next((one.text.strip() for one in _all(root, name) if one.text), "")


FORMAT: Final = SpecialTiff("scn", _tell)
