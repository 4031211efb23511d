"""The facility's persons, requests and bookings as they were last read, so that no set waits for a share that hangs."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Generic, TypeVar
from zoneinfo import ZoneInfo

from watcher.errors import DocumentError
from watcher.profile import Profile
from watcher.provenance.bookings import Booking, read_bookings
from watcher.provenance.people import People, read_people
from watcher.provenance.request import Request
from watcher.provenance.requests import Requests

#: How long in seconds a set may wait for what was written just now.
PATIENCE: Final = 2.0
#: How often in seconds it is looked whether a file changed.
OFTEN: Final = 10.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Register:
    """What was known at one moment. problems are what is wrong, by file or folder; they name no persons."""

    people: People = field(default_factory=People)
    requests: Mapping[str, Request] = field(default_factory=dict)
    bookings: tuple[Booking, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)


class Registers:
    """Reads the files of a profile's section `people` again when they change.

    A file that is wrong is told, and what was read of it before still holds.
    """

    def __init__(self, profile: Profile) -> None:
        section, zone = profile.people, profile.instrument.timezone
        self._people = _File(
            section.directory,
            lambda path: read_people(path, section.columns, section.generic_logins),
            People((), section.generic_logins),
        )
        bookings = section.bookings
        self._bookings: _File[tuple[Booking, ...]] = _File(None, lambda _: (), ())
        if bookings:
            self._bookings = _File(
                bookings.file,
                lambda _: tuple(read_bookings(bookings, profile.instrument.name, ZoneInfo(zone) if zone else None)),
                (),
            )
        self._requests = Requests(section.requests) if section.requests else None
        self._now = Register()
        self._changed = threading.Condition()
        self._asked = self._answered = 0
        self._stopping = False

    @property
    def now(self) -> Register:
        """What is known now; never waits."""
        return self._now

    def refresh(self) -> Register:
        """Read what has changed, and say what is known then."""
        problems: dict[str, str] = {}
        people = self._people.look(problems)
        bookings = self._bookings.look(problems)
        requests = self._now.requests
        # Nobody has made a request yet, if only the folder itself is not there.
        if self._requests and (self._requests.folder.exists() or not self._requests.folder.parent.exists()):
            try:
                requests, wrong = self._requests.all()
                if wrong:
                    problems[str(self._requests.folder)] = "\n".join(wrong)
            except DocumentError as error:
                problems[str(self._requests.folder)] = str(error)
        self._now = Register(people, requests, bookings, problems)
        return self._now

    @contextlib.contextmanager
    def reading(self, told: Callable[[Register], None], patience: float) -> Iterator[None]:
        """Keep reading meanwhile, in a thread of its own; `told` hears each time what is known.

        Begins when it is known what is there now, or after so many seconds.
        """
        with self._changed:
            self._stopping = False
            self._asked += 1
            mine = self._asked
        thread = threading.Thread(target=self._run, args=(told,), name="registers", daemon=True)
        thread.start()
        self._wait_for(mine, patience)
        try:
            yield
        finally:
            with self._changed:
                self._stopping = True
                self._changed.notify_all()
            # A share that hangs must not keep the program from ending.
            thread.join(PATIENCE)

    def _run(self, told: Callable[[Register], None]) -> None:
        while not self._stopping:
            with self._changed:
                asked = self._asked
            told(self.refresh())
            with self._changed:
                self._answered = asked
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._stopping or self._asked > self._answered, OFTEN)

    def ask(self, patience: float = PATIENCE) -> Register:
        """What is known after a look that begins now, or after so many seconds if it takes longer."""
        with self._changed:
            self._asked += 1
            mine = self._asked
            self._changed.notify_all()
        self._wait_for(mine, patience)
        return self._now

    def _wait_for(self, asked: int, patience: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._answered >= asked or self._stopping, patience)


class _File(Generic[T]):
    """One file and what was last read of it."""

    def __init__(self, path: Path | None, read: Callable[[Path], T], empty: T) -> None:
        self._path = path
        self._read = read
        self._value = empty
        self._stamp: object = None
        self._problem = ""

    def look(self, problems: dict[str, str]) -> T:
        """What is in the file now, or was there when it was last right; what is wrong goes into `problems`."""
        if self._path is None:
            return self._value
        try:
            status = self._path.stat()
            stamp: object = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            stamp = None  # reading it says what is wrong
        if stamp is None or stamp != self._stamp:
            try:
                self._value, self._problem = self._read(self._path), ""
            except DocumentError as error:
                self._problem = str(error)
            self._stamp = stamp
        if self._problem:
            problems[str(self._path)] = self._problem
        return self._value
