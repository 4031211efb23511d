"""When each watched folder is swept, looked at because of events, and judged."""

from collections.abc import Callable, Sequence

from watcher.pipeline.hints import Hints
from watcher.pipeline.observe import Seen
from watcher.pipeline.patience import LONGEST_WAIT
from watcher.pipeline.watching import Watching

#: Everything is listed again at least this often, for changes that leave no trace in a directory's time.
DEEP_EVERY = 3600.0


class Patrol:
    """The rounds of one watched folder."""

    def __init__(self, watching: Watching, hints: Hints) -> None:
        self.watching = watching
        self.hints = hints
        self._next_sweep = 0.0
        self._next_deep = 0.0
        self._next_start = 0.0

    def round(self, now: float, report: Callable[[Watching, Seen], None]) -> float:
        """Do what is due now; seconds until something is due again. Raises WatchFolderError and JournalError."""
        if not self.hints.alive and now >= self._next_start:
            self._next_start = now + LONGEST_WAIT
            self.hints.stop()
            self.hints.start()
        folders, overflow = self.hints.take()
        if now >= self._next_sweep or overflow:
            self._next_sweep = now + self.watching.watch.sweep
            deep = now >= self._next_deep
            report(self.watching, self.watching.look_everywhere(deep=deep))
            if deep:
                self._next_deep = now + DEEP_EVERY
        elif folders:
            self.watching.look_at(folders)
        self.watching.judge()
        due = self.watching.next_due()
        return max(0.0, min(self._next_sweep, due if due is not None else self._next_sweep) - now)


def deaf(watchings: Sequence[Watching], hints: Sequence[Hints]) -> str:
    """That no events are heard of some folders, and why; "" if all is well."""
    deaf = [(watching.watch.path, hint) for watching, hint in zip(watchings, hints, strict=True) if hint.trouble]
    if not deaf:
        return ""
    path, hint = deaf[0]
    others = f" and {len(deaf) - 1} other folders" if len(deaf) > 1 else ""
    return f"{path}{others}: no events are heard ({hint.trouble}), so the sweeps find what is new"
