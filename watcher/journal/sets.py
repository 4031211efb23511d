"""The image sets: where each is on its way, its frozen members, and what happened to it."""

import json
import os
import sqlite3
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path, PurePosixPath
from typing import Any

from watcher import osfacts
from watcher.errors import SetNotFound, StaleSet, WatcherError
from watcher.journal.database import Database
from watcher.model import MOVES, UNDER_WAY, FileFacts, ImageSet, Member, State

_JSON = {"problems", "remarks", "waits_for", "embedded"}
_NAMES = tuple(field.name for field in fields(ImageSet))
#: Names every set for good: the same files on the same computer give the same identifier, even if the journal is lost.
_NAMESPACE = uuid.UUID("6f1d1c5e-33e2-4f0c-9d53-0f6a3c9be5b4")


class Sets:
    """The table of image sets. `advance` is the only way from one state to another."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        root: Path,
        folder: PurePosixPath,
        name: str,
        *,
        grouped_by: str,
        format: str,
        now: float,
        last_change: float | None = None,
        unseen_at: float | None = None,
    ) -> ImageSet:
        """A new growing set; the next version if there was one of that name in that folder before.

        It replaces that one, unless its files had been cleared from the disk: then it is another acquisition.
        """
        with self._database.transaction() as sql:
            former = self.newest(root, folder, name)
            version = former.version + 1 if former else 1
            replaced = former.id if former and not former.cleared else None
            key = f"{osfacts.host_name()}\0{os.fsencode(root)!r}\0{os.fsencode(folder)!r}\0{name}\0{version}"
            identifier = f"urn:uuid:{uuid.uuid5(_NAMESPACE, key)}"
            # A form of a set that was forgotten must not pass for the one that has its identifier now.
            (revision,) = sql.execute("SELECT abs(random() % 1000000000)").fetchone()
            image_set = ImageSet(
                identifier, root, folder, name, format, grouped_by, State.GROWING,
                version=version, revision=revision, first_seen=now,
                last_change=now if last_change is None else last_change, supersedes=replaced, unseen_at=unseen_at,
            )  # fmt: skip
            values = [_to_column(name, getattr(image_set, name)) for name in _NAMES]
            sql.execute(f"INSERT INTO image_set ({', '.join(_NAMES)}) VALUES ({', '.join('?' * len(values))})", values)
            self._log(sql, image_set.id, now, State.GROWING, "first seen")
        return image_set

    def newest(self, root: Path, folder: PurePosixPath, name: str) -> ImageSet | None:
        """The latest version of the set of this name in this folder."""
        query = "SELECT * FROM image_set WHERE root = ? AND folder = ? AND name = ? ORDER BY version DESC LIMIT 1"
        rows = self._database.rows(query, (os.fsencode(root), os.fsencode(folder), name))
        return set_of_row(rows[0]) if rows else None

    def former(self, image_set: ImageSet) -> ImageSet | None:
        """The version before this one, whether this one replaces it or not."""
        query = "SELECT * FROM image_set WHERE root = ? AND folder = ? AND name = ? AND version = ?"
        place = (os.fsencode(image_set.root), os.fsencode(image_set.folder), image_set.name, image_set.version - 1)
        rows = self._database.rows(query, place)
        return set_of_row(rows[0]) if rows else None

    def get(self, set_id: str) -> ImageSet:
        """The set with this identifier. Raises SetNotFound."""
        found = self.maybe(set_id)
        if found is None:
            raise SetNotFound(f"{set_id}: there is no such set in the journal")
        return found

    def maybe(self, set_id: str) -> ImageSet | None:
        """The set with this identifier, if it is still there."""
        rows = self._database.rows("SELECT * FROM image_set WHERE id = ?", (set_id,))
        return set_of_row(rows[0]) if rows else None

    def find(self, text: str) -> ImageSet:
        """The set that a person means: identifier or its beginning, name, or collection; the newest version of a name.

        Raises SetNotFound, also if several sets fit.
        """
        text = _text(text)
        identifier = text if text.startswith("urn:uuid:") else f"urn:uuid:{text}"
        query = """SELECT * FROM image_set WHERE id = ?1 OR name = ?2 OR collection = ?2 OR (length(?2) >= 4 AND
                   substr(id, 1, length(?1)) = ?1) ORDER BY version DESC"""
        found = [set_of_row(row) for row in self._database.rows(query, (identifier, text))]
        places = {(found_set.root, found_set.folder, found_set.name) for found_set in found}
        if len(places) > 1:
            which = ", ".join(sorted(f"{found_set.id[9:17]} ({found_set.folder})" for found_set in found)[:5])
            raise SetNotFound(f"{text}: several sets fit: {which}", cure="give the identifier")
        if not found:
            raise SetNotFound(f"{text}: there is no such set in the journal")
        return found[0]

    def beginning(self, text: str, most: int) -> list[tuple[str, str, State]]:
        """Name, identifier and state of the sets whose name or identifier begins so, the last changed first."""
        query = """SELECT name, id, state FROM image_set WHERE substr(name, 1, length(?1)) = ?1
                   OR substr(id, 10, length(?1)) = ?1 ORDER BY last_change DESC, id DESC LIMIT ?2"""
        return [(row[0], row[1], State(row[2])) for row in self._database.rows(query, (_text(text), most))]

    def matching(
        self,
        folder: Path | None,
        name: str | None,
        acquired: tuple[float | None, float | None],
        *,
        unresolved: bool = False,
    ) -> list[ImageSet]:
        """The sets in a folder (or below it), of a name like `actin*`, acquired between two times, or all of these.

        `unresolved`: only those of which it is not known who made them.
        """
        since, until = acquired
        ended = "coalesce((SELECT max(mtime_ns) / 1e9 FROM member WHERE set_id = image_set.id), last_change)"
        where = [f"(?1 IS NULL OR {ended} >= ?1)", f"(?2 IS NULL OR {ended} < ?2)", "(?3 IS NULL OR name GLOB ?3)"]
        if unresolved:
            where.append("NOT EXISTS (SELECT 1 FROM attribution WHERE set_id = image_set.id AND state = 'resolved')")
        query = (
            f"SELECT * FROM image_set WHERE state <> 'skipped' AND {' AND '.join(where)} ORDER BY first_seen, name, id"
        )
        found = map(set_of_row, self._database.rows(query, (since, until, name and _text(name))))
        return [one for one in found if folder is None or (one.root / one.folder).is_relative_to(folder)]

    def in_states(self, *states: State, limit: int = -1) -> list[ImageSet]:
        """The sets in these states (all if none is given), those that were complete first come first."""
        marks = ", ".join("?" * len(states))
        where = f"WHERE state IN ({marks})" if states else ""
        query = f"SELECT * FROM image_set {where} ORDER BY coalesce(completed_at, first_seen), id LIMIT ?"
        return [set_of_row(row) for row in self._database.rows(query, (*states, limit))]

    def next_under_way(
        self, root: Path, now: float, in_hand: Collection[str], most: int | None = None
    ) -> ImageSet | None:
        """The set below a root that was complete first, of those that may be taken now and are not in hand.

        With `most`, only one of which so many bytes or less are still to be sent.
        """
        size = "(SELECT coalesce(sum(size), 0) FROM member WHERE set_id = image_set.id AND sha256 IS NULL)"
        query = f"""SELECT * FROM image_set WHERE state IN ({", ".join("?" * len(UNDER_WAY))}) AND root = ?
                    AND retry_at <= ? AND on_hold = '' AND id NOT IN ({", ".join("?" * len(in_hand))})
                    {f"AND {size} <= ?" if most is not None else ""}
                    ORDER BY completed_at, id LIMIT 1"""
        values = (*UNDER_WAY, os.fsencode(root), now, *in_hand, *(() if most is None else (most,)))
        rows = self._database.rows(query, values)
        return set_of_row(rows[0]) if rows else None

    def next_retry(self) -> float | None:
        """When the next set that is under way may be taken."""
        query = f"""SELECT min(retry_at) FROM image_set WHERE on_hold = ''
                    AND state IN ({", ".join("?" * len(UNDER_WAY))})"""
        at: float | None = self._database.rows(query, UNDER_WAY)[0][0]
        return at

    def changed_after(self, root: Path, time: float) -> list[ImageSet]:
        """The growing sets below a root that have changed since and are no later version of another one."""
        query = "SELECT * FROM image_set WHERE state = 'growing' AND version = 1 AND root = ? AND last_change > ?"
        return [set_of_row(row) for row in self._database.rows(query, (os.fsencode(root), time))]

    def look_again(self, set_id: str, at: float, **changes: Any) -> None:
        """Judge a set again at that time if it grows, whatever has happened to it meanwhile."""
        with self._database.transaction():
            image_set = self.get(set_id)
            if image_set.state is State.GROWING:
                self.change(image_set, retry_at=at, **changes)

    def due(self, root: Path, now: float) -> list[ImageSet]:
        """The growing sets below a root that want to be judged now, the longest known first."""
        query = """SELECT * FROM image_set WHERE state = 'growing' AND root = ? AND retry_at <= ?
                   ORDER BY first_seen, id"""
        return [set_of_row(row) for row in self._database.rows(query, (os.fsencode(root), now))]

    def next_due(self, root: Path) -> float | None:
        """When the next growing set below a root wants to be judged."""
        query = "SELECT min(retry_at) FROM image_set WHERE state = 'growing' AND root = ?"
        at: float | None = self._database.rows(query, (os.fsencode(root),))[0][0]
        return at

    def last_change(self) -> float | None:
        """When a file of any set that is not yet published last changed; None if there is no such set."""
        states = (State.GROWING, *UNDER_WAY)
        query = f"SELECT max(last_change) FROM image_set WHERE state IN ({', '.join('?' * len(states))})"
        at: float | None = self._database.rows(query, states)[0][0]
        return at

    def without_files(self, root: Path) -> list[ImageSet]:
        """The unfinished sets below a root of which no file is left on the disk, but for those that were moved."""
        query = """SELECT * FROM image_set WHERE state IN ('growing', 'complete', 'valid', 'delivered', 'verified')
                   AND cleared = 0 AND root = ? AND NOT EXISTS (SELECT 1 FROM file WHERE set_id = image_set.id)"""
        return [set_of_row(row) for row in self._database.rows(query, (os.fsencode(root),))]

    def on_hold(self) -> int:
        """How many unfinished sets a person holds back."""
        states = (State.GROWING, *UNDER_WAY)
        query = f"SELECT count(*) FROM image_set WHERE on_hold <> '' AND state IN ({', '.join('?' * len(states))})"
        return int(self._database.rows(query, states)[0][0])

    def amounts(self, set_id: str) -> tuple[int, int]:
        """Bytes of a set that have been sent, and all that are known of, whether its members are frozen or not."""
        query = "SELECT coalesce(sum(size), 0) FROM member WHERE set_id = ? AND sha256 IS NOT NULL"
        sent = int(self._database.rows(query, (set_id,))[0][0])
        frozen = "SELECT coalesce(sum(size), 0) FROM member WHERE set_id = ?1"
        seen = "SELECT coalesce(sum(size), 0) FROM file WHERE set_id = ?1"
        (total,) = self._database.rows(f"SELECT max(({frozen}), ({seen}))", (set_id,))[0]
        return sent, int(total)

    def unsent(self) -> int:
        """Bytes of finished sets that are still to be sent."""
        query = f"""SELECT coalesce(sum(size), 0) FROM member JOIN image_set ON image_set.id = set_id
                    WHERE sha256 IS NULL AND state IN ({", ".join("?" * len(UNDER_WAY))})"""
        return int(self._database.rows(query, UNDER_WAY)[0][0])

    def newest_published(self, limit: int) -> list[tuple[str, bool]]:
        """The identifiers of the sets that became safe last, the newest first, and whether their files are gone."""
        query = """SELECT id, cleared FROM image_set INDEXED BY image_set_published
                   WHERE published_at IS NOT NULL AND state = 'published' ORDER BY published_at DESC LIMIT ?"""
        return [(row[0], bool(row[1])) for row in self._database.rows(query, (limit,))]

    def last_published(self) -> float | None:
        """When a set last became safe."""
        query = "SELECT max(published_at) FROM image_set WHERE published_at IS NOT NULL"
        at: float | None = self._database.rows(query)[0][0]
        return at

    def oldest_open(self) -> float | None:
        """Since when the set waits that was finished first and is not safe."""
        query = f"SELECT min(completed_at) FROM image_set WHERE state IN ({', '.join('?' * len(UNDER_WAY))})"
        at: float | None = self._database.rows(query, UNDER_WAY)[0][0]
        return at

    def became(self, state: State, since: float) -> list[float]:
        """When sets came into a state, from that time on."""
        query = "SELECT at FROM history WHERE at >= ? AND state = ? ORDER BY at"
        return [row[0] for row in self._database.rows(query, (since, state))]

    def moved_since(self, line: int, most: int) -> tuple[int, dict[str, str]]:
        """The sets that moved after a line of the history, with their last state, and which line is the last now."""
        query = "SELECT rowid, set_id, state FROM history WHERE rowid > ? ORDER BY rowid DESC LIMIT ?"
        rows = self._database.rows(query, (line, most))
        if not rows:  # lines of forgotten sets go, and their numbers are given again
            return int(self._database.rows("SELECT coalesce(max(rowid), 0) FROM history")[0][0]), {}
        return int(rows[0][0]), {set_id: state for _, set_id, state in reversed(rows)}

    def since(self, set_id: str) -> float | None:
        """When something last happened to a set."""
        at: float | None = self._database.rows("SELECT max(at) FROM history WHERE set_id = ?", (set_id,))[0][0]
        return at

    def counts(self) -> dict[State, int]:
        """How many sets are in each state."""
        rows = self._database.rows("SELECT state, count(*) FROM image_set GROUP BY state")
        return {State(state): number for state, number in rows}

    def advance(self, image_set: ImageSet, to: State, now: float, note: str = "", **changes: Any) -> ImageSet:
        """Move a set on, with other changes, if it is still as `image_set` says. Raises StaleSet.

        A move that `MOVES` does not allow is a mistake of the program and raises a plain WatcherError.
        """
        if to not in MOVES[image_set.state]:
            raise WatcherError(f"{image_set.name}: a set cannot go from {image_set.state} to {to}")
        with self._database.transaction() as sql:
            moved = self.change(image_set, state=to, **changes)
            self._log(sql, image_set.id, now, to, note)
        return moved

    def change(self, image_set: ImageSet, **changes: Any) -> ImageSet:
        """Write changes to a set if it is still as `image_set` says. Raises StaleSet."""
        changed = replace(image_set, revision=image_set.revision + 1, **changes)
        columns = (*changes, "revision")
        values = [_to_column(name, getattr(changed, name)) for name in columns]
        with self._database.transaction() as sql:
            done = sql.execute(
                f"UPDATE image_set SET {', '.join(f'{name} = ?' for name in columns)} WHERE id = ? AND revision = ?",
                (*values, image_set.id, image_set.revision),
            )
            if not done.rowcount:
                raise StaleSet(f"{image_set.name}: it was changed meanwhile")
        return changed

    def forget(self, image_set: ImageSet) -> None:
        """Drop a growing set of which nothing is left, or that turned out to be no new version.

        What it may have in the store already is to be withdrawn.
        """
        with self._database.transaction() as sql:
            sql.execute(
                """INSERT OR REPLACE INTO withdrawal SELECT collection, id FROM image_set
                   WHERE id = ? AND collection IS NOT NULL""",
                (image_set.id,),
            )
            sql.execute(
                """INSERT OR REPLACE INTO copy_withdrawal SELECT name, collection, set_id FROM copy
                   WHERE set_id = ? AND collection IS NOT NULL""",
                (image_set.id,),
            )
            sql.execute("DELETE FROM copy WHERE set_id = ?", (image_set.id,))
            sql.execute("DELETE FROM looked_at WHERE set_id = ?", (image_set.id,))
            sql.execute("DELETE FROM member WHERE set_id = ?", (image_set.id,))
            sql.execute("DELETE FROM leftover WHERE set_id = ?", (image_set.id,))
            sql.execute("DELETE FROM history WHERE set_id = ?", (image_set.id,))
            sql.execute("DELETE FROM attribution WHERE set_id = ?", (image_set.id,))
            sql.execute("UPDATE file SET set_id = NULL, live = 1 WHERE set_id = ?", (image_set.id,))
            sql.execute("DELETE FROM image_set WHERE id = ?", (image_set.id,))

    def freeze(self, image_set: ImageSet, members: Sequence[Member]) -> None:
        """Write down the members as they are now; a digest is kept where the file is still the same.

        What may have been sent already and is no longer a member becomes a leftover.
        """
        with self._database.transaction() as sql:
            known = {member.path: member for member in self.members(image_set.id)}
            sql.execute("DELETE FROM member WHERE set_id = ?", (image_set.id,))
            if image_set.claimed:
                lost = {member.target for member in known.values()} - {member.target for member in members}
                sql.executemany("INSERT OR IGNORE INTO leftover VALUES (?, ?)", ((image_set.id, t) for t in lost))
            for member in members:
                before = known.get(member.path)
                same = before and (before.facts, before.target) == (member.facts, member.target)
                digest = before.sha256 if before and same else None
                self._enter(sql, image_set.id, replace(member, sha256=member.sha256 or digest))
            total = sum(member.facts.size for member in members)
            size = (len(members), total, image_set.id)
            sql.execute("UPDATE image_set SET files = ?, bytes = ? WHERE id = ?", size)

    def intend(self, image_set: ImageSet, members: Sequence[Member]) -> None:
        """Write down members of a growing set before they are sent early. Raises StaleSet if it grows no more.

        From here on they count as what may be in the store.
        """
        with self._database.transaction() as sql:
            if self.get(image_set.id).state is not State.GROWING:
                raise StaleSet(f"{image_set.name}: it was changed meanwhile")
            for member in members:
                sql.execute(
                    """INSERT OR IGNORE INTO leftover SELECT set_id, target FROM member
                       WHERE set_id = ? AND path = ? AND target <> ?""",
                    (image_set.id, os.fsencode(member.path), member.target),
                )
                self._enter(sql, image_set.id, member)

    def may_be_there(self, image_set: ImageSet, targets: Iterable[str]) -> None:
        """An attempt that the journal knows nothing of has left these in the set's collection."""
        with self._database.transaction() as sql:
            sql.executemany("INSERT OR IGNORE INTO leftover VALUES (?, ?)", ((image_set.id, t) for t in targets))

    def known_of(self, image_set: ImageSet, paths: Iterable[str]) -> dict[str, Member]:
        """What is written down of these members, by path."""
        query = "SELECT * FROM member WHERE set_id = ? AND path = ?"
        rows = [row for path in paths for row in self._database.rows(query, (image_set.id, os.fsencode(path)))]
        return {member.path: member for member in map(member_of_row, rows)}

    def has_sent(self, image_set: ImageSet) -> bool:
        """Whether a member of the set is in the store."""
        query = "SELECT 1 FROM member WHERE set_id = ? AND sha256 IS NOT NULL LIMIT 1"
        return bool(self._database.rows(query, (image_set.id,)))

    def members(self, set_id: str) -> list[Member]:
        """The frozen members in the order of their paths."""
        query = "SELECT * FROM member WHERE set_id = ? ORDER BY path"
        return [member_of_row(row) for row in self._database.rows(query, (set_id,))]

    def sent(self, image_set: ImageSet, member: Member, sha256: str | None) -> None:
        """A member has been sent, and this is the digest of what was read; None: it must be sent again."""
        with self._database.transaction() as sql:
            sql.execute(
                """UPDATE member SET sha256 = ? WHERE set_id = ? AND path = ? AND target = ?
                   AND size = ? AND mtime_ns = ? AND identity = ?""",
                (sha256, image_set.id, os.fsencode(member.path), member.target, *member.facts),
            )

    def prove_by(self, image_set: ImageSet, fixity: str) -> ImageSet:
        """From now on its digests are come by in this way; those from another way count no more. Raises StaleSet."""
        if image_set.fixity == fixity:
            return image_set
        with self._database.transaction() as sql:
            sql.execute("UPDATE member SET sha256 = NULL WHERE set_id = ?", (image_set.id,))
            return self.change(image_set, fixity=fixity)

    def leftovers(self, set_id: str) -> list[str]:
        """The targets in the store that are not part of the set any more."""
        wanted = {member.target for member in self.members(set_id)}
        rows = self._database.rows("SELECT target FROM leftover WHERE set_id = ?", (set_id,))
        return [row[0] for row in rows if row[0] not in wanted]

    def history(self, set_id: str) -> list[tuple[float, State, str]]:
        """What happened to a set: time, state, note."""
        query = "SELECT at, state, note FROM history WHERE set_id = ? ORDER BY rowid"
        return [(at, State(state), note) for at, state, note in self._database.rows(query, (set_id,))]

    @staticmethod
    def _enter(sql: sqlite3.Connection, set_id: str, member: Member) -> None:
        values = (set_id, os.fsencode(member.path), *member.facts, member.target, member.sha256)
        sql.execute("INSERT OR REPLACE INTO member VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    @staticmethod
    def _log(sql: sqlite3.Connection, set_id: str, now: float, state: State, note: str) -> None:
        sql.execute("INSERT INTO history VALUES (?, ?, ?, ?)", (set_id, now, state, _text(note)))


def member_of_row(row: sqlite3.Row) -> Member:
    """The member in a row of `member`."""
    facts = FileFacts(row["size"], row["mtime_ns"], row["identity"])
    return Member(os.fsdecode(row["path"]), facts, row["target"], row["sha256"])


def _to_column(name: str, value: Any) -> Any:
    if name in _JSON:
        return json.dumps(dict(value) if name == "embedded" else list(value), ensure_ascii=True)
    if name in {"root", "folder"}:
        return os.fsencode(value)
    return _text(value) if isinstance(value, str) else value


def _text(value: str) -> str:
    """Text that any database can hold, although it may speak of a file whose name is none."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def set_of_row(row: sqlite3.Row) -> ImageSet:
    """The set in a row of `image_set`."""
    values = {name: row[name] for name in _NAMES}
    values["root"] = Path(os.fsdecode(values["root"]))
    values["folder"] = PurePosixPath(os.fsdecode(values["folder"]))
    values["state"] = State(values["state"])
    for name in ("problems", "remarks", "waits_for"):
        values[name] = tuple(json.loads(values[name]))
    values["embedded"] = json.loads(values["embedded"])
    for name in ("whole", "sound"):
        values[name] = None if values[name] is None else bool(values[name])
    for name in ("claimed", "cleared"):
        values[name] = bool(values[name])
    return ImageSet(**values)
