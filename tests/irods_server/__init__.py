"""A server that speaks the iRODS wire protocol to unmodified clients, for tests (ARCHITECTURE: the test server).

Held against recordings of a real iRODS 5.0.2 by `tests/integration/test_wire_recordings.py`.
"""

from .certificates import make_certificate
from .codes import Code
from .entities import GOOD, INTERMEDIATE, STALE, Replica
from .faults import Faults
from .server import IrodsServer, Tls
from .zone import LoggedRequest

__all__ = [
    "GOOD",
    "INTERMEDIATE",
    "STALE",
    "Code",
    "Faults",
    "IrodsServer",
    "LoggedRequest",
    "Replica",
    "Tls",
    "make_certificate",
]
