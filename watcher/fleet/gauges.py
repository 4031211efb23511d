"""The facility as gauges for Prometheus (prefix irods_watcher_fleet_), so that alerts need no instrument's own port."""

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from watcher.fleet.register import MOODS, Register

_STATES: Final = ("safe", "on_the_way", "held")


class Gauges(Collector):
    """Collects what the register has at each scrape; what is not known is left out."""

    def __init__(self, register: Register) -> None:
        self._register = register

    def collect(self) -> Iterator[Metric]:
        """The gauges as they are now."""
        lines = self._register.lines()
        heard = [(line.instrument.name, line.heard.at, line.heard.report) for line in lines if line.heard]
        yield _gauge("last_seen_timestamp_seconds", "When an instrument was last heard of.",
                     (((name,), at) for name, at, _ in heard))  # fmt: skip
        yield _gauge("silent", "Whether nothing is heard of an instrument any more.",
                     (((line.instrument.name,), line.silent) for line in lines))  # fmt: skip
        moods = (((line.instrument.name, mood), line.mood == mood) for line in lines for mood in MOODS)
        yield _gauge("mood", "1 for what an instrument is.", moods, "mood")
        counts = (((name, state), getattr(report, state)) for name, _, report in heard for state in _STATES)
        yield _gauge("sets", "Image sets by where they are.", counts, "state")
        yield _gauge("last_safe_timestamp_seconds", "When an image set last became safe.",
                     (((name,), report.last_safe) for name, _, report in heard if report.last_safe))  # fmt: skip
        free = (((name,), min(room.free for room in report.disks)) for name, _, report in heard if report.disks)
        yield _gauge("disk_free_bytes", "Free bytes on the watched folders' disk that has the least.", free)


def _gauge(name: str, what: str, values: Iterable[tuple[tuple[str, ...], float]], *labels: str) -> Metric:
    family = GaugeMetricFamily(f"irods_watcher_fleet_{name}", what, labels=("instrument", *labels))
    for key, value in values:
        family.add_metric(key, float(value))
    return family
