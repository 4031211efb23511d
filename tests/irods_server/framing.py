"""Messages on the socket: a length, an XML header, then message, error and byte stream (iRODS sockComm.cpp)."""

import re
import socket
import ssl
import struct
from contextlib import suppress
from dataclasses import dataclass

GOODBYE = 1.0
_HEADER_FIELD = re.compile(rb"<(type|msgLen|errorLen|bsLen|intInfo)>([^<]*)</")


class ConnectionLostError(Exception):
    """The other side is gone, or sent what is no message."""


@dataclass(frozen=True, slots=True)
class Header:
    """What announces one message: `MsgHeader_PI`."""

    type: str
    message_length: int
    error_length: int
    stream_length: int
    int_info: int


class Wire:
    """One TCP connection, plain or TLS, seen as messages."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection

    def read(self, length: int) -> bytes:
        """Exactly `length` bytes."""
        data = bytearray(length)
        self.read_into(memoryview(data))
        return bytes(data)

    def read_into(self, view: memoryview) -> None:
        """Fill `view` from the socket without a copy."""
        position = 0
        while position < len(view):
            try:
                received = self.socket.recv_into(view[position:])
            except (OSError, ValueError) as error:
                raise ConnectionLostError(str(error)) from error
            if not received:
                raise ConnectionLostError("end of stream")
            position += received

    def read_integer(self) -> int:
        """A bare four-byte integer, as the client answers progress reports with (recording field `raw_int`)."""
        return int(struct.unpack(">i", self.read(4))[0])

    def read_header(self) -> Header:
        """The header of the next message."""
        length = self.read_integer()
        if not 0 < length < 65536:
            raise ConnectionLostError(f"header of {length} bytes")
        fields = {name.decode(): value.decode() for name, value in _HEADER_FIELD.findall(self.read(length))}
        try:
            message, error, stream = (int(fields[name]) for name in ("msgLen", "errorLen", "bsLen"))
            kind, int_info = fields["type"], int(fields["intInfo"])
        except (KeyError, ValueError) as problem:
            raise ConnectionLostError("no message header") from problem
        if min(message, error, stream) < 0:
            raise ConnectionLostError("negative length")
        return Header(kind, message, error, stream, int_info)

    def send(self, data: bytes) -> None:
        """All of `data`, or `ConnectionLostError`."""
        try:
            self.socket.sendall(data)
        except (OSError, ValueError) as error:
            raise ConnectionLostError(str(error)) from error

    def shutdown(self) -> None:
        """Wake whoever reads or writes this connection; safe from any thread, also under TLS."""
        try:
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)
        except OSError:
            return

    def say_goodbye(self) -> None:
        """End TLS in order: after RODS_DISCONNECT a client waits for it."""
        if isinstance(self.socket, ssl.SSLSocket):
            with suppress(OSError, ValueError):
                self.socket.settimeout(GOODBYE)
                self.socket = self.socket.unwrap()

    def close(self, *, reset: bool = False) -> None:
        """End the connection: with FIN, or with RST when `reset`."""
        if reset:
            try:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError:
                return
        else:
            self.shutdown()
        self.socket.close()


def frame(kind: str, int_info: int, message: bytes = b"", error: bytes = b"", stream: bytes = b"") -> bytes:
    """The bytes of one whole message."""
    header = (
        f"<MsgHeader_PI>\n<type>{kind}</type>\n<msgLen>{len(message)}</msgLen>\n<errorLen>{len(error)}</errorLen>\n"
        f"<bsLen>{len(stream)}</bsLen>\n<intInfo>{int_info}</intInfo>\n</MsgHeader_PI>\n"
    ).encode()
    return struct.pack(">i", len(header)) + header + message + error + stream
