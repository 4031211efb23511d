"""What iRODS and the client library report, in the operator's words and as this program's own errors.

Codes and their meaning: iRODS' rodsErrorTable.h; which of them occur when: irods-wire/README.md.
"""

import re
import ssl
from typing import Final

from watcher.errors import (
    Conflict,
    FixityError,
    LoginRefused,
    NameRefused,
    NotAllowed,
    StoreBusy,
    StoreError,
    StoreFull,
    StoreUnreachable,
    WatcherError,
)

NO_ROWS: Final = -808000
UNKNOWN_COLLECTION: Final = -814000
UNKNOWN_FILE: Final = -817000
UNKNOWN_USER: Final = -827000
EXISTS: Final = -312000
ITEM_EXISTS: Final = -809000
CHECKSUM_MISMATCH: Final = -314000
INVALID_INPUT: Final = -130000
#: Stored bytes were read again, and something is wrong with them (CHECK_VERIFICATION_RESULTS).
NOT_VERIFIED: Final = -407000
#: An extraction found the place of a member taken.
ALREADY_EXTRACTED: Final = -46000
#: An object or path that is not there, by whatever name the server calls that.
NOT_THERE: Final = frozenset({NO_ROWS, UNKNOWN_FILE, -310000, -358000})
#: A replica that is locked, being written, or none of which is good.
LOCKED: Final = frozenset({-406000, -405000, -1803000, -166000})


class Dropped(StoreUnreachable):
    """A connection that worked was lost in use: worth one more try at once, unlike a server that cannot be reached."""


class TlsDisagreement(StoreUnreachable):
    """The server refuses the TLS policy that was proposed, or requires another."""

    cure = "set irods_client_server_policy in the environment file to what the server wants"


#: Class, and what to say. Here are also the codes that python-irodsclient 3.3.0 does not know (reference, 2.5).
_MEANINGS: Final[dict[int, tuple[type[WatcherError], str]]] = {
    **dict.fromkeys((-406000, -405000), (StoreBusy, "it is locked or still being written")),
    -1803000: (StoreBusy, "it is locked or still being written, or its resource is down"),
    -166000: (StoreBusy, "none of its replicas is good"),
    -120000: (StoreBusy, "its place on the resource is in use"),
    -105000: (StoreFull, "the resource is down"),
    -110000: (StoreFull, "the quota is used up"),
    **dict.fromkeys((-818000, -830000, -350000, -40000, -39000, -36000, -13000), (NotAllowed, "permission denied")),
    -821000: (StoreBusy, "something in it is locked, or not this account's to remove"),
    -169000: (NotAllowed, "the server does not allow this"),
    UNKNOWN_COLLECTION: (NotAllowed, "its collection is not there, or this account cannot see it"),
    **dict.fromkeys(NOT_THERE, (NotAllowed, "it is not there, or this account cannot see it")),
    CHECKSUM_MISMATCH: (FixityError, "what arrived has another checksum than what was sent"),
    -27000: (FixityError, "what arrived has another size than what was sent"),
    **dict.fromkeys((-306000, -346000), (NameRefused, "the name is too long for iRODS")),
    **dict.fromkeys((-317000, -1104000), (NameRefused, "iRODS cannot hold such a name")),
    EXISTS: (Conflict, "something is there already"),
    **dict.fromkeys(
        (ALREADY_EXTRACTED, ITEM_EXISTS, -833000, -834000), (Conflict, "something of that name is there already")
    ),
    **dict.fromkeys((-78000, -831000, -32000), (NotAllowed, "there is no such resource for this account")),
    **dict.fromkeys((-826000, UNKNOWN_USER, -832000, -850000), (LoginRefused, "the name or the password is wrong")),
    -840000: (LoginRefused, "the stored login has expired"),
    **dict.fromkeys((-993000, -994000), (LoginRefused, "PAM refuses this password")),
    -828000: (LoginRefused, "there is no such zone"),
    **dict.fromkeys((-801000, -803000, -37000, -38000), (StoreUnreachable, "the server cannot reach its catalogue")),
    **dict.fromkeys((-116000, -115000, -93000), (StoreUnreachable, "the server could not go on")),
}
#: Linux's ENOSPC, EROFS, ENAMETOOLONG and EDQUOT: the server is never Windows, whatever this computer is.
_ERRNOS: Final[dict[int, tuple[type[WatcherError], str]]] = {
    28: (StoreFull, "the resource is full"),
    30: (StoreFull, "the resource can only be read"),
    36: (NameRefused, "the name is too long for the resource"),
    122: (StoreFull, "the quota of the resource is used up"),
}
_CURES: Final = {
    -831000: "check the resource in the profile or irods_default_resource in the environment file",
    -840000: "log in again with `iinit`",
    -105000: "ask the iRODS administrator to bring it up; it is tried again by itself",
}


def rounded(code: int) -> int:
    """The code without the errno that the server adds to it: -512028 is -512000 and ENOSPC."""
    return -(-code // 1000 * 1000) if code <= -1000 else code


def refusal(code: int, detail: str, about: str) -> WatcherError:
    """The error for a negative status in a reply; an unknown code is a StoreError that names it."""
    kind, words = _MEANINGS.get(rounded(code)) or (StoreError, "iRODS refused this")
    in_driver = -600000 < code <= -500000
    if in_driver and -code % 1000 in _ERRNOS:
        kind, words = _ERRNOS[-code % 1000]
    reported = f"{code}: {detail}" if detail else f"{code}"
    return kind(f"{about}: {words} (iRODS error {reported})", cure=_CURES.get(rounded(code)))


def translate(error: BaseException, about: str) -> WatcherError:
    """The error for whatever the client library or the socket raised."""
    if isinstance(error, WatcherError):
        return error
    code = _code(error)
    if code is not None:
        return refusal(code, "", about)
    if isinstance(error, ssl.SSLCertVerificationError):
        cure = (
            "check irods_host, irods_ssl_ca_certificate_file and the server's certificate; it is tried again by itself"
        )
        return StoreUnreachable(f"{about}: the server's certificate was refused ({error.verify_message})", cure=cure)
    if "negotiation failure" in str(error):
        return TlsDisagreement(f"{about}: client and server do not agree on TLS")
    if "secure communications" in str(error) or type(error).__name__ == "PlainTextPAMPasswordError":
        return TlsDisagreement(f"{about}: PAM sends the password itself, which needs TLS")
    reason = error.__context__ if type(error).__name__ == "NetworkException" and error.__context__ else error
    if isinstance(reason, OSError) or type(error).__name__ == "NetworkException":
        return StoreUnreachable(f"{about}: no answer ({_reason(reason)})")
    return StoreError(f"{about}: the server answered with something that makes no sense ({error!r})")


def _code(error: BaseException) -> int | None:
    # The client library looks an unknown code up in a dictionary and lets the KeyError out (irods/exception.py:200).
    if isinstance(error, KeyError) and error.args and isinstance(error.args[0], int):
        return error.args[0]
    code = getattr(error, "code", None)
    return code if isinstance(code, int) and code < 0 else None


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "it timed out"
    # The library's words for a connection that the other side closed.
    if re.match(r"Read \d+ bytes", str(error)):
        return "the server closed the connection"
    return str(getattr(error, "strerror", None) or error)
