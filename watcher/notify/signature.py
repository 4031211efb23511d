"""Signatures as Standard Webhooks have them (standard-webhooks/spec, v1.0.0): who wrote this, and when."""

import base64
import binascii
import hashlib
import hmac
from typing import Final

from watcher.errors import ConfigurationError

#: The headers of a signed request.
ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"


def key_of(secret: str, place: str) -> bytes:
    """The key in a secret: base64 of 24 to 64 bytes, with or without `whsec_` before it.

    Raises ConfigurationError, naming the `place` in the profile.
    """
    text = secret.strip().removeprefix("whsec_")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not 24 <= len(key) <= 64:
        raise ConfigurationError(
            f"{place}: it is not the base64 of 24 to 64 bytes",
            cure="make one with `openssl rand -base64 32`, and give it to the receiver too",
        )
    return key


def signed(key: bytes, identifier: str, at: float, body: bytes) -> dict[str, str]:
    """The headers that sign a body, sent at this time in seconds since 1970."""
    stamp = str(int(at))
    return {ID: identifier, TIMESTAMP: stamp, SIGNATURE: f"v1,{_signature(key, identifier, stamp, body)}"}


def is_signed(key: bytes, identifier: str, stamp: str, body: bytes, given: str) -> bool:
    """Whether one of the signatures in a header is that of this body, identifier and time stamp."""
    expected = _signature(key, identifier, stamp, body).encode()
    found = (each.removeprefix("v1,").encode("utf-8", "replace") for each in given.split(" ") if each[:3] == "v1,")
    return any(hmac.compare_digest(expected, each) for each in found)


def _signature(key: bytes, identifier: str, stamp: str, body: bytes) -> str:
    content = b".".join((identifier.encode("utf-8", "replace"), stamp.encode("utf-8", "replace"), body))
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
