"""`python -m tests.irods_server`: the server as a process of its own, until its standard input ends or SIGTERM."""

import argparse
import json
import signal
import sys
from pathlib import Path
from types import FrameType

from .control import serve_control
from .server import IrodsServer


def _end(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def main() -> None:
    """Read the options, serve, take commands from standard input (see `control`)."""
    parser = argparse.ArgumentParser(prog="python -m tests.irods_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--zone", default="tempZone")
    parser.add_argument("--version", default="rods5.0.2")
    parser.add_argument("--hash-scheme", choices=("sha2", "md5"), default="sha2")
    parser.add_argument("--vault", type=Path)
    parser.add_argument("--user", action="append", default=[], metavar="NAME:PASSWORD")
    parser.add_argument("--collection", action="append", default=[], metavar="PATH[:OWNER]")
    parser.add_argument("--tls", nargs=2, type=Path, metavar=("CERTIFICATE", "KEY"))
    parser.add_argument("--print-environment", action="store_true")
    options = parser.parse_args()
    users = dict(user.split(":", 1) for user in options.user)
    signal.signal(signal.SIGTERM, _end)
    server = IrodsServer(
        options.zone,
        options.version,
        options.vault,
        tuple(options.tls) if options.tls else None,
        users,
        hash_scheme=options.hash_scheme,
        port=options.port,
    )
    with server:
        for collection in options.collection:
            path, _, owner = collection.partition(":")
            server.make_collection(path, owner or "rods")
        if options.print_environment:
            sys.stdout.write(json.dumps(server.environment(next(iter(users), "rods"))) + "\n")
            sys.stdout.flush()
        serve_control(server, sys.stdin, sys.stdout)


if __name__ == "__main__":
    main()
