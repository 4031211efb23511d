"""Who may see and order what: the rules that hold for every request before anything else looks at it.

Against rebinding of names (a foreign page whose name is made to mean this computer) only known host names are
answered; against orders from foreign pages each order must come from a page of our own, which browsers say themselves
(W3C Fetch Metadata; RFC 6454), and carry the token of this process.
"""

import hmac
import ipaddress
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from watcher import osfacts
from watcher.errors import WatcherError
from watcher.overview.language import later
from watcher.profile import Web

#: The names by which every computer calls itself.
_HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
COOKIE: Final = "irods-watcher"
TOKEN: Final = "token"  # noqa: S105
TOKEN_HEADER: Final = "x-irods-watcher-token"  # noqa: S105
#: So long in seconds a login holds.
LASTS: Final = 12 * 3600
#: Nothing of ours is ever needed elsewhere, and nothing of elsewhere here.
HEADERS: Final = (
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ("cache-control", "no-store"),
)


class Refused(WatcherError):
    """A request that is not answered as it wishes; `status` is HTTP's."""

    cure = ""

    def __init__(self, status: int, what: str, *, cure: str | None = None) -> None:
        super().__init__(what, cure=cure)
        self.status = status


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks, as far as it matters.

    here: at this computer. known: gave the password, or the proxy knows them, by the name `name` ("" if none). by_key:
    in a header that no foreign page can make a browser send.
    """

    here: bool
    known: bool
    by_key: bool = False
    name: str = ""


class Guard:
    """The section `web` of a profile as decisions. `password` is read when the page starts and kept in memory only."""

    def __init__(self, web: Web, now: Callable[[], float]) -> None:
        self._web = web
        self._now = now
        self._password = web.password.reveal() if web.password else None
        self._key = secrets.token_bytes(32)
        #: Every order of this process's pages carries it.
        self.token = secrets.token_urlsafe(32)
        self._hosts = {*_HERE, *web.hosts, *(() if web.is_local else (osfacts.host_name().lower(),))}

    @property
    def has_password(self) -> bool:
        """Whether somebody can log in."""
        return self._password is not None

    @property
    def encrypted(self) -> bool:
        """Whether it speaks TLS itself."""
        return self._web.certificate is not None

    def check_host(self, host: str) -> None:
        """Whether this page is known by that name. Raises Refused."""
        name = _name_of(host)
        # A number is no name that somebody else could make mean this computer.
        if name not in self._hosts and (self._web.is_local or not _is_number(name)):
            raise Refused(
                400,
                later("This page is not known by that name."),
                cure=later("Use localhost, or write the name under web.hosts in the profile."),
            )

    def visitor(self, address: str, headers: Mapping[str, str], cookie: str) -> Visitor:
        """Who asks from this address with these headers (names in lower case) and this cookie of ours."""
        here = _is_here(address)
        proxy = self._web.proxy
        if (
            proxy
            and _plain(address) == _plain(proxy.address)
            and (name := headers.get(proxy.header.lower(), "").strip())
        ):
            return Visitor(here=False, known=True, name=name)
        if self._password is not None:
            kind, _, given = headers.get("authorization", "").partition(" ")
            if kind.lower() == "bearer" and self.is_password(given.strip()):
                return Visitor(here, known=True, by_key=True)
            if self._is_ours(cookie):
                return Visitor(here, known=True)
        # What a proxy on this computer passes on comes from anywhere.
        return Visitor(here and not (proxy and _is_here(proxy.address)), known=False)

    def may_see(self, visitor: Visitor) -> bool:
        """Whether anything is shown."""
        return visitor.here or visitor.known

    def may_order(self, visitor: Visitor) -> bool:
        """Whether anything can be ordered: by whoever is known, or by all who are here if nobody can be known."""
        guarded = self._password is not None or self._web.proxy is not None
        return self._web.actions and (visitor.known or (visitor.here and not guarded))

    def sees_people(self, visitor: Visitor) -> bool:
        """Whether names of persons are shown."""
        return visitor.known or (visitor.here and self._web.people)

    def check_order(self, visitor: Visitor, headers: Mapping[str, str], token: str) -> None:
        """Whether an order may be given, and was given on a page of ours. Raises Refused."""
        self.check_origin(visitor, headers)
        if not self._web.actions:
            raise Refused(
                403, later("Nothing can be ordered on this page."), cure=later("`actions: true` under web allows it.")
            )
        if not self.may_order(visitor):
            raise Refused(403 if visitor.known else 401, later("This needs the password."), cure=later("Log in first."))
        if not visitor.by_key and not self.is_token(token):
            raise Refused(
                403, later("This form is of an earlier start of the watcher."), cure=later("Load the page again.")
            )

    def check_origin(self, visitor: Visitor, headers: Mapping[str, str]) -> None:
        """Whether what sends a form or an order is a page of ours, or no browser. Raises Refused."""
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None:
            ours = site == "same-origin"
        elif origin is not None:
            parts = urlsplit(origin)
            ours = parts.netloc == headers.get("host") or (parts.hostname or "") in self._web.hosts
        else:
            ours = visitor.by_key or TOKEN_HEADER in headers
        if not ours:
            raise Refused(403, later("This order does not come from this page."), cure=later("Give it here."))

    def is_token(self, given: str) -> bool:
        """Whether this is the token of this process."""
        return hmac.compare_digest(given.encode(), self.token.encode())

    def is_password(self, given: str) -> bool:
        """Whether this is the password."""
        return self._password is not None and hmac.compare_digest(given.encode(), self._password.encode())

    def logged_in(self) -> str:
        """The cookie of somebody who has just given the password; it holds for twelve hours of this process."""
        until = str(int(self._now()) + LASTS)
        return f"{until}.{self._signed(until)}"

    def _is_ours(self, cookie: str) -> bool:
        until, _, signature = cookie.partition(".")
        good = hmac.compare_digest(signature.encode(), self._signed(until).encode())
        return good and self._now() < int(until)

    def _signed(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), "sha256").hexdigest()


def _name_of(host: str) -> str:
    """The name in a Host header: lower case, without port and brackets; "" if it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_number(name: str) -> bool:
    try:
        return not ipaddress.ip_address(name).is_unspecified
    except ValueError:
        return False


def _is_here(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return (found.ipv4_mapped or found).is_loopback if found.version == 6 else found.is_loopback


def _plain(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address of a connection, one of version 4 as such; None if there is none."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found
