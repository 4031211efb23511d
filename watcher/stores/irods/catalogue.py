"""What the catalogue of iRODS knows and is told: replicas, metadata, collections. One request a question."""

import base64
import binascii
import contextlib
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from irods.message import (
    STR_PI,
    CollectionRequest,
    FileOpenRequest,
    GenQueryRequest,
    GenQueryResponse,
    IntegerIntegerMap,
    IntegerStringMap,
    JSON_Binary_Request,
    ObjCopyRequest,
    StringStringMap,
)

from watcher.errors import NotAllowed, StoreError
from watcher.model import Avu
from watcher.stores.base import Replica
from watcher.stores.irods.connection import Connection
from watcher.stores.irods.failures import INVALID_INPUT, ITEM_EXISTS, LOCKED, NO_ROWS, NOT_THERE, UNKNOWN_COLLECTION

GEN_QUERY, UNLINK, CHECKSUM_OF, REMOVE_COLLECTION, MAKE_COLLECTION, CHANGE_METADATA = 702, 615, 629, 679, 681, 20002
RENAME: Final = 627

# Columns of GenQuery (irods/models.py). GenQuery2 gives an administrator the same row up to nine times.
COLL_ID, COLL_NAME, COLL_PARENT, COLL_MADE = 500, 501, 502, 508
DATA_NAME, REPLICA_NUMBER, SIZE, STATUS, CHECKSUM = 403, 404, 407, 413, 415
AVU_NAME, AVU_VALUE, AVU_UNIT = 610, 611, 612

#: Widths of the columns for attribute, value and unit, in bytes (irods-wire/README.md; icatSysTables.sql.pp).
WIDTHS: Final = (2700, 2700, 250)
_PAGE: Final = 500
#: RENAME_COLL (rodsDef.h; 16-rename-and-unlink has the other one), and what the slowest server may need, in seconds.
_RENAME_COLLECTION: Final = 12
_SLOWEST_RENAME: Final = 600.0
_STALE: Final = 0
_GOOD: Final = 1
#: How the server reports in the midst of removing a collection, and what it wants to hear (irods/constants.py).
_REMOVED_SOME: Final = 99999996
_GO_ON: Final = 99999997
#: Questions on their way whose answer was not read yet: hides round trips of 100 ms behind the server's own work.
_IN_FLIGHT: Final = 32
#: What the slowest resource is trusted to checksum in a second, in bytes: the reply waits for it.
SLOWEST_CHECKSUM: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Found:
    """One data object: its replicas taken together, and whether one of them is being written, read or locked.

    `half` is the size in bytes of the only replica if that is stale, as a lost connection leaves it; otherwise 0.
    """

    replica: Replica
    busy: bool
    half: int = 0


class Catalogue:
    """The questions and orders of one session. All raise as `watcher.stores.base.Session` says, naming the path."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lookup(self, path: str) -> Found | None:
        """The data object at this path, None if there is none."""
        parent, name = _split(path)
        columns = (REPLICA_NUMBER, SIZE, CHECKSUM, STATUS)
        rows = [row[1:] for row in self.query(columns, {COLL_NAME: f"= '{parent}'", DATA_NAME: f"= '{name}'"}, path)]
        return combine(rows) if rows else None

    def checksums(self, objects: Iterable[tuple[str, int]]) -> Iterator[str | None]:
        """The SHA-256 of data objects, given with their sizes, in hex and in order; computed where there is none yet.

        None for what is not there, is locked, or has a checksum of another kind. One request each, several under way.
        """
        under_way = deque[tuple[str, int]]()
        for path, size in objects:
            if len(under_way) == _IN_FLIGHT:
                yield self._checksum(*under_way.popleft())
            self._connection.send(CHECKSUM_OF, object_at(path, 0), path)
            under_way.append((path, size))
        for path, size in under_way:
            yield self._checksum(path, size)

    def _checksum(self, path: str, size: int) -> str | None:
        known = NOT_THERE | LOCKED | {UNKNOWN_COLLECTION}
        reply = self._connection.receive(path, known=known, patience=size / SLOWEST_CHECKSUM)
        return _hex(reply.body(STR_PI).myStr or "") if reply.code == 0 else None

    def register_checksum(self, path: str, size: int, replica: int) -> None:
        """Let the server compute the checksum of one replica, by its number, if it has none; locked ones are left."""
        message = object_at(path, 0, replNum=str(replica))
        known = NOT_THERE | LOCKED | {UNKNOWN_COLLECTION}
        self._connection.call(CHECKSUM_OF, message, path, known=known, patience=size / SLOWEST_CHECKSUM)

    def replicas(self, collection: str) -> Mapping[str, Replica]:
        """All data objects below the collection by their path relative to it. Two questions, whatever lies below."""
        columns = (COLL_NAME, DATA_NAME, REPLICA_NUMBER, SIZE, CHECKSUM, STATUS)
        rows: dict[str, list[tuple[str, ...]]] = {}
        for condition in (f"= '{collection}'", f"like '{_superset(collection)}/%'"):
            for parent, name, _, *replica in self.query(columns, {COLL_NAME: condition}, collection):
                if f"{parent}/".startswith(f"{collection}/"):
                    rows.setdefault(f"{parent}/{name}"[len(collection) + 1 :], []).append(tuple(replica))
        return {target: combine(found).replica for target, found in rows.items()}

    def exists(self, collection: str) -> bool:
        """Whether the collection is there, for this account."""
        return any(self.query((COLL_ID,), {COLL_NAME: f"= '{collection}'"}, collection))

    def made_at(self, collection: str) -> float:
        """When the collection was made, in seconds since 1970, by the server's clock. Raises NotAllowed."""
        for (made,) in self.query((COLL_MADE,), {COLL_NAME: f"= '{collection}'"}, collection):
            return float(made)
        raise NotAllowed(f"{collection}: it is not there, or this account cannot see it")

    def names(self, collection: str, prefix: str) -> Iterator[str]:
        """The names of the data objects in the collection that begin so; the prefix holds no sign that `like` knows."""
        conditions = {COLL_NAME: f"= '{collection}'", DATA_NAME: f"like '{prefix}%'"}
        return (name for (name,) in self.query((DATA_NAME,), conditions, collection))

    def empty(self, collection: str) -> bool:
        """Whether the collection holds neither data objects nor collections."""
        inside = self.query((DATA_NAME,), {COLL_NAME: f"= '{collection}'"}, collection)
        below = self.query((COLL_NAME,), {COLL_PARENT: f"= '{collection}'"}, collection)
        return not any(inside) and not any(below)

    def avus(self, collection: str) -> frozenset[Avu]:
        """The metadata on the collection; none if there is no collection."""
        columns = (AVU_NAME, AVU_VALUE, AVU_UNIT)
        return frozenset(Avu(*row) for row in self.query(columns, {COLL_NAME: f"= '{collection}'"}, collection))

    def labelled_above(self, collection: str, attribute: str) -> bool:
        """Whether a collection that this one lies in has such an attribute."""
        return any(
            any(self.query((COLL_NAME,), {COLL_NAME: condition, AVU_NAME: f"= '{attribute}'"}, collection))
            for condition in among(above(collection))
        )

    def annotate(self, collection: str, add: Iterable[Avu], remove: Iterable[Avu]) -> None:
        """Remove and add metadata of the collection in one request that is done as a whole or not at all.

        Raises StoreError for a value that would make the whole request fail.
        """
        operations = [_operation("remove", avu, collection) for avu in remove]
        operations += [_operation("add", avu, collection) for avu in add]
        if operations:
            order = {"entity_name": collection, "entity_type": "collection", "operations": operations}
            message = JSON_Binary_Request({"admin_mode": False, **order})
            self._connection.call(CHANGE_METADATA, message, collection)

    def make(self, collection: str, *, parents: bool = False) -> bool:
        """Make one collection; False if it is there already. Raises NotAllowed, also if what it lies in is missing."""
        conditions = {"recursiveOpr": ""} if parents else {}
        message = CollectionRequest(collName=collection, KeyValPair_PI=StringStringMap(conditions))
        reply = self._connection.call(MAKE_COLLECTION, message, collection, known={ITEM_EXISTS, INVALID_INPUT})
        if reply.code == INVALID_INPUT:
            # Where nothing may be made the server looks for a parent it can see, up to the zone's root, and finds none.
            raise NotAllowed(f"{collection}: this account may not make it")
        return reply.code == 0

    def make_with_parents(self, collection: str) -> bool:
        """As `make`; what it lies in is made too, where missing."""
        with contextlib.suppress(NotAllowed):
            return self.make(collection)
        self.make(_split(collection)[0], parents=True)
        return self.make(collection)

    def unlink(self, path: str) -> None:
        """Remove a data object for good, not into the trash; nothing happens if it is not there. Raises StoreBusy."""
        message = object_at(path, -1, forceFlag="")
        self._connection.call(UNLINK, message, path, known=NOT_THERE | {UNKNOWN_COLLECTION})

    def remove_collection(self, collection: str) -> None:
        """Remove a collection with all below it for good, its own metadata last; nothing happens if there is none.

        The server reports every ten data objects and waits for a word (04-collections, rsRmColl.cpp). Raises StoreBusy.
        """
        conditions = {"recursiveOpr": "", "forceFlag": ""}
        message = CollectionRequest(collName=collection, flags=0, oprType=0, KeyValPair_PI=StringStringMap(conditions))
        self._connection.send(REMOVE_COLLECTION, message, collection)
        while self._connection.receive(collection, known={UNKNOWN_COLLECTION}).code == _REMOVED_SOME:
            self._connection.acknowledge(_GO_ON, collection)

    def rename_collection(self, collection: str, to: str) -> None:
        """Give a collection with all below it another path, whose parent must be there. Raises Conflict if it is taken.

        The server moves each replica on its disk: a thousand of them in a second (irods-wire/README.md).
        """
        source, destination = object_at(collection, 0), object_at(to, 0)
        source.oprType = destination.oprType = _RENAME_COLLECTION
        message = ObjCopyRequest(srcDataObjInp_PI=source, destDataObjInp_PI=destination)
        self._connection.call(RENAME, message, to, patience=_SLOWEST_RENAME)

    def query(self, columns: tuple[int, ...], conditions: dict[int, str], about: str) -> Iterator[tuple[str, ...]]:
        """The rows of a GenQuery, page by page. The server takes a value from the first apostrophe to the last, so that
        those within need no escape (general_query.cpp, insertWhere)."""
        more = 0
        while True:
            message = GenQueryRequest(
                maxRows=_PAGE,
                continueInx=more,
                partialStartIndex=0,
                options=0,
                KeyValPair_PI=StringStringMap(),
                InxIvalPair_PI=IntegerIntegerMap(dict.fromkeys(columns, 1)),
                InxValPair_PI=IntegerStringMap(conditions),
            )
            reply = self._connection.call(GEN_QUERY, message, about, known={NO_ROWS})
            if reply.code == NO_ROWS:
                return
            page = reply.body(GenQueryResponse)
            values = [[value or "" for value in column.value] for column in page.SqlResult_PI[: page.attriCnt]]
            yield from zip(*values, strict=True)
            more = page.continueInx
            if not more:
                return


def above(collection: str) -> list[str]:
    """The collections that this one lies in, from the zone's own."""
    parts = collection.strip("/").split("/")
    return ["/" + "/".join(parts[:depth]) for depth in range(1, len(parts))]


def among(values: Collection[str]) -> list[str]:
    """The conditions of GenQuery that together say "one of these"; one is enough for values without an apostrophe."""
    # A list is divided at its quotes, so that a value with an apostrophe must be asked for alone.
    alone = {value: f"= '{value}'" for value in values if "'" in value}
    listed = ",".join(f"'{value}'" for value in values if value not in alone)
    return [*([f"in ({listed})"] if listed else []), *alone.values()]


def _superset(path: str) -> str:
    """A `like` pattern that matches at least this path: whether a backslash escapes depends on the database."""
    return path.replace("\\", "_")


def combine(rows: list[tuple[str, ...]]) -> Found:
    """Good if at least one replica is, and all good ones are the same."""
    replicas = [(int(size), _hex(checksum), int(status)) for size, checksum, status in rows]
    good = [(size, sha256) for size, sha256, status in replicas if status == _GOOD]
    is_good = len(set(good)) == 1
    size, sha256 = good[0] if good else replicas[0][:2]
    states = [status for *_, status in replicas]
    replica = Replica(size, sha256, is_good, copies=len(good) if is_good else 0, stale=states.count(_STALE))
    return Found(replica, any(status > _GOOD for status in states), size if states == [_STALE] else 0)


def _hex(checksum: str) -> str | None:
    """`sha2:` and base64 as the catalogue has it, in hex; None for another scheme or none."""
    scheme, _, digest = checksum.partition(":")
    if scheme != "sha2":
        return None
    with contextlib.suppress(binascii.Error):
        return base64.b64decode(digest, validate=True).hex()
    return None


def _operation(operation: str, avu: Avu, collection: str) -> dict[str, str]:
    # An empty value drops the whole batch, a long one is an SQL error that names none (irods-wire/README.md).
    for part, width in zip(avu, WIDTHS, strict=True):
        if len(part.encode()) > width:
            what = f"{collection}: {avu.attribute[:80]}: {len(part.encode())} bytes, and iRODS takes {width}"
            raise StoreError(what, cure="shorten it where it comes from")
    if not avu.attribute or not avu.value:
        what = f"{collection}: {avu.attribute or avu.value}: metadata without a name or a value"
        raise StoreError(what, cure="fill it in where it comes from, or leave it out")
    units = {"units": avu.unit} if avu.unit else {}
    return {"operation": operation, "attribute": avu.attribute, "value": avu.value, **units}


def object_at(path: str, size: int, **conditions: str) -> FileOpenRequest:
    """The message about the data object at this path; without flags, so that opening it is for reading."""
    return FileOpenRequest(
        objPath=path,
        createMode=0,
        openFlags=0,
        offset=0,
        dataSize=size,
        numThreads=0,
        oprType=0,
        KeyValPair_PI=StringStringMap(conditions),
    )


def _split(path: str) -> tuple[str, str]:
    parent, _, name = path.rpartition("/")
    return parent, name
