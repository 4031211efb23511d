"""Removing local copies, one step of one set at a time, beside the sets on their way."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from watcher.clock import Clock
from watcher.errors import JournalError, SourceError, UsageError, WatcherError
from watcher.journal import Journal
from watcher.journal.releases import Aside, Phase
from watcher.model import ImageSet, Member
from watcher.pipeline.release import aside, policy, removal
from watcher.pipeline.release.checks import Checks
from watcher.pipeline.release.evidence import MAIN, Ask
from watcher.profile import Profile
from watcher.profile.release import Release

#: How often in seconds it is asked whether something is due.
EVERY: Final = 30.0
_SOON: Final = 0.05
_CUT_OFF: Final = (Phase.MOVING, Phase.BACK)
#: Why a local copy came back.
CUT_OFF: Final = "it was cut off"
WANTED_BACK: Final = "a person wanted it back"


class Releasing:
    """Carries out what a person ordered and what the profile says; a duty (see `duties.Duty`).

    `ask` asks all stores of a set, `acquires` whether the instrument does, `tell` is told of what needs a person.
    """

    name = "release"

    def __init__(
        self,
        profile: Profile,
        release: Release,
        journal: Journal,
        clock: Clock,
        ask: Ask,
        *,
        acquires: Callable[[], bool],
        tell: Callable[[str, str], None],
        wall: Callable[[], float] = time.time,
        usage: policy.Usage | None = None,
    ) -> None:
        self._roots = [watch.path for watch in profile.watch]
        self._release = release
        self._journal = journal
        self._clock = clock
        self._ask = ask
        self._tell = tell
        self._usage = {} if usage is None else {"usage": usage}
        self._checks = Checks(profile, release, journal, clock, acquires, ask, wall)

    def round(self) -> float:
        """One step of one set; see `duties.Duty`."""
        try:
            if self.step():
                return 0.0
            ends = (one.until - self._clock.now() for one in self._journal.releases.in_phases(Phase.ASIDE))
            return max(_SOON, min(EVERY, *ends, EVERY))
        except JournalError:
            raise
        except WatcherError as error:
            self._tell("release", str(error))
            return EVERY

    def close(self) -> None:
        """What is under way with one file is short, and can be cut off."""

    def step(self) -> bool:
        """Do what is most due; whether there was anything. Raises WatcherError."""
        releases, now = self._journal.releases, self._clock.now()
        if cut_off := next(iter(releases.in_phases(*_CUT_OFF)), None):
            self.bring_back(self._set(cut_off), cut_off.why or CUT_OFF)
            return True
        if removing := next(iter(releases.in_phases(Phase.REMOVING)), None):
            return self._go_on_removing(self._set(removing))
        if ordered := next(iter(releases.in_phases(Phase.ORDERED)), None):
            self.put_aside(self._set(ordered))
            return True
        over = next((one for one in releases.in_phases(Phase.ASIDE) if one.until <= now), None)
        if over:
            return self._end(self._set(over))
        for root in self._roots:
            if set_id := policy.next_due(root, self._release, self._journal, now, **self._usage):
                self.put_aside(self._journal.sets.get(set_id))
                return True
        return False

    def refusals(self, image_set: ImageSet) -> list[str]:
        """Why the local copy of a set could not go now, without reading its bytes."""
        return self._checks.refusals(image_set, read=False)

    def put_aside(self, image_set: ImageSet) -> list[str]:
        """Move the local copy out of the way if everything is proven; why not, if it was not."""
        releases, members = self._journal.releases, self._journal.sets.members(image_set.id)
        if why := self._checks.refusals(image_set):
            releases.enter(image_set.id, Phase.REFUSED, self._clock.now(), why="; ".join(why))
            return why
        releases.enter(image_set.id, Phase.MOVING, self._clock.now())
        try:
            aside.move_there(image_set, members)
        except WatcherError as error:
            self.bring_back(image_set, error.what)
            return [error.what]
        now = self._clock.now()
        with self._journal.database.transaction():
            releases.enter(image_set.id, Phase.ASIDE, now, until=now + self._release.grace)
            self._journal.files.moved_away(image_set.id)
        return []

    def bring_back(self, image_set: ImageSet, why: str = CUT_OFF) -> bool:
        """Bring a local copy back to where it was; False if something of it could not be."""
        releases = self._journal.releases
        releases.enter(image_set.id, Phase.BACK, self._clock.now(), why=why)
        problems = aside.bring_back(image_set, self._journal.sets.members(image_set.id))
        if problems:
            self._stick(image_set, problems)
            return False
        self._tell(f"release of {image_set.name}", "")
        phase = Phase.KEPT if why == WANTED_BACK else Phase.REFUSED
        releases.enter(image_set.id, phase, self._clock.now(), why=why)
        return True

    def _end(self, image_set: ImageSet) -> bool:
        """The grace is over: prove everything once more, and remove, or bring back what is in doubt."""
        members = self._journal.sets.members(image_set.id)
        answers = self._ask(image_set, members)
        if found := removal.too_few(answers, self._release.copies) or removal.doubts(image_set, members):
            self.bring_back(image_set, "; ".join(found))
            return True
        self._journal.releases.enter(image_set.id, Phase.REMOVING, self._clock.now())
        return self._remove(image_set, members, answers)

    def _go_on_removing(self, image_set: ImageSet) -> bool:
        """Some of its files may be gone already: the others go only with a proof of this moment."""
        members = self._journal.sets.members(image_set.id)
        answers = self._ask(image_set, members)
        if found := removal.too_few(answers, self._release.copies):
            self._stick(image_set, found)
            return True
        return self._remove(image_set, members, answers)

    def _remove(self, image_set: ImageSet, members: Sequence[Member], answers: Mapping[str, Sequence[str]]) -> bool:
        places = [str(image_set.collection if name == MAIN else name) for name, some in answers.items() if not some]
        try:
            removal.remove(image_set, members, places, self._journal, self._clock.now())
        except (SourceError, UsageError) as error:
            self._stick(image_set, [str(error)])
        return True

    def _stick(self, image_set: ImageSet, problems: Sequence[str]) -> None:
        self._journal.releases.enter(image_set.id, Phase.STUCK, self._clock.now(), why="; ".join(problems))
        self._tell(f"release of {image_set.name}", f"{problems[0]}; its files are in {aside.folder_of(image_set)}")

    def _set(self, one: Aside) -> ImageSet:
        return self._journal.sets.get(one.set_id)
