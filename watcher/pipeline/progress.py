"""How far what is being sent has come, noted in the journal for whoever looks, and only while something is sent."""

import threading
from collections import deque
from typing import Final

from watcher.clock import Clock
from watcher.journal import Journal
from watcher.model import ImageSet, Member

#: What is noted in the journal, and how often in seconds.
NOTED: Final = "sending"
EVERY: Final = 2.0
#: The rate is that of so many seconds.
_WINDOW: Final = 20.0


class Progress:
    """Counts the bytes of members that are under way; a duty beside the sets (see `duties.Duty`)."""

    name = "progress"

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way: dict[str, dict[str, int]] = {}
        self._total = 0
        self._rounds: deque[tuple[float, int]] = deque()
        self._noted: object = None

    def sent(self, image_set: ImageSet, member: Member, count: int) -> None:
        """So many more bytes of a member have been sent; negative ones did not count after all."""
        with self._lock:
            members = self._under_way.setdefault(image_set.id, {})
            done = max(0, members.get(member.path, 0) + count)
            if 0 < done < member.facts.size:
                members[member.path] = done
            else:
                members.pop(member.path, None)
            self._total += max(0, count)

    def over(self, set_id: str) -> None:
        """Nothing of this set is under way any more."""
        with self._lock:
            self._under_way.pop(set_id, None)

    @property
    def sending(self) -> bool:
        """Whether a member is under way."""
        with self._lock:
            return any(self._under_way.values())

    def round(self) -> float:
        """Note how far it is, if that changed. Raises JournalError."""
        now = self._clock.now()
        with self._lock:
            self._rounds.append((now, self._total))
            while self._rounds[0][0] < now - _WINDOW:
                self._rounds.popleft()
            (begin, before), total = self._rounds[0], self._total
            sets = {set_id: sum(members.values()) for set_id, members in self._under_way.items() if members}
        rate = (total - before) / (now - begin) if now > begin else 0.0
        said = {"rate": round(rate), "sets": sets}
        if said != self._noted:
            self._journal.note(NOTED, {"at": now, **said})
            self._noted = said
        return EVERY

    def close(self) -> None:
        """It is never long at it."""
