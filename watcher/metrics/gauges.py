"""What the journal has, as gauges: the same picture of the instrument that people are shown."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from watcher import __version__
from watcher.journal import Journal
from watcher.model import State
from watcher.overview import picture
from watcher.overview.attention import Kind
from watcher.overview.picture import Overview

#: The picture is taken anew after so many seconds, however often it is scraped.
FRESH: Final = 1.0


class Gauges(Collector):
    """Collects from the journal at each scrape; what is not known is left out. `collect` raises JournalError."""

    def __init__(self, journal: Journal, now: Callable[[], float]) -> None:
        self._journal = journal
        self._now = now
        self._lock = threading.Lock()
        self._taken_at = float("-inf")
        self._taken: list[Metric] = []

    def collect(self) -> list[Metric]:
        """The gauges as they are now, or were a second ago."""
        with self._lock:
            now = self._now()
            if not 0 <= now - self._taken_at < FRESH:
                overview = picture.take(self._journal, now)
                self._taken = [_family(one, overview.instrument) for one in _gauges(overview, self._journal)]
                self._taken_at = now
            return self._taken


class _Gauge(NamedTuple):
    """One metric: the values of its labels, each with the value that it has, None if that is not known."""

    name: str
    what: str
    labels: tuple[str, ...]
    values: Iterable[tuple[tuple[str, ...], float | None]]


def _family(gauge: _Gauge, instrument: str) -> Metric:
    family = GaugeMetricFamily(f"irods_watcher_{gauge.name}", gauge.what, labels=("instrument", *gauge.labels))
    for labels, value in gauge.values:
        if value is not None:
            family.add_metric((instrument, *labels), value)
    return family


def _gauges(now: Overview, journal: Journal) -> Iterator[_Gauge]:
    def one(name: str, what: str, value: float | None) -> _Gauge:
        return _Gauge(name, what, (), [((), value)])

    yield _Gauge("build_info", "Always 1; the version of irods-watcher.", ("version",),
                 [((now.version or __version__,), 1)])  # fmt: skip
    yield _Gauge("sets", "Image sets by where they are on their way.", ("state",),
                 (((str(state),), now.counts.get(state, 0)) for state in State))  # fmt: skip
    yield one("unsent_bytes", "Bytes of finished image sets that are still to be sent.", now.left)
    yield one("oldest_pending_timestamp_seconds", "Since when the image set waits that was finished first and is not "
              "safe; absent if none is.", now.oldest_open)  # fmt: skip
    yield one("last_success_timestamp_seconds", "When an image set last became safe.", now.last_safe)
    yield one("heartbeat_timestamp_seconds", "When the watcher last looked at its folders.", now.heartbeat)
    yield one("store_up", "Whether the archive works, as far as is known.", not now.store_problem)
    yield one("paused", "Whether a person has paused the sending.", now.paused)
    resting = now.pace is not None and now.pace["resting_until"] is not None
    yield one("resting", "Whether nothing is sent at this hour, as the profile says.", resting)
    needs = Counter((str(need.kind), "true" if need.urgent else "false") for need in now.attention)
    every = product(map(str, Kind), ("false", "true"))
    yield _Gauge("attention", "Things that need a person; urgent: images do not get safe without.",
                 ("kind", "urgent"), ((key, needs[key]) for key in every))  # fmt: skip
    yield from _folders(now, journal)
    yield _Gauge("handoff_waiting", "Events that another program is still to be told of.", ("sink",),
                 (((backlog.sink,), backlog.waiting) for backlog in now.backlogs))  # fmt: skip
    yield _Gauge("handoff_refused", "Events that another program has refused.", ("sink",),
                 (((backlog.sink,), backlog.refused) for backlog in now.backlogs))  # fmt: skip


def _folders(now: Overview, journal: Journal) -> Iterator[_Gauge]:
    """What is known of the watched folders, each named by its place in the profile: 1 is the first."""
    watching = journal.noted("watching")
    folders = watching["folders"] if isinstance(watching, dict) else []
    numbers = {folder: (str(number),) for number, folder in enumerate(folders, 1)}
    disks = [(numbers[disk.folder], disk) for disk in now.disks if disk.folder in numbers]
    yield _Gauge("disk_free_bytes", "Free space on the disk of a watched folder.", ("folder",),
                 ((number, disk.free) for number, disk in disks))  # fmt: skip
    yield _Gauge("disk_size_bytes", "Size of the disk of a watched folder.", ("folder",),
                 ((number, disk.total) for number, disk in disks))  # fmt: skip
    yield _Gauge("last_sweep_timestamp_seconds", "When a watched folder was last looked through.", ("folder",),
                 ((number, journal.last_sweep(Path(folder))) for folder, number in numbers.items()))  # fmt: skip
