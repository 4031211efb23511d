"""A published set back out of a store: its manifest as it was published, and members whose bytes agree with it."""

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from watcher import names, osfacts
from watcher.errors import FixityError, NotAllowed, UsageError, WatcherError
from watcher.model import Avu
from watcher.provenance import manifest
from watcher.provenance.vocabulary import MANIFEST_DIGEST
from watcher.stores.source import BLOCK, Source

_PART: Final = ".part"


class Readable(Protocol):
    """What is needed of a session in a store."""

    def read(self, collection: str, name: str, offset: int = 0) -> Iterator[bytes]:
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


def receive(
    session: Readable, collection: str, target: str, path: Path, digest: str, progress: Callable[[int], None]
) -> None:
    """Have a member on the disk, where nothing is yet, byte for byte as its SHA-256 (hex) says.

    Until it is whole it has another name beside its own, and what a cut-off attempt left there is gone on with.
    `progress` is called with the number of its bytes that are there. Raises FixityError, and OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path)
    for start in dict.fromkeys((part.stat().st_size if part.exists() else 0, 0)):
        if _received(session.read(collection, target, start), part, start, progress) == digest:
            break
        part.unlink()
    else:
        raise other_bytes(collection, target)
    part.rename(path)
    osfacts.sync_directory(path.parent)


def part_of(path: Path) -> Path:
    """What a file is called until it is whole: short, since a name may be as long as the disk allows."""
    return path.with_name(hashlib.sha256(os.fsencode(path.name)).hexdigest()[:32] + _PART)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file on the disk, as hex. Raises OSError."""
    with open(path, "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_names(stored: Iterable[str], shown: Iterable[str], folder: Path) -> None:
    """Raise UsageError or NameRefused if names from a store would lead out of the folder, or its disk cannot hold them.

    `stored` is what the store calls them, `shown` what they are to be called here.
    """
    shown = list(shown)
    for name in (part for path in stored for part in path.split("/")):
        names.check(name)  # nothing is written elsewhere, whatever a store says
    for name in shown:
        if not all(osfacts.holds(part) for part in name.split("/")):
            raise UsageError(f"{name}: this system cannot hold such a name", cure="do it on Linux or macOS")
    blind = osfacts.blindness(folder)
    pair = names.merged(shown, blind.seen_as) if any(blind) else None
    if pair:
        raise UsageError(
            f"{pair[0]} and {pair[1]}: this disk takes these two names for the same",
            cure="give a folder on another disk with --to",
        )


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Turn what the disk says into our own words."""
    try:
        yield
    except OSError as error:
        where = error.filename or path
        if error.errno in {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ}:
            raise UsageError(
                f"{where}: this disk cannot hold such a name", cure="give a folder on another disk with --to"
            ) from error
        raise WatcherError(
            f"{where}: it cannot be written ({error.strerror or error})",
            cure="mend that or make space, then give the same command again; it goes on from where it was",
        ) from error


def _received(blocks: Iterator[bytes], part: Path, start: int, progress: Callable[[int], None]) -> str:
    """The SHA-256 (hex) of what is in the part then: its first `start` bytes, and the blocks behind them."""
    digest, size = hashlib.sha256(), start
    with open(part, "r+b" if start else "wb") as file:
        left = start
        while left and (block := file.read(min(left, BLOCK))):
            digest.update(block)
            left -= len(block)
        file.seek(start)
        for block in blocks:
            file.write(block)
            digest.update(block)
            size += len(block)
            progress(size)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def other_bytes(collection: str, target: str) -> FixityError:
    """What is told of a member of which a store has other bytes than its manifest says."""
    return FixityError(
        f"{collection}/{target}: the store gives other bytes than the manifest says",
        cure="try again; if this stays, ask the iRODS administrator to look at its replicas",
    )
