"""The files that were seen on the disk: what they are, since when, and to which set they belong."""

import os
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from watcher.journal.database import Database
from watcher.model import FileFacts

_COLUMNS = """directory.path, name, size, mtime_ns, identity, changed_at, set_id, claim, stale
    FROM file JOIN directory ON directory.id = file.directory"""


class SeenFile(NamedTuple):
    """One file as it was last seen.

    folder is relative to the watched folder ("" for itself). changed_at is since when it has been the same. claim is
    what its format said of it, as JSON, None if it was never asked; stale if it was not asked since the last change:
    until then it stays where it belonged, since a file that is being written has not left its set.
    """

    folder: str
    name: str
    facts: FileFacts
    changed_at: float
    set_id: str | None
    claim: str | None
    stale: bool

    @property
    def path(self) -> str:
        """The path relative to the watched folder, with forward slashes."""
        return f"{self.folder}/{self.name}" if self.folder else self.name


class Files:
    """The table of files. A file is live while the watcher still has something to do with its set."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, root: Path, folder: str) -> dict[str, tuple[int, int, str]]:
        """What was seen in one folder: facts by name, as plain tuples because a sweep compares a million of them."""
        rows = self._database.rows(
            """SELECT name, size, mtime_ns, identity FROM file WHERE directory =
               (SELECT id FROM directory WHERE root = ? AND path = ?)""",
            (_blob(root), _blob(folder)),
        )
        return {os.fsdecode(name): (size, mtime, identity) for name, size, mtime, identity in rows}

    def live_folders(self, root: Path) -> set[str]:
        """The folders below a root with live files directly in them."""
        rows = self._database.rows(
            """SELECT path FROM directory WHERE root = ? AND EXISTS
               (SELECT 1 FROM file INDEXED BY file_live WHERE directory = directory.id AND live = 1)""",
            (_blob(root),),
        )
        return {os.fsdecode(row[0]) for row in rows}

    def live_in(self, root: Path, folder: str) -> list[tuple[bytes, int, int]]:
        """The live files directly in one folder: name, size and mtime as they were last seen.

        Neither decoded nor made into FileFacts, because each sweep asks for all of them.
        """
        rows = self._database.rows(
            """SELECT name, size, mtime_ns FROM file WHERE live = 1 AND directory =
               (SELECT id FROM directory WHERE root = ? AND path = ?)""",
            (_blob(root), _blob(folder)),
        )
        return [(name, size, mtime_ns) for name, size, mtime_ns in rows]

    def record(
        self, root: Path, folder: str, changed: Mapping[str, FileFacts], gone: Iterable[str], now: float
    ) -> None:
        """Write down what a look into one folder found new or different, and what is no longer there.

        A file without a time of its own has been at rest since `now`.
        """
        self.record_since(root, folder, {name: (facts, now) for name, facts in changed.items()}, gone, now)

    def record_since(
        self, root: Path, folder: str, changed: Mapping[str, tuple[FileFacts, float]], gone: Iterable[str], now: float
    ) -> None:
        """The same with the time since which each file has been at rest."""
        with self._database.transaction() as sql:
            directory = self._directory(root, folder)
            # Kept until the sets know of it: a crash between the two must not lose a file.
            sql.execute("UPDATE directory SET dirty = 1 WHERE id = ?", (directory,))
            sql.executemany(
                """INSERT INTO file (directory, name, size, mtime_ns, identity, changed_at) VALUES (?, ?, ?, ?, ?, ?)
                   ON CONFLICT DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns, live = 1, stale = 1,
                   identity = excluded.identity, changed_at = excluded.changed_at""",
                ((directory, _blob(name), *facts, since) for name, (facts, since) in changed.items()),
            )
            lost: set[str] = set()
            for name in gone:
                rows = sql.execute(
                    "DELETE FROM file WHERE directory = ? AND name = ? RETURNING set_id", (directory, _blob(name))
                ).fetchall()
                lost |= {row[0] for row in rows if row[0]}
            self._note_lost(lost, now)

    def forget_folder(self, root: Path, folder: str, now: float) -> None:
        """A folder is gone with everything below it."""
        with self._database.transaction() as sql:
            where, values = _below(root, folder)
            rows = sql.execute(
                f"DELETE FROM file WHERE directory IN (SELECT id FROM directory WHERE {where}) RETURNING set_id", values
            ).fetchall()
            sql.execute(f"UPDATE directory SET dirty = 1, role = NULL WHERE {where}", values)
            self._note_lost({row[0] for row in rows if row[0]}, now)

    def dirty(self, root: Path) -> set[str]:
        """The folders in which something changed since they were last taken in."""
        query = "SELECT path FROM directory INDEXED BY directory_dirty WHERE root = ? AND dirty = 1"
        return {os.fsdecode(row[0]) for row in self._database.rows(query, (_blob(root),))}

    def taken_in(self, root: Path, folders: Iterable[str]) -> None:
        """What changed in these folders is part of the sets now; those that hold nothing any more are dropped."""
        with self._database.transaction() as sql:
            for folder in folders:
                values = (_blob(root), _blob(folder))
                sql.execute("UPDATE directory SET dirty = 0 WHERE root = ? AND path = ?", values)
                sql.execute(
                    """DELETE FROM directory WHERE root = ? AND path = ? AND role IS NULL
                       AND NOT EXISTS (SELECT 1 FROM file WHERE directory = directory.id)""",
                    values,
                )

    def roles(self, root: Path) -> dict[str, str]:
        """The folders of which a format says more than that they hold files; see `pipeline/assemble.py`."""
        query = "SELECT path, role FROM directory WHERE root = ? AND role IS NOT NULL"
        return {os.fsdecode(path): role for path, role in self._database.rows(query, (_blob(root),))}

    def give_role(self, root: Path, folder: str, role: str) -> None:
        """Remember what a format says of a folder; it is to be taken in anew."""
        with self._database.transaction() as sql:
            directory = self._directory(root, folder)
            sql.execute("UPDATE directory SET role = ?, dirty = 1 WHERE id = ?", (role, directory))

    def subfolders(self, root: Path, folder: str) -> set[str]:
        """The known folders directly or indirectly below one, itself not included."""
        where, values = _below(root, folder)
        rows = self._database.rows(f"SELECT path FROM directory WHERE {where}", values)
        return {os.fsdecode(row[0]) for row in rows} - {folder}

    def in_folder(self, root: Path, folder: str) -> list[SeenFile]:
        """The files directly in one folder."""
        return self._seen("root = ? AND path = ?", (_blob(root), _blob(folder)))

    def below(self, root: Path, folder: str) -> list[SeenFile]:
        """The files in one folder and everything below it."""
        return self._seen(*_below(root, folder))

    def of_set(self, set_id: str, most: int = -1) -> list[SeenFile]:
        """The files that belong to a set now, or the first `most` of them."""
        return self._seen("file.set_id = ?", (set_id,), most)

    def rested(self, set_id: str, after: SeenFile | None, until: float, limit: int) -> list[SeenFile]:
        """Files of a set that have been the same since `until` or longer, in the order in which they came to rest.

        Only those that follow `after` in that order.
        """
        cursor = (after.changed_at, _blob(after.folder), _blob(after.name)) if after else (-1.0, b"", b"")
        query = f"""SELECT {_COLUMNS} WHERE file.set_id = ? AND changed_at <= ?
                    AND (changed_at, directory.path, file.name) > (?, ?, ?)
                    ORDER BY changed_at, directory.path, file.name LIMIT ?"""
        return [_seen(row) for row in self._database.rows(query, (set_id, until, *cursor, limit))]

    def folders_of_set(self, set_id: str) -> set[str]:
        """The folders in which a set has files."""
        query = "SELECT DISTINCT path FROM file JOIN directory ON directory.id = file.directory WHERE set_id = ?"
        return {os.fsdecode(row[0]) for row in self._database.rows(query, (set_id,))}

    def size_of_set(self, set_id: str) -> int:
        """How many files belong to a set now."""
        return int(self._database.rows("SELECT count(*) FROM file WHERE set_id = ?", (set_id,))[0][0])

    def unasked(self, root: Path, folder: str, *, below: bool) -> tuple[int, float]:
        """How many files of a folder (or all below it) are of no set and were not asked; since when the first rests."""
        where, values = _below(root, folder) if below else ("root = ? AND path = ?", (_blob(root), _blob(folder)))
        query = f"""SELECT count(*), min(changed_at) FROM file JOIN directory ON directory.id = file.directory
                    WHERE claim IS NULL AND set_id IS NULL AND {where}"""
        count, first = self._database.rows(query, values)[0]
        return count, first or 0.0

    def newest_unasked(self, root: Path, folder: str, set_id: str, until: float) -> float | None:
        """Since when the newest of the files directly in a folder rests that were never asked and are not of this set.

        Only of those that have been the same since `until` or longer; None if there are none.
        """
        rows = self._database.rows(
            """SELECT max(changed_at) FROM file WHERE claim IS NULL AND coalesce(set_id, '') <> ? AND changed_at <= ?
               AND directory = (SELECT id FROM directory WHERE root = ? AND path = ?)""",
            (set_id, until, _blob(root), _blob(folder)),
        )
        newest: float | None = rows[0][0]
        return newest

    def remember_claims(self, root: Path, folder: str, claims: Mapping[str, str]) -> None:
        """Keep what the formats said of files, so that they are not opened again until they change."""
        with self._database.transaction() as sql:
            directory = self._directory(root, folder)
            sql.executemany(
                "UPDATE file SET claim = ?, stale = 0 WHERE directory = ? AND name = ?",
                ((claim, directory, _blob(name)) for name, claim in claims.items()),
            )

    def assign(self, root: Path, files: Iterable[SeenFile], set_id: str) -> None:
        """Let these files belong to a set."""
        with self._database.transaction() as sql:
            ids: dict[str, int] = {}
            for file in files:
                if file.folder not in ids:
                    ids[file.folder] = self._directory(root, file.folder)
                sql.execute(
                    "UPDATE file SET set_id = ? WHERE directory = ? AND name = ?",
                    (set_id, ids[file.folder], _blob(file.name)),
                )

    def moved_away(self, set_id: str) -> None:
        """The files of a published set are gone from the disk because we moved them."""
        with self._database.transaction() as sql:
            sql.execute("DELETE FROM file WHERE set_id = ?", (set_id,))
            sql.execute("UPDATE image_set SET cleared = 1 WHERE id = ?", (set_id,))

    def rest(self, set_id: str) -> None:
        """Nothing is left to do for the files of this set: sweeps need not look at each of them any more."""
        with self._database.transaction() as sql:
            sql.execute("UPDATE file SET live = 0 WHERE set_id = ?", (set_id,))

    def is_alone(self, root: Path, folder: str, set_id: str) -> bool:
        """Whether all files in a folder and below it are of this set."""
        where, values = _below(root, folder)
        query = f"""SELECT 1 FROM file JOIN directory ON directory.id = file.directory
                    WHERE set_id IS NOT ? AND {where} LIMIT 1"""
        return not self._database.rows(query, (set_id, *values))

    def count(self, root: Path) -> int:
        """How many files are known below a root."""
        query = "SELECT count(*) FROM file JOIN directory ON directory.id = file.directory WHERE root = ?"
        return int(self._database.rows(query, (_blob(root),))[0][0])

    def _note_lost(self, set_ids: Iterable[str], now: float) -> None:
        """Files of these sets went away: a change to a growing one; a published one may be cleared altogether."""
        with self._database.transaction() as sql:
            for set_id in set_ids:
                sql.execute(
                    """UPDATE image_set SET last_change = max(last_change, ?), retry_at = 0, revision = revision + 1
                       WHERE state = 'growing' AND id = ?""",
                    (now, set_id),
                )
                sql.execute(
                    """UPDATE image_set SET cleared = 1 WHERE state IN ('published', 'released') AND id = ?
                       AND NOT EXISTS (SELECT 1 FROM file WHERE set_id = image_set.id)""",
                    (set_id,),
                )

    def _directory(self, root: Path, folder: str) -> int:
        values = (_blob(root), _blob(folder))
        with self._database.transaction() as sql:
            sql.execute("INSERT OR IGNORE INTO directory (root, path) VALUES (?, ?)", values)
            return int(sql.execute("SELECT id FROM directory WHERE root = ? AND path = ?", values).fetchone()[0])

    def _seen(self, where: str, values: tuple[object, ...], most: int = -1) -> list[SeenFile]:
        query = f"SELECT {_COLUMNS} WHERE {where} ORDER BY directory.path, file.name LIMIT ?"
        rows = self._database.rows(query, (*values, most))
        return [_seen(row) for row in rows]


def _seen(row: sqlite3.Row) -> SeenFile:
    path, name, size, mtime, identity, *rest = row
    return SeenFile(os.fsdecode(path), os.fsdecode(name), FileFacts(size, mtime, identity), *rest)


def _blob(path: Path | str) -> bytes:
    return os.fsencode(path)


def _below(root: Path, folder: str) -> tuple[str, tuple[object, ...]]:
    """A condition for a folder and all below it: '0' is the character after '/'."""
    if not folder:
        return "root = ?", (_blob(root),)
    path = _blob(folder)
    return "root = ? AND (path = ? OR (path > ? AND path < ?))", (_blob(root), path, path + b"/", path + b"0")
