"""NFSRODS in front of the test server: what a program sees of a zone through an NFS mount, with all that is old in it.

    server    what NFSRODS does: each write is an open, a write and a close; its caches, one for each user
    client    one computer's mount, with the system's own cache, given to a program as a way to look at a disk

What it does and where that stands in NFSRODS' source: requirements-and-metadata.md, section 6.
Nothing of it was held against a live NFSRODS.

Which tests hold what is said of a mount, in tests/integration if not said otherwise:

    statement                                                     test
    the model is as bad as section 6 says                         test_nfsrods
    polling only: no events, no free space                        test_mount_observe (no_events...), e2e/test_mounted
    quiet times cover the caches                                  test_mount_observe (hour in pieces, rests for longer),
                                                                  unit/profile/test_mount (shorter ones are refused)
    the catalogue is asked what is new, different, gone           test_mount_observe (not listed, old size, no answer)
    stale sizes are not believed                                  test_mount_observe, test_mount_proof (look into)
    ESTALE, EIO, ENOENT in mid-walk                               test_mount_observe (stumbles, keeps what is known)
    empty checksums are not believed                              test_mount_proof, unit/stores/test_mount_questions
    good replicas that are half-written are not believed          test_mount_proof (midst of a write, grows, truncated)
    roots are explicit, and proven at the start                   unit/profile/test_mount, test_mount_observe, e2e
    a mount that goes away, or is another one                     test_mount_observe, test_mount_way, e2e
    checksums are the server's, and acq:fixity says it            test_mount_proof
    compared with the mount only if asked                         test_mount_proof
    owners are the catalogue's, never st_uid                      test_mount_way (owner)
    root is refused                                               test_mount_observe, e2e
    metadata, sidecars, access, hand-off as for an upload         test_mount_way
    nothing of others is sent, removed, overwritten               test_mount_way, test_mount_store
    moved to its place if small enough, also after a kill         test_mount_move
"""

from .client import Client
from .server import Nfsrods

__all__ = ["Client", "Nfsrods"]
