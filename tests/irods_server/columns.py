"""The columns of GenQuery that this server knows (numbers: iRODS rodsGenQuery.h)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .catalogue import split
from .permissions import NAMES
from .zone import VAULT_PREFIX, Zone


@dataclass(frozen=True)
class Column:
    """Which table a column belongs to, and how its value is got from a row of that table."""

    table: str
    value: Callable[[Any], str]
    numeric: bool = False


@dataclass(frozen=True)
class Grant:
    """A row of R_OBJT_ACCESS."""

    user_id: int
    level: int
    target_id: int


def _avu_columns(first: int, table: str) -> dict[int, Column]:
    return {
        first: Column(table, lambda avu: avu.name),
        first + 1: Column(table, lambda avu: avu.value),
        first + 2: Column(table, lambda avu: avu.units),
        first + 3: Column(table, lambda avu: str(avu.id), numeric=True),
        first + 4: Column(table, lambda avu: avu.created),
        first + 5: Column(table, lambda avu: avu.created),
    }


def _access_columns(first: int, table: str) -> dict[int, Column]:
    return {
        first: Column(table, lambda grant: str(grant.level), numeric=True),
        first + 1: Column(table, lambda grant: NAMES[grant.level]),
        first + 2: Column(table, lambda _: "access_type"),
        first + 3: Column(table, lambda grant: str(grant.user_id), numeric=True),
        first + 4: Column(table, lambda grant: str(grant.target_id), numeric=True),
    }


def columns(zone: Zone) -> dict[int, Column]:
    """Every known column by number."""
    user = {
        201: Column("user", lambda row: str(row.id), numeric=True),
        202: Column("user", lambda row: row.name),
        203: Column("user", lambda row: row.type),
        204: Column("user", lambda row: row.zone),
        206: Column("user", lambda _: ""),
        207: Column("user", lambda _: ""),
        208: Column("user", lambda row: row.created),
        209: Column("user", lambda row: row.created),
        900: Column("group", lambda row: str(row.id), numeric=True),
        901: Column("group", lambda row: row.name),
        1300: Column("collection_user", lambda row: row.name),
        1301: Column("collection_user", lambda row: row.zone),
    }
    resource = {
        101: Column("zone", lambda _: "9000", numeric=True),
        102: Column("zone", lambda _: zone.name),
        103: Column("zone", lambda _: "local"),
        301: Column("resource", lambda row: str(row.id), numeric=True),
        302: Column("resource", lambda row: row.name),
        303: Column("resource", lambda _: zone.name),
        304: Column("resource", lambda _: "unixfilesystem"),
        305: Column("resource", lambda _: "cache"),
        306: Column("resource", lambda _: zone.host),
        307: Column("resource", lambda _: VAULT_PREFIX),
        **{number: Column("resource", lambda _: "") for number in (308, 310, 314, 315, 316, 317, 318)},
        311: Column("resource", lambda row: row.created),
        312: Column("resource", lambda row: row.created),
        313: Column("resource", lambda _: "up"),
    }
    collection = {
        500: Column("collection", lambda row: str(row.id), numeric=True),
        501: Column("collection", lambda row: row.path),
        502: Column("collection", lambda row: split(row.path)[0]),
        503: Column("collection", lambda row: row.owner),
        504: Column("collection", lambda _: zone.name),
        505: Column("collection", lambda _: "0"),
        506: Column("collection", lambda row: "1" if row.inherit else ""),
        507: Column("collection", lambda _: ""),
        508: Column("collection", lambda row: row.created),
        509: Column("collection", lambda row: row.modified),
    }
    data = {
        401: Column("object", lambda row: str(row.id), numeric=True),
        402: Column("object", lambda row: str(row.collection.id), numeric=True),
        403: Column("object", lambda row: row.name),
        404: Column("object", lambda row: str(row.number), numeric=True),
        405: Column("object", lambda _: ""),
        406: Column("object", lambda row: row.type),
        407: Column("object", lambda row: str(row.size), numeric=True),
        409: Column("object", lambda row: row.resource),
        410: Column("object", zone.physical_path),
        411: Column("object", lambda row: row.owner),
        412: Column("object", lambda _: zone.name),
        413: Column("object", lambda row: str(row.status)),
        414: Column("object", lambda _: ""),
        415: Column("object", lambda row: row.checksum),
        416: Column("object", lambda _: "00000000000"),
        417: Column("object", lambda _: "0", numeric=True),
        418: Column("object", lambda _: ""),
        419: Column("object", lambda row: row.created),
        420: Column("object", lambda row: row.modified),
        422: Column("object", lambda row: row.resource),
        423: Column("object", lambda row: str(zone.catalogue.resources[row.resource].id), numeric=True),
        424: Column("object", lambda row: row.modified),
    }
    return (
        user
        | resource
        | collection
        | data
        | _avu_columns(600, "object_avu")
        | _avu_columns(610, "collection_avu")
        | _access_columns(700, "object_access")
        | _access_columns(710, "collection_access")
    )
