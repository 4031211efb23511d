"""The folder store: image sets as just files in a directory, with a manifest and one JSON file for the metadata."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from watcher import names, osfacts
from watcher.errors import FixityError, NameRefused, NotAllowed, StoreError, StoreFull, StoreUnreachable, TargetMissing
from watcher.model import IDENTIFIER, STATE, UPLOADING, Avu
from watcher.stores.base import Claimed, Grant, Lanes, Progress, Receipt, Replica, Session, Surveyed
from watcher.stores.source import BLOCK, Source

#: Holds the metadata of a set; written under another name and renamed, so that it is always whole.
METADATA = "irods-watcher.json"
_PART = ".part"
_PART_DIGITS = 32
_LABEL = ".irods-watcher-archive"
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
#: What systems say when the disk or share below the archive has gone away.
_GONE = {errno.ENOENT, errno.EIO, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ESTALE}


class FolderStore:
    """A directory on another disk or share. Collections are paths relative to it.

    A label in it tells the archive from the empty mount point that it leaves behind when its share goes away.
    """

    disk = osfacts.LOCAL

    def __init__(self, path: Path, probe: Callable[[Path], osfacts.Blindness] = osfacts.blindness) -> None:
        self.path = path
        self._used = False
        self._probe = probe
        self._blind: osfacts.Blindness | None = None

    def session(self) -> Session:
        """A session; there is nothing to connect."""
        return FolderSession(self)

    def lanes(self) -> Lanes:
        """Every member is copied."""
        return Lanes(copy=True)

    def target_name(self, path: str) -> str:
        """The name below the collection: control characters and bytes that are no text are escaped."""
        return names.legal_path(path)

    def check_names(self, targets: Iterable[str]) -> None:
        """Raise NameRefused, naming both, if the archive's disk would make one of two of these targets.

        Raises as `check` does.
        """
        if self._blind is None:
            self.label()  # not the empty mount point is asked
            with _named(self.path):
                self._blind = self._probe(self.path)
        pair = names.merged(targets, self._blind.seen_as) if any(self._blind) else None
        if pair:
            raise NameRefused(
                f"{pair[0]} and {pair[1]}: the archive's disk takes these two names for the same",
                cure="rename one of the two, then `irods-watcher retry`",
            )

    def place(self, collection: str) -> str:
        """The path of the set's folder."""
        return str(self.path / collection)

    def check(self, base: str, *, used: bool = False) -> None:  # noqa: ARG002 - collections are made here as they are needed
        """Raise TargetMissing or StoreUnreachable if the archive is not there, NotAllowed if it cannot be written."""
        self._used = self._used or used
        if not self.path.is_dir():
            raise TargetMissing(
                f"{self.path}: the folder of the archive is not there",
                cure="create it, or bring back the disk or share that it is on",
            )
        if self._used and not (self.path / _LABEL).exists():
            raise StoreUnreachable(
                f"{self.path}: the folder of the archive is there, but not what was delivered into it",
                cure=f"bring back its disk or share; if it was emptied on purpose, make a file {_LABEL} in it",
            )
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise NotAllowed(
                f"{self.path}: the folder of the archive cannot be written", cure="let this account write there"
            )

    def label(self) -> None:
        """Mark the archive at its first use. Raises as `check` does."""
        self.check("", used=False)
        with _named(self.path):
            (self.path / _LABEL).touch()
        self._used = True


class FolderSession:
    """One worker's way into the archive. The bytes on its disk are its catalogue: `replicas` reads them again."""

    def __init__(self, store: FolderStore) -> None:
        self._store = store
        self._root = store.path
        self._interrupted = False

    def claim(self, collection: str, set_id: str) -> Claimed:
        """Create the set's directory for this account alone, if it does not belong to something else."""
        self._store.label()
        directory = self._at(collection)
        with _named(directory):
            above = [self._root / path for path in Path(collection).parents if path.name]
            if any((folder / METADATA).exists() for folder in above):
                return Claimed.NOT  # inside another set
            try:
                directory.mkdir(parents=True, exist_ok=True)
            except (FileExistsError, NotADirectoryError):
                return Claimed.NOT
            owner = self._owner(directory)
            if owner is None and not any(path.name != METADATA + _PART for path in directory.iterdir()):
                directory.chmod(0o700)
                self.annotate(collection, [Avu(IDENTIFIER, set_id), UPLOADING])
                return Claimed.NOW
            return Claimed.BEFORE if owner == set_id else Claimed.NOT

    def put(self, source: Source, collection: str, target: str, progress: Progress) -> Receipt:
        """Write under a temporary name, make it durable, read it back, and only then give it its name."""
        final = self._at(collection) / target
        with _named(final):
            if not self._at(collection).is_dir():
                raise StoreUnreachable(f"{self._at(collection)}: the set's folder in the archive went away")
            final.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(source.blocks()) as blocks:
                part, digest = _write(final, blocks, progress)
            os.utime(part, ns=(source.facts.mtime_ns, source.facts.mtime_ns))
            part.replace(final)
            osfacts.sync_directory(final.parent)
        return Receipt(source.facts.size, digest)

    def put_bundle(
        self,
        sources: Mapping[str, Source],  # noqa: ARG002 - a disk gains nothing from it
        collection: str,  # noqa: ARG002
        progress: Callable[[str, int], None],  # noqa: ARG002
    ) -> Mapping[str, Receipt]:
        """Nothing: each is copied."""
        return {}

    def replicas(self, collection: str) -> Mapping[str, Replica]:
        """Every file below the collection, read from the disk again."""
        directory = self._at(collection)
        found = {}
        with _named(directory):
            for target, path in self._stored(directory):
                found[target] = Replica(path.stat().st_size, _sha256(path, from_disk=True), good=True)
        return found

    def survey(
        self,
        wanted: Mapping[str, Collection[str]],
        attributes: Collection[str],
    ) -> Mapping[str, Surveyed]:
        """The names and sizes of the files."""
        found = {}
        for collection in wanted:
            directory = self._at(collection)
            avus = frozenset(avu for avu in self.avus(collection) if avu.attribute in attributes)
            with _named(directory):
                files = {
                    target: Replica(path.stat().st_size, None, good=True) for target, path in self._stored(directory)
                }
            found[collection] = Surveyed(avus, files, digests=False)
        return found

    def reread(self, collection: str, target: str, replica: Replica) -> str:
        """Read the file from the disk."""
        path = self._at(collection) / target
        with _named(path):
            if not path.is_file():
                return "it is not there"
            digest = hashlib.sha256()
            with open(path, "rb", buffering=0) as file:
                osfacts.forget_cached(file)
                while block := file.read(BLOCK):
                    if self._interrupted:
                        raise StoreUnreachable(f"{path}: reading it was given up")
                    digest.update(block)
            return "" if digest.hexdigest() == replica.sha256 else "the disk holds other bytes"

    def checksums(self, collection: str, sizes: Mapping[str, int]) -> Mapping[str, str | None]:
        """Read the files."""
        directory = self._at(collection)
        with _named(directory):
            return {target: _sha256(directory / target, from_disk=True) for target in sizes}

    def remove(self, collection: str, target: str) -> None:
        """Remove one file of an unpublished set."""
        with _named(self._at(collection) / target):
            (self._at(collection) / target).unlink(missing_ok=True)

    def avus(self, collection: str) -> frozenset[Avu]:
        """The metadata in the set's JSON file."""
        path = self._at(collection) / METADATA
        with _named(path):
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
                return frozenset(Avu(*avu) for avu in record["metadata"])
            except FileNotFoundError:
                self._store.check("")  # an archive that went away says nothing either
                return frozenset()
            except (ValueError, KeyError, TypeError) as error:
                raise StoreError(
                    f"{path}: it is not as it was written ({error})", cure="look who changed it"
                ) from error

    def annotate(self, collection: str, add: Iterable[Avu], remove: Iterable[Avu] = ()) -> None:
        """Write the set's JSON file anew, whole or not at all."""
        path = self._at(collection) / METADATA
        avus = (self.avus(collection) - set(remove)) | set(add)
        with _named(path):
            part = path.with_name(METADATA + _PART)
            lines = ",\n  ".join(json.dumps(avu, ensure_ascii=False) for avu in sorted(avus))
            text = f'{{"schema_version": 1, "metadata": [\n  {lines}\n]}}'
            with open(part, "w", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            osfacts.sync_directory(path.parent)

    def open_to_readers(self, collection: str) -> None:
        """Let everybody read who may read the archive, as the mode of the archive's folder says."""
        directory = self._at(collection)
        with _named(directory):
            for path in _files(directory):
                # What a killed attempt has left of a file that was gone when the next one began.
                if path.suffix == _PART and len(path.stem) == _PART_DIGITS:
                    path.unlink()
            shutil.copymode(self._root, directory)

    def grant(self, collection: str, grants: Sequence[Grant]) -> Mapping[str, str]:  # noqa: ARG002 - there is nobody in it
        """Nothing but the answer that a folder knows no users."""
        return {who: "an archive that is a folder knows no users of a zone" for who, *_ in grants}

    def revoke(self, collection: str, who: Sequence[str]) -> None:
        """Nothing: nobody was given anything."""

    def rewrite(self, collection: str, name: str, content: bytes) -> None:
        """Write under a temporary name, make it durable, read it back, and only then let it take the place."""
        names.check_sidecar(name)
        final = self._at(collection) / name
        with _named(final):
            part, _ = _write(final, [content], lambda _: None)
            if final.exists():
                shutil.copymode(final, part)
            part.replace(final)
            osfacts.sync_directory(final.parent)

    def read(self, collection: str, name: str, offset: int = 0) -> Iterator[bytes]:
        """The bytes of the file."""
        path = self._at(collection) / name
        self._store.check("")  # or an archive that went away would have lost the file
        with _named(path):
            if not path.is_file():
                raise NotAllowed(f"{path}: it is not there", cure="look who removed it")
            with open(path, "rb", buffering=0) as file:
                file.seek(offset)
                while block := file.read(BLOCK):
                    yield block

    def made_at(self, collection: str) -> float:
        """The time of the set's JSON file, which a share takes from its server's clock."""
        path = self._at(collection) / METADATA
        with _named(path):
            return path.stat().st_mtime

    def withdraw(self, collection: str, set_id: str) -> None:
        """Remove an unpublished set's directory; its JSON file, which is the label, goes last."""
        directory = self._at(collection)
        avus = self.avus(collection)
        if {avu for avu in avus if avu.attribute in {IDENTIFIER, STATE}} != {Avu(IDENTIFIER, set_id), UPLOADING}:
            return
        with _named(directory):
            for path in directory.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path.name != METADATA:
                    path.unlink()
            (directory / METADATA).unlink()
            directory.rmdir()

    def interrupt(self) -> None:
        """Read no more."""
        self._interrupted = True

    def close(self) -> None:
        """Nothing is held open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _at(self, collection: str) -> Path:
        return self._root / collection

    @staticmethod
    def _stored(directory: Path) -> Iterator[tuple[str, Path]]:
        """What is of a set, by target: neither the metadata nor what is being written."""
        for path in _files(directory):
            if path != directory / METADATA and not path.name.endswith(_PART):
                yield path.relative_to(directory).as_posix(), path

    def _owner(self, directory: Path) -> str | None:
        owners = [avu.value for avu in self.avus(str(directory)) if avu.attribute == IDENTIFIER]
        return owners[0] if owners else None


def _write(final: Path, blocks: Iterable[bytes | memoryview], progress: Progress) -> tuple[Path, str]:
    """Write beside the final place, make durable, read back: where it is, and its SHA-256. Raises FixityError."""
    # Short, since a name may be as long as the disk allows, and its own for each name.
    part = final.with_name(hashlib.sha256(os.fsencode(final.name)).hexdigest()[:_PART_DIGITS] + _PART)
    digest = hashlib.sha256()
    with open(part, "wb") as file:
        for block in blocks:
            file.write(block)
            digest.update(block)
            progress(len(block))
        file.flush()
        os.fsync(file.fileno())
    if _sha256(part) != digest.hexdigest():
        part.unlink()
        raise FixityError(f"{final}: the disk gives back other bytes than were written")
    return part, digest.hexdigest()


def _files(directory: Path) -> Iterator[Path]:
    return (Path(folder) / name for folder, _, files in os.walk(directory) for name in sorted(files))


def _sha256(path: Path, *, from_disk: bool = False) -> str:
    with open(path, "rb", buffering=0) as file:
        if from_disk:
            osfacts.forget_cached(file)
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn what the system says into our own words."""
    try:
        yield
    except PermissionError as error:
        raise NotAllowed(f"{path}: no permission in the archive", cure="let this account write there") from error
    except OSError as error:
        why = f"{path}: {error.strerror or error}"
        if error.errno == errno.ENAMETOOLONG:
            raise NameRefused(f"{path}: the name is too long for the archive's disk") from error
        if error.errno in _NO_SPACE:
            raise StoreFull(why, cure="make space in the archive; it is tried again by itself") from error
        if error.errno in _GONE:
            raise StoreUnreachable(why, cure="bring back the disk or share of the archive") from error
        raise StoreError(why, cure="look at the archive's disk") from error
