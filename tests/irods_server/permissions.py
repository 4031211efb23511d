"""Who may do what: access levels, groups, inheritance and the STRICT rule that hides what one cannot read."""

from typing import Final

from .entities import Entity, User

# iRODS R_TOKN_MAIN, namespace access_type; the short names are what iCommands and python-irodsclient send.
LEVELS: Final = {
    "null": 1000,
    "read_metadata": 1040,
    "read_object": 1050,
    "read": 1050,
    "create_metadata": 1070,
    "modify_metadata": 1080,
    "delete_metadata": 1090,
    "create_object": 1110,
    "modify_object": 1120,
    "write": 1120,
    "delete_object": 1130,
    "own": 1200,
}
READ: Final = LEVELS["read_object"]
MODIFY_METADATA: Final = LEVELS["modify_metadata"]
WRITE: Final = LEVELS["modify_object"]
DELETE: Final = LEVELS["delete_object"]
OWN: Final = LEVELS["own"]
NAMES: Final = {number: name for name, number in LEVELS.items() if name not in ("read", "write")}


def parse_level(name: str) -> int | None:
    """The number of a level's name, with spaces or underscores; None for no level at all."""
    return LEVELS.get(name.replace(" ", "_"))


def may(user: User, group_ids: set[int], entity: Entity, level: int) -> bool:
    """Whether `user`, alone or through a group, holds at least `level`; being rodsadmin gives nothing here."""
    return any(entity.access.get(holder, 0) >= level for holder in (user.id, *group_ids))
