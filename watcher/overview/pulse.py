"""The watcher's pulse, for what watches over it: it beats only while the watcher looks at its folders and sends."""

from collections.abc import Callable
from typing import Final

from watcher.clock import Clock
from watcher.errors import NotifierAway
from watcher.journal import Journal
from watcher.notify.ping import Switch
from watcher.overview import picture, words
from watcher.overview.attention import HANGS, PING
from watcher.overview.language import say
from watcher.overview.notices import SETTLES
from watcher.pipeline.duties import Trouble

#: Carriers without a set come round every minute, and bytes of a large one move. That nothing does for so long, in
#: seconds, is no large set any more.
STALLS: Final = 3600.0


class Pulse:
    """Asks the dead man's switch again and again; a duty beside the sets (see `duties.Duty`).

    `stirred_at` says when something last moved on the conveyor; None for a process that ends by itself, which is here
    because it lives.
    """

    name = "pulse"

    def __init__(
        self,
        switch: Switch,
        every: float,
        journal: Journal,
        clock: Clock,
        *,
        stirred_at: Callable[[], float] | None,
        stopping: Callable[[], bool],
        trouble: Trouble,
    ) -> None:
        self._switch = switch
        self._every = every
        self._journal = journal
        self._clock = clock
        self._stirred_at = stirred_at
        self._stopping = stopping
        self._trouble = trouble
        self._begun = False
        self._urgent_since: float | None = None
        self._beat_at = float("-inf")

    def round(self) -> float:
        """Beat, if it is time. Raises JournalError."""
        now = self._clock.now()
        if 0 <= now - self._beat_at < self._every:
            return self._beat_at + self._every - now  # woken for something else
        self._beat_at = now
        try:
            self._beat(now)
        except NotifierAway as error:
            if not self._stopping():
                self._trouble(PING, str(error))
        else:
            self._trouble(PING, "")
        return self._every

    def close(self) -> None:
        """Give up what is being asked."""
        self._switch.close()

    def _beat(self, now: float) -> None:
        if not self._begun:
            self._switch.begins()
            self._begun = True
        overview = picture.take(self._journal, now)
        sentence = words.printable(picture.sentence(overview))
        self._urgent_since = (self._urgent_since or now) if overview.urgent else None
        if problem := self._stalled(now):
            self._switch.is_not_well(problem)
        elif self._urgent_since is not None and now - self._urgent_since >= SETTLES:
            self._switch.is_not_well(sentence)
        else:
            self._switch.is_well(sentence)

    def _stalled(self, now: float) -> str:
        if self._stirred_at is None:
            return ""
        heartbeat = self._journal.noted("heartbeat")
        looked = heartbeat if isinstance(heartbeat, float) else 0.0
        if now - looked > HANGS:
            return say("The watcher has not looked at its folders since {when}.", when=words.when(looked))
        stirred = self._stirred_at()
        if now - stirred > STALLS:
            return say("The watcher has sent nothing since {when}, and looked for nothing.", when=words.when(stirred))
        return ""
