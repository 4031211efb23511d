"""Published sets that were compared with their stores again: when, and what was not as it was published."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watcher.journal.database import Database

#: Sets that are in a store for good.
_STORED = "state IN ('published', 'released', 'superseded') AND collection IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Look:
    """What was last found of one set; times in seconds since 1970.

    `drift` is all that is not as it was published, in words, `since` when that began. `damaged` is what of it was found
    by reading stored bytes, which was last done at `deep_at`. `readers` may have access besides those whom the profile
    and the collection above let in: level by `name#zone`.
    """

    at: float = 0.0
    deep_at: float | None = None
    drift: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    since: float | None = None
    readers: Mapping[str, str] | None = None


class Looks:
    """The table of what was looked at again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, set_id: str) -> Look:
        """What was last found of a set."""
        query = "SELECT at, deep_at, drift, damaged, since, readers FROM looked_at WHERE set_id = ?"
        for at, deep_at, drift, damaged, since, readers in self._database.rows(query, (set_id,)):
            return Look(at, deep_at, tuple(json.loads(drift)), tuple(json.loads(damaged)), since, json.loads(readers))
        return Look()

    def record(self, set_id: str, now: float, drift: Sequence[str], damaged: Sequence[str] | None = None) -> Look:
        """A set was looked at, and this is not as it was published; what was known before.

        `damaged` is what reading the stored bytes has shown; None if they were not read, and what was known stays.
        """
        with self._database.transaction() as sql:
            before = self.of(set_id)
            known = before.damaged if damaged is None else tuple(damaged)
            found = list(dict.fromkeys([*drift, *known]))
            since = before.since if before.drift and found else now if found else None
            deep_at = before.deep_at if damaged is None else now
            sql.execute(
                """INSERT INTO looked_at (set_id, at, deep_at, drift, damaged, since) VALUES (?, ?, ?, ?, ?, ?)
                   ON CONFLICT DO UPDATE SET at = excluded.at, deep_at = excluded.deep_at, drift = excluded.drift,
                   damaged = excluded.damaged, since = excluded.since""",
                (set_id, now, deep_at, json.dumps(found), json.dumps(known), since),
            )
        return before

    def let_in(self, set_id: str, readers: Mapping[str, str]) -> None:
        """These had access to a set before it was this program's, and keep it."""
        with self._database.transaction() as sql:
            sql.execute(
                """INSERT INTO looked_at (set_id, at, readers) VALUES (?, 0, ?)
                   ON CONFLICT DO UPDATE SET readers = excluded.readers""",
                (set_id, json.dumps(dict(readers))),
            )

    def due(self, until: float, drifted_until: float, limit: int) -> list[str]:
        """The sets that were not looked at since a time, those that are longest not first.

        Those in which something was found are due since another time. Publication counts as a look.
        """
        looked = "max(coalesce(at, 0), coalesce(published_at, 0))"
        query = f"""SELECT id FROM image_set LEFT JOIN looked_at ON set_id = id WHERE {_STORED}
                    AND ({looked} <= ?1 OR (drift <> '[]' AND at <= ?2)) ORDER BY {looked}, id LIMIT ?3"""
        return [row[0] for row in self._database.rows(query, (until, drifted_until, limit))]

    def deep_due(self, until: float) -> str | None:
        """The set whose stored bytes were not read since that time, of such the one that waits longest."""
        read = "max(coalesce(deep_at, 0), coalesce(published_at, 0))"
        query = f"""SELECT id FROM image_set LEFT JOIN looked_at ON set_id = id WHERE {_STORED} AND {read} <= ?
                    ORDER BY {read}, id LIMIT 1"""
        return next((str(row[0]) for row in self._database.rows(query, (until,))), None)

    def stored(self) -> list[str]:
        """All sets that are in a store for good, in the order of their publication."""
        query = f"SELECT id FROM image_set WHERE {_STORED} ORDER BY published_at, id"
        return [row[0] for row in self._database.rows(query)]

    def drifted(self, limit: int) -> list[tuple[str, str, tuple[str, ...], float]]:
        """The sets in which something was found: identifier, name, what, since when; the latest first."""
        query = """SELECT id, name, drift, since FROM looked_at JOIN image_set ON id = set_id WHERE drift <> '[]'
                   ORDER BY since DESC, id LIMIT ?"""
        return [(row[0], row[1], tuple(json.loads(row[2])), row[3]) for row in self._database.rows(query, (limit,))]

    def drifted_count(self) -> int:
        """In how many sets something was found."""
        return int(self._database.rows("SELECT count(*) FROM looked_at WHERE drift <> '[]'")[0][0])
