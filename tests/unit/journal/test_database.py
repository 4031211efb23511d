"""The journal's file: who may have it, what becomes of a broken one, and that changes happen wholly or not at all."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from watcher import osfacts
from watcher.errors import Exit, JournalError, JournalFull, JournalInUse, JournalTooNew
from watcher.journal import FILE_NAME, Journal, schema, watched_by
from watcher.journal.database import Database


def number_of_facts(journal: Journal) -> int:
    return int(journal.database.rows("SELECT count(*) FROM fact")[0][0])


def version_of(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_what_was_noted_is_still_known_after_a_restart(state: Path) -> None:
    with Journal(state) as journal:
        journal.note("heartbeat", {"at": 12.5, "problems": ["\udcff"]})
    with Journal(state) as journal:
        assert journal.noted("heartbeat") == {"at": 12.5, "problems": ["\udcff"]}
        assert journal.noted("nothing") is None


def test_a_new_journal_has_this_programs_version(state: Path) -> None:
    Journal(state).close()
    assert version_of(state / FILE_NAME) == len(schema.MIGRATIONS)


def test_an_older_journal_is_brought_up_to_date_and_keeps_what_it_knew(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(state) as journal:
        journal.note("kept", "yes")
    added = (*schema.MIGRATIONS, "CREATE TABLE later (id INTEGER); INSERT INTO later VALUES (7);")
    monkeypatch.setattr(schema, "MIGRATIONS", added)
    for _ in range(2):  # the second time there is nothing to do
        with Journal(state) as journal:
            assert journal.noted("kept") == "yes"
            assert [row[0] for row in journal.database.rows("SELECT id FROM later")] == [7]
    assert version_of(state / FILE_NAME) == len(added)


def test_a_migration_that_fails_changes_nothing(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Journal(state).close()
    before = version_of(state / FILE_NAME)
    monkeypatch.setattr(
        schema, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE half (id INTEGER); INSERT INTO nowhere VALUES (1);")
    )
    with pytest.raises(JournalError, match="nowhere"):
        Journal(state)
    monkeypatch.undo()
    with Journal(state) as journal:
        assert not journal.database.rows("SELECT 1 FROM sqlite_master WHERE name = 'half'")
    assert version_of(state / FILE_NAME) == before


def test_a_journal_of_a_later_version_is_refused_and_left_as_it_is(state: Path) -> None:
    with Journal(state) as journal:
        journal.note("kept", 1)
    with contextlib.closing(sqlite3.connect(state / FILE_NAME)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(JournalTooNew, match=r"later version.*99") as refused:
        Journal(state, owned=True)
    assert refused.value.exit_code == Exit.CONFIGURATION
    assert version_of(state / FILE_NAME) == 99
    assert not list(state.glob("*broken*"))


def test_a_refused_journal_is_not_kept_from_others(state: Path) -> None:
    Journal(state).close()
    with contextlib.closing(sqlite3.connect(state / FILE_NAME)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(JournalTooNew):
        Journal(state, owned=True)
    assert watched_by(state) is None


@pytest.mark.parametrize("damage", ["no database at all", "a torn page"])
def test_a_broken_journal_is_set_aside_and_a_new_one_begun(state: Path, damage: str) -> None:
    with Journal(state) as journal, journal.database.transaction():
        for number in range(2000):
            journal.note(f"fact {number}", "x" * 50)
    path = state / FILE_NAME
    content = bytearray(path.read_bytes())
    if damage == "a torn page":
        content[8192:] = os.urandom(len(content) - 8192)
    else:
        content[:100] = b"x" * 100
    path.write_bytes(content)
    with Journal(state, owned=True) as journal:
        assert journal.set_aside is not None
        assert journal.set_aside.read_bytes() == bytes(content)
        assert number_of_facts(journal) == 0
        journal.note("new", 1)
    with Journal(state, owned=True) as journal:
        assert journal.set_aside is None
        assert journal.noted("new") == 1


def test_who_only_looks_does_not_set_a_broken_journal_aside(state: Path) -> None:
    state.mkdir()
    (state / FILE_NAME).write_bytes(b"no database at all" * 500)
    with pytest.raises(JournalError, match="not a database"):
        Journal(state)
    assert [path.name for path in state.iterdir()] == [FILE_NAME]


def test_a_second_watcher_is_told_who_has_the_journal(state: Path, journal: Journal) -> None:
    with pytest.raises(JournalInUse, match=rf"process {os.getpid()} on {osfacts.host_name()}, since 2") as refused:
        Journal(state, owned=True)
    assert refused.value.exit_code == Exit.TRY_LATER


def test_looking_is_possible_while_a_watcher_has_the_journal(state: Path, journal: Journal) -> None:
    with Journal(state) as looker:
        journal.note("heartbeat", 1)
        assert looker.noted("heartbeat") == 1


def test_watched_by_names_the_watcher_only_while_there_is_one(state: Path) -> None:
    assert watched_by(state) is None
    with Journal(state, owned=True):
        assert str(os.getpid()) in (watched_by(state) or "")
    assert watched_by(state) is None
    assert (state / "holder.json").exists()  # an old note of a holder proves nothing


def test_the_right_to_a_journal_ends_with_a_process_that_is_killed(state: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from watcher.journal import Journal; "
        "j = Journal(Path(sys.argv[1]), owned=True); j.note('left', 1); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(state)], check=False)
    assert done.returncode == -9
    with Journal(state, owned=True) as journal:
        assert journal.noted("left") == 1


def test_a_state_directory_that_cannot_be_made_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for owned in (False, True):
        with pytest.raises(JournalError, match="cannot be used"):
            Journal(tmp_path / "file" / "state", owned=owned)


def test_only_the_account_itself_may_read_the_journal(state: Path, journal: Journal) -> None:
    assert (state / FILE_NAME).stat().st_mode & 0o077 == 0
    assert state.stat().st_mode & 0o077 == 0


def test_a_transaction_that_fails_leaves_nothing(journal: Journal) -> None:
    def work() -> None:
        with journal.database.transaction():
            journal.note("a", 1)
            journal.note("b", 2)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    assert number_of_facts(journal) == 0


def test_a_transaction_within_another_ends_with_the_outer_one(state: Path, journal: Journal) -> None:
    with Journal(state) as looker:
        with journal.database.transaction():
            with journal.database.transaction():
                journal.note("a", 1)
            assert looker.noted("a") is None
        assert looker.noted("a") == 1


def test_after_a_failed_transaction_the_next_one_works(journal: Journal) -> None:
    with pytest.raises(JournalError, match="no such table"), journal.database.transaction() as sql:
        sql.execute("INSERT INTO nowhere VALUES (1)")
    journal.note("a", 1)
    assert journal.noted("a") == 1


def test_changes_from_many_threads_are_all_kept(journal: Journal) -> None:
    def work(number: int) -> None:
        for step in range(20):
            with journal.database.transaction():
                journal.note(f"{number}.{step}", step)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert number_of_facts(journal) == 100


def test_a_full_disk_is_told_as_such_and_passes(state: Path) -> None:
    with Database(state) as database:
        database.rows("PRAGMA max_page_count = 40")
        with pytest.raises(JournalFull) as told, database.transaction() as sql:
            sql.execute("INSERT INTO fact VALUES ('big', ?)", ("x" * 1_000_000,))
        assert told.value.transient
        database.rows("PRAGMA max_page_count = 100000")
        with database.transaction() as sql:
            sql.execute("INSERT INTO fact VALUES ('big', ?)", ("x" * 1_000_000,))
        assert len(database.rows("SELECT * FROM fact")) == 1


def test_a_directory_with_full_in_its_name_is_not_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "fullscope").write_text("")
    with pytest.raises(JournalError) as told:
        Journal(tmp_path / "fullscope" / "state")
    assert not isinstance(told.value, JournalFull)
