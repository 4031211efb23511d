"""A channel that a test holds, and a reader of what came by it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.unit.pipeline.conftest import FakeClock
from watcher.errors import NotifierAway
from watcher.journal import Journal
from watcher.notify.base import Message
from watcher.overview.addressees import Audience, Facility
from watcher.overview.letters import Desk
from watcher.overview.messages import OFTEN, Hours, Messages

MINUTE, HOUR = 60.0, 3600.0


class Killed(BaseException):
    """The process ends here, at once."""


@dataclass
class Way:
    """A way to people, by which messages come, or do not, as a test wants."""

    name: str = "NOTIFY_FACILITY"
    came: list[tuple[str, Message]] = field(default_factory=list)
    tried: int = 0
    away: str = ""
    dies: str = ""

    def send(self, message: Message, to: str = "") -> None:
        """See `Channel`."""
        self.tried += 1
        if self.dies == "before":
            raise Killed
        if self.away:
            raise NotifierAway(f"{self.name}: {self.away}")
        self.came.append((to, message))
        if self.dies == "after":
            raise Killed

    def close(self) -> None:
        """Nothing takes long."""

    @property
    def titles(self) -> list[str]:
        """What was told, in order."""
        return [message.title for _, message in self.came]


@dataclass
class Told:
    """What is in trouble now, and all that was said of it."""

    journal: Journal
    clock: FakeClock
    said: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, where: str, what: str) -> None:
        """As the watcher does: each change once, and into the journal."""
        before = next((last for place, last in reversed(self.said) if place == where), "")
        if what != before:
            self.said.append((where, what))
            self.journal.trouble(where, what, self.clock.now())


def messages(
    way: Way,
    journal: Journal,
    clock: FakeClock,
    *,
    hours: Hours | None = None,
    audience: Audience | None = None,
    told: Callable[[str, str], None] | None = None,
    stop: threading.Event | None = None,
) -> Messages:
    """The duty by that way, as it is after a start."""
    desk = Desk("scope", "https://scope.example/", lambda one: one.collection or "", journal.sets.maybe)
    return Messages(
        way, audience or Facility(way.name), hours or Hours(), desk, journal, clock,
        watched=False, stopping=(stop or threading.Event()).is_set, trouble=told or Told(journal, clock),
        jitter=lambda: 1.0,
    )  # fmt: skip


def let_pass(duty: Messages, clock: FakeClock, seconds: float) -> None:
    """What the duty's thread does in this time."""
    end = clock.now() + seconds
    while clock.now() < end:
        wait = duty.round()
        assert 0 < wait <= OFTEN
        clock.advance(min(wait, end - clock.now()))
