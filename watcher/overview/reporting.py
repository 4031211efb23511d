"""The duty that reports to the facility view, again and again: one that says nothing any more is noticed there."""

from collections.abc import Callable

from watcher.clock import Clock
from watcher.errors import NotifierAway
from watcher.journal import Journal
from watcher.notify.fleet import FleetView
from watcher.overview import report
from watcher.overview.attention import FLEET
from watcher.pipeline.duties import Trouble


class Reporting:
    """A duty beside the sets (see `duties.Duty`)."""

    name = "reporting"

    def __init__(
        self,
        view: FleetView,
        every: float,
        journal: Journal,
        clock: Clock,
        *,
        stopping: Callable[[], bool],
        trouble: Trouble,
    ) -> None:
        self._view = view
        self._every = every
        self._journal = journal
        self._clock = clock
        self._stopping = stopping
        self._trouble = trouble
        self._told_at = float("-inf")

    def round(self) -> float:
        """Report, if it is time. Raises JournalError."""
        now = self._clock.now()
        if 0 <= now - self._told_at < self._every:
            return self._told_at + self._every - now  # woken for something else
        self._told_at = now
        said = report.take(self._journal, now, self._every)
        try:
            self._view.tell(said.model_dump_json().encode("utf-8"))
        except NotifierAway as error:
            if not self._stopping():
                self._trouble(FLEET, str(error))
        else:
            self._trouble(FLEET, "")
        return self._every

    def close(self) -> None:
        """Give up what is being told."""
        self._view.close()
