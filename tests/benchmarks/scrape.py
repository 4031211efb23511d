"""What a scrape of the metrics costs when the journal knows very many sets."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from tests.benchmarks.processes import Figures, elapsed, fresh
from tests.benchmarks.telling import table, tell
from watcher.journal import Journal
from watcher.metrics import Metrics
from watcher.model import UNDER_WAY, FileFacts, Member, State

_ROOT = Path("/data")
#: Of so many sets one is held, one is on its way, and one still grows; all others are safe.
_ONE_IN = 1000
_DAY = 86400.0


def run(place: Path, *, small: bool) -> None:
    """Tell the figures for 1,000, 10,000 and 100,000 sets, or 100 and 1,000."""
    counts = (100, 1_000) if small else (1_000, 10_000, 100_000)
    tell("scrape: one scrape of all metrics, the journal filled by its own methods; each count in a fresh process")
    rows = []
    for count in counts:
        found = fresh(measure, str(place / str(count)), count)
        rows.append((f"{count}", *(f"{1000 * found[name]:.1f}" for name in ("first", "next", "most", "again"))))
    table(("sets", "first ms", "next ms (median)", "slowest of 20", "within a second"), rows)


def measure(state: str, count: int) -> Figures:
    """Seconds of the first scrape, of 20 more that are a second apart by a clock that is moved, and of one at once."""
    now = time.time()
    with Journal(Path(state), owned=True) as journal:
        journal.note("watching", {"instrument": "scope", "folders": [str(_ROOT)], "version": "0"})
        fill(journal, count, now)
        moved = [now]
        metrics = Metrics(journal, "scope", now=lambda: moved[0])
        found = {"first": elapsed(metrics.render)}
        taken = [_later(moved, metrics.render) for _ in range(20)]
        found |= {"next": statistics.median(taken), "most": max(taken), "again": elapsed(metrics.render)}
        found["safe"] = float(journal.sets.counts()[State.PUBLISHED])
    return found


def fill(journal: Journal, count: int, now: float) -> None:
    """Sets of one file each, spread over two years up to now."""
    with journal.database.transaction():
        for number in range(count):
            at = now - 730 * _DAY * (1 - number / count)
            folder = f"{number // 1000}"
            one = journal.sets.create(
                _ROOT, PurePosixPath(folder), f"s{number}", grouped_by="file", format="tiff", now=at, last_change=at
            )
            facts = FileFacts(1_000_000, number, f"{number:x}")
            journal.sets.freeze(one, [Member(f"{folder}/s{number}.tif", facts, f"s{number}.tif", "0" * 64)])
            last: tuple[State, ...] = (*UNDER_WAY, State.PUBLISHED)
            if number % _ONE_IN < 3:
                last = ((), (State.COMPLETE,), (State.HELD,))[number % _ONE_IN]
            for state in last:
                safe = at if state is State.PUBLISHED else None
                one = journal.sets.advance(one, state, at, completed_at=at, published_at=safe)


def _later(moved: list[float], work: Callable[[], object]) -> float:
    moved[0] += 1.0
    return elapsed(work)
