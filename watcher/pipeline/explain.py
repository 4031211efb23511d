"""Why a file is not in the store yet, worked out anew from the disk and the profile."""

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from watcher.clock import SystemClock
from watcher.errors import UsageError
from watcher.journal import Journal
from watcher.model import Member
from watcher.pipeline.assemble import Group
from watcher.pipeline.complete import Verdict
from watcher.pipeline.destination import destination_of, members_in
from watcher.pipeline.plan import in_words, plan
from watcher.pipeline.watching import Watching
from watcher.profile import Profile, Watch
from watcher.stores import open_store, workers_for
from watcher.stores.base import Lanes


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of the set of one file; group is None if the file is not watched, and why says so."""

    path: Path
    why: str
    group: Group | None = None
    verdict: Verdict | None = None
    collection: str | None = None
    early: bool = False
    lanes: Mapping[str, str] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """For a person."""
        if self.group is None or self.verdict is None:
            return [f"{self.path}: {self.why}"]
        group = self.group
        lines = [
            f"{self.path} belongs to the set {group.name} ({len(group.files)} files, grouped by {group.grouped_by})",
            f"  format: {group.format or 'not known'}",
            f"  goes to: {self.collection}",
            *(f"  sent by {lane}: {files} files" for lane, files in Counter(self.lanes.values()).items()),
            f"  sent {'as its files come to rest' if self.early else 'when it is finished'}",
        ]
        if self.verdict.met:
            return [*lines, f"  finished by {self.verdict.by}"]
        return [*lines, *(f"  waits for {text}" for text in self.verdict.waits_for)]

    def record(self) -> dict[str, Any]:
        """For a program."""
        group, verdict = self.group, self.verdict
        return {
            "path": str(self.path),
            "why": self.why,
            "name": group.name if group else None,
            "format": group.format if group else None,
            "grouped_by": group.grouped_by if group else None,
            "complete": verdict.met if verdict else None,
            "completed_by": verdict.by if verdict else None,
            "waits_for": list(verdict.waits_for) if verdict else [],
            "collection": self.collection,
            "early": self.early,
            "members": [{"path": file.path, "lane": self.lanes[file.path]} for file in group.files] if group else [],
        }


def explain(path: Path, profile: Profile) -> Explanation:
    """Look at the file's folder as the watcher would. Raises UsageError if no profile's folder holds the path."""
    watch = _watch_of(path, profile)
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="irods-watcher-") as state, Journal(Path(state)) as journal:
        store = open_store(profile)
        watching = Watching(watch, profile, journal, store, clock, trust_times=True)
        folder = path.parent.relative_to(watch.path).as_posix()
        area = watching.assembly.area_of("" if folder == "." else folder)
        watching.sweep.look_at([area])
        watching.assembly.learn(area, clock.now())
        entered = watching.census.enter(watching.assembly.groups(area), clock.now())
        for image_set, group in entered:
            if any(watch.path / file.path == path for file in group.files):
                verdict = watching.verdict(image_set, group)
                members = members_in(group.folder, group.files, store)
                collection = next(destination_of(profile, watch).candidates(image_set, members))
                lanes = _lanes(members, store.lanes(), workers_for(profile))
                early = profile.complete.early and not store.lanes().in_place
                return Explanation(path, "", group, verdict, collection, early, lanes)
    if not path.exists():
        return Explanation(path, "there is no such file; check its name and folder")
    return Explanation(path, "it is not watched: a temporary name, a link, or left out by include or exclude")


def _lanes(members: Sequence[Member], lanes: Lanes, workers: int) -> dict[str, str]:
    """The lane of each member in words, by its path, if all were sent at once."""
    errands = plan(members, lanes, workers)
    return {member.path: in_words(errand.lane, lanes) for errand in errands for member in errand.members}


def _watch_of(path: Path, profile: Profile) -> Watch:
    for watch in profile.watch:
        if watch.path in path.parents:
            return watch
    folders = ", ".join(str(watch.path) for watch in profile.watch)
    raise UsageError(f"{path}: it is not in a folder that this profile watches ({folders})", cure="check the path")
