"""Leica XLEF projects: XML files that name each other and the files with the image data (LOF, TIFF, JPEG, PNG).

An XLEF names XLCF (collections), XLLF (folders) and XLIF (images); an XLIF names the files that hold its image, often
in the folder above its own. Structure and quoting of the names: openreadout docs/formats/lif.md "XML containers";
liffile; reference/image-formats.md 2.3. The set is all that is reached from any of its documents, and complete when
all of it is there.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from watcher.formats.absent import absent, sentences
from watcher.formats.base import Claim, Examination
from watcher.formats.folders import Folders
from watcher.formats.leica import MAX_CHARACTERS, Frame, LeicaXml
from watcher.formats.lof import data_length
from watcher.formats.reading import Unsound, open_file, size_of
from watcher.formats.vendor_xml import TooLarge, pieces, visit

DOCUMENTS: Final = (".xlef", ".xlif", ".xlcf", ".xllf")
#: Documents of one project, their bytes in all, the names in them, and LOF files that are opened.
MAX_DOCUMENTS: Final = 20_000
MAX_BYTES: Final = 256 << 20
MAX_NAMES: Final = 100_000
MAX_OPENED: Final = 20_000
_ROOT = b"<LMSDataContainerHeader"
_MAX_SENTENCES = 20


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a name leads: `up` folders above the one that it is relative to, and then along `name`."""

    up: int
    name: str

    def __str__(self) -> str:
        return "../" * self.up + self.name


_HERE: Final = _Place(0, "")


class LeicaProject:
    """An XLEF project, or a part of one: a collection, or an image alone."""

    name = "xlef"

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether it is named as a document of such a project, and is one, in UTF-8 or UTF-16."""
        return name.lower().endswith(DOCUMENTS) and _ROOT in head.replace(b"\0", b"")

    def claim(self, path: Path) -> Claim:
        """What this document names itself; the others are asked in their turn.

        LAS X keeps a project in folders that only it writes to, so if a name leads into one below, the folder with all
        below it is the set; if one leads to the folder above, as from `Metadata`, that one is.
        """
        xml = LeicaXml()
        try:
            _read(path, xml)
        except (Unsound, TooLarge):  # `examine` says so
            return Claim(self.name, (path.name,), title=path.stem)
        said = dict.fromkeys((*xml.references, *(frame.file for frame in xml.frames)))
        places = {text: _place(_HERE, unquote(text)) for text in said}
        outside = [text for text, place in places.items() if place is None or place.up > 1]
        inside = [place for place in places.values() if place is not None and not place.up]
        above = any(place is not None and place.up == 1 for place in places.values())
        below = any("/" in place.name for place in inside)
        folders = Folders(path.parent)
        return Claim(
            self.name,
            tuple(dict.fromkeys((path.name, *(_real(folders, place.name) for place in inside)))),
            title="" if above else path.stem,
            problems=tuple(_outside(path.name, text) for text in outside[:_MAX_SENTENCES]),
            tree=".." if above else "." if below else None,
        )

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Follow all names from all members; every file is there, none is empty, and a LOF holds what is said of it."""
        lost = absent(directory, members)
        project = _Project(directory, missing=dict.fromkeys(lost))
        project.follow(name for name in members if name not in lost)
        problems = (*project.problems, *sentences(tuple(project.missing), "and its project names it"))
        return Examination(
            sound=False if problems else None if project.unsure else True,
            problems=problems,
            missing=tuple(project.missing),
            checked=f"unchecked: {project.unsure}" if project.unsure and not problems else "xlef:references+frames",
            metadata=project.told.metadata(),
            sources=project.told.sources(),
            remarks=tuple(project.remarks[:_MAX_SENTENCES]),
        )


FORMAT: Final = LeicaProject()


def _read(path: Path, xml: LeicaXml) -> int:
    """Read a document, and say how many bytes it has. Raises Unsound, TooLarge, OSError."""
    with open_file(path) as file:
        size = size_of(file)
        if not size:
            raise Unsound("unfinished: it is empty")
        visit(pieces(file, 0, size), xml, "its XML")
    return size


def _place(folder: _Place, text: str) -> _Place | None:
    """Where a name leads that stands in a document in `folder`; None if it is no relative name."""
    slashed = text.replace("\\", "/")
    if slashed.startswith("/") or ":" in slashed.partition("/")[0] or not text.isprintable():
        return None
    up = folder.up
    parts = folder.name.split("/") if folder.name else []
    for part in slashed.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part == "..":
            up += 1
        elif part not in ("", "."):
            parts.append(part)
    return _Place(up, "/".join(parts)) if parts else None


def _folder_of(name: str) -> _Place:
    """The folder of a document that was named as `_Place` writes it."""
    below = name.removeprefix("../")
    return _Place(int(below != name), below.rpartition("/")[0])


def _real(folders: Folders, name: str) -> str:
    try:
        return folders.find(name) or name
    except TooLarge:
        return name


def _outside(name: str, text: str) -> str:
    return f"{name}: it names a file outside of its project, {text[:200]!r}, which is left out"


@dataclass(slots=True)
class _Project:
    """What following the names has found so far. told: the document that says the most of an image."""

    directory: Path
    missing: dict[str, None]
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    unsure: str = ""
    told: LeicaXml = field(default_factory=LeicaXml)
    _folders: tuple[Folders, ...] = ()
    _files: dict[str, bool] = field(default_factory=dict)
    _lengths: dict[str, int] = field(default_factory=dict)
    _bytes: int = 0
    _names: int = 0
    _characters: int = 0

    def follow(self, names: Iterable[str]) -> None:
        """Read these documents and all that they name."""
        self._folders = (Folders(self.directory), Folders(self.directory.parent))
        waiting = deque(names)
        known = set(waiting)
        try:
            while waiting:
                for reference in self._document(waiting.popleft()):
                    new = str(reference)
                    if new.lower().endswith(DOCUMENTS) and new not in known:
                        known.add(new)
                        waiting.append(new)
                if len(known) > MAX_DOCUMENTS or self._bytes > MAX_BYTES:
                    raise TooLarge(f"it has more than {MAX_DOCUMENTS} documents or {MAX_BYTES} bytes of them")
        except TooLarge as reason:
            self.unsure = str(reason)

    def _document(self, name: str) -> Iterator[_Place]:
        """Check what one document names, and give the places of the other documents."""
        xml = LeicaXml()
        try:
            self._bytes += _read(self.directory / name, xml)
        except Unsound as problem:
            self._problem(f"{name}: {problem}")
        if "size" not in self.told.metadata() and xml.metadata():
            self.told = xml
        folder = _folder_of(name)
        for text in dict.fromkeys(xml.references):
            if (place := self._there(name, folder, text)) is not None:
                yield place
        for frame in xml.frames:
            self._frame(name, folder, frame)
        self._amount(name, xml)

    def _there(self, name: str, folder: _Place, text: str) -> _Place | None:
        """Where a file really is that a document names. A name may be quoted as in a URL, or not."""
        self._names += 1
        self._characters += len(text)
        if self._names > MAX_NAMES or self._characters > MAX_CHARACTERS:
            raise TooLarge(f"it names more than {MAX_NAMES} files, or has more than {MAX_CHARACTERS} letters in them")
        first: _Place | None = None
        for variant in dict.fromkeys((unquote(text), text)):
            place = _place(folder, variant)
            if place is None or place.up > 1:
                self._problem(_outside(name, text))
                return None
            first = first or place
            real = self._folders[place.up].find(place.name)
            if real is not None and self._is_file(str(found := _Place(place.up, real))):
                return found
        self.missing[str(first)] = None
        return None

    def _is_file(self, real: str) -> bool:
        if real not in self._files:
            self._files[real] = (self.directory / real).is_file()
        return self._files[real]

    def _frame(self, name: str, folder: _Place, frame: Frame) -> None:
        """A file with image data is not empty; if it is a LOF, it has as many bytes as are said to be in it."""
        if (place := self._there(name, folder, frame.file)) is None:
            return
        real = str(place)
        first = real not in self._lengths
        if first:
            self._lengths[real] = self._length(real)
        length = self._lengths[real]
        if not length and first:
            self._problem(f"{real}: unfinished: it is empty")
        elif 0 < length < frame.size and real.lower().endswith(".lof"):
            self._problem(f"{real}: incomplete: {name} speaks of {frame.size} bytes of image data, it has {length}")

    def _length(self, real: str) -> int:
        """The bytes of a file; of a LOF, its bytes of image data; -1 if it is none, which the LOF format says."""
        path = self.directory / real
        size = path.stat().st_size
        if not size or not real.lower().endswith(".lof"):
            return size
        if len(self._lengths) > MAX_OPENED:
            raise TooLarge(f"it has more than {MAX_OPENED} files with image data")
        try:
            with open_file(path) as file:
                return data_length(file) or -1
        except Unsound:
            return -1

    def _amount(self, name: str, xml: LeicaXml) -> None:
        """Only a remark: whether it holds for all kinds of frames is not known."""
        listed = max((memory.size for memory in xml.memory.values()), default=0)
        held = max((frame.offset + frame.size for frame in xml.frames), default=0)
        if held < listed:
            self.remarks.append(f"{name}: its files are said to hold {held} of the {listed} bytes of its image")

    def _problem(self, text: str) -> None:
        if len(self.problems) < _MAX_SENTENCES and text not in self.problems:
            self.problems.append(text)
