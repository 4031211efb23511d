"""BigDataViewer: an X.xml that lists its views, and the X.h5 (or N5 or Zarr folder) and partition files with them.

Facts: github bigdataviewer/spimdata and bigdataviewer-core (XmlIoHdf5ImageLoader: hdf5, partition/path;
XmlIoTimePointsAbstract: first/last, integerpattern), and the layout tNNNNN/sNN/0/cells; reference/image-formats.md 2.7.
"""

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from watcher.formats import hdf5, safe_xml
from watcher.formats.base import Claim, Examination
from watcher.formats.hdf5 import ELSEWHERE, Enough, Hdf5, superblock_at
from watcher.formats.hdf5_plane import picture
from watcher.formats.plane import Picture
from watcher.formats.reading import Unsound, inside, open_file, read_at, size_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

#: Bytes of the XML that are read up to the list of views; that of their positions, behind it, is not needed.
MAX_XML: Final = 4 << 20
MAX_TAGS: Final = 150_000
MAX_VIEWS: Final = 100_000

_MAX_SENTENCES = 20
_MAX_NAME = 250  # bytes that every system allows
_MICROMETRES = {
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
    "micrometer": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "nm": 1e-3,
    "mm": 1e3,
}
_WANTED = ("BasePath", "ImageLoader", "ViewSetup", "Timepoints", "MissingViews", "ViewRegistration")


@dataclass(slots=True)
class _Project:
    """What an XML says. files: names beside it, its main HDF5 file first; setups: their numbers; steps: the size of a
    pixel and its unit; gone: views (time point, setup) that are known to be missing. problems have no name; unsure: why
    the list of views was not read to its end.
    """

    main: str = ""
    files: list[str] = field(default_factory=list)
    base: str = ""
    setups: list[int] = field(default_factory=list)
    channels: set[str] = field(default_factory=set)
    size: str = ""
    steps: str = ""
    times: Iterable[int] = ()
    count: int = 0
    gone: set[tuple[int, int]] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    unsure: str = ""


class Bdv:
    """BigDataViewer and BigStitcher projects."""

    name = "bdv"

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether this is XML with the element SpimData, or HDF5 (`claim` then tells of which family)."""
        if superblock_at(head) is not None:
            return True
        text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        return name.lower().endswith(".xml") and text.startswith(b"<") and b"<SpimData" in text

    def claim(self, path: Path) -> Claim:
        """The XML and the files that it lists; HDF5 alone is claimed as what it is."""
        with open_file(path) as file:
            is_xml = file.read(8) != hdf5.SIGNATURE and path.name.lower().endswith(".xml")
        if not is_xml:
            return hdf5.FORMAT.claim(path)
        project = _read(path)
        problems = tuple(f"{path.name}: {problem}" for problem in project.problems)
        return Claim(self.name, tuple(dict.fromkeys((path.name, *project.files))), path.stem, problems)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Every listed file is there, and the main one holds every view. OSError passes through."""
        found = _Set(directory)
        documents = [name for name in members if name.lower().endswith(".xml")]
        for name in documents:
            found.project(name)
        for name in members:
            if name not in documents:
                found.file(name)
        if not documents:
            found.remarks.append("the XML that describes it is not beside it")
        return found.examination()

    def picture(self, path: Path) -> Picture | None:
        """A plane of a view; none of the XML."""
        return picture(path)


@dataclass(slots=True)
class _Set:
    """What is known of one set so far."""

    directory: Path
    problems: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    unsure: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)

    def project(self, name: str) -> None:
        project = _read(self.directory / name)
        self.problems += (f"{name}: {problem}" for problem in project.problems)
        for listed in project.files:
            if not (self.directory / listed).exists():
                if listed not in self.missing:
                    self.missing.append(listed)
                    self.say(f"{listed}: missing, {name} lists it")
            elif listed == project.main:
                self.file(listed, project)
            elif not listed.endswith("/"):
                self.file(listed)
        if project.unsure:
            self.unsure = f"unchecked: {name}: {project.unsure}"
        self._about(project)

    def file(self, name: str, project: _Project | None = None) -> None:
        """Check one HDF5 file, and with a project that every view is in it."""
        if name in self._done or name in self.missing:
            return
        self._done.add(name)
        with open_file(self.directory / name) as file:
            try:
                one = Hdf5(file)
                one.closed()
                if project:
                    self._views(name, one, project)
                else:
                    one.everything()
            except Unsound as problem:
                self.say(f"{name}: {problem}")
            except Enough as reason:
                self.unsure = f"unchecked: {name}: {reason}"

    def say(self, problem: str) -> None:
        if len(self.problems) < _MAX_SENTENCES:
            self.problems.append(problem)

    def examination(self) -> Examination:
        return Examination(
            sound=False if self.problems else None if self.unsure else True,
            problems=tuple(self.problems),
            missing=tuple(self.missing),
            checked=self.unsure if self.unsure and not self.problems else "bdv:views",
            metadata=self.metadata,
            sources=self.sources,
            remarks=tuple(self.remarks),
        )

    def _views(self, name: str, one: Hdf5, project: _Project) -> None:
        top = one.links(one.superblock.root)
        for time in project.times:
            group = top.get(f"t{time:05d}")
            inner = one.links(group) if group is not None and group != ELSEWHERE else {}
            for setup in project.setups:
                if group == ELSEWHERE or (time, setup) in project.gone:
                    continue
                view = f"time point {time}, view {setup}"
                cells = one.child(inner[f"s{setup:02d}"], "0", "cells") if inner.get(f"s{setup:02d}", -1) >= 0 else None
                if inner.get(f"s{setup:02d}") == ELSEWHERE or cells == ELSEWHERE:
                    continue
                if cells is None:
                    self.say(f"{name}: unfinished: {view} is listed and not in it")
                elif 0 in one.dataset(cells, f"the data of {view}"):
                    self.say(f"{name}: unfinished: {view} has no size yet")

    def _about(self, project: _Project) -> None:
        if project.size:
            channels = max(1, len(project.channels))
            self.metadata["size"] = f"{project.size}x{channels}x{project.count}"
            self.sources["size"] = "ViewSetup/size, Timepoints"
        if project.steps:
            self.metadata["pixel_size_um"] = project.steps
            self.sources["pixel_size_um"] = "ViewSetup/voxelSize"


def _read(path: Path) -> _Project:
    """What the XML says, as far as the list of views goes. OSError passes through."""
    project = _Project()
    with open_file(path) as file:
        size = size_of(file)
        try:
            text = read_at(file, 0, min(size, MAX_XML), "the XML", size)
            tail = read_at(file, max(0, size - 512), min(size, 512), "the XML", size)
        except Unsound as problem:
            project.problems.append(str(problem))
            return project
    if text.count(b"<") > MAX_TAGS:
        text = text[: MAX_TAGS * 4]  # so the loader, which comes first, is still read
    try:
        for element in safe_xml.stream(io.BytesIO(text), _WANTED, "the XML"):
            if safe_xml.local(element.tag) == "ViewRegistration":
                break
            _take(project, element)
    except Unsound as problem:
        if len(text) == size:
            project.problems.append(f"unfinished or damaged: {problem}")
        else:
            project.times = ()
            project.unsure = "its list of views is longer than is read"
    if not project.problems and not tail.rstrip(b"\0 \t\r\n").endswith(b"SpimData>"):
        project.problems.append("unfinished: it does not end as such a file does")
    if not (project.files or project.problems or project.unsure):
        project.problems.append("it does not say where its images are")
    if len(project.setups) * project.count > MAX_VIEWS:
        project.problems.append(f"it lists more than {MAX_VIEWS} views")
        project.times = ()
    return project


def _take(project: _Project, element: "Element") -> None:
    match safe_xml.local(element.tag):
        case "BasePath":
            base = (element.text or "").strip()
            project.base = "" if base in ("", ".") else base
        case "ImageLoader":
            project.files = [name for given in _named(element) if (name := _beside(project, given)) is not None]
            if element.find("hdf5") is not None and project.files:
                project.main = project.files[0]
        case "ViewSetup":
            _setup(project, element)
        case "Timepoints":
            _times(project, element)
        case "MissingViews":
            for view in element:
                project.gone.add((_number(view.get("timepoint")), _number(view.get("setup"))))


def _named(loader: "Element") -> Iterator["Element"]:
    """The elements that hold names of files: the main one first."""
    for tag in ("hdf5", "n5", "zarr"):
        if (main := loader.find(tag)) is not None:
            yield main
    yield from (path for part in loader.findall("partition") if (path := part.find("path")) is not None)


def _beside(project: _Project, given: "Element") -> str | None:
    said = (given.text or "").strip()
    absolute = given.get("type", "absolute") == "absolute" and given.get("type") is not None
    name = (
        None
        if absolute or len(said.encode()) > _MAX_NAME
        else inside(f"{project.base}/{said}" if project.base else said)
    )
    if name is None:
        project.problems.append(f"it names a file outside of its folder, {said[:200]!r}, which is left out")
        return None
    return name if given.tag in ("hdf5", "path") else f"{name}/"


def _setup(project: _Project, element: "Element") -> None:
    project.setups.append(_number(element.findtext("id")))
    if channel := element.findtext("attributes/channel"):
        project.channels.add(channel.strip())
    if len(project.setups) > 1:
        return
    sizes = (element.findtext("size") or "").split()
    if len(sizes) == 3 and all(size.isascii() and size.isdigit() for size in sizes):
        project.size = "x".join(size[:12] for size in sizes)
    factor = _MICROMETRES.get((element.findtext("voxelSize/unit") or "").strip().lower())
    steps = (element.findtext("voxelSize/size") or "").split()
    try:
        values = [float(step) * factor for step in steps] if factor and len(steps) == 3 else []
    except ValueError:
        return
    project.steps = "x".join(f"{value:.6g}" for value in values)


def _times(project: _Project, element: "Element") -> None:
    if (pattern := element.findtext("integerpattern")) is not None:
        ranges = list(_ranges(pattern))
    else:
        first, last = element.findtext("first"), element.findtext("last")
        ranges = [range(_number(first), _number(last) + 1)] if first is not None else []
        ranges += [range(at, at + 1) for one in element.findall("Timepoint/id") if (at := _number(one.text)) >= 0]
    project.count = sum(map(len, ranges))
    if project.count > MAX_VIEWS:
        project.problems.append(f"it lists more than {MAX_VIEWS} time points")
    else:
        project.times = [time for part in ranges for time in part]


def _ranges(pattern: str) -> Iterator[range]:
    """As in `0-3, 7, 10-20:2` (bigdataviewer, NameParser / IntegerPattern)."""
    for part in pattern.split(",")[:MAX_VIEWS]:
        if match := re.fullmatch(r"\s*(\d{1,9})(?:\s*-\s*(\d{1,9})(?:\s*:\s*(\d{1,9}))?)?\s*", part, re.ASCII):
            first = int(match[1])
            yield range(first, int(match[2] or first) + 1, max(1, int(match[3] or 1)))


def _number(text: str | None) -> int:
    """A small number of the XML; -1 if it is none."""
    found = (text or "").strip()
    return int(found) if found.isascii() and found.isdigit() and len(found) < 10 else -1


FORMAT: Final = Bdv()
