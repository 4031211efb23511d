"""Clearing what was sent early of sets that turned out to be none, or parts of others."""

from collections.abc import Collection
from functools import partial

from watcher.clock import Clock
from watcher.errors import WatcherError
from watcher.journal import Journal
from watcher.pipeline.crew import Crew
from watcher.pipeline.patience import LONGEST_WAIT
from watcher.stores.base import Session


class Withdrawals:
    """Does what the journal's `Collections.withdrawals` ask for; what fails for now is tried again after a minute."""

    def __init__(self, journal: Journal, crew: Crew, clock: Clock) -> None:
        self._collections = journal.collections
        self._crew = crew
        self._clock = clock
        self._not_before: dict[str, float] = {}

    def clear(self, in_hand: Collection[str] = ()) -> None:
        """Clear all that can be, but of sets that are in hand. Raises what concerns the whole store, and JournalError.

        What cannot be removed at all is left to the administrator.
        """
        now = self._clock.now()
        for collection, set_id in self._collections.withdrawals():
            if set_id in in_hand or now < self._not_before.get(collection, 0.0):
                continue
            try:
                self._crew.do(partial(_withdraw, collection, set_id))
            except WatcherError as error:
                if error.store_wide:
                    raise
                if error.transient:
                    self._not_before[collection] = now + LONGEST_WAIT
                    continue
                self._collections.give_up(collection, now, str(error))
            except Exception as error:
                # One collection that the program cannot handle must not keep all sets on the microscope's disk.
                self._collections.give_up(collection, now, f"unexpected {type(error).__name__}: {error}")
            self._collections.withdrawn(collection)


def _withdraw(collection: str, set_id: str, session: Session) -> None:
    session.withdraw(collection, set_id)
