"""The crew: turns between sets, one worker left for what is quick, failures, and what is left behind."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from watcher.errors import StoreUnreachable
from watcher.pipeline.crew import Crew
from watcher.stores.base import Session
from watcher.stores.folder import FolderSession, FolderStore


@dataclass(frozen=True)
class Errand:
    name: str
    heavy: bool = False


class CountingStore(FolderStore):
    """Counts its sessions and those that were closed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.opened: list[Session] = []
        self.closed = 0

    def session(self) -> Session:
        store = self

        class Counted(FolderSession):
            def close(self) -> None:
                store.closed += 1

        session = Counted(self)
        self.opened.append(session)
        return session


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    return CountingStore(tmp_path)


@contextmanager
def started(crew: Crew, errands: list[Errand], work: object) -> Iterator[None]:
    """`each` in a thread of its own, which must have ended at the end."""
    thread = threading.Thread(target=crew.each, args=(errands, work))
    thread.start()
    yield
    thread.join(20)
    assert not thread.is_alive()


def test_every_errand_is_done_once_and_sessions_are_no_more_than_workers(store: CountingStore) -> None:
    done: list[str] = []
    with Crew(store, 3) as crew:
        crew.each([Errand(f"{n}") for n in range(200)], lambda _, errand: done.append(errand.name))
        assert crew.do(lambda session: session.avus("nothing")) == frozenset()
        assert crew.answers == 201
    assert sorted(done, key=int) == [f"{n}" for n in range(200)]
    assert len(store.opened) <= 3
    assert store.closed == len(store.opened)


def test_a_short_batch_is_not_behind_a_long_one(store: CountingStore) -> None:
    order: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def slowly(_: Session, errand: Errand) -> None:
        begun.set()
        go_on.wait(20)
        order.append(errand.name)

    with Crew(store, 1) as crew, started(crew, [Errand(f"long {n}") for n in range(50)], slowly):
        begun.wait(20)
        with started(crew, [Errand("short 0"), Errand("short 1")], lambda _, errand: order.append(errand.name)):
            while len(crew._batches) < 2:
                pass
            go_on.set()
    assert order.index("short 1") <= 4, order[:10]


def test_a_worker_is_left_for_what_is_quick_while_large_members_are_sent(store: CountingStore) -> None:
    go_on = threading.Event()
    running: list[str] = []

    def large(_: Session, errand: Errand) -> None:
        running.append(errand.name)
        go_on.wait(20)

    with Crew(store, 3) as crew, started(crew, [Errand(f"{n}", heavy=True) for n in range(5)], large):
        crew.each([Errand("quick")] * 10, lambda _, __: None)
        assert len(running) <= 2
        go_on.set()
    assert sorted(running) == ["0", "1", "2", "3", "4"]


def test_small_members_of_a_set_are_not_behind_its_large_ones(store: CountingStore) -> None:
    quick_done = threading.Event()
    order: list[str] = []

    def work(_: Session, errand: Errand) -> None:
        if errand.heavy:
            quick_done.wait(20)
        order.append(errand.name)
        if errand.name == "quick 9":
            quick_done.set()

    errands = [*(Errand(f"{n}", heavy=True) for n in range(5)), *(Errand(f"quick {n}") for n in range(10))]
    with Crew(store, 2) as crew:
        crew.each(errands, work)
    assert order[:10] == [f"quick {n}" for n in range(10)]
    assert sorted(order[10:]) == ["0", "1", "2", "3", "4"]


def test_one_worker_alone_does_large_ones_too(store: CountingStore) -> None:
    done: list[str] = []
    with Crew(store, 1) as crew:
        crew.each([Errand("a", heavy=True), Errand("b", heavy=True)], lambda _, errand: done.append(errand.name))
    assert done == ["a", "b"]


def test_the_first_failure_is_raised_and_what_was_not_begun_is_left(store: CountingStore) -> None:
    done: list[str] = []

    def work(_: Session, errand: Errand) -> None:
        done.append(errand.name)
        if errand.name == "3":
            raise StoreUnreachable("away")

    with Crew(store, 1) as crew:
        with pytest.raises(StoreUnreachable):
            crew.each([Errand(f"{n}") for n in range(100)], work)
        assert done == ["0", "1", "2", "3"]
        # And the crew goes on.
        crew.each([Errand("after")], work)
    assert done[-1] == "after"


def test_errands_are_asked_for_only_as_they_are_needed(store: CountingStore) -> None:
    asked: list[int] = []

    def errands() -> Iterator[Errand]:
        for n in range(100_000):
            asked.append(n)
            yield Errand(f"{n}")

    def stop(_: Session, errand: Errand) -> None:
        if errand.name == "10":
            raise StoreUnreachable("away")

    with Crew(store, 2) as crew, pytest.raises(StoreUnreachable):
        crew.each(errands(), stop)
    assert len(asked) < 50


def test_a_failure_while_errands_are_made_is_raised_and_the_crew_goes_on(store: CountingStore) -> None:
    def errands() -> Iterator[Errand]:
        yield Errand("a")
        raise StoreUnreachable("no more")

    with Crew(store, 2) as crew:
        with pytest.raises(StoreUnreachable):
            crew.each(errands(), lambda _, __: None)
        assert crew.do(lambda _: 7) == 7
