"""NFSRODS in front of the test server: what a program sees of a zone through an NFS mount, with all that is old in it.

    server    what NFSRODS does: each write is an open, a write and a close; its caches, one for each user
    client    one computer's mount, with the system's own cache, given to a program as a way to look at a disk

What it does and where that stands in NFSRODS' source: requirements-and-metadata.md, section 6.
Nothing of it was held against a live NFSRODS.
"""

from .client import Client
from .server import Nfsrods

__all__ = ["Client", "Nfsrods"]
