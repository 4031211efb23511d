"""Start-up of a connection: RODS_CONNECT, negotiation, RODS_VERSION, TLS and the shared secret."""

import ssl

from .framing import ConnectionLostError, Wire, frame
from .packing import Value, pack, parse
from .zone import Zone

REQUEST = "request_server_negotiation"
USE_TLS, USE_TCP, FAILURE = "CS_NEG_USE_SSL", "CS_NEG_USE_TCP", "CS_NEG_FAILURE"


def start_up(wire: Wire, zone: Zone, tls: ssl.SSLContext | None) -> bool:
    """Greet the client as iRODS does (01-connect-native; iRODS rsConnect.cpp); True when TLS was agreed on.

    A server with TLS requires it: who asks for no negotiation, or refuses TLS, is turned away.
    """
    header = wire.read_header()
    pack_in = parse(wire.read(header.message_length))
    if header.type != "RODS_CONNECT":
        raise ConnectionLostError("no start-up packet")
    encrypted = False
    if REQUEST in pack_in.get("option"):
        offer = "CS_NEG_REFUSE" if tls is None else "CS_NEG_REQUIRE"
        wire.send(frame("RODS_CS_NEG_T", 0, pack("CS_NEG_PI", [("status", 1), ("result", offer)])))
        header = wire.read_header()
        answer = parse(wire.read(header.message_length)).get("result")
        if FAILURE in answer or (USE_TLS in answer) != (tls is not None):
            raise ConnectionLostError("negotiation failed")
        encrypted = USE_TLS in answer
    elif tls is not None:
        raise ConnectionLostError("this server requires TLS")
    fields: list[tuple[str, Value]] = [
        ("status", 0),
        ("relVersion", zone.version),
        ("apiVersion", "d"),
        ("reconnPort", 0),
        ("reconnAddr", ""),
        ("cookie", 400),
    ]
    wire.send(frame("RODS_VERSION", 0, pack("Version_PI", fields)))
    if encrypted and tls is not None:
        _encrypt(wire, tls)
    return encrypted


def _encrypt(wire: Wire, tls: ssl.SSLContext) -> None:
    try:
        wire.socket = tls.wrap_socket(wire.socket, server_side=True)
    except (OSError, ValueError) as error:
        raise ConnectionLostError(f"TLS handshake: {error}") from error
    wire.read_header()  # encryption algorithm and sizes, in a header's fields
    secret = wire.read_header()
    if secret.type != "SHARED_SECRET":
        raise ConnectionLostError("no shared secret")
    wire.read(secret.message_length)
