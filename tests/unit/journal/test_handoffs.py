"""When an agent's answer is looked for, and what is known of it."""

from pathlib import Path, PurePosixPath

from watcher.journal import Journal
from watcher.journal.handoffs import GIVEN_UP
from watcher.model import Answer, ImageSet

HOUR = 3600.0


def create(journal: Journal, name: str = "a") -> ImageSet:
    return journal.sets.create(Path("/data"), PurePosixPath(), name, grouped_by="stem", format="", now=1.0)


def looks(journal: Journal, one: ImageSet, until: float, *states: str) -> list[float]:
    """The times at which somebody looks, with the states that are seen, the last one again and again."""
    times: list[float] = []
    while (at := journal.handoffs.next_at()) is not None and at < until:
        assert journal.handoffs.due(at - 1) is None
        assert journal.handoffs.due(at) == one.id
        state = states[min(len(times), len(states) - 1)] if states else None
        journal.handoffs.looked(one.id, at, Answer("omero", state) if state else None)
        times.append(at)
    return times


def test_looks_come_ever_more_seldom_and_end_after_a_month(journal: Journal) -> None:
    one = create(journal)
    journal.handoffs.begin(one, "omero", 0.0)
    times = looks(journal, one, 1e9)
    assert times[:8] == [60, 120, 240, 480, 960, 1920, 3840, 3840 + HOUR]
    assert times[-1] <= GIVEN_UP + HOUR < times[-1] + 2 * HOUR
    assert len(times) < 24 * 31
    assert journal.handoffs.of(one) == Answer("omero", "requested")


def test_what_is_done_is_not_looked_at_again(journal: Journal) -> None:
    one = create(journal)
    journal.handoffs.begin(one, "omero", 0.0)
    assert looks(journal, one, 1e9, "requested", "accepted", "done") == [60, 120, 240]


def test_what_failed_is_looked_at_again_since_an_agent_may_be_mended(journal: Journal) -> None:
    one = create(journal)
    journal.handoffs.begin(one, "omero", 0.0)
    assert looks(journal, one, 1e9, "failed", "failed", "done") == [60, 120, 240]


def test_a_set_that_is_published_again_is_not_asked_for_anew(journal: Journal) -> None:
    one = create(journal)
    journal.handoffs.begin(one, "omero", 0.0)
    journal.handoffs.looked(one.id, 60.0, Answer("omero", "done", "", ("Dataset:1",)))
    journal.handoffs.begin(one, "omero", 100.0)
    assert journal.handoffs.of(one) == Answer("omero", "done", "", ("Dataset:1",))


def test_the_sets_are_counted_by_agent_and_state_and_the_failed_ones_named(journal: Journal) -> None:
    answers = {"a": "done", "b": "failed", "c": "failed", "d": "requested"}
    for at, (name, state) in enumerate(answers.items()):
        journal.handoffs.begin(create(journal, name), "omero", at)
        journal.handoffs.looked(create_id(journal, name), 60.0, Answer("omero", state, f"of {name}"))
    assert journal.handoffs.counts() == [("omero", "done", 1), ("omero", "failed", 2), ("omero", "requested", 1)]
    assert [(name, answer.message) for name, answer in journal.handoffs.failed()] == [("c", "of c"), ("b", "of b")]
    assert journal.handoffs.of(create(journal, "nobody's")) is None


def test_a_clock_that_was_ahead_keeps_nobody_from_looking(journal: Journal) -> None:
    one = create(journal)
    journal.handoffs.begin(one, "omero", 1e9)
    journal.believe(10.0)
    assert journal.handoffs.due(10.0) == one.id
    journal.handoffs.looked(one.id, 10.0, None)
    assert journal.handoffs.next_at() == 70.0


def create_id(journal: Journal, name: str) -> str:
    return journal.sets.find(name).id
