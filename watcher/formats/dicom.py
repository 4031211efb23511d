"""DICOM files (PS3.10), among them whole slides: a series is one set, and so is the folder of a DICOMDIR.

Which files are of one series stands only in the files: claiming one reads the heads of its neighbours, each once as
long as it does not change, at most MOST_FILES of them; in a folder with more, a file stands for itself. Length of pixel
data: PS3.5, section 8 and A.4; slides and their tiles: PS3.3, C.7.6.17.3 and C.8.12.4; concatenations: PS3.3,
C.7.6.16.2.2.4; DICOMDIR: PS3.3, F.3 and PS3.10, section 8. reference/image-formats.md 3.4.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from watcher.formats import dicom_elements as dicom
from watcher.formats.base import HEAD_BYTES, Claim, Examination
from watcher.formats.dicom_elements import Content, is_dicom
from watcher.formats.metadata import MAX_TEXT
from watcher.formats.plane import Picture, Plane
from watcher.formats.reading import Unsound, inside, open_file, read_at, size_of

#: Neighbours that are asked for their series, and heads that are remembered.
MOST_FILES: Final = 2000
_REMEMBERED: Final = 2 * MOST_FILES
_MAX_SENTENCES: Final = 20
_MOST_PARTS: Final = 0xFFFF  # the number has 16 bits (PS3.6)
_DIRECTORY: Final = "DICOMDIR"
# MPEG-2, MPEG-4, HEVC: one fragment may hold all frames (PS3.5, section 8.2.5 and following)
_VIDEO = re.compile(r"1\.2\.840\.10008\.1\.2\.4\.10\d(\.\d)?")
_STORAGE = "1.2.840.10008.5.1.4.1.1."
# What must have pixels (PS3.4, B.5); reports, presentation states and others need none
_IMAGES = re.compile(
    r"(1(\.1){0,2}|2(\.[12])?|3\.1|4(\.[13])?|6\.[12]|7(\.[1-4])?|12\.[12](\.1)?|20|128|130"
    r"|77\.1\.([12346]|[124]\.1|5\.[124]))"
)
_SUBSAMPLED = ("YBR_FULL_422", "YBR_PARTIAL_422")
_DATE_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(\.\d{1,6})?([+-]\d{4})?")
_OFFSET = re.compile(r"[+-]\d{4}")


@dataclass(frozen=True, slots=True)
class _Head:
    """What joins a file to others; series "" if it is no DICOM file or says none."""

    series: str = ""
    concatenation: str = ""
    part: int = 0
    parts: int = 0


class Dicom:
    """DICOM Part 10 files."""

    name = "dicom"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the Protocol gives it
        """Whether the letters DICM stand after the preamble; the name does not matter."""
        return is_dicom(head)

    def claim(self, path: Path) -> Claim:
        """The files of the same series in the folder; the whole folder if a DICOMDIR is in it. OSError passes through.

        Cost: one read of 1 KiB for every new neighbour, and some KiB more if it is DICOM.
        """
        folder = path.parent
        if path.name.upper() == _DIRECTORY or (folder / _DIRECTORY).is_file():
            return Claim(self.name, (path.name,), title=folder.name, tree=".")
        own = _head_of(path, path.stat())
        beside, remarks = _neighbours(path) if own.series else ({}, ())
        heads = {path.name: own, **{name: head for name, head in beside.items() if head.series == own.series}}
        # Missing parts are no problem of the claim, which is kept when they come: `examine` tells of them.
        return Claim(self.name, tuple(sorted(heads)), remarks=remarks)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Walk the elements of each member, and hold its pixel data against what it says of it. OSError passes."""
        problems: list[str] = []
        remarks: list[str] = []
        missing: list[str] = []
        unsure = ""
        heads: dict[str, _Head] = {}
        told: tuple[dict[str, str], dict[str, str]] = ({}, {})
        for name in members:
            content, problem = _look(directory / name)
            found = [problem] if problem else [*_pixel_problems(content)]
            problems += (f"{name}: {one}" for one in found)
            heads[name] = _head_from(content)
            if not found:
                remarks += (f"{name}: {one}" for one in _pixel_remarks(content))
                unsure = unsure or (f"unchecked: {name}: {content.unsure}" if content.unsure else "")
            if not told[0]:
                told = _tell(content, alone=len(members) == 1)
            missing += _absent(directory, content.references)
        problems += _missing_parts(heads)
        problems += (f"{name}: missing, the DICOMDIR lists it" for name in missing[:_MAX_SENTENCES])
        if len(missing) > _MAX_SENTENCES:
            problems.append(f"{len(missing) - _MAX_SENTENCES} more files that the DICOMDIR lists are missing")
        sound = False if problems else None if unsure else True
        checked = unsure if sound is None else "dicom:elements+pixel-length"
        return Examination(sound, tuple(problems), tuple(missing), checked, told[0], told[1], tuple(remarks))

    def picture(self, path: Path) -> Picture | None:
        """The frame in the middle, or the first of those that are packed; none of one that is a tile of a slide."""
        content, problem = _look(path)
        if problem or _tiles(content) > 1:
            return None
        if content.fragments > 0:
            with open_file(path) as file:
                return read_at(file, *content.fragment, "a fragment of its pixel data", size_of(file))
        return _frame(path, content)


FORMAT: Final = Dicom()


def _look(path: Path, *, only_head: bool = False) -> tuple[Content, str]:
    content = Content(0)
    with open_file(path) as file:
        try:
            dicom.walk(file, content, only_head=only_head)
        except Unsound as problem:
            return content, str(problem)
    return content, ""


def _head_from(content: Content) -> _Head:
    number, text = content.numbers.get, content.texts.get
    parts = min(number(dicom.PARTS, 0), _MOST_PARTS)
    return _Head(text(dicom.SERIES, ""), text(dicom.CONCATENATION, ""), number(dicom.PART, 0), parts)


def _head_of(path: Path, facts: os.stat_result) -> _Head:
    return _remembered(str(path), facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=_REMEMBERED)
def _remembered(path: str, size: int, modified: int) -> _Head:  # noqa: ARG001 - a file that changed is asked again
    with open_file(Path(path)) as file:
        head = file.read(HEAD_BYTES)
    return _head_from(_look(Path(path), only_head=True)[0]) if is_dicom(head) else _Head()


def _neighbours(path: Path) -> tuple[dict[str, _Head], tuple[str, ...]]:
    """The heads of the other files in the folder; none, and a remark, if there are too many."""
    with os.scandir(path.parent) as listing:
        entries = [entry for entry in listing if entry.name != path.name and entry.is_file()]
    if len(entries) > MOST_FILES:
        return {}, (
            f"{path.name}: with more than {MOST_FILES} files in its folder, the rest of its series was not sought",
        )
    heads: dict[str, _Head] = {}
    for entry in entries:
        try:
            heads[entry.name] = _head_of(path.parent / entry.name, entry.stat())
        except OSError:  # gone, or still held by its writer: it will be asked itself
            continue
    return heads, ()


def _missing_parts(heads: Mapping[str, _Head]) -> Iterator[str]:
    """One image may be split over several files, each of which says which part it is, and of how many."""
    split: dict[str, dict[int, str]] = {}
    parts: dict[str, int] = {}
    for name, head in heads.items():
        if head.concatenation:
            split.setdefault(head.concatenation, {})[head.part] = name
            parts[head.concatenation] = max(parts.get(head.concatenation, 0), head.parts)
    for key, there in split.items():
        absent = [part for part in range(1, parts[key] + 1) if part not in there]
        if absent:
            some = ", ".join(map(str, absent[:_MAX_SENTENCES]))
            name = min(there.values())
            yield f"{name}: incomplete: it is a part of an image in {parts[key]} files; missing are the parts {some}"


def _absent(directory: Path, references: list[str]) -> list[str]:
    """The files that a DICOMDIR names and that are not there; some systems show their names in small letters."""
    gone: dict[str, None] = {}
    for said in references:
        name = inside(said)
        if name is None:
            gone[repr(said)[:200]] = None
        elif not _is_file(directory / name) and not _is_file(directory / name.lower()):
            gone[name] = None
    return list(gone)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # the DICOMDIR says a name that cannot even be
        return False


def _frames(content: Content) -> int:
    said = content.texts.get(dicom.FRAMES, "")
    return int(said) if said.isdecimal() and len(said) < 12 else 1


def _pixel_problems(content: Content) -> Iterator[str]:
    number = content.numbers.get
    if content.unsure:
        return
    rows, columns, frames = number(dicom.ROWS, 0), number(dicom.COLUMNS, 0), _frames(content)
    kind = content.texts.get(dicom.CLASS, "")
    image = kind.startswith(_STORAGE) and _IMAGES.fullmatch(kind.removeprefix(_STORAGE)) is not None
    if not content.has_pixels and (image or (rows and columns)):
        yield "unfinished: it describes an image and has no pixel data"
    if not (content.has_pixels and rows and columns):
        return
    if 0 <= content.pixel_bytes < (needed := _native_bytes(content)):
        there = content.pixel_bytes
        yield f"incomplete: {frames} frames of {columns} x {rows} pixels need {needed} bytes, it has {there}"
    video = _VIDEO.fullmatch(content.texts.get(dicom.SYNTAX, ""))
    if 0 <= content.fragments < (1 if video else frames):
        yield f"incomplete: it should have {frames} frames, its pixel data has {content.fragments} fragments"
    tiles = _tiles(content)
    if tiles > frames and not content.texts.get(dicom.CONCATENATION):
        yield f"incomplete: a slide of this size has {tiles} tiles, the file says that it has {frames}"


def _pixel_remarks(content: Content) -> Iterator[str]:
    needed = _native_bytes(content)
    if needed and content.pixel_bytes > needed + needed % 2:
        yield f"its pixel data has {content.pixel_bytes} bytes, {content.pixel_bytes - needed} more than its size needs"


def _native_bytes(content: Content) -> int:
    number = content.numbers.get
    samples = number(dicom.SAMPLES, 1)
    if samples == 3 and content.texts.get(dicom.PHOTOMETRIC) in _SUBSAMPLED:
        samples = 2  # PS3.3, C.7.6.3.1.2: two pixels share their colour
    bits = content.pixel_vr_bits or number(dicom.BITS, 0)
    return (number(dicom.ROWS, 0) * number(dicom.COLUMNS, 0) * samples * bits * _frames(content) + 7) // 8


def _frame(path: Path, content: Content) -> Picture | None:
    """A frame of native pixel data; colours that lie in planes are shown by the first of them."""
    number = content.numbers.get
    rows, columns, samples = number(dicom.ROWS, 0), number(dicom.COLUMNS, 0), number(dicom.SAMPLES, 1)
    bits = content.pixel_vr_bits or number(dicom.BITS, 0)
    letter = "f" if content.pixel_vr_bits else "i" if number(dicom.SIGNED, 0) else "u"
    if content.pixel_bytes < 0 or bits not in (8, 16, 32, 64) or content.texts.get(dicom.PHOTOMETRIC) in _SUBSAMPLED:
        return None
    frame = rows * columns * samples * bits // 8
    at = content.pixels_at + _frames(content) // 2 * frame
    together = 1 if number(dicom.PLANAR, 0) else samples
    return (Plane(path, at, columns, rows, f"{content.order}{letter}{bits // 8}", together),)


def _tiles(content: Content) -> int:
    """How many frames a fully tiled slide has; 0 if it does not say that all its tiles are there."""
    number = content.numbers.get
    if content.texts.get(dicom.ORGANISATION) != "TILED_FULL":
        return 0
    across = -(-number(dicom.TOTAL_COLUMNS, 0) // (number(dicom.COLUMNS, 0) or 1))
    down = -(-number(dicom.TOTAL_ROWS, 0) // (number(dicom.ROWS, 0) or 1))
    return across * down * number(dicom.PATHS, 1) * number(dicom.PLANES, 1)


def _tell(content: Content, *, alone: bool) -> tuple[dict[str, str], dict[str, str]]:
    """What a file says of itself, and where; the patient is never read."""
    text, number = content.texts.get, content.numbers.get
    metadata: dict[str, str] = {}
    sources: dict[str, str] = {}

    def put(key: str, value: str, source: str) -> None:
        kept = " ".join(value.split())[:MAX_TEXT]
        if kept and key not in metadata:
            metadata[key], sources[key] = kept, source

    zone = text((0x0008, 0x0201), "")
    put("acquired", _time(text((0x0008, 0x002A), ""), zone), "(0008,002A) AcquisitionDateTime")
    acquired = text((0x0008, 0x0022), "") + text((0x0008, 0x0032), "")
    put("acquired", _time(acquired, zone), "(0008,0022) AcquisitionDate, (0008,0032) AcquisitionTime")
    put("instrument", f"{text((0x0008, 0x0070), '')} {text((0x0008, 0x1090), '')}", "(0008,0070), (0008,1090)")
    put("software", text((0x0018, 0x1020), "").replace("\\", ", "), "(0018,1020) SoftwareVersions")
    put("computer", text((0x0008, 0x1010), ""), "(0008,1010) StationName")
    put("experimenter", text((0x0008, 0x1070), "").replace("\\", ", ").replace("^", " "), "(0008,1070) OperatorsName")
    if alone and _frames(content) == 1 and number(dicom.ROWS, 0) and number(dicom.COLUMNS, 0):
        size = f"{number(dicom.COLUMNS)}x{number(dicom.ROWS)}x1x1x1"
        put("size", size, "(0028,0011) Columns, (0028,0010) Rows")
    put("pixel_size_um", _pitch(text((0x0028, 0x0030), "")), "(0028,0030) PixelSpacing")
    return metadata, sources


def _pitch(spacing: str) -> str:
    """Rows and then columns in millimetres (PS3.3, 10.7.1.1) as X x Y in micrometres."""
    try:
        down, across = (float(part) * 1000 for part in spacing.split("\\"))
    except ValueError:
        return ""
    return f"{across:.6g}x{down:.6g}" if across > 0 and down > 0 else ""


def _time(said: str, zone: str) -> str:
    """A DICOM date and time as ISO 8601, with an offset if the file has one; "" if it is not whole."""
    found = _DATE_TIME.fullmatch(said.strip())
    if found is None:
        return ""
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    offset = offset or (zone if _OFFSET.fullmatch(zone) else "")
    shown = f"{offset[:3]}:{offset[3:]}" if offset else ""
    return f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}{fraction or ''}{shown}"
