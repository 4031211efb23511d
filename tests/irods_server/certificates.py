"""A certificate for a server on loopback, made with the `openssl` command."""

import subprocess
from pathlib import Path

from .server import Tls


def make_certificate(directory: Path) -> Tls:
    """A self-signed certificate for localhost and 127.0.0.1, with its key, in `directory`."""
    files = Tls(directory / "server.pem", directory / "server.key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", str(files.key), "-out", str(files.certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return files
