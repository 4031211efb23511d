"""Looking at published sets again by and by, as the profile says: whatever is to be delivered comes first."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from watcher.clock import Clock
from watcher.errors import JournalError, SetNotFound, WatcherError
from watcher.journal import Journal
from watcher.model import ImageSet
from watcher.pipeline.audit import Auditor, Found
from watcher.pipeline.duties import Trouble
from watcher.pipeline.patience import LONGEST_WAIT, SOON
from watcher.profile.audit import Audit

#: Sets and files that are asked about together.
MOST_SETS: Final = 100
MOST_FILES: Final = 5000
#: What was found is looked at again after so many seconds, since it may have been mended.
AGAIN: Final = 3600.0
_CURE: Final = "nothing was changed; ask the administrator of the store to look at it"


@dataclass(slots=True)
class _Reading:
    """The set whose stored bytes are being read again, and what that has shown so far."""

    image_set: ImageSet
    objects: Iterator[tuple[int, str]]
    damaged: list[str] = field(default_factory=list)


class Auditing:
    """Compares what is due; a duty (see `duties.Duty`). It rests as long as it works, and while anything is delivered.

    `tell` is told of each set once when something is found, and "" when it is as it was again: the journal remembers
    what was told. How far reading the bytes of one set has come is forgotten at a restart.
    """

    name = "audit"

    def __init__(
        self,
        section: Audit,
        journal: Journal,
        clock: Clock,
        auditor: Auditor,
        *,
        resting: Callable[[], float],
        tell: Trouble,
        trouble: Trouble,
    ) -> None:
        self._section = section
        self._journal = journal
        self._clock = clock
        self._auditor = auditor
        self._resting = resting
        self._tell = tell
        self._trouble = trouble
        self._reading: _Reading | None = None

    def round(self) -> float:
        """One batch of sets, and one object that is read again; see `duties.Duty`."""
        try:
            begin = self._clock.now()
            if rest := self._resting():
                return self._idle(min(rest, LONGEST_WAIT))
            retry_at = self._journal.sets.next_retry()
            if retry_at is not None and retry_at <= begin:
                return self._idle(LONGEST_WAIT)  # something is to be delivered
            looked, size = self._look(begin), self._read_on(begin)
            worked = self._clock.now() - begin
            if looked or size is not None:
                least = SOON if looked else SOON / 10
                wait = max(least, worked, (size or 0) / self._section.rate - worked)
            else:
                wait = self._idle(LONGEST_WAIT)
        except JournalError:
            raise
        except WatcherError as error:
            self._reading = None
            if not self._auditor.is_over:
                self._trouble("audit", f"published sets cannot be looked at again: {error}")
            return self._idle(LONGEST_WAIT)
        self._trouble("audit", "")
        return wait

    def close(self) -> None:
        """Give up what takes long, for good."""
        self._auditor.interrupt()

    def _idle(self, wait: float) -> float:
        if self._reading is None:
            self._auditor.close()
        return wait

    def _look(self, now: float) -> bool:
        """Compare the sets that are due; whether any was."""
        due = self._journal.looks.due(now - self._section.every, now - AGAIN, MOST_SETS)
        sets = next(batches(self._journal, due), [])
        for found in self._auditor.look(sets) if sets else ():
            self._record(found)
        return bool(sets)

    def _read_on(self, now: float) -> int | None:
        """Have one more object read again: its bytes; None if nothing is due."""
        if self._reading is None:
            set_id = self._journal.looks.deep_due(now - self._section.deep) if self._section.deep is not None else None
            if set_id is None:
                return None
            one = self._journal.sets.get(set_id)
            self._reading = _Reading(one, self._auditor.read_again(one))
        for size, problem in self._reading.objects:
            self._reading.damaged += [problem] if problem else []
            return size
        reading, self._reading = self._reading, None
        for found in self._auditor.look([reading.image_set]):
            self._record(found, reading.damaged)
        return 0

    def _record(self, found: Found, damaged: Sequence[str] | None = None) -> None:
        before, now = self._auditor.record(found, damaged)
        name = found.image_set.name
        if now and now != before:
            self._tell(f"audit of {name}", f"{name}: {'; '.join(now)}; {_CURE}")
        elif before and not now:
            self._tell(f"audit of {name}", "")


def batches(journal: Journal, ids: Sequence[str]) -> Iterator[list[ImageSet]]:
    """The sets with these identifiers, so many together as can be asked about in one go; those that are gone not."""
    some: list[ImageSet] = []
    for set_id in ids:
        try:
            one = journal.sets.get(set_id)
        except SetNotFound:
            continue
        if some and (len(some) == MOST_SETS or sum(other.files for other in some) + one.files > MOST_FILES):
            yield some
            some = []
        some.append(one)
    if some:
        yield some
