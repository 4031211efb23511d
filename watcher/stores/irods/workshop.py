"""What the sessions of one store know together of bundles; without the client library, since others ask it too."""

import threading
from collections.abc import Callable


class Workshop:
    """Whether bundles are taken, and which sets have no leftovers. `closed`: this resource has refused one for good."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = False
        self._tidy: set[str] = set()
        self.closed = False

    def prepare(self, collection: str, make: Callable[[], None], tidy: Callable[[], None]) -> None:
        """Have the work collection made once, and each set's leftovers removed before its first tar comes."""
        with self._lock:
            if not self._open:
                make()
                self._open = True
            if collection not in self._tidy:
                tidy()
                self._tidy.add(collection)

    def knows(self, collection: str) -> bool:
        """Whether bundles of this set were begun in this process."""
        with self._lock:
            return collection in self._tidy

    def forget(self, collection: str) -> None:
        """The set has no more bundles."""
        with self._lock:
            self._tidy.discard(collection)
