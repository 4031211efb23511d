"""How much room the disks have from which images come, noted in the journal for whoever looks."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from watcher.clock import Clock
from watcher.journal import Journal

#: Begins the name of what is noted of the disk of a watched folder, and how often in seconds it is asked.
NOTED: Final = "space:"
EVERY: Final = 60.0
#: For a forecast a value is kept from every half an hour of a day.
_APART: Final = 1800.0
_KEPT: Final = 48


class Space:
    """Asks the disks of the watched folders; a duty beside the sets (see `duties.Duty`)."""

    name = "space"

    def __init__(
        self,
        roots: Sequence[Path],
        journal: Journal,
        clock: Clock,
        usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage,
    ) -> None:
        self._roots = roots
        self._journal = journal
        self._clock = clock
        self._usage = usage

    def round(self) -> float:
        """Ask each disk. Raises JournalError; a folder that is away is told of by the sweep."""
        for root in self._roots:
            try:
                total, _, free = self._usage(root)
            except OSError:
                continue
            now, name = self._clock.now(), f"{NOTED}{root}"
            noted = self._journal.noted(name)
            samples = list(noted["samples"]) if isinstance(noted, dict) else []
            if not samples or now - samples[-1][0] >= _APART or now < samples[-1][0]:
                samples = [*samples[1 - _KEPT :], [now, free]]
            self._journal.note(name, {"at": now, "free": free, "total": total, "samples": samples})
        return EVERY

    def close(self) -> None:
        """A disk that hangs cannot be told to give up."""
