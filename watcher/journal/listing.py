"""The sets as people look through them: filtered, the last changed first, a page at a time."""

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter

from watcher.journal.database import Database
from watcher.journal.sets import member_of_row, set_of_row
from watcher.model import Attribution, FileFacts, ImageSet, Member, State

_RECORD: Final = TypeAdapter(Attribution)
#: Those who have a part in a set, as its attribution is written.
_PERSONS: Final = """(json_extract(record, '$.creators') || coalesce(json_extract(record, '$.operator'), '')
                      || json_extract(record, '$.contributors'))"""


class Place(NamedTuple):
    """Where a page begins or ends: a set's last change, in seconds since 1970, and its identifier."""

    changed: float
    id: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sets are looked for: in these states (all if none), of a name, collection or identifier with this text,
    by a person whose name, ORCID or user in iRODS has these letters, and changed then (seconds since 1970) or later.
    """

    states: tuple[State, ...] = ()
    text: str = ""
    person: str = ""
    since: float | None = None


class Listing:
    """Pages of sets and of members, each found by an index however many there are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, wanted: Wanted, most: int, *, below: Place | None = None, above: Place | None = None
    ) -> list[ImageSet]:
        """So many sets that come after the place `below`, or those just before the place `above`."""
        order = "ASC" if above else "DESC"
        values: list[Any] = []
        parts = []
        # One index search for each state: together they would be sorted before the first is known.
        for state in wanted.states or (None,):
            where, given = _where(wanted, state, above or below, ">" if above else "<")
            parts.append(
                f"SELECT * FROM (SELECT * FROM image_set {where} ORDER BY last_change {order}, id {order} LIMIT ?)"
            )
            values += [*given, most]
        query = f"{' UNION ALL '.join(parts)} ORDER BY last_change {order}, id {order} LIMIT ?"
        found = [set_of_row(row) for row in self._database.rows(query, (*values, most))]
        return found[::-1] if above else found

    def attributions(self, set_ids: Collection[str]) -> dict[str, Attribution]:
        """Who made these sets, of those of which the journal knows it."""
        marks = ", ".join("?" * len(set_ids))
        query = f"SELECT set_id, record FROM attribution WHERE record IS NOT NULL AND set_id IN ({marks})"
        return {row[0]: _RECORD.validate_json(row[1]) for row in self._database.rows(query, tuple(set_ids))}

    def members(self, one: ImageSet, most: int, skip: int = 0) -> list[Member]:
        """So many members in the order of their paths, after `skip` others: the frozen ones, or those seen so far."""
        if one.state is not State.GROWING:
            query = "SELECT * FROM member WHERE set_id = ? ORDER BY path LIMIT ? OFFSET ?"
            return [member_of_row(row) for row in self._database.rows(query, (one.id, most, skip))]
        query = """SELECT directory.path AS folder, name, file.size, file.mtime_ns, file.identity, sha256
                   FROM file JOIN directory ON directory.id = file.directory LEFT JOIN member ON member.set_id = ?1
                   AND member.path = iif(directory.path = x'', name, CAST(directory.path || '/' || name AS BLOB))
                   WHERE file.set_id = ?1 ORDER BY directory.path, name LIMIT ?2 OFFSET ?3"""
        return list(_seen(self._database.rows(query, (one.id, most, skip))))

    def member_count(self, one: ImageSet) -> int:
        """How many members these are."""
        table = "file" if one.state is State.GROWING else "member"
        return int(self._database.rows(f"SELECT count(*) FROM {table} WHERE set_id = ?", (one.id,))[0][0])


def _where(wanted: Wanted, state: State | None, place: Place | None, sign: str) -> tuple[str, list[object]]:
    conditions: list[str] = []
    values: list[object] = []
    if state is not None:
        conditions.append("state = ?")
        values.append(state)
    if place is not None:
        conditions.append(f"(last_change, id) {sign} (?, ?)")
        values += place
    if wanted.since is not None:
        conditions.append("last_change >= ?")
        values.append(wanted.since)
    if wanted.text:
        conditions.append("(name LIKE ? ESCAPE '\\' OR collection LIKE ? ESCAPE '\\' OR id LIKE ? ESCAPE '\\')")
        values += [_like(wanted.text)] * 3
    if wanted.person:
        # The first condition on the record is cheap, and true of few.
        conditions.append(
            f"""EXISTS (SELECT 1 FROM attribution WHERE set_id = image_set.id AND record LIKE ? ESCAPE '\\'
                        AND {_PERSONS} LIKE ? ESCAPE '\\')"""
        )
        values += [_like(wanted.person)] * 2
    return f"WHERE {' AND '.join(conditions)}" if conditions else "", values


def _like(text: str) -> str:
    plain = text.encode("utf-8", "backslashreplace").decode("utf-8")
    for special in "\\%_":
        plain = plain.replace(special, f"\\{special}")
    return f"%{plain}%"


def _seen(rows: Sequence[Any]) -> Iterator[Member]:
    for row in rows:
        folder, name = os.fsdecode(row["folder"]), os.fsdecode(row["name"])
        path = f"{folder}/{name}" if folder else name
        yield Member(path, FileFacts(row["size"], row["mtime_ns"], row["identity"]), name, row["sha256"])
