"""AVUs: the single request (706), the atomic batch (20002) and what travels with data in `metadataIncluded`."""

import re
from typing import Any

from .catalogue import Catalogue
from .codes import Code, RefusedError
from .entities import Entity, Triple, User
from .packing import Node, pack_json, unpack_json
from .permissions import MODIFY_METADATA

_INCLUDED_FIELD = re.compile(r"((?:\\.|[^;\\])*)(?:;|$)")
# Word for word what a real 5.0.2 with PostgreSQL says (10-metadata).
_TOO_LONG = (
    "/opt/irods-lab/src/nanodbc/nanodbc/nanodbc.cpp:1687: 2200: ERROR: value too long for type "
    "character varying(2700);\nError while executing the query "
)


def parse_included_metadata(text: str) -> list[Triple]:
    r"""The AVUs in `a;v;u;a2;v2;u2`, where `\;` and `\\` are literal; units of the last may be missing."""
    fields = [re.sub(r"\\(.)", r"\1", match[1]) for match in _INCLUDED_FIELD.finditer(text)]
    while fields and fields[-1] == "" and len(fields) % 3 != 0:
        fields.pop()
    if len(fields) % 3 == 2:
        fields.append("")
    if not fields or len(fields) % 3:
        raise RefusedError(Code.INPUT_ARG_NOT_WELL_FORMED_ERR)
    return [(fields[i], fields[i + 1], fields[i + 2]) for i in range(0, len(fields), 3)]


def apply_included_metadata(catalogue: Catalogue, item: Entity, text: str | None) -> None:
    """Attach the AVUs that came with the data; an empty name or value is refused (irods-wire/README.md)."""
    for triple in parse_included_metadata(text) if text else []:
        if not triple[0] or not triple[1]:
            raise RefusedError(Code.SYS_INVALID_INPUT_PARAM)
        catalogue.attach_avu(item, triple)


def apply_atomic_metadata(catalogue: Catalogue, user: User, body: Node) -> bytes:
    """`ATOMIC_APPLY_METADATA_OPERATIONS`: all or nothing (iRODS atomic_apply_metadata_operations.cpp)."""
    request = unpack_json(body)
    name, kind = request.get("entity_name", ""), request.get("entity_type", "")
    entity = catalogue.collections.get(name) if kind == "collection" else catalogue.find_object(name)
    if kind not in ("collection", "data_object") or entity is None or not catalogue.visible(user, entity):
        raise _refused_operation(Code.SYS_INVALID_INPUT_PARAM, None, 0, f"Entity does not exist [entity_name={name}]")
    admin = request.get("admin_mode") and user.type == "rodsadmin"
    if not admin and not catalogue.allowed(user, entity, MODIFY_METADATA):
        raise _refused_operation(Code.CAT_NO_ACCESS_PERMISSION, None, 0, "User not allowed to modify metadata")
    before = dict(entity.avus)
    try:
        for index, operation in enumerate(request.get("operations", [])):
            _apply_operation(catalogue, entity, operation, index)
    except RefusedError:
        entity.avus = before
        raise
    return pack_json({})


def _apply_operation(catalogue: Catalogue, entity: Entity, operation: dict[str, Any], index: int) -> None:
    parts = [operation.get("attribute"), operation.get("value"), operation.get("units", "")]
    if not all(isinstance(part, str) for part in parts):
        raise _refused_operation(Code.JSON_VALIDATION_ERROR, operation, index, "type must be string")
    name, value, units = (str(part) for part in parts)
    if not name or not value:
        reason = f"Empty metadata attribute name or value [attribute={name}, value={value}]"
        raise _refused_operation(Code.SYS_INVALID_INPUT_PARAM, operation, index, reason)
    match operation.get("operation"):
        case "add":
            try:
                catalogue.attach_avu(entity, (name, value, units))
            except RefusedError as error:
                raise _refused_operation(Code.SYS_LIBRARY_ERROR, operation, index, _TOO_LONG) from error
        case "remove":
            entity.avus.pop((name, value, units), None)
        case _:
            raise _refused_operation(Code.SYS_INVALID_INPUT_PARAM, operation, index, "Invalid metadata operation.")


def _refused_operation(code: Code, operation: Any, index: int, reason: str) -> RefusedError:
    answer = {"error_message": reason, "operation": operation, "operation_index": index}
    return RefusedError(code, body=pack_json(answer))


def modify_metadata(catalogue: Catalogue, user: User, body: Node) -> None:
    """`MOD_AVU_METADATA`: add, set or remove one AVU (iRODS db_plugin.cpp)."""
    verb, kind, path, name, value, units = (body.get(f"arg{i}") for i in range(6))
    entity = catalogue.collections.get(path) if kind.upper() == "-C" else catalogue.find_object(path)
    if entity is None or not catalogue.visible(user, entity):
        raise RefusedError(Code.CAT_UNKNOWN_COLLECTION if kind.upper() == "-C" else Code.CAT_NO_ROWS_FOUND)
    admin = "irodsAdmin" in body.conditions() and user.type == "rodsadmin"
    if not admin:
        catalogue.require(user, entity, MODIFY_METADATA)
    if not name or not value:
        raise RefusedError(Code.CAT_INVALID_ARGUMENT)
    match verb:
        case "add":
            if not catalogue.attach_avu(entity, (name, value, units)):
                raise RefusedError(Code.CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME)
        case "set":
            entity.avus = {triple: avu for triple, avu in entity.avus.items() if avu.name != name}
            catalogue.attach_avu(entity, (name, value, units))
        case "rm":
            if entity.avus.pop((name, value, units), None) is None:
                raise RefusedError(Code.CAT_SUCCESS_BUT_WITH_NO_INFO)
        case _:
            raise RefusedError(Code.CAT_INVALID_ARGUMENT)
