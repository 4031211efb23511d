"""Handlers for whole data objects: 606, 615, 622, 627, 629, 633, 10220."""

import json

from .checksums import scheme_to_verify
from .codes import Code, RefusedError
from .entities import GOOD, INTERMEDIATE, DataObject
from .exchange import AgentKilledError, Context, Handler, Reply, Request
from .metadata import parse_included_metadata
from .packing import pack, pack_string
from .permissions import DELETE
from .transfer import O_CREAT, O_TRUNC

RENAME_COLLECTION = 12
_COLLECTION, _DATA_OBJECT = 2, 1


def put(context: Context, request: Request) -> Reply:
    """`DATA_OBJ_PUT` with the data in the message: open, write and close in one (05-put606)."""
    path, conditions = request.body.get("objPath"), request.body.conditions()
    if "dataIncluded" not in conditions:
        raise RefusedError(Code.SYS_NOT_SUPPORTED)
    with context.zone.catalogue.lock:
        existing = context.zone.catalogue.find_object(path)
        if existing and "forceFlag" not in conditions:
            raise RefusedError(Code.OVERWRITE_WITHOUT_FORCE_FLAG)
        if existing and conditions.get("destRescName", existing.resource) != existing.resource:
            # rsDataObjPut.cpp, throw_if_force_put_to_new_resource
            raise RefusedError(Code.HIERARCHY_ERROR)
        if "metadataIncluded" in conditions:
            parse_included_metadata(conditions["metadataIncluded"])
        descriptor = context.transfers.open(context.user, path, 1 | O_CREAT | O_TRUNC, conditions)
    try:
        context.transfers.write(descriptor.number, request.stream)
    except RefusedError:
        context.transfers.give_up(descriptor)
        raise
    if request.dying:
        raise AgentKilledError
    if int(conditions.get("dataSize") or request.body.number("dataSize")) != len(request.stream):
        context.transfers.give_up(descriptor)
        raise RefusedError(Code.SYS_COPY_LEN_ERR)
    context.transfers.finish_put(descriptor)
    return Reply()


def unlink(context: Context, request: Request) -> Reply:
    """`DATA_OBJ_UNLINK`: with `forceFlag` for good, else to the trash; refused while locked (14-abort)."""
    catalogue = context.zone.catalogue
    with catalogue.lock:
        item = catalogue.object(request.body.get("objPath"))
        catalogue.require(context.user, item, DELETE)
        if item.status == INTERMEDIATE:
            raise RefusedError(Code.LOCKED_DATA_OBJECT_ACCESS)
        if "forceFlag" in request.body.conditions():
            catalogue.forget_object(item)
        else:
            catalogue.trash(context.user, item)
    return Reply()


def modify_replica(context: Context, request: Request) -> Reply:
    """`MOD_DATA_OBJ_META`: states and checksums by hand, for administrators only (irods-wire/README.md)."""
    if context.user.type != "rodsadmin":
        raise RefusedError(Code.CAT_INSUFFICIENT_PRIVILEGE_LEVEL)
    with context.zone.catalogue.lock:
        item = context.zone.catalogue.object(request.body.child("DataObjInfo_PI").get("objPath"))
        changes = request.body.conditions()
        if "replStatus" in changes:
            item.status, item.token = int(changes["replStatus"]), None
        item.checksum = changes.get("chksum", item.checksum)
    return Reply()


def rename(context: Context, request: Request) -> Reply:
    """`DATA_OBJ_RENAME` for data objects and collections (16-rename-and-unlink)."""
    source, destination = request.body.all("DataObjInp_PI")
    catalogue = context.zone.catalogue
    with catalogue.lock:
        if source.number("oprType") == RENAME_COLLECTION:
            collection = catalogue.collections.get(source.get("objPath"))
            if collection is None:
                raise RefusedError(Code.CAT_UNKNOWN_COLLECTION)
            catalogue.rename(context.user, collection, destination.get("objPath"))
        else:
            catalogue.rename(context.user, catalogue.object(source.get("objPath")), destination.get("objPath"))
    return Reply()


def chksum(context: Context, request: Request) -> Reply:
    """`DATA_OBJ_CHKSUM`: the registered checksum, or a new one registered (07, 13; iRODS rsDataObjChksum.cpp)."""
    zone, conditions = context.zone, request.body.conditions()
    with zone.catalogue.lock:
        item = zone.catalogue.object(request.body.get("objPath"))
        zone.catalogue.require_read(context.user, item)
        if item.status == INTERMEDIATE:
            raise RefusedError(Code.LOCKED_DATA_OBJECT_ACCESS)
        registered = item.checksum
    if "verifyChksum" in conditions:
        # Of several replicas the good ones (dataObjChksum.h), all of them or that which would be opened.
        good = [replica for replica in item.replicas if replica.status == GOOD]
        return _verify(context, good if "ChksumAll" in conditions else [item])
    if registered and "forceChksum" not in conditions:
        return Reply(0, pack_string(registered))
    computed = zone.checksum(item, zone.hash_scheme)
    with zone.catalogue.lock:
        item.checksum = computed
    return Reply(0, pack_string(computed))


def _verify(context: Context, replicas: list[DataObject]) -> Reply:
    """Nothing to say when all is well; else what differs, as JSON in the body of an error."""
    problems = []
    for item in replicas:
        registered = item.checksum
        computed = context.zone.checksum(item, scheme_to_verify(registered)) if registered else ""
        if not registered or computed != registered:
            reason = f"Computed checksum [{computed}] does not match what is in the catalog [{registered}]."
            code = int(Code.USER_CHKSUM_MISMATCH)
            problems.append({"error_code": code, "message": reason, "severity": "error"})
    if not problems:
        return Reply()
    reason = str(problems[0]["message"])
    raise RefusedError(Code.CHECK_VERIFICATION_RESULTS, reason, body=pack_string(json.dumps(problems)))


def stat(context: Context, request: Request) -> Reply:
    """`OBJ_STAT`: what is at a path."""
    catalogue = context.zone.catalogue
    with catalogue.lock:
        found = catalogue.entity(request.body.get("objPath"))
        if found is None or not catalogue.to_be_found(context.user, found):
            raise RefusedError(Code.OBJ_PATH_DOES_NOT_EXIST)
        is_object = isinstance(found, DataObject)
        fields: list[tuple[str, str | int]] = [
            ("objSize", found.size if isinstance(found, DataObject) else 0),
            ("objType", _DATA_OBJECT if is_object else _COLLECTION),
            ("dataMode", 0),
            ("dataId", found.id),
            ("chksum", found.checksum if isinstance(found, DataObject) else ""),
            ("ownerName", found.owner),
            ("ownerZone", context.zone.name),
            ("createTime", found.created),
            ("modifyTime", found.modified),
            ("rescHier", found.resource if isinstance(found, DataObject) else ""),
        ]
    return Reply(_DATA_OBJECT if is_object else _COLLECTION, pack("RodsObjStat_PI", fields))


def resource_info(context: Context, request: Request) -> Reply:
    """`GET_RESOURCE_INFO_FOR_OPERATION`: where an operation would go."""
    name = request.body.conditions().get("destRescName")
    item = context.zone.catalogue.find_object(request.body.get("objPath"))
    hierarchy = item.resource if item else name or next(iter(context.zone.catalogue.resources))
    return Reply(0, pack_string(json.dumps({"host": context.zone.host, "resource_hierarchy": hierarchy})))


HANDLERS: dict[int, Handler] = {
    606: put,
    615: unlink,
    622: modify_replica,
    627: rename,
    629: chksum,
    633: stat,
    10220: resource_info,
}
