"""What an instrument's software did to its files: one look at a folder after the other becomes a story of each file."""

import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from watcher import osfacts
from watcher.model import FileFacts

#: What is remembered is bounded: files with a story, events and spans of a file, kinds of names in the timeline.
_FILES, _EVENTS, _SPANS, _NAMES, _LINES = 100_000, 12, 16, 4, 200
#: So many changes of its time in a row without one of its size, and a file was written into room made before.
_IN_PLACE = 3

Span = tuple[float, float]


class Kind(StrEnum):
    """What can happen to a file or folder between two looks, in the words of the timeline."""

    CREATED = "created"
    GREW = "grew"
    SHRANK = "shrank"
    REWRITTEN = "rewritten"  # the same size, another time
    REPLACED = "replaced"  # another file has its name now
    RENAMED = "renamed"
    REMOVED = "removed"
    FOLDER = "folder made"
    FOLDER_GONE = "folder removed"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One look: the files and folders there by path (relative, with /), and the paths that could not be looked at."""

    at: float
    files: Mapping[str, FileFacts]
    folders: frozenset[str] = frozenset()
    unread: frozenset[str] = frozenset()


class Event(NamedTuple):
    """One change of one file; path is what it is called since then."""

    at: float
    kind: Kind
    path: str
    size: int


class Rename(NamedTuple):
    """A file that took another name, and for how long it had not changed before."""

    old: str
    new: str
    rested: float


@dataclass(slots=True)
class Story:
    """What happened to one file; `events` has the first ones, `times` counts them all.

    spans are the times in which it was written to, at most `_SPANS`: the longest pauses between them are exact.
    """

    path: str
    facts: FileFacts
    born: float
    there_before: bool = False
    gone_at: float | None = None
    in_place: int = 0
    times: Counter[Kind] = field(default_factory=Counter)
    events: list[Event] = field(default_factory=list)
    names: list[Rename] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    _steady: int = 0

    @property
    def changed_at(self) -> float:
        """When it was last seen new or different."""
        return self.spans[-1][1] if self.spans else self.born

    @property
    def preallocated(self) -> bool:
        """Whether its size stood still while it was written to, so that its size says nothing."""
        return self.in_place >= _IN_PLACE

    def note(self, kind: Kind, at: float, facts: FileFacts) -> None:
        """Remember one change."""
        self._steady = self._steady + 1 if kind is Kind.REWRITTEN else 0
        self.in_place = max(self.in_place, self._steady)
        self.facts = facts
        self.times[kind] += 1
        if len(self.events) < _EVENTS:
            self.events.append(Event(at, kind, self.path, facts.size))
        if kind is Kind.REMOVED:
            self.gone_at = at
            return
        self.gone_at = None
        if not self.spans or self.spans[-1][1] != at:
            self.spans.append((at, at))
        if len(self.spans) > _SPANS:
            # The shortest pause is given up, so that the longest ones stay as they are.
            least = min(range(1, _SPANS + 1), key=lambda i: self.spans[i][0] - self.spans[i - 1][1])
            self.spans[least - 1 : least + 1] = [(self.spans[least - 1][0], self.spans[least][1])]


@dataclass(slots=True)
class Line:
    """One line of the timeline: the same happening to names that differ only in their digits."""

    kind: Kind
    names: str
    first: float
    last: float
    files: int = 0
    times: int = 0
    grown: int = 0


class Trace:
    """Takes one snapshot after the other; the first says only what was there before. It never reads a file or a clock.

    stories: by path, of files that changed, also those that are gone; longest_look: the longest time between two looks,
    within which nothing can be told apart; overlooked: events of files beyond what is remembered.
    """

    def __init__(self) -> None:
        self.stories: dict[str, Story] = {}
        self.lines: dict[tuple[Kind, str], Line] = {}
        self.new_folders: set[str] = set()
        self.started = self.at = 0.0
        self.looks = self.there_before = self.overlooked = 0
        self.longest_look = 0.0
        self.last_change: float | None = None
        self._files: dict[str, FileFacts] = {}
        self._folders: frozenset[str] = frozenset()

    def add(self, snapshot: Snapshot) -> None:
        """Take in the next look."""
        files = {path: facts for path, facts in self._files.items() if _hidden(path, snapshot.unread)}
        files.update(snapshot.files)
        folders = snapshot.folders | {path for path in self._folders if _hidden(path, snapshot.unread)}
        if self.looks:
            self.longest_look = max(self.longest_look, snapshot.at - self.at)
            self.at = snapshot.at
            self._compare_folders(folders)
            self._compare(self._files, files)
        else:
            self.started = self.at = snapshot.at
            self.there_before = len(files)
        self.looks += 1
        self._files, self._folders = files, folders

    @property
    def present(self) -> list[Story]:
        """The files that changed and are there, in the order in which they appeared."""
        there = (story for story in self.stories.values() if story.gone_at is None)
        return sorted(there, key=lambda story: (story.born, story.facts.mtime_ns, story.path))

    def _compare_folders(self, folders: frozenset[str]) -> None:
        for path in sorted(folders - self._folders):
            self._tell(Kind.FOLDER, path, new=True)
        for path in sorted(self._folders - folders):
            self._tell(Kind.FOLDER_GONE, path, new=True)
        self.new_folders = (self.new_folders & folders) | (folders - self._folders)

    def _compare(self, before: Mapping[str, FileFacts], now: Mapping[str, FileFacts]) -> None:
        gone = {path for path in before if path not in now}
        lost = {_key(before[path]): path for path in gone}
        # Those that were written earlier first, so that what appeared between two looks is told in its order.
        different = [path for path, facts in now.items() if before.get(path) != facts]
        for path in sorted(different, key=lambda one: (now[one].mtime_ns, one)):
            was, facts = before.get(path), now[path]
            same = was is not None and was.identity == facts.identity
            old = None if same else lost.get(_key(facts))
            if old is not None and _may_follow(before[old], facts):
                gone.discard(lost.pop(_key(facts)))
                self._rename(old, path, facts)
            elif was is None:
                self._note(path, Kind.CREATED, facts, 0)
            elif kind := _change(was, facts):
                self._note(path, kind, facts, was.size)
        for path in sorted(gone):
            self._note(path, Kind.REMOVED, before[path], before[path].size)

    def _rename(self, old: str, new: str, facts: FileFacts) -> None:
        story = self.stories.pop(old, None)
        rested = self.at - (story.changed_at if story else self.started)
        there_before = story is None or story.there_before
        story = story or Story(new, facts, self.at, there_before)
        if len(story.names) < _NAMES:
            story.names.append(Rename(old, new, rested))
        story.path = new
        if new in self.stories or len(self.stories) < _FILES:
            self.stories[new] = story
        self._tell(Kind.RENAMED, f"{shape(old)} -> {shape(new)}", new=not story.times[Kind.RENAMED])
        story.note(Kind.RENAMED, self.at, facts)

    def _note(self, path: str, kind: Kind, facts: FileFacts, size_before: int) -> None:
        story = self.stories.get(path)
        if story is None:
            if len(self.stories) >= _FILES:
                self.overlooked += 1
                self._tell(kind, shape(path), new=False)
                return
            story = self.stories[path] = Story(path, facts, self.at, there_before=kind is not Kind.CREATED)
        elif kind is Kind.CREATED:
            story.born, story.there_before = self.at, False
        grown = facts.size - size_before if kind is not Kind.REMOVED else 0
        self._tell(kind, shape(path), new=not story.times[kind], grown=grown)
        story.note(kind, self.at, facts)

    def _tell(self, kind: Kind, names: str, *, new: bool, grown: int = 0) -> None:
        self.last_change = self.at
        if len(self.lines) >= _LINES and (kind, names) not in self.lines:
            names = "other names"
        line = self.lines.setdefault((kind, names), Line(kind, names, self.at, self.at))
        line.last = self.at
        line.files += new
        line.times += 1
        line.grown += grown


def shape(path: str) -> str:
    """A path with # for every number in it: the files of one acquisition mostly share it."""
    return re.sub(r"\d+", "#", path)


def longest_pause(spans: Iterable[Span]) -> float:
    """The longest time in which none of the spans was going on, between the first and the last."""
    longest, end = 0.0, float("inf")
    for first, last in sorted(spans):
        longest, end = max(longest, first - end), last if end == float("inf") else max(end, last)
    return longest


def look(root: Path, at: float) -> Snapshot:
    """What is below a folder now; nothing is opened, and links are not followed."""
    files: dict[str, FileFacts] = {}
    folders: set[str] = set()
    unread: set[str] = set()
    stack = [""]
    while stack:
        folder = stack.pop()
        try:
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    path = f"{folder}/{entry.name}" if folder else entry.name
                    try:
                        if osfacts.is_link(entry):
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            folders.add(path)
                            stack.append(path)
                        elif stat.S_ISREG((status := osfacts.status_of(entry)).st_mode):
                            files[path] = osfacts.facts_from(status)
                    except FileNotFoundError:
                        continue
                    except OSError:
                        unread.add(path)
        except FileNotFoundError:
            # The folder itself may be a share that went away, which is not the same as everything removed.
            unread |= set() if folder else {""}
        except OSError:
            unread.add(folder)
    return Snapshot(at, files, frozenset(folders), frozenset(unread))


def _key(facts: FileFacts) -> str:
    return facts.identity or f"{facts.size}/{facts.mtime_ns}"


def _may_follow(before: FileFacts, now: FileFacts) -> bool:
    """Whether one may be the other under a new name; a number of a removed file is soon given to another one."""
    return now.size >= before.size and now.mtime_ns >= before.mtime_ns


def _change(before: FileFacts, now: FileFacts) -> Kind | None:
    if (before.size, before.mtime_ns) == (now.size, now.mtime_ns):
        return None  # on some shares a file has another number at each look
    if before.identity != now.identity:
        return Kind.REPLACED
    if before.size != now.size:
        return Kind.GREW if now.size > before.size else Kind.SHRANK
    return Kind.REWRITTEN


def _hidden(path: str, unread: frozenset[str]) -> bool:
    """Whether nothing is known of a path because it, or a folder above it, could not be looked at."""
    if not unread:
        return False
    return "" in unread or path in unread or any(str(one) in unread for one in PurePosixPath(path).parents)
