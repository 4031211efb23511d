"""One HTTP request and its answer, within a limited time, whatever the other side does.

`http.client` and not `requests`: it follows no redirect, takes no proxy or login from the environment, and its socket
can be cut, which is the only way to a limit for the whole exchange.
"""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import SplitResult, quote

#: What may pass: the request came too late or too early, or too many came (RFC 9110, RFC 8470, RFC 6585).
LATER: Final = frozenset({408, 425, 429})
#: What an exchange that went wrong raises.
FAILURES: Final = (OSError, http.client.HTTPException, ValueError)


class Exchange:
    """One request to an address, and its answer; it can be cut from another thread."""

    def __init__(self, url: SplitResult, context: ssl.SSLContext | None, timeout: float) -> None:
        host = url.hostname or ""
        self._path = quote((url.path or "/") + (f"?{url.query}" if url.query else ""), safe="/?:@!$&'()*+,;=~%[]")
        self._timeout = timeout
        self._connection = (
            http.client.HTTPSConnection(host, url.port, timeout=timeout, context=context)
            if context
            else http.client.HTTPConnection(host, url.port, timeout=timeout)
        )
        self._over = threading.Event()

    def ask(self, method: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str | None]:
        """The status and Retry-After of the answer, whose body nobody waits for. Raises one of `FAILURES`.

        However slowly it comes, it takes no longer than the timeout after the connection was made, which itself may
        take as long for each address of the host, and as long as the system takes to look its name up.
        """
        status, retry_after, _ = self._answer(method, body, headers, 0)
        return status, retry_after

    def get(self, headers: Mapping[str, str], most: int) -> tuple[int, bytes]:
        """The status and the body of the answer to a GET, of which so many bytes are read and one more."""
        status, _, body = self._answer("GET", b"", headers, most + 1)
        return status, body

    def _answer(self, method: str, body: bytes, headers: Mapping[str, str], most: int) -> tuple[int, str | None, bytes]:
        timer = threading.Timer(self._timeout, self.cut)
        timer.start()
        try:
            self._connection.connect()
            if self._over.is_set():
                raise TimeoutError
            self._connection.request(method, self._path, body, {**headers, "Connection": "close"})
            with self._connection.getresponse() as answer:
                content = answer.read(most) if most else b""
                if self._over.is_set():  # what was cut off may look like a whole answer
                    raise TimeoutError
                return answer.status, answer.headers.get("Retry-After"), content
        finally:
            timer.cancel()
            timer.join()
            self._connection.close()

    def cut(self) -> None:
        """Let whatever waits for the other side fail at once."""
        self._over.set()
        held: socket.socket | None = self._connection.sock
        if held is not None:
            # Not the method of an SSL socket, which is not made for a second thread.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(held, socket.SHUT_RDWR)

    def why(self, error: Exception) -> str:
        """What went wrong, in words."""
        if self._over.is_set() or isinstance(error, TimeoutError):
            return f"no answer within {self._timeout:g} s"
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({error.verify_message})"
        if isinstance(error, ssl.SSLError):
            return f"no encrypted connection can be made ({error.reason or 'it was cut off'})"
        if isinstance(error, socket.gaierror | UnicodeError):
            return "there is no computer of this name"
        if isinstance(error, http.client.RemoteDisconnected | ConnectionResetError | BrokenPipeError):
            return "it closes the connection without an answer"
        if isinstance(error, OSError):
            return f"no connection ({error.strerror or error})"
        return "what it answers is no HTTP"


def status_words(status: int) -> str:
    """A status with its name, if it has one."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
