"""What the other side of an encrypted connection must prove before it is told anything."""

import ssl
from pathlib import Path

from watcher.errors import ConfigurationError


def trust(certificate: Path | None, section: str) -> ssl.SSLContext:
    """Its name, by the authority with this certificate, or by one that this computer knows.

    Raises ConfigurationError if the certificate cannot be read; `section` is where the profile names it.
    """
    try:
        return ssl.create_default_context(cafile=certificate)
    except OSError as error:  # ssl.SSLError is one
        reason = "there is no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigurationError(f"{section}.certificate: {certificate}: it cannot be read ({reason})") from None
