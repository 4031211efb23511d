"""The dead man's switch: what watches over the watcher is asked again and again, and tells people when that ends.

Healthchecks (healthchecks.io/docs/http_api): POST to the check's address, with /start or /fail behind it, and a text in
the body. Uptime Kuma (its monitor type Push): GET of the address with status (up, down) and msg.
"""

from urllib.parse import SplitResult, urlencode

from watcher import __version__
from watcher.errors import ConfigurationError, NotifierAway
from watcher.notify.exchange import FAILURES, Exchange, status_words
from watcher.notify.trust import trust
from watcher.profile.handoff import parts_of
from watcher.profile.notify import Ping

#: An answer must have come after so many seconds.
_TIMEOUT = 10.0
#: So much of a text is told: an address cannot be long.
_LONGEST = 300


class Switch:
    """One such address, used by one thread; only `close` may come from another one.

    Raises ConfigurationError for an address or certificate that cannot be used.
    """

    def __init__(self, section: Ping, unencrypted: str | None) -> None:
        self._section = section
        self._unencrypted = unencrypted
        self._place = f"notify.ping ({section.url.reference})"
        self._context = trust(section.certificate, "notify.ping")
        self._exchange: Exchange | None = None
        self._url()

    def begins(self) -> None:
        """The watcher has begun. Raises NotifierAway."""
        url = self._url_now()
        if not self._is_kuma(url):
            self._ask(url, "/start", "")

    def is_well(self, text: str) -> None:
        """The watcher lives and nothing urgent is wrong. Raises NotifierAway."""
        self._ask(self._url_now(), "", text, status="up")

    def is_not_well(self, text: str) -> None:
        """Something needs a person. Raises NotifierAway."""
        self._ask(self._url_now(), "/fail", text, status="down")

    def close(self) -> None:
        """Give up what is being asked, at once."""
        if exchange := self._exchange:
            exchange.cut()

    def _ask(self, url: SplitResult, end: str, text: str, status: str = "") -> None:
        if self._is_kuma(url):
            query = urlencode({"status": status, "msg": text[:_LONGEST], "ping": ""})
            url, method, body = url._replace(query=query), "GET", b""
        else:
            url, method, body = url._replace(path=url.path.rstrip("/") + end), "POST", text.encode("utf-8")
        exchange = self._exchange = Exchange(url, self._context if url.scheme == "https" else None, _TIMEOUT)
        try:
            code, _ = exchange.ask(method, body, {"User-Agent": f"irods-watcher/{__version__}"})
        except FAILURES as error:
            raise NotifierAway(f"{self._place}: {exchange.why(error)}") from error
        finally:
            self._exchange = None
        if not 200 <= code < 300:
            raise NotifierAway(f"{self._place}: it answers {status_words(code)}")

    def _is_kuma(self, url: SplitResult) -> bool:
        kind = self._section.kind
        return kind == "uptime-kuma" or (kind == "auto" and "/api/push/" in url.path)

    def _url(self) -> SplitResult:
        """The address as it is kept now. Raises ConfigurationError."""
        try:
            return parts_of(self._section.url.reveal().strip(), "https", "http", self._unencrypted)
        except ValueError as error:
            raise ConfigurationError(f"{self._place}: {error}") from None

    def _url_now(self) -> SplitResult:
        try:
            return self._url()
        except ConfigurationError as error:
            raise NotifierAway(error.what, cure=error.cure) from None
