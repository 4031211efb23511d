"""Open browsers, without their windows: a stream of events each, and a page whenever it says that something changed."""

import http.client
import random
import selectors
import socket
import threading
import time
from types import TracebackType
from typing import Self

#: As page.js does it: never sooner than this in seconds after the last time, always after that long.
_SOONEST, _ANYWAY, _SCATTER = 3.0, 30.0, 0.4


class Browsers:
    """So many of them, as a context. `pages` counts what they have fetched, `open` their streams."""

    def __init__(self, port: int, number: int) -> None:
        self._port = port
        self._number = number
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="browsers")
        self._there = threading.Event()
        self.pages = 0
        self.open = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._there.wait(60)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        begin = time.monotonic()
        looked = [begin] * self._number
        due = [begin + random.uniform(0, _ANYWAY) for _ in looked]
        with selectors.DefaultSelector() as selector:
            for number in range(self._number):
                selector.register(self._listen(), selectors.EVENT_READ, number)
                self.open += 1
            self._there.set()
            while not self._stop.is_set():
                for key, _ in selector.select(0.05):
                    said = key.fileobj.recv(65536)  # type: ignore[union-attr]
                    if not said:
                        selector.unregister(key.fileobj)
                        self.open -= 1
                    elif b"event: change" in said:
                        soon = max(time.monotonic() + random.uniform(0, _SCATTER), looked[key.data] + _SOONEST)
                        due[key.data] = min(due[key.data], soon)
                for number, at in enumerate(due):
                    if at <= time.monotonic():
                        connection.request("GET", "/", headers={"HX-Request": "true"})
                        connection.getresponse().read()
                        self.pages += 1
                        looked[number] = time.monotonic()
                        due[number] = looked[number] + _ANYWAY
            for key in list(selector.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]
        connection.close()

    def _listen(self) -> socket.socket:
        stream = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        stream.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n\r\n".encode())
        return stream
