"""The conveyor: which set is next, and what happens while the store is away."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.pipeline.conftest import Bench, RiggedStore, nothing
from watcher.errors import Conflict, StoreBusy, StoreFull, StoreUnreachable, WatcherError
from watcher.model import State
from watcher.pipeline.conveyor import Conveyor
from watcher.pipeline.crew import Crew
from watcher.pipeline.early import Early
from watcher.pipeline.way import Way

PUBLISHED = State.PUBLISHED


class Belt:
    """The conveyor of a bench, turned by hand; `noted`: what was said of the store, None when it was well again."""

    def __init__(self, bench: Bench, store: RiggedStore, crew: Crew) -> None:
        self.bench = bench
        self.store = store
        self.noted: list[str | None] = []
        self.rest = 0.0
        daemon = bench.daemon
        way = Way(
            daemon.profile, bench.journal, store, daemon.destinations, crew, bench.clock, bench.told, daemon.attribute
        )
        early = Early(daemon.profile, bench.journal, store, way.sending, bench.clock)
        self.conveyor = Conveyor(
            daemon.profile, bench.journal, way, early, crew, bench.clock,
            stop=threading.Event(), resting=lambda: self.rest, note_store=self._note,
        )  # fmt: skip

    def turn(self, most: int | None = None) -> float:
        return self.conveyor.round(most)

    def published(self) -> list[str]:
        return [name for name, state in self.bench.told.moves if state is PUBLISHED]

    def _note(self, error: WatcherError | None) -> None:
        self.noted.append(error.what if error else None)


@pytest.fixture
def belt(bench: Bench) -> Iterator[Belt]:
    bench.configure(complete={"early": False})
    yield from started(bench)


def started(bench: Bench) -> Iterator[Belt]:
    store = bench.rigged()
    with Crew(store, 2) as crew:
        yield Belt(bench, store, crew)


def complete(bench: Bench, *names: str, content: bytes = b"pixels") -> None:
    """Sets that become complete one after the other."""
    for name in names:
        bench.write(name, content)
        bench.observe()
        bench.observe(after=200)


def test_the_set_that_was_complete_first_goes_first(bench: Bench, belt: Belt) -> None:
    complete(bench, "b.dat", "a.dat", "c.dat")
    for _ in range(3):
        assert belt.turn() == 0
    assert belt.published() == ["b", "a", "c"]
    assert belt.turn() > 1


def test_one_carrier_takes_only_what_is_small(bench: Bench, belt: Belt) -> None:
    complete(bench, "large.dat", content=bytes(2000))
    complete(bench, "small.dat")
    belt.turn(1000)
    assert belt.published() == ["small"]
    assert belt.turn(1000) > 1
    belt.turn()
    assert belt.published() == ["small", "large"]


@pytest.mark.parametrize(("priority", "expected"), [(0, ["a1", "b1", "a2", "b2"]), (5, ["b1", "b2", "a1", "a2"])])
def test_folders_take_turns_unless_one_goes_first(bench: Bench, priority: int, expected: list[str]) -> None:
    other = bench.base / "other"
    other.mkdir()
    bench.settings["watch"] += [{"path": str(other), "settle": "20s", "priority": priority}]
    bench.configure(complete={"early": False})
    for belt in started(bench):
        for name in ("a1", "a2"):
            complete(bench, f"{name}.dat")
        for name in ("b1", "b2"):
            (other / f"{name}.dat").write_bytes(b"pixels")
            bench.observe()
            bench.observe(after=200)
        for _ in range(4):
            belt.turn()
        assert belt.published() == expected


def test_a_store_that_is_away_for_days_is_asked_once_a_minute_and_no_set_is_blamed(bench: Bench, belt: Belt) -> None:
    complete(bench, *(f"{n}.dat" for n in range(5)))
    asked: list[float] = []

    def away(what: str, where: str) -> None:
        asked.append(bench.clock.now())
        raise StoreUnreachable("the server is away")

    belt.store.before = away
    end = bench.clock.now() + 3 * 24 * 3600
    while bench.clock.now() < end:
        bench.clock.advance(max(0.01, belt.turn()))
    assert 3 * 24 * 60 - 10 <= len(asked) <= 3 * 24 * 60 + 20
    pauses = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert max(pauses) < 62
    assert pauses[:3] == pytest.approx([1, 2, 4], abs=0.2)
    assert set(belt.noted) == {"the server is away"}
    assert {one.attempts for one in bench.sets()} == {0}
    belt.store.before = nothing
    for _ in range(20):
        bench.clock.advance(min(70, belt.turn()))
    assert len(belt.published()) == 5
    assert belt.noted[-1] is None


def test_a_full_resource_is_not_asked_more_often_because_it_answers_questions(bench: Bench, belt: Belt) -> None:
    complete(bench, *(f"{n}.dat" for n in range(5)))
    puts: list[float] = []

    def full(what: str, where: str) -> None:
        if what == "put":
            puts.append(bench.clock.now())
            raise StoreFull("the resource is full")

    belt.store.before = full
    end = bench.clock.now() + 6 * 3600
    while bench.clock.now() < end:
        bench.clock.advance(max(0.01, belt.turn()))
    assert 6 * 60 - 5 <= len(puts) <= 6 * 60 + 15
    assert set(belt.noted) == {"the resource is full"}
    belt.store.before = nothing
    for _ in range(20):
        bench.clock.advance(min(70, belt.turn()))
    assert len(belt.published()) == 5
    assert belt.noted[-1] is None


def test_in_the_hours_of_rest_nothing_is_taken(bench: Bench, belt: Belt) -> None:
    complete(bench, "a.dat")
    belt.rest = 500.0
    assert 0 < belt.turn() <= 60
    assert belt.published() == []
    belt.rest = 0.0
    belt.turn()
    assert belt.published() == ["a"]


def forgotten(bench: Bench, belt: Belt) -> Path:
    """A set that was sent early and turned out to be none: its collection in the archive."""
    bench.write("a.dat")
    bench.observe()
    one = bench.journal.sets.change(bench.only(), collection="scope/a", claimed=True)
    session = belt.store.session()
    session.claim("scope/a", one.id)
    (bench.archive / "scope/a/a.dat").write_bytes(b"pixels")
    bench.journal.sets.forget(one)
    (bench.root / "a.dat").unlink()
    return bench.archive / "scope/a"


def test_what_was_sent_early_of_a_forgotten_set_is_removed(bench: Bench, belt: Belt) -> None:
    collection = forgotten(bench, belt)
    belt.turn()
    assert not collection.exists()
    assert bench.journal.collections.withdrawals() == []


def test_what_cannot_be_removed_now_stops_nothing_and_is_tried_again(bench: Bench, belt: Belt) -> None:
    collection = forgotten(bench, belt)
    complete(bench, "b.dat")
    belt.store.before = refusing(StoreBusy("locked"), once=True)
    belt.turn()
    assert belt.published() == ["b"]
    assert collection.exists()
    bench.clock.advance(61)
    belt.turn()
    assert not collection.exists()


def test_what_cannot_be_removed_at_all_is_told_to_the_administrator(bench: Bench, belt: Belt) -> None:
    forgotten(bench, belt)
    belt.store.before = refusing(Conflict("somebody put a file there"))
    belt.turn()
    assert bench.journal.collections.withdrawals() == []
    assert [collection for collection, _ in bench.journal.collections.abandoned()] == ["scope/a"]


def refusing(error: WatcherError, *, once: bool = False):  # type: ignore[no-untyped-def]
    left = [error]

    def refuse(what: str, where: str) -> None:
        if what == "withdraw" and left:
            if once:
                left.clear()
            raise error

    return refuse


def test_a_mistake_of_the_program_ends_it_instead_of_leaving_it_half_alive(bench: Bench, belt: Belt) -> None:
    died = threading.Event()

    def broken(*_: object) -> None:
        raise RuntimeError("a mistake")

    belt.conveyor._take = broken  # type: ignore[assignment]
    belt.conveyor.start(died.set)
    assert died.wait(20)
    with pytest.raises(RuntimeError, match="a mistake"):
        belt.conveyor.join()
