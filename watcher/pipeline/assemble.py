"""Which files are one image set: what formats claim, and general rules for the rest."""

import json
import os.path
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from watcher import formats, names
from watcher.formats.base import Claim
from watcher.journal import Journal
from watcher.journal.files import SeenFile
from watcher.profile import Sets, Watch
from watcher.profile.capture import Capture
from watcher.provenance import sidecar

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
    *sidecar.ENDINGS,
)
#: A name that says which plane of a stack it holds, as instruments write them (reference/image-formats.md, section 3).
_PLANE = re.compile(
    r"(?<![a-z])(?:channel|position|time|slice|plane|frame|field|stage|ch|[zctwsp])[-_ ]?\d{2,}(?![a-z])", re.IGNORECASE
)


#: What a format may say of a folder: it is a set with everything below it, or it belongs to the folder above.
_TREE, _PART = "tree", "part"
#: How a listed name begins that must be part of the set, and lies in a folder above.
_UP = "../"
#: How often what is learned of a folder may change which folders belong together.
_LEVELS = 4
#: More new files than this in one folder wait until their formats were asked, before anything is made of them.
_MANY = 50

_Claims = dict[str, Claim]


@dataclass(frozen=True, slots=True)
class Group:
    """Files that belong together now.

    folder is the one that all share, relative to the watched folder; missing are names that the files list and that are
    not there; problems what the files' own lists have wrong; remarks what is only told.
    """

    folder: PurePosixPath
    name: str
    grouped_by: str
    format: str
    files: tuple[SeenFile, ...]
    missing: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def changed_at(self) -> float:
        """When one of the files was last new or different."""
        return max(file.changed_at for file in self.files)


class Assembly:
    """Groups the files of a watched folder. What formats say of a file is kept in the journal until it changes.

    A file is asked once it has been at rest for the profile's settle time: before that its head may not be written.
    An area is the folder whose files are grouped together: a folder by itself, or with folders that belong to it, or a
    whole tree.
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
        self._roles: dict[str, str] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read again what the journal knows of the roles of folders."""
        self._roles = self._files.roles(self._watch.path) if self._rule == "auto" else {}

    def area_of(self, folder: str) -> str:
        """The folder that must be looked at as a whole when something in `folder` changed."""
        parts = folder.split("/") if folder else []
        if self._rule == "directory":
            return "/".join(parts[: self._depth + 1])
        if self._rule == "auto":
            for depth in range(1, len(parts) + 1):
                path = "/".join(parts[:depth])
                if self._is_tree(path):
                    return path
                if self._roles.get(path) == _PART:
                    return "/".join(parts[: depth - 1])
        return folder

    def learn(self, area: str, now: float) -> bool:
        """Ask the formats about the files of an area that have come to rest and were not asked yet.

        True if that changed what areas there are. OSError is no answer: the file is asked again.
        """
        rested = [one for one in self._files_of(area) if one.stale and now - one.changed_at >= self._watch.settle]
        if self._ask([file for file in rested if formats.may_tell_more(file.name)]):
            return True
        if self._rule == "auto" and self._is_tree(area):
            return False  # the rest are thousands of planes: validation asks them
        return self._ask([file for file in rested if not formats.may_tell_more(file.name)])

    def _ask(self, files: Iterable[SeenFile]) -> bool:
        """Ask the formats and remember what they say; whether a folder got another role by that."""
        fresh: dict[str, dict[str, str]] = {}
        roles: dict[str, str] = {}
        for file in files:
            try:
                claim = self._look(self._watch.path / file.path)
            except OSError:
                continue
            fresh.setdefault(file.folder, {})[file.name] = _to_json(claim) if claim else ""
            if claim and self._rule == "auto" and self._wanted(claim.format):
                roles |= self._roles_in(claim, file.folder)
        for folder, found in fresh.items():
            self._files.remember_claims(self._watch.path, folder, found)
        new = {folder: role for folder, role in roles.items() if self._roles.get(folder) != role}
        for folder, role in new.items():
            self._files.give_role(self._watch.path, folder, role)
        self._roles |= new
        return bool(new)

    def areas(self, due: Iterable[str], now: float, later: Mapping[str, float]) -> dict[str, set[str]]:
        """What is to be taken in: the areas of the folders that are due and of those in which something changed.

        Each with its folders in which something changed. Areas that are for `later` are left out until then.
        """
        areas: dict[str, set[str]] = {}
        # What is learned of one folder may make it part of another one, of which more is to be learned then.
        for _ in range(_LEVELS):
            areas = {self.area_of(folder): set() for folder in due}
            for folder in self._files.dirty(self._watch.path):
                area = self.area_of(folder)
                if area in areas or later.get(area, now) <= now:
                    areas.setdefault(area, set()).add(folder)
            # Files are read here, and so not while the journal is held.
            learned = [self.learn(area, now) for area in areas]
            if not any(learned):
                break
        return areas

    def unasked(self, area: str) -> float | None:
        """When the first of many new files of an area, of which nothing was made yet, will have come to rest."""
        if self._rule != "auto" or self._is_tree(area):
            return None
        count, first = self._files.unasked(self._watch.path, area, below=False)
        return first + self._watch.settle if count > _MANY else None

    def groups(self, area: str) -> list[Group]:
        """The groups in an area, as the journal knows its files at this moment."""
        files = self._files_of(area)
        if self.unasked(area) is not None:
            files = [file for file in files if file.claim is not None or file.set_id is not None]
        if not files:
            return []
        claims = {file.path: claim for file in files if (claim := self._claim_of(file))}
        if self._is_whole(area):
            return [self._directory(area, files, claims)]
        # It speaks of all sets of the folder and is none itself; each is told what it says (`attribute.py`).
        files = [file for file in files if not self._speaks_for_others(file.name)]
        return _distinct(self._in_one_folder(area, files, claims))

    def _speaks_for_others(self, name: str) -> bool:
        return name.lower() in sidecar.NAMES or (self._rule == "file" and sidecar.is_sidecar(name))

    def _is_whole(self, area: str) -> bool:
        if self._rule == "directory":
            return bool(area) and len(area.split("/")) > self._depth
        return self._rule == "auto" and self._is_tree(area)

    def _is_tree(self, folder: str) -> bool:
        parts = folder.split("/")
        return self._may_be_whole(folder) and (self._roles.get(folder) == _TREE or formats.is_set_folder(parts[-1]))

    def _may_be_whole(self, folder: str) -> bool:
        """The watched folder itself, and those whose names mean something, are never a set as a whole."""
        return bool(folder) and len(folder.split("/")) > self._depth

    def _roles_in(self, claim: Claim, folder: str) -> dict[str, str]:
        roles = {_joined(folder, name.rstrip("/")): _PART for name in claim.lists if name.endswith("/")}
        tree = _tree_of(_joined(folder, "a file"), claim)
        if tree is not None and self._may_be_whole(tree) and not tree.startswith(".."):
            roles[tree] = _TREE
        return roles

    def _files_of(self, area: str) -> list[SeenFile]:
        root = self._watch.path
        if self._is_whole(area):
            return self._files.below(root, area)
        files = self._files.in_folder(root, area)
        for folder, role in self._roles.items():
            if role == _PART and posixpath.dirname(folder) == area:
                files += self._files.below(root, folder)
        return files

    def _claim_of(self, file: SeenFile) -> Claim | None:
        """What a file says, if the profile wants its format.

        A name that promises a wanted format and does not hold one is unfinished: its head may still be to come.
        """
        if file.claim is None:
            return None
        claim = _from_json(file.claim) if file.claim else None
        if claim and self._wanted(claim.format):
            return claim
        promised = [
            one.title for one in formats.FAMILIES if one.name in (self._formats or ()) and one.promised_by(file.name)
        ]
        if not promised:
            return None
        return Claim(
            "", (file.name,), problems=(f"{file.name}: unfinished: it is not the {promised[0]} that its name says",)
        )

    def _wanted(self, kind: str) -> bool:
        return self._formats is None or kind in self._formats or not kind

    def _in_one_folder(self, area: str, files: list[SeenFile], claims: _Claims) -> list[Group]:
        if self._rule == "file":
            return [self._group(area, file.name, "file", (file,), claims) for file in files]
        groups, rest = self._by_listing(area, files, claims) if self._rule == "auto" else ([], files)
        planes = [file for file in rest if _PLANE.search(file.name)] if self._rule == "auto" else []
        if self._may_be_whole(area) and planes:
            # The folder holds the planes of one acquisition, and whatever lies beside them goes with them.
            return [*groups, self._directory(area, rest, claims)]
        return self._by_stem(area, rest, groups, claims)

    def _directory(self, area: str, files: Sequence[SeenFile], claims: _Claims) -> Group:
        trees = [claim for path, claim in sorted(claims.items()) if _tree_of(path, claim) == area]
        title = next((claim.title for claim in trees if _can_be_name(claim.title)), "")
        name = title or PurePosixPath(area).name
        kind = trees[0].format if trees else _format_of(files, claims)
        return self._made(PurePosixPath(area), name, "directory", kind, tuple(files), claims)

    def _by_listing(self, area: str, files: list[SeenFile], claims: _Claims) -> tuple[list[Group], list[SeenFile]]:
        """Join the files that name each other, directly or through others; the rest is what names only itself."""
        there = {_relative(file.path, area): file for file in files}
        part_of: dict[str, set[str]] = {}
        for path, claim in claims.items():
            if len(claim.lists) < 2 and not claim.takes:
                continue
            joined = _expanded(claim, posixpath.dirname(_relative(path, area)), there)
            for name in tuple(joined):
                joined |= part_of.get(name, set())
            for name in joined:
                part_of[name] = joined
        groups: list[Group] = []
        for names_of_set in {id(part): part for part in part_of.values()}.values():
            members = tuple(there[name] for name in sorted(names_of_set) if name in there)
            if members:
                # The file that lists the most knows the name of the whole best.
                telling = [claims[member.path] for member in members if member.path in claims]
                best = max(telling, key=lambda claim: len(claim.lists))
                name = best.title if _can_be_name(best.title) else stem(min(names_of_set).rpartition("/")[2])
                groups.append(self._made(PurePosixPath(area), name, best.format, best.format, members, claims))
        taken = {file.path for group in groups for file in group.files}
        return groups, [file for file in files if file.path not in taken]

    def _by_stem(self, area: str, files: list[SeenFile], listed: list[Group], claims: _Claims) -> list[Group]:
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

    def _group(self, area: str, name: str, grouped_by: str, files: tuple[SeenFile, ...], claims: _Claims) -> Group:
        return self._made(PurePosixPath(area), name, grouped_by, _format_of(files, claims), files, claims)

    def _made(
        self, folder: PurePosixPath, name: str, grouped_by: str, kind: str, files: tuple[SeenFile, ...], claims: _Claims
    ) -> Group:
        there = {file.path for file in files}
        telling = [(path, claims[path]) for path in sorted(there) if path in claims]
        area = "" if folder == PurePosixPath() else folder.as_posix()
        missing = dict.fromkeys(
            _relative(one, area) for path, claim in telling for one in self._absent(path, claim, there)
        )
        problems = dict.fromkeys(problem for _, claim in telling for problem in claim.problems)
        remarks = dict.fromkeys(remark for _, claim in telling for remark in claim.remarks)
        return Group(
            folder, names.legal(name), grouped_by, kind, files, tuple(missing), tuple(problems), tuple(remarks)
        )

    def _absent(self, path: str, claim: Claim, there: set[str]) -> Iterator[str]:
        folder = posixpath.dirname(path)
        for name in claim.lists:
            one = _joined(folder, name)
            # A folder, or a listed file in a folder below, need not be part of the group; but it must be there.
            below = "/" in name and not name.startswith(_UP)
            if one not in there and not (below and os.path.exists(self._watch.path / one)):  # noqa: PTH110 - no OSError from it
                yield one


def _joined(folder: str, name: str) -> str:
    path = f"{folder}/{name}" if folder else name
    return posixpath.normpath(path) if name.startswith(_UP) else path


def _tree_of(path: str, claim: Claim) -> str | None:
    """The folder that a file at this path says is a set as a whole."""
    if claim.tree is None:
        return None
    tree = posixpath.normpath(posixpath.join(posixpath.dirname(path), claim.tree))
    return "" if tree == "." else tree


def _relative(path: str, area: str) -> str:
    return path.removeprefix(f"{area}/") if area else path


def _expanded(claim: Claim, folder: str, there: Iterable[str]) -> set[str]:
    """The names that a claim lists, relative to the area; a folder stands for all files in it."""
    listed = {_joined(folder, name) for name in claim.lists}
    for name in [name for name in listed if name.endswith("/")]:
        listed.update(other for other in there if other.startswith(name))
    if claim.takes:
        takes = re.compile(claim.takes)
        listed.update(
            other
            for other in there
            if posixpath.dirname(other) == folder and takes.fullmatch(posixpath.basename(other))
        )
    return listed


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


def _format_of(files: Iterable[SeenFile], claims: _Claims) -> str:
    """The format that most of the files have; "" if none is known."""
    counts: dict[str, int] = {}
    for file in files:
        claim = claims.get(file.path)
        if claim:
            counts[claim.format] = counts.get(claim.format, 0) + 1
    return max(sorted(counts), key=lambda kind: counts[kind], default="")


def stem(name: str) -> str:
    """A file's name without its suffix, also a double one such as `.ome.tiff`."""
    lower = name.lower()
    for suffix in _DOUBLE:
        if lower.endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return PurePosixPath(name).stem


def _to_json(claim: Claim) -> str:
    return json.dumps(
        [claim.format, claim.lists, claim.title, claim.problems, claim.tree, claim.takes, claim.remarks],
        ensure_ascii=True,
    )


def _from_json(text: str) -> Claim:
    kind, lists, title, problems, tree, takes, remarks = json.loads(text)
    return Claim(kind, tuple(lists), title, tuple(problems), tree, takes, tuple(remarks))
