"""Which local copies are to go: after a time, or the oldest first when the disk gets full."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from watcher.journal import Journal
from watcher.profile.release import Release

#: A set that was refused is asked again after so many seconds.
AGAIN: Final = 3600.0
#: When no other mark is given, so much more of the disk is freed than the mark below which it begins.
_MORE: Final = 0.05
_ONE: Final = 1

Usage = Callable[[Path], tuple[int, int, int]]


def next_due(
    root: Path, release: Release, journal: Journal, now: float, usage: Usage = shutil.disk_usage
) -> str | None:
    """The set below a root that is to go next; None if none is. Raises JournalError."""
    latest = None
    if release.after is not None:
        latest = now - max(release.after, release.youngest)
    if release.below_free is not None and _is_full(root, release, journal, usage):
        latest = now - release.youngest
    if latest is None:
        return None
    return next(iter(journal.releases.candidates(root, latest, now - AGAIN, _ONE)), None)


def _is_full(root: Path, release: Release, journal: Journal, usage: Usage) -> bool:
    """Whether room is to be made, counting as free what waits for its end already."""
    try:
        total, _, free = usage(root)
    except OSError:
        return False  # the sweep tells of a folder that is away
    waiting = journal.releases.bytes_aside(root)
    below = release.below_free or 0.0
    until = release.until_free if release.until_free is not None else min(1.0, below + _MORE)
    # Once begun it goes on to the higher mark.
    return total > 0 and free + waiting < (until if waiting else below) * total
