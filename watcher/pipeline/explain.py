"""Why a file is not in the store yet, worked out anew from the disk and the profile."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watcher.clock import SystemClock
from watcher.errors import UsageError
from watcher.journal import Journal
from watcher.model import ImageSet, Member
from watcher.pipeline.assemble import Group
from watcher.pipeline.complete import Verdict
from watcher.pipeline.destination import Destination
from watcher.pipeline.watching import Watching
from watcher.profile import Profile, Watch
from watcher.stores import open_store


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of the set of one file; group is None if the file is not watched, and why says so."""

    path: Path
    why: str
    group: Group | None = None
    verdict: Verdict | None = None
    collection: str | None = None

    def lines(self) -> list[str]:
        """For a person."""
        if self.group is None or self.verdict is None:
            return [f"{self.path}: {self.why}"]
        group = self.group
        lines = [
            f"{self.path} belongs to the set {group.name} ({len(group.files)} files, grouped by {group.grouped_by})",
            f"  format: {group.format or 'not known'}",
            f"  goes to: {self.collection}",
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
            "members": [{"path": file.path} for file in group.files] if group else [],
        }


def explain(path: Path, profile: Profile) -> Explanation:
    """Look at the file's folder as the watcher would. Raises UsageError if no profile's folder holds the path."""
    watch = _watch_of(path, profile)
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="irods-watcher-") as state, Journal(Path(state)) as journal:
        watching = Watching(watch, profile, journal, open_store(profile), clock, trust_times=True)
        folder = path.parent.relative_to(watch.path).as_posix()
        area = watching.assembly.area_of("" if folder == "." else folder)
        watching.sweep.look_at([area])
        watching.assembly.learn(area, clock.now())
        entered = watching.census.enter(watching.assembly.groups(area), clock.now())
        for image_set, group in entered:
            if any(watch.path / file.path == path for file in group.files):
                return _explained(path, profile, watch, watching, image_set, group)
    if not path.exists():
        return Explanation(path, "there is no such file")
    return Explanation(path, "it is not watched: a temporary name, a link, or left out by include or exclude")


def _explained(
    path: Path, profile: Profile, watch: Watch, watching: Watching, image_set: ImageSet, group: Group
) -> Explanation:
    verdict = watching.verdict(image_set, group)
    members = [Member(file.path, file.facts, file.path) for file in group.files]
    collection = next(Destination(profile, watch).candidates(image_set, members))
    return Explanation(path, "", group, verdict, collection)


def _watch_of(path: Path, profile: Profile) -> Watch:
    for watch in profile.watch:
        if watch.path in path.parents:
            return watch
    folders = ", ".join(str(watch.path) for watch in profile.watch)
    raise UsageError(f"{path}: it is not in a folder that this profile watches ({folders})", cure="check the path")
