"""What an OME-Zarr image says of itself: its first image's metadata, and the OME-XML of bioformats2raw.

Facts: OME-NGFF 0.4 and 0.5, multiscales (axes, coordinateTransformations) and omero (channels).
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from watcher.formats import ome_xml
from watcher.formats.metadata import MAX_TEXT
from watcher.formats.reading import open_file

_MICROMETRES: Final = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3, "angstrom": 1e-4}
#: The axes of an image that states none (OME-NGFF 0.1 and 0.2).
_FORMER_AXES: Final = "tczyx"
_MAX_CHANNELS: Final = 100


def about(image: Mapping[str, Any], shapes: list[tuple[int, ...]], xml: Path) -> dict[str, tuple[str, str]]:
    """By the keys of `metadata.py`: each value, and where it stands. OSError passes through."""
    found: dict[str, tuple[str, str]] = {}
    scales = image.get("multiscales")
    scale = scales[0] if isinstance(scales, list) and scales and isinstance(scales[0], dict) else {}
    axes, units = _axes(scale)
    if shapes and len(shapes[0]) == len(axes):
        sizes = dict(zip(axes, shapes[0], strict=True))
        found["size"] = "x".join(str(sizes.get(axis, 1)) for axis in "xyzct"), "shape of the first level"
    if steps := _steps(scale, axes, units):
        found["pixel_size_um"] = steps, "multiscales/datasets/coordinateTransformations"
    if labels := ", ".join(_labels(image.get("omero"))):
        found["channels"] = labels[:MAX_TEXT], "omero/channels/label"
    if xml.is_file():
        with open_file(xml) as file:
            document = ome_xml.read(_chunks(file))
        found |= {key: (value, "OME/METADATA.ome.xml") for key, value in document.metadata.items() if key not in found}
    return found


def _axes(scale: Mapping[str, Any]) -> tuple[list[str], dict[str, str]]:
    given = scale.get("axes", list(_FORMER_AXES))
    if not isinstance(given, list):
        return [], {}
    axes = [str(axis.get("name")) if isinstance(axis, dict) else str(axis) for axis in given]
    return axes, {str(axis.get("name")): str(axis.get("unit")) for axis in given if isinstance(axis, dict)}


def _steps(scale: Mapping[str, Any], axes: list[str], units: Mapping[str, str]) -> str:
    """The size of a pixel of the first level; "" unless X and Y are stated with a unit of length."""
    sets = scale.get("datasets")
    first = sets[0] if isinstance(sets, list) and sets and isinstance(sets[0], dict) else {}
    changes = first.get("coordinateTransformations")
    for change in changes if isinstance(changes, list) else ():
        steps = change.get("scale") if isinstance(change, dict) else None
        if not isinstance(steps, list) or len(steps) != len(axes):
            continue
        by_axis = dict(zip(axes, steps, strict=True))
        wanted = [axis for axis in "xyz" if axis in by_axis]
        if not {"x", "y"} <= set(wanted) or not all(units.get(axis) in _MICROMETRES for axis in wanted):
            return ""
        if all(type(by_axis[axis]) in (int, float) and 0 < by_axis[axis] < math.inf for axis in wanted):
            return "x".join(f"{by_axis[axis] * _MICROMETRES[units[axis]]:.6g}" for axis in wanted)
    return ""


def _labels(omero: object) -> Iterator[str]:
    channels = omero.get("channels") if isinstance(omero, dict) else None
    for channel in channels[:_MAX_CHANNELS] if isinstance(channels, list) else ():
        if isinstance(channel, dict) and isinstance(label := channel.get("label"), str) and label:
            yield label[:MAX_TEXT]


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(1 << 20):
        yield chunk
