"""What changed, as a stream of events (WHATWG HTML, server-sent events): a hint to ask again, and no more.

However many listen, the journal is looked at once a second, and not at all while nobody does. A listener that does not
read loses nothing but the single steps: what it has not been told yet becomes one event.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from anyio import to_thread
from starlette.types import Receive, Scope, Send

from watcher.errors import WatcherError
from watcher.journal import Journal
from watcher.overview import records
from watcher.web.glance import Glance

#: How often in seconds the journal is looked at, and a silent stream says that it lives.
EVERY: Final = 1.0
BEAT: Final = 15.0
#: Streams at the same time, sets that one event names, and how long in seconds a listener may take nothing at all.
MOST: Final = 200
_NAMED: Final = 100
_STALLED: Final = 60.0
#: What changes all the time and is no news.
_NO_NEWS: Final = frozenset({"heartbeat", "pace"})


@dataclass(frozen=True, slots=True)
class Change:
    """What changed: parts of the status by name, and sets with the state they came into."""

    parts: frozenset[str] = frozenset()
    sets: Mapping[str, str] | None = None

    def __bool__(self) -> bool:
        return bool(self.parts or self.sets)

    def and_then(self, later: "Change") -> "Change":
        """Both as one; of the sets the last ones are kept."""
        sets = {**(self.sets or {}), **(later.sets or {})}
        return Change(self.parts | later.parts, dict(list(sets.items())[-_NAMED:]))

    def record(self) -> dict[str, Any]:
        """For programs."""
        sets = [{"id": set_id, "state": state} for set_id, state in (self.sets or {}).items()]
        return {"schema_version": records.SCHEMA_VERSION, "changed": sorted(self.parts), "sets": sets}


class Stream:
    """What one listener has not been told yet."""

    def __init__(self) -> None:
        self._news = Change()
        self._there = asyncio.Event()
        self.ended = False

    def tell(self, change: Change) -> None:
        """There is this, too."""
        self._news = self._news.and_then(change)
        self._there.set()

    def end(self) -> None:
        """Nothing more comes."""
        self.ended = True
        self._there.set()

    async def next(self, patience: float) -> Change:
        """What is to be told; nothing if there is none for so many seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._there.wait(), patience)
        self._there.clear()
        news, self._news = self._news, Change()
        return news


class Changes:
    """Looks at the journal for all streams. Everything but `look` happens in the page's event loop."""

    def __init__(self, journal: Journal, glance: Glance, *, every: float = EVERY) -> None:
        self._journal = journal
        self._glance = glance
        self._every = every
        self._streams: set[Stream] = set()
        self._looking: asyncio.Task[None] | None = None
        self._version: object = None
        self._last: dict[str, Any] = {}
        self._line = 0
        self._ended = False

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._streams)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[Stream]:
        """A stream for as long as somebody listens."""
        stream = Stream()
        if self._ended:
            stream.end()
        self._streams.add(stream)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_again_and_again())
        try:
            yield stream
        finally:
            self._streams.discard(stream)
            if not self._streams and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    def end(self) -> None:
        """End all streams: the page ends."""
        self._ended = True
        for stream in self._streams:
            stream.end()

    async def _look_again_and_again(self) -> None:
        await to_thread.run_sync(self._begin)
        while True:
            await asyncio.sleep(self._every)
            with contextlib.suppress(WatcherError):  # the watcher itself tells what is wrong with the journal
                if change := await to_thread.run_sync(self.look):
                    for stream in self._streams:
                        stream.tell(change)

    def _begin(self) -> None:
        with contextlib.suppress(WatcherError):
            self.look()

    def look(self) -> Change:
        """What changed since the last look. Raises JournalError."""
        if self._journal.database.version() == self._version:
            return Change()
        first = self._version is None
        # That of the picture, which may be older by a second: then the next look finds the rest.
        self._version, now = self._glance.with_version("en")
        record = records.of_overview(now, self._journal)
        parts = frozenset(key for key, value in record.items() if self._last.get(key) != value) - _NO_NEWS
        self._line, sets = self._journal.sets.moved_since(self._line, _NAMED)
        self._last = record
        return Change() if first else Change(parts, sets)


class EventStream:
    """An ASGI application that tells one listener what changes, until either of them ends."""

    def __init__(self, changes: Changes, *, beat: float = BEAT, stalled: float = _STALLED) -> None:
        self._changes = changes
        self._beat = beat
        self._stalled = stalled

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        async with self._changes.listening() as stream:
            gone = asyncio.create_task(_until_gone(receive, stream))
            try:
                with contextlib.suppress(TimeoutError):
                    await self._tell(stream, send)
            finally:
                gone.cancel()

    async def _tell(self, stream: Stream, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
        await self._write(send, {"type": "http.response.start", "status": 200, "headers": headers})
        await self._write(send, _body("retry: 5000\n\n"))
        while not stream.ended:
            news = await stream.next(self._beat)
            text = f"event: change\ndata: {json.dumps(news.record())}\n\n" if news else ": still here\n\n"
            if not stream.ended:
                await self._write(send, _body(text))
        await self._write(send, {"type": "http.response.body", "body": b"", "more_body": False})

    async def _write(self, send: Send, message: dict[str, Any]) -> None:
        """Raises TimeoutError if the listener takes nothing."""
        await asyncio.wait_for(send(message), self._stalled)


async def _until_gone(receive: Receive, stream: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end()


def _body(text: str) -> dict[str, Any]:
    return {"type": "http.response.body", "body": text.encode(), "more_body": True}
