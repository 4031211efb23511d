"""The counters: right after real deliveries, and whoever listened before still hears all."""

from dataclasses import replace

import pytest

from tests.unit.metrics.conftest import value
from tests.unit.pipeline.conftest import Bench
from watcher.daemon import Daemon
from watcher.errors import Conflict, SourceChanged, StoreBusy
from watcher.metrics import Metrics
from watcher.model import State


class Counted:
    """A bench whose watcher is counted."""

    def __init__(self, bench: Bench) -> None:
        bench.configure(watch={"settle": "0s"}, complete={"quiet": "0s"})
        self.bench = bench
        self.store = bench.rigged()
        self.metrics = Metrics(bench.journal, "scope", now=bench.clock.now)

    def finish(self) -> None:
        """Deliver all that is finished."""
        told = self.metrics.counters.listening(self.bench.told)
        daemon = Daemon(self.bench.profile, self.bench.journal, told, clock=self.bench.clock, store=self.store)
        daemon.observe()
        self.bench.clock.advance(200)
        daemon.once()

    def __call__(self, name: str, **labels: str) -> float | None:
        return value(self.metrics.render()[0], name, instrument="scope", **labels)


@pytest.fixture
def counted(bench: Bench) -> Counted:
    return Counted(bench)


def test_sets_members_and_bytes_are_those_that_were_delivered(counted: Counted) -> None:
    assert counted("sets_completed_total") == 0
    counted.bench.write("a.dat", b"12345")
    counted.bench.write("empty.dat", b"")
    counted.bench.write("plate/1.tif.part", b"not watched")
    for number in range(4):
        counted.bench.write(f"run/im_{number}.dat", b"xx")
    counted.finish()
    sets = counted.bench.sets()
    assert {one.state for one in sets if one.files} == {State.PUBLISHED}
    published = [one for one in sets if one.state is State.PUBLISHED]
    assert counted("sets_completed_total") == len(published)
    assert counted("members_sent_total") == sum(one.files for one in published)
    assert counted("bytes_sent_total") == sum(one.bytes for one in published) == 13
    assert counted("set_safe_duration_seconds_count") == len(published)
    for stage in ("validate", "deliver", "verify", "publish"):
        assert counted("stage_duration_seconds_count", stage=stage) == len(published)
    heard = {name for name, state in counted.bench.told.moves if state is State.PUBLISHED}
    assert heard == {one.name for one in published}, "whoever listened before hears all"
    assert sum(counted.bench.told.bytes_sent.values()) == 13


def test_how_long_it_takes_is_measured_from_the_end_of_the_acquisition(counted: Counted) -> None:
    def slow(what: str, where: str) -> None:
        if what == "put":
            counted.bench.clock.advance(40)

    counted.store.before = slow
    counted.bench.write("a.dat")
    counted.finish()
    one = counted.bench.only()
    assert one.published_at is not None
    assert one.completed_at is not None
    took = one.published_at - one.completed_at
    assert took >= 40
    assert counted("set_safe_duration_seconds_sum") == pytest.approx(took)
    assert counted("stage_duration_seconds_sum", stage="deliver") == pytest.approx(40, abs=1)
    assert counted("stage_duration_seconds_bucket", stage="deliver", le="15.0") == 0
    assert counted("stage_duration_seconds_bucket", stage="deliver", le="60.0") == 1


def test_what_is_tried_again_and_what_is_held_is_counted_by_its_class(counted: Counted) -> None:
    def refuse(what: str, where: str) -> None:
        if what == "put" and where == "busy.dat":
            raise StoreBusy("busy.dat: somebody writes it")
        if what == "put" and where == "taken.dat":
            raise Conflict("taken.dat: it belongs to something else")

    counted.store.before = refuse
    for name in ("busy.dat", "taken.dat"):
        counted.bench.write(name)
    counted.finish()
    assert counted("sets_failed_total", reason="Conflict") == 1
    assert counted("sets_failed_total", reason="NotAllowed") == 0
    busy = [error for error in counted.bench.told.failures if isinstance(error, StoreBusy)]
    assert counted("retries_total", stage="deliver") == len(busy) > 0
    assert counted("retries_total", stage="verify") == 0


def test_a_set_of_which_a_file_never_came_is_counted_when_it_is_held(counted: Counted) -> None:
    counted.bench.configure(complete={"deadline": "1h", "marker": "*.done"})
    counted.bench.write("a.dat")
    counted.finish()
    assert counted("sets_failed_total", reason="Incomplete") == 0
    counted.bench.clock.advance(2 * 3600)
    counted.finish()
    assert counted.bench.only().state is State.HELD
    assert counted("sets_failed_total", reason="Incomplete") == 1


def test_a_stage_of_which_nobody_saw_the_beginning_is_not_guessed(counted: Counted) -> None:
    counted.bench.write("a.dat")
    counted.finish()
    one = replace(counted.bench.only(), id="urn:uuid:after-a-restart", state=State.VERIFIED)
    counted.metrics.counters.moved(one)
    assert counted("stage_duration_seconds_count", stage="verify") == 1
    counted.metrics.counters.moved(replace(one, state=State.PUBLISHED))
    assert counted("stage_duration_seconds_count", stage="publish") == 2


def test_a_set_that_changed_while_it_was_sent_begins_anew(counted: Counted) -> None:
    counted.bench.write("a.dat")
    counted.finish()
    one = replace(counted.bench.only(), id="urn:uuid:x")
    counters = counted.metrics.counters
    counters.moved(replace(one, state=State.VALID, completed_at=counted.bench.clock.now()))
    counters.failed(replace(one, state=State.GROWING), SourceChanged("a.dat: it changed"))
    counters.moved(replace(one, state=State.DELIVERED))
    assert counted("stage_duration_seconds_count", stage="deliver") == 1, "only that of the first set"
    assert counted("retries_total", stage="deliver") == 0


def test_events_and_what_was_lost_of_them_are_counted(counted: Counted) -> None:
    counted.metrics.counters.heard(7, False)
    counted.metrics.counters.heard(3, True)
    assert counted("watch_events_total") == 10
    assert counted("resyncs_total") == 1


def test_bytes_that_did_not_count_after_all_never_make_a_counter_fall(counted: Counted) -> None:
    counted.bench.write("a.dat", b"12345")
    counted.finish()
    one = counted.bench.only()
    (member,) = counted.bench.journal.sets.members(one.id)
    counted.metrics.counters.sent(one, member, -5)
    assert counted("bytes_sent_total") == 5
