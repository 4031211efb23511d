"""Micro-Manager single planes: a folder of img_*.tif for each position, with a metadata.txt that names them.

Who writes what and when: `StorageSinglePlaneTiffSeries.java` of github micro-manager/micro-manager (createFileName,
writeFrameMetadata, closeMetadataStreams); reference/image-formats.md 3.1. The text grows by one entry an image and is
closed with a bracket at the very end, which some old versions never did; a missing bracket alone proves nothing.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from watcher.formats import micromanager
from watcher.formats.base import Claim, Examination
from watcher.formats.micromanager import whole
from watcher.formats.reading import inside, open_file, size_of

TEXT: Final = "metadata.txt"
#: Bytes of the text and names of images that are followed; the time of the worst text stays below about a second.
MAX_BYTES: Final = 512 << 20
MAX_IMAGES: Final = 200_000
MAX_SENTENCES: Final = 20
#: Bytes at the start of the text that `claim` reads, to learn where in the dataset it is.
_OPENING: Final = 65536
_CHUNK: Final = 1 << 20

_SUMMARY: Final = re.compile(r'^\ufeff?\s*\{\s*"Summary"\s*:\s*')
# 2.0: the keys `Coords-<file>` and `Metadata-<file>`, the file with its folder in later versions. 1.4: "FileName"
_LETTER: Final = rb'(?:[^"\\/]|\\.)'
_IMAGE: Final = re.compile(
    rb'"(?:Coords|Metadata)-((?:%s{1,255}/)?%s{1,255}\.tiff?)"|"FileName"\s*:\s*"(%s{1,255}\.tiff?)"' % ((_LETTER,) * 3)
)
_STRING: Final = r'"\s*:\s*"((?:[^"\\]|\\.)*)"'
_PREFIX: Final = re.compile(r'"Prefix' + _STRING)
_LABEL: Final = re.compile(r'"(?:[Ll]abel|PositionName)' + _STRING)
_OVERLAP: Final = 1024
_POSITION: Final = re.compile(r"(?:\d+-)?Pos[-_ ]?\d+(?:_\d+)*")
# The end of a whole text: the bracket of its last entry and its own, each at the start of a line
_CLOSED: Final = re.compile(rb"\n\}\s*\n\}$|\}\}$")


class MMPlanes:
    """Micro-Manager datasets that were saved as separate images: the folder above the positions is the set."""

    name = "mm-planes"

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether this is a metadata.txt that begins with a summary."""
        return name == TEXT and _SUMMARY.match(head.decode("utf-8", "replace")) is not None

    def claim(self, path: Path) -> Claim:
        """The folder tree of the dataset. Reads the beginning of the text."""
        with open_file(path) as file:
            text = file.read(_OPENING).decode("utf-8", "replace")
        below = _is_position(path.parent, text)
        top = path.parent.parent if below else path.parent
        return Claim(self.name, (path.name,), title=top.name, tree=".." if below else ".")

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Every image that a metadata.txt names is there; fewer than planned are remarked on."""
        found = _Dataset(directory)
        for name in members:
            with open_file(directory / name) as file:
                found.read(file, name)
        return found.examination()


FORMAT: Final = MMPlanes()


@dataclass(slots=True)
class _Dataset:
    """What is known of one position so far."""

    directory: Path
    missing: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    unsure: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def read(self, file: BinaryIO, name: str) -> None:
        """Look at one text: its summary, the images that it names, and its end."""
        summary = _summary_of(file)
        self.metadata, self.sources = micromanager.describe(summary, f"{name}/Summary")
        if not summary and size_of(file) <= micromanager.MAX_SUMMARY:
            self.problems.append(f"{name}: cut off: its summary does not end, or is damaged")
        listed = self._images(file, name)
        planned = _planned(summary)
        if listed < planned:
            self.remarks.append(
                f"{name}: it names {listed} of {planned} planned images; the acquisition runs or was stopped early"
            )
        self._end(file, name, all_there=bool(planned) and listed >= planned)

    def _images(self, file: BinaryIO, name: str) -> int:
        """How many images the text names; those that are not there are remembered."""
        there = {entry.name for entry in self.directory.iterdir()}
        named: set[str] = set()
        for said in _names(file):
            image = inside(said)
            if image is None:
                self.problems.append(f"{name}: it names an image outside of its folder, which is left out")
                break
            image = image.rpartition("/")[2] if image.startswith(f"{self.directory.name}/") else image
            if image in named:
                continue
            if len(named) >= MAX_IMAGES:
                self.unsure = f"{name}: it names more than {MAX_IMAGES} images; those were checked"
                break
            named.add(image)
            if image not in there:
                self.missing.append(image)
                if len(self.missing) <= MAX_SENTENCES:
                    self.problems.append(f"{image}: missing, {name} lists it")
        if not named and not self.problems:
            self.problems.append(f"{name}: unfinished: it names no image yet")
        return len(named)

    def _end(self, file: BinaryIO, name: str, *, all_there: bool) -> None:
        size = size_of(file)
        if size > MAX_BYTES:
            self.unsure = f"{name}: it is longer than {MAX_BYTES} bytes; those were checked"
        file.seek(max(0, size - _CHUNK))
        end = file.read(_CHUNK).rstrip()
        if not end.endswith(b"}") or end[-2:-1] == b" ":
            self.problems.append(f"{name}: cut off: it ends in the middle of an entry")
        elif not _CLOSED.search(end):
            self.remarks.append(f"{name}: it was never closed, as after a crash and by some old versions")
            if not all_there:
                self.unsure = self.unsure or f"{name}: it was never closed, so images at its end may be missing"

    def examination(self) -> Examination:
        """The verdict."""
        if len(self.missing) > MAX_SENTENCES:
            self.problems.append(f"{len(self.missing) - MAX_SENTENCES} more images are missing")
        return Examination(
            sound=False if self.problems else None if self.unsure else True,
            problems=tuple(self.problems),
            missing=tuple(self.missing),
            checked=f"unchecked: {self.unsure}" if self.unsure else "mm-planes:listing",
            metadata=self.metadata,
            sources=self.sources,
            remarks=tuple(self.remarks),
        )


def _summary_of(file: BinaryIO) -> dict[str, Any]:
    file.seek(0)
    text = file.read(micromanager.MAX_SUMMARY).decode("utf-8", "replace")
    found = _SUMMARY.match(text)
    return micromanager.parse(text[found.end() :]) if found else {}


def _names(file: BinaryIO) -> Iterator[str]:
    """The names of images in the text, in its order and with repetitions."""
    file.seek(0)
    kept = b""
    for _ in range(MAX_BYTES // _CHUNK):
        chunk = file.read(_CHUNK)
        text = kept + chunk
        for found in _IMAGE.finditer(text):
            yield _text(found[1] or found[2])
        if len(chunk) < _CHUNK:
            return
        kept = text[-_OVERLAP:]


def _text(raw: bytes) -> str:
    try:
        return _plain(raw.decode())
    except UnicodeDecodeError:  # Java's FileWriter writes in the code page of the computer
        return _plain(raw.decode("cp1252", "replace"))


def _plain(text: str) -> str:
    """A JSON string without its escapes."""
    if "\\" not in text:
        return text
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text


def _planned(summary: dict[str, Any]) -> int:
    """The images that were planned for one position, an upper bound; 0 if the summary does not tell."""
    intended = summary.get("IntendedDimensions")
    if isinstance(intended, dict):
        counts = [whole(intended, axis) for axis in ("channel", "z", "time") if axis in intended]
    else:
        counts = [whole(summary, key) for key in ("Channels", "Slices", "Frames")]
    planned = 1
    for count in counts:
        planned *= count
    return planned if counts else 0


def _is_position(folder: Path, text: str) -> bool:
    """Whether the folder holds one position of a dataset, rather than all of it.

    A dataset's folder bears the prefix of the summary; a position's one the label of the position.
    """
    found = _PREFIX.search(text)
    prefix = _plain(found[1]) if found else ""
    if folder.name == prefix:
        return False
    if folder.parent.name == prefix or f"-{folder.name}/" in text or _POSITION.fullmatch(folder.name):
        return True
    return any(_plain(label[1]) == folder.name for label in _LABEL.finditer(text))
