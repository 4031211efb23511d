"""One worker's session with a mounted zone: what lies there is labelled, described and proven, and never touched.

Each method that would send, remove or overwrite in another store does nothing of that here, whoever calls it: what an
instrument has written through a mount is the only copy. What is written are metadata, access for those whom the profile
names, and what the watcher itself says of a set, which never takes the place of somebody else's file.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, Self

from watcher import names, osfacts
from watcher.errors import (
    Conflict,
    FixityError,
    NotAllowed,
    SourceChanged,
    SourceGone,
    SourceUnreadable,
    StoreBusy,
    StoreError,
)
from watcher.model import IDENTIFIER, REPLACES, STATE, UPLOADING, Avu, Member
from watcher.stores.base import Claimed, Grant, Progress, Receipt, Replica, Surveyed
from watcher.stores.irods.access import READ, USER_ID, USER_NAME, USER_ZONE, rights_in
from watcher.stores.irods.catalogue import Catalogue, among
from watcher.stores.irods.connection import Line
from watcher.stores.irods.session import IrodsSession
from watcher.stores.mount.questions import Held, labelled_below, objects_at, objects_in
from watcher.stores.source import BLOCK, Source

#: What to do about what this account may not do with what others have written.
_LET_IT_OWN: Final = (
    "let the account own what is written there (`ichmod -r own` and `ichmod -r inherit` on the watched collection)"
)


class MountSession:
    """See `watcher.stores.base.Session`; not shared between threads. `account` is the user that is asked as.

    With `compare` each member is also read through the mount and compared with the server's checksum.
    """

    def __init__(self, irods: IrodsSession, account: str, *, compare: bool) -> None:
        self._irods = irods
        self._account = account
        self._compare = compare

    def claim(self, collection: str, set_id: str) -> Claimed:
        """Label the collection that is there already; who may read or write it stays as it is.

        Never BEFORE, since no attempt leaves anything there. Raises Conflict if a file has the name of one of
        `names.SIDECARS`, and SourceGone if there is no such collection.
        """
        try:
            return self._irods.ask(lambda catalogue: self._claim(catalogue, collection, set_id))
        except NotAllowed as error:
            raise NotAllowed(f"{collection}: this account may not label it ({error.what})", cure=_LET_IT_OWN) from error

    def _claim(self, catalogue: Catalogue, collection: str, set_id: str) -> Claimed:
        if not catalogue.exists(collection):
            raise SourceGone(f"{collection}: it is no longer in iRODS")
        if catalogue.labelled_above(collection, IDENTIFIER) or labelled_below(catalogue, collection):
            return Claimed.NOT
        avus = catalogue.avus(collection)
        owners = _owners(avus)
        if owners - {set_id} or Avu(REPLACES, set_id) in avus:
            return Claimed.NOT
        if owners:
            return Claimed.NOW
        # What was said of a set whose place this one takes is ours, and is said anew.
        mine = self._account if any(avu.attribute == REPLACES for avu in avus) else None
        there = objects_in(catalogue, collection, names.SIDECARS)
        if taken := [name for name, one in there.items() if one.owner != mine]:
            raise _not_ours(f"{collection}/{min(taken)}")
        label = Avu(IDENTIFIER, set_id)
        catalogue.annotate(collection, (label, UPLOADING), ())
        if _owners(catalogue.avus(collection)) == {set_id}:
            return Claimed.NOW
        # Two watchers found it free at the same moment: neither keeps it.
        catalogue.annotate(collection, (), (label,))
        return Claimed.NOT

    def put(self, source: Source, collection: str, target: str, progress: Progress) -> Receipt:
        """A member: as `put_bundle`. What the watcher itself says of the set is the only thing that is sent."""
        if target in names.SIDECARS:
            data = bytes(source.read())
            self.rewrite(collection, target, data)
            return Receipt(len(data), hashlib.sha256(data).hexdigest())
        return self.put_bundle({target: source}, collection, lambda _, count: progress(count))[target]

    def put_bundle(
        self, sources: Mapping[str, Source], collection: str, progress: Callable[[str, int], None]
    ) -> Mapping[str, Receipt]:
        """Nothing is sent: the server computes the checksums, and then the catalogue still shows what was frozen.

        One request a member, several under way, and one for 50. The receipt's digest is the server's. All members are
        answered for, or the first problem is raised: SourceChanged or SourceGone if the catalogue shows something
        else than was frozen, StoreBusy while something is written or locked.
        """
        for target in sources:
            progress(target, 0)
        paths = {target: f"{collection}/{target}" for target in sources}
        sizes = [(paths[target], source.facts.size) for target, source in sources.items()]
        computed = self._irods.ask(lambda catalogue: list(catalogue.checksums(sizes)))
        held = self._irods.ask(lambda catalogue: _complete(catalogue, paths.values()))
        receipts = {}
        for (target, source), digest in zip(sources.items(), computed, strict=True):
            path = paths[target]
            receipts[target] = Receipt(source.facts.size, _proven(path, source, held.get(path), digest))
        if self._compare:
            for target, source in sources.items():
                _compare(source, receipts[target])
        return receipts

    def confirm(self, collection: str, proven: Sequence[tuple[Source, Member]]) -> None:
        """Ask whether members are still what was proven. Raises SourceChanged, SourceGone or StoreBusy."""
        paths = [f"{collection}/{member.target}" for _, member in proven]
        held = self._irods.ask(lambda catalogue: objects_at(catalogue, paths))
        for path, (source, member) in zip(paths, proven, strict=True):
            one = held.get(path)
            if one is not None and not one.busy and one.good and one.sha256 != member.sha256:
                raise SourceChanged(f"{path}: it was written to again after it was proven")
            _proven(path, source, one, member.sha256)

    def replicas(self, collection: str) -> Mapping[str, Replica]:
        """As in iRODS."""
        return self._irods.replicas(collection)

    def remove(self, collection: str, target: str) -> None:
        """Nothing: what is there is somebody's only copy."""

    def survey(self, wanted: Mapping[str, Collection[str]], attributes: Collection[str]) -> Mapping[str, Surveyed]:
        """As in iRODS."""
        return self._irods.survey(wanted, attributes)

    def reread(self, collection: str, target: str, replica: Replica) -> str:
        """As in iRODS: the server reads what it has stored."""
        return self._irods.reread(collection, target, replica)

    def checksums(self, collection: str, sizes: Mapping[str, int]) -> Mapping[str, str | None]:
        """As in iRODS."""
        return self._irods.checksums(collection, sizes)

    def made_at(self, collection: str) -> float:
        """As in iRODS."""
        return self._irods.made_at(collection)

    def line(self) -> Line:
        """As in iRODS."""
        return self._irods.line()

    def interrupt(self) -> None:
        """As in iRODS."""
        self._irods.interrupt()

    def avus(self, collection: str) -> frozenset[Avu]:
        """As in iRODS."""
        return self._irods.avus(collection)

    def annotate(self, collection: str, add: Iterable[Avu], remove: Iterable[Avu] = ()) -> None:
        """As in iRODS."""
        self._irods.annotate(collection, add, remove)

    def open_to_readers(self, collection: str) -> None:
        """What the collection above hands down; where this account may not change access, it stays as it is."""
        try:
            self._irods.open_to_readers(collection)
        except NotAllowed:
            return

    def grant(self, collection: str, grants: Sequence[Grant]) -> Mapping[str, str]:
        """As in iRODS: a holder of more keeps that."""
        return self._irods.grant(collection, grants)

    def revoke(self, collection: str, who: Sequence[str]) -> None:
        """As in iRODS, but whoever may write there keeps everything: it may be who writes through the mount."""
        strong = self._irods.ask(lambda catalogue: _writers(catalogue, collection))
        if weak := [one for one in who if one.partition("#")[0] not in strong]:
            self._irods.revoke(collection, weak)

    def rewrite(self, collection: str, name: str, content: bytes) -> None:
        """As in iRODS, if nothing is there that this account did not write. Raises Conflict."""
        names.check_sidecar(name)
        path = f"{collection}/{name}"
        there = self._irods.ask(lambda catalogue: objects_at(catalogue, [path])).get(path)
        if there is not None and there.owner != self._account:
            raise _not_ours(path)
        self._irods.rewrite(collection, name, content)

    def read(self, collection: str, name: str, offset: int = 0) -> Iterator[bytes]:
        """As in iRODS."""
        return self._irods.read(collection, name, offset)

    def withdraw(self, collection: str, set_id: str) -> None:
        """Take the label of an unpublished set away, and nothing else."""
        avus = self._irods.avus(collection)
        if _owners(avus) == {set_id} and {avu for avu in avus if avu.attribute == STATE} == {UPLOADING}:
            self._irods.annotate(collection, (), (Avu(IDENTIFIER, set_id), UPLOADING))

    def move(self, collection: str, to: str, set_id: str) -> bool:
        """Rename a set's collection with all that is in it, never over something; whether it is there now.

        What it is to lie in is made. Raises Conflict if the set's label is at neither place.
        """
        return self._irods.ask(lambda catalogue: self._move(catalogue, collection, to, set_id))

    def _move(self, catalogue: Catalogue, collection: str, to: str, set_id: str) -> bool:
        if _owners(catalogue.avus(to)) == {set_id}:
            return True
        if catalogue.exists(to) or catalogue.labelled_above(to, IDENTIFIER):
            return False
        if _owners(catalogue.avus(collection)) != {set_id}:
            raise Conflict(f"{collection}: this collection is not that of the set any more")
        above = to.rpartition("/")[0]
        if not catalogue.exists(above):
            catalogue.make_with_parents(above)
        try:
            catalogue.rename_collection(collection, to)
        except Conflict:
            return False
        return True

    def close(self) -> None:
        """Take leave of the server."""
        self._irods.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _owners(avus: Iterable[Avu]) -> set[str]:
    return {avu.value for avu in avus if avu.attribute == IDENTIFIER}


def _not_ours(path: str) -> Conflict:
    return Conflict(
        f"{path}: this file has a name that the watcher uses, and it did not write it",
        cure="rename it, then `irods-watcher retry`",
    )


def _complete(catalogue: Catalogue, paths: Iterable[str]) -> dict[str, Held]:
    """The data objects now, after each good replica was given its checksum, as the first question gives it to one."""
    held = objects_at(catalogue, paths)
    bare = {path: one for path, one in held.items() if one.bare and not one.busy}
    for path, one in bare.items():
        for number in one.bare:
            catalogue.register_checksum(path, one.facts.size, number)
    return held | objects_at(catalogue, bare) if bare else held


def _proven(path: str, source: Source, held: Held | None, computed: str | None) -> str:
    """The SHA-256 of a data object that is good and still what was frozen. Raises what keeps it from being that."""
    if held is None:
        raise SourceGone(f"{path}: it is no longer in iRODS")
    if held.facts != source.facts:
        then, now = source.facts, held.facts
        what = f"{then.size} bytes then, {now.size} now" if then.size != now.size else "it was written to again"
        raise SourceChanged(f"{path}: it changed after its set was found complete ({what})")
    if held.busy or not held.good or computed not in (None, held.sha256):
        busy = StoreBusy(
            f"{path}: it is locked, still being written, or not good",
            cure="it is tried again; if this stays, ask the iRODS administrator about its replicas, then "
            "`irods-watcher retry`",
        )
        busy.path = path
        raise busy
    if held.sha256 is None:
        cure = "ask the iRODS administrator for SHA256 as the default hash scheme, then `irods-watcher retry`"
        raise StoreError(f"{path}: the server made no SHA-256 of it", cure=cure)
    return held.sha256


def _compare(source: Source, receipt: Receipt) -> None:
    """Read a member through the mount. Raises FixityError, or SourceUnreadable if the mount shows something older."""
    digest, size = hashlib.sha256(), 0
    try:
        with osfacts.open_shared(source.path) as file:
            osfacts.forget_cached(file)
            while block := file.read(BLOCK):
                digest.update(block)
                size += len(block)
    except OSError as error:
        raise SourceUnreadable(
            f"{source.path}: it cannot be read through the mount ({error.strerror or error})"
        ) from error
    if size != receipt.size:
        what = f"{source.path}: the mount gives {size} bytes of {receipt.size}"
        raise SourceUnreadable(what, cure="it is read again when the mount shows what is in iRODS")
    if digest.hexdigest() != receipt.sha256:
        raise FixityError(
            f"{source.path}: the mount gives other bytes than the server's checksum is of",
            cure="it is read again; if this stays, ask the iRODS administrator to look at its replicas",
        )


def _writers(catalogue: Catalogue, collection: str) -> set[str]:
    """The users and groups that may do more there than read, by name without the zone."""
    rights = rights_in(catalogue, [collection], collection).get(collection)
    ids = [holder for holder, (level, _) in rights.levels.items() if level > READ] if rights else []
    rows = (
        row
        for condition in among(ids)
        for row in catalogue.query((USER_ID, USER_NAME, USER_ZONE), {USER_ID: condition}, collection)
    )
    return {name for _, name, _ in rows}
