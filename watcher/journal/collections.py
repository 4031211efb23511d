"""Which set goes to which collection, and what is left of those that no set goes to any more."""

from watcher.errors import StaleSet
from watcher.journal.database import Database
from watcher.journal.sets import Sets
from watcher.model import ImageSet, State


class Collections:
    """No two sets share a collection, and none lies inside another's.

    A *withdrawal* is a collection of a set that was forgotten: what was sent there early is still to be removed. An
    *abandoned* one has something in it that cannot be removed by us: no set goes there again.
    """

    def __init__(self, database: Database, sets: Sets) -> None:
        self._database = database
        self._sets = sets

    def take(self, image_set: ImageSet, collection: str) -> ImageSet | None:
        """Let the set go to this collection; None if it is abandoned, or another set goes there, above or below it.

        Raises StaleSet, also if it is still to be cleared of what a forgotten set has left there.
        """
        with self._database.transaction() as sql:
            near, values = _near(collection)
            if sql.execute(f"SELECT 1 FROM withdrawal WHERE {near}", values).fetchone():
                raise StaleSet(f"{collection}: what an earlier set has left there is still to be removed")
            if sql.execute(f"SELECT 1 FROM abandoned WHERE {near}", values).fetchone():
                return None
            others = f"SELECT 1 FROM image_set WHERE id <> ? AND ({near})"
            if sql.execute(others, (image_set.id, *values)).fetchone():
                return None
            return self._sets.change(self._fresh(image_set), collection=collection)

    def holder(self, collection: str) -> ImageSet | None:
        """The set that goes to this collection."""
        rows = self._database.rows("SELECT id FROM image_set WHERE collection = ?", (collection,))
        return self._sets.get(rows[0][0]) if rows else None

    def take_over(self, image_set: ImageSet, holder: ImageSet, now: float) -> ImageSet:
        """Let a set come instead of a published one whose files, which lie in the store itself, were changed there.

        That one is superseded at once, since what it was is nowhere any more. Raises StaleSet.
        """
        with self._database.transaction() as sql:
            if holder.state is not State.SUPERSEDED:
                holder = self._sets.advance(holder, State.SUPERSEDED, now, "its files were changed where they lie")
            self._sets.change(holder, collection=None, claimed=False)
            sql.execute("UPDATE attribution SET amend_at = NULL WHERE set_id = ?", (holder.id,))
            return self._sets.change(self._fresh(image_set), collection=holder.collection, supersedes=holder.id)

    def claimed(self, image_set: ImageSet) -> ImageSet:
        """The store has let the set have its collection. Raises StaleSet if it is to go elsewhere by now."""
        with self._database.transaction():
            return self._sets.change(self._fresh(image_set), claimed=True)

    def withdrawals(self) -> list[tuple[str, str]]:
        """The collections that are to be cleared, and whose they were."""
        return [(row[0], row[1]) for row in self._database.rows("SELECT collection, set_id FROM withdrawal")]

    def withdrawn(self, collection: str) -> None:
        """Nothing of ours is left there."""
        with self._database.transaction() as sql:
            sql.execute("DELETE FROM withdrawal WHERE collection = ?", (collection,))

    def abandon(self, image_set: ImageSet, now: float, why: str) -> ImageSet:
        """Let the set go elsewhere, with all its members anew. Raises StaleSet."""
        with self._database.transaction() as sql:
            values = (image_set.collection, image_set.id, now, why)
            sql.execute("INSERT OR REPLACE INTO abandoned VALUES (?, ?, ?, ?)", values)
            sql.execute("UPDATE member SET sha256 = NULL WHERE set_id = ?", (image_set.id,))
            sql.execute("DELETE FROM leftover WHERE set_id = ?", (image_set.id,))
            remark = f"an earlier attempt is stuck in {image_set.collection}: ask the iRODS administrator to remove it"
            return self._sets.change(
                image_set, collection=None, claimed=False, attempts=0, retry_at=0.0, reason="",
                remarks=(*image_set.remarks, remark),
            )  # fmt: skip

    def give_up(self, collection: str, now: float, why: str) -> None:
        """Leave what a forgotten set has left in a collection to the administrator."""
        with self._database.transaction() as sql:
            query = (
                "INSERT OR REPLACE INTO abandoned SELECT collection, set_id, ?, ? FROM withdrawal WHERE collection = ?"
            )
            sql.execute(query, (now, why, collection))

    def abandoned(self) -> list[tuple[str, str]]:
        """The collections that an administrator has to look at, and why."""
        return [(row[0], row[1]) for row in self._database.rows("SELECT collection, why FROM abandoned ORDER BY at")]

    def _fresh(self, image_set: ImageSet) -> ImageSet:
        """The set as it is now, if nothing has happened to it but another look at it; else the one that is stale."""
        now = self._sets.get(image_set.id)
        same = (now.state, now.collection, now.claimed) == (image_set.state, image_set.collection, image_set.claimed)
        return now if same else image_set


def _near(collection: str) -> tuple[str, tuple[str, ...]]:
    """A condition for this collection, those that it lies in and those that lie in it: 0 is the character after /."""
    parts = collection.split("/")
    above = tuple("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))
    marks = ", ".join("?" * len(above))
    below = (f"{collection}/", f"{collection}0")
    return f"collection IN ({marks}) OR (collection > ? AND collection < ?)", (*above, *below)
