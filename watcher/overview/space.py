"""How much room the disks have from which images come, and when they will be full."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from watcher.journal import Journal

#: Begins the name of what the watcher notes of a disk (`pipeline/space.py`).
_NOTED: Final = "space:"
#: Fewer hours of values than this allow no forecast, in seconds.
_ENOUGH: Final = 2 * 3600.0


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk of one watched folder; sizes in bytes, times in seconds since 1970, full_at None if it does not fill."""

    folder: str
    free: int
    total: int
    at: float
    full_at: float | None


def disks(journal: Journal) -> list[Disk]:
    """What was last noted of each disk."""
    found = []
    for name, noted in sorted(journal.all_noted(_NOTED).items()):
        if isinstance(noted, dict):
            full_at = forecast([*noted["samples"], [noted["at"], noted["free"]]])
            found.append(Disk(name.removeprefix(_NOTED), noted["free"], noted["total"], noted["at"], full_at))
    return found


def forecast(samples: Sequence[Sequence[float]]) -> float | None:
    """When the line through these (time, free bytes) comes to nothing; None if it does not fall, or is too short."""
    if len(samples) < 2 or samples[-1][0] - samples[0][0] < _ENOUGH:
        return None
    begin = samples[0][0]
    times, frees = [at - begin for at, _ in samples], [free for _, free in samples]
    mean_time, mean_free = sum(times) / len(times), sum(frees) / len(frees)
    spread = sum((at - mean_time) ** 2 for at in times)
    slope = sum((at - mean_time) * (free - mean_free) for at, free in zip(times, frees, strict=True)) / spread
    last_at, last_free = samples[-1]
    return last_at + last_free / -slope if slope < 0 else None
