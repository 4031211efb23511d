"""One watched folder: what is seen there becomes sets, and sets that are finished are frozen."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from watcher import names
from watcher.clock import Clock
from watcher.journal import Journal
from watcher.model import ImageSet, State
from watcher.pipeline.assemble import Assembly, Group, stem
from watcher.pipeline.census import Census
from watcher.pipeline.complete import Deadline, Situation, Verdict, whole_rule
from watcher.pipeline.destination import members_in
from watcher.pipeline.observe import Seen, Sweep
from watcher.profile import Profile, Watch
from watcher.stores.base import Store


class Watching:
    """Observe, assemble and complete for one watched folder; all that it decides is in the journal.

    `trust_times` and `stopping`: see `Sweep`; `held` hears of sets that need a person from now on. Raises
    WatchFolderError and JournalError.
    """

    def __init__(
        self,
        watch: Watch,
        profile: Profile,
        journal: Journal,
        store: Store,
        clock: Clock,
        *,
        trust_times: bool = False,
        stopping: Callable[[], bool] = lambda: False,
        held: Callable[[ImageSet], None] = lambda _: None,
    ) -> None:
        self.watch = watch
        self.sweep = Sweep(watch, journal, clock, trust_times=trust_times, stopping=stopping, disk=store.disk)
        self._stopping = stopping
        self._held = held
        self.assembly = Assembly(watch, profile.sets, journal)
        self.census = Census(watch.path, journal, watch.settle, held)
        self._held = held
        self._complete = profile.complete
        self._rule = whole_rule(profile.complete, watch)
        self._has_signals = bool(profile.complete.marker or profile.complete.name)
        self._by_formats = profile.sets.group == "auto"
        self._journal = journal
        self._store = store
        self._clock = clock
        # When areas with many new files are to be taken in again; the journal has them as dirty.
        self._later: dict[str, float] = {}

    def look_everywhere(self, *, deep: bool = False) -> Seen:
        """Sweep the whole folder and take in what changed."""
        seen = self.sweep.run(deep=deep)
        self._take_in()
        self.census.drop_empty(self._clock.now())
        return seen

    def look_at(self, folders: Iterable[str]) -> Seen:
        """Look at some folders, because something is said to have happened there."""
        folders = set(folders)
        seen = self.sweep.look_at(folders)
        self._take_in()
        if self._complete.marker:
            # It may have come just now, and need not be one of the files that are watched.
            for one in self._journal.sets.in_states(State.GROWING):
                if one.root == self.watch.path and one.folder in {PurePosixPath(folder) for folder in folders}:
                    self._journal.sets.look_again(one.id, 0.0)
        return seen

    def judge(self) -> None:
        """Look again at the growing sets whose time has come, and freeze those that are finished."""
        now = self._clock.now()
        due = self._journal.sets.due(self.watch.path, now)
        if not due:
            if any(time <= now for time in self._later.values()):
                self._take_in()
            return
        folders = {folder for one in due for folder in self._folders_of(one)}
        # What is decided must rest on what is on the disk now, not on what the last sweep saw.
        unread = self.sweep.look_at(folders).unread
        for one in due:
            if unread and unread & self._folders_of(one):
                unreadable = ("a folder or file that cannot be read just now",)
                self._journal.sets.look_again(one.id, now + self.watch.sweep, waits_for=unreadable)
        doubtful = {self.assembly.area_of(folder) for folder in unread}
        self._take_in(folder for folder in folders if self.assembly.area_of(folder) not in doubtful)

    def next_due(self) -> float | None:
        """When the next growing set wants to be judged."""
        due = self._journal.sets.next_due(self.watch.path)
        return min([*self._later.values(), *([] if due is None else [due])], default=None)

    def verdict(self, image_set: ImageSet, group: Group) -> Verdict:
        """What the rules say of a growing set now."""
        return self._rule(
            Situation(
                name=image_set.name,
                quiet_for=self._clock.now() - image_set.last_change,
                companions=self._companions(image_set) if self._complete.marker else (),
                missing=group.missing,
                problems=(*group.problems, *image_set.problems),
            )
        )

    def _take_in(self, due: Iterable[str] = ()) -> None:
        """Make sets of what changed on the disk, and judge those in the folders that are due."""
        now = self._clock.now()
        self.assembly.refresh()
        due = set(due)
        areas = self.assembly.areas(due, now, self._later)
        judged = {self.assembly.area_of(folder) for folder in due}
        for area, folders in sorted(areas.items()):
            if self._stopping():
                return
            with self._journal.database.transaction():
                waiting = self.assembly.unasked(area)
                for image_set, group in self.census.enter(self.assembly.groups(area), now):
                    if area not in judged:
                        continue
                    if waiting is not None and group.grouped_by == "directory":
                        # The new files beside it may be of it, and one of them may say so.
                        self._journal.sets.change(image_set, retry_at=max(waiting, now) + 0.1)
                    else:
                        self._judge(image_set, group)
                if waiting is None:
                    self._journal.files.taken_in(self.watch.path, folders)
                    self._later.pop(area, None)
                else:
                    self._later[area] = max(waiting, now + 0.1)
        if areas:
            self.census.drop_empty(now)

    def _judge(self, image_set: ImageSet, group: Group) -> None:
        now = self._clock.now()
        verdict = self.verdict(image_set, group)
        late = Deadline(self._complete.deadline)(Situation(image_set.name, now - image_set.last_change, ()))
        if verdict.met and (asked := self._newcomers_asked(image_set, group, now)):
            waits = ("new files beside it, of which it is not known yet whether they are of it",)
            self._journal.sets.change(image_set, waits_for=waits, retry_at=asked)
        elif verdict.met:
            self._freeze(image_set, group, now, verdict.by, whole=True, problems=())
        elif late.met and self._complete.incomplete == "deliver":
            self._freeze(image_set, group, now, late.by, whole=False, problems=verdict.waits_for)
        elif late.met:
            reason = f"still incomplete after {self._complete.deadline:g} s without a change: "
            reason += "; ".join(verdict.waits_for)
            with self._journal.database.transaction():
                # What it is held for: a change to these files sets it going again.
                self._journal.sets.freeze(image_set, members_in(group.folder, group.files, self._store))
                held = self._journal.sets.advance(
                    image_set, State.HELD, now, reason, reason=reason, waits_for=verdict.waits_for, whole=False
                )
            self._held(held)
        else:
            only_time = not (group.missing or group.problems or image_set.problems or self._has_signals)
            look = self._next_look(image_set, now, only_time=only_time)
            self._journal.sets.change(image_set, waits_for=verdict.waits_for, retry_at=look)

    def _newcomers_asked(self, image_set: ImageSet, group: Group, now: float) -> float | None:
        """When files will have been asked that came beside a set before it was quiet long enough; None if all were.

        One that cannot be asked is not waited for longer: beside a set, others are written all day.
        """
        if not self._by_formats or group.grouped_by == "directory":
            return None
        quiet_at = image_set.last_change + max(self._complete.quiet, self.watch.settle)
        folder = "" if group.folder == PurePosixPath() else group.folder.as_posix()
        newest = self._journal.files.newest_unasked(self.watch.path, folder, image_set.id, quiet_at)
        if newest is None or now > newest + 2 * self.watch.settle + 1.0:
            return None
        return max(newest + self.watch.settle, now) + 0.1

    def _next_look(self, image_set: ImageSet, now: float, *, only_time: bool) -> float:
        """When to judge again if no file changes: when a rule about time may be met, else at every sweep."""
        settled = image_set.last_change + self.watch.settle
        quiet = image_set.last_change + max(self._complete.quiet, self.watch.settle)
        deadline = image_set.last_change + self._complete.deadline
        times = (settled, quiet, deadline, *(() if only_time else (now + self.watch.sweep,)))
        return min((time for time in times if time > now), default=now + self.watch.sweep)

    def _freeze(
        self, image_set: ImageSet, group: Group, now: float, by: str, *, whole: bool, problems: tuple[str, ...]
    ) -> None:
        members = members_in(group.folder, group.files, self._store)
        with self._journal.database.transaction():
            self._journal.sets.freeze(image_set, members)
            self._journal.sets.advance(
                image_set, State.COMPLETE, now, f"{len(members)} files, {by}", completed_by=by, completed_at=now,
                whole=whole, problems=problems, remarks=group.remarks, waits_for=(), attempts=0, retry_at=0.0,
            )  # fmt: skip

    def _folders_of(self, image_set: ImageSet) -> set[str]:
        return self._journal.files.folders_of_set(image_set.id)

    def _companions(self, image_set: ImageSet) -> list[str]:
        """The files among which a marker may be: all in a directory's set, else those with the name of the set."""
        folder = self.watch.path / image_set.folder
        if image_set.grouped_by == "directory":
            # Not Path.walk, which Python 3.11 does not have.
            found = (Path(base, name) for base, _, files in os.walk(folder) for name in files)
            return [path.relative_to(folder).as_posix() for path in found]
        try:
            names_there = os.listdir(folder)  # noqa: PTH208 - only the names are wanted
        except OSError:
            return []
        return [found for found in names_there if _stems(found) & {image_set.name, stem(image_set.name)}]


def _stems(name: str) -> set[str]:
    """The names of sets for which a file of this name may be the marker: `scan.done` and `scan.tif.done` for `scan`."""
    return {names.legal(stem(name)), names.legal(stem(stem(name)))}
