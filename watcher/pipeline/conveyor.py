"""Which set is taken on next: the order of the sets, several at a time, and what happens while the store is away."""

import contextlib
import threading
from collections.abc import Callable
from typing import Final

from watcher.clock import Clock
from watcher.errors import LoginRefused, Paused, StoreUnreachable, WatcherError
from watcher.journal import Journal
from watcher.model import UNDER_WAY, ImageSet, State
from watcher.pipeline.crew import Crew
from watcher.pipeline.early import Early
from watcher.pipeline.patience import LONGEST_WAIT
from watcher.pipeline.way import Way
from watcher.pipeline.withdraw import Withdrawals
from watcher.profile import Profile

#: One carrier takes only sets with so many bytes to send or less, so that they are not stuck behind huge ones.
SMALL: Final = 256 * 1024 * 1024


class Conveyor:
    """Carriers, each of which takes one set at a time as far as it goes.

    The order: the folder with the highest priority first, folders of the same priority in turn, in each the set that
    was complete first; then, of what still grows, what has come to rest. A failure that concerns the whole store blames
    no set: all wait, at most a minute, and one set at a time is the probe.
    """

    def __init__(
        self,
        profile: Profile,
        journal: Journal,
        way: Way,
        early: Early,
        crew: Crew,
        clock: Clock,
        *,
        stop: threading.Event,
        resting: Callable[[], float],
        note_store: Callable[[WatcherError | None], None],
    ) -> None:
        self._journal = journal
        self._way = way
        self._early = early
        self._crew = crew
        self._clock = clock
        self._stop = stop
        self._resting = resting
        self._note_store = note_store
        self._lock = threading.Lock()
        self._in_hand: set[str] = set()
        # While the store is in trouble: when to try it again, the pause after that, and whether it is over.
        self._pause_until = 0.0
        self._pause = 1.0
        self._is_over: Callable[[], bool] | None = None
        self._withdrawals = Withdrawals(journal, crew, clock)
        self._turns = [watch.path for watch in profile.watch]
        self._priority = {watch.path: watch.priority for watch in profile.watch}
        self._wakes = [threading.Event() for _ in range(max(2, crew.workers))]
        self._carriers: list[threading.Thread] = []
        self._mistakes: list[Exception] = []
        #: When a carrier last began or ended something, or had nothing to do.
        self.stirred_at = clock.now()

    def start(self, died: Callable[[], None]) -> None:
        """Begin; `died` is called if a mistake of the program ends a carrier."""
        for number, wake in enumerate(self._wakes, 1):
            most = SMALL if number == len(self._wakes) else None
            self._carriers.append(
                threading.Thread(target=self._carry, args=(most, wake, died), name=f"carrier-{number}")
            )
        for thread in self._carriers:
            thread.start()

    def wake(self) -> None:
        """There may be something to do."""
        for wake in self._wakes:
            wake.set()

    def join(self) -> None:
        """Wait for the carriers, after `stop` was set and they were woken. Raises what ended one of them by mistake."""
        for thread in self._carriers:
            thread.join()
        if self._mistakes:
            raise self._mistakes[0]

    def _carry(self, most: int | None, wake: threading.Event, died: Callable[[], None]) -> None:
        """A carrier's thread. If it dies, the whole program ends: a service manager can restart what has ended."""
        try:
            while not self._stop.is_set():
                wake.clear()
                self.stirred_at = self._clock.now()
                wait = self.round(most)
                if wait and not self._stop.is_set():
                    self._clock.wait(wait, wake)
        except Exception as error:
            self._mistakes.append(error)
            died()

    def round(self, most: int | None = None) -> float:
        """What a carrier does again and again: take one set on; the seconds until there may be another.

        With `most`, only a set with so many bytes or less to send.
        """
        image_set: ImageSet | None = None
        try:
            image_set, wait = self._take(most)
            if image_set is None:
                return wait
            self.wake()  # there may be more, for another carrier
            if self._carry_on(image_set):
                self._recovered()
        except Paused:
            pass  # nobody's failure; `resting` says when to ask again
        except WatcherError as error:
            if not self._stop.is_set():
                self._failed(error, image_set)
        finally:
            if image_set is not None:
                with self._lock:
                    self._in_hand.discard(image_set.id)
        return 0.0

    def _carry_on(self, image_set: ImageSet) -> bool:
        """Whether it came to the end of its way."""
        if image_set.state is State.GROWING:
            self._early.step(image_set)
            return False
        following: ImageSet | None = image_set
        while following and following.state in UNDER_WAY and not self._stop.is_set():
            following = self._way.step(following)
        return following is not None and following.state is State.PUBLISHED

    def _take(self, most: int | None) -> tuple[ImageSet | None, float]:
        """A set for one carrier, or the seconds until there may be one. Raises WatcherError."""
        with self._lock:
            now = self._clock.now()
            if self._is_over and self._is_over():
                self._clear_trouble()
            if rest := self._resting():
                return None, min(rest, LONGEST_WAIT)
            if now < self._pause_until:
                return None, self._pause_until - now
            if self._is_over and self._in_hand:
                return None, self._pause
            self._withdrawals.clear(self._in_hand)
            image_set = self._oldest(now, most) or self._early.next_set(self._in_hand)
            if image_set is None:
                at = min(self._journal.sets.next_retry() or now + LONGEST_WAIT, self._early.next_look)
                return None, min(LONGEST_WAIT, max(0.05, at - now))
            self._in_hand.add(image_set.id)
            return image_set, 0.0

    def _oldest(self, now: float, most: int | None) -> ImageSet | None:
        for root in sorted(self._turns, key=lambda root: -self._priority[root]):
            image_set = self._journal.sets.next_under_way(root, now, self._in_hand, most)
            if image_set is not None:
                self._turns.remove(root)
                self._turns.append(root)
                return image_set
        return None

    def _sign_of_recovery(self, error: WatcherError) -> Callable[[], bool]:
        """How it will show that others need not wait for the whole set that is the probe."""
        answers, sent = self._crew.answers, self._crew.sent
        if isinstance(error, StoreUnreachable | LoginRefused):
            return lambda: self._crew.answers > answers
        # A full resource answers all questions, and so does the store while the journal's disk is full.
        return lambda: self._crew.sent > sent

    def _recovered(self) -> None:
        with self._lock:
            if self._is_over:
                self._clear_trouble()

    def _clear_trouble(self) -> None:
        self._is_over, self._pause, self._pause_until = None, 1.0, 0.0
        self._note_store(None)

    def _failed(self, error: WatcherError, image_set: ImageSet | None) -> None:
        with self._lock:
            now = self._clock.now()
            if now >= self._pause_until:  # those that were under way with the first to fail count as one
                self._is_over = self._sign_of_recovery(error)
                self._pause_until, self._pause = now + self._pause, min(LONGEST_WAIT, self._pause * 2)
            self._note_store(error)
        if image_set is not None and image_set.state is not State.GROWING:
            # Another set is the next probe, in case the trouble is with this one after all.
            with contextlib.suppress(WatcherError):
                self._journal.sets.change(self._journal.sets.get(image_set.id), retry_at=self._pause_until)
