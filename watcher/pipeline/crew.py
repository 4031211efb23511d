"""The connections to a store: workers, each with a session of its own, that do in turn what several sets want."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, Protocol, Self, TypeVar

from watcher.stores.base import Session, Store


class Errand(Protocol):
    """What one worker does at a time. Of `heavy` ones, which take long, one worker is always left free."""

    @property
    def heavy(self) -> bool: ...


T = TypeVar("T")
E = TypeVar("E", bound=Errand)


class Crew:
    """Workers and their sessions: there are never more connections than workers.

    Sets take turns: a worker that is free takes the next errand of the set that has waited longest, so that a set of
    ten files is not behind one of a hundred thousand. `answers` counts what the store has done without a failure, and
    `sent` what of that were errands.
    """

    def __init__(self, store: Store, workers: int) -> None:
        self._store = store
        self._most_heavy = max(1, workers - 1)
        self._heavy = 0
        self._changed = threading.Condition()
        self._asked: deque[_Batch[Any]] = deque()
        self._batches: deque[_Batch[Any]] = deque()
        self._closing = False
        self.answers = self.sent = 0
        self._threads = [threading.Thread(target=self._work, name=f"deliver-{n}") for n in range(workers)]
        for thread in self._threads:
            thread.start()

    @property
    def workers(self) -> int:
        """How many there are."""
        return len(self._threads)

    def do(self, work: Callable[[Session], T]) -> T:
        """Have one thing done before all that is waiting; its result."""
        results: list[T] = []
        self._run(_Batch(iter((_ASKED,)), lambda session, _: results.append(work(session))), self._asked)
        return results[0]

    def each(self, errands: Iterable[E], work: Callable[[Session, E], None]) -> None:
        """Do the work for every errand; the first failure stops those not yet begun, and is raised.

        The errands are asked for as they are needed, so that they need not all be in memory.
        """
        self._run(_Batch(iter(errands), work), self._batches)

    def begin(self, errand: E, work: Callable[[Session, E], None]) -> None:
        """Have the work done for one errand in its turn, and wait for nothing; what fails is for the work to tell."""
        with self._changed:
            self._batches.append(_Batch(iter((errand,)), work, waited_for=False))
            self._changed.notify_all()

    def close(self) -> None:
        """End the threads and give up their connections."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _run(self, batch: "_Batch[Any]", queue: "deque[_Batch[Any]]") -> None:
        with self._changed:
            queue.append(batch)
            self._changed.notify_all()
            try:
                self._changed.wait_for(lambda: batch.done)
            except BaseException:
                # Interrupted: what has begun is waited for, and nothing more is begun.
                batch.stop()
                self._changed.wait_for(lambda: batch.done)
                raise
            finally:
                queue.remove(batch)
        if batch.failure is not None:
            raise batch.failure

    def _work(self) -> None:
        session: Session | None = None
        try:
            while (taken := self._take()) is not None:
                batch, errand = taken
                failure: BaseException | None = None
                try:
                    session = session or self._store.session()
                    batch.work(session, errand)
                except BaseException as error:
                    failure = error
                self._put_back(batch, errand, failure)
        finally:
            if session is not None:
                session.close()

    def _take(self) -> "tuple[_Batch[Any], Any] | None":
        with self._changed:
            while not self._closing:
                for batch in self._waiting():
                    errand = batch.take(heavy=self._heavy < self._most_heavy)
                    if errand is not None:
                        self._heavy += errand.heavy
                        return batch, errand
                    if batch.done:
                        self._changed.notify_all()
                self._changed.wait()
            return None

    def _waiting(self) -> "Iterator[_Batch[Any]]":
        """All batches, in the order in which it is their turn."""
        yield from tuple(self._asked)
        for _ in range(len(self._batches)):
            self._batches.rotate(-1)
            yield self._batches[-1]

    def _put_back(self, batch: "_Batch[Any]", errand: Any, failure: BaseException | None) -> None:
        with self._changed:
            batch.running -= 1
            self._heavy -= errand.heavy
            if failure is None:
                self.answers += 1
                self.sent += errand is not _ASKED
            else:
                batch.fail(failure)
            if batch.done and not batch.waited_for:
                self._batches.remove(batch)
            self._changed.notify_all()


class _Asked:
    heavy = False


_ASKED = _Asked()


class _Batch(Generic[E]):
    """The errands of one caller: those that are to come, and how many are being done."""

    def __init__(self, errands: Iterator[E], work: Callable[[Session, E], None], *, waited_for: bool = True) -> None:
        self._errands: Iterator[E] | None = errands
        self._put_off: deque[E] = deque()
        self.work = work
        self.waited_for = waited_for
        self.running = 0
        self.failure: BaseException | None = None

    @property
    def done(self) -> bool:
        return self._errands is None and not self._put_off and not self.running

    def take(self, *, heavy: bool) -> E | None:
        """The next errand, a heavy one only if that may be; None if there is none now."""
        if heavy and self._put_off:
            self.running += 1
            return self._put_off.popleft()
        while self._errands is not None:
            try:
                errand = next(self._errands, None)
            except BaseException as error:
                self.fail(error)
                return None
            if errand is None:
                self._errands = None
            elif errand.heavy and not heavy:
                self._put_off.append(errand)
            else:
                self.running += 1
                return errand
        return None

    def fail(self, error: BaseException) -> None:
        """Remember the first failure, and begin no more errands."""
        self.failure = self.failure or error
        self.stop()

    def stop(self) -> None:
        """Begin no more errands."""
        self._errands = None
        self._put_off.clear()
