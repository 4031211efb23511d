"""A published set as a bag on another disk, for people and archives without iRODS."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from watcher import __version__, names, osfacts
from watcher.errors import NotAllowed, UsageError
from watcher.model import ImageSet
from watcher.pipeline.retrieve import Readable, check_names, named, published_manifest, receive, sha256_of
from watcher.profile import Profile
from watcher.provenance import bag, manifest
from watcher.provenance.vocabulary import SIZE

_PART: Final = ".part"


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

    Until it is whole its name ends in `.part`, and a call after a kill goes on where that one was.
    `progress` is called with the bytes that are done and how many there are. Raises UsageError if the place is taken or
    cannot hold the names, FixityError if the store holds other bytes than the manifest says, and a StoreError.
    """
    collection = image_set.collection or ""
    final = folder / names.legal(image_set.name)
    if os.path.lexists(final):
        raise UsageError(f"{final}: it is there already", cure="remove it, or give another folder with --to")
    avus = session.avus(collection)
    wanted = manifest.parse(published_manifest(session, collection, avus))
    part = final.with_name(final.name + _PART)
    payload = part / bag.PAYLOAD
    with named(part):
        payload.mkdir(parents=True, exist_ok=True)
        check_names(wanted, wanted, part)
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
        if not path.is_file() or sha256_of(path) != digest:
            path.unlink(missing_ok=True)
            receive(session, collection, name, path, digest, _beyond(before, progress))
        yield name, digest
        before += path.stat().st_size
        progress(before)


def _beyond(before: int, progress: Callable[[int], None]) -> Callable[[int], None]:
    return lambda done: progress(before + done)


def _sidecars(session: Readable, collection: str, payload: Path) -> Iterator[tuple[str, str]]:
    """What else the watcher has put there; a set that an earlier version published may lack some of it."""
    for name in sorted(names.SIDECARS):
        with contextlib.suppress(NotAllowed):
            yield name, _write(payload / name, session.read(collection, name))


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
