"""DeltaVision .dv and .r3d: a header of 1024 bytes says how large the file must be.

Facts: "IVE image format" header as read by github tlambert03/mrc (src/mrc/mrc.py) and Bio-Formats' DeltavisionReader;
reference/image-formats.md 2.6. softWoRx writes the header first and appends planes, so the size tells when it is done.
A deconvolved file (_D3D) is an image of its own beside the raw one.
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from watcher.formats.base import HEAD_BYTES, Claim, Examination
from watcher.formats.plane import Picture, Plane
from watcher.formats.reading import open_file, size_of

_HEADER = 1024
_ID = -16224
_PIXELS = {0: "u1", 1: "i2", 2: "f4", 4: "c8", 6: "u2", 7: "i4"}
_BYTES = {0: 1, 1: 2, 2: 4, 3: 4, 4: 8, 5: 2, 6: 2, 7: 4}
_MAX_CHANNELS = 5
_LOGS = (".dv.log", ".r3d.log")


@dataclass(frozen=True, slots=True)
class _Header:
    """What a header says; `order` is that of its bytes."""

    order: str
    width: int
    height: int
    planes: int
    mode: int
    extended: int

    @property
    def plane_bytes(self) -> int:
        return self.width * self.height * _BYTES[self.mode]

    @property
    def size(self) -> int:
        return _HEADER + self.extended + self.planes * self.plane_bytes


class DeltaVision:
    """DeltaVision images with their logs."""

    name = "dv"

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether the header is one of DeltaVision with sizes that can be, or a text is named as the log of one."""
        return _header(head) is not None or (_is_log(name) and b"\0" not in head and bool(head))

    def claim(self, path: Path) -> Claim:
        """The image and those of its logs that are there: x.dv.log and x_log.txt."""
        image = path.name[: -len(".log")] if _is_log(path.name) else path.name
        directory = path.parent
        logs = (f"{image}.log", f"{Path(image).stem}_log.txt")
        there = tuple(log for log in logs if (directory / log).is_file())
        lists = (image, *there) if image == path.name or (directory / image).is_file() else there
        return Claim(self.name, lists or (path.name,), Path(image).stem)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Every image has the size that its header asks for. OSError passes through."""
        problems: list[str] = []
        metadata: dict[str, str] = {}
        images = [name for name in members if not _is_log(name)]
        for name in images:
            with open_file(directory / name) as file:
                head, size = file.read(HEAD_BYTES), size_of(file)
            header = _header(head)
            if header is None or size < _HEADER:
                problems.append(f"{name}: cut off: its header should end at byte {_HEADER}, the file has {size}")
                continue
            if problem := _problem(header, size):
                problems.append(f"{name}: {problem}")
            metadata = {**_metadata(header, head), **metadata}
        return Examination(
            sound=not problems if images else None,
            problems=tuple(problems),
            checked="dv:size" if images else "unchecked: a log without its image",
            metadata=metadata,
            sources=dict.fromkeys(metadata, "header"),
        )

    def picture(self, path: Path) -> Picture | None:
        """The plane in the middle of the stack."""
        with open_file(path) as file:
            head = file.read(HEAD_BYTES)
        header = _header(head)
        if header is None or header.mode not in _PIXELS:
            return None
        at = _HEADER + header.extended + _middle(header, head) * header.plane_bytes
        return (Plane(path, at, header.width, header.height, header.order + _PIXELS[header.mode]),)


def _middle(header: _Header, head: bytes) -> int:
    """The number of a plane in the middle of the stack: depth, wavelengths and times lie in one of three orders."""
    order, planes = header.order, header.planes
    waves, times = (max(1, struct.unpack_from(order + "h", head, at)[0]) for at in (196, 180))
    if planes % (waves * times):
        return planes // 2
    depth = planes // (waves * times)
    z, w, t = int(depth // 2), int(waves // 2), int(times // 2)
    which = struct.unpack_from(order + "h", head, 182)[0]
    places = {1: w + waves * (z + depth * t), 2: z + depth * (w + waves * t)}
    return int(places.get(which, z + depth * (t + times * w)))


def _is_log(name: str) -> bool:
    return name.lower().endswith(_LOGS)


def _header(head: bytes) -> _Header | None:
    if len(head) < 98:
        return None
    order = next((one for one in "<>" if struct.unpack_from(one + "h", head, 96)[0] == _ID), "")
    if not order:
        return None
    width, height, planes, mode = struct.unpack_from(order + "4i", head)
    extended = struct.unpack_from(order + "i", head, 92)[0]
    if min(width, height, planes) <= 0 or mode not in _BYTES or extended < 0:
        return None
    return _Header(order, width, height, planes, mode, extended)


def _problem(header: _Header, size: int) -> str:
    if size == header.size:
        return ""
    if size > header.size:
        return f"unfinished: its header speaks of {header.size} bytes, the file has {size}"
    whole = max(0, size - _HEADER - header.extended) // header.plane_bytes
    if (size - _HEADER - header.extended) % header.plane_bytes == 0:
        return f"unfinished: it holds {whole} of its {header.planes} planes"
    return (
        f"cut off: plane {whole + 1} of {header.planes} is not whole; it should end at byte {header.size}, not {size}"
    )


def _metadata(header: _Header, head: bytes) -> dict[str, str]:
    order = header.order
    steps = struct.unpack_from(order + "3f", head, 40)
    lens = struct.unpack_from(order + "h", head, 162)[0]
    times = max(1, struct.unpack_from(order + "h", head, 180)[0])
    waves = struct.unpack_from(order + "h", head, 196)[0]
    result: dict[str, str] = {}
    if 0 < waves <= _MAX_CHANNELS:
        lengths = struct.unpack_from(f"{order}{waves}h", head, 198)
        if all(length > 0 for length in lengths):
            result["channels"] = ", ".join(f"{length} nm" for length in lengths)
        if header.planes % (waves * times) == 0:
            depth = header.planes // (waves * times)
            result["size"] = f"{header.width}x{header.height}x{depth}x{waves}x{times}"
    if all(0 < step < math.inf for step in steps):
        result["pixel_size_um"] = "x".join(f"{step:.6g}" for step in steps)
    if lens > 0:
        result["objective"] = f"lens {lens}"
    return result


FORMAT: Final = DeltaVision()
