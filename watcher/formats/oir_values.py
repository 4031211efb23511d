"""Takes the common metadata from the XML that FluoView (Olympus/Evident FV3000, FV4000) writes into an OIR file.

Sources: openreadout docs/formats/oir.md, "XML documents" and "Normalized model"; parseImageProperties in OIRReader of
Bio-Formats. The time is written with its offset (reference/image-formats.md, section 4).
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from watcher.formats.metadata import MAX_TEXT
from watcher.formats.safe_xml import local, root_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_AXES = {"ZSTACK": "Z", "TIMELAPSE": "T", "LAMBDA": "L"}


def properties_in(data: bytes) -> "Element | None":
    """The document that describes the image; each document stands behind its length."""
    for found in re.finditer(rb"<\?xml", data):
        at = found.start()
        (length,) = struct.unpack_from("<I", data, at - 4) if at >= 4 else (0,)
        text = data[at : at + length]
        if b"imageProperties" in text[:4096]:
            root = root_of(text, "its description")
            if local(root.tag) == "imageProperties":
                return root
    return None


@dataclass(frozen=True, slots=True)
class Facts:
    """Channels by their identifier, sizes and steps by axis, and the planes that follow (0: not told)."""

    channels: dict[str, str]
    sizes: dict[str, int]
    steps: dict[str, float]
    planes: int


def facts_of(document: "Element") -> Facts:
    """The channels and axes of an image."""
    channels: dict[str, str] = {}
    for element in _all(document, "channel"):
        if (identity := element.get("id")) and (identity not in channels or not channels[identity]):
            channels[identity] = _text(element, "name")
    sizes: dict[str, int] = {}
    steps: dict[str, float] = {}
    for info in _all(document, "imageInfo"):
        for axis in (child for child in info if local(child.tag) == "axis" and child.get("enable") != "false"):
            letter = _AXES.get(_text(axis, "axis"), _text(axis, "axis")[:20])
            number = _text(axis, "maxSize")
            if letter and number.isascii() and number.isdigit() and len(number) < 8:
                sizes[letter] = max(int(number), 1)
                steps[letter] = _number(_text(axis, "step"))
    planes = len(channels) if sizes else 0
    for size in sizes.values():
        planes *= size
    return Facts(channels, sizes, steps, planes)


def described(document: "Element", facts: Facts) -> tuple[dict[str, str], dict[str, str]]:
    """Metadata of an image and where each value stands."""
    where = "imageProperties/"
    system, version = _text(document, "systemName"), _text(document, "systemVersion")
    lens = next(_all(document, "objectiveLens"), None)
    found = {
        "acquired": (_text(document, "creationDateTime"), "general/creationDateTime"),
        "instrument": (system, "systemName"),
        "objective": ("" if lens is None else _text(lens, "name") or _text(lens, "displayName"), "objectiveLens/name"),
        "channels": (", ".join(name for name in facts.channels.values() if name), "imageInfo/channel/name"),
        "size": (_size(document, facts), "imageInfo/width, height, axis/maxSize"),
        "pixel_size_um": (_pixel_size(document, facts), "length/x, length/y, axis/step"),
        "software": (f"{system} {version}".strip() if version else "", "systemVersion"),
    }
    told = {key: pair for key, pair in found.items() if pair[0]}
    return (
        {key: value[:MAX_TEXT] for key, (value, _) in told.items()},
        {key: where + at for key, (_, at) in told.items()},
    )


def _size(document: "Element", facts: Facts) -> str:
    info = next(_all(document, "imageInfo"), None)
    width, height = ("", "") if info is None else (_text(info, "width"), _text(info, "height"))
    if not (width.isdigit() and height.isdigit() and facts.channels) or facts.sizes.keys() - {"Z", "T"}:
        return ""
    z, t = facts.sizes.get("Z", 1), facts.sizes.get("T", 1)
    return f"{int(width[:9])}x{int(height[:9])}x{z}x{len(facts.channels)}x{t}"


def _pixel_size(document: "Element", facts: Facts) -> str:
    unit = next(_all(document, "pixelUnit"), None)
    length = next(_all(document, "length"), None)
    if unit is None or length is None or {_text(unit, "x"), _text(unit, "y")} != {"MICRO_METER"}:
        return ""
    sizes = [_number(_text(length, axis)) for axis in ("x", "y")]
    if not all(sizes):
        return ""
    step = abs(facts.steps.get("Z", 0))
    return "x".join(f"{size:.6g}" for size in (*sizes, *((step,) if step else ())))


def _all(element: "Element", name: str) -> Iterator["Element"]:
    return (child for child in element.iter() if local(child.tag) == name)


def _text(element: "Element", name: str) -> str:
    found = next(_all(element, name), None)
    if found is element:  # an `axis` has its kind in a child that is called so, too
        found = next((child for child in element if local(child.tag) == name), None)
    return " ".join((found.text or "").split()) if found is not None else ""


def _number(text: str) -> float:
    return float(text) if re.fullmatch(r"-?\d{1,12}(\.\d{1,18})?", text, re.ASCII) else 0
