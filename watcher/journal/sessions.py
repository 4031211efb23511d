"""Sessions: for which request an operator works at the instrument, from when to when."""

import os
import sqlite3
from dataclasses import dataclass

from watcher.journal.database import Database


@dataclass(frozen=True, slots=True)
class WorkSession:
    """One session; times in seconds since 1970.

    `operator` is a word that the directory of persons knows. Only what lies in `folder`, a path within a watched one,
    belongs to the session, everything if it is "". `until` is when it ended, or ends by itself; `ended_by` is "" if
    nobody ended it.
    """

    id: int
    request: str
    operator: str
    folder: str
    started: float
    until: float
    ended_by: str = ""

    def is_open(self, now: float) -> bool:
        """Whether it goes on."""
        return self.started <= now < self.until


class Sessions:
    """The table of sessions. Of those for the same folder there is one at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, request: str, operator: str, folder: str, now: float, longest: float) -> WorkSession:
        """Begin a session, which ends by itself after `longest` seconds, and end the one for the same folder."""
        with self._database.transaction() as sql:
            sql.execute(
                "UPDATE session SET until = ?1, ended_by = 'the next session' WHERE until > ?1 AND folder = ?2",
                (now, os.fsencode(folder)),
            )
            sql.execute(
                "INSERT INTO session (request, operator, folder, started, until) VALUES (?, ?, ?, ?, ?)",
                (request, operator, os.fsencode(folder), now, now + longest),
            )
            (number,) = sql.execute("SELECT last_insert_rowid()").fetchone()
        return WorkSession(number, request, operator, folder, now, now + longest)

    def stop(self, number: int, now: float, by: str) -> bool:
        """End a session; False if it is not open."""
        with self._database.transaction() as sql:
            query = "UPDATE session SET until = ?2, ended_by = ?3 WHERE id = ?1 AND until > ?2"
            return bool(sql.execute(query, (number, now, by)).rowcount)

    def between(self, begin: float, end: float) -> list[WorkSession]:
        """The sessions that this time reaches into, in the order in which they began."""
        query = "SELECT * FROM session WHERE started <= ? AND until > ? ORDER BY started, id"
        return [_from_row(row) for row in self._database.rows(query, (end, begin))]

    def latest(self, most: int) -> list[WorkSession]:
        """The last sessions, the newest first."""
        rows = self._database.rows("SELECT * FROM session ORDER BY started DESC, id DESC LIMIT ?", (most,))
        return [_from_row(row) for row in rows]


def _from_row(row: sqlite3.Row) -> WorkSession:
    return WorkSession(**{**dict(row), "folder": os.fsdecode(row["folder"])})
