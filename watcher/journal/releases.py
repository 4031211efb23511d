"""Local copies that are put aside or were removed: how far each is, and a signed line for each file that is gone."""

import hmac
import json
import os
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from watcher.journal.database import Database, state_error
from watcher.model import ImageSet, Member, State

_KEY: Final = "removals.key"
_KEY_BYTES: Final = 32


class Phase(StrEnum):
    """How far the local copy of a set is on its way off the disk; what was cut off in one goes on from there.

    | ordered  | a person wants it to go                                                        |
    | refused  | it could not go, for a reason; nothing was touched                             |
    | kept     | a person brought it back: it goes only when a person says so again             |
    | moving   | its files are being moved to where they are put aside; cut off: all come back  |
    | aside    | all its files are put aside, on the same disk, until the grace period is over  |
    | back     | its files are being brought back                                               |
    | removing | all was proven again, and its files are being removed                          |
    | stuck    | its files are still put aside, and a person must look; `why` says what is wrong |
    """

    ORDERED = "ordered"
    REFUSED = "refused"
    KEPT = "kept"
    MOVING = "moving"
    ASIDE = "aside"
    BACK = "back"
    REMOVING = "removing"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True)
class Aside:
    """The local copy of one set; times in seconds since 1970.

    `until` is when the grace ends, `why` it was refused or is stuck.
    """

    set_id: str
    phase: Phase
    since: float
    until: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Removal:
    """One file that was removed from the disk, after it was proven to be elsewhere.

    path is relative to the watched folder; copies are the places where it is; signature goes over this and the line
    before, so that none can be changed or taken out unnoticed by whoever has not the key.
    """

    number: int
    set_id: str
    path: str
    size: int
    sha256: str
    copies: tuple[str, ...]
    at: float
    signature: str


class Releases:
    """The tables of local copies and of removals. The key of the signatures lies beside the journal."""

    def __init__(self, database: Database, state: Path) -> None:
        self._database = database
        self._key_file = state / _KEY

    def of(self, set_id: str) -> Aside | None:
        """How far the local copy of a set is; None if nothing was done to it."""
        rows = self._database.rows("SELECT * FROM put_aside WHERE set_id = ?", (set_id,))
        return _aside(rows[0]) if rows else None

    def in_phases(self, *phases: Phase) -> list[Aside]:
        """The local copies in these phases, those that are there longest first."""
        marks = ", ".join("?" * len(phases))
        query = f"SELECT * FROM put_aside WHERE phase IN ({marks}) ORDER BY since, set_id"
        return [_aside(row) for row in self._database.rows(query, phases)]

    def enter(self, set_id: str, phase: Phase, now: float, *, until: float = 0.0, why: str = "") -> None:
        """A local copy has come so far."""
        with self._database.transaction() as sql:
            values = (set_id, phase, now, until, why)
            sql.execute(
                "INSERT OR REPLACE INTO put_aside (set_id, phase, since, until, why) VALUES (?, ?, ?, ?, ?)", values
            )

    def over(self, set_id: str) -> None:
        """Nothing more is to be done to this local copy: it is back, or gone."""
        with self._database.transaction() as sql:
            sql.execute("DELETE FROM put_aside WHERE set_id = ?", (set_id,))

    def candidates(self, root: Path, published_until: float, refused_until: float, limit: int) -> list[str]:
        """The sets below a root whose local copy may be asked about, the oldest publication first.

        Those that were published until a time, have files here, and were not refused after another time.
        """
        query = """SELECT id FROM image_set LEFT JOIN put_aside ON put_aside.set_id = id
                   WHERE state = ? AND root = ? AND cleared = 0 AND published_at <= ? AND on_hold = ''
                   AND (phase IS NULL OR (phase = 'refused' AND since <= ?))
                   ORDER BY published_at, id LIMIT ?"""
        values = (State.PUBLISHED, os.fsencode(root), published_until, refused_until, limit)
        return [row[0] for row in self._database.rows(query, values)]

    def bytes_aside(self, root: Path) -> int:
        """How much of the disk of a root will be free when all that is put aside is gone."""
        query = """SELECT coalesce(sum(bytes), 0) FROM put_aside JOIN image_set ON id = set_id
                   WHERE phase IN ('moving', 'aside', 'removing', 'stuck') AND root = ?"""
        return int(self._database.rows(query, (os.fsencode(root),))[0][0])

    def verified_at(self, set_id: str) -> float:
        """When everything of a set was last found as it should be in its stores, 0 if never."""
        rows = self._database.rows("SELECT at FROM looked_at WHERE set_id = ? AND drift = '[]'", (set_id,))
        return float(rows[0][0]) if rows else 0.0

    # what was removed

    def sign(self, image_set: ImageSet, members: Sequence[Member], copies: Sequence[str], now: float) -> None:
        """Write a line for each of these files, before it is removed; one that has its line already gets no other."""
        key = self._key()
        with self._database.transaction() as sql:
            before = self._last_signature()
            for member in members:
                path = os.fsencode(member.path)
                done = "SELECT 1 FROM removal WHERE set_id = ? AND path = ?"
                if sql.execute(done, (image_set.id, path)).fetchone():
                    continue
                line = (image_set.id, path, member.facts.size, member.sha256, json.dumps(list(copies)), now)
                before = _signature(key, before, line)
                sql.execute(
                    """INSERT INTO removal (set_id, path, size, sha256, copies, at, signature)
                       VALUES (?, ?, ?, ?, ?, ?, ?)""",
                    (*line, before),
                )

    def removals(self, set_id: str | None = None, *, after: int = 0, limit: int = 1000) -> list[Removal]:
        """The lines of what was removed, of one set or of all, in their order, behind the line with a number."""
        query = "SELECT * FROM removal WHERE number > ?1 AND (?2 IS NULL OR set_id = ?2) ORDER BY number LIMIT ?3"
        return [
            Removal(
                row["number"], row["set_id"], os.fsdecode(row["path"]), row["size"], row["sha256"],
                tuple(json.loads(row["copies"])), row["at"], row["signature"],
            )
            for row in self._database.rows(query, (after, set_id, limit))
        ]  # fmt: skip

    def first_false(self) -> int | None:
        """The number of the first line that is not as it was signed, None if all are."""
        key, before, last = self._key(), "", 0
        while lines := self.removals(after=last):
            for one in lines:
                line = (one.set_id, os.fsencode(one.path), one.size, one.sha256, json.dumps(list(one.copies)), one.at)
                before = _signature(key, before, line)
                if not hmac.compare_digest(before, one.signature):
                    return one.number
            last = lines[-1].number
        return None

    def _last_signature(self) -> str:
        rows = self._database.rows("SELECT signature FROM removal ORDER BY number DESC LIMIT 1")
        return str(rows[0][0]) if rows else ""

    def _key(self) -> bytes:
        """The key, made at its first use; readable by this account alone. Raises JournalError."""
        try:
            try:
                handle = os.open(self._key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                return self._key_file.read_bytes()
            with os.fdopen(handle, "wb") as file:
                key = secrets.token_bytes(_KEY_BYTES)
                file.write(key)
                return key
        except OSError as error:
            raise state_error(self._key_file, error) from error


def _signature(key: bytes, before: str, line: tuple[object, ...]) -> str:
    said = json.dumps([before, *(part.hex() if isinstance(part, bytes) else part for part in line)])
    return hmac.digest(key, said.encode("utf-8"), "sha256").hex()


def _aside(row: sqlite3.Row) -> Aside:
    return Aside(row["set_id"], Phase(row["phase"]), row["since"], row["until"], row["why"])
