"""The journal: the only state of the program, and the only SQL."""

import contextlib
import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from watcher.journal.attributions import Attributions
from watcher.journal.collections import Collections
from watcher.journal.database import FILE_NAME, Database, Owner, state_error, watched_by
from watcher.journal.events import Backlog, Outbox
from watcher.journal.files import Files
from watcher.journal.handoffs import Handoffs
from watcher.journal.listing import Listing
from watcher.journal.releases import Releases
from watcher.journal.sessions import Sessions
from watcher.journal.sets import Sets

__all__ = [
    "FILE_NAME",
    "Attributions",
    "Backlog",
    "Collections",
    "Files",
    "Handoffs",
    "Journal",
    "Listing",
    "Outbox",
    "Owner",
    "Releases",
    "Sessions",
    "Sets",
    "watched_by",
]

_SCRATCH = "scratch-"
#: Begins the name of what is noted of a watched folder, and of what is in trouble.
SWEPT = "folder:"
_TROUBLE = "trouble:"


class Journal:
    """What the watcher knows: the files on the disk, the sets that they form, and how far each set has come.

    With `owned` this process becomes the one watcher of the journal, which is then checked and, if broken, set aside
    (`set_aside` says where). Without, it only looks, and gives orders such as retry and skip.
    Raises JournalError, JournalInUse, JournalFull or JournalTooNew.
    """

    def __init__(self, state: Path, *, owned: bool = False) -> None:
        self.state = state
        self._owner = Owner(state) if owned else None
        if owned:
            # What a killed process has left.
            for folder in state.glob(f"{_SCRATCH}*"):
                shutil.rmtree(folder, ignore_errors=True)
        try:
            self.database = Database(state, check=owned)
        except BaseException:
            self._release()
            raise
        self.files = Files(self.database)
        self.sets = Sets(self.database)
        self.listing = Listing(self.database)
        self.collections = Collections(self.database, self.sets)
        self.sessions = Sessions(self.database)
        self.attributions = Attributions(self.database)
        self.outbox = Outbox(self.database)
        self.handoffs = Handoffs(self.database)
        self.releases = Releases(self.database, state)

    @contextlib.contextmanager
    def scratch(self, name: str, content: bytes) -> Iterator[Path]:
        """A file with this name and content for as long as it is needed. Raises JournalError or JournalFull."""
        folder = self.state / f"{_SCRATCH}{uuid.uuid4().hex}"
        try:
            folder.mkdir()
            (folder / name).write_bytes(content)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise state_error(folder, error) from error
        try:
            yield folder / name
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def set_aside(self) -> Path | None:
        """Where a broken journal was put when this one was opened."""
        return self.database.set_aside

    def believe(self, now: float) -> None:
        """Take back times in the future (attempts: an hour ahead): the clock was ahead when they were written."""
        with self.database.transaction() as sql:
            sql.execute("UPDATE file SET changed_at = ?1 WHERE changed_at > ?1", (now,))
            for change in ("last_change = ?1 WHERE last_change > ?1", "retry_at = 0 WHERE retry_at > ?1 + 3600"):
                sql.execute(f"UPDATE image_set SET {change} AND state NOT IN ('published', 'superseded')", (now,))
            sql.execute("UPDATE event SET retry_at = 0 WHERE accepted_at IS NULL AND retry_at > ?1 + 3600", (now,))
            for change in ("look_at = ?1 WHERE look_at > ?1 + 3600", "since = ?1 WHERE since > ?1"):
                sql.execute(f"UPDATE handoff SET {change}", (now,))

    def note(self, name: str, value: object) -> None:
        """Remember one fact for whoever looks: a heartbeat, the state of the store, what a sweep found."""
        with self.database.transaction() as sql:
            sql.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, json.dumps(value)))

    def noted(self, name: str) -> object:
        """A fact that was noted, None if it was not."""
        rows = self.database.rows("SELECT value FROM fact WHERE name = ?", (name,))
        return json.loads(rows[0][0]) if rows else None

    def all_noted(self, beginning: str) -> dict[str, object]:
        """The facts whose names begin so."""
        rows = self.database.rows(
            "SELECT name, value FROM fact WHERE substr(name, 1, ?) = ?", (len(beginning), beginning)
        )
        return {name: json.loads(value) for name, value in rows}

    def swept(self, root: Path, now: float, problems: list[str]) -> None:
        """Remember that a watched folder has been looked through, and what was wrong."""
        self.note(f"{SWEPT}{root}", {"at": now, "problems": problems})

    def last_sweep(self, root: Path) -> float | None:
        """When a watched folder was last looked through to the end; None if never."""
        noted = self.noted(f"{SWEPT}{root}")
        return float(noted["at"]) if isinstance(noted, dict) else None

    def trouble(self, where: str, what: str, now: float) -> None:
        """Remember what is wrong somewhere, and since when; "" when it is over."""
        with self.database.transaction() as sql:
            if not what:
                sql.execute("DELETE FROM fact WHERE name = ?", (_TROUBLE + where,))
                return
            before = self.noted(_TROUBLE + where)
            since = before["since"] if isinstance(before, dict) else now
            self.note(_TROUBLE + where, {"what": what, "since": since})

    def troubles(self) -> dict[str, tuple[str, float]]:
        """What is wrong, by where it is: in words, and since when."""
        found = ((name, value) for name, value in self.all_noted(_TROUBLE).items() if isinstance(value, dict))
        return {name.removeprefix(_TROUBLE): (value["what"], value["since"]) for name, value in found}

    def forget_troubles(self) -> None:
        """What an earlier process was in trouble with is told anew if it still is."""
        with self.database.transaction() as sql:
            sql.execute("DELETE FROM fact WHERE name GLOB ?", (f"{_TROUBLE}*",))

    def close(self) -> None:
        """Close the file and let another process have it."""
        self.database.close()
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _release(self) -> None:
        if self._owner:
            self._owner.release()
