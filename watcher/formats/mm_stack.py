"""Micro-Manager image stacks: OME-TIFF files `<prefix>_MMStack_<position>_<n>.ome.tif` with a header of their own.

The header, its flags and what is written when: `MultipageTiffWriter.java` (writeMMHeaderAndSummaryMD, finish, close)
and `FileSet.java` of github micro-manager/micro-manager; reference/image-formats.md 3.1. A stack is longer than what it
holds until the whole dataset is closed; only then its settings, comments and OME-XML are written, into every file.
"""

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from watcher.formats import micromanager
from watcher.formats.base import Claim, Examination
from watcher.formats.ome_tiff import FORMAT as OME
from watcher.formats.reading import Unsound, cut_off, open_file, read_at, size_of
from watcher.formats.tiff_ifd import Reader

#: Names of a folder that are looked at to find the other files of a dataset; Micro-Manager gives each its own folder.
MAX_NAMES: Final = 20_000
#: Images of one stack that are followed: 4 GiB of the smallest camera regions.
MAX_IMAGES: Final = 200_000
#: Blank images that are counted behind the last real one.
MAX_BLANKS: Final = 10_000

_INDEX_AT, _SETTINGS_AT, _COMMENTS_AT, _SUMMARY_AT = 54773648, 483765892, 99384722, 2355492
_INDEX, _SETTINGS, _COMMENTS = 3453623, 347834724, 84720485
_HEADER_BYTES: Final = 40
_NAMES: Final = re.compile(r"(?P<prefix>.*?)_?MMStack(?:_.*)?(?:\.ome\.tif|_metadata\.txt)", re.IGNORECASE)
_BESIDE: Final = ("comments.txt", "DisplaySettings.json", "display_settings.txt")


class MMStack:
    """Micro-Manager datasets that were saved as image stacks: one file a position, or more where one gets too long."""

    name = "mm-stack"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the Protocol gives it
        """Whether the file begins with Micro-Manager's header; its name does not matter."""
        order = _order(head)
        if not order or len(head) < _HEADER_BYTES:
            return False
        numbers = struct.unpack(f"{order}10I", head[:_HEADER_BYTES])
        return (numbers[2], numbers[8]) == (_INDEX_AT, _SUMMARY_AT)

    def claim(self, path: Path) -> Claim:
        """What its OME-XML names, and the files of the same prefix: the OME-XML is written when all is done."""
        ome = OME.claim(path)
        found = _NAMES.fullmatch(path.name)
        beside = _siblings(path.parent, found["prefix"]) if found else []
        lists = dict.fromkeys((path.name, *(ome.lists if ome.format == OME.name else ()), *beside))
        title = (found["prefix"] or "MMStack") if found else ome.title
        return Claim(self.name, tuple(lists), title, ome.problems)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Every stack is closed, its index matches its pages, and what the OME-XML lists is there and sound."""
        found = _Dataset()
        for name in members:
            found.read(directory, name)
        if any(": unfinished: " in problem for problem in found.problems):
            # An open stack is full of space that no walk could make sense of.
            return Examination(False, tuple(found.problems), (), _CHECKED, found.metadata, found.sources)
        ome = OME.examine(directory, members)
        said = {problem.partition(":")[0] for problem in found.problems}
        more = (problem for problem in ome.problems if problem.partition(":")[0] not in said)
        return Examination(
            sound=False if found.problems else ome.sound,
            problems=(*found.problems, *more),
            missing=ome.missing,
            checked=ome.checked if ome.sound is None else _CHECKED,
            metadata={**found.metadata, **ome.metadata},
            sources={**found.sources, **dict.fromkeys(ome.metadata, "OME-XML"), **ome.sources},
            remarks=(*ome.remarks, *found.remarks),
        )


FORMAT: Final = MMStack()
_CHECKED: Final = "mm-stack:header+index+ome-tiff"


@dataclass(slots=True)
class _Dataset:
    """What was found in the stacks so far."""

    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def read(self, directory: Path, name: str) -> None:
        """Look at one stack and the text beside it. A missing file is left to the OME-XML that lists it."""
        try:
            with open_file(directory / name) as file:
                blanks = _check(file)
                if not self.metadata:
                    self.metadata, self.sources = micromanager.describe(_summary(file), f"{name}/Summary")
            if blanks:
                self.remarks.append(
                    f"{name}: the acquisition was stopped early; its last {blanks} images are blank and were added "
                    "to fill the last time point"
                )
        except FileNotFoundError:
            return
        except Unsound as problem:
            self.problems.append(f"{name}: {problem}")
        text = re.sub(r"\.ome\.tif$", "", name, flags=re.IGNORECASE) + "_metadata.txt"
        if _ends_early(directory / text):
            self.problems.append(f"{text}: unfinished: it does not end with the closing bracket of a whole one")


def _check(file: BinaryIO) -> int:
    """Look at the header, the index and the texts at the end; the number of blank images. Raises Unsound."""
    size = size_of(file)
    head = read_at(file, 0, _HEADER_BYTES, "the header", size)
    order = _order(head)
    if not order:
        raise Unsound("not a TIFF file: its first bytes are something else")
    _, _, _, index, settings_mark, settings, comments_mark, comments, _, _ = struct.unpack(f"{order}10I", head)
    if not any(head[16:32]):
        raise Unsound(
            "unfinished: Micro-Manager has not closed it, so its settings and comments are not written; "
            "the acquisition runs, or the program has crashed"
        )
    last = _last_image(file, order, index, size)
    for what, mark, said, at, text in (
        ("the display settings", _SETTINGS_AT, settings_mark, settings, _SETTINGS),
        ("the comments", _COMMENTS_AT, comments_mark, comments, _COMMENTS),
    ):
        if said != mark:
            raise Unsound(f"damaged: the header does not say where {what} are")
        found, length = struct.unpack(f"{order}2I", read_at(file, at, 8, what, size))
        if found != text:
            raise Unsound(f"damaged: {what} are not where the header says")
        if at + 8 + length > size:
            raise cut_off(what, at + 8 + length, size)
    # close() leaves 8 bytes behind the comments, which come last.
    if comments + 8 + length + 8 > size:
        raise cut_off("the file", comments + 16 + length, size)
    return _blanks(file, last)


def _last_image(file: BinaryIO, order: str, at: int, size: int) -> int:
    """Where the last page is that the index lists: MultipageTiffWriter.addToIndexMap and finish. Raises Unsound."""
    mark, count = struct.unpack(f"{order}2I", read_at(file, at, 8, "the index", size))
    if mark != _INDEX:
        raise Unsound("damaged: the index of its images is not where the header says")
    if not count:
        raise Unsound("incomplete: its index lists no image")
    last = 0
    for start in range(0, min(count, MAX_IMAGES), 1000):
        number = min(1000, min(count, MAX_IMAGES) - start)
        data = read_at(file, at + 8 + 20 * start, 20 * number, "the index", size)
        last = max(last, *struct.unpack(f"{order}{5 * number}I", data)[4::5], 0)
    if last >= size:
        raise cut_off("the last image that its index lists", last, size)
    return last


def _blanks(file: BinaryIO, last: int) -> int:
    """The pages behind the last one of the index: FileSet.completeFrameWithBlankImages puts them there."""
    reader = Reader(file)
    seen = 0
    at = reader.directory(last, "the last image that its index lists", frozenset()).link
    while at and seen < MAX_BLANKS:
        seen += 1
        at = reader.directory(at, f"blank image {seen}", frozenset()).link
    return seen


def _summary(file: BinaryIO) -> dict[str, object]:
    size = size_of(file)
    head = read_at(file, 0, _HEADER_BYTES, "the header", size)
    (length,) = struct.unpack(f"{_order(head)}I", head[36:40])
    if length > min(micromanager.MAX_SUMMARY, size - _HEADER_BYTES):
        return {}
    return micromanager.parse(read_at(file, _HEADER_BYTES, length, "the summary", size).decode("utf-8", "replace"))


def _order(head: bytes) -> str:
    return {b"II*\0": "<", b"MM\0*": ">"}.get(head[:4], "")


def _ends_early(path: Path) -> bool:
    """Whether a metadata file lacks the end that FileSet.finishMetadataFile writes; not if there is no such file."""
    try:
        with open_file(path) as file:
            size = size_of(file)
            file.seek(max(0, size - 8))
            return not file.read(8).replace(b"\r", b"").endswith(b"\n}\n")
    except FileNotFoundError:
        return False


def _siblings(folder: Path, prefix: str) -> list[str]:
    """The files of the dataset with this prefix in its folder, and what Micro-Manager writes for the whole of it."""
    found: list[str] = []
    prefixes: set[str] = set()
    beside: list[str] = []
    for name in _names(folder):
        if match := _NAMES.fullmatch(name):
            prefixes.add(match["prefix"])
            if match["prefix"] == prefix:
                found.append(name)
        elif name in _BESIDE:
            beside.append(name)
    return sorted(found) + (sorted(beside) if prefixes == {prefix} else [])


def _names(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for _, entry in zip(range(MAX_NAMES), entries, strict=False):
            yield entry.name
