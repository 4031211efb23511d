"""One read of a member for several stores: whoever reads it hands the bytes on, and waits for nobody for long."""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final

from watcher.errors import SourceUnreadable
from watcher.stores.source import BLOCK, Source

#: The bytes that may wait in memory for one store.
MOST: Final = 64 * 1024 * 1024
#: The part of its own time that reading a member may wait for a store that takes its bytes more slowly.
SHARE: Final = 0.1


class Allowance:
    """The bytes that may wait in memory for one store, for all members that are on their way there."""

    def __init__(self, most: int = MOST) -> None:
        self.left = most
        self._changed = threading.Condition()

    def take(self, count: int, patience: float) -> bool:
        """Have room for so many bytes, within so many seconds; whether there is."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.left >= count, max(0.0, patience)):
                return False
            self.left -= count
            return True

    def give_back(self, count: int) -> None:
        """So many bytes wait no more."""
        with self._changed:
            self.left += count
            self._changed.notify_all()


class Feed:
    """The bytes of one member on their way from the one who reads it to one who wants them too.

    The reader begins, puts and ends; the other takes the blocks in another thread, from the beginning to an end that is
    known to be the member's, or is told by SourceUnreadable that they did not all come. Either may stop at any time.
    """

    def __init__(self, size: int, allowance: Allowance, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._allowance = allowance
        self._clock = clock
        self._changed = threading.Condition()
        self._blocks: deque[bytes] = deque()
        self._begun: float | None = None
        self._waited = 0.0
        self._whole = self._over = self._taken = False

    def begin(self) -> bool:
        """The member is read from its beginning; whether somebody wants its bytes, which is so only once."""
        with self._changed:
            if self._begun is not None or self._over:
                return False
            self._begun = self._clock()
            return True

    def put(self, block: bytes) -> None:
        """Hand on what was read. If the other side is too slow for it, it gets nothing of this member at all."""
        begin = self._clock()
        patience = SHARE * (begin - (self._begun or begin)) - self._waited
        if self._over:
            return
        if not self._allowance.take(len(block), patience):
            self.stop()
            return
        self._waited += self._clock() - begin
        with self._changed:
            if self._over:
                self._allowance.give_back(len(block))
                return
            self._blocks.append(block)
            self._changed.notify_all()

    def end(self, *, whole: bool) -> None:
        """Nothing more comes; `whole` says that the member was read to its end, and found unchanged there."""
        with self._changed:
            self._whole = self._whole or (whole and not self._over)
            self._over = True
            self._changed.notify_all()

    def stop(self) -> None:
        """The bytes are not wanted, or not to be had, any more."""
        with self._changed:
            dropped = sum(map(len, self._blocks))
            self._blocks.clear()
            self._over = True
            self._whole = False
            self._changed.notify_all()
        if dropped:
            self._allowance.give_back(dropped)

    def take(self) -> bool:
        """Whether the blocks are still to be had: only the first who asks gets them."""
        with self._changed:
            first, self._taken = not self._taken, True
            return first

    def blocks(self) -> Generator[memoryview]:
        """The member's bytes in order. Raises SourceUnreadable if they do not all come."""
        left = self._size
        try:
            while (block := self._next()) is not None:
                left -= len(block)
                yield memoryview(block)
            if left:
                raise SourceUnreadable(f"{left} bytes of it were not read for others")
        finally:
            self.stop()

    def _next(self) -> bytes | None:
        with self._changed:
            self._changed.wait_for(lambda: self._blocks or self._over)
            block = self._blocks.popleft() if self._blocks else None
            if block is None and not self._whole:
                raise SourceUnreadable("it was not read to its end for others")
        if block is not None:
            self._allowance.give_back(len(block))
        return block


@dataclass(frozen=True, slots=True)
class Shared(Source):
    """A member whose bytes go to these feeds as well when it is first read."""

    feeds: tuple[Feed, ...] = ()

    def blocks(self, block: int = BLOCK) -> Generator[memoryview]:
        """See `Source.blocks`."""
        feeds = [feed for feed in self.feeds if feed.begin()]
        left = self.facts.size
        try:
            # Not super(), which a class with slots does not know.
            with contextlib.closing(Source.blocks(self, block)) as blocks:
                for view in blocks:
                    left -= len(view)
                    self._hand_on(feeds, bytes(view) if feeds else b"", last=not left)
                    yield view
            self._hand_on(feeds, b"", last=not left)
        finally:
            for feed in feeds:
                feed.end(whole=False)

    def read(self) -> bytearray:
        """See `Source.read`."""
        feeds = [feed for feed in self.feeds if feed.begin()]
        try:
            data = Source.read(self)
            self._hand_on(feeds, bytes(data) if feeds else b"", last=True)
            return data
        finally:
            for feed in feeds:
                feed.end(whole=False)

    @staticmethod
    def _hand_on(feeds: list[Feed], block: bytes, *, last: bool) -> None:
        for feed in feeds:
            if block:
                feed.put(block)
            if last:
                feed.end(whole=True)


@dataclass(frozen=True, slots=True)
class Fed(Source):
    """A member whose bytes come from a feed when it is first read, and from the disk if it must be read again."""

    feed: Feed

    def blocks(self, block: int = BLOCK) -> Generator[memoryview]:
        """See `Source.blocks`; the views are as they come."""
        return self.feed.blocks() if self.feed.take() else Source.blocks(self, block)

    def read(self) -> bytearray:
        """See `Source.read`."""
        return bytearray(b"".join(self.feed.blocks())) if self.feed.take() else Source.read(self)
