"""From what was seen of an instrument to a profile for it, with the reason of every line."""

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from wcmatch import glob

from watcher import formats, names
from watcher.formats.base import Claim
from watcher.journal import Journal
from watcher.model import FileFacts
from watcher.pipeline.assemble import Assembly, Group, stem
from watcher.pipeline.complete import Marker, Situation
from watcher.pipeline.observe import Filter
from watcher.pipeline.trace import Rename, Story, Trace, longest_pause, shape
from watcher.profile import Sets, Watch, units

_GLOB = glob.GLOBSTAR | glob.BRACE | glob.DOTGLOB | glob.FORCEUNIX | glob.IGNORECASE
#: A program renames or removes what it has just finished; what had rested for longer was perhaps a person's doing.
_AT_ONCE = 20.0
#: A marker says one thing, so that it is small.
_SMALL = 1_000_000
#: Nobody reads more patterns than this, and a file that changes on so late is simply sent again.
_MOST_TRIES, _MOST_PATTERNS, _LONGEST_SETTLE = 200, 20, 300.0
#: Formats of which each file may be only one plane of something larger.
_PLAIN = {"", "tiff"}
_STEPS = (20, 30, 45, 60, 90, 120, 180, 300, 600, 900, 1200, 1800, 2700, 3600)

Look = Callable[[Path], Claim | None]


@dataclass(frozen=True, slots=True)
class FoundSet:
    """One set that the watcher would make of what was written; its files in the order in which they appeared."""

    group: Group
    stories: tuple[Story, ...]

    @property
    def begun(self) -> float:
        """When its first file appeared or changed."""
        return min(story.spans[0][0] for story in self.stories)

    @property
    def ended(self) -> float:
        """When one of its files changed last."""
        return max(story.changed_at for story in self.stories)

    @property
    def pause(self) -> float:
        """The longest time in which none of its files changed, while it was still being written."""
        return longest_pause(span for story in self.stories for span in story.spans)


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of the profile, and why."""

    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class _ShortLived:
    """A path that is no longer there: why, at once after it was written?, and the name in its place that differs."""

    path: str
    why: str
    at_once: bool
    became: str = ""
    is_folder: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a profile for the instrument should say, the sets that it makes of what was seen, and what else matters."""

    sets: tuple[FoundSet, ...]
    exclude: tuple[Choice, ...]
    capture: str
    group: Choice
    settle: Choice
    quiet: Choice
    marker: Choice | None
    remarks: tuple[str, ...]


def propose(trace: Trace, root: Path, look: Look = formats.look) -> Proposal:
    """What fits what was seen in the folder `root`; the formats look into the files that are there now."""
    remarks: list[str] = []
    exclude = tuple(_temporary(trace, root, remarks))
    sets = _assembled(trace, root, exclude, Sets(), "", look)
    group, capture = _rule(trace, sets, remarks)
    if group.value == "directory":
        sets = _assembled(trace, root, exclude, Sets(group="directory"), capture, look)
    quiet = _quiet(trace, sets)
    settle = _settle(trace, sets)
    marker = _marker(sets, remarks)
    remarks += _remarks(trace, sets, quiet)
    return Proposal(tuple(sets), exclude, capture, group, settle, quiet, marker, tuple(remarks))


def shown(text: str) -> str:
    """The text with a code for everything that cannot be seen, so that it can stand in any line."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def spell(seconds: float) -> str:
    """A time span for people."""
    if seconds < 120:
        return f"{round(seconds, 1):g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _watched(root: Path, exclude: Iterable[str]) -> Callable[[str], bool]:
    """Whether a sweep with these patterns would take a file."""
    wanted = Filter(Watch(path=root, exclude=tuple(exclude)))

    def test(path: str) -> bool:
        *folders, name = path.split("/")
        above = ("/".join(folders[: depth + 1]) for depth in range(len(folders)))
        return wanted.file(path, name) and all(map(wanted.folder, above, folders))

    return test


# --- Names that are only used while a file is written ---


def _temporary(trace: Trace, root: Path, remarks: list[str]) -> Iterator[Choice]:
    """Patterns for them that match nothing that stayed."""
    watched = _watched(root, ())
    stayed = [story.path for story in trace.present]
    found: list[str] = []
    tried: set[tuple[str, str]] = set()
    for one in _short_lived(trace):
        kind = shape(one.path), shape(one.became)
        if not watched(one.path) or kind in tried or len(tried) >= _MOST_TRIES:
            continue
        tried.add(kind)
        if not one.at_once:
            remarks.append(f"{shown(one.path)} {one.why}, after it had come to rest: exclude it if it is no data.")
            continue
        for pattern in _candidates(one):
            matches = glob.compile([pattern], flags=_GLOB).match
            if len(found) < _MOST_PATTERNS and matches(one.path) and not any(map(matches, stayed)):
                found.append(pattern)
                watched = _watched(root, found)
                yield Choice(pattern, f"{shown(one.path)} {one.why}.")
                break


def _short_lived(trace: Trace) -> Iterator[_ShortLived]:
    soon = max(_AT_ONCE, 2 * trace.longest_look)
    stays = bool(trace.present)  # if nothing stays, nothing tells what was temporary
    for story in trace.stories.values():
        for one in story.names if not story.there_before else ():
            yield _renamed(one, soon)
        if story.gone_at is not None and not story.there_before and stays:
            at_once = story.gone_at - story.changed_at < soon
            yield _ShortLived(story.path, "was made and removed again", at_once)


def _renamed(rename: Rename, soon: float) -> _ShortLived:
    old, new = PurePosixPath(rename.old), PurePosixPath(rename.new)
    is_folder = old.name == new.name and len(old.parts) > 1
    pairs = zip(old.parts, new.parts, strict=False)
    became = next((n for o, n in pairs if o != n), new.parts[0]) if is_folder else new.name
    return _ShortLived(rename.old, f"became {shown(rename.new)}", rename.rested < soon, became, is_folder)


def _candidates(one: _ShortLived) -> Iterator[str]:
    """Patterns for its name, the most general first."""
    parts = PurePosixPath(one.path).parts
    for name in parts[:-1] if one.is_folder else parts[-1:]:
        found = []
        if one.became and one.became != name:
            if name.startswith(one.became):
                found.append("*" + _literal(name.removeprefix(one.became)))
            if name.endswith(one.became):
                found.append(_literal(name.removesuffix(one.became)) + "*")
        found += ["*" + _literal(PurePosixPath(name).suffix), re.sub(r"\d+", "*", _literal(name)), _literal(name)]
        for pattern in found:
            if re.search(r"[^*?.]", pattern):
                yield f"**/{pattern}/**" if one.is_folder else f"**/{pattern}"


def _literal(name: str) -> str:
    """A name as a pattern: ? for what would mean something there, or cannot be seen."""
    return "".join("?" if one in "*?[]{}\\" or not one.isprintable() else one for one in name)


# --- Which files are one set ---


def _assembled(
    trace: Trace, root: Path, exclude: Sequence[Choice], rule: Sets, capture: str, look: Look
) -> list[FoundSet]:
    """What the watcher makes of the files that were written, in the order in which the sets began."""
    watched = _watched(root, (one.value for one in exclude))
    stories = {story.path: story for story in trace.present if watched(story.path)}
    folders: dict[str, dict[str, FileFacts]] = {}
    for path, story in stories.items():
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, {})[name] = story.facts
    with tempfile.TemporaryDirectory(prefix="irods-watcher-") as state, Journal(Path(state)) as journal:
        for folder, inside in folders.items():
            journal.files.record(root, folder, inside, (), trace.at)
        assembly = Assembly(Watch(path=root, capture=capture, settle=0.0), rule, journal, look)
        learned = [True]
        while any(learned):  # what is learned of a folder may make it part of another one
            learned = [assembly.learn(area, trace.at) for area in {assembly.area_of(folder) for folder in folders}]
        areas = sorted({assembly.area_of(folder) for folder in folders})
        groups = [group for area in areas for group in assembly.groups(area)]
    order = {path: number for number, path in enumerate(stories)}
    found = [
        FoundSet(group, tuple(map(stories.__getitem__, sorted(_paths(group), key=order.__getitem__))))
        for group in groups
    ]
    return sorted(found, key=lambda one: (one.begun, one.group.name))


def _rule(trace: Trace, sets: Sequence[FoundSet], remarks: list[str]) -> tuple[Choice, str]:
    """The rule for sets, and the capture that it needs."""
    own = _own_folders(trace, sets)
    split = {folder: len(inside) for folder, inside in own.items() if len(inside) > 1}
    depths = {folder.count("/") for folder in own}
    if split and len(depths) == 1 and all(one.group.format in _PLAIN for folder in split for one in own[folder]):
        folder, count = max(split.items(), key=lambda item: item[1])
        depth = depths.pop()
        reason = f"The folder {shown(folder)} was made for it, and no file says which others belong to it: one by one "
        reason += f"they would be {count} sets."
        if depth:
            reason += " Give the folders above it their meaning in capture, as in {user}."
        return Choice("directory", reason), "".join(f"{{level{n}}}/" for n in range(1, depth + 1))
    for folder, count in list(split.items())[:3]:
        remarks.append(f"{shown(folder)} became {count} sets; if it is one acquisition, write group: directory.")
    by_stem = [one for one in sets if len(one.stories) > 1 and one.group.grouped_by == "stem"]
    if by_stem and not any(one.group.format or one.group.grouped_by != "stem" for one in sets):
        return Choice("stem", "No format is known, and the names of the files of a set differ in their endings."), ""
    return Choice("auto", "; ".join(_how(one) for one in sets[:5]) + (" ..." if len(sets) > 5 else "")), ""


def _own_folders(trace: Trace, sets: Sequence[FoundSet]) -> dict[str, list[FoundSet]]:
    """The sets in each topmost folder that was made meanwhile and holds files itself."""
    direct = {str(PurePosixPath(story.path).parent) for one in sets for story in one.stories} & trace.new_folders
    found: dict[str, list[FoundSet]] = {}
    for one in sets:
        above = [str(p) for p in reversed((PurePosixPath(one.stories[0].path)).parents) if str(p) in direct]
        if above:
            found.setdefault(above[0], []).append(one)
    return found


def _how(one: FoundSet) -> str:
    if len(one.stories) == 1:
        how = "a file by itself"
    else:
        known = {"directory": "by their folder", "stem": "by their stem"}
        how = f"{len(one.stories)} files, {known.get(one.group.grouped_by, 'as they list each other')}"
    return f"{shown(one.group.name)}: {how} ({one.group.format or 'format not known'})"


# --- When a set is finished ---


def _settle(trace: Trace, sets: Sequence[FoundSet]) -> Choice:
    pause = max((longest_pause(story.spans) for one in sets for story in one.stories), default=0.0)
    wanted = 2 * (pause + trace.longest_look)
    reason = f"A file that was being written stood still for up to {spell(pause)}."
    if wanted > _LONGEST_SETTLE:
        reason += " One that changes later than this is sent again."
    return Choice(_duration(min(wanted, _LONGEST_SETTLE)), reason)


def _quiet(trace: Trace, sets: Sequence[FoundSet]) -> Choice:
    slowest = max(sets, key=lambda one: one.pause, default=None)
    if slowest is None:
        return Choice("2m", "No set was seen; this is what is usual.")
    least = 60 if all(len(one.stories) == 1 for one in sets) else 120
    reason = f"The longest pause while a set was being written was {spell(slowest.pause)} "
    reason += f"({shown(slowest.group.name)}; looked at every {spell(trace.longest_look)}): three times both together, "
    return Choice(
        _duration(max(least, 3 * (slowest.pause + trace.longest_look))), f"{reason}and at least {spell(least)}."
    )


def _duration(seconds: float) -> str:
    """The next round time span, as it stands in a profile."""
    number = next((step for step in _STEPS if step >= seconds), 0) or int(seconds // 3600 + 1) * 3600
    unit, size = next((unit, size) for unit, size in (("h", 3600), ("m", 60), ("s", 1)) if number % size == 0)
    return f"{number // size}{unit}"


def _marker(sets: Sequence[FoundSet], remarks: list[str]) -> Choice | None:
    """The file that came last in every set, if it can be told from the others by its name."""
    real = [one for one in sets if len(one.stories) > 1 or one.group.format] or sets
    lasts = [path for one in real if (path := _last_file(one))]
    if not lasts or len(lasts) < len(real):
        remarks += (
            [f"{shown(str(lasts[0]))} came last in a set, but only in {len(lasts)} of {len(real)}."] if lasts else []
        )
        return None
    # A name with a number, or with that of its set, will not come again.
    own = re.search(r"\d", lasts[0].name) or real[0].group.name in lasts[0].name
    for pattern in ("" if own else _literal(str(lasts[0])), "*" + _literal(lasts[0].suffix)):
        if pattern not in ("", "*") and all(_tells(pattern, one, last) for one, last in zip(real, lasts, strict=True)):
            break
    else:
        return None
    if len(real) == 1:
        remarks.append(f"The marker {pattern} was seen in one set only: observe a second one before you trust it.")
    if loose := [shown(one.stories[0].path) for one in sets if one not in real]:
        remarks.append(f"Beside the sets lay {', '.join(loose[:3])}: exclude it, or it waits for the marker.")
    count = f"all {len(real)} sets" if len(real) > 1 else "the one set that was seen"
    return Choice(pattern, f"It is small and was the last file of {count}.")


def _last_file(one: FoundSet) -> PurePosixPath | None:
    """The small file that appeared when all others had been written, relative to the folder of the set."""
    *others, last = one.stories
    if not others or last.there_before or last.facts.size > _SMALL:
        return None
    born = last.born, last.facts.mtime_ns
    if any((other.changed_at, other.facts.mtime_ns) >= born for other in others):
        return None
    return PurePosixPath(last.path).relative_to(one.group.folder)


def _tells(pattern: str, one: FoundSet, last: PurePosixPath) -> bool:
    """Whether this marker is found with the last file of the set and not before."""
    if one.group.grouped_by != "directory":
        stems = {names.legal(stem(last.name)), names.legal(stem(stem(last.name)))}
        if not stems & {one.group.name, stem(one.group.name)}:
            return False
    paths = [str(PurePosixPath(story.path).relative_to(one.group.folder)) for story in one.stories]
    rule = Marker(pattern)
    before = [path for path in paths if path != str(last)]
    return rule(Situation("", 0.0, paths)).met and not rule(Situation("", 0.0, before)).met


def _remarks(trace: Trace, sets: Sequence[FoundSet], quiet: Choice) -> Iterator[str]:
    """What else a person should know."""
    rest = trace.at - (trace.last_change or trace.started)
    if sets and rest < min(units.seconds(quiet.value), 60):
        yield f"Something changed {spell(rest)} before the end: perhaps the acquisition was not over."
    if in_place := [story for one in sets for story in one.stories if story.preallocated]:
        yield f"{shown(in_place[0].path)} was written to while its size stood still: its size says nothing of its end."
    if late := [one for one in trace.present if longest_pause(one.spans) >= _AT_ONCE]:
        pause = max(longest_pause(one.spans) for one in late)
        yield f"Files changed again after up to {spell(pause)} of rest: {len(late)}, as {shown(late[0].path)}."
    for one in sets:
        if one.group.missing:
            yield f"{shown(one.group.name)} lists files that are not there: {len(one.group.missing)}."
    if trace.overlooked:
        yield f"There were too many files: {trace.overlooked} changes were only counted."


def _paths(group: Group) -> Iterator[str]:
    return (str(file.path) for file in group.files)
