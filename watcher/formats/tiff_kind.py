"""Tells special TIFF files apart by one look at their first page: slides, electron microscopes, event detectors.

The marks: TIFF page flags in tifffile (is_svs, is_scn, is_qpi, is_ndpi, is_eer, is_fei, is_sem), OpenSlide's formats
"leica" and "aperio" (detection), Gwyddion tescan.c (tag 50431); reference/image-formats.md 2.1 and 3.4. Their structure
is that of any TIFF, so the walk of `tiff` judges it; this only adds what they say of themselves.
"""

import io
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

from watcher.formats.base import Claim, Examination
from watcher.formats.metadata import MAX_TEXT
from watcher.formats.ome_tiff import FORMAT as OME_TIFF
from watcher.formats.ome_xml import looks_like
from watcher.formats.reading import Unsound, open_file
from watcher.formats.tiff import Facts, verdict, walk_path
from watcher.formats.tiff_ifd import Directory, Reader, layout_of

#: Bytes of a text that are read to know a kind, and to know what it says.
OPENING: Final = 4096
WHOLE: Final = 1 << 20

WIDTH, LENGTH, DESCRIPTION, MAKE, MODEL, SOFTWARE, DATE_TIME = 256, 257, 270, 271, 272, 305, 306
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT, ARTIST, HOST = 282, 283, 296, 315, 316
ZEISS_SEM, FEI_SFEG, FEI_HELIOS, TESCAN, EER, NDPI = 34118, 34680, 34682, 50431, 65001, 65420
SEM_TAGS: Final = (FEI_SFEG, FEI_HELIOS, ZEISS_SEM, TESCAN)
_TEXTS: Final = frozenset({DESCRIPTION, MAKE, MODEL, SOFTWARE, DATE_TIME, ARTIST, HOST, EER, *SEM_TAGS})
_NUMBERS: Final = frozenset({WIDTH, LENGTH, RESOLUTION_UNIT})
_RATIONALS: Final = frozenset({X_RESOLUTION, Y_RESOLUTION})
_MARKS: Final = frozenset({NDPI})
_WANTED: Final = _TEXTS | _NUMBERS | _RATIONALS | _MARKS

_DATE_TIME = re.compile(r"\d{4}:\d\d:\d\d \d\d:\d\d:\d\d")


@dataclass(frozen=True, slots=True)
class Page:
    """What the first page of a TIFF holds of the fields that matter here; texts up to the limit that was asked for."""

    big: bool
    tags: frozenset[int]
    texts: dict[int, str]
    numbers: dict[int, int]
    ratios: dict[int, float]

    def text(self, tag: int) -> str:
        """The text of a field, "" if it is not there."""
        return self.texts.get(tag, "")


@dataclass(slots=True)
class Told:
    """What one file says of itself, and where; problems and remarks without the file's name."""

    metadata: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def put(self, key: str, value: str, source: str) -> None:
        """Keep a value that is there, unless a better source gave one before."""
        text = " ".join(value.split())[:MAX_TEXT]
        if text and key not in self.metadata:
            self.metadata[key] = text
            self.sources[key] = source


def first_page(file: BinaryIO, limit: int) -> Page:
    """The first page of an open TIFF, with at most `limit` bytes of each text. Raises Unsound."""
    reader = Reader(file)
    directory = reader.directory(reader.first, "the header of page 1", _WANTED)
    return page_of(reader.read, directory, limit, big=reader.layout.big, order=reader.layout.order)


def page_of(read: Callable[[int, int, str], bytes], directory: Directory, limit: int, *, big: bool, order: str) -> Page:
    """The same from a directory that was read already. Raises Unsound."""
    texts: dict[int, str] = {}
    numbers: dict[int, int] = {}
    ratios: dict[int, float] = {}
    for tag, (kind, values, at) in directory.entries.items():
        if tag in _TEXTS and kind in (1, 2, 7):
            raw = read(at, min(values, limit), f"field {tag}")
            texts[tag] = _decoded(raw if tag == TESCAN else raw.partition(b"\0")[0])
        elif tag in _NUMBERS and kind in (3, 4, 16) and values:
            form = {3: "H", 4: "I", 16: "Q"}[kind]
            (numbers[tag],) = struct.unpack(order + form, read(at, struct.calcsize(order + form), f"field {tag}"))
        elif tag in _RATIONALS and kind == 5 and values:
            over, under = struct.unpack(order + "II", read(at, 8, f"field {tag}"))
            if over and under:
                ratios[tag] = over / under
    return Page(big, frozenset(directory.entries), texts, numbers, ratios)


def kind_of(page: Page) -> str:
    """The name of the family that a first page is of, "" if it is none of these."""
    description = page.text(DESCRIPTION).lstrip("\ufeff\r\n\t ")[:OPENING]
    if looks_like(description.encode()):  # a copy that kept a private field is an OME-TIFF
        return ""
    if description.startswith("Aperio "):
        return "svs"
    if page.big and "//www.leica-microsystems.com/scn/" in description:
        return "scn"
    if page.text(SOFTWARE).startswith("PerkinElmer-QPI") or "<PerkinElmer-QPI-ImageDescription" in description:
        return "qptiff"
    if page.big and page.text(EER).startswith("<metadata"):
        return "eer"
    if NDPI in page.tags and MAKE in page.tags:
        return "ndpi"
    if page.tags.intersection(SEM_TAGS) or page.text(MAKE).upper().startswith("JEOL"):
        return "sem-tiff"
    return ""


def may_be(head: bytes, kind: str) -> bool:
    """Whether a TIFF that begins so may be of this kind: False only if its first page is in the head and says else."""
    if layout_of(head) is None or head[128:132] == b"DICM":  # PS3.10, section 7.1: the first 128 bytes are free
        return False
    try:
        return kind_of(first_page(io.BytesIO(head), OPENING)) == kind
    except Unsound:
        return True


def claim(path: Path) -> Claim:
    """The claim of whichever kind the file is; that of OME-TIFF or plain TIFF if it is none of these.

    One directory and a few short texts are read. OSError passes through.
    """
    try:
        with open_file(path) as file:
            page = first_page(file, OPENING)
    except Unsound:
        return OME_TIFF.claim(path)
    kind = kind_of(page)
    if not kind:
        return OME_TIFF.claim(path)
    beside = path.name.replace(".", "-") + ".hdr" if TESCAN in page.tags else ""
    lists = (path.name, beside) if beside and (path.parent / beside).is_file() else (path.name,)
    return Claim(kind, lists, title=path.stem)


class SpecialTiff:
    """A family whose files are TIFF in structure; `tell` finds what such a file says of itself."""

    def __init__(self, name: str, tell: Callable[[Page, Facts], Told]) -> None:
        self.name = name
        self._tell = tell

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the Protocol gives it
        """Whether this may be such a TIFF; `claim`, which reads its first page, tells for certain."""
        return may_be(head, self.name)

    def claim(self, path: Path) -> Claim:
        """The file itself, by its own kind: see `claim` of this module."""
        return claim(path)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Walk each member as a TIFF, and read what the first one says of itself. OSError passes through."""
        walks = {name: walk_path(directory / name) for name in members if not name.lower().endswith(".hdr")}
        told = {name: self._told(directory / name, facts) for name, facts in walks.items() if facts.sound is not False}
        problems = tuple(f"{name}: {problem}" for name, one in told.items() for problem in one.problems)
        remarks = tuple(f"{name}: {remark}" for name, one in told.items() for remark in one.remarks)
        first = next(iter(told.values()), Told())
        found = verdict(f"{self.name}:ifd-walk", walks, problems)
        return replace(found, metadata=first.metadata, sources=first.sources, remarks=remarks)

    def _told(self, path: Path, facts: Facts) -> Told:
        try:
            with open_file(path) as file:
                page = first_page(file, WHOLE)
        except Unsound as problem:  # it changed after the walk
            return Told(problems=[str(problem)])
        if kind_of(page) == self.name:
            return self._tell(page, facts)
        return Told(remarks=[f"it does not say of itself that it is of the family {self.name}"])


def iso(said: str, *forms: str) -> str:
    """A time that stands in one of the `strptime` forms, as ISO 8601 without an offset; "" if it does not."""
    for form in forms:
        try:
            return datetime.strptime(said.strip(), form).isoformat()
        except ValueError:
            continue
    return ""


def iso_as_is(said: str) -> str:
    """A text that is an ISO 8601 time, as it stands; "" if it is none."""
    try:
        datetime.fromisoformat(said.strip())
    except ValueError:
        return ""
    return said.strip()


def tiff_time(page: Page) -> str:
    """TIFF 6.0, section 8, DateTime: "YYYY:MM:DD HH:MM:SS", without an offset."""
    said = page.text(DATE_TIME).strip()
    return iso(said, "%Y:%m:%d %H:%M:%S") if _DATE_TIME.fullmatch(said) else ""


def pixel_size(page: Page) -> str:
    """X x Y in micrometres from the resolution in pixels per inch or centimetre: TIFF 6.0, section 8."""
    unit = {2: 25400.0, 3: 10000.0}.get(page.numbers.get(RESOLUTION_UNIT, 0))
    across, down = page.ratios.get(X_RESOLUTION), page.ratios.get(Y_RESOLUTION)
    return f"{unit / across:.6g}x{unit / down:.6g}" if unit and across and down else ""


def one_plane(page: Page) -> str:
    """The size of a file that is one image, as XxYxZxCxT."""
    width, length = page.numbers.get(WIDTH), page.numbers.get(LENGTH)
    return f"{width}x{length}x1x1x1" if width and length else ""


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
