"""A webhook: each event is posted to an address, signed as Standard Webhooks say (standard-webhooks/spec, v1.0.0)."""

import ssl
import threading
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

from watcher import __version__
from watcher.errors import SinkAway, SinkRefused
from watcher.model import Event
from watcher.notify import signature
from watcher.notify.exchange import FAILURES, LATER, Exchange, status_words
from watcher.notify.trust import trust
from watcher.profile.handoff import Webhook, parts_of

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
        self._key = signature.key_of(section.secret.reveal(), "handoff.webhook.secret")
        self._timeout = section.timeout
        self._wall = wall
        self._context = trust(section.certificate, "handoff.webhook") if self._url.scheme == "https" else None
        self._lock = threading.Lock()
        self._exchange: Exchange | None = None
        self._closed = False

    @property
    def place(self) -> str:
        """Host and port; the path may be secret."""
        return self._url.netloc

    def tell(self, event: Event) -> None:
        """Post one event. Raises SinkAway or SinkRefused."""
        exchange = Exchange(self._url, self._context, self._timeout)
        with self._lock:
            if self._closed:
                raise SinkAway(f"{self.place}: the watcher stops")
            self._exchange = exchange
        body = event.body.encode("utf-8")
        try:
            status, retry_after = exchange.ask("POST", body, self._headers(event, body))
        except FAILURES as error:
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

    def _headers(self, event: Event, body: bytes) -> dict[str, str]:
        return {
            "Content-Type": "application/cloudevents+json",
            "User-Agent": f"irods-watcher/{__version__}",
            **signature.signed(self._key, event.id, self._wall(), body),
        }

    def _judge(self, status: int, retry_after: str | None) -> None:
        if 200 <= status < 300:
            return
        answer = status_words(status)
        if status in LATER or status >= 500:
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

    def _away(self, error: Exception, exchange: Exchange) -> SinkAway:
        if self._closed:
            return SinkAway(f"{self.place}: the watcher stops")
        cure = None
        if isinstance(error, ssl.SSLCertVerificationError):
            cure = "give the certificate of its authority as handoff.webhook.certificate; it is tried again by itself"
        return SinkAway(f"{self.place}: {exchange.why(error)}", cure=cure)
