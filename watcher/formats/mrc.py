"""MRC, CCP4 map and IMOD/SerialEM stack: the file is exactly as long as its header says.

Layout: "MRC2014: Extensions to the MRC format header for electron cryo-microscopy" (Cheng et al. 2015) and the
CCP-EM page of it: dimensions and mode at byte 0, length of the extended header at 92, its kind at 104, `MAP ` at 208
(absent in older files), the byte order at 212, titles at 220. Modes 16 and 101, and 4-bit data in bytes, whose width is
then halved in the header: IMOD's MRC format page and mrcfiles.c. Size equation: reference/image-formats.md 3.5.
Pixels are never read, so bytes that were zeroed inside them are not seen.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from watcher.formats.base import Claim, Examination
from watcher.formats.electron import Finding, clean, gathered, look_into, micrometres, serial_em_date
from watcher.formats.electron import serial_em_title as title_of
from watcher.formats.plane import Picture, Plane
from watcher.formats.reading import Unsound, cut_off, open_file, read_at, size_of

HEADER_BYTES: Final = 1024
#: Bits of one pixel by the mode; 101 packs two into a byte, and a row begins at a whole byte.
BITS: Final = {0: 8, 1: 16, 2: 32, 3: 32, 4: 64, 6: 16, 12: 16, 16: 24, 101: 4}
#: The names that old files without the mark `MAP ` have.
SUFFIXES: Final = (".mrc", ".mrcs", ".st", ".map", ".rec", ".ali", ".preali", ".ccp4")

_MAX_WIDTH = 1 << 22  # wider than any camera or map; as a number of the wrong byte order it is far larger
# IMOD's mark at byte 152, and its flag at 156 for two pixels in a byte (IMOD, mrcfiles.h)
_IMOD_STAMP, _IMOD_FOUR_BITS = 1146047817, 16
# numpy's types of the modes whose pixels are numbers of whole bytes
_PIXELS = {0: "i1", 1: "i2", 2: "f4", 4: "c8", 6: "u2", 12: "f2", 16: "u1"}
# Of IMOD's flags: bytes have a sign
_IMOD_SIGNED = 1
_FEI_KINDS = (b"FEI1", b"FEI2")
_DELTAVISION = (b"\xa0\xc0", b"\xc0\xa0")  # at byte 96: reference/image-formats.md 2.6


@dataclass(frozen=True, slots=True)
class Header:
    """What the first 1024 bytes say. cell: length of the unit cell in Angstrom, over `samples` in each direction."""

    order: str
    width: int
    height: int
    sections: int
    mode: int
    samples: tuple[int, int, int]
    cell: tuple[float, float, float]
    axes: tuple[int, int, int]
    space_group: int
    extended: int
    marked: bool

    @property
    def plausible(self) -> bool:
        """Whether these could be the numbers of a real file."""
        sizes = 0 <= self.width <= _MAX_WIDTH and 0 <= self.height <= _MAX_WIDTH and self.sections >= 0
        return sizes and 0 <= self.mode <= 200 and sorted(self.axes) in ([0, 0, 0], [1, 2, 3])

    @property
    def row(self) -> int:
        """Bytes of one row of pixels."""
        return (self.width * BITS[self.mode] + 7) // 8

    @property
    def section(self) -> int:
        """Bytes of one section."""
        return self.row * self.height


def header_of(head: bytes) -> Header | None:
    """The header in the first bytes of a file, in the byte order in which it makes sense; None if it cannot be one."""
    if len(head) < 216 or head[96:98] in _DELTAVISION or 0 not in head[:4]:
        return None
    orders = "><" if head[212:213] == b"\x11" else "<>"
    both = [_header(head, order) for order in orders]
    return next((one for one in both if one.plausible), both[0] if both[0].marked else None)


def _header(head: bytes, order: str) -> Header:
    width, height, sections, mode = struct.unpack_from(order + "4i", head)
    return Header(
        order, width, height, sections, mode,
        samples=struct.unpack_from(order + "3i", head, 28),
        cell=struct.unpack_from(order + "3f", head, 40),
        axes=struct.unpack_from(order + "3i", head, 64),
        space_group=struct.unpack_from(order + "i", head, 88)[0],
        extended=struct.unpack_from(order + "i", head, 92)[0],
        marked=head[208:212] == b"MAP ",
    )  # fmt: skip


def read_header(path: Path) -> Header:
    """The header of a file that should be MRC. Raises Unsound if it is not; OSError passes through."""
    with open_file(path) as file:
        return _read(file, size_of(file))


def _read(file: BinaryIO, size: int) -> Header:
    head = read_at(file, 0, HEADER_BYTES, "the file header", size)
    header = header_of(head)
    if header is None:
        raise Unsound("not an MRC file: its first bytes are something else")
    if not header.plausible or header.extended < 0:
        raise Unsound("damaged: its header gives sizes that no image has")
    return header


class Mrc:
    """MRC files: each is a set of its own, unless another file (mdoc, EPU) says more."""

    name = "mrc"

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether the header carries the mark `MAP `, or is one of an older file whose name says so too."""
        header = header_of(head)
        if header is None:
            return False
        if header.marked:
            return True
        old = header.plausible and header.mode in BITS and header.width > 0 and header.height > 0
        return old and 0 <= header.extended < 1 << 30 and name.lower().endswith(SUFFIXES)

    def claim(self, path: Path) -> Claim:
        """Itself: an MRC file names no other."""
        return Claim(self.name, (path.name,), title=path.stem)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Hold the size of each member against its header. OSError passes through."""
        return gathered("mrc:size-equation", {name: look_into(directory / name, self) for name in members})

    def picture(self, path: Path) -> Picture | None:
        """The section in the middle."""
        with open_file(path) as file:
            header = _read(file, size_of(file))
            unsigned = _has_unsigned_bytes(file, size_of(file), header)
        if header.mode not in _PIXELS or not header.sections:
            return None
        kind = "u1" if unsigned else _PIXELS[header.mode]
        start = HEADER_BYTES + header.extended + header.sections // 2 * header.section
        samples = 3 if header.mode == 16 else 1
        return (Plane(path, start, header.width, header.height, header.order + kind, samples),)

    def look(self, file: BinaryIO, size: int, found: Finding) -> None:
        """The size equation, and what header, titles and extended header say."""
        header = _read(file, size)
        _describe(file, size, header, found)
        if not (header.width and header.height and header.sections):
            raise Unsound("unfinished: its header speaks of no section yet")
        start = HEADER_BYTES + header.extended
        if start > size:
            raise cut_off("the extended header", start, size)
        if header.mode not in BITS:
            found.unsure = f"pixels of mode {header.mode} have no size that is known"
            return
        end = start + header.sections * header.section
        if end > size:
            there = (size - start) // header.section
            raise cut_off(f"the last of {header.sections} sections ({there} are whole)", end, size)
        if size - end >= header.row:
            # SerialEM appends a section and then corrects their number (reference/image-formats.md 3.5).
            raise Unsound(
                f"unfinished: its header tells of {header.sections} sections, which end at byte {end}, "
                f"the file has {size}: another section may be on its way"
            )
        if size > end:
            found.remarks.append(f"{size - end} bytes follow the last section")


def _has_unsigned_bytes(file: BinaryIO, size: int, header: Header) -> bool:
    """What IMOD wrote in mode 0 before it knew of signs (IMOD, mrcfiles.h); MRC2014 says signed."""
    stamp, flags = struct.unpack(header.order + "2i", read_at(file, 152, 8, "the header", size))
    return header.mode == 0 and stamp == _IMOD_STAMP and not flags & _IMOD_SIGNED


def _describe(file: BinaryIO, size: int, header: Header, found: Finding) -> None:
    if header.width and header.height and header.sections:
        stamp, flags = struct.unpack_from(header.order + "2i", read_at(file, 152, 8, "the header", size))
        halved = header.mode == 0 and stamp == _IMOD_STAMP and flags & _IMOD_FOUR_BITS
        width = header.width * 2 if halved else header.width
        found.says("size", f"{width}x{header.height}x{header.sections}x1x1", "header/NX, NY, NZ")
    _pixel_size(header, found)
    raw = read_at(file, 220, HEADER_BYTES - 220, "the titles", size)
    (titles,) = struct.unpack_from(header.order + "i", raw)
    for index in range(max(0, min(titles, 10))):
        title = clean(raw[4 + 80 * index : 84 + 80 * index])
        if title.startswith("SerialEM:"):
            title_of(found, title, f"header/title {index + 1}")
            found.says("acquired", serial_em_date(title), f"header/title {index + 1}")
    kind = read_at(file, 104, 4, "the header", size)
    if kind in _FEI_KINDS and header.extended >= 84 and size >= HEADER_BYTES + 84:
        _fei(read_at(file, HEADER_BYTES, 84, "the extended header", size), kind.decode(), found)


def _pixel_size(header: Header, found: Finding) -> None:
    """Cell over samples; exactly one Angstrom everywhere is what programs write that do not know it."""
    if not all(header.samples):
        return
    steps = [cell / samples for cell, samples in zip(header.cell, header.samples, strict=True)]
    directions = 2 if header.space_group == 0 else 3  # space group 0 is a stack of images (MRC2014)
    if any(step != 1.0 for step in steps[:directions]):
        found.says("pixel_size_um", micrometres(steps[:directions], 1e-4), "header/CELLA, MX, MY, MZ")


def _fei(raw: bytes, kind: str, found: Finding) -> None:
    """The first entry of FEI's extended header: four names of 16 letters from byte 20 on (mrcfile, dtypes.py)."""
    microscope, serial, program, version = (clean(raw[at : at + 16]) for at in (20, 36, 52, 68))
    found.says("instrument", f"{microscope} {serial}".strip(), f"{kind}/Microscope type, D-Number")
    found.says("software", f"{program} {version}".strip(), f"{kind}/Application")


FORMAT: Final = Mrc()
