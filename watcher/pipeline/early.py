"""Early delivery: members of a growing set that have come to rest go out at once, so that little is left at its end."""

import json
import math
import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final

from watcher.clock import Clock
from watcher.errors import Conflict, StaleSet, WatcherError
from watcher.journal import Journal
from watcher.journal.files import SeenFile
from watcher.model import ImageSet, Member, State
from watcher.pipeline.deliver import Sending
from watcher.pipeline.destination import members_in
from watcher.pipeline.plan import HEAVY
from watcher.pipeline.validate import kind_of, validate
from watcher.profile import Profile
from watcher.stores.base import Store

#: Members that are sent before the next set has its turn.
_AT_ONCE: Final = 256
#: How often in seconds it is asked what has come to rest, and for how long a set is left alone of which something could
#: not be sent early: it is sent at its end anyway.
_OFTEN: Final = 1.0
_LEFT_ALONE: Final = 300.0


class Early:
    """Sends what has come to rest of growing sets into the collections that only the service can read.

    A member that changes after it was sent is sent again at the end of its set, and not each time that it rests: a file
    that grows by a picture every minute is not sent every minute. Sets that follow a published version wait too, since
    their files may turn out to be the same. What is remembered here only saves work.
    """

    def __init__(
        self, profile: Profile, journal: Journal, store: Store, sending: Callable[[Path], Sending], clock: Clock
    ) -> None:
        self._journal = journal
        self._store = store
        self._sending = sending
        self._clock = clock
        self._formats = profile.sets.formats
        wanted = profile.complete.early and not store.lanes().in_place
        self._settle = {watch.path: watch.settle for watch in profile.watch} if wanted else {}
        self._next_look = 0.0
        self._missed = False
        self._lock = threading.Lock()
        self._looked_until = dict.fromkeys(self._settle, 0.0)
        self._due: dict[str, None] = {}
        # Of each set: the file up to which those that came to rest were dealt with; when it is worth another look.
        self._dealt_with: dict[str, SeenFile] = {}
        self._again: dict[str, float] = {}

    @property
    def next_look(self) -> float:
        """When it is worth to ask for the next set again, if nothing changes until then."""
        with self._lock:
            again = min(self._again.values(), default=math.inf)
        return self._next_look if self._missed else max(self._next_look, again)

    def next_set(self, in_hand: Collection[str]) -> ImageSet | None:
        """A growing set of which something has come to rest that was not sent."""
        self._look()
        with self._lock:
            due = [set_id for set_id in self._due if set_id not in in_hand]
        for set_id in due:
            del self._due[set_id]
            image_set = self._journal.sets.maybe(set_id)
            if image_set is not None and image_set.state is State.GROWING and not image_set.on_hold:
                return image_set
        return None

    def step(self, image_set: ImageSet) -> None:
        """Send some of its members. What fails is left for the end of the set, except what concerns the whole store."""
        files = self._rested(image_set, _AT_ONCE)
        ready = self._ready(image_set, files)
        try:
            self._send(image_set, ready)
        except StaleSet:
            self._look_again(image_set, _OFTEN)
            return
        except WatcherError as error:
            self._look_again(image_set, 0.0 if error.store_wide else _LEFT_ALONE)
            if error.store_wide:
                raise
            return
        except Exception:
            # The end of the set meets it again, where it is told and holds this set alone.
            self._look_again(image_set, _LEFT_ALONE)
            return
        if ready:
            self._dealt_with[image_set.id] = ready[-1]
        if len(ready) == _AT_ONCE:
            with self._lock:
                self._due[image_set.id] = None
        elif len(ready) < len(files) and files[len(ready)].stale:
            self._look_again(image_set, max(_OFTEN, self._settle[image_set.root]))

    def _look_again(self, image_set: ImageSet, after: float) -> None:
        with self._lock:
            self._again[image_set.id] = self._clock.now() + after

    def _look(self) -> None:
        """Find the sets that are due; those in which nothing has changed since the last look are not asked about."""
        begin = self._clock.now()
        self._missed = begin < self._next_look
        if self._missed or not self._settle:
            return
        for root, settle in self._settle.items():
            for image_set in self._journal.sets.changed_after(root, self._looked_until[root]):
                if image_set.id not in self._due and self._rested(image_set, 1):
                    self._due[image_set.id] = None
            self._looked_until[root] = begin - settle
        with self._lock:
            for set_id in [set_id for set_id, at in self._again.items() if at <= begin]:
                del self._again[set_id]
                self._due[set_id] = None
        if not self._due and not self._again:
            self._dealt_with = {}
        # However many files there are, this takes little of a core.
        self._next_look = begin + max(_OFTEN, 20 * (self._clock.now() - begin))

    def _rested(self, image_set: ImageSet, limit: int) -> list[SeenFile]:
        until = self._clock.now() - self._settle[image_set.root]
        return self._journal.files.rested(image_set.id, self._dealt_with.get(image_set.id), until, limit)

    def _ready(self, image_set: ImageSet, files: Sequence[SeenFile]) -> list[SeenFile]:
        """Those up to the first of which it is not yet known what it is and whose.

        Where neither the profile nor a format says what belongs together, a file that comes last may say so.
        """
        if image_set.grouped_by == "directory":
            return list(files)
        first = next((n for n, file in enumerate(files) if not _is_known(file)), len(files))
        return list(files[:first])

    def _is_unfinished(self, root: Path, file: SeenFile) -> bool:
        """A file that only pauses, as a time series does between two pictures, would be sent for nothing."""
        try:
            found = validate(root, [(file.path, kind_of(root, file, self._formats))])
        except OSError:
            return True
        return found.sound is False and any(problem.startswith(f"{file.name}: ") for problem in found.problems)

    def _send(self, image_set: ImageSet, files: Sequence[SeenFile]) -> None:
        if not files:
            return
        alone, root = self._journal.files.size_of_set(image_set.id) == 1, image_set.root
        # Only where something is to be saved: a small member among others is soon sent again.
        finished = [
            file for file in files if not ((alone or file.facts.size > HEAVY) and self._is_unfinished(root, file))
        ]
        members = members_in(image_set.folder, finished, self._store)
        known = self._journal.sets.known_of(image_set, (member.path for member in members))
        unsent = [member for member in members if _is_unsent(member, known.get(member.path))]
        if not unsent:
            return
        self._store.check_names(member.target for member in members)
        sending = self._sending(image_set.root)
        if not image_set.claimed:
            image_set = sending.claim(image_set, unsent)
        if sending.is_published(image_set):
            # The journal was lost, or the marker was the last thing before a kill. The end of the set deals with it.
            raise Conflict(f"{image_set.collection}: it is published already")
        self._journal.sets.intend(image_set, unsent)
        sending.send(image_set, unsent)


def _is_known(file: SeenFile) -> bool:
    """Whether a format knows the file, and it does not belong to one in a folder above that is still to come."""
    if file.stale or not file.claim:
        return False
    return bool(json.loads(file.claim)[0]) and '"../' not in file.claim


def _is_unsent(member: Member, known: Member | None) -> bool:
    return known is None or (known.facts == member.facts and known.sha256 is None)
