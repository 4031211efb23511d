"""Keeping the journal small over the years: what nobody will ask for again goes, a little at a time."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from watcher.journal.database import Database

#: How long in seconds after publication a set whose files are gone keeps the list of its members.
KEEP: Final = 30 * 86400.0
#: Of the history of a set its first line and so many of the last are kept.
LINES: Final = 50
#: Rows, sets and pages a step: each takes some hundredths of a second, in which sweeps and transfers have to wait.
_ROWS: Final = 2000
_SETS: Final = 500
_PAGES: Final = 100

# Not while a later version is on its way, which may turn out to be the same files copied back.
_FORGOTTEN: Final = """published_at < ?2 AND (cleared = 1 OR state = 'superseded') AND NOT EXISTS (
    SELECT 1 FROM image_set AS later WHERE later.root = image_set.root AND later.folder = image_set.folder
    AND later.name = image_set.name AND later.version > image_set.version
    AND later.state IN ('growing', 'complete', 'valid'))
    AND NOT EXISTS (SELECT 1 FROM copy WHERE set_id = image_set.id AND wanted = 1)"""


def prune(database: Database, now: float, watched: Collection[Path]) -> Iterator[None]:
    """Drop what is no longer needed, one short transaction a step; to be run to its end about once a day.

    A set that was published 30 days ago and whose files are gone from the disk, or that a later version replaced,
    loses the list of its members, which its manifest in the store has; where it went, when and why stays. Whoever
    copies its files back is recognised by the manifest's digest there. Of long histories the middle goes, and so do
    events that were accepted 30 days ago, and what was noted of folders that are not among the `watched` ones. Stopping
    between two steps or in one leaves a sound journal. Raises JournalError.
    """
    with database.transaction() as sql:
        for kind in ("folder:", "space:"):
            noted = [f"{kind}{path}" for path in watched]
            marks = ", ".join("?" * len(noted))
            sql.execute(f"DELETE FROM fact WHERE name GLOB ? AND name NOT IN ({marks})", (f"{kind}*", *noted))
    yield
    yield from _drop_accepted(database, now)
    last = ""
    while page := database.rows("SELECT id FROM image_set WHERE id > ? ORDER BY id LIMIT ?", (last, _SETS)):
        first, last = last, page[-1][0]
        yield from _shorten_histories(database, first, last)
        yield from _drop_members(database, first, last, now)
    while database.shrink(_PAGES):
        yield


def _drop_accepted(database: Database, now: float) -> Iterator[None]:
    query = "DELETE FROM event WHERE number IN (SELECT number FROM event WHERE accepted_at < ? LIMIT ?)"
    more = True
    while more:
        with database.transaction() as sql:
            more = sql.execute(query, (now - KEEP, _ROWS)).rowcount == _ROWS
        yield


def _shorten_histories(database: Database, first: str, last: str) -> Iterator[None]:
    """Those of the sets with an identifier after `first` up to `last`."""
    query = "SELECT set_id FROM history WHERE set_id > ? AND set_id <= ? GROUP BY set_id HAVING count(*) > ?"
    for (set_id,) in database.rows(query, (first, last, LINES + 1)):
        more = True
        while more:
            with database.transaction() as sql:
                done = sql.execute(
                    """DELETE FROM history WHERE rowid IN (SELECT rowid FROM history WHERE set_id = ?1
                       AND rowid > (SELECT min(rowid) FROM history WHERE set_id = ?1)
                       AND rowid <= (SELECT rowid FROM history WHERE set_id = ?1 ORDER BY rowid DESC LIMIT 1 OFFSET ?2)
                       LIMIT ?3)""",
                    (set_id, LINES, _ROWS),
                )
                more = done.rowcount == _ROWS
            yield
    yield


def _drop_members(database: Database, first: str, last: str, now: float) -> Iterator[None]:
    query = f"""SELECT id FROM image_set WHERE id > ?1 AND id <= ?3 AND {_FORGOTTEN}
                AND EXISTS (SELECT 1 FROM member WHERE set_id = image_set.id)"""
    for (set_id,) in database.rows(query, (first, now - KEEP, last)):
        more = True
        while more:
            with database.transaction() as sql:
                # Asked again: its files may have come back meanwhile.
                done = sql.execute(
                    f"""DELETE FROM member WHERE set_id = (SELECT id FROM image_set WHERE id = ?1 AND {_FORGOTTEN})
                        AND path IN (SELECT path FROM member WHERE set_id = ?1 LIMIT ?3)""",
                    (set_id, now - KEEP, _ROWS),
                )
                more = done.rowcount == _ROWS
                if done.rowcount and not more:
                    note = "the list of its files is only in its manifest from now on"
                    sql.execute("DELETE FROM leftover WHERE set_id = ?", (set_id,))
                    sql.execute(
                        "INSERT INTO history SELECT id, ?, state, ? FROM image_set WHERE id = ?", (now, note, set_id)
                    )
            yield
    yield
