"""Reports to the facility view, which is one address for all instruments and knows each by its signature."""

import time
import uuid
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from watcher import __version__
from watcher.errors import NotifierAway
from watcher.notify import signature
from watcher.notify.exchange import FAILURES, Exchange, status_words
from watcher.notify.trust import trust
from watcher.profile.fleet import Fleet
from watcher.profile.handoff import parts_of

#: Where an instrument's report goes, below the address of the view.
PATH: Final = "/api/v1/fleet/"
#: An answer must have come after so many seconds.
_TIMEOUT: Final = 10.0
_CURES: Final = {
    401: "compare fleet.secret with the one in fleet.yaml",
    403: "compare the clocks of both computers",
    404: "write the instrument into fleet.yaml, and check fleet.url",
    409: "the clock here was set back, or two watchers have this name",
}


class FleetView:
    """The view that a profile names, used by one thread; only `close` may come from another one.

    Raises ConfigurationError for a secret or certificate that cannot be used.
    """

    def __init__(self, section: Fleet, instrument: str, *, wall: Callable[[], float] = time.time) -> None:
        url = parts_of(section.url, "https", "http", section.unencrypted)
        self._url = url._replace(path=url.path.rstrip("/") + PATH + quote(instrument, safe=""))
        self._key = signature.key_of(section.secret.reveal(), "fleet.secret")
        self._context = trust(section.certificate, "fleet") if url.scheme == "https" else None
        self._wall = wall
        self._exchange: Exchange | None = None

    def tell(self, report: bytes) -> None:
        """Post a report, as JSON. Raises NotifierAway."""
        exchange = self._exchange = Exchange(self._url, self._context, _TIMEOUT)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"irods-watcher/{__version__}",
            **signature.signed(self._key, str(uuid.uuid4()), self._wall(), report),
        }
        try:
            code, _ = exchange.ask("POST", report, headers)
        except FAILURES as error:
            raise NotifierAway(f"{self._place}: {exchange.why(error)}", cure=_again("")) from error
        finally:
            self._exchange = None
        if not 200 <= code < 300:
            raise NotifierAway(f"{self._place}: it answers {status_words(code)}", cure=_again(_CURES.get(code, "")))

    def close(self) -> None:
        """Give up what is being told, at once."""
        if exchange := self._exchange:
            exchange.cut()

    @property
    def _place(self) -> str:
        return f"the facility view at {self._url.netloc}"


def _again(cure: str) -> str:
    return f"{cure}; it is tried again by itself" if cure else "it is tried again by itself"
