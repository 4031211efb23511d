"""Handlers for open descriptors: 602, 601, 673, 674, 675, 676, 20000, 20004."""

import json
from typing import Any

from .exchange import Context, Handler, Reply, Request
from .packing import pack, pack_json, unpack_json
from .transfer import CREATED, O_CREAT, Descriptor


def open_object(context: Context, request: Request) -> Reply:
    """`DATA_OBJ_OPEN`."""
    flags = request.body.number("openFlags")
    descriptor = context.transfers.open(context.user, request.body.get("objPath"), flags, request.body.conditions())
    return Reply(descriptor.number)


def create_object(context: Context, request: Request) -> Reply:
    """`DATA_OBJ_CREATE`: an open that creates, for reading and writing."""
    descriptor = context.transfers.open(
        context.user, request.body.get("objPath"), 2 | O_CREAT, request.body.conditions()
    )
    return Reply(descriptor.number)


def close(context: Context, request: Request) -> Reply:
    """`DATA_OBJ_CLOSE`."""
    return Reply(context.transfers.close(request.body.number("l1descInx")))


def seek(context: Context, request: Request) -> Reply:
    """`DATA_OBJ_LSEEK`."""
    body = request.body
    position = context.transfers.seek(body.number("l1descInx"), body.number("offset"), body.number("whence"))
    return Reply(0, pack("fileLseekOut_PI", [("offset", position)]))


def read(context: Context, request: Request) -> Reply:
    """`DATA_OBJ_READ`."""
    data = context.transfers.read(request.body.number("l1descInx"), request.body.number("len"))
    return Reply(len(data), stream=data)


def write(context: Context, request: Request) -> Reply:
    """`DATA_OBJ_WRITE`."""
    return Reply(context.transfers.write(request.body.number("l1descInx"), request.stream))


def replica_close(context: Context, request: Request) -> Reply:
    """`REPLICA_CLOSE`: how secondary streams end (09-parallel-put)."""
    options = unpack_json(request.body)
    context.transfers.close_stream(
        int(options.get("fd", -1)),
        update_size=bool(options.get("update_size", True)),
        update_status=bool(options.get("update_status", True)),
    )
    return Reply()


def descriptor_info(context: Context, request: Request) -> Reply:
    """`GET_FILE_DESCRIPTOR_INFO`: the agent's whole l1desc as JSON (09-parallel-put)."""
    descriptor = context.transfers.descriptor(int(unpack_json(request.body).get("fd", -1)))
    with context.zone.catalogue.lock:
        return Reply(0, pack_json(_describe(context, descriptor)))


def _describe(context: Context, descriptor: Descriptor) -> dict[str, Any]:
    item, zone, writable = descriptor.item, context.zone, descriptor.writable
    replica = {
        "checksum": item.checksum,
        "collection_id": item.collection.id,
        "condition_input": [],
        "data_access": "",
        "data_access_index": 0,
        "data_comments": "",
        "data_create": item.created,
        "data_expiry": "00000000000",
        "data_id": item.id,
        "data_map_id": 0,
        "data_mode": "0",
        "data_modify": item.modified,
        "data_owner_name": item.owner,
        "data_owner_zone": zone.name,
        "data_size": item.size,
        "data_type": item.type,
        "destination_resource_name": "",
        "file_path": zone.physical_path(item),
        "flags": 0,
        "in_pdmo": "",
        "is_replica_current": item.status == 1,
        "next": None,
        "object_path": item.path,
        "other_flags": 0,
        "registering_user_id": 0,
        "replica_number": 0,
        "replica_status": item.status,
        "resource_hierarchy": item.resource,
        "resource_id": zone.catalogue.resources[item.resource].id,
        "resource_name": item.resource,
        "special_collection": None,
        "status_string": "",
        "sub_path": "",
        "version": "",
        "write_flag": 0,
    }
    created = descriptor.open_type == CREATED
    keywords = dict(descriptor.conditions)
    if created and "dataSize" in keywords:
        keywords["dataSize"] = "0"
    keywords |= {"resc_hier": item.resource, "selected_hierarchy": item.resource}
    keywords |= {"selObjType": "dataObj", "openType": str(descriptor.open_type)}
    if created:
        keywords |= {"registerAsIntermediate": "", "filePath": zone.physical_path(item)}
    request = {
        "condition_input": [{"key": key, "value": value} for key, value in keywords.items()],
        "create_mode": 0,
        "data_size": descriptor.promised,
        "number_of_threads": 0,
        "object_path": item.path,
        "offset": 0,
        "open_flags": descriptor.flags,
        "operation_type": 0,
        "special_collection": None,
    }
    result: dict[str, Any] = json.loads(_REST)
    return result | {
        "checksum_flag": int("regChksum" in keywords),
        "data_object_info": replica,
        "data_object_input": request,
        "data_size": descriptor.promised,
        "l3descInx": descriptor.number,
        "open_type": descriptor.open_type,
        "replica_status": item.status,
        "replica_token": (descriptor.token or "") if writable else "",
    }


_REST = """{"bytes_written":-1,"checksum":"","copies_needed":0,"data_object_input_replica_flag":1,"in_pdmo":"",
"in_use":true,"lock_file_descriptor":0,"operation_status":0,"operation_type":0,"other_data_object_info":null,
"plugin_data":null,"purge_cache_flag":0,"remote_l1_descriptor_index":0,"remote_zone_host":null,
"replication_data_object_info":null,"source_l1_descriptor_index":0,"stage_flag":0}"""

HANDLERS: dict[int, Handler] = {
    601: create_object,
    602: open_object,
    673: close,
    674: seek,
    675: read,
    676: write,
    20000: descriptor_info,
    20004: replica_close,
}
