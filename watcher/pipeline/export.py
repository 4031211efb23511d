"""A published set as a bag on another disk, for people and archives without iRODS."""

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, Protocol

from watcher import __version__, names, osfacts
from watcher.errors import FixityError, NotAllowed, UsageError, WatcherError
from watcher.model import Avu, ImageSet
from watcher.profile import Profile
from watcher.provenance import bag, manifest
from watcher.provenance.vocabulary import MANIFEST_DIGEST, SIZE

_PART: Final = ".part"
_BLOCK: Final = 4 * 1024 * 1024


class Readable(Protocol):
    """What is needed of a session in a store."""

    def read(self, collection: str, name: str) -> Iterator[bytes]:
        """The bytes of one object."""
        ...

    def avus(self, collection: str) -> frozenset[Avu]:
        """The metadata on the collection."""
        ...


@dataclass(frozen=True, slots=True)
class Exported:
    """The bag that was made: its payload in files and bytes, and what a person should know of it."""

    bag: Path
    files: int
    size: int
    remarks: tuple[str, ...]


def export(
    image_set: ImageSet,
    profile: Profile,
    session: Readable,
    folder: Path,
    today: date,
    progress: Callable[[int, int], None],
) -> Exported:
    """Make a bag of a published set in a new folder below `folder`; every byte is compared with the manifest.

    Until it is whole its name ends in `.part`; a call after a kill goes on, and reads again what it had only begun.
    `progress` is called with the bytes that are done and how many there are. Raises UsageError if the place is taken or
    cannot hold the names, FixityError if the store holds other bytes than the manifest says, and a StoreError.
    """
    collection = image_set.collection or ""
    final = folder / names.legal(image_set.name)
    if os.path.lexists(final):
        raise UsageError(f"{final}: it is there already", cure="remove it, or give another folder with --to")
    avus = session.avus(collection)
    wanted = manifest.parse(_manifest(session, collection, avus))
    part = final.with_name(final.name + _PART)
    payload = part / bag.PAYLOAD
    with _named(part):
        payload.mkdir(parents=True, exist_ok=True)
        _check_names(wanted, part)
        total = sum(int(avu.value) for avu in avus if avu.attribute == SIZE)
        digests = dict(_members(session, collection, payload, wanted, lambda done: progress(done, total)))
        digests |= _sidecars(session, collection, payload)
        _remove_others(payload, digests)
        size = sum((payload / name).stat().st_size for name in digests)
        info = _about(image_set, profile, today, size, len(digests))
        for name, text in bag.tag_files(digests, info).items():
            _write(part / name, [text.encode()])
        part.rename(final)
        osfacts.sync_directory(folder)
    return Exported(final, len(digests), size, tuple(bag.remarks_on(digests)))


def _manifest(session: Readable, collection: str, avus: Iterable[Avu]) -> str:
    """The set's manifest as it is in the store, if it is the one that was published."""
    content = b"".join(session.read(collection, manifest.NAME))
    published = {avu.value for avu in avus if avu.attribute == MANIFEST_DIGEST}
    if published != {hashlib.sha256(content).hexdigest()}:
        raise FixityError(
            f"{collection}/{manifest.NAME}: it is not the manifest that was published",
            cure="ask the iRODS administrator who changed it; nothing is exported",
        )
    return content.decode("utf-8")


def _members(
    session: Readable,
    collection: str,
    payload: Path,
    wanted: Mapping[str, str],
    progress: Callable[[int], None],
) -> Iterator[tuple[str, str]]:
    before = 0
    for name, digest in wanted.items():
        path = payload / name
        if not path.is_file() or _sha256(path) != digest:
            found = _write(path, _counted(session.read(collection, name), before, progress))
            if found != digest:
                path.unlink()
                raise FixityError(
                    f"{collection}/{name}: the store gives other bytes than the manifest says",
                    cure="try again; if this stays, ask the iRODS administrator to look at its replicas",
                )
        yield name, digest
        before += path.stat().st_size
        progress(before)


def _counted(blocks: Iterable[bytes], done: int, progress: Callable[[int], None]) -> Iterator[bytes]:
    for block in blocks:
        yield block
        done += len(block)
        progress(done)


def _sidecars(session: Readable, collection: str, payload: Path) -> Iterator[tuple[str, str]]:
    """What else the watcher has put there; a set that an earlier version published may lack some of it."""
    for name in sorted(names.SIDECARS):
        with contextlib.suppress(NotAllowed):
            yield name, _write(payload / name, session.read(collection, name))


def _check_names(wanted: Iterable[str], folder: Path) -> None:
    for name in wanted:
        for part in name.split("/"):
            names.check(part)  # nothing is written outside of the bag, whatever a store says
            if not osfacts.holds(part):
                raise UsageError(f"{name}: this system cannot hold such a name", cure="export it on Linux or macOS")
    blind = osfacts.blindness(folder)
    pair = names.merged(wanted, blind.seen_as) if any(blind) else None
    if pair:
        raise UsageError(
            f"{pair[0]} and {pair[1]}: this disk takes these two names for the same",
            cure="give a folder on another disk with --to",
        )


def _remove_others(payload: Path, digests: Mapping[str, str]) -> None:
    """What an earlier attempt has left of something that is not in the set."""
    for found, _, files in os.walk(payload):
        for file in files:
            path = Path(found, file)
            if path.relative_to(payload).as_posix() not in digests:
                path.unlink()


def _about(image_set: ImageSet, profile: Profile, today: date, size: int, files: int) -> list[tuple[str, str]]:
    facility = profile.people.facility
    return [
        ("Source-Organization", facility.name if facility else ""),
        ("External-Description", f"Image set {image_set.name} of {profile.instrument.name}"),
        ("External-Identifier", image_set.id),
        ("Internal-Sender-Identifier", image_set.collection or ""),
        ("Bagging-Date", today.isoformat()),
        ("Bag-Software-Agent", f"irods-watcher/{__version__}"),
        ("Payload-Oxum", f"{size}.{files}"),
    ]


def _write(path: Path, blocks: Iterable[bytes]) -> str:
    """Write durably; the answer is the SHA-256 of the bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for block in blocks:
            file.write(block)
            digest.update(block)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with open(path, "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
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
