"""The journal's file: opening it, owning it, and setting a broken one aside."""

import contextlib
import errno
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from filelock import FileLock, Timeout

from watcher import osfacts
from watcher.errors import JournalError, JournalFull, JournalInUse
from watcher.journal.schema import migrate

FILE_NAME = "journal.sqlite"
_LOCK = "journal.lock"
_HOLDER = "holder.json"
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
#: What stays on the disk of the file beside the journal in which changes are written first.
_WAL_BYTES = 16 * 1024 * 1024
_BROKEN = ("malformed", "not a database", "disk image", "file is encrypted")


class Owner:
    """The right of one process to be the watcher of a journal.

    It rests on a lock of the operating system, which ends with the process however it ends. Raises JournalInUse,
    naming the holder, and JournalError if the directory cannot be written.
    """

    def __init__(self, state: Path) -> None:
        self._lock = FileLock(state / _LOCK, thread_local=False)
        try:
            state.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Not at once: `watched_by` may hold the lock for the moment of its question.
            self._lock.acquire(timeout=0.5)
        except Timeout:
            raise JournalInUse(f"{state}: another watcher works with this journal ({_holder(state)})") from None
        except OSError as error:
            raise state_error(state, error) from error
        me = {"pid": os.getpid(), "host": osfacts.host_name(), "since": time.time()}
        try:
            (state / _HOLDER).write_text(json.dumps(me), encoding="utf-8")
        except OSError as error:
            self._lock.release()
            raise state_error(state, error) from error

    def release(self) -> None:
        """Let another process have the journal."""
        self._lock.release()


def watched_by(state: Path) -> str | None:
    """Which process is the watcher of this journal now, in words; None if there is none."""
    if not (state / _LOCK).exists():
        return None
    try:
        with FileLock(state / _LOCK, timeout=0):
            return None
    except Timeout:
        return _holder(state)
    except OSError:
        return None


def holder(state: Path) -> Mapping[str, Any] | None:
    """The process that last became the watcher of this journal: `pid`, `host` and `since`; None if nobody knows."""
    try:
        found = json.loads((state / _HOLDER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and {"pid", "host", "since"} <= found.keys() else None


def _holder(state: Path) -> str:
    found = holder(state)
    if found is None:
        return "it has not said which"
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(found["since"]))
    return f"process {found['pid']} on {found['host']}, since {since}"


class _Connection(sqlite3.Connection):
    """Gives values to numbered placeholders by their numbers.

    To Python `?1` is the name "1": from 3.12 on it warns of a sequence of values for it, and from 3.14 on refuses it
    (docs.python.org, sqlite3, placeholders).
    """

    def execute(self, query: str, values: Any = ()) -> sqlite3.Cursor:
        if "?1" in query and not isinstance(values, dict):
            values = {str(number): value for number, value in enumerate(values, 1)}
        return super().execute(query, values)


class Database:
    """One connection to the journal, safe to share between the threads of a process.

    Every change goes through `transaction`. Raises JournalError, JournalFull or JournalTooNew.
    """

    def __init__(self, state: Path, *, check: bool = False) -> None:
        self.path = state / FILE_NAME
        self.set_aside: Path | None = None
        self._lock = threading.RLock()
        self._depth = 0
        try:
            state.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection = self._open_sound() if check else self._connect()
        except (sqlite3.Error, OSError) as error:
            raise state_error(self.path, error) from error

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All changes made inside happen, or none; a transaction within another joins it."""
        with self._lock, self._errors_named():
            if self._depth:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            self._depth = 1
            try:
                yield self._connection
            except BaseException:
                self._rollback()
                raise
            else:
                self._commit()
            finally:
                self._depth = 0

    def rows(self, query: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """All rows that a question gives."""
        with self._lock, self._errors_named():
            return self._connection.execute(query, values).fetchall()

    def version(self) -> object:
        """Something that is another one after each change, by whichever process or connection (sqlite.org/pragma)."""
        with self._lock, self._errors_named():
            by_others = self._connection.execute("PRAGMA data_version").fetchone()[0]
            return by_others, self._connection.total_changes

    def verdict(self) -> str:
        """What SQLite says is broken in the file, "" if nothing is."""
        found = str(self.rows("PRAGMA quick_check(1)")[0][0])
        return "" if found == "ok" else found

    def shrink(self, pages: int) -> bool:
        """Give up to so many free pages back to the disk, and say whether there are more. Not within a transaction."""
        with self._lock, self._errors_named():
            before = self._free_pages()
            # A script, because it does its work a page a step, and execute() makes only the first.
            self._connection.executescript(f"PRAGMA incremental_vacuum({pages})")
            return 0 < self._free_pages() < before

    def close(self) -> None:
        """Write everything into the one file and let go of it."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _free_pages(self) -> int:
        return int(self._connection.execute("PRAGMA freelist_count").fetchone()[0])

    def _commit(self) -> None:
        try:
            self._connection.execute("COMMIT")
        except BaseException:
            self._rollback()
            raise

    def _rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=30, isolation_level=None, check_same_thread=False, factory=_Connection
        )
        try:
            connection.row_factory = sqlite3.Row
            # Only a journal that is new takes it, and one that has it must not be written to without need.
            if not connection.execute("PRAGMA auto_vacuum").fetchone()[0]:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            migrate(connection, self.path)
        except BaseException:
            connection.close()
            raise
        if os.name == "posix":
            self.path.chmod(0o600)
        return connection

    def _open_sound(self) -> sqlite3.Connection:
        try:
            connection = self._connect()
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict == "ok":
                return connection
            connection.close()
        except sqlite3.DatabaseError as error:
            if not any(word in str(error) for word in _BROKEN):
                raise
        self.set_aside = self._put_aside()
        return self._connect()

    def _put_aside(self) -> Path:
        """Keep the broken file for whoever wants to look; what it knew is found again on disk and in the catalogue."""
        stamp = time.strftime("%Y%m%d-%H%M%S")
        aside = self.path.with_name(f"{FILE_NAME}.broken-{stamp}")
        for end in ("", "-wal", "-shm"):
            part = self.path.with_name(FILE_NAME + end)
            if part.exists():
                part.replace(aside.with_name(aside.name + end))
        return aside

    @contextlib.contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise state_error(self.path, error) from error


def state_error(path: Path, error: Exception) -> JournalError:
    """What the system or SQLite says of the journal's directory, as our own error."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL or getattr(error, "errno", None) in _NO_SPACE:
        return JournalFull(f"{path}: the disk that holds the journal is full")
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return JournalError(f"{path}: the journal cannot be used ({why})")
