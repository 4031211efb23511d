"""The one picture: what it says of sets on their way, what needs a person, and what is being sent."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.pipeline.conftest import Bench
from watcher.errors import StoreError, StoreUnreachable
from watcher.model import State
from watcher.overview import picture
from watcher.overview.attention import MOST_SETS, Kind
from watcher.overview.picture import Overview
from watcher.pipeline import orders


def seen(bench: Bench) -> Overview:
    return picture.take(bench.journal, bench.clock.now())


def said(bench: Bench) -> str:
    return picture.sentence(seen(bench))


@pytest.fixture
def quick(bench: Bench) -> Bench:
    """A bench on which sets are finished at once."""
    bench.configure(watch={"settle": "0s"}, complete={"quiet": "0s"})
    return bench


def broken(bench: Bench, *names: str) -> None:
    """Sets that the store does not want."""
    store = bench.rigged()

    def refuse(what: str, where: str) -> None:
        if what == "put" and Path(where).stem in names:
            raise StoreError("scope: it is strange", cure="look at it")

    store.before = refuse
    for name in names:
        bench.write(f"{name}.dat")
    bench.finish()


def test_the_sentence_goes_with_the_sets(quick: Bench) -> None:
    quick.daemon.observe()
    assert said(quick) == "No sets from scope yet."
    quick.write("a.dat")
    quick.daemon.observe()
    assert said(quick) == "1 set from scope is on the way; 0 safe in the archive."
    quick.finish()
    assert said(quick) == "The one set from scope is safe in the archive."
    quick.write("b.dat")
    quick.finish()
    assert said(quick) == "All 2 sets from scope are safe in the archive."
    assert seen(quick).mood == "safe"


def test_a_set_that_is_held_needs_somebody_and_says_why(quick: Bench) -> None:
    broken(quick, "a")
    now = seen(quick)
    assert picture.sentence(now) == "1 set from scope needs you; 0 safe, 0 on the way."
    (need,) = now.attention
    assert (need.kind, need.urgent, need.set_id) == (Kind.SET, True, quick.only().id)
    assert need.what.startswith("a: scope: it is strange")
    assert need.since == pytest.approx(quick.clock.now(), abs=60)
    assert now.mood == "attention"
    orders.again(quick.journal, quick.only(), quick.clock.now())
    assert seen(quick).attention == ()


def test_of_very_many_sets_that_are_held_the_first_are_named(quick: Bench) -> None:
    broken(quick, *(f"s{number:03d}" for number in range(MOST_SETS + 7)))
    needs = seen(quick).attention
    assert len(needs) == MOST_SETS + 1
    assert needs[-1].what == "And 7 sets more need attention."


def test_a_store_that_is_away_is_told_with_its_cure(quick: Bench) -> None:
    store = quick.rigged()

    def away(what: str, where: str) -> None:
        raise StoreUnreachable("the archive does not answer")

    store.before = away
    quick.write("a.dat")
    result = quick.finish()
    quick.journal.note("store", str(result.store_trouble))
    assert said(quick).startswith("The store has a problem: the archive does not answer; ")
    assert [need.kind for need in seen(quick).urgent] == [Kind.STORE]


def test_what_happened_is_in_the_hours_of_the_day(quick: Bench) -> None:
    quick.write("a.dat")
    quick.finish()
    quick.clock.advance(3 * 3600)
    broken(quick, "b", "c")
    hours = seen(quick).hours
    assert len(hours) == picture.HOURS
    assert [hour.safe for hour in hours[-4:]] == [1, 0, 0, 0]
    assert [hour.held for hour in hours[-4:]] == [0, 0, 0, 2]
    quick.clock.advance(30 * 3600)
    assert not any(hour.safe or hour.held for hour in seen(quick).hours)


@pytest.mark.parametrize(
    ("state", "cleared", "safe"),
    [
        (State.GROWING, False, False), (State.HELD, False, False), (State.VERIFIED, False, False),
        (State.PUBLISHED, False, True), (State.PUBLISHED, True, None), (State.SKIPPED, False, False),
        (State.SUPERSEDED, False, None), (State.RELEASED, False, None),
    ],
)  # fmt: skip
def test_files_may_be_cleared_when_their_set_is_published_and_not_before(
    quick: Bench, state: State, cleared: bool, safe: bool | None
) -> None:
    quick.write("a.dat")
    quick.finish()
    assert picture.safe_to_delete(replace(quick.only(), state=state, cleared=cleared), quick.journal) is safe


def test_files_of_a_set_that_is_not_as_it_was_published_may_not_be_cleared(quick: Bench) -> None:
    quick.write("a.dat")
    quick.finish()
    quick.journal.looks.record(quick.only().id, quick.clock.now(), ["a.dat: the catalogue does not have it"])
    assert picture.safe_to_delete(quick.only(), quick.journal) is False
