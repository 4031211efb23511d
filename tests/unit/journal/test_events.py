"""The outbox: whatever fails and whenever the program ends, each sink gets all, and of a set in its order."""

import contextlib
import itertools
import os
import shutil
import tempfile
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from watcher.journal import Journal
from watcher.journal.pruning import KEEP, prune
from watcher.model import Event, ImageSet

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "0"))
ROOT = Path("/data")
SINKS = ("webhook", "amqp")


def create(journal: Journal, name: str) -> ImageSet:
    return journal.sets.create(ROOT, PurePosixPath(), name, grouped_by="stem", format="", now=1.0)


def event(of: ImageSet, number: int = 1) -> Event:
    return Event(f"{of.name}-{number}", of.id, "published", f'{{"number": {number}}}')


def due(journal: Journal, sink: str = "webhook", now: float = 100.0) -> str | None:
    found = journal.outbox.due(sink, now)
    return found[0].id if found else None


def test_an_event_waits_for_each_sink_until_that_has_accepted_it(journal: Journal) -> None:
    a = event(create(journal, "a"))
    journal.outbox.add(a, SINKS, 10.0)
    assert journal.outbox.due("webhook", 10.0) == (a, 0)
    journal.outbox.accepted(a, "webhook", 11.0)
    assert (due(journal, "webhook"), due(journal, "amqp")) == (None, "a-1")
    assert [(one.sink, one.waiting, one.since) for one in journal.outbox.backlogs()] == [("amqp", 1, 10.0)]


def test_the_same_event_is_not_told_again_because_it_was_made_again(journal: Journal) -> None:
    a = event(create(journal, "a"))
    journal.outbox.add(a, SINKS, 10.0)
    journal.outbox.accepted(a, "webhook", 11.0)
    journal.outbox.add(a, SINKS, 12.0)
    assert (due(journal, "webhook"), due(journal, "amqp")) == (None, "a-1")


def test_what_was_made_with_a_step_that_did_not_happen_is_not_there(journal: Journal) -> None:
    a = event(create(journal, "a"))
    with contextlib.suppress(KeyboardInterrupt), journal.database.transaction():
        journal.outbox.add(a, SINKS, 10.0)
        assert due(journal) == "a-1"
        raise KeyboardInterrupt
    assert due(journal) is None


def test_an_event_waits_for_the_one_before_it_of_its_set_and_for_no_other_set(journal: Journal) -> None:
    a, b = create(journal, "a"), create(journal, "b")
    for one in (event(a, 1), event(a, 2), event(b, 1)):
        journal.outbox.add(one, ["webhook"], 10.0)
    journal.outbox.failed(event(a, 1), "webhook", 10.0, 50.0, "no answer", refused=False)
    assert (due(journal, now=20.0), journal.outbox.next_at("webhook")) == ("b-1", 0.0)
    journal.outbox.accepted(event(b, 1), "webhook", 20.0)
    assert (due(journal, now=49.0), journal.outbox.next_at("webhook")) == (None, 50.0)
    assert journal.outbox.due("webhook", 50.0) == (event(a, 1), 1)
    journal.outbox.accepted(event(a, 1), "webhook", 51.0)
    assert due(journal, now=51.0) == "a-2"


def test_the_backlog_says_how_many_wait_since_when_and_why(journal: Journal) -> None:
    a, b, c = (event(create(journal, name)) for name in "abc")
    for at, one in enumerate((a, b, c), 10):
        journal.outbox.add(one, ["webhook"], at)
    journal.outbox.failed(a, "webhook", 20.0, 30.0, "no answer", refused=False)
    journal.outbox.failed(b, "webhook", 21.0, 30.0, "it does not want it", refused=True)
    journal.outbox.failed(c, "webhook", 22.0, 30.0, "500", refused=False)
    (backlog,) = journal.outbox.backlogs()
    assert (backlog.waiting, backlog.since, backlog.problem) == (3, 10.0, "500")
    assert (backlog.refused, backlog.refusal) == (1, "it does not want it")
    journal.outbox.failed(b, "webhook", 23.0, 30.0, "no answer now", refused=False)
    (backlog,) = journal.outbox.backlogs()
    assert (backlog.problem, backlog.refused, backlog.refusal) == ("no answer now", 0, "")


def test_what_waits_for_a_sink_that_the_profile_names_no_more_is_forgotten(journal: Journal) -> None:
    a, b = event(create(journal, "a")), event(create(journal, "b"))
    for one in (a, b):
        journal.outbox.add(one, SINKS, 10.0)
    journal.outbox.accepted(a, "amqp", 11.0)
    journal.outbox.keep_only(["webhook"])
    assert (due(journal, "webhook"), due(journal, "amqp")) == ("a-1", None)
    journal.outbox.keep_only([])
    assert journal.outbox.backlogs() == []


def test_accepted_events_go_after_thirty_days_and_waiting_ones_never(journal: Journal) -> None:
    a, b = create(journal, "a"), create(journal, "b")
    journal.outbox.add(event(a), SINKS, 10.0)
    journal.outbox.add(event(b), SINKS, 10.0)
    journal.outbox.accepted(event(a), "webhook", 20.0)
    for now, left in ((20.0 + KEEP, 4), (21.0 + KEEP, 3), (100 * KEEP, 3)):
        for _ in prune(journal.database, now, [ROOT]):
            pass
        assert journal.database.rows("SELECT count(*) FROM event")[0][0] == left
    assert due(journal, now=100 * KEEP) == "b-1"


def test_a_clock_that_was_ahead_keeps_nothing_from_being_told(journal: Journal) -> None:
    a = event(create(journal, "a"))
    journal.outbox.add(a, ["webhook"], 10.0)
    journal.outbox.failed(a, "webhook", 1e9, 1e9, "no answer", refused=False)
    journal.believe(10.0)
    assert due(journal, now=10.0) == "a-1"


class OutboxAndModel(RuleBasedStateMachine):
    """Sets are changed, sinks accept and fail, the program ends at any moment; what each sink got is compared."""

    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp())
        self.now = 1000.0
        self.journal = Journal(self.base, owned=True)
        self.sets = [create(self.journal, name) for name in ("a", "b", "c")]
        self.numbers = itertools.count(1)
        self.made: dict[tuple[str, str], list[str]] = {}
        self.got: dict[tuple[str, str], list[str]] = {}

    @rule(which=st.integers(0, 2), sinks=st.sampled_from([SINKS, SINKS[:1], SINKS[1:], ()]))
    def something_happens_to_a_set(self, which: int, sinks: tuple[str, ...]) -> None:
        one = event(self.sets[which], next(self.numbers))
        self.journal.outbox.add(one, sinks, self.now)
        for sink in sinks:
            self.made.setdefault((one.set_id, sink), []).append(one.id)

    @rule(which=st.integers(0, 2))
    def the_last_thing_happens_again(self, which: int) -> None:
        for sink in SINKS:
            for known in self.made.get((self.sets[which].id, sink), [])[-1:]:
                again = Event(known, self.sets[which].id, "published", "{}")
                self.journal.outbox.add(again, [sink], self.now)

    @rule(
        sink=st.sampled_from(SINKS),
        how=st.sampled_from(["accepted", "failed", "refused", "killed before", "killed after"]),
    )
    def a_sink_is_told(self, sink: str, how: str) -> None:
        found = self.journal.outbox.due(sink, self.now)
        if found is None:
            waiting = [
                key for key, made in self.made.items() if key[1] == sink and set(made) - set(self.got.get(key, []))
            ]
            at = self.journal.outbox.next_at(sink)
            assert (at is not None and at > self.now) or not waiting
            return
        one, _ = found
        if how in {"accepted", "killed after"}:
            self.got.setdefault((one.set_id, sink), []).append(one.id)
        if how == "accepted":
            self.journal.outbox.accepted(one, sink, self.now)
        elif how in {"failed", "refused"}:
            self.journal.outbox.failed(one, sink, self.now, self.now + 60, "no", refused=how == "refused")
        else:
            self.restart()

    @rule()
    def restart(self) -> None:
        self.journal.close()
        self.journal = Journal(self.base, owned=True)
        self.journal.believe(self.now)

    @rule(seconds=st.sampled_from([1.0, 100.0, -500.0, 2 * KEEP]))
    def time_passes(self, seconds: float) -> None:
        self.now = max(1000.0, self.now + seconds)

    @rule()
    def prune(self) -> None:
        for _ in prune(self.journal.database, self.now, [ROOT]):
            pass

    @invariant()
    def each_sink_got_the_first_of_what_was_made_of_each_set_in_its_order(self) -> None:
        for key, got in self.got.items():
            # What came twice came twice at once, so that a receiver which drops it has the order.
            once = [one for one, _ in itertools.groupby(got)]
            assert once == self.made[key][: len(once)]

    def teardown(self) -> None:
        try:
            for sink in SINKS:
                while found := self.journal.outbox.due(sink, self.now + 1e12):
                    self.got.setdefault((found[0].set_id, sink), []).append(found[0].id)
                    self.journal.outbox.accepted(found[0], sink, self.now)
            assert self.journal.outbox.backlogs() == []
            assert {key: [one for one, _ in itertools.groupby(got)] for key, got in self.got.items()} == self.made
        finally:
            self.journal.close()
            shutil.rmtree(self.base)


TestOutboxAndModel = pytest.mark.timeout(120)(OutboxAndModel.TestCase)
TestOutboxAndModel.settings = settings(
    max_examples=EXAMPLES or 60,
    stateful_step_count=40,
    derandomize=not EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
