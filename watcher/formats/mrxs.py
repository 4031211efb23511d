"""3DHISTECH MRXS slides: X.mrxs, a preview, and the folder X/ with Slidedat.ini, an index and the data files.

OpenSlide, format "mirax": Slidedat.ini (GENERAL, HIERARCHICAL, DATAFILE), the index file (version, SLIDE_ID, two tables
of records, linked pages of items), the data files, which begin with version and SLIDE_ID; reference/image-formats.md
3.4. Every item that the index lists lies inside its data file; what images are in there is not looked at.
"""

import errno
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from watcher.formats.base import Claim, Examination
from watcher.formats.reading import Unsound, cut_off, inside, open_file, read_at, size_of
from watcher.formats.tiff_ifd import layout_of
from watcher.formats.tiff_kind import Told, iso

_INI: Final = "Slidedat.ini"
#: Bytes of Slidedat.ini, data files, records and items of an index that are looked at; slides have some 100 files.
MAX_INI: Final = 4 << 20
MAX_FILES: Final = 10_000
MAX_RECORDS: Final = 1000
MAX_ITEMS: Final = 1_000_000
_MAX_SENTENCES: Final = 20
# A JPEG begins and ends so (ITU T.81, B.1.1.3); a preview may have a little behind its end
_JPEG, _JPEG_END, _JPEG_TAIL = b"\xff\xd8", b"\xff\xd9", 4096

# How systems say that there is no such file; a damaged list may hold names that cannot even be
_ABSENT = frozenset((errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL))
_MAX_MARK: Final = 200

Ini = dict[tuple[str, str], str]


@dataclass(slots=True)
class _Slide:
    """One slide: its folder, what Slidedat.ini says, and the size of each data file that is there, by number."""

    folder: Path
    ini: Ini
    mark: bytes = b""
    sizes: dict[int, int] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def examine(self) -> None:
        """Check all that Slidedat.ini lists. OSError passes through."""
        version, identity = (self.ini.get(("GENERAL", key), "") for key in ("SLIDE_VERSION", "SLIDE_ID"))
        self.mark = (version + identity).encode()
        try:
            if not identity or len(self.mark) > _MAX_MARK:
                raise Unsound(f"{_INI}: damaged or unfinished: it has no SLIDE_ID")
            self._data_files()
            self._index()
        except Unsound as problem:
            self.problems.append(str(problem))

    def _number(self, section: str, key: str, most: int) -> int:
        said = self.ini.get((section, key), "")
        if not said.isdecimal() or len(said) > 9:
            raise Unsound(f"{_INI}: cut off or damaged: it has no number {key}")
        if int(said) > most:
            raise Unsound(f"{_INI}: damaged: {key} is {said}, which no slide has")
        return int(said)

    def _data_files(self) -> None:
        for number in range(self._number("DATAFILE", "FILE_COUNT", MAX_FILES)):
            said = self.ini.get(("DATAFILE", f"FILE_{number}"))
            if said is None:
                raise Unsound(f"{_INI}: cut off or damaged: it does not name data file {number}")
            self.names.append(said)
            size = self._head(said)
            if size is not None:
                self.sizes[number] = size

    def _head(self, said: str) -> int | None:
        """The size of a file that carries the slide's mark; None, and a problem, if it is missing or of another."""
        name = inside(said)
        if name is None:
            self.problems.append(f"{_INI}: it names a file outside of its folder, {said[:200]!r}")
            return None
        try:
            with open_file(self.folder / name) as file:
                head = file.read(len(self.mark))
                size = size_of(file)
        except OSError as error:
            if error.errno not in _ABSENT or not self.folder.is_dir():
                raise
            self.missing.append(name)
            return None
        if head != self.mark:
            what = "unfinished: it is empty or zeros" if not head.strip(b"\0") else "it does not belong to this slide"
            self.problems.append(f"{name}: {what}")
            return None
        return size

    def _index(self) -> None:
        name = self.ini.get(("HIERARCHICAL", "INDEXFILE"))
        if name is None:
            raise Unsound(f"{_INI}: cut off or damaged: it does not name the index file")
        if self._head(name) is None:
            return
        levels = self._number("HIERARCHICAL", "HIER_0_COUNT", MAX_RECORDS)
        others = self._number("HIERARCHICAL", "NONHIER_COUNT", MAX_RECORDS)
        records = sum(self._number("HIERARCHICAL", f"NONHIER_{at}_COUNT", MAX_RECORDS) for at in range(others))
        with open_file(self.folder / name) as file:
            try:
                ends = _Index(file, size_of(file)).ends(len(self.mark), levels, min(records, MAX_RECORDS))
            except Unsound as problem:
                raise Unsound(f"{name}: {problem}") from None
        for number, end in sorted(ends.items()):
            if number >= len(self.names):
                raise Unsound(f"{name}: damaged: it speaks of data file {number}, of which there are {len(self.names)}")
            if number in self.sizes and end > self.sizes[number]:
                what = f"{self.names[number]}: {cut_off('what the index lists', end, self.sizes[number])}"
                self.problems.append(what)


@dataclass(slots=True)
class _Index:
    """An open index file. Every method raises Unsound without its name."""

    file: BinaryIO
    size: int
    left: int = MAX_ITEMS

    def ends(self, roots: int, levels: int, others: int) -> dict[int, int]:
        """For each data file by number, the byte after the last one that the index lists."""
        hierarchical, plain = self._numbers(roots, 2)
        ends: dict[int, int] = {}
        for record in self._numbers(hierarchical, levels):
            self._level(record, ends)
        for record in self._numbers(plain, others):
            self._single(record, ends)
        return ends

    def _numbers(self, offset: int, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}I", read_at(self.file, offset, count * 4, "the index", self.size))

    def _level(self, record: int, ends: dict[int, int]) -> None:
        """The pages of one zoom level: their items are image, offset, length, file."""
        nothing, page = self._numbers(record, 2)
        if nothing:
            raise Unsound("damaged: a list of images does not begin where it should")
        while page:
            count, following = self._numbers(page, 2)
            self.left -= count + 10  # following a page costs more than one of its items
            if self.left < 0:
                raise Unsound(f"damaged: it lists more than {MAX_ITEMS} images, or the same ones without end")
            raw = read_at(self.file, page + 8, count * 16, "the index", self.size)
            for _, offset, length, number in struct.iter_unpack("<4I", raw):
                ends[number] = max(ends.get(number, 0), offset + length)
            page = following

    def _single(self, record: int, ends: dict[int, int]) -> None:
        """One of the other records: its first page holds, after two zeros, offset, length and file."""
        if not record:
            return
        nothing, page = self._numbers(record, 2)
        if nothing or not page:
            return
        count, _, zero, zero_too, offset, length, number = self._numbers(page, 7)
        if count and not (zero or zero_too):
            ends[number] = max(ends.get(number, 0), offset + length)


class Mrxs:
    """MRXS slides: the preview beside the folder of the same name."""

    name = "mrxs"

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether it is named .mrxs and is no TIFF, as OpenSlide asks; `examine` looks at the folder."""
        return name.lower().endswith(".mrxs") and len(name) > 5 and layout_of(head) is None and head[128:132] != b"DICM"

    def claim(self, path: Path) -> Claim:
        """Itself and the folder of the same name, with all that is in it; two file system calls, nothing is read."""
        problems = () if (path.parent / path.stem / _INI).is_file() else (_absent(path),)
        return Claim(self.name, (path.name, f"{path.stem}/"), path.stem, problems)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Check each slide's list, index and data files. OSError passes through."""
        problems: list[str] = []
        missing: list[str] = []
        told = Told()
        for name in members:
            path = directory / name
            problems += (f"{name}: {problem}" for problem in _preview_problems(path))
            try:
                slide = _Slide(path.with_suffix(""), _read_ini(path.with_suffix("") / _INI))
            except (FileNotFoundError, NotADirectoryError):
                missing.append(f"{path.stem}/{_INI}")
                problems.append(_absent(path))
                continue
            except Unsound as problem:
                problems.append(f"{path.stem}/{_INI}: {problem}")
                continue
            slide.examine()
            problems += (f"{path.stem}/{problem}" for problem in slide.problems[:_MAX_SENTENCES])
            if (more := len(slide.problems) - _MAX_SENTENCES) > 0:
                problems.append(f"{path.stem}/{_INI}: {more} more such problems")
            problems += (f"{path.stem}/{one}: missing, {_INI} lists it" for one in slide.missing[:_MAX_SENTENCES])
            if (more := len(slide.missing) - _MAX_SENTENCES) > 0:
                problems.append(f"{path.stem}/{_INI}: {more} more files that it lists are missing")
            missing += (f"{path.stem}/{one}" for one in slide.missing)
            _tell(told, slide.ini)
        return Examination(
            not problems, tuple(problems), tuple(missing), "mrxs:list+index", told.metadata, told.sources
        )


FORMAT: Final = Mrxs()


def _absent(path: Path) -> str:
    return f"{path.name}: incomplete: the folder {path.stem}/ beside it has no {_INI}"


def _preview_problems(path: Path) -> list[str]:
    with open_file(path) as file:
        head = file.read(2)
        size = size_of(file)
        file.seek(max(0, size - _JPEG_TAIL))
        tail = file.read(_JPEG_TAIL)
    if not size:
        return ["empty: the preview has no bytes yet"]
    if head == _JPEG and _JPEG_END not in tail:
        return [f"cut off: the preview does not end as a JPEG does, the file has {size} bytes"]
    return []


def _read_ini(path: Path) -> Ini:
    """The values by section and key, in UTF-8 or UTF-16. Raises Unsound, and FileNotFoundError."""
    with open_file(path) as file:
        raw = file.read(MAX_INI + 1)
    if len(raw) > MAX_INI:
        raise Unsound(f"damaged: it is longer than {MAX_INI} bytes")
    wide = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = raw.decode("utf-16" if wide else "utf-8-sig", "replace")
    values: Ini = {}
    section = ""
    for line in text.splitlines():
        key, sign, value = line.partition("=")
        if line.startswith("["):
            section = line.strip().strip("[]")
        elif sign:
            values.setdefault((section, key.strip()), value.strip())
    return values


def _tell(told: Told, ini: Ini) -> None:
    def put(key: str, section: str, name: str) -> None:
        told.put(key, ini.get((section, name), ""), f"{_INI}/{section}/{name}")

    when = ini.get(("GENERAL", "SLIDE_CREATIONDATETIME"), "")
    # Day and month change places with the language of the scanner's computer: only what can be read in one way is told.
    readings = {iso(when, form) for form in ("%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S")} - {""}
    told.put("acquired", readings.pop() if len(readings) == 1 else "", f"{_INI}/GENERAL/SLIDE_CREATIONDATETIME")
    put("objective", "GENERAL", "OBJECTIVE_NAME")
    for section, name in ini:
        if name == "SCANNER_HARDWARE_ID":
            put("instrument", section, name)
        elif name == "SCANNER_SOFTWARE_VERSION":
            put("software", section, name)
    level = ini.get(("HIERARCHICAL", "HIER_0_VAL_0_SECTION"), "")
    across, down = (ini.get((level, f"MICROMETER_PER_PIXEL_{axis}"), "") for axis in "XY")
    told.put(
        "pixel_size_um", f"{across}x{down}" if across and down else "", f"{_INI}/{level}/MICROMETER_PER_PIXEL_X,_Y"
    )
