"""A published set back out of a store: its manifest as it was published, and members whose bytes agree with it."""

import contextlib
import hashlib
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from watcher.errors import FixityError, NotAllowed
from watcher.model import Avu
from watcher.provenance import manifest
from watcher.provenance.vocabulary import MANIFEST_DIGEST
from watcher.stores.source import BLOCK, Source


class Readable(Protocol):
    """What is needed of a session in a store."""

    def read(self, collection: str, name: str) -> Iterator[bytes]:
        """The bytes of one object."""
        ...

    def avus(self, collection: str) -> frozenset[Avu]:
        """The metadata on the collection."""
        ...


def published_manifest(session: Readable, collection: str, avus: Iterable[Avu]) -> str:
    """The set's manifest as it is in the store. Raises FixityError if it is not the one that was published."""
    content = b"".join(session.read(collection, manifest.NAME))
    published = {avu.value for avu in avus if avu.attribute == MANIFEST_DIGEST}
    if published != {hashlib.sha256(content).hexdigest()}:
        raise FixityError(
            f"{collection}/{manifest.NAME}: it is not the manifest that was published",
            cure="ask the iRODS administrator who changed it; nothing is taken from there",
        )
    return content.decode("utf-8")


def content_of(session: Readable, collection: str, name: str) -> bytes | None:
    """The bytes of one of the watcher's own files, None if the set has none of that name."""
    with contextlib.suppress(NotAllowed):
        return b"".join(session.read(collection, name))
    return None


@dataclass(frozen=True, slots=True)
class FromStore(Source):
    """A member as a store has it, with the SHA-256 (hex) that it must have.

    Raises FixityError before the last of its bytes are given if they are others, and what the session raises.
    """

    session: Readable
    collection: str
    target: str
    digest: str

    def blocks(self, block: int = BLOCK) -> Generator[memoryview]:  # noqa: ARG002 - as the store gives them
        """See `Source.blocks`."""
        digest, held = hashlib.sha256(), b""
        for data in self.session.read(self.collection, self.target):
            digest.update(data)
            if held:
                yield memoryview(held)
            held = data
        if digest.hexdigest() != self.digest:
            raise other_bytes(self.collection, self.target)
        if held:
            yield memoryview(held)

    def read(self) -> bytearray:
        """See `Source.read`."""
        return bytearray(b"".join(self.blocks()))

    def sha256(self) -> str:
        """What its manifest says, which all that is read is compared with."""
        return self.digest


def other_bytes(collection: str, target: str) -> FixityError:
    """What is told of a member of which a store has other bytes than its manifest says."""
    return FixityError(
        f"{collection}/{target}: the store gives other bytes than the manifest says",
        cure="try again; if this stays, ask the iRODS administrator to look at its replicas",
    )
