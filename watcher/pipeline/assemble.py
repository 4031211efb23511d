"""Which files are one image set: what formats claim, and general rules for the rest."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from watcher import formats, names
from watcher.formats.base import Claim
from watcher.journal import Journal
from watcher.journal.files import SeenFile
from watcher.profile import Sets, Watch
from watcher.profile.capture import Capture

#: Endings that belong to a name's suffix although a dot is in them.
_DOUBLE = (
    ".ome.tif",
    ".ome.tiff",
    ".ome.tf2",
    ".ome.tf8",
    ".ome.btf",
    ".companion.ome",
    ".ome.xml",
    ".lux.h5",
    ".tar.gz",
)
#: A name that says which plane of a stack it holds, as instruments write them (reference/image-formats.md, section 3).
_PLANE = re.compile(
    r"(?<![a-z])(?:channel|position|time|slice|plane|frame|field|stage|ch|[zctwsp])[-_ ]?\d{2,}(?![a-z])", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Group:
    """Files that belong together now.

    folder is the one that all share, relative to the watched folder; missing are names that the files list and that are
    not there; problems what the files' own lists have wrong.
    """

    folder: PurePosixPath
    name: str
    grouped_by: str
    format: str
    files: tuple[SeenFile, ...]
    missing: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def changed_at(self) -> float:
        """When one of the files was last new or different."""
        return max(file.changed_at for file in self.files)


class Assembly:
    """Groups the files of a watched folder. What formats say of a file is kept in the journal until it changes.

    A file is asked once it has been at rest for the profile's settle time: before that its head may not be written.
    """

    def __init__(
        self,
        watch: Watch,
        sets: Sets,
        journal: Journal,
        look: Callable[[Path], Claim | None] = formats.look,
    ) -> None:
        self._watch = watch
        self._rule = sets.group
        self._formats = formats.checked(sets.formats)
        self._depth = Capture(watch.capture).depth
        self._files = journal.files
        self._look = look

    def area_of(self, folder: str) -> str:
        """The folder that must be looked at as a whole when something in `folder` changed."""
        if self._rule != "directory":
            return folder
        return "/".join(folder.split("/")[: self._depth + 1])

    def learn(self, area: str, now: float) -> None:
        """Ask the formats about the files of an area that have come to rest and were not asked yet."""
        fresh: dict[str, dict[str, str]] = {}
        for file in self._files_of(area):
            if file.claim is None and now - file.changed_at >= self._watch.settle:
                text = self._ask(file)
                if text is not None:
                    fresh.setdefault(file.folder, {})[file.name] = text
        for folder, found in fresh.items():
            self._files.remember_claims(self._watch.path, folder, found)

    def groups(self, area: str) -> list[Group]:
        """The groups in an area, as the journal knows its files at this moment."""
        files = self._files_of(area)
        if not files:
            return []
        claims = {file.path: _from_json(file.claim) for file in files if file.claim}
        claims = {path: claim for path, claim in claims.items() if self._wanted(claim.format)}
        if self._is_whole_tree(area):
            return [self._directory(area, files, claims)]
        return _distinct(self._in_one_folder(area, files, claims))

    def _is_whole_tree(self, area: str) -> bool:
        return self._rule == "directory" and bool(area) and len(area.split("/")) > self._depth

    def _files_of(self, area: str) -> list[SeenFile]:
        look = self._files.below if self._is_whole_tree(area) else self._files.in_folder
        return look(self._watch.path, area)

    def _wanted(self, kind: str) -> bool:
        return self._formats is None or kind in self._formats

    def _in_one_folder(self, area: str, files: list[SeenFile], claims: dict[PurePosixPath, Claim]) -> list[Group]:
        if self._rule == "file":
            return [self._group(area, file.name, "file", (file,), claims) for file in files]
        groups, rest = self._by_listing(area, files, claims) if self._rule == "auto" else ([], files)
        planes = [file for file in rest if _PLANE.search(file.name)] if self._rule == "auto" else []
        if len(area.split("/")) > self._depth and area and planes:
            # The folder holds the planes of one acquisition, and whatever lies beside them goes with them.
            return [*groups, self._directory(area, rest, claims)]
        return self._by_stem(area, rest, groups, claims)

    def _directory(self, area: str, files: Sequence[SeenFile], claims: dict[PurePosixPath, Claim]) -> Group:
        missing, problems = self._missing_in(files, claims, area)
        folder = PurePosixPath(area)
        return Group(
            folder, names.legal(folder.name), "directory", _format_of(files, claims), tuple(files), missing, problems
        )

    def _ask(self, file: SeenFile) -> str | None:
        """What a format says of a file, "" if none knows it, None if it could not be read now."""
        try:
            claim = self._look(self._watch.path / file.path)
        except OSError:
            return None
        return _to_json(claim) if claim else ""

    def _by_listing(
        self, area: str, files: list[SeenFile], claims: dict[PurePosixPath, Claim]
    ) -> tuple[list[Group], list[SeenFile]]:
        """Join the files that name each other, directly or through others; the rest is what names only itself."""
        there = {file.name: file for file in files}
        part_of: dict[str, set[str]] = {}
        for claim in claims.values():
            if len(claim.lists) < 2:
                continue
            joined = set(claim.lists)
            for name in claim.lists:
                joined |= part_of.get(name, set())
            for name in joined:
                part_of[name] = joined
        groups: list[Group] = []
        for names_of_set in {id(part): part for part in part_of.values()}.values():
            members = tuple(there[name] for name in sorted(names_of_set) if name in there)
            if members:
                # The file that lists the most knows the name of the whole best.
                telling = [claims[member.path] for member in members if member.path in claims]
                title = max(telling, key=lambda claim: len(claim.lists)).title if telling else ""
                name = title if _can_be_name(title) else stem(min(names_of_set))
                groups.append(self._group(area, name, "", members, claims))
        taken = {file.name for group in groups for file in group.files}
        return groups, [file for file in files if file.name not in taken]

    def _by_stem(
        self, area: str, files: list[SeenFile], listed: list[Group], claims: dict[PurePosixPath, Claim]
    ) -> list[Group]:
        """Files that share a stem are one set; those that share one with a listed set travel with it."""
        home = {names.legal(stem(file.name)): index for index, group in enumerate(listed) for file in group.files}
        home |= {group.name: index for index, group in enumerate(listed)}
        beside: dict[int, list[SeenFile]] = {}
        stems: dict[str, list[SeenFile]] = {}
        for file in files:
            name = stem(file.name)
            index = home.get(names.legal(name))
            if index is None:
                stems.setdefault(name, []).append(file)
            else:
                beside.setdefault(index, []).append(file)
        grown = [replace(group, files=(*group.files, *beside.get(index, ()))) for index, group in enumerate(listed)]
        return [*grown, *(self._group(area, name, "stem", tuple(members), claims) for name, members in stems.items())]

    def _group(
        self, area: str, name: str, grouped_by: str, files: tuple[SeenFile, ...], claims: dict[PurePosixPath, Claim]
    ) -> Group:
        kind = _format_of(files, claims)
        missing, problems = self._missing_in(files, claims, area)
        return Group(PurePosixPath(area), names.legal(name), grouped_by or kind, kind, files, missing, problems)

    def _missing_in(
        self, files: Iterable[SeenFile], claims: dict[PurePosixPath, Claim], area: str
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        there = {file.path for file in files}
        missing: dict[str, None] = {}
        problems: dict[str, None] = {}
        for path in sorted(there):
            claim = claims.get(path)
            if claim is None:
                continue
            problems |= dict.fromkeys(claim.problems)
            absent = (path.parent / name for name in claim.lists if path.parent / name not in there)
            # A listed file in a folder below is a set of its own there, but it must be there.
            lost = (one for one in absent if one.parent == path.parent or not (self._watch.path / one).exists())
            missing |= dict.fromkeys(str(one.relative_to(area) if area else one) for one in lost)
        return tuple(missing), tuple(problems)


def _can_be_name(title: str) -> bool:
    """Whether a file may name its set so: what it says comes from outside."""
    return title not in {"", ".", ".."} and "/" not in title


def _distinct(groups: list[Group]) -> list[Group]:
    """Two sets of one folder never share a name: the later one is told apart by its first file."""
    used: set[str] = set()
    result: list[Group] = []
    for group in groups:
        name = group.name if group.name not in used else names.legal(group.files[0].name)
        used.add(name)
        result.append(replace(group, name=name))
    return result


def _format_of(files: Iterable[SeenFile], claims: dict[PurePosixPath, Claim]) -> str:
    """The format that most of the files have; "" if none is known."""
    counts: dict[str, int] = {}
    for file in files:
        if file.path in claims:
            counts[claims[file.path].format] = counts.get(claims[file.path].format, 0) + 1
    return max(sorted(counts), key=lambda kind: counts[kind], default="")


def stem(name: str) -> str:
    """A file's name without its suffix, also a double one such as `.ome.tiff`."""
    lower = name.lower()
    for suffix in _DOUBLE:
        if lower.endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return PurePosixPath(name).stem


def _to_json(claim: Claim) -> str:
    return json.dumps([claim.format, claim.lists, claim.title, claim.problems], ensure_ascii=True)


def _from_json(text: str) -> Claim:
    kind, lists, title, problems = json.loads(text)
    return Claim(kind, tuple(lists), title, tuple(problems))
