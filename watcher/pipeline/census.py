"""Which set in the journal a group of files is: a new one, one that grows, or one that changed after delivery."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from watcher import names
from watcher.errors import StaleSet
from watcher.journal import Journal
from watcher.model import UNDER_WAY, FileFacts, ImageSet, State
from watcher.pipeline.assemble import Group

_FROZEN = frozenset({*UNDER_WAY, State.HELD})
_DONE = frozenset({State.PUBLISHED, State.RELEASED})


@dataclass(frozen=True, slots=True)
class Census:
    """Enters groups of one watched folder into the journal; each call leaves the journal consistent.

    `settle` is the folder's, in seconds: a set is not judged sooner after a change. `held` hears of
    those that need a person.
    """

    root: Path
    journal: Journal
    settle: float = 0.0
    held: Callable[[ImageSet], None] = lambda _: None

    def enter(self, groups: Iterable[Group], now: float) -> list[tuple[ImageSet, Group]]:
        """Give each group its set, and return those that grow, with their groups. Raises StaleSet."""
        growing = []
        look = _Look()
        for group in groups:
            with self.journal.database.transaction():
                image_set = self._update(self._set_for(group, look, now), group, now)
                self._assign(image_set, group, look)
            look.given.add(image_set.id)
            if image_set.state is State.GROWING:
                growing.append((image_set, group))
        return growing

    def drop_empty(self, now: float) -> None:
        """Deal with unfinished sets of which no file is left: forget those that nobody counts on, hold the others."""
        sets = self.journal.sets
        for image_set in sets.without_files(self.root):
            if _is_untouched(image_set) and not sets.has_sent(image_set):
                sets.forget(image_set)
                continue
            reason = "all its files disappeared from the disk before it was safe in the store"
            if image_set.claimed:
                reason += f"; what was sent of it until then is in {image_set.collection}"
            with contextlib.suppress(StaleSet):  # somebody else has just moved it: it is seen again
                self.held(sets.advance(image_set, State.HELD, now, reason, reason=reason))

    def _set_for(self, group: Group, look: "_Look", now: float) -> ImageSet:
        """The set that the files have had so far; never one that another group was just given."""
        ids = {file.set_id for file in group.files if file.set_id} - look.given - look.forgotten
        found = [self.journal.sets.get(set_id) for set_id in sorted(ids)]
        found.sort(key=lambda one: (_is_untouched(one), one.first_seen, one.id))
        if not found:
            return self._by_name(group, now)
        image_set, *others = found
        renamed = not image_set.claimed and image_set.name != self._name(group)
        if _is_untouched(image_set) and (renamed or image_set.folder != group.folder):
            # The file that tells its name or its folder came later. What was sent early keeps the name that it went by.
            self._forget(image_set, look)
            image_set = self._by_name(group, now)
        for other in others:
            # Files that seemed to be sets of their own turned out to belong together.
            unclaimed = other.state in {State.GROWING, *UNDER_WAY} and not other.claimed
            if other.id != image_set.id and (unclaimed or _is_untouched(other)):
                self._forget(other, look)
        return image_set

    def _by_name(self, group: Group, now: float) -> ImageSet:
        """The set for files that belong to none yet: the one of that name if it waits for files, else a new one."""
        name = self._name(group)
        former = self.journal.sets.newest(self.root, group.folder, name)
        if former is None or former.state in {State.SUPERSEDED, *_DONE}:
            return self.journal.sets.create(
                self.root, group.folder, name,
                grouped_by=group.grouped_by, format=group.format, now=now, last_change=group.changed_at,
                unseen_at=self.journal.last_sweep(self.root),
            )  # fmt: skip
        # Its folder was away for a moment, or a person took its files out and has put them back.
        return former if former.state in {State.GROWING, State.SKIPPED} else self._again(former, group, now)

    def _name(self, group: Group) -> str:
        """The name of the group's set: another one if a set of that name has files that are not in the group."""
        for name in (group.name, names.legal(group.files[0].name)):
            other = self.journal.sets.newest(self.root, group.folder, name)
            mine = other and sum(file.set_id == other.id for file in group.files)
            if other is None or mine == self.journal.files.size_of_set(other.id):
                return name
        return f"{group.name}~{names.legal(group.files[0].name)}"

    def _update(self, image_set: ImageSet, group: Group, now: float) -> ImageSet:
        if image_set.state is State.GROWING:
            return self._grown(image_set, group)
        if image_set.state in _FROZEN and self._frozen(image_set) != _facts(group):
            return self._again(image_set, group, now)
        if image_set.state in _DONE and self._is_new_version(image_set, group):
            return self._by_name(group, now)
        return image_set

    def _again(self, image_set: ImageSet, group: Group, now: float) -> ImageSet:
        lost = self._frozen(image_set).keys() - _facts(group).keys()
        return self.journal.sets.advance(
            image_set, State.GROWING, now, "its files changed",
            last_change=now if lost else group.changed_at, problems=(), reason="", waits_for=(), attempts=0,
            retry_at=0.0, whole=None, sound=None,
        )  # fmt: skip

    def _grown(self, image_set: ImageSet, group: Group) -> ImageSet:
        changes: dict[str, object] = {}
        if image_set.last_change < group.changed_at:
            # No rule is met before the change has settled, and each judgement lists its folders again.
            judge_at = group.changed_at + self.settle
            changes |= {"last_change": group.changed_at, "problems": (), "attempts": 0, "retry_at": judge_at}
        if (image_set.format, image_set.grouped_by) != (group.format, group.grouped_by) and _is_untouched(image_set):
            changes |= {"format": group.format, "grouped_by": group.grouped_by}
        return self.journal.sets.change(image_set, **changes) if changes else image_set

    def _is_new_version(self, image_set: ImageSet, group: Group) -> bool:
        """A file that is new or different makes a version; one that is gone was only cleared away here."""
        frozen = self._frozen(image_set)
        return any(frozen.get(path) != facts for path, facts in _facts(group).items())

    def _frozen(self, image_set: ImageSet) -> Mapping[str, FileFacts]:
        return {member.path: member.facts for member in self.journal.sets.members(image_set.id)}

    def _forget(self, image_set: ImageSet, look: "_Look") -> None:
        self.journal.sets.forget(image_set)
        look.forgotten.add(image_set.id)

    def _assign(self, image_set: ImageSet, group: Group, look: "_Look") -> None:
        # A new set of the same name has the identifier of the one that was forgotten, and not yet its files.
        anew = image_set.id in look.forgotten
        files = (file for file in group.files if anew or file.set_id != image_set.id)
        self.journal.files.assign(self.root, files, image_set.id)
        if image_set.state in {State.SKIPPED, *_DONE}:
            self.journal.files.rest(image_set.id)


@dataclass(frozen=True, slots=True)
class _Look:
    """What has been decided while the groups of one look are entered, and their files do not know of yet."""

    given: set[str] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)


def _is_untouched(image_set: ImageSet) -> bool:
    """Whether nobody counts on the set: what may have been sent early of it can be withdrawn."""
    return image_set.state is State.GROWING and (not image_set.claimed or image_set.completed_at is None)


def _facts(group: Group) -> dict[str, FileFacts]:
    return {file.path: file.facts for file in group.files}
