"""Access: the single request (707), the atomic batch (20005) and what travels with data in `aclIncluded`."""

from typing import Any

from .catalogue import Catalogue
from .codes import Code, RefusedError
from .entities import Collection, Entity, User
from .packing import Node, pack_json, unpack_json
from .permissions import OWN, parse_level


def _level(name: str) -> int:
    level = parse_level(name)
    if level is None:
        raise RefusedError(Code.CAT_INVALID_ARGUMENT)
    return level


def apply_included_access(catalogue: Catalogue, item: Entity, text: str | None) -> None:
    """Grant what came with the data: `read alice;own bob#tempZone` (irods-wire/README.md for the refusals)."""
    for grant in text.split(";") if text else []:
        level, _, name = grant.strip().partition(" ")
        catalogue.set_access(item, catalogue.user(name), _level(level))


def modify_access(catalogue: Catalogue, user: User, body: Node) -> None:
    """`MOD_ACCESS_CONTROL`: one grant or the inherit flag, recursively if asked (11-access).

    What is refused, in which order and with which words: db_plugin.cpp, db_mod_access_control_op.
    """
    word = body.get("accessLevel")
    admin = word.startswith("admin:")
    word = word.removeprefix("admin:")
    if admin and user.type != "rodsadmin":
        raise RefusedError(Code.CAT_NO_ACCESS_PERMISSION, "You must be the admin to use the -M admin mode")
    inherit = word in ("inherit", "noinherit")
    level = 0 if inherit else _level(word)
    path = body.get("path")
    entity = catalogue.entity(path)
    may_not = entity is None or not (admin or catalogue.allowed(user, entity, OWN))
    if inherit and (may_not or not isinstance(entity, Collection)):
        reason = "either the collection does not exist or you do not have sufficient access"
        raise RefusedError(Code.CAT_NO_ACCESS_PERMISSION, reason)
    if entity is None:
        raise RefusedError(Code.CAT_INVALID_ARGUMENT, f"Input path is not a collection and not a dataObj: {path}")
    if may_not:
        raise RefusedError(Code.CAT_NO_ACCESS_PERMISSION)
    below: list[Entity] = [entity]
    if body.number("recursiveFlag") and isinstance(entity, Collection):
        below = [*catalogue.walk(entity), *catalogue.objects_below(entity)]
    if inherit:
        for item in below:
            if isinstance(item, Collection):
                item.inherit = word == "inherit"
        return
    holder = catalogue.user(body.get("userName"), body.get("zone"))
    if body.number("recursiveFlag") and not isinstance(entity, Collection):
        reason = f"Input path is not a collection and recursion was requested: {path}"
        raise RefusedError(Code.CAT_INVALID_ARGUMENT, reason)
    for item in below:
        catalogue.set_access(item, holder, level)


def apply_atomic_access(catalogue: Catalogue, user: User, body: Node) -> bytes:
    """`ATOMIC_APPLY_ACL_OPERATIONS`: all or nothing (iRODS atomic_apply_acl_operations.cpp)."""
    request = unpack_json(body)
    path = request.get("logical_path", "")
    entity = catalogue.entity(path)
    if entity is None or not catalogue.visible(user, entity):
        raise _refused_operation(Code.OBJ_PATH_DOES_NOT_EXIST, None, 0, f"Entity does not exist [entity_name={path}]")
    admin = request.get("admin_mode") and user.type == "rodsadmin"
    if not admin and not catalogue.allowed(user, entity, OWN):
        raise _refused_operation(Code.CAT_NO_ACCESS_PERMISSION, None, 0, "User not allowed to modify ACLs")
    before = dict(entity.access)
    for index, operation in enumerate(request.get("operations", [])):
        try:
            holder = catalogue.user(operation.get("entity_name", ""))
            catalogue.set_access(entity, holder, _level(operation.get("acl", "")))
        except RefusedError as error:
            entity.access = before
            raise _refused_operation(error.code, operation, index, "invalid operation") from error
    return pack_json({})


def _refused_operation(code: int, operation: Any, index: int, reason: str) -> RefusedError:
    answer = {"error_message": reason, "operation": operation, "operation_index": index}
    return RefusedError(code, body=pack_json(answer))
