"""What the watcher hears of its own work, passed on to whoever wants to know; here a transfer is slowed or stopped."""

import threading
from collections.abc import Callable

from watcher.errors import WatcherError
from watcher.model import ImageSet, Member, State
from watcher.pipeline.manners import Manners
from watcher.pipeline.orders import Pausing
from watcher.pipeline.progress import Progress
from watcher.pipeline.way import Listener


class Stopped(WatcherError):
    """The program was asked to stop while it was sending."""

    transient = True
    store_wide = True
    cure = ""


class Hearing:
    """A Listener before another one: each trouble goes on once, and who has sent bytes may have to wait, or to end.

    `note_trouble` keeps a trouble for those who look later; `on_published` may be set to what is to happen then.
    """

    def __init__(
        self,
        listener: Listener,
        stop: threading.Event,
        manners: Manners,
        pausing: Pausing,
        progress: Progress,
        note_trouble: Callable[[str, str], None],
    ) -> None:
        self._listener = listener
        self._stop = stop
        self._manners = manners
        self._pausing = pausing
        self._progress = progress
        self._note_trouble = note_trouble
        self._last: dict[str, str] = {}
        self.on_published: Callable[[], None] = lambda: None

    def moved(self, image_set: ImageSet) -> None:
        """See `Listener`."""
        self._listener.moved(image_set)
        self._progress.over(image_set.id)
        if image_set.state is State.PUBLISHED:
            self.on_published()

    def failed(self, image_set: ImageSet, error: WatcherError) -> None:
        """See `Listener`."""
        self._listener.failed(image_set, error)
        self._progress.over(image_set.id)

    def sent(self, image_set: ImageSet, member: Member, count: int) -> None:
        """See `Listener`. Raises Stopped or Paused."""
        self._listener.sent(image_set, member, count)
        self._progress.sent(image_set, member, count)
        self._manners.spend(count)
        if self._stop.is_set():
            raise Stopped("the watcher stops")
        if is_paused := self._pausing():
            raise is_paused

    def spending(self, manners: Manners) -> Callable[[int], None]:
        """What bytes that are sent elsewhere are told to: it slows or stops that transfer alone."""

        def spent(count: int) -> None:
            manners.spend(count)
            if self._stop.is_set():
                raise Stopped("the watcher stops")
            if is_paused := self._pausing():
                raise is_paused

        return spent

    def is_new(self, where: str, what: str) -> bool:
        """Whether something else is wrong there now than when it was last told."""
        return self._last.get(where, "") != what

    def tell(self, where: str, what: str) -> None:
        """Tell what the journal keeps in a place of its own, which knows whether it is new."""
        self._listener.trouble(where, what)

    def trouble(self, where: str, what: str) -> None:
        """See `Listener`."""
        if self.is_new(where, what):
            self._last[where] = what
            self._listener.trouble(where, what)
            self._note_trouble(where, what)
