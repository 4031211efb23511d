"""The picture of the instrument, taken at most once a second however many look."""

import threading
from collections.abc import Callable, Hashable
from typing import Final

from watcher.journal import Journal
from watcher.overview import picture
from watcher.overview.picture import Overview

#: So long in seconds a picture holds in any case, and so long if the journal has not changed meanwhile.
SHORTEST: Final = 1.0
LONGEST: Final = 10.0
#: So many pages are kept that were made of a picture.
_KEPT: Final = 50


class Glance:
    """The last picture in each language."""

    def __init__(self, journal: Journal, now: Callable[[], float]) -> None:
        self._journal = journal
        self._now = now
        self._lock = threading.Lock()
        self._taken: dict[str, tuple[object, Overview]] = {}
        self._made: dict[tuple[str, Hashable], tuple[Overview, bytes]] = {}

    def __call__(self, language: str) -> Overview:
        """The picture in the language that is spoken, which is called so. Raises JournalError."""
        return self.with_version(language)[1]

    def once(self, language: str, key: Hashable, make: Callable[[Overview], bytes]) -> bytes:
        """What is made of the picture, once for all who ask with the same key. Raises JournalError."""
        now = self(language)
        with self._lock:
            before = self._made.get((language, key))
        if before and before[0] is now:
            return before[1]
        made = make(now)
        with self._lock:
            if len(self._made) >= _KEPT:
                self._made.clear()
            self._made[language, key] = now, made
        return made

    def forget(self) -> None:
        """Somebody has ordered something, and wants to see that."""
        with self._lock:
            self._taken.clear()

    def with_version(self, language: str) -> tuple[object, Overview]:
        """The same with the version of the journal that it shows (`Database.version`)."""
        with self._lock:
            now, before = self._now(), self._taken.get(language)
            if before and abs(now - before[1].taken_at) < SHORTEST:
                return before
            version = self._journal.database.version()
            if before and version == before[0] and abs(now - before[1].taken_at) < LONGEST:
                return before
            self._taken[language] = (version, picture.take(self._journal, now))
            return self._taken[language]
