"""Messages to people through Apprise (github.com/caronc/apprise): mail, chat, push, by an address for each service.

Its addresses hold passwords, and its logs hold addresses of persons: neither is ever shown. Of what it logs only the
reason of a failure is kept, in our own words.
"""

import logging
import re
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import quote, urlsplit

from watcher.errors import ConfigurationError, NotifierAway
from watcher.notify.base import Message
from watcher.notify.exchange import status_words
from watcher.profile.handoff import is_here
from watcher.profile.secret import Secret

#: So long in seconds an answer is waited for; each service has shorter limits for the parts of what it does.
LONGEST: Final = 60.0
#: Why a message could not be sent, by what stands in the log.
_REASONS: Final = (
    (r"\(53[0-9], b", "the mail server refuses the login"),
    (r"\(5[0-9][0-9], b", "the mail server refuses the recipient or the sender"),
    (r"\(4[0-9][0-9], b", "the mail server takes it later"),
    (r"STARTTLS extension not supported", "the mail server offers no encryption"),
    (r"AUTH extension not supported", "the mail server takes no login"),
    (r"CERTIFICATE_VERIFY_FAILED", "its certificate is not trusted"),
    (r"Connection refused", "no connection (Connection refused)"),
    (r"Name or service not known|getaddrinfo|resolve", "there is no computer of this name"),
    (r"timed out|Timeout", "no answer in time"),
)
_MAIL: Final = {"mailto", "mailtos"}
_thread = threading.local()


class AppriseChannel:
    """See `watcher.notify.base.Channel`. `key` is where the profile names the secret that holds the address.

    With `personal` it is a mail server by which each message goes to one person. Raises ConfigurationError for a
    missing library, and for an address that Apprise does not know or that sends what can be read on the way.
    """

    def __init__(self, secret: Secret, key: str, unencrypted: str | None, *, personal: bool = False) -> None:
        self._apprise = _library(key)
        self._secret = secret
        self._unencrypted = (unencrypted or "").lower()
        self._personal = personal
        self._attempt: _Attempt | None = None
        self._place = f"{key} ({secret.reference})"
        self.name = secret.reference
        self._address()

    def send(self, message: Message, to: str = "") -> None:
        """Send a message, to this e-mail address if the channel is personal. Raises NotifierAway."""
        if self._attempt and self._attempt.is_alive():
            raise NotifierAway(f"{self._place}: it has not answered yet")
        try:
            address = self._address(to)
        except ConfigurationError as error:
            raise NotifierAway(error.what, cure=error.cure) from None
        # In a thread of its own, because nothing can end what a service does.
        self._attempt = _Attempt(lambda: self._hand_over(message, address))
        self._attempt.start()
        self._attempt.over.wait(LONGEST)
        if self._attempt.problem:
            raise NotifierAway(f"{self._place}: {self._attempt.problem}")

    def close(self) -> None:
        """Wait for no answer any more."""
        if self._attempt:
            self._attempt.over.set()

    def _hand_over(self, message: Message, address: str) -> bool:
        service = self._apprise.Apprise(asset=self._asset())
        # What is longer than a service takes goes in parts.
        return service.add(_with(address, "overflow", "split")) and bool(
            service.notify(title=message.title, body=message.text, notify_type=message.kind, body_format="text")
        )

    def _asset(self) -> Any:
        # Without threads and files of its own.
        return self._apprise.AppriseAsset(
            app_id="irods-watcher", async_mode=False, service_timeout=0, storage_mode="memory"
        )

    def _address(self, to: str = "") -> str:
        """The address as it is kept now. Raises ConfigurationError."""
        address = self._secret.reveal().strip()
        service = self._apprise.Apprise.instantiate(address, asset=self._asset())
        scheme = address.partition(":")[0].lower()
        if service is None or (self._personal and scheme not in _MAIL):
            what = "of a mail server" if self._personal else "that Apprise knows"
            cure = "write one like mailtos://user:password@smtp.example.org?from=scope@example.org"
            raise ConfigurationError(f"{self._place}: this is no address {what}", cure=cure)
        if self._personal and (urlsplit(address).path.strip("/") or re.search(r"[?&](to|cc|bcc)=", address)):
            cure = "take the recipient out of it: each message goes to the person whom it concerns"
            raise ConfigurationError(f"{self._place}: this address names a recipient", cure=cure)
        host = str(getattr(service, "smtp_host", None) or service.host or "").lower()
        plain = scheme in _names(service.protocol) and getattr(service, "secure_mode", "insecure") == "insecure"
        if plain and host.strip("_") and not is_here(host) and host != self._unencrypted:
            secure = f"{scheme}s://" if f"{scheme}s" in _names(service.secure_protocol) else "for another service"
            cure = f"write {secure}, or name its host as notify.unencrypted if everybody who could read it may"
            raise ConfigurationError(f"{self._place}: what goes by {scheme}:// can be read on the way", cure=cure)
        return _with(address, "to", to) if to else address


class _Attempt(threading.Thread):
    """One message on its way."""

    def __init__(self, hand_over: Callable[[], bool]) -> None:
        super().__init__(name="apprise", daemon=True)
        self._hand_over = hand_over
        self.over = threading.Event()
        self.problem = f"no answer within {LONGEST:g} s"

    def run(self) -> None:
        lines: list[str] = []
        _thread.lines = lines
        try:
            self.problem = "" if self._hand_over() else _why(lines)
        except Exception as error:  # whatever the library raises is its failure to send
            self.problem = _why([*lines, type(error).__name__])
        self.over.set()


class _Log(logging.Handler):
    """Keeps what the library says of the attempt that its thread makes, and shows it to nobody."""

    def emit(self, record: logging.LogRecord) -> None:
        if (lines := getattr(_thread, "lines", None)) is not None:
            lines.append(record.getMessage())


def _library(key: str) -> Any:
    try:
        import apprise
    except ImportError:
        cure = 'install it with `python -m pip install "irods-watcher[notify]"` and start again'
        raise ConfigurationError(f"{key}: the library apprise is not installed", cure=cure) from None
    log = logging.getLogger("apprise")
    log.setLevel(logging.DEBUG)
    log.propagate = False
    if not any(isinstance(handler, _Log) for handler in log.handlers):
        log.addHandler(_Log())
    return apprise


def _why(lines: Iterable[str]) -> str:
    said = "\n".join(lines)
    if found := re.search(r"error=([0-9]{3})", said):
        return f"the service answers {status_words(int(found[1]))}"
    return next((why for what, why in _REASONS if re.search(what, said)), "the service does not take the message")


def _with(address: str, name: str, value: str) -> str:
    return f"{address}{'&' if '?' in address else '?'}{name}={quote(value, safe='')}"


def _names(protocol: Any) -> set[str]:
    return {protocol} if isinstance(protocol, str) else set(protocol or ())
