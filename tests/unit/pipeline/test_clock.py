"""A clock that is wrong, is set, or jumps: sets wait a little longer at most, and never for ever."""

import os

import pytest

from tests.unit.pipeline.conftest import Bench
from watcher.model import State

YEAR = 365 * 86400.0


def set_clock(bench: Bench, seconds: float) -> None:
    """Somebody sets the clock, and the watcher is started anew."""
    bench.clock.advance(seconds)
    bench.restart()


@pytest.mark.parametrize("ahead", [3600.0, YEAR])
def test_a_set_that_was_seen_while_the_clock_was_ahead_is_delivered(bench: Bench, ahead: float) -> None:
    bench.clock.advance(ahead)
    bench.write("a.dat")
    bench.observe()
    set_clock(bench, -ahead)
    bench.finish()
    bench.finish()
    assert bench.states() == {"a": State.PUBLISHED}


def test_a_set_that_was_seen_while_the_clock_was_behind_is_not_given_up(bench: Bench) -> None:
    bench.configure(complete={"marker": "*.done"})
    bench.clock.advance(-YEAR)
    bench.write("a.dat")
    bench.observe()
    set_clock(bench, YEAR)
    bench.observe()
    assert bench.states()["a"] in {State.GROWING, State.HELD}
    bench.write("a.done")
    bench.finish()
    assert bench.states() == {"a": State.PUBLISHED}


@pytest.mark.parametrize("mtime", [0, 1, 5_000_000_000, 2**33])
def test_a_file_with_an_impossible_time_of_its_own_is_delivered(bench: Bench, mtime: int) -> None:
    os.utime(bench.write("a.dat"), (mtime, mtime))
    bench.finish()
    assert bench.states() == {"a": State.PUBLISHED}
    assert (bench.archive / "scope/a/a.dat").stat().st_mtime == mtime


@pytest.mark.parametrize("trust", [True, False])
def test_a_file_from_the_future_does_not_wait_for_the_future(bench: Bench, trust: bool) -> None:
    bench.trust_times = trust
    os.utime(bench.write("a.dat"), (2**33, 2**33))
    bench.finish()
    assert bench.states() == {"a": State.PUBLISHED}


def test_a_published_set_stays_as_it_is_whatever_the_clock_says(bench: Bench) -> None:
    bench.write("a.dat")
    bench.finish()
    before = bench.sets()
    for jump in (YEAR, -2 * YEAR, YEAR):
        set_clock(bench, jump)
        bench.finish()
    assert bench.sets() == before
