"""Which set in the journal a group of files is: a new one, one that grows, or one that changed after delivery."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from watcher.journal import Journal
from watcher.model import UNDER_WAY, FileFacts, ImageSet, State
from watcher.pipeline.assemble import Group

_FROZEN = frozenset({*UNDER_WAY, State.HELD})
_DONE = frozenset({State.PUBLISHED, State.RELEASED})


@dataclass(frozen=True, slots=True)
class Census:
    """Enters groups of one watched folder into the journal; each call leaves the journal consistent."""

    root: Path
    journal: Journal

    def enter(self, groups: Iterable[Group], now: float) -> list[tuple[ImageSet, Group]]:
        """Give each group its set, and return those that grow, with their groups."""
        growing = []
        for group in groups:
            with self.journal.database.transaction():
                image_set = self._set_for(group, now)
                image_set = self._update(image_set, group, now)
                self._assign(image_set, group)
            if image_set.state is State.GROWING:
                growing.append((image_set, group))
        return growing

    def drop_empty(self, now: float) -> None:
        """Deal with unfinished sets of which no file is left: forget those that nobody counts on, hold the others."""
        sets = self.journal.sets
        for image_set in sets.without_files(self.root):
            if image_set.state is State.GROWING and not image_set.claimed:
                sets.forget(image_set)
            else:
                reason = "all its files disappeared from the disk before it was safe in the store"
                sets.advance(image_set, State.HELD, now, reason, reason=reason)

    def _set_for(self, group: Group, now: float) -> ImageSet:
        found = self._sets_of(group)
        if not found:
            return self._create(group, now)
        image_set, *others = sorted(found, key=lambda one: (one.state is State.GROWING, one.first_seen, one.id))
        if _renamed(image_set, group):
            self.journal.sets.forget(image_set)
            image_set = self._create(group, now)
        for other in others:
            # Files that seemed to be sets of their own turned out to belong together.
            if other.state is State.GROWING and not other.claimed:
                self.journal.sets.forget(other)
        return image_set

    def _sets_of(self, group: Group) -> list[ImageSet]:
        ids = {file.set_id for file in group.files if file.set_id}
        return [self.journal.sets.get(set_id) for set_id in sorted(ids)]

    def _create(self, group: Group, now: float) -> ImageSet:
        return self.journal.sets.create(
            self.root, group.folder, group.name, grouped_by=group.grouped_by, format=group.format, now=now
        )

    def _update(self, image_set: ImageSet, group: Group, now: float) -> ImageSet:
        if image_set.state is State.GROWING:
            return self._grown(image_set, group)
        if image_set.state in _FROZEN and self._differs(image_set, group):
            if image_set.state is State.HELD and not image_set.last_change < group.changed_at:
                return image_set  # held for what it is now: only a change, not a second look, sets it going again
            return self.journal.sets.advance(
                image_set, State.GROWING, now, "its files changed",
                last_change=group.changed_at, problems=(), reason="", attempts=0, retry_at=0.0, whole=None, sound=None,
            )  # fmt: skip
        if image_set.state in _DONE and self._is_new_version(image_set, group):
            return self._create(group, now)
        return image_set

    def _grown(self, image_set: ImageSet, group: Group) -> ImageSet:
        changes: dict[str, object] = {}
        if image_set.last_change != group.changed_at:
            changes |= {"last_change": group.changed_at, "problems": (), "attempts": 0, "retry_at": 0.0}
        if (image_set.format, image_set.grouped_by) != (group.format, group.grouped_by) and not image_set.claimed:
            changes |= {"format": group.format, "grouped_by": group.grouped_by}
        return self.journal.sets.change(image_set, **changes) if changes else image_set

    def _differs(self, image_set: ImageSet, group: Group) -> bool:
        return self._frozen(image_set) != {file.path.as_posix(): file.facts for file in group.files}

    def _is_new_version(self, image_set: ImageSet, group: Group) -> bool:
        """A file that is new or different makes a version; one that is gone was only cleared away here."""
        frozen = self._frozen(image_set)
        return any(frozen.get(file.path.as_posix()) != file.facts for file in group.files)

    def _frozen(self, image_set: ImageSet) -> Mapping[str, FileFacts]:
        return {member.path.as_posix(): member.facts for member in self.journal.sets.members(image_set.id)}

    def _assign(self, image_set: ImageSet, group: Group) -> None:
        self.journal.files.assign(
            self.root, (file for file in group.files if file.set_id != image_set.id), image_set.id
        )
        if image_set.state in {State.SKIPPED, *_DONE}:
            self.journal.files.rest(image_set.id)


def _renamed(image_set: ImageSet, group: Group) -> bool:
    """Whether a set that nothing was sent of turned out to have another name: the file that tells it came later."""
    untouched = image_set.state is State.GROWING and not image_set.claimed
    return untouched and (image_set.folder, image_set.name) != (group.folder, group.name)
