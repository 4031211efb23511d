"""Where else each set is: what further stores hold of it, what they are still to get, and what went wrong with that."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from watcher.journal.database import Database

_COLUMNS = "name, collection, place, claimed, verified_at, problem, wanted, revision, attempts"


@dataclass(frozen=True, slots=True)
class Copy:
    """What is known of one set in one further store, by the name that the profile gives it.

    `collection` is where it goes there, and `place` says that to people. `claimed`: the collection is the set's, and
    holds nothing but what this journal knows of. verified_at: when that store's own catalogue was last found to hold
    all of it (seconds since 1970), None if it is not known to. `wanted`: something is to be done there; `revision`
    grows when there is more of that.
    """

    name: str
    collection: str | None
    place: str
    claimed: bool
    verified_at: float | None
    problem: str
    wanted: bool
    revision: int
    attempts: int


class Copies:
    """The table of copies. None of this changes the state of a set."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, set_id: str) -> list[Copy]:
        """What is known of a set, by name."""
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM copy WHERE set_id = ? ORDER BY name", (set_id,))
        return [
            Copy(name, collection, place, bool(claimed), verified_at, problem, bool(wanted), revision, attempts)
            for name, collection, place, claimed, verified_at, problem, wanted, revision, attempts in rows
        ]

    def one(self, set_id: str, name: str) -> Copy:
        """What is known of a set in one store, perhaps nothing."""
        found = (copy for copy in self.of(set_id) if copy.name == name)
        return next(found, Copy(name, None, "", False, None, "", False, 0, 0))

    def want(self, set_id: str, names: Iterable[str]) -> None:
        """These stores are to hold the set as the main one has it now."""
        with self._database.transaction() as sql:
            sql.executemany(
                """INSERT INTO copy (set_id, name, wanted) VALUES (?, ?, 1) ON CONFLICT DO UPDATE
                   SET wanted = 1, retry_at = 0, attempts = 0, revision = revision + 1""",
                ((set_id, name) for name in names),
            )

    def want_anew(self, set_id: str) -> None:
        """What the main store says of a set has changed, and its copies are to say the same."""
        with self._database.transaction():
            self.want(set_id, [copy.name for copy in self.of(set_id)])

    def keep_only(self, names: Collection[str]) -> None:
        """These are the further stores now: all that is published is to be there.

        What is known of a copy in another one is kept, and nothing is done there any more.
        """
        marks = ", ".join("?" * len(names))
        with self._database.transaction() as sql:
            gone = f"name NOT IN ({marks})"
            sql.execute(f"DELETE FROM copy WHERE {gone} AND verified_at IS NULL AND collection IS NULL", tuple(names))
            sql.execute(f"UPDATE copy SET wanted = 0, problem = '' WHERE {gone}", tuple(names))
            for name in names:
                sql.execute(
                    """INSERT INTO copy (set_id, name, wanted) SELECT id, ?, 1 FROM image_set
                       WHERE state IN ('published', 'released') ON CONFLICT DO UPDATE SET wanted = 1, retry_at = 0
                       WHERE verified_at IS NULL""",
                    (name,),
                )

    def take(self, set_id: str, name: str, collection: str, place: str = "") -> bool:
        """Let the set go to this collection there, before that store is asked for it.

        Not if it is still to be cleared of a forgotten set, or if the set itself was forgotten.
        """
        with self._database.transaction() as sql:
            pending = "SELECT 1 FROM copy_withdrawal WHERE name = ? AND collection = ?"
            if sql.execute(pending, (name, collection)).fetchone():
                return False
            done = sql.execute(
                """INSERT INTO copy (set_id, name, collection, place) SELECT id, ?, ?, ? FROM image_set WHERE id = ?
                   ON CONFLICT DO UPDATE SET collection = excluded.collection, place = excluded.place, claimed = 0""",
                (name, collection, place, set_id),
            )
            return bool(done.rowcount)

    def claimed(self, set_id: str, name: str) -> None:
        """That store has let the set have its collection, and nothing else is in it."""
        with self._database.transaction() as sql:
            sql.execute("UPDATE copy SET claimed = 1 WHERE set_id = ? AND name = ?", (set_id, name))

    def verified(self, set_id: str, name: str, revision: int, now: float) -> None:
        """That store holds all of the set and says what the main one said at that revision."""
        with self._database.transaction() as sql:
            sql.execute(
                """UPDATE copy SET verified_at = ?, problem = '', attempts = 0, retry_at = 0,
                   wanted = iif(revision = ?, 0, 1) WHERE set_id = ? AND name = ?""",
                (now, revision, set_id, name),
            )

    def lost(self, set_id: str, name: str, problem: str) -> None:
        """It was found that the store does not hold the set any more as it should."""
        with self._database.transaction() as sql:
            self.want(set_id, [name])
            query = "UPDATE copy SET verified_at = NULL, problem = ? WHERE set_id = ? AND name = ?"
            sql.execute(query, (problem, set_id, name))

    def failed(self, set_id: str, name: str, at: float, problem: str) -> None:
        """It could not be done; it is tried again at that time."""
        with self._database.transaction() as sql:
            sql.execute(
                "UPDATE copy SET retry_at = ?, attempts = attempts + 1, problem = ? WHERE set_id = ? AND name = ?",
                (at, problem, set_id, name),
            )

    def due(self, name: str, now: float) -> str | None:
        """The identifier of the set that has waited longest for its copy there, if there is one to be made now."""
        query = """SELECT set_id FROM copy INDEXED BY copy_wanted WHERE name = ? AND wanted = 1 AND retry_at <= ?
                   ORDER BY retry_at, set_id LIMIT 1"""
        return next((str(row[0]) for row in self._database.rows(query, (name, now))), None)

    def next_at(self, name: str) -> float | None:
        """When the next copy there is to be made; None if none is."""
        query = "SELECT min(retry_at) FROM copy INDEXED BY copy_wanted WHERE name = ? AND wanted = 1"
        at: float | None = self._database.rows(query, (name,))[0][0]
        return at

    def waiting(self) -> list[tuple[str, int, str]]:
        """Of each store with something to do: how many sets, and what is wrong with one of them, "" if nothing."""
        query = "SELECT name, count(*), max(problem) FROM copy WHERE wanted = 1 GROUP BY name ORDER BY name"
        return [(row[0], row[1], row[2]) for row in self._database.rows(query)]

    def is_used(self, name: str) -> bool:
        """Whether something was brought there before."""
        query = "SELECT 1 FROM copy WHERE name = ? AND (claimed = 1 OR verified_at IS NOT NULL) LIMIT 1"
        return bool(self._database.rows(query, (name,)))

    def withdrawals(self, name: str) -> list[tuple[str, str]]:
        """The collections there that are to be cleared of forgotten sets, and whose they were."""
        query = "SELECT collection, set_id FROM copy_withdrawal WHERE name = ?"
        return [(row[0], row[1]) for row in self._database.rows(query, (name,))]

    def withdrawn(self, name: str, collection: str) -> None:
        """Nothing of a forgotten set is left there."""
        with self._database.transaction() as sql:
            sql.execute("DELETE FROM copy_withdrawal WHERE name = ? AND collection = ?", (name, collection))
