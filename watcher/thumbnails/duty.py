"""Makes the pictures, one at a time, of sets that are published and whose files are still the same on the disk."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from watcher import osfacts
from watcher.clock import Clock
from watcher.journal import Journal
from watcher.model import ImageSet
from watcher.thumbnails.cache import Cache
from watcher.thumbnails.candidates import candidates
from watcher.thumbnails.child import Outcome, make

#: Pictures are kept of so many of the newest sets.
KEPT: Final = 5000
#: Files of a set among which some are chosen: an index of a plate stands before its hundred thousand images.
_MOST_FILES: Final = 5000
#: Seconds from one picture to the next, until it is asked again whether the computer is busy, and until there may be a
#: new set (a duty is woken when one is published).
BETWEEN: Final = 1.0
_BUSY: Final = 10.0
_IDLE: Final = 60.0
#: An instrument that is busy all day gets a picture now and then all the same, after so many seconds.
PATIENCE: Final = 900.0


class Thumbnails:
    """A duty beside the sets (see `pipeline/duties.py`).

    `busy` says whether something is sent or the instrument acquires; it may raise JournalError. `make_one` makes a
    picture of some files, and is told how to wait.
    """

    name = "thumbnails"

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        busy: Callable[[], bool],
        *,
        kept: int = KEPT,
        make_one: Callable[[list[tuple[Path, str]], Callable[[float], bool]], Outcome] = make,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._busy = busy
        self._kept = kept
        self._make = make_one
        self._cache = Cache(journal.state)
        self._closing = threading.Event()
        self._known: set[str] | None = None
        self._put_off: set[str] = set()
        self._last = clock.now()
        self._new = True

    def round(self) -> float:
        """Make one picture if there is time for it; the seconds until the next. Raises JournalError."""
        if self._known is None:
            self._known = self._cache.known()
        newest = self._journal.sets.newest_published(self._kept)
        wanted = next((one for one, cleared in newest if not cleared and not self._is_done(one)), None)
        if wanted is None:
            self._forget({one for one, _ in newest})
            return _IDLE
        now = self._clock.now()
        if self._busy() and 0 <= now - self._last < PATIENCE:
            return _BUSY
        self._last, self._new = now, True
        self._do(wanted)
        return BETWEEN

    def close(self) -> None:
        """Give up the picture that is being made."""
        self._closing.set()

    def _is_done(self, set_id: str) -> bool:
        return set_id in (self._known or ()) or set_id in self._put_off

    def _do(self, set_id: str) -> None:
        image_set = self._journal.sets.maybe(set_id)
        files = self._files(image_set) if image_set else []
        if not files:
            self._refuse(set_id, "none of its files is as it was delivered, or of a kind that can be shown")
            return
        outcome = self._make(files, self._closing.wait)
        if image_set and outcome.picture and self._unchanged(image_set, files):
            self._cache.put(set_id, outcome.picture)
            self._note(set_id)
        elif outcome.final:
            self._refuse(set_id, outcome.why or "its files changed meanwhile")
        else:
            self._put_off.add(set_id)  # until the watcher starts again

    def _files(self, image_set: ImageSet) -> list[tuple[Path, str]]:
        """A few files of the set that are the same as when they were delivered, and verified."""
        seen = self._journal.files.of_set(image_set.id, most=_MOST_FILES)
        chosen = candidates((file.path, _kind(file.claim), file.facts.size) for file in seen)
        files = [(image_set.root / path, kind) for path, kind in chosen]
        return [pair for pair in files if self._unchanged(image_set, [pair])]

    def _unchanged(self, image_set: ImageSet, files: list[tuple[Path, str]]) -> bool:
        paths = [path.relative_to(image_set.root).as_posix() for path, _ in files]
        members = self._journal.sets.known_of(image_set, paths)
        try:
            return all(
                osfacts.facts_at(path) == members[name].facts for name, (path, _) in zip(paths, files, strict=True)
            )
        except (KeyError, OSError):
            return False

    def _refuse(self, set_id: str, why: str) -> None:
        self._cache.refuse(set_id, why)
        self._note(set_id)

    def _note(self, set_id: str) -> None:
        assert self._known is not None  # noqa: S101 - `round` has asked for it
        self._known.add(set_id)

    def _forget(self, newest: set[str]) -> None:
        """Of sets that are no longer among the newest nothing is kept."""
        if self._new:
            self._cache.keep_only(newest)
            self._known = (self._known or set()) & newest
            self._new = False


def _kind(claim: str | None) -> str:
    return str(json.loads(claim)[0]) if claim else ""
