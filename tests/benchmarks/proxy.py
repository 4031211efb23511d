"""A line with a delay: a TCP proxy in a process of its own that hands on every byte so many seconds later.

It delays and does not serialise: each direction of each connection is a delay line, so that what was sent together
arrives together, and whoever does not wait for answers loses nothing. A connection begins one round trip late, as a
real one does. It counts what passes.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

from tests.benchmarks.processes import ROOT
from tests.benchmarks.zones import Zone

#: How many bytes may be on their way in one direction of a connection: 20 ms at 3 GB/s.
_MOST = 64 * 1024 * 1024


class Line:
    """The proxy, seen from the process that started it."""

    def __init__(self, process: "subprocess.Popen[str]", zone: Zone) -> None:
        self._process = process
        assert process.stdout is not None
        self.zone = zone.behind(int(process.stdout.readline()))

    def sent(self) -> dict[int, int]:
        """The bytes that went to the zone so far, by the tenth of a second (of any clock) in which they came by."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return {int(tenth): count for tenth, count in json.loads(self._process.stdout.readline()).items()}


@contextmanager
def line(zone: Zone, round_trip: float) -> Iterator[Line]:
    """The way to the zone over a line with this round trip in seconds."""
    command = [sys.executable, "-m", "tests.benchmarks.proxy", *map(str, zone.address), str(round_trip / 2)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:
        yield Line(process, zone)
        # Its standard input ends here, and the proxy with it.


class _End(asyncio.Protocol):
    """One end of a connection, and the line from it to the other end: pieces with the time at which each is due."""

    def __init__(self, delay: float, other: "_End | None" = None, counter: Counter[int] | None = None) -> None:
        self._delay = delay
        self._counter = counter
        self._line: deque[tuple[float, bytes]] = deque()
        self._length = 0
        self._begun = False
        self._full = False
        self.other = other
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self.other:
            self.other.other = self
            self._begin()
            self.other._begin()

    def _begin(self) -> None:
        self._begun = True
        self._give()

    def data_received(self, data: bytes) -> None:
        if self._counter is not None:
            self._counter[int(10 * time.monotonic())] += len(data)
        self._take(data)

    def eof_received(self) -> bool:
        self._take(b"")
        return True  # the other direction goes on

    def connection_lost(self, exc: Exception | None) -> None:
        self._take(b"")
        if self.other and self.other.transport:
            asyncio.get_running_loop().call_later(self._delay, self.other.transport.close)

    def pause_writing(self) -> None:
        self._full = True
        if self.other and self.other.transport:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        self._full = False
        if self.other and self.other.transport and self.other._length <= _MOST:
            self.other.transport.resume_reading()

    def _take(self, data: bytes) -> None:
        self._line.append((time.monotonic() + self._delay, data))
        self._length += len(data)
        if self._length > _MOST and self.transport:
            self.transport.pause_reading()
        if self._begun and len(self._line) == 1:
            self._give()

    def _give(self) -> None:
        """Hand on what is due, and come again when the next piece is."""
        assert self.other
        assert self.other.transport
        now = time.monotonic()
        while self._line:
            due, data = self._line[0]
            if due > now:
                asyncio.get_running_loop().call_later(due - now, self._give)
                break
            self._line.popleft()
            self._length -= len(data)
            if data:
                self.other.transport.write(data)
            elif not self.other.transport.is_closing():
                self.other.transport.write_eof()
        if self._length <= _MOST and not self.other._full and self.transport:
            self.transport.resume_reading()


async def _serve(host: str, port: int, delay: float) -> None:
    loop = asyncio.get_running_loop()
    sent: Counter[int] = Counter()
    dialling: set[asyncio.Task[None]] = set()

    async def dial(near: _End) -> None:
        await asyncio.sleep(2 * delay)
        try:
            await loop.create_connection(lambda: _End(delay, near), host, port)
        except OSError:
            assert near.transport
            near.transport.close()

    def accept() -> _End:
        near = _End(delay, counter=sent)
        task = loop.create_task(dial(near))
        dialling.add(task)
        task.add_done_callback(dialling.discard)
        return near

    server = await loop.create_server(accept, "127.0.0.1", 0)
    _answer(str(server.sockets[0].getsockname()[1]))
    while await asyncio.to_thread(sys.stdin.readline):
        _answer(json.dumps(sent))
    server.close()


def _answer(text: str) -> None:
    """Tell whoever started this process."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
