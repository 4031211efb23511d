"""A certificate for a server on loopback, made with the `openssl` command."""

import subprocess
from pathlib import Path

from .server import Tls

_SUBJECT = ["-subj", "/CN=localhost"]
_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"
_AUTHORITY = """\
[ca]
default_ca = own
[own]
dir = {directory}
database = {directory}/index.txt
new_certs_dir = {directory}
serial = {directory}/serial
default_md = sha256
policy = any
[any]
commonName = supplied
[names]
{names}
"""


def make_certificate(directory: Path, *, expired: bool = False) -> Tls:
    """A self-signed certificate for localhost and 127.0.0.1, with its key, in `directory`.

    It is valid for two days, or expired long ago.
    """
    files = Tls(directory / "server.pem", directory / "server.key")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(files.key)]
    if not expired:
        made = ["-x509", "-days", "2", "-addext", _NAMES, "-out", str(files.certificate)]
        _openssl("req", *key, *_SUBJECT, *made)
        return files
    # Only `ca` can make one that has expired.
    request, settings = directory / "server.csr", directory / "ca.cnf"
    settings.write_text(_AUTHORITY.format(directory=directory, names=_NAMES.replace("=", " = ", 1)), encoding="ascii")
    (directory / "index.txt").write_text("", encoding="ascii")
    (directory / "serial").write_text("01\n", encoding="ascii")
    _openssl("req", *key, *_SUBJECT, "-new", "-out", str(request))
    times = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"]
    own = ["-selfsign", "-keyfile", str(files.key), "-extensions", "names", "-notext", "-batch", *times]
    _openssl("ca", "-config", str(settings), "-in", str(request), "-out", str(files.certificate), *own)
    return files


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)
