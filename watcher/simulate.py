"""A simulated microscope: writes small but real image sets the way instruments do, for `irods-watcher demo` and tests.

Every kind is called as `kind(into, name, pause=..., seed=..., missing=..., truncate=...)` and returns the files that it
wrote, in that order. `pause` is called with the seconds that an instrument would take before its next file or page;
the same seed gives the same bytes. `missing` holds the numbers, from 1, of the members that never come although the set
says that they do; `truncate` cuts the last image file in half.
"""

import json
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID
from xml.sax.saxutils import quoteattr

from watcher.errors import UsageError

if TYPE_CHECKING:
    from numpy import uint16
    from numpy.typing import NDArray

Pause = Callable[[float], None]

#: Seconds between two planes, as of a camera with a shutter and a stage.
PLANE_SECONDS: Final = 0.5
_SPOTS = 12


def ome_tiff_series(
    into: Path,
    name: str,
    *,
    pause: Pause,
    seed: int = 0,
    missing: Collection[int] = (),
    truncate: bool = False,
    planes: int = 5,
    size: int = 256,
) -> tuple[Path, ...]:
    """A z-stack as multi-file OME-TIFF: one file a plane, each renamed into place when it is whole."""
    random = Random(seed)
    files = {
        f"{name}_Z{z:02d}.ome.tif": f"urn:uuid:{UUID(int=random.getrandbits(128), version=4)}" for z in _upto(planes)
    }
    written = []
    for z, (file, uuid) in enumerate(files.items(), 1):
        pause(PLANE_SECONDS)
        if z not in missing:
            _write(into / file, plane(seed, z, planes, size), description=_ome_xml(name, files, uuid, size))
            written.append(into / file)
    return _finish(written, truncate=truncate)


def growing_stack(
    into: Path,
    name: str,
    *,
    pause: Pause,
    seed: int = 0,
    missing: Collection[int] = (),
    truncate: bool = False,
    pages: int = 8,
    size: int = 256,
) -> tuple[Path, ...]:
    """One TIFF stack that grows in place, page by page, under its final name."""
    from tifffile import imwrite

    if missing:
        raise UsageError("a growing stack is one file, so that no member of it can be missing")
    into.mkdir(parents=True, exist_ok=True)
    path = into / f"{name}.tif"
    for page in _upto(pages):
        pause(PLANE_SECONDS)
        imwrite(path, plane(seed, page, pages, size), append=page > 1, metadata=None, photometric="minisblack")
    return _finish([path], truncate=truncate)


def plane_directory(
    into: Path,
    name: str,
    *,
    pause: Pause,
    seed: int = 0,
    missing: Collection[int] = (),
    truncate: bool = False,
    channels: int = 2,
    z: int = 3,
    size: int = 256,
) -> tuple[Path, ...]:
    """A directory of single planes, as Micro-Manager writes them, with metadata.json as its last file."""
    directory = into / name
    names = [f"img_channel{c:03d}_position000_time000000000_z{k:03d}.tif" for c in range(channels) for k in range(z)]
    written = []
    for number, file in enumerate(names, 1):
        pause(PLANE_SECONDS)
        if number not in missing:
            _write(directory / file, plane(seed + (number - 1) // z, (number - 1) % z + 1, z, size))
            written.append(directory / file)
    pause(PLANE_SECONDS)
    directory.mkdir(parents=True, exist_ok=True)
    summary = {"Prefix": name, "Channels": channels, "Slices": z, "Width": size, "Height": size, "files": names}
    about = directory / "metadata.json"
    about.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return (*_finish(written, truncate=truncate), about)


#: What `irods-watcher simulate` can write, by name; the first line of each docstring says what it is.
KINDS: Final[Mapping[str, Callable[..., tuple[Path, ...]]]] = MappingProxyType(
    {"ome-tiff-series": ome_tiff_series, "growing-stack": growing_stack, "plane-directory": plane_directory}
)


def plane(seed: int, number: int, of: int, size: int = 256) -> "NDArray[uint16]":
    """One plane of a field of fluorescent beads: uint16, (size, size), sharpest in the middle of `of` planes."""
    import numpy as np

    beads = np.random.default_rng(seed)
    centres = beads.uniform(0, size, (2, _SPOTS, 1))
    heights = beads.uniform(2_000, 20_000, (_SPOTS, 1))
    width = size / 64 * (1 + abs(number - (of + 1) / 2))
    rows, columns = np.exp(-((np.arange(size) - centres) ** 2) / (2 * width**2))
    noise = np.random.default_rng((seed, number)).poisson(120, (size, size))
    image: NDArray[uint16] = ((heights * rows).T @ columns + noise).clip(0, 65535).astype(np.uint16)
    return image


def _upto(number: int) -> range:
    return range(1, number + 1)


def _write(path: Path, image: "NDArray[uint16]", **options: Any) -> None:
    """Write beside, then rename, as careful acquisition programs do."""
    from tifffile import imwrite

    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.tmp")
    imwrite(beside, image, metadata=None, photometric="minisblack", **options)
    beside.replace(path)


def _finish(written: list[Path], *, truncate: bool) -> tuple[Path, ...]:
    if truncate and written:
        os.truncate(written[-1], written[-1].stat().st_size // 2)
    return tuple(written)


def _ome_xml(name: str, files: Mapping[str, str], uuid: str, size: int) -> bytes:
    """The OME-XML of one file of a z-stack: OME schema 2016-06, OME-TIFF specification (multi-file sets)."""
    blocks = "".join(
        f'<TiffData IFD="0" FirstZ="{z}" PlaneCount="1"><UUID FileName={quoteattr(file)}>{of}</UUID></TiffData>'
        for z, (file, of) in enumerate(files.items())
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" Creator="irods-watcher simulate"'
        f' UUID="{uuid}">'
        '<Instrument ID="Instrument:0"><Microscope Manufacturer="Simulated" Model="Demo Scope"/>'
        '<Objective ID="Objective:0" Model="Plan" NominalMagnification="40" LensNA="0.95"/></Instrument>'
        f'<Image ID="Image:0" Name={quoteattr(name)}><AcquisitionDate>2026-01-01T12:00:00</AcquisitionDate>'
        '<InstrumentRef ID="Instrument:0"/><ObjectiveSettings ID="Objective:0"/>'
        f'<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="{size}" SizeY="{size}" SizeZ="{len(files)}"'
        ' SizeC="1" SizeT="1" PhysicalSizeX="0.1625" PhysicalSizeY="0.1625" PhysicalSizeZ="0.5">'
        f'<Channel ID="Channel:0:0" Name="GFP" SamplesPerPixel="1"/>{blocks}</Pixels></Image></OME>'
    ).encode()
