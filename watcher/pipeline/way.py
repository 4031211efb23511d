"""The way of a finished set: validate, deliver, verify, publish, and what becomes of it when a step fails."""

import contextlib
import random
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from watcher.clock import Clock
from watcher.errors import (
    NameRefused,
    SourceChanged,
    SourceError,
    SourceGone,
    SourceUnreadable,
    StaleSet,
    StoreError,
    Unforeseen,
    WatcherError,
)
from watcher.journal import Journal
from watcher.journal.files import SeenFile
from watcher.model import UNDER_WAY, Attribution, Avu, ImageSet, Member, State
from watcher.pipeline.attribute import Attributor
from watcher.pipeline.crew import Crew
from watcher.pipeline.deliver import Delivery, Sending, collection_of
from watcher.pipeline.destination import Destination, Landing
from watcher.pipeline.in_place import InPlace
from watcher.pipeline.patience import SOON, is_stuck, pause_after
from watcher.pipeline.publish import publish
from watcher.pipeline.sharing import ALONE, Sharing
from watcher.pipeline.validate import kind_of, validate
from watcher.pipeline.verify import verify
from watcher.profile import Profile
from watcher.provenance import crate
from watcher.provenance.vocabulary import STUCK
from watcher.stores.base import Store
from watcher.stores.mount import MountStore


class Listener(Protocol):
    """Who wants to know what happens: the log, progress bars. Called from several threads; must not be slow."""

    def moved(self, image_set: ImageSet) -> None:
        """A set has reached a new state."""
        ...

    def sent(self, image_set: ImageSet, member: Member, count: int) -> None:
        """Some bytes of a member have been sent. Raising here stops the sending, and nothing half-sent counts."""
        ...

    def failed(self, image_set: ImageSet, error: WatcherError) -> None:
        """A step failed; the set's state says whether it is tried again."""
        ...

    def trouble(self, where: str, what: str) -> None:
        """Something that concerns no single set is wrong, or well again (what is "")."""
        ...


@dataclass(frozen=True, slots=True)
class Way:
    """Takes one set one step on; every step can be killed at any instruction and taken again."""

    profile: Profile
    journal: Journal
    store: Store
    destinations: Mapping[Path, Destination]
    crew: Crew
    clock: Clock
    listener: Listener
    attribute: Attributor
    jitter: Callable[[], float] = random.random
    sharing: Sharing = ALONE

    def step(self, image_set: ImageSet) -> ImageSet | None:
        """The set after its next step, None if it was changed by somebody else or has to wait.

        A failure that concerns every set (the store is away, the login refused) is raised, and the set left as it is.
        """
        try:
            moved = self._take(image_set)
        except StaleSet:
            self._postpone(image_set.id)
            return None
        except WatcherError as error:
            if error.store_wide:
                raise
            self._failed(image_set.id, error)
            return None
        except Exception as error:
            # One set that the program cannot handle must not keep all others on the microscope's disk.
            unforeseen = Unforeseen(_unforeseen(image_set, error))
            unforeseen.__cause__ = error
            self._failed(image_set.id, unforeseen)
            return None
        self.listener.moved(moved)
        return moved

    def sending(self, root: Path) -> Sending:
        """How sets of one watched folder are sent."""
        destination = self.destinations[root]
        parts = (self.journal, self.store, destination, self.crew, self.listener.sent)
        if isinstance(self.store, MountStore) and isinstance(destination, Landing):
            return InPlace(*parts, mount=self.store, landing=destination, clock=self.clock)
        return Sending(*parts, self.sharing)

    def _take(self, image_set: ImageSet) -> ImageSet:
        now = self.clock.now()
        match image_set.state:
            case State.COMPLETE:
                return self._validate(image_set, now)
            case State.VALID:
                return Delivery(self.sending(image_set.root))(image_set, self.clock.now)
            case State.DELIVERED:
                return self.crew.do(lambda session: verify(image_set, self.journal, session, now))
            case State.VERIFIED:
                return self._publish(image_set, now)
            case _:
                raise WatcherError(f"{image_set.name}: there is no step for a set that is {image_set.state}")

    def _publish(self, image_set: ImageSet, now: float) -> ImageSet:
        revision = self.journal.attributions.revision(image_set.id)
        attribution = self._attribution(image_set)
        members = self.journal.sets.members(image_set.id)
        sending = self.sending(image_set.root)
        if isinstance(sending, InPlace):
            image_set = sending.confirm(image_set, members)
            if sending.landing.moves(members):
                # What the files and those beside them say is not to be found here any more if this is cut off.
                self.journal.attributions.written(image_set.id, attribution, revision)
                image_set = sending.move(image_set, members)
            contents = sending.contents(image_set, members)
        else:
            contents = crate.contents_of(members, image_set.root)
        return self.crew.do(
            lambda session: publish(
                image_set, self.journal, self.profile, session, now, attribution, revision, contents
            )
        )

    def _attribution(self, image_set: ImageSet) -> Attribution:
        """Who made the set. A mistake of the program there must not keep its images from being published."""
        try:
            return self.attribute(image_set, self.journal.sets.members(image_set.id))
        except WatcherError:
            raise
        except Exception as error:
            self.listener.trouble(f"attribution of {image_set.id}", _unforeseen(image_set, error))
            return Attribution(problems=("a mistake of the program kept it from finding out who made this",))

    def _validate(self, image_set: ImageSet, now: float) -> ImageSet:
        try:
            root, wanted = image_set.root, self.profile.sets.formats
            seen = self.journal.files.of_set(image_set.id)
            files = [(file.path, kind_of(root, file, wanted)) for file in seen]
            self._check_shown(root, [file for file, (_, kind) in zip(seen, files, strict=True) if kind])
            found = validate(root, files)
        except OSError as error:
            raise SourceError(f"{error.filename}: it cannot be read ({error.strerror})") from error
        if found.sound is False and image_set.whole:
            # Perhaps its end is still to be written. Its deadline decides if nothing more comes.
            return self.journal.sets.advance(
                image_set, State.GROWING, now, found.problems[0] if found.problems else "not sound",
                problems=found.problems, sound=False, whole=None, retry_at=0.0,
            )  # fmt: skip
        return self.journal.sets.advance(
            image_set, State.VALID, now, found.checked, sound=found.sound, validated_by=found.checked,
            problems=tuple(dict.fromkeys((*image_set.problems, *found.problems))), embedded=found.embedded,
            remarks=tuple(dict.fromkeys((*image_set.remarks, *found.remarks))),
        )  # fmt: skip

    def _check_shown(self, root: Path, files: Iterable[SeenFile]) -> None:
        """What is looked into must be what is delivered: a mount may still show an older state. Raises OSError."""
        disk = self.store.disk
        for file in files if not disk.trusted else ():
            if (size := disk.stat(root / file.path).st_size) != file.facts.size:
                what = f"{root / file.path}: the mount shows {size} bytes of {file.facts.size}"
                raise SourceUnreadable(what, cure="it is looked at again when the mount shows what is in iRODS")

    def _postpone(self, set_id: str) -> None:
        """Somebody has changed the set, or its place is not free yet: soon again, but not at once."""
        with self.journal.database.transaction():
            image_set = self.journal.sets.maybe(set_id)
            if image_set is not None and image_set.state in UNDER_WAY:
                self.journal.sets.change(image_set, retry_at=self.clock.now() + SOON)

    def _go_elsewhere(self, image_set: ImageSet, error: WatcherError, now: float) -> ImageSet:
        """Deliver under a fresh name: a replica that stays locked cannot be written nor removed by us."""
        stuck = collection_of(image_set)
        note = Avu(STUCK, error.what)
        # Best effort: the set is not to wait for a note, and the journal keeps it for the administrator too.
        with contextlib.suppress(StoreError):
            self.crew.do(lambda session: session.annotate(stuck, [note]))
        with self.journal.database.transaction():
            if image_set.state is not State.VALID:
                image_set = self.journal.sets.advance(image_set, State.VALID, now, "to be sent anew")
            return self.journal.collections.abandon(image_set, now, error.what)

    def _failed(self, set_id: str, error: WatcherError) -> None:
        # The step itself may have written to the set before it failed.
        image_set = self.journal.sets.maybe(set_id)
        if image_set is None or image_set.state not in UNDER_WAY:
            return  # a person or a sweep has decided otherwise meanwhile
        now = self.clock.now()
        sets = self.journal.sets
        stuck, in_place = is_stuck(error, image_set.attempts), self.store.lanes().in_place
        try:
            if isinstance(error, SourceChanged | SourceGone):
                image_set = sets.advance(image_set, State.GROWING, now, error.what, retry_at=0.0, whole=None)
            elif stuck and image_set.claimed and not in_place:
                image_set = self._go_elsewhere(image_set, error, now)
            elif error.transient and not (stuck and in_place):
                wait = pause_after(error, image_set.attempts, self.jitter)
                image_set = sets.change(
                    image_set, attempts=image_set.attempts + 1, retry_at=now + wait, reason=str(error)
                )
            else:
                freed = {"collection": None} if isinstance(error, NameRefused) and not image_set.claimed else {}
                image_set = sets.advance(image_set, State.HELD, now, error.what, reason=str(error), **freed)
        except StaleSet:
            return
        self.listener.failed(image_set, error)


def _unforeseen(image_set: ImageSet, error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    what = f"{image_set.name}: unexpected {type(error).__name__} in {Path(place.filename).name}:{place.lineno}"
    return f"{what}: {error}"
