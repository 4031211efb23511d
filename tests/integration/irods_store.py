"""What the tests of the iRODS store share besides their fixtures."""

import hashlib
import os
from dataclasses import dataclass

from tests.irods_server import IrodsServer
from watcher.stores.irods import IrodsStore

MIB = 1024 * 1024
LARGE = 40 * MIB
HOME = "/tempZone/home/rods"
SET = f"{HOME}/2026/set-1"
PUT, OPEN, WRITE, CLOSE, UNLINK, QUERY, MKDIR, ACCESS, METADATA = 606, 602, 676, 673, 615, 702, 681, 707, 20002
#: Names that some layer between here and a catalogue could stumble over.
NAMES = [
    "it's.tif",
    'say "hi" & <b>.tif',
    "50%_x.tif",
    "ab\\c.tif",
    "cell 🧫 µm.tif",
    "e\u0301.tif",
    " lead",
    "x/y/z.tif",
]
REAL_ZONE = os.environ.get("IRODS_WATCHER_TEST_ENVIRONMENT", "")
#: How long an attempt may wait for an agent to notice that its client is gone.
QUICK = 5.0


@dataclass
class Where:
    """A zone to test against: its store, and a collection in which everything is allowed."""

    store: IrodsStore
    base: str


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def large(seed: int = 1) -> bytes:
    """40 MiB of which no two blocks are the same."""
    return b"".join(bytes([seed, block]) * (MIB // 2) for block in range(LARGE // MIB))


def ignore(_: int) -> None:
    """Progress that nobody looks at."""


def apis(server: IrodsServer) -> list[int]:
    return [request.api for request in server.requests]
