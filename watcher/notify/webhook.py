"""A webhook: each event is posted to an address, signed as Standard Webhooks say (standard-webhooks/spec, v1.0.0).

`http.client` and not `requests`: it follows no redirect, takes no proxy or login from the environment, and its socket
can be cut, which is the only way to a limit for the whole exchange.
"""

import base64
import binascii
import contextlib
import hashlib
import hmac
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from watcher import __version__
from watcher.errors import ConfigurationError, SinkAway, SinkRefused
from watcher.model import Event
from watcher.notify.trust import trust
from watcher.profile.handoff import Webhook, parts_of

#: What may pass: the request came too late or too early, or too many came (RFC 9110, RFC 8470, RFC 6585).
_LATER: Final = {408, 425, 429}
_CURES: Final = {
    401: "compare handoff.webhook.secret with the receiver's; it is tried again every hour",
    403: "compare handoff.webhook.secret with the receiver's; it is tried again every hour",
    404: "check handoff.webhook.url in the profile; it is tried again every hour",
    410: "it wants no more events: take handoff.webhook out of the profile, or ask whoever runs it",
}


class WebhookSink:
    """See `watcher.notify.base.Sink`. Raises ConfigurationError for a secret or certificate that cannot be used."""

    name = "webhook"

    def __init__(self, section: Webhook, *, wall: Callable[[], float] = time.time) -> None:
        self._url = parts_of(section.url, "https", "http", section.unencrypted)
        self._key = _key(section.secret.reveal())
        self._timeout = section.timeout
        self._wall = wall
        self._context = trust(section.certificate, "handoff.webhook") if self._url.scheme == "https" else None
        self._lock = threading.Lock()
        self._exchange: _Exchange | None = None
        self._closed = False

    @property
    def place(self) -> str:
        """Host and port; the path may be secret."""
        return self._url.netloc

    def tell(self, event: Event) -> None:
        """Post one event. Raises SinkAway or SinkRefused."""
        exchange = _Exchange(self._connection())
        with self._lock:
            if self._closed:
                raise SinkAway(f"{self.place}: the watcher stops")
            self._exchange = exchange
        body = event.body.encode("utf-8")
        try:
            status, retry_after = exchange.post(self._path(), body, self._headers(event, body), self._timeout)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._away(error, exchange) from error
        finally:
            self._exchange = None
        self._judge(status, retry_after)

    def rest(self) -> None:
        """Each event has a connection of its own, which is closed already."""

    def close(self) -> None:
        """Give up what is being told, at once."""
        with self._lock:
            self._closed = True
            if self._exchange:
                self._exchange.cut()

    def _connection(self) -> http.client.HTTPConnection:
        host = self._url.hostname or ""
        if self._context:
            return http.client.HTTPSConnection(host, self._url.port, timeout=self._timeout, context=self._context)
        return http.client.HTTPConnection(host, self._url.port, timeout=self._timeout)

    def _path(self) -> str:
        path = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        return quote(path, safe="/?:@!$&'()*+,;=~%[]")

    def _headers(self, event: Event, body: bytes) -> dict[str, str]:
        stamp = str(int(self._wall()))
        signed = b".".join((event.id.encode(), stamp.encode(), body))
        signature = base64.b64encode(hmac.digest(self._key, signed, hashlib.sha256)).decode()
        return {
            "Content-Type": "application/cloudevents+json",
            "User-Agent": f"irods-watcher/{__version__}",
            "Connection": "close",
            "webhook-id": event.id,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{signature}",
        }

    def _judge(self, status: int, retry_after: str | None) -> None:
        if 200 <= status < 300:
            return
        answer = f"{status} {_phrase(status)}".strip()
        if status in _LATER or status >= 500:
            away = SinkAway(f"{self.place} answers {answer}")
            away.not_before = self._pause(retry_after)
            raise away
        if 300 <= status < 400:
            cure = "give its new address in handoff.webhook.url; it is tried again every hour"
            raise SinkRefused(f"{self.place} has moved ({answer})", cure=cure)
        raise SinkRefused(f"{self.place} refuses it ({answer})", cure=_CURES.get(status))

    def _pause(self, retry_after: str | None) -> float:
        """The seconds that the receiver wants to be left alone, as a number or a date (RFC 9110, 10.2.3)."""
        if retry_after is None:
            return 0.0
        if retry_after.strip().isascii() and retry_after.strip().isdigit():
            return float(retry_after.strip()[:9])
        try:
            return max(0.0, parsedate_to_datetime(retry_after).timestamp() - self._wall())
        except (ValueError, TypeError, OverflowError):
            return 0.0

    def _away(self, error: Exception, exchange: "_Exchange") -> SinkAway:
        cure: str | None = None
        if self._closed:
            why = "the watcher stops"
        elif exchange.is_over or isinstance(error, TimeoutError):
            why = f"no answer within {self._timeout:g} s"
        elif isinstance(error, ssl.SSLCertVerificationError):
            why = f"its certificate is not trusted ({error.verify_message})"
            cure = "give the certificate of its authority as handoff.webhook.certificate; it is tried again by itself"
        elif isinstance(error, ssl.SSLError):
            why = f"no encrypted connection can be made ({error.reason or 'it was cut off'})"
        elif isinstance(error, socket.gaierror | UnicodeError):
            why = "there is no computer of this name"
        elif isinstance(error, http.client.RemoteDisconnected | ConnectionResetError | BrokenPipeError):
            why = "it closes the connection without an answer"
        elif isinstance(error, OSError):
            why = f"no connection ({error.strerror or error})"
        else:
            why = "what it answers is no HTTP"
        return SinkAway(f"{self.place}: {why}", cure=cure)


class _Exchange:
    """One request and its answer, which can be cut from another thread."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection
        self._over = threading.Event()

    @property
    def is_over(self) -> bool:
        """Whether it was cut."""
        return self._over.is_set()

    def post(self, path: str, body: bytes, headers: dict[str, str], timeout: float) -> tuple[int, str | None]:
        """The status and Retry-After of the answer, whose body nobody waits for.

        However slowly it comes, it takes no longer than `timeout` seconds after the connection was made, which itself
        may take as long for each address of the host, and as long as the system takes to look its name up.
        """
        timer = threading.Timer(timeout, self.cut)
        timer.start()
        try:
            self._connection.connect()
            if self.is_over:
                raise TimeoutError
            self._connection.request("POST", path, body, headers)
            with self._connection.getresponse() as answer:
                if self.is_over:  # what was cut off may look like a whole answer
                    raise TimeoutError
                return answer.status, answer.headers.get("Retry-After")
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


def _key(secret: str) -> bytes:
    text = secret.strip().removeprefix("whsec_")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not 24 <= len(key) <= 64:
        raise ConfigurationError(
            "handoff.webhook.secret: it is not the base64 of 24 to 64 bytes",
            cure="make one with `openssl rand -base64 32`, and give it to the receiver too",
        )
    return key


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
