"""Handlers for collections, metadata, access and queries: 681, 679, 702, 706, 707, 20002, 20005, 801, 665."""

import json

from .bundles import extract
from .codes import Code, RefusedError
from .entities import INTERMEDIATE, Collection
from .exchange import Context, Handler, Reply, Request
from .framing import ConnectionLostError, frame
from .grants import apply_atomic_access, modify_access
from .metadata import apply_atomic_metadata, modify_metadata
from .packing import Value, pack, pack_string
from .permissions import DELETE

# python-irodsclient irods/constants.py; one report for every ten files (rsRmColl.cpp, FILE_CNT_PER_STAT_OUT).
PROGRESS, PROGRESS_SEEN, FILES_PER_REPORT = 99999996, 99999997, 10


def make_collection(context: Context, request: Request) -> Reply:
    """`COLL_CREATE` (04-collections)."""
    path = request.body.get("collName").rstrip("/") or "/"
    with context.zone.catalogue.lock:
        context.zone.catalogue.make_collection(
            context.user, path, recursive="recursiveOpr" in request.body.conditions()
        )
    return Reply()


def remove_collection(context: Context, request: Request) -> Reply:
    """`RM_COLL`, with its reports of progress that the client must answer one by one."""
    catalogue, conditions = context.zone.catalogue, request.body.conditions()
    with catalogue.lock:
        collection = catalogue.collections.get(request.body.get("collName").rstrip("/"))
        if collection is None or not catalogue.visible(context.user, collection):
            raise RefusedError(Code.CAT_UNKNOWN_COLLECTION)
        catalogue.require(context.user, collection, DELETE)
        if "recursiveOpr" not in conditions and (collection.children or collection.objects):
            raise RefusedError(Code.CAT_COLLECTION_NOT_EMPTY)
        if "forceFlag" not in conditions:
            catalogue.trash(context.user, collection)
            return Reply(0, _progress(0, ""))
    _empty(context, collection)
    with catalogue.lock:
        for below in reversed(list(catalogue.walk(collection))):
            if not (below.objects or below.children):
                catalogue.forget_collection(below)
        if collection.path in catalogue.collections:
            raise RefusedError(Code.CAT_COLLECTION_NOT_EMPTY)
    return Reply(0, _progress(0, ""))


def _empty(context: Context, collection: Collection) -> None:
    """What is locked stays, and the rest goes (rsRmColl.cpp, _rsPhyRmColl)."""
    catalogue = context.zone.catalogue
    with catalogue.lock:
        items = [item for item in catalogue.objects_below(collection) if item.status != INTERMEDIATE]
    for removed, item in enumerate(items, 1):
        path = item.path
        with catalogue.lock:
            catalogue.forget_object(item)
        if removed % FILES_PER_REPORT == 0:
            context.wire.send(frame("RODS_API_REPLY", PROGRESS, _progress(FILES_PER_REPORT, path)))
            if context.wire.read_integer() != PROGRESS_SEEN:
                raise ConnectionLostError("progress was not acknowledged")


def _progress(files: int, path: str) -> bytes:
    fields: list[tuple[str, Value]] = [
        ("filesCnt", files),
        ("totalFileCnt", 0),
        ("bytesWritten", 0),
        ("lastObjPath", path),
    ]
    return pack("CollOprStat_PI", fields)


def query(context: Context, request: Request) -> Reply:
    """`GEN_QUERY` (06-list-genquery)."""
    return Reply(0, context.queries.run(context.user, request.body))


def single_metadata(context: Context, request: Request) -> Reply:
    """`MOD_AVU_METADATA`."""
    with context.zone.catalogue.lock:
        modify_metadata(context.zone.catalogue, context.user, request.body)
    return Reply()


def atomic_metadata(context: Context, request: Request) -> Reply:
    """`ATOMIC_APPLY_METADATA_OPERATIONS` (10-metadata)."""
    with context.zone.catalogue.lock:
        return Reply(0, apply_atomic_metadata(context.zone.catalogue, context.user, request.body))


def access(context: Context, request: Request) -> Reply:
    """`MOD_ACCESS_CONTROL` (11-access)."""
    with context.zone.catalogue.lock:
        modify_access(context.zone.catalogue, context.user, request.body)
    return Reply()


def atomic_access(context: Context, request: Request) -> Reply:
    """`ATOMIC_APPLY_ACL_OPERATIONS`."""
    with context.zone.catalogue.lock:
        return Reply(0, apply_atomic_access(context.zone.catalogue, context.user, request.body))


def library_features(_context: Context, _request: Request) -> Reply:
    """`GET_LIBRARY_FEATURES`."""
    return Reply(0, pack_string(json.dumps({"IRODS_HAS_LIBRARY_TICKET_ADMINISTRATION": 20220303})))


HANDLERS: dict[int, Handler] = {
    665: extract,
    679: remove_collection,
    681: make_collection,
    702: query,
    706: single_metadata,
    707: access,
    801: library_features,
    20002: atomic_metadata,
    20005: atomic_access,
}
