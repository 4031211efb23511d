"""The program under test, with places around everything it asks of the world where the world can interfere."""

import contextlib
import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from watcher.cli import orders
from watcher.daemon import Daemon
from watcher.errors import StaleSet, UsageError, WatcherError
from watcher.journal import FILE_NAME, Journal
from watcher.model import UNDER_WAY, ImageSet, Member, State
from watcher.notify.events import PUBLISHED, SUPERSEDED
from watcher.pipeline.conveyor import Conveyor
from watcher.pipeline.crew import Crew
from watcher.pipeline.early import Early
from watcher.pipeline.way import Way
from watcher.profile import Profile
from watcher.stores.base import Session, Store
from watcher.stores.folder import FolderStore


class Killed(BaseException):
    """The process ends here, at once."""


class Interference:
    """What the world does at the n-th time that the program asks something of it.

    Places are `claim.before`, `put.after` and so on for the store's operations, `before` and `after` for any of them,
    `sending` while bytes are sent, `clock`, and `look:journal.before`, `look:journal.after`, `step:journal.before` and
    `step:journal.after` around each change that the journal gets from the one or the other half of the program.
    """

    def __init__(self) -> None:
        #: Which half of the program is at work: `look`, `step`, or none.
        self.busy = ""
        self._plans: list[_Plan] = []
        self._lock = threading.Lock()
        self._acting = False
        self._dead = False

    def plan(self, place: str, number: int, times: int, act: Callable[[str], None]) -> None:
        """Let `act` happen at a place after so many calls there, and then so often; it is told the target."""
        self._plans.append(_Plan(place, number, times, act))

    def clear(self) -> None:
        """No more of that."""
        self._plans.clear()
        self._dead = False

    def die(self, _: str = "") -> None:
        """End the process: nothing that it still tries has any effect."""
        self._dead = True
        raise Killed

    def at(self, *places: str, target: str = "") -> None:
        """The program is at a place now."""
        if self._dead:
            raise Killed
        if self._acting:
            return
        with self._lock:
            acts = [plan.act for plan in self._plans if plan.place in places and plan.is_due()]
        self._acting = True
        try:
            for act in acts:
                act(target)
        finally:
            self._acting = False


class _Plan:
    def __init__(self, place: str, number: int, times: int, act: Callable[[str], None]) -> None:
        self.place = place
        self.act = act
        self._number = number
        self._times = times

    def is_due(self) -> bool:
        """Count one call."""
        self._number -= 1
        return -self._times <= self._number < 0


class ShiftingClock:
    """A clock that the test moves."""

    def __init__(self, world: Interference) -> None:
        self._now = 4_000_000_000.0
        self._world = world

    def now(self) -> float:
        """Seconds since 1970."""
        self._world.at("clock")
        return self._now

    def wait(self, seconds: float, wake: threading.Event) -> bool:
        """Let the time pass at once."""
        self.shift(max(0.0, seconds))
        return wake.is_set()

    def shift(self, seconds: float) -> None:
        """Let time pass, or set the clock."""
        self._now += seconds


class _Session:
    """A session with a place for the world before and after each operation."""

    def __init__(self, session: Session, world: Interference) -> None:
        self._session = session
        self._world = world

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._session, name)
        if name == "close":
            return real

        def asked(*args: Any, **more: Any) -> Any:
            target = next((one for one in args[2:] if isinstance(one, str)), "")
            self._world.at("before", f"{name}.before", target=target)
            result = real(*args, **more)
            self._world.at("after", f"{name}.after", target=target)
            return result

        return asked


class _Store(FolderStore):
    """The folder store with the sessions of above."""

    def __init__(self, path: Path, world: Interference) -> None:
        super().__init__(path)
        self._world = world

    def session(self) -> Session:
        """A session that the world can interfere with."""
        return cast(Session, _Session(super().session(), self._world))


class _Told:
    """Nobody listens, but the world may be at work while bytes are sent."""

    def __init__(self, world: Interference) -> None:
        self._world = world

    def moved(self, image_set: ImageSet) -> None:
        """A set has reached a new state."""

    def sent(self, image_set: ImageSet, member: Member, count: int) -> None:
        """Some bytes were sent."""
        self._world.at("sending")

    def failed(self, image_set: ImageSet, error: WatcherError) -> None:
        """A step failed."""

    def trouble(self, where: str, what: str) -> None:
        """Something else is wrong."""


class Program:
    """One process of the watcher: looks, judges and takes sets along when it is told to; the only adapter to it."""

    def __init__(self, profile: Profile, state: Path, archive: Path, clock: ShiftingClock, world: Interference) -> None:
        self.journal = Journal(state, owned=True)
        _watch_changes(self.journal, world)
        store: Store = _Store(archive, world)
        self._clock = clock
        told = _Told(world)
        self._daemon = Daemon(profile, self.journal, told, clock=clock, store=store)
        with contextlib.suppress(WatcherError):
            self._daemon.check_store()
        self._crew = Crew(store, 1)
        self._trouble: list[WatcherError] = []
        way = Way(
            profile, self.journal, store, self._daemon.destinations, self._crew, clock, told, self._daemon.attribute,
            jitter=lambda: 0.5,
        )  # fmt: skip
        early = Early(profile, self.journal, store, way.sending, clock)
        self._conveyor = Conveyor(
            profile, self.journal, way, early, self._crew, clock,
            stop=threading.Event(), resting=lambda: 0.0, note_store=self._note,
        )  # fmt: skip

    def look(self, *, deep: bool = False, folders: set[str] | None = None) -> WatcherError | None:
        """Sweep everything, or look at some folders; what passes is returned."""
        (watching,) = self._daemon.watchings
        return _passing(lambda: watching.look_at(folders) if folders else watching.look_everywhere(deep=deep))

    def judge(self) -> WatcherError | None:
        """Freeze the sets that are finished; what passes is returned."""
        (watching,) = self._daemon.watchings
        return _passing(watching.judge)

    def step_all(self) -> WatcherError | None:
        """Take every set on whose time has come, and send what has come to rest; trouble of the store is returned."""
        self._trouble = []
        while not self._trouble and self._conveyor.round() == 0:
            pass
        return self._trouble[0] if self._trouble else None

    def _note(self, error: WatcherError | None) -> None:
        self._trouble += [error] if error else []

    def order(self, verb: str, number: int) -> None:
        """A person says `retry` or `skip` of one set, from another process."""
        with Journal(self.journal.state) as journal:
            sets = sorted(journal.sets.in_states(), key=lambda one: (one.first_seen, one.id))
        if not sets:
            return
        which = sets[number % len(sets)].id
        with contextlib.suppress(UsageError, StaleSet), contextlib.redirect_stdout(io.StringIO()):
            if verb == "skip":
                orders.skip(which, "a person said so", self.journal.state)
            else:
                orders.retry(which, False, self.journal.state)

    def retry_all(self) -> None:
        """A person says `retry --all`."""
        with contextlib.redirect_stdout(io.StringIO()):
            orders.retry(None, True, self.journal.state)

    def sets(self) -> list[ImageSet]:
        """All sets."""
        return self.journal.sets.in_states()

    def told(self) -> tuple[list[str], list[str]]:
        """The sets of which others are told that they are published, and that they are replaced."""
        rows = self.journal.database.rows("SELECT type, set_id FROM event ORDER BY set_id")
        return [row[1] for row in rows if row[0] == PUBLISHED], [row[1] for row in rows if row[0] == SUPERSEDED]

    def home(self, root: Path, path: str) -> ImageSet | None:
        """The set that a file belongs to."""
        found = [file for file in self.journal.files.below(root, "") if file.path == path]
        return self.journal.sets.get(found[0].set_id) if found and found[0].set_id else None

    def target(self, image_set: ImageSet, path: str) -> str | None:
        """The name of a file below the collection of its set."""
        return next((one.target for one in self.journal.sets.members(image_set.id) if one.path == path), None)

    def close(self) -> None:
        """End, and leave nothing but the journal."""
        self._crew.close()
        self.journal.close()


def lose_journal(state: Path) -> None:
    """All that the program knew is deleted."""
    for path in state.glob(f"{FILE_NAME}*"):
        path.unlink()


def nothing_to_do(sets: list[ImageSet]) -> bool:
    """Whether every set is where only a person or a change of its files can move it."""
    return not any(one.state in {State.GROWING, *UNDER_WAY} for one in sets)


def _passing(work: Callable[[], object]) -> WatcherError | None:
    try:
        work()
    except WatcherError as error:
        if not error.transient:
            raise
        return error
    return None


def _watch_changes(journal: Journal, world: Interference) -> None:
    """Let the world interfere before and after each change to the journal, but not within one."""
    real = journal.database.transaction
    own = threading.local()

    @contextlib.contextmanager
    def transaction() -> Iterator[Any]:
        if getattr(own, "within", False):
            with real() as sql:
                yield sql
            return
        world.at(f"{world.busy}:journal.before")
        own.within = True
        try:
            with real() as sql:
                yield sql
        finally:
            own.within = False
        world.at(f"{world.busy}:journal.after")

    journal.database.transaction = transaction  # type: ignore[method-assign]
