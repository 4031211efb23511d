"""One worker's single connection: timeouts that grow with size, one place for every reply, and abort by destruction.

Of python-irodsclient it uses connecting, negotiation, authentication and packing. Its `send`, `recv`, pool bookkeeping
and error classes are left aside: they copy the data, lose connections after a failed open, and raise a bare KeyError
for the 246 server codes that they do not know (reference/irods-client.md, 2.1 and 2.5).
"""

import contextlib
import socket
import ssl
import struct
import xml.etree.ElementTree as ET  # what the library parses with, for its exception only
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, NamedTuple

from irods.account import iRODSAccount
from irods.auth import STORE_PASSWORD_IN_MEMORY
from irods.connection import Connection as ClientConnection
from irods.helpers import xml_mode
from irods.message import Error, iRODSMessage
from irods.pool import Pool

from watcher.errors import StoreUnreachable
from watcher.stores.irods.environment import Environment, KeepAlive
from watcher.stores.irods.failures import Dropped, TlsDisagreement, refusal, rounded, translate

#: What the slowest line that is served carries in a second, in bytes: each request is given the time for its own.
SLOWEST_LINE: Final = 128 * 1024
#: An agent's memory grows with each put (irods#8612), so that its connection is given up after so many requests that
#: make data objects: puts, opens and extractions.
MOST_MADE: Final = 500
_MAKING: Final = frozenset({606, 602, 665})

_BROKEN = (OSError, struct.error, ET.ParseError, ValueError, TypeError, AttributeError)


class Reply(NamedTuple):
    """`code` is the status from the header, without the errno part if negative; `message` is the library's message."""

    code: int
    message: Any
    about: str

    def body(self, kind: Any) -> Any:
        """The body as this class of the library's messages. Raises StoreError if it is none."""
        try:
            return self.message.get_main_message(kind)
        except ET.ParseError:
            # Control characters, put into names or metadata by others, are no XML (irods#8626).
            with xml_mode("QUASI_XML"), self._sense():
                return self.message.get_main_message(kind)

    def json(self) -> Any:
        """The body of the newer requests. Raises StoreError if it is none."""
        with self._sense():
            return self.message.get_json_encoded_struct()

    @contextlib.contextmanager
    def _sense(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise translate(error, self.about) from error


class Line(NamedTuple):
    """How a connection is protected. `tls` is the protocol, "" if it can be read on the way.

    `expires` is when the server's certificate does, in seconds since 1970, None if it was not looked at.
    """

    server: str
    tls: str
    expires: float | None


class Connection:
    """A connection that is made when it is needed, and made anew after it was lost or has become old.

    `patience` is the time for any request in seconds, to which that for its bytes and its work is added.
    Raises LoginRefused, StoreUnreachable, and `Dropped`, a StoreUnreachable, if it was lost in use.
    """

    def __init__(self, environment: Environment, patience: float, clock: Callable[[], float]) -> None:
        self.environment = environment
        self._patience = patience
        self._clock = clock
        self._wire: _Wire | None = None
        self._since = 0.0
        self._made = 0
        self._unread = 0
        self._over = False

    def call(
        self,
        api: int,
        message: Any,
        about: str,
        *,
        data: bytes | bytearray | memoryview = b"",
        known: Collection[int] = (),
        patience: float = 0.0,
    ) -> Reply:
        """One round trip. A negative status is raised, unless it is one of the `known`, which the caller deals with.

        `patience` is what the server may need in addition for this request, in seconds.
        """
        self.send(api, message, about, data=data)
        return self.receive(about, known=known, patience=patience + len(data) / SLOWEST_LINE)

    def send(self, api: int, message: Any, about: str, *, data: bytes | bytearray | memoryview = b"") -> None:
        """Send a request and leave its reply for later; the data are not copied."""
        wire = self._connected()
        body = message.pack().encode()
        header = iRODSMessage.pack_header("RODS_API_REQ", len(body), 0, len(data), api)
        self._made += api in _MAKING
        self._unread += 1
        with self._in_use(about):
            wire.socket.settimeout(self._patience + len(data) / SLOWEST_LINE)
            wire.socket.sendall(header + body)
            if data:
                wire.socket.sendall(data)

    def receive(self, about: str, *, known: Collection[int] = (), patience: float = 0.0) -> Reply:
        """The reply to the oldest request that has none yet; see `call`."""
        wire = self._wire
        if wire is None:
            raise Dropped(f"{about}: the connection is gone, and the reply with it")
        with self._in_use(about):
            wire.socket.settimeout(self._patience + patience)
            message = iRODSMessage.recv(wire.socket)
        self._unread -= 1
        code = rounded(message.int_info)
        if code < 0 and code not in known:
            raise refusal(message.int_info, _detail(message), about)
        return Reply(code, message, about)

    def acknowledge(self, word: int, about: str) -> None:
        """Answer a report that came before the reply with a bare number; the next `receive` is for the same request."""
        wire = self._connected()
        self._unread += 1
        with self._in_use(about):
            wire.socket.sendall(struct.pack("!i", word))

    def line(self) -> Line:
        """How this connection is protected; it is made if there is none. Raises as `call`."""
        wire = self._connected()
        server = ".".join(map(str, wire.server_version))
        if not isinstance(wire.socket, ssl.SSLSocket):
            return Line(server, "", None)
        # Empty if nobody asked for it to be verified.
        until = (wire.socket.getpeercert() or {}).get("notAfter")
        expires = ssl.cert_time_to_seconds(until) if isinstance(until, str) else None
        return Line(server, wire.socket.version() or "TLS", expires)

    def refresh(self) -> None:
        """Between two operations: give up a connection that is old or worn, so that the next one is new."""
        if self._unread:
            # An operation was interrupted: its reply would be taken for the next one's.
            self.abort()
        old = self._clock() - self._since > self.environment.max_age
        if self._wire is not None and (old or self._made >= MOST_MADE):
            self.close()

    def close(self) -> None:
        """Take leave of the server, without waiting for it; only after all replies were read."""
        if self._wire is not None:
            with contextlib.suppress(OSError, AttributeError):
                self._wire.socket.settimeout(1.0)
                self._wire.socket.sendall(iRODSMessage.pack_header("RODS_DISCONNECT", 0, 0, 0, 0))
            self.abort()

    def abort(self) -> None:
        """Destroy the socket, so that the agent marks stale what it has open; a close would mark it good."""
        if self._wire is not None:
            self._wire.destroy()
            self._wire = None
        self._unread = 0

    @contextlib.contextmanager
    def _in_use(self, about: str) -> Iterator[None]:
        try:
            yield
        except _BROKEN as error:
            self.abort()
            raise Dropped(translate(error, about).what) from error
        except BaseException:
            # Interrupted in the middle of a message: the next one would be misread.
            self.abort()
            raise

    def interrupt(self) -> None:
        """Called from another thread: let whoever waits for a reply wait no longer, and connect no more."""
        self._over = True
        wire = self._wire
        with contextlib.suppress(OSError, AttributeError):
            # Not closed: whoever waits on it does that.
            wire and wire.socket.shutdown(socket.SHUT_RDWR)

    def _connected(self) -> "_Wire":
        if self._over:
            raise StoreUnreachable(f"{self.environment}: the connection was given up")
        if self._wire is None:
            self._wire = self._connect()
            self._since, self._made = self._clock(), 0
        return self._wire

    def _connect(self) -> "_Wire":
        scheme, secret = self.environment.credentials()
        *attempts, last = self.environment.policies or (None,)
        for policy in attempts:
            with contextlib.suppress(TlsDisagreement):
                return self._login(scheme, secret, policy)
        return self._login(scheme, secret, last)

    def _login(self, scheme: str, secret: str, policy: str | None) -> "_Wire":
        try:
            account = _account(self.environment, scheme, secret, policy)
            pool = Pool(account, application_name="irods-watcher")
            pool.connection_timeout = self._patience
            return _Wire(pool, account, self.environment.keepalive)
        except Exception as error:
            raise translate(error, str(self.environment)) from error


class _Wire(ClientConnection):  # type: ignore[misc]
    """The library's connection with the socket options that its C++ sibling sets (irods/connection.py:265)."""

    _current: Any = None

    @property
    def socket(self) -> Any:
        """The socket; the library drops a broken one without closing it, so that is done here."""
        return self._current

    @socket.setter
    def socket(self, value: Any) -> None:
        if value is None and self._current is not None:
            with contextlib.suppress(OSError):
                self._current.close()
        self._current = value

    def __init__(self, pool: Pool, account: iRODSAccount, keepalive: KeepAlive) -> None:
        self._keepalive = keepalive
        try:
            super().__init__(pool, account)
        except BaseException:
            self.destroy()
            raise

    def _connect(self) -> Any:
        version = super()._connect()
        if self.account.authentication_scheme == "pam_password":
            self.auth_options[STORE_PASSWORD_IN_MEMORY] = True
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        # Not every system lets a program choose these.
        for name, value in zip(("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"), self._keepalive, strict=True):
            if hasattr(socket, name):
                self.socket.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        return version

    def destroy(self) -> None:
        """Close the socket without a word, and leave nothing to the library's finaliser."""
        if self.socket is not None:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
        self.socket = None
        self._disconnected = True


def _account(environment: Environment, scheme: str, secret: str, policy: str | None) -> iRODSAccount:
    tls: dict[str, Any] = {}
    if policy is not None:
        tls = {
            "irods_client_server_negotiation": "request_server_negotiation",
            "irods_client_server_policy": policy,
            "irods_encryption_algorithm": environment.encryption.algorithm,
            "irods_encryption_key_size": environment.encryption.key_size,
            "irods_encryption_salt_size": environment.encryption.salt_size,
            "irods_encryption_num_hash_rounds": environment.encryption.rounds,
            "ssl_context": environment.ssl_context(),
        }
    return iRODSAccount(
        environment.host, environment.port, environment.user, environment.zone, scheme, password=secret, **tls
    )


def _detail(message: Any) -> str:
    """What the server says beside its code; nothing if that cannot be read."""
    with contextlib.suppress(Exception):
        if message.error:
            errors = iRODSMessage(msg=message.error).get_main_message(Error).RErrMsg_PI
            return "; ".join(str(error.msg).strip() for error in errors if error.msg)
        if message.msg and b"BinBytesBuf_PI" in message.msg:
            return str(message.get_json_encoded_struct()["error_message"]).splitlines()[0]
    return ""
