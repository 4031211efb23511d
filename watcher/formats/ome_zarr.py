"""OME-Zarr: a folder tree of images, plates or label images, which is one set from its topmost group on.

Facts: OME-NGFF 0.4 and 0.5 (ngff.openmicroscopy.org: multiscales, plate, well, labels, bioformats2raw.layout, omero),
Zarr storage specification 2 and core specification 3.0; reference/image-formats.md 0 (chunks that may be missing).
Files such as `.zattrs` begin with a dot, and belong to the set.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from watcher.formats import ome_zarr_about, zarr_array
from watcher.formats.base import Claim, Examination
from watcher.formats.plane import Picture
from watcher.formats.reading import Unsound, inside, open_file, size_of
from watcher.formats.zarr_array import Array, Budget

#: Metadata files that make a folder a part of a Zarr tree.
MARKERS: Final = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
MAX_JSON: Final = 16 << 20
#: Values in one metadata file: what bounds the memory that it takes.
MAX_VALUES: Final = 300_000
MAX_NODES: Final = 50_000

_METADATA_FILE: Final = "OME/METADATA.ome.xml"
_MAX_SENTENCES: Final = 20
_MAX_MISSING: Final = 10_000
_MAX_ABOVE: Final = 32
#: Bytes of a name that systems allow.
_MAX_NAME: Final = 255
#: Folders without metadata of their own that may lie between two that have some.
_MAX_GAP: Final = 2
#: For a picture: a level with so many pixels on a side is large enough; groups that are tried, and how deep.
_ENOUGH: Final = 256
_MAX_TRIED: Final = 20
_MAX_PICTURE_DEPTH: Final = 5
_NAMES = frozenset({*MARKERS, ".zmetadata"})


@dataclass(frozen=True, slots=True)
class _Node:
    """A group, or an array; v3 groups have their OME metadata under "ome", v2 groups directly."""

    attributes: Mapping[str, Any]
    array: Array | None = None


class _TooMuch(Exception):
    """More than is looked at; the text says of what."""


class OmeZarr:
    """Zarr trees, with or without OME metadata."""

    name = "ome-zarr"

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether this is JSON with the name of a Zarr metadata file."""
        return name in _NAMES and head.lstrip().startswith(b"{")

    def claim(self, path: Path) -> Claim:
        """The tree that the file is a part of, from its topmost group on."""
        path.stat()
        folder = path.absolute().parent
        top, depth = _top(folder)
        return Claim(self.name, (path.name,), top.name, tree="/".join([".."] * depth) or ".")

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:  # noqa: ARG002 - the tree tells
        """The whole tree, if `directory` is its top; of a folder inside of a tree only its own metadata.

        OSError passes through.
        """
        directory.stat()  # if it is gone, nothing is known of what was in it
        walk = _Walk(directory, Budget())
        if _top(directory.absolute())[1]:
            walk.only_metadata()
            sound = False if walk.problems else None if walk.unsure else True
            checked = f"unchecked: {walk.unsure}" if walk.unsure else "ome-zarr:json"
            return Examination(sound, tuple(walk.problems), checked=checked)
        walk.run()
        about = ome_zarr_about.about(walk.first, walk.shapes, directory / _METADATA_FILE)
        problems = (*walk.problems, *([f"{walk.hidden} more problems"] if walk.hidden else ()))
        unsure = f"unchecked: {walk.unsure}" if walk.unsure else ""
        return Examination(
            sound=False if problems else None if unsure else True,
            problems=problems,
            missing=tuple(walk.missing),
            checked=unsure if unsure and not problems else "ome-zarr:tree",
            metadata={key: value for key, (value, _) in about.items()},
            sources={key: source for key, (_, source) in about.items()},
            remarks=tuple(walk.remarks()),
        )

    def picture(self, path: Path) -> Picture | None:
        """A plane of the first image of the tree, or of the image in the middle of a plate."""
        folder = path.absolute().parent
        if _top(folder)[1]:
            return None
        try:
            return _planes(folder)
        except (_Wrong, _TooMuch):
            return None


@dataclass(slots=True)
class _Walk:
    """What is known of a tree so far. first: the attributes of its first image; shapes: of its levels."""

    top: Path
    budget: Budget
    problems: list[str] = field(default_factory=list)
    hidden: int = 0
    missing: list[str] = field(default_factory=list)
    unsure: str = ""
    first: Mapping[str, Any] = field(default_factory=dict)
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    stored: int = 0
    expected: int = 0
    images: int = 0
    _seen: set[str] = field(default_factory=set)

    def run(self) -> None:
        waiting: list[tuple[str, str]] = [("", "the set")]
        try:
            while waiting:
                path, lister = waiting.pop()
                if path in self._seen:
                    continue
                if len(self._seen) >= MAX_NODES:
                    raise _TooMuch(f"it has more than {MAX_NODES} groups and arrays; those were checked")
                self._seen.add(path)
                waiting.extend(self._visit(path, lister))
        except _TooMuch as reason:
            self.unsure = str(reason)

    def only_metadata(self) -> None:
        """Read the metadata of the folder itself."""
        try:
            _node(self.top)
        except _Wrong as problem:
            self._say(problem.file, str(problem))
        except _TooMuch as reason:
            self.unsure = str(reason)

    def remarks(self) -> Iterator[str]:
        if self.stored < self.expected:
            yield f"{self.stored} of {self.expected} chunks are stored; those left out stand for an empty image"
        if not self.images and not self.problems:
            yield "it is Zarr without OME metadata that are known"

    def _say(self, path: str, problem: str) -> None:
        if len(self.problems) < _MAX_SENTENCES:
            self.problems.append(f"{path or self.top.name}: {problem}")
        else:
            self.hidden += 1

    def _lost(self, path: str, lister: str) -> None:
        if len(self.missing) < _MAX_MISSING:
            self.missing.append(path)
        self._say(path, f"missing, {lister} lists it")

    def _visit(self, path: str, lister: str) -> list[tuple[str, str]]:
        """Check one group or array, and return what it lists."""
        try:
            node = _node(self.top / path)
        except _Wrong as problem:
            self._say(_join(path, problem.file), str(problem))
            return []
        if node is None:
            if path:
                self._lost(path, lister)
            else:
                self._say(path, "unfinished: it has no metadata yet")
            return []
        if node.array is not None:
            self._chunks(path, node.array)
            return []
        return [
            (_join(path, name), by)
            for given, by in self._listed(path, node.attributes)
            if (name := self._name(path, given)) is not None
        ]

    def _listed(self, path: str, given: Mapping[str, Any]) -> Iterator[tuple[object, str]]:
        """What a group lists by name, and who says so."""
        who = _join(path, "")[:-1] or "the top"
        known = False
        if isinstance(plate := given.get("plate"), dict):
            known = True
            yield from ((well, f"the plate {who}") for well in _paths(plate.get("wells")))
        if isinstance(well := given.get("well"), dict):
            known = True
            yield from ((image, f"the well {who}") for image in _paths(well.get("images")))
        if isinstance(scales := given.get("multiscales"), list):
            known = True
            yield from self._image(path, given, scales, who)
        if isinstance(labels := given.get("labels"), list):
            known = True
            yield from ((label, f"the list of labels {who}") for label in labels)
        if given.get("bioformats2raw.layout") == 3:
            if not (self.top / path / _METADATA_FILE).is_file():
                self._lost(_join(path, _METADATA_FILE), "the layout of bioformats2raw")
            described = self._level(_join(path, "OME"))
            series = described.attributes.get("series") if described else None
            if isinstance(series, list):
                known = True
                yield from ((image, "OME/series") for image in series)
        if not known:
            yield from ((name, f"the group {who}") for name in self._children(path))
        elif (self.top / path / "labels").is_dir():
            yield "labels", f"the image {who}"

    def _image(self, path: str, given: Mapping[str, Any], scales: list[Any], who: str) -> Iterator[tuple[object, str]]:
        """The levels of an image exist, have the axes that it states, and do not grow."""
        levels = [name for scale in scales if isinstance(scale, dict) for name in _paths(scale.get("datasets"))]
        if not levels:
            self._say(path, "damaged: it is said to be an image and lists no level of one")
        axes = scales[0].get("axes") if scales and isinstance(scales[0], dict) else None
        self.images += 1
        shapes: list[tuple[int, ...]] = []
        for level in levels[:100] if len(scales) == 1 else ():
            if (name := _safe(level)) is None or (node := self._level(_join(path, name))) is None:
                continue
            if node.array is None:
                self._say(_join(path, name), f"damaged: it is no array, but the image {who} lists it as a level")
                continue
            shape = node.array.shape
            if not all(shape):
                self._say(_join(path, name), "unfinished: it has no size yet")
            if isinstance(axes, list) and len(axes) != len(shape):
                self._say(_join(path, name), f"damaged: it has {len(shape)} axes, the image {who} {len(axes)}")
            elif shapes and (len(shape) != len(shapes[-1]) or any(map(int.__gt__, shape, shapes[-1]))):
                self._say(_join(path, name), f"damaged: this level of the image {who} is larger than the one before")
            shapes.append(shape)
        if not self.first:
            self.first, self.shapes = given, shapes
        yield from ((level, f"the image {who}") for level in levels)

    def _chunks(self, path: str, array: Array) -> None:
        found = zarr_array.look(self.top / path, array, self.budget)
        self.stored += found.stored
        expected = 1
        for side in array.grid:
            expected *= side
        self.expected += expected
        for problem in found.problems:
            self._say(path, problem)
        if found.more:
            self.unsure = "it has more chunks than are looked at; those that were are whole"

    def _name(self, path: str, given: object) -> str | None:
        name = _safe(given)
        if name is None:
            self._say(path, f"damaged: it lists {str(given)[:100]!r}, which is no folder inside of it")
        return name

    def _children(self, path: str) -> list[str]:
        found: list[str] = []
        with os.scandir(self.top / path) as entries:
            for entry in entries:
                self.budget.entries -= 1
                if self.budget.entries < 0:
                    raise _TooMuch("it has more files than are looked at; those that were are whole")
                if entry.is_dir(follow_symlinks=False) and has_marker(Path(entry.path)):
                    found.append(entry.name)
        return sorted(found)

    def _level(self, path: str) -> _Node | None:
        """The node of a path; None if it is not there or damaged, which is said when it is visited."""
        try:
            return _node(self.top / path)
        except _Wrong:
            return None


class _Wrong(Exception):
    """What is wrong with a metadata file."""

    def __init__(self, file: str, problem: str) -> None:
        super().__init__(problem)
        self.file = file


def has_marker(folder: Path) -> bool:
    """Whether the folder is a group or an array of a Zarr tree."""
    return any((folder / name).is_file() for name in MARKERS)


def _top(folder: Path) -> tuple[Path, int]:
    """The topmost folder of the tree that this one is in, and how many folders it is above."""
    top, depth = folder, 0
    for above, parent in enumerate(folder.parents, start=1):
        if above > depth + _MAX_GAP + 1 or above > _MAX_ABOVE:
            break
        if has_marker(parent):
            top, depth = parent, above
    return top, depth


def _node(folder: Path) -> _Node | None:
    """The group or array of a folder, None if it has no metadata. Raises _Wrong; OSError passes through."""
    if not folder.is_dir():
        return None
    if (given := _json(folder / "zarr.json")) is not None:
        attributes = given.get("attributes", {})
        if given.get("zarr_format") != 3 or not isinstance(attributes, dict):
            raise _Wrong("zarr.json", "damaged: it is not that of a group or array")
        if given.get("node_type") == "array":
            return _Node({}, _array(zarr_array.version_3, given, "zarr.json"))
        if given.get("node_type") != "group":
            raise _Wrong("zarr.json", "damaged: it does not say whether it is a group or an array")
        ome = attributes.get("ome", attributes)
        return _Node(ome if isinstance(ome, dict) else {})
    if (given := _json(folder / ".zarray")) is not None:
        return _Node({}, _array(zarr_array.version_2, given, ".zarray"))
    group, found = _json(folder / ".zgroup"), _json(folder / ".zattrs")
    if group is None:
        if found is not None:
            raise _Wrong(".zgroup", "missing, although there is a .zattrs beside it")
        return None
    return _Node(found or {})


def _planes(folder: Path, depth: int = 0) -> Picture | None:
    """The first array below a group that can be shown: the middle well and image, the level that is large enough."""
    node = _node(folder)
    if node is None or depth > _MAX_PICTURE_DEPTH:
        return None
    if node.array is not None:
        return zarr_array.planes(folder, node.array) or None
    for name in _below(folder, node.attributes):
        if (safe := _safe(name)) and (found := _planes(folder / safe, depth + 1)):
            return found
    return None


def _below(folder: Path, given: Mapping[str, Any]) -> Iterator[object]:
    """What of a group is worth a look, the best first."""
    plate, well, scales = (given.get(key) for key in ("plate", "well", "multiscales"))
    if isinstance(plate, dict) or isinstance(well, dict):
        found = (
            plate.get("wells") if isinstance(plate, dict) else well.get("images") if isinstance(well, dict) else None
        )
        of = [*_paths(found)]
        yield from (*of[len(of) // 2 :], *of)[:_MAX_TRIED]
    elif isinstance(scales, list) and scales and isinstance(scales[0], dict):
        yield from _by_size(folder, [*_paths(scales[0].get("datasets"))][:_MAX_TRIED])
    else:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        yield from sorted(names)[:_MAX_TRIED]


def _by_size(folder: Path, levels: list[object]) -> list[str]:
    """The levels of an image, the smallest that is large enough for a picture first, then those that are smaller."""
    sized = []
    for level in levels:
        node = _node(folder / name) if (name := _safe(level)) else None
        if name and node and node.array and len(node.array.shape) >= 2:
            sized.append((max(node.array.shape[-2:]), name))
    enough = sorted(pair for pair in sized if pair[0] >= _ENOUGH)
    return [name for _, name in (*enough, *sorted((pair for pair in sized if pair[0] < _ENOUGH), reverse=True))]


def _array(read: Any, given: Mapping[str, Any], file: str) -> Array:
    try:
        result: Array = read(given)
    except Unsound as problem:
        raise _Wrong(file, str(problem)) from None
    return result


def _json(path: Path) -> dict[str, Any] | None:
    """A metadata file; None if it is not there. Raises _Wrong, and _TooMuch for one that is too large."""
    try:
        with open_file(path) as file:
            size = size_of(file)
            if size > MAX_JSON:
                raise _TooMuch(f"{path.name} of {path.parent.name} has {size} bytes of metadata, which are not read")
            file.seek(0)
            data = file.read(MAX_JSON)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not data.strip():
        raise _Wrong(path.name, "unfinished: the file is empty")
    if data.count(b",") + data.count(b"[") + data.count(b"{") > MAX_VALUES:
        raise _TooMuch(f"{path.name} of {path.parent.name} has more metadata than are read")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise _Wrong(path.name, "cut off or damaged: it is no JSON") from None
    if not isinstance(found, dict):
        raise _Wrong(path.name, "damaged: it is not that of a group or array")
    return found


def _paths(given: object) -> Iterator[object]:
    """The `path` of each entry in a list."""
    if isinstance(given, list):
        yield from (entry.get("path") if isinstance(entry, dict) else entry for entry in given)


def _safe(given: object) -> str | None:
    """A name that a group lists; None if it leads out of it or no system allows it."""
    if not isinstance(given, str) or len(given.encode("utf-8", "replace")) > _MAX_NAME:
        return None
    return inside(given)


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


FORMAT: Final = OmeZarr()
