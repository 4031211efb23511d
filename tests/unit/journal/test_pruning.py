"""The journal stays small, and forgets only what nobody will ask for again."""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from watcher.journal import FILE_NAME, Journal
from watcher.journal.pruning import KEEP, LINES, prune
from watcher.model import FileFacts, ImageSet, Member, State

ROOT = Path("/data")
DAY = 86400.0
LATER = 1000 + KEEP + 1
WAY = (State.COMPLETE, State.VALID, State.DELIVERED, State.VERIFIED, State.PUBLISHED)


def published(journal: Journal, name: str = "a", *, files: int = 3, at: float = 1000.0) -> ImageSet:
    """A set with files on the disk that went all the way."""
    one = journal.sets.create(ROOT, PurePosixPath(name), name, grouped_by="directory", format="tiff", now=at)
    facts = {f"{number}.tif": FileFacts(number, number, f"{number:x}") for number in range(files)}
    journal.files.record(ROOT, name, facts, (), at)
    journal.files.assign(ROOT, journal.files.in_folder(ROOT, name), one.id)
    journal.sets.freeze(one, [Member(f"{name}/{file}", known, file, "0" * 64) for file, known in facts.items()])
    for state in WAY:
        one = journal.sets.advance(one, state, at, published_at=at, collection=f"/zone/{name}.{one.version}")
    return one


def clear(journal: Journal, one: ImageSet) -> ImageSet:
    """Its files go from the disk."""
    journal.files.forget_folder(ROOT, one.name, 2000)
    journal.files.taken_in(ROOT, [one.name])
    return journal.sets.get(one.id)


def run(journal: Journal, now: float = LATER, watched: tuple[Path, ...] = (ROOT,)) -> int:
    """Prune to the end; the number of steps."""
    return sum(1 for _ in prune(journal.database, now, watched))


def members(journal: Journal, one: ImageSet) -> int:
    return len(journal.sets.members(one.id))


def test_a_set_that_is_long_safe_and_gone_from_the_disk_loses_its_list_of_members_and_nothing_else(
    journal: Journal,
) -> None:
    one = clear(journal, published(journal))
    before = journal.sets.history(one.id)
    run(journal)
    assert members(journal, one) == 0
    assert journal.sets.get(one.id) == one
    *kept, (at, state, note) = journal.sets.history(one.id)
    assert (kept, at, state) == (before, LATER, State.PUBLISHED)
    assert note == "the list of its files is only in its manifest from now on"
    run(journal)
    assert len(journal.sets.history(one.id)) == len(before) + 1


def test_the_members_stay_for_thirty_days_and_while_a_file_is_on_the_disk(journal: Journal) -> None:
    gone, there = clear(journal, published(journal, "gone")), published(journal, "there")
    run(journal, 1000 + KEEP - 1)
    assert (members(journal, gone), members(journal, there)) == (3, 3)
    run(journal, 1000 + 100 * KEEP)
    assert (members(journal, gone), members(journal, there)) == (0, 3)
    assert journal.files.size_of_set(there.id) == 3


def test_an_unfinished_set_without_files_keeps_its_members(journal: Journal) -> None:
    one = published(journal)
    with journal.database.transaction() as sql:
        sql.execute("UPDATE image_set SET state = 'held', published_at = NULL")
    clear(journal, one)
    run(journal)
    assert members(journal, one) == 3


def test_what_a_later_version_replaced_loses_its_members_too(journal: Journal) -> None:
    one = published(journal)
    journal.sets.advance(one, State.SUPERSEDED, 1000)
    two = published(journal)
    run(journal)
    assert (members(journal, one), members(journal, two)) == (0, 3)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_while_a_later_version_is_on_its_way_the_members_are_needed(journal: Journal, steps: int) -> None:
    one = clear(journal, published(journal))
    two = journal.sets.create(ROOT, PurePosixPath("a"), "a", grouped_by="directory", format="tiff", now=LATER)
    for state in WAY[:steps]:
        two = journal.sets.advance(two, state, LATER)
    run(journal)
    assert members(journal, one) == 3
    journal.sets.forget(two)
    run(journal)
    assert members(journal, one) == 0


def test_files_that_come_back_between_two_steps_keep_what_is_left(journal: Journal) -> None:
    one = clear(journal, published(journal, files=5000))
    steps = prune(journal.database, LATER, [ROOT])
    while members(journal, one) == 5000:
        next(steps)
    left = members(journal, one)
    assert 0 < left < 5000
    journal.sets.change(one, cleared=False)
    assert [None for _ in steps] != []
    assert members(journal, one) == left


def test_of_a_long_history_the_first_line_and_the_last_fifty_stay(journal: Journal) -> None:
    one, other = published(journal), published(journal, "b")
    with journal.database.transaction() as sql:
        rows = ((one.id, float(number), "valid", str(number)) for number in range(4500))
        sql.executemany("INSERT INTO history VALUES (?, ?, ?, ?)", rows)
    before, others = journal.sets.history(one.id), journal.sets.history(other.id)
    run(journal)
    assert journal.sets.history(one.id) == [before[0], *before[-LINES:]]
    assert journal.sets.history(other.id) == others
    run(journal)
    assert journal.sets.history(one.id) == [before[0], *before[-LINES:]]


def test_what_was_noted_of_folders_that_are_watched_no_more_goes(journal: Journal) -> None:
    for name in ("folder:/data", "folder:/old", "heartbeat", "store"):
        journal.note(name, 1)
    run(journal)
    assert [journal.noted(name) for name in ("folder:/data", "folder:/old", "heartbeat", "store")] == [1, None, 1, 1]


def content(state: Path) -> list[str]:
    """All that a journal says, in the words of SQL, and proof that it is sound."""
    with contextlib.closing(sqlite3.connect(state / FILE_NAME)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return list(connection.iterdump())


def test_a_crash_after_any_step_leaves_a_sound_journal_that_the_next_run_finishes(
    journal: Journal, state: Path, tmp_path: Path
) -> None:
    for number in range(3):
        clear(journal, published(journal, f"set{number}", files=2500 * number))
    copies = []
    for number, _ in enumerate(prune(journal.database, LATER, [ROOT])):
        copies.append(shutil.copytree(state, tmp_path / f"crashed{number}"))
    finished = content(state)
    assert len(copies) > 6
    assert len({len(content(shutil.copytree(copy, tmp_path / f"look-{copy.name}"))) for copy in copies}) > 3
    for copy in copies:
        with Journal(copy, owned=True) as again:
            assert again.set_aside is None
            run(again)
        assert content(copy) == finished


@pytest.fixture
def large(state: Path) -> Iterator[Journal]:
    """A journal with many members that are no longer needed."""
    with Journal(state, owned=True) as journal:
        for number in range(20):
            clear(journal, published(journal, f"set{number}", files=2000))
        yield journal


def on_disk(state: Path) -> int:
    return sum(path.stat().st_size for path in state.iterdir())


def test_what_is_freed_is_given_back_to_the_disk(large: Journal, state: Path) -> None:
    large.database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    before = on_disk(state)
    run(large)
    large.database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    assert on_disk(state) < before / 10


def test_an_older_journal_that_cannot_give_back_uses_its_free_pages_again(state: Path) -> None:
    state.mkdir()
    with contextlib.closing(sqlite3.connect(state / FILE_NAME)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE before (x)")
    with Journal(state, owned=True) as journal:
        sizes = []
        for round_ in range(4):
            for number in range(10):
                clear(journal, published(journal, f"{round_}-{number}", files=1000))
            run(journal)
            journal.database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
            sizes.append(os.path.getsize(state / FILE_NAME))
        assert sizes[-1] < sizes[0] * 1.2


def test_the_file_of_changes_does_not_stay_as_large_as_its_largest_moment(large: Journal, state: Path) -> None:
    wal = state / f"{FILE_NAME}-wal"
    with large.database.transaction() as sql:
        sql.execute("CREATE TABLE much (x)")
        sql.executemany("INSERT INTO much VALUES (?)", ((bytes(100_000),) for _ in range(400)))
    assert wal.stat().st_size > 30_000_000
    for number in range(3):
        large.note("heartbeat", number)
    assert wal.stat().st_size <= 16 * 1024 * 1024
