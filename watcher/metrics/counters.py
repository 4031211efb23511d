"""What is counted while the watcher runs; it begins anew with each process, as Prometheus expects of counters."""

import threading
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from watcher.errors import StoreError, Unforeseen, WatcherError
from watcher.model import UNDER_WAY, ImageSet, Member, State
from watcher.pipeline.way import Listener

#: The stages of the way, by the state of a set that is to take it.
STAGES: Final = dict(zip(UNDER_WAY, ("validate", "deliver", "verify", "publish"), strict=True))
#: Which stage a set has behind it that has come into a state.
_ENDED: Final = dict(zip((*UNDER_WAY[1:], State.PUBLISHED), STAGES.values(), strict=True))
#: The reason of a set that is held because files of it never came.
INCOMPLETE: Final = "Incomplete"
#: Seconds: from what one small file takes to what a night's acquisition over a slow line does.
_STAGE_BUCKETS: Final = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 6 * 3600, 24 * 3600)
_SAFE_BUCKETS: Final = (1, 5, 15, 60, 300, 900, 3600, 6 * 3600, 24 * 3600, 3 * 24 * 3600)
#: Sets of which it is remembered when their last stage ended.
_MOST: Final = 10_000


class Counters:
    """A listener that counts, and passes on to the next one (`listening`). Called from several threads."""

    def __init__(self, instrument: str, registry: CollectorRegistry, now: Callable[[], float]) -> None:
        self._now = now
        self._next: Listener | None = None
        self._lock = threading.Lock()
        self._ended_at: dict[str, float] = {}

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"irods_watcher_{name}", what, ("instrument", *labels), registry=registry)

        def histogram(name: str, what: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            names = ("instrument", *labels)
            return Histogram(f"irods_watcher_{name}", what, names, buckets=buckets, registry=registry)

        completed = counter("sets_completed", "Image sets that became safe in the archive.")
        failed = counter("sets_failed", "Image sets that came to need a person, by the class of what failed.", "reason")
        sent = counter("bytes_sent", "Bytes of members that went over the line, those sent again included.")
        members = counter("members_sent", "Members of image sets that were delivered.")
        retries = counter("retries", "Failures of a stage after which it is tried again by itself.", "stage")
        what = "From the end of the stage before to the end of this one, waiting included."
        stages = histogram("stage_duration_seconds", what, _STAGE_BUCKETS, "stage")
        what = "From an image set found complete to the same set safe in the archive."
        safe = histogram("set_safe_duration_seconds", what, _SAFE_BUCKETS)
        events = counter("watch_events", "Events of watched folders that the system told of.")
        resyncs = counter("resyncs", "Sweeps that were made because events of the system were lost.")
        # All that is usual begins at 0, since an increase from nothing to 1 is none to Prometheus.
        self._completed, self._sent, self._members = (one.labels(instrument) for one in (completed, sent, members))
        self._events, self._resyncs = events.labels(instrument), resyncs.labels(instrument)
        self._safe = safe.labels(instrument)
        self._retries = {stage: retries.labels(instrument, stage) for stage in STAGES.values()}
        self._stages = {stage: stages.labels(instrument, stage) for stage in STAGES.values()}
        self._failed: Callable[[str], Counter] = lambda reason: failed.labels(instrument, reason)
        for reason in (INCOMPLETE, *_usual_reasons()):
            self._failed(reason)

    def listening(self, listener: Listener) -> "Counters":
        """This, after it was told to whom it passes on."""
        self._next = listener
        return self

    def moved(self, image_set: ImageSet) -> None:
        """A set has reached a new state."""
        now = self._now()
        before = self._remember(image_set, now)
        if (stage := _ENDED.get(image_set.state)) and before is not None:
            self._stages[stage].observe(max(0.0, now - before))
        if image_set.state is State.DELIVERED:
            self._members.inc(image_set.files)
        elif image_set.state is State.PUBLISHED:
            self._completed.inc()
            if image_set.published_at is not None and image_set.completed_at is not None:
                self._safe.observe(max(0.0, image_set.published_at - image_set.completed_at))
        elif image_set.state is State.HELD:
            self._failed(INCOMPLETE).inc()
        if self._next:
            self._next.moved(image_set)

    def sent(self, image_set: ImageSet, member: Member, count: int) -> None:
        """Some bytes of a member have been sent; negative ones were on the line all the same."""
        self._sent.inc(max(0, count))
        if self._next:
            self._next.sent(image_set, member, count)

    def failed(self, image_set: ImageSet, error: WatcherError) -> None:
        """A step failed; a set that has changed meanwhile (it grows again) is neither held nor tried again."""
        if image_set.state is State.HELD:
            self._failed(type(error).__name__).inc()
        elif stage := STAGES.get(image_set.state):
            self._retries[stage].inc()
        if image_set.state not in UNDER_WAY:
            self._forget(image_set.id)
        if self._next:
            self._next.failed(image_set, error)

    def trouble(self, where: str, what: str) -> None:
        """What concerns no single set is in the gauges."""
        if self._next:
            self._next.trouble(where, what)

    def heard(self, events: int, lost: bool) -> None:
        """So many events came from the system, and whether some were lost."""
        self._events.inc(events)
        self._resyncs.inc(lost)

    def _remember(self, image_set: ImageSet, now: float) -> float | None:
        """When the stage before ended, None if nobody knows; and that the next one begins now."""
        with self._lock:
            before = self._ended_at.pop(image_set.id, None)
            if image_set.state in UNDER_WAY:
                self._ended_at[image_set.id] = now
                if len(self._ended_at) > _MOST:
                    del self._ended_at[next(iter(self._ended_at))]
        return image_set.completed_at if image_set.state is State.VALID else before

    def _forget(self, set_id: str) -> None:
        with self._lock:
            self._ended_at.pop(set_id, None)


def _usual_reasons() -> Iterator[str]:
    """The names of the failures for which the store holds a set, and of a mistake of the program."""
    yield Unforeseen.__name__
    kinds: list[type[WatcherError]] = [StoreError, *StoreError.__subclasses__()]
    for kind in kinds:
        if not kind.transient:
            yield kind.__name__
