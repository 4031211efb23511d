"""One process: what runs in which thread, when, and how it stops."""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from watcher.clock import Clock, SystemClock
from watcher.errors import StaleSet, StoreUnreachable, WatcherError, WatchFolderError
from watcher.journal import Journal
from watcher.model import UNDER_WAY, ImageSet, Member, State
from watcher.pipeline.deliver import Crew
from watcher.pipeline.destination import Destination
from watcher.pipeline.hints import Hints
from watcher.pipeline.observe import Seen
from watcher.pipeline.watching import Watching
from watcher.pipeline.way import LONGEST_WAIT, Listener, Way
from watcher.profile import FolderStore, Profile
from watcher.stores import open_store
from watcher.stores.base import Store

#: Everything is listed again at least this often, for changes that leave no trace in a directory's time.
DEEP_EVERY = 3600.0
#: How soon after an event its folder is looked at: instruments write many files a second.
_BREATH = 0.2
_LONGEST_BREATH = 10.0


class Stopped(WatcherError):
    """The program was asked to stop while it was sending."""

    transient = True
    store_wide = True
    cure = ""


@dataclass(slots=True)
class Round:
    """What `once` did: where it had to stop, and which sets are not safe yet."""

    store_trouble: WatcherError | None = None
    folder_trouble: list[WatcherError] = field(default_factory=list)
    unsafe: list[ImageSet] = field(default_factory=list)


class Daemon:
    """The watcher of one instrument: sweeps and judges in the calling thread, delivers in others.

    Whatever it knows is in the journal; stopping it at any moment loses nothing. `stop` ends it from any thread or
    signal handler.
    """

    def __init__(
        self,
        profile: Profile,
        journal: Journal,
        listener: Listener,
        *,
        clock: Clock | None = None,
        store: Store | None = None,
        trust_times: bool = False,
    ) -> None:
        self.profile = profile
        self.journal = journal
        self.store = store or open_store(profile)
        self._clock = clock or SystemClock()
        journal.believe(self._clock.now())
        self._listener = _Stoppable(listener, self)
        self._trust_times = trust_times
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._work = threading.Event()
        self.watchings = [
            Watching(watch, profile, journal, self.store, self._clock, trust_times=trust_times)
            for watch in profile.watch
        ]
        self.destinations = {watch.path: Destination(profile, watch) for watch in profile.watch}

    @property
    def stopping(self) -> bool:
        """Whether the program was asked to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """End as soon as that can be done cleanly; a member that is being sent is given up and sent again next time."""
        self._stop.set()
        self._wake.set()
        self._work.set()

    def check_store(self) -> None:
        """Raise if the store is away, refuses the login, or the collection that all sets go below is missing."""
        used = bool(self.journal.sets.in_states(State.PUBLISHED, State.RELEASED, limit=1))
        for destination in self.destinations.values():
            self.store.check(destination.base, used=used)

    def run(self) -> None:
        """Watch until `stop`. Raises ConfigurationError if the store refuses what the profile says at the start."""
        try:
            self.check_store()
        except StoreUnreachable as error:
            self._note_store(error)
        with self._crew() as crew:
            mistakes: list[Exception] = []
            conveyor = threading.Thread(target=self._guard_conveyor, args=(self._way(crew), mistakes), name="conveyor")
            conveyor.start()
            try:
                self._watch()
            finally:
                self.stop()
                conveyor.join()
        if mistakes:
            raise mistakes[0]

    def once(self) -> Round:
        """Take everything that is finished now to the store, and say what is not safe yet."""
        result = Round()
        with self._crew() as crew:
            self._settle(result)
            try:
                if self.journal.sets.in_states(*UNDER_WAY, limit=1):
                    self.check_store()
                self._drain(self._way(crew))
            except WatcherError as error:
                result.store_trouble = error
        result.unsafe = self.journal.sets.in_states(State.GROWING, State.HELD, *UNDER_WAY)
        return result

    def observe(self) -> list[WatcherError]:
        """One sweep of every watched folder and a judgement, without delivering anything; what went wrong."""
        troubles: list[WatcherError] = []
        for watching in self.watchings:
            try:
                self._report(watching, watching.look_everywhere())
                watching.judge()
            except WatchFolderError as error:
                troubles.append(error)
        return troubles

    def _settle(self, result: Round) -> None:
        """Two looks, far enough apart that a file which is being written shows itself."""
        result.folder_trouble = self.observe()
        settle = max((watch.settle for watch in self.profile.watch), default=0.0)
        growing = self.journal.sets.in_states(State.GROWING, limit=1)
        if growing and settle and not self._clock.wait(settle, self._stop):
            for image_set in self.journal.sets.in_states(State.GROWING):
                with contextlib.suppress(StaleSet):
                    self.journal.sets.change(image_set, retry_at=0.0)
            self.observe()

    def _drain(self, way: Way) -> None:
        tried: set[tuple[str, State]] = set()
        while not self.stopping:
            waiting = [one for one in self.journal.sets.in_states(*UNDER_WAY) if (one.id, one.state) not in tried]
            if not waiting:
                return
            for image_set in waiting:
                tried.add((image_set.id, image_set.state))
                self._take_all_steps(way, image_set)

    def _take_all_steps(self, way: Way, image_set: ImageSet | None) -> None:
        while image_set and image_set.state in UNDER_WAY and not self.stopping:
            image_set = way.step(image_set)

    def _crew(self) -> Crew:
        section = self.profile.store
        return Crew(self.store, 2 if isinstance(section, FolderStore) else section.connections)

    def _way(self, crew: Crew) -> Way:
        return Way(self.profile, self.journal, self.destinations, crew, self._clock, self._listener)

    def _watch(self) -> None:
        """The calling thread's part of `run`: events, sweeps, judgements."""
        hints = [Hints(watching.watch.path, self._wake) for watching in self.watchings]
        patrols = [_Patrol(watching, hint) for watching, hint in zip(self.watchings, hints, strict=True)]
        try:
            while not self.stopping:
                self._wake.clear()
                begin = self._clock.now()
                pause = min(self._guarded(patrol) for patrol in patrols)
                for watching, hint in zip(self.watchings, hints, strict=True):
                    told = (
                        f"{hint.trouble}: no events are heard, so the sweeps find what is new" if hint.trouble else ""
                    )
                    self._listener.trouble(f"events of {watching.watch.path}", told)
                self._guard(lambda: self.journal.note("heartbeat", self._clock.now()))
                self._work.set()
                # However many events come, looking takes a tenth of a core and not more.
                breath = max(_BREATH, min(_LONGEST_BREATH, 9 * (self._clock.now() - begin)))
                looked = self._clock.now()
                gather = _BREATH if self._clock.wait(pause, self._wake) else 0.0
                # Counted from the look: what is due must not wait for it once more.
                self._clock.wait(max(gather, looked + breath - self._clock.now()), self._stop)
        finally:
            for hint in hints:
                hint.stop()

    def _guarded(self, patrol: "_Patrol") -> float:
        """One round of a patrol; seconds until the next, whatever goes wrong."""
        pause = patrol.watching.watch.sweep

        def make_round() -> None:
            nonlocal pause
            pause = patrol.round(self._clock.now(), self._report)

        self._guard(make_round)
        return pause

    def _guard(self, work: Callable[[], None]) -> None:
        """Do something that writes to the journal; a full disk or a missing folder passes, and is told."""
        try:
            work()
        except WatcherError as error:
            if not error.transient:
                raise
            self._listener.trouble("watch", str(error))
        else:
            self._listener.trouble("watch", "")

    def _report(self, watching: Watching, seen: Seen) -> None:
        self.journal.note(f"folder:{watching.watch.path}", {"at": self._clock.now(), "problems": seen.problems[:20]})
        for problem in seen.problems[:20]:
            self._listener.trouble(problem, problem)

    def _guard_conveyor(self, way: Way, mistakes: list[Exception]) -> None:
        """End the whole program if its delivering half dies: a service manager can restart what has ended."""
        try:
            self._convey(way)
        except Exception as error:
            mistakes.append(error)
            self.stop()

    def _convey(self, way: Way) -> None:
        """The conveyor's thread: sets that are under way, the oldest first, until `stop`."""
        pause_until, wait = 0.0, 1.0
        while not self.stopping:
            now = self._clock.now()
            self._work.clear()
            try:
                waiting = self.journal.sets.in_states(*UNDER_WAY)
                due = [one for one in waiting if one.retry_at <= now]
                if due and now >= pause_until:
                    self._take_or_postpone(way, due[0], now + wait)
                    self._note_store(None)
                    wait = 1.0
                    continue
                later = min((one.retry_at for one in waiting), default=now + LONGEST_WAIT)
            except WatcherError as error:
                if not self.stopping:
                    self._note_store(error)
                pause_until, wait = now + wait, min(LONGEST_WAIT, wait * 2)
                later = pause_until
            self._clock.wait(min(LONGEST_WAIT, max(0.05, max(later, pause_until) - now)), self._work)

    def _take_or_postpone(self, way: Way, image_set: ImageSet, until: float) -> None:
        try:
            self._take_all_steps(way, image_set)
        except WatcherError:
            # Another set is the next probe, in case the trouble is with this one after all.
            with contextlib.suppress(WatcherError):
                self.journal.sets.change(self.journal.sets.get(image_set.id), retry_at=until)
            raise

    def _note_store(self, error: WatcherError | None) -> None:
        """Tell of the store's trouble when it begins and when it ends."""
        if self._listener.is_new("store", str(error or "")):
            self._listener.trouble("store", str(error or ""))
            self._guard(lambda: self.journal.note("store", str(error or "")))


class _Patrol:
    """When one watched folder is swept, looked at because of events, and judged."""

    def __init__(self, watching: Watching, hints: Hints) -> None:
        self.watching = watching
        self.hints = hints
        self._next_sweep = 0.0
        self._next_deep = 0.0
        self._next_start = 0.0

    def round(self, now: float, report: Callable[[Watching, Seen], None]) -> float:
        """Do what is due now; seconds until something is due again. Raises WatchFolderError and JournalError."""
        if not self.hints.alive and now >= self._next_start:
            self._next_start = now + LONGEST_WAIT
            self.hints.stop()
            self.hints.start()
        folders, overflow = self.hints.take()
        if now >= self._next_sweep or overflow:
            self._next_sweep = now + self.watching.watch.sweep
            deep = now >= self._next_deep
            report(self.watching, self.watching.look_everywhere(deep=deep))
            if deep:
                self._next_deep = now + DEEP_EVERY
        elif folders:
            self.watching.look_at(folders)
        self.watching.judge()
        due = self.watching.next_due()
        return max(0.0, min(self._next_sweep, due if due is not None else self._next_sweep) - now)


class _Stoppable:
    """Passes on to the listener, tells each trouble once, and stops a transfer when the program is asked to stop."""

    def __init__(self, listener: Listener, daemon: Daemon) -> None:
        self._listener = listener
        self._daemon = daemon
        self._last: dict[str, str] = {}

    def moved(self, image_set: ImageSet) -> None:
        self._listener.moved(image_set)

    def failed(self, image_set: ImageSet, error: WatcherError) -> None:
        self._listener.failed(image_set, error)

    def sent(self, image_set: ImageSet, member: Member, count: int) -> None:
        if self._daemon.stopping:
            raise Stopped("the watcher stops")
        self._listener.sent(image_set, member, count)

    def is_new(self, where: str, what: str) -> bool:
        """Whether something else is wrong there now than when it was last told."""
        return self._last.get(where, "") != what

    def trouble(self, where: str, what: str) -> None:
        if self.is_new(where, what):
            self._last[where] = what
            self._listener.trouble(where, what)
