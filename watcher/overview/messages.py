"""Telling people by one channel what needs them, what is over, and that their images are safe.

What needs a person is compared with what the journal says that each addressee knows. Before a message goes, the journal
says that it may have come, and after it that it has: if the program is killed between, a problem or its end is told a
second time rather than never.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Final

from watcher.clock import Clock
from watcher.errors import NotifierAway
from watcher.journal import Journal
from watcher.journal.notices import Notice
from watcher.model import State
from watcher.notify.base import Channel, Message
from watcher.overview import letters, notices
from watcher.overview.addressees import Addressee, Audience
from watcher.overview.attention import MESSAGES, Attention, Kind, attentions, what_to_do
from watcher.overview.words import printable
from watcher.pipeline.duties import Trouble
from watcher.pipeline.patience import pause_after
from watcher.profile.limits import Window

#: How often in seconds it is looked what needs a person.
OFTEN: Final = 30.0
_SAFE: Final = (State.PUBLISHED, State.RELEASED)
#: So many sets a round it is found out of whom they are.
_SETS: Final = 200


@dataclass(frozen=True, slots=True)
class Hours:
    """When people are told: not within `quiet`, by the clock on the wall in this zone, unless it is urgent and may."""

    quiet: tuple[Window, ...] = ()
    urgent_in_quiet: bool = False
    every: float = 3600.0
    zone: tzinfo | None = None

    def allow(self, wall: float, *, urgent: bool) -> bool:
        """Whether somebody may be told at this time."""
        now = datetime.fromtimestamp(wall, self.zone)
        is_quiet = any(window.holds(now.hour * 60 + now.minute) for window in self.quiet)
        return not is_quiet or (urgent and self.urgent_in_quiet)


class Messages:
    """What those in an audience are told by one channel; a duty beside the sets (see `duties.Duty`).

    `watched`: whether this process is the watcher of the journal, whose heartbeat counts then.
    """

    def __init__(
        self,
        channel: Channel,
        audience: Audience,
        hours: Hours,
        desk: letters.Desk,
        journal: Journal,
        clock: Clock,
        *,
        watched: bool,
        stopping: Callable[[], bool],
        trouble: Trouble,
        jitter: Callable[[], float],
        wall: Callable[[], float] | None = None,
    ) -> None:
        self.name = f"{MESSAGES}{channel.name}"
        self._channel = channel
        self._audience = audience
        self._hours = hours
        self._desk = desk
        self._journal = journal
        self._clock = clock
        self._watched = watched
        self._stopping = stopping
        self._trouble = trouble
        self._jitter = jitter
        self._wall = wall or clock.now
        self._looked_at = float("-inf")
        #: Of those who could not be told: how often in a row, and when to try again.
        self._away: dict[str, tuple[int, float]] = {}

    def round(self) -> float:
        """Tell everybody what is due. Raises JournalError."""
        passed = self._clock.now() - self._looked_at
        if 0 <= passed < OFTEN:
            return OFTEN - passed  # woken for something else
        self._looked_at = self._clock.now()
        self._forget_those_gone()
        self._address_good_news()
        found = self._needs()
        concerned = {key: self._audience.concerned(attention) for key, attention in found.items()}
        for addressee in self._audience.all():
            if self._stopping():
                break
            if addressee.problems:
                mine = {key: one for key, one in found.items() if addressee.name in concerned[key]}
                self._tell_needs(addressee, found, mine)
            if addressee.safe:
                self._tell_good_news(addressee)
        return OFTEN

    def close(self) -> None:
        """Give up what is being sent."""
        self._channel.close()

    def _forget_those_gone(self) -> None:
        there = {addressee.name for addressee in self._audience.all()}
        if self._away and not there & self._away.keys():
            self._trouble(self.name, "")
        self._away = {name: away for name, away in self._away.items() if name in there}

    def _needs(self) -> dict[str, Attention]:
        found = attentions(self._journal, self._clock.now(), watched=self._watched)
        return {printable(one.key): replace(one, key=printable(one.key), what=printable(one.what)) for one in found}

    def _tell_needs(self, addressee: Addressee, found: Mapping[str, Attention], mine: Mapping[str, Attention]) -> None:
        now, known = self._clock.now(), self._journal.notices.of(addressee.name)
        # What somebody knows of concerns them until it is over.
        there = {notice.key: one for notice in known if (one := found.get(notice.key) or self._still_held(notice))}
        view = notices.look(known, {**there, **mine}, now)
        if view.changed or view.dropped:
            self._journal.notices.keep(addressee.name, view.changed, view.dropped)
        told_at, every = self._journal.notices.told_at(addressee.name), self._hours.every
        due = {urgent: notices.due_at(view.notices, told_at, every, urgent=urgent) for urgent in (True, False)}
        if not any(self._may_go(addressee, at, urgent=urgent) for urgent, at in due.items()):
            return
        these = notices.begun(notices.to_tell(view.notices, now))
        self._journal.notices.keep(addressee.name, these)
        cures = [what_to_do(found[notice.key]) for notice in these if notice.key in found]
        if self._send(addressee, letters.needs(these, list(dict.fromkeys(cures)), self._desk)):
            over = [notice.key for notice in these if notice.gone_at is not None]
            self._journal.notices.keep(addressee.name, notices.told(these), over, told_at=now)

    def _still_held(self, notice: Notice) -> Attention | None:
        """A set that needs a person although it is not among the first of many."""
        one = self._journal.sets.maybe(notice.set_id) if notice.key.startswith("set:") else None
        if one is None or one.state is not State.HELD:
            return None
        return Attention(notice.key, Kind.SET, notice.what, notice.since, notice.urgent, notice.set_id)

    def _address_good_news(self) -> None:
        for set_id in self._journal.notices.unaddressed(_SETS):
            one = self._journal.sets.maybe(set_id)
            authors = self._audience.authors(one) if one and one.state in _SAFE else set()
            if authors is None:
                return
            wanted = {addressee.name for addressee in self._audience.all() if addressee.safe}
            self._journal.notices.address(set_id, authors & wanted)

    def _tell_good_news(self, addressee: Addressee) -> None:
        news = self._journal.notices.good_news(addressee.name)
        if not news or not self._may_go(addressee, self._good_news_due(news[0][1], news[-1][1]), urgent=False):
            return
        found = [one for set_id, _ in news if (one := self._journal.sets.maybe(set_id))]
        if self._send(addressee, letters.safe(found, self._desk)):
            self._journal.notices.told_good_news(addressee.name, [set_id for set_id, _ in news], self._clock.now())

    def _good_news_due(self, first: float, last: float) -> float:
        """When sets are told of that became safe between these times: at the end of their session, or in time."""
        now, every = self._clock.now(), max(self._hours.every, notices.GATHERS)
        sessions = self._journal.sessions.between(first - every, now)
        if sessions and not any(session.is_open(now) for session in sessions):
            ended = max(session.until for session in sessions)
            return min(first + every, max(ended, last) + notices.GATHERS)
        return first + every

    def _may_go(self, addressee: Addressee, due_at: float | None, *, urgent: bool) -> bool:
        now = self._clock.now()
        if due_at is None or now < due_at or now < self._away.get(addressee.name, (0, 0.0))[1]:
            return False
        return self._hours.allow(self._wall(), urgent=urgent)

    def _send(self, addressee: Addressee, message: Message) -> bool:
        try:
            self._channel.send(message, addressee.to)
        except NotifierAway as error:
            if not self._stopping():  # cut off by ourselves, which says nothing
                failures, _ = self._away.get(addressee.name, (0, 0.0))
                pause = pause_after(error, failures, self._jitter)
                self._away[addressee.name] = (failures + 1, self._clock.now() + pause)
                self._trouble(self.name, str(error))
            return False
        self._away.pop(addressee.name, None)
        if not self._away:
            self._trouble(self.name, "")
        return True
