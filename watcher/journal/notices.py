"""What people were told of what needs them, so that nobody is told twice, and of everything that it is over."""

import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import astuple, dataclass, fields
from enum import StrEnum

from watcher.journal.database import Database


class Knows(StrEnum):
    """Whether an addressee knows that something needs a person.

    | no      | was never told                                                              |
    | perhaps | a telling was begun, of it or of its end, and nobody knows whether it came  |
    | yes     | was told, and not yet that it is over                                       |
    """

    NO = "no"
    PERHAPS = "perhaps"
    YES = "yes"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that needs a person, as one addressee knows it; times in seconds since 1970.

    key is that of the attention; since is when it began, as far as that is known; seen_at is when it was first found,
    or found to be urgent; gone_at since when it is over, None while it is there; alarmed whether the addressee was told
    of it as something urgent.
    """

    key: str
    what: str
    since: float | None
    urgent: bool
    set_id: str
    seen_at: float
    gone_at: float | None = None
    knows: Knows = Knows.NO
    alarmed: bool = False


_COLUMNS = ", ".join(field.name for field in fields(Notice))
_MARKS = ", ".join("?" for _ in fields(Notice))


class Notices:
    """By addressee, whose name holds no personal data: what they know, and which sets they are to hear of as safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, addressee: str) -> list[Notice]:
        """All that an addressee is to be told or was told, and not yet that it is over."""
        query = f"SELECT {_COLUMNS} FROM notice WHERE addressee = ? ORDER BY seen_at, key"
        return [_from_row(row) for row in self._database.rows(query, (addressee,))]

    def keep(
        self, addressee: str, changed: Iterable[Notice], dropped: Iterable[str] = (), *, told_at: float | None = None
    ) -> None:
        """Write changes down, and when the addressee was told something."""
        with self._database.transaction() as sql:
            rows = [(addressee, *astuple(notice)) for notice in changed]
            sql.executemany(f"INSERT OR REPLACE INTO notice (addressee, {_COLUMNS}) VALUES (?, {_MARKS})", rows)
            keys = [(addressee, key) for key in dropped]
            sql.executemany("DELETE FROM notice WHERE addressee = ? AND key = ?", keys)
            if told_at is not None:
                sql.execute("INSERT OR REPLACE INTO addressee VALUES (?, ?)", (addressee, told_at))

    def told_at(self, addressee: str) -> float | None:
        """When an addressee was last told what needs a person, None if never."""
        rows = self._database.rows("SELECT told_at FROM addressee WHERE name = ?", (addressee,))
        return float(rows[0][0]) if rows else None

    # good news

    def is_safe(self, set_id: str, now: float) -> None:
        """Let those whom the set concerns hear that it is safe. Join the step that made it so."""
        with self._database.transaction() as sql:
            sql.execute("INSERT OR REPLACE INTO good_news (set_id, addressee, at) VALUES (?, '', ?)", (set_id, now))

    def unaddressed(self, most: int) -> list[str]:
        """Sets that are safe, of which nobody has looked yet whom they concern."""
        query = "SELECT set_id FROM good_news WHERE addressee = '' ORDER BY at LIMIT ?"
        return [row[0] for row in self._database.rows(query, (most,))]

    def address(self, set_id: str, addressees: Collection[str]) -> None:
        """These are to hear that the set is safe, unless they have."""
        with self._database.transaction() as sql:
            sql.executemany(
                """INSERT OR IGNORE INTO good_news (set_id, addressee, at)
                   SELECT set_id, ?, at FROM good_news WHERE set_id = ? AND addressee = ''""",
                [(addressee, set_id) for addressee in addressees],
            )
            sql.execute("DELETE FROM good_news WHERE set_id = ? AND addressee = ''", (set_id,))

    def good_news(self, addressee: str) -> list[tuple[str, float]]:
        """The sets that an addressee is still to hear of, and since when they are safe, in this order."""
        query = "SELECT set_id, at FROM good_news WHERE addressee = ? AND told_at IS NULL ORDER BY at, set_id"
        return [(row[0], row[1]) for row in self._database.rows(query, (addressee,))]

    def told_good_news(self, addressee: str, set_ids: Iterable[str], now: float) -> None:
        """The addressee has heard that these are safe, and does not hear it again."""
        with self._database.transaction() as sql:
            query = "UPDATE good_news SET told_at = ? WHERE set_id = ? AND addressee = ?"
            sql.executemany(query, [(now, set_id, addressee) for set_id in set_ids])


def _from_row(row: sqlite3.Row) -> Notice:
    values = dict(row)
    flags = {name: bool(values[name]) for name in ("urgent", "alarmed")}
    return Notice(**{**values, **flags, "knows": Knows(values["knows"])})
