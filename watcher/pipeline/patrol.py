"""When one watched folder is swept, looked at because of events, and judged."""

from collections.abc import Callable, Sequence
from typing import Final

from watcher.pipeline.hints import Hints
from watcher.pipeline.observe import Seen
from watcher.pipeline.patience import LONGEST_WAIT
from watcher.pipeline.watching import Watching

#: Everything is listed again at least this often, for changes that leave no trace in a directory's time.
DEEP_EVERY: Final = 3600.0
#: And so soon after events were lost, which may have told of such changes.
DEEP_AFTER_LOSS: Final = 300.0

#: Told how many events of the system came for a folder, and whether so many that they no longer say where.
Heard = Callable[[int, bool], None]


class Patrol:
    """The rounds through one watched folder. An event that came is looked into even if a sweep is due at that moment.

    A sweep alone does not see a file that was written anew in its place: neither its folder's time tells, nor does
    anybody still wait for the file once its set is published.
    """

    def __init__(self, watching: Watching, hints: Hints, heard: Heard) -> None:
        self.watching = watching
        self.hints = hints
        self._heard = heard
        self._pointed_at: set[str] = set()
        self._next_sweep = 0.0
        self._next_deep = 0.0
        self._next_start = 0.0

    def round(self, now: float, report: Callable[[Watching, Seen], None]) -> float:
        """Do what is due now; seconds until something is due again. Raises WatchFolderError and JournalError."""
        lost = self._listen(now)
        if now >= self._next_sweep or lost:
            self._next_sweep = now + self.watching.watch.sweep
            deep = now >= self._next_deep
            report(self.watching, self.watching.look_everywhere(deep=deep))
            if deep:
                self._next_deep = now + DEEP_EVERY
                self._pointed_at.clear()
        if self._pointed_at:
            self.watching.look_at(self._pointed_at)
            self._pointed_at.clear()
        self.watching.judge()
        due = self.watching.next_due()
        return max(0.0, min(self._next_sweep, due if due is not None else self._next_sweep) - now)

    def _listen(self, now: float) -> bool:
        """Take what the system told; whether so much that it was not kept where."""
        if not self.hints.alive and now >= self._next_start:
            self._next_start = now + LONGEST_WAIT
            self.hints.stop()
            self.hints.start()
            if self.hints.alive:
                self._next_deep = min(self._next_deep, now + DEEP_AFTER_LOSS)
        folders, lost = self.hints.take()
        self._heard(self.hints.counted(), lost)
        self._pointed_at |= folders
        if lost:
            self._next_deep = min(self._next_deep, now + DEEP_AFTER_LOSS)
        return lost


def deaf(watchings: Sequence[Watching], hints: Sequence[Hints]) -> str:
    """That no events are heard of some folders, and why; "" if all is well."""
    without = [(watching.watch.path, hint) for watching, hint in zip(watchings, hints, strict=True) if hint.trouble]
    if not without:
        return ""
    path, hint = without[0]
    others = f" and {len(without) - 1} other folders" if len(without) > 1 else ""
    return f"{path}{others}: no events are heard ({hint.trouble}), so the sweeps find what is new"
