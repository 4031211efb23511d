"""Looking for what the agent of a published set has answered: one short question at a time, and ever more seldom."""

from collections.abc import Callable, Collection
from typing import Final

from watcher.clock import Clock
from watcher.errors import WatcherError
from watcher.journal import Journal
from watcher.model import Avu
from watcher.pipeline.crew import Crew
from watcher.pipeline.patience import LONGEST_WAIT
from watcher.provenance.handoff import answer_in
from watcher.stores.base import Session

#: Seconds between two questions, however many sets wait for an answer.
BETWEEN: Final = 2.0


class Answers:
    """Asks the store what agents have written, and keeps it in the journal."""

    name = "answers"

    def __init__(self, journal: Journal, crew: Crew, clock: Clock, between: float = BETWEEN) -> None:
        self._journal = journal
        self._crew = crew
        self._clock = clock
        self._between = between

    def round(self) -> float:
        """Ask about one set; the seconds until there may be another. Raises JournalError."""
        try:
            if self.look():
                return self._between
        except WatcherError as error:
            if not error.store_wide:
                raise
            return LONGEST_WAIT  # others tell of the store
        now = self._clock.now()
        return min(LONGEST_WAIT, max(0.05, (self._journal.handoffs.next_at() or now + LONGEST_WAIT) - now))

    def look(self) -> bool:
        """Ask about the set that is due; whether one was. Raises what concerns the whole store, and JournalError."""
        set_id = self._journal.handoffs.due(self._clock.now())
        if set_id is None:
            return False
        collection = self._journal.sets.get(set_id).collection or ""
        try:
            found: Collection[Avu] = self._crew.do(_avus_of(collection))
        except WatcherError as error:
            if error.store_wide:
                raise
            found = ()  # another time perhaps
        self._journal.handoffs.looked(set_id, self._clock.now(), answer_in(found))
        return True

    def close(self) -> None:
        """A question that is under way is short."""


def _avus_of(collection: str) -> Callable[[Session], frozenset[Avu]]:
    return lambda session: session.avus(collection)
