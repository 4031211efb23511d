"""What Prometheus is told of an instrument: counters of this process, and gauges of what the journal has.

Names: prometheus.io, "Metric and label naming". No label ever names a set, a person or a path: a watched folder is the
number of its place in the profile, and a failure the name of its class in `errors.py`.
"""

import time
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, disable_created_metrics
from prometheus_client.exposition import choose_encoder

from watcher.journal import Journal
from watcher.metrics.counters import Counters
from watcher.metrics.gauges import Gauges
from watcher.metrics.process import Process

__all__ = ["Counters", "Metrics", "rendered_gauges"]

#: What a scraper is given that does not say what it takes: the text format that all of them read.
_PLAIN: Final = "text/plain"

# When a counter was created says no more than when the process began, which is a metric of its own.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """All metrics of one running watcher; whoever scrapes them may do so from any thread.

    `counters` is the Listener that the watcher has to be given; `now` gives seconds since 1970 by the watcher's clock.
    """

    def __init__(self, journal: Journal, instrument: str, *, now: Callable[[], float] = time.time) -> None:
        self._registry = CollectorRegistry()
        self.counters = Counters(instrument, self._registry, now)
        self._registry.register(Gauges(journal, now))
        self._registry.register(Process())

    def render(self, accept: str = _PLAIN) -> tuple[bytes, str]:
        """The metrics in the format that the Accept header asks for, and its content type. Raises JournalError."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


def rendered_gauges(journal: Journal, now: Callable[[], float] = time.time) -> bytes:
    """The gauges alone, in the text format: what is known without the watcher's process. Raises JournalError."""
    registry = CollectorRegistry()
    registry.register(Gauges(journal, now))
    encode, _ = choose_encoder(_PLAIN)
    return encode(registry)
