"""Checksums as iRODS writes them: `sha2:` and base64, or the bare hex of MD5 (iRODS checksum.cpp)."""

import base64
import hashlib
from pathlib import Path

SHA2_PREFIX = "sha2:"


def checksum(location: Path, scheme: str) -> str:
    """The checksum of a file's bytes in `scheme`, `sha2` or `md5`."""
    with location.open("rb") as file:
        if scheme == "sha2":
            return SHA2_PREFIX + base64.b64encode(hashlib.file_digest(file, "sha256").digest()).decode()
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def scheme_to_register(keyword: str, default: str) -> str:
    """The scheme `regChksum` asks for: only `sha2:` overrules the zone's default (irods-wire/README.md)."""
    return "sha2" if keyword == SHA2_PREFIX else default


def scheme_to_verify(expected: str) -> str:
    """The scheme of a checksum that a client expects."""
    return "sha2" if expected.startswith(SHA2_PREFIX) else "md5"
