"""What a person orders: pause, resume, hold; at once, also within a member, and nothing is lost by it."""

import threading

import pytest

from tests.unit.pipeline.conftest import Bench
from watcher.errors import Paused, UsageError
from watcher.model import State
from watcher.overview import picture
from watcher.pipeline import orders


@pytest.fixture
def quick(bench: Bench) -> Bench:
    """A bench on which sets are finished at once."""
    bench.configure(watch={"settle": "0s"}, complete={"quiet": "0s"})
    return bench


def test_while_it_is_paused_sets_are_noticed_and_not_sent(quick: Bench) -> None:
    orders.pause(quick.journal, quick.clock.now(), "rroe")
    quick.write("a.dat")
    result = quick.finish()
    assert isinstance(result.store_trouble, Paused)
    assert "rroe" not in str(result.store_trouble)
    assert quick.states() == {"a": State.COMPLETE}
    now = picture.take(quick.journal, quick.clock.now())
    assert (now.paused, now.mood) == (True, "paused")
    assert picture.sentence(now) == "Sending is paused; 1 on the way, 0 safe in the archive."
    assert orders.resume(quick.journal)
    assert not orders.resume(quick.journal)
    quick.finish()
    assert quick.states() == {"a": State.PUBLISHED}


def test_a_pause_cuts_a_member_off_and_blames_nothing(quick: Bench) -> None:
    quick.write("a.dat", b"x" * 50_000_000)
    store = quick.rigged()
    ready = threading.Event()

    def pause(what: str, where: str) -> None:
        if what == "put" and not ready.is_set():
            ready.set()
            orders.pause(quick.journal, quick.clock.now(), "me")
            quick.clock.advance(1)

    store.before = pause
    result = quick.finish()
    assert isinstance(result.store_trouble, Paused)
    assert quick.states()["a"] is State.VALID
    assert quick.only().attempts == 0
    orders.resume(quick.journal)
    quick.clock.advance(1)
    quick.finish()
    assert quick.states() == {"a": State.PUBLISHED}
    assert quick.archived()["scope/a/a.dat"] == b"x" * 50_000_000


def test_a_set_on_hold_waits_alone_and_is_published_when_it_may_go_on(quick: Bench) -> None:
    quick.write("a.dat")
    quick.write("b.dat")
    quick.daemon.observe()
    one = next(one for one in quick.sets() if one.name == "a")
    orders.hold_back(quick.journal, one, "wrong folder")
    quick.finish()
    assert quick.states() == {"a": State.COMPLETE, "b": State.PUBLISHED}
    assert picture.take(quick.journal, quick.clock.now()).on_hold == 1
    orders.again(quick.journal, quick.journal.sets.get(one.id), quick.clock.now())
    quick.finish()
    assert quick.states()["a"] is State.PUBLISHED


def test_what_is_safe_cannot_be_held_back_or_left_out(quick: Bench) -> None:
    quick.write("a.dat")
    quick.finish()
    one, published = quick.only(), "a: it is published"
    with pytest.raises(UsageError, match=published):
        orders.hold_back(quick.journal, one, "why")
    with pytest.raises(UsageError, match=published):
        orders.leave_out(quick.journal, one, 1.0, "why")
    with pytest.raises(UsageError, match=published):
        orders.again(quick.journal, one, 1.0)
