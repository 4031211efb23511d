"""A real HTTP server on loopback that receives events and answers as a test wants."""

import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Answer = Callable[["Handler"], None]


@dataclass
class Received:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    method: str = "POST"


@dataclass
class Receiver:
    """What came, and what is answered from now on."""

    port: int = 0
    tls: bool = False
    requests: list[Received] = field(default_factory=list)
    answer: Answer = lambda handler: None  # noqa: ARG005
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where events are posted to."""
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}/events?tenant=1"

    @property
    def ids(self) -> list[str]:
        """The identifiers of the events that came, in order."""
        return [request.headers["webhook-id"] for request in self.requests]


class Handler(BaseHTTPRequestHandler):
    """Writes down what comes, and lets the receiver answer."""

    protocol_version = "HTTP/1.1"
    receiver: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.receiver.requests.append(Received(self.path, headers, body, self.command))
        self.receiver.answer(self)

    do_GET = do_POST  # noqa: N815 - the library's name

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def status(code: int, **headers: str) -> Answer:
    """Answer with this status."""

    def answer(handler: Handler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"{}")

    return answer


def slow(seconds: float) -> Answer:
    """Answer well, but late."""

    def answer(handler: Handler) -> None:
        handler.receiver.stopping.wait(seconds)
        status(200)(handler)

    return answer


def dripping(text: bytes, pause: float = 0.05) -> Answer:
    """Answer one byte at a time."""

    def answer(handler: Handler) -> None:
        for number in range(len(text)):
            if handler.receiver.stopping.wait(pause):
                return
            handler.wfile.write(text[number : number + 1])
            handler.wfile.flush()

    return answer


def raw(text: bytes) -> Answer:
    """Answer exactly this, and close."""

    def answer(handler: Handler) -> None:
        handler.wfile.write(text)
        handler.close_connection = True

    return answer


def in_turn(*answers: Answer) -> Answer:
    """Answer so, one after the other, and then as the last one."""
    left = list(answers)

    def answer(handler: Handler) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(handler)

    return answer


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was cut off, or does not trust us, is what tests want."""


@contextlib.contextmanager
def receiving(port: int = 0, tls: tuple[Path, Path] | None = None) -> Iterator[Receiver]:
    """A receiver for as long as the block lasts, which answers 200 until it is told otherwise."""
    receiver = Receiver(tls=tls is not None, answer=status(200))
    server = _Server(("127.0.0.1", port), type("Bound", (Handler,), {"receiver": receiver}))
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="receiver")
    thread.start()
    try:
        yield receiver
    finally:
        receiver.stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()


def wait_until(what: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something is true, and fail if that does not come."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
