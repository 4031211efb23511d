"""Who made each set, as it stands in the store; what persons ordered later, what that changed, and who was let in."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter

from watcher.journal.database import Database
from watcher.model import Attribution, Avu, Resolution

_RECORD: Final = TypeAdapter(Attribution)
#: The states in which the store is told what was changed later.
_THERE: Final = "('published', 'released', 'superseded')"
#: The revision tells an order that came while the store was being told of an earlier one.
_ANEW: Final = "amend_at = excluded.amend_at, attempts = 0, revision = revision + 1"


@dataclass(frozen=True, slots=True)
class Order:
    """What a person said of a set, by name: `request`, `scientist`, `operator` and so on. An empty value takes back."""

    at: float
    who: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """What one person's order changed in the store: the metadata that went and that came."""

    at: float
    who: str
    before: tuple[Avu, ...]
    after: tuple[Avu, ...]


class Attributions:
    """What is known of who made the sets, and what the store is still to be told of it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, set_id: str) -> Attribution | None:
        """Who made the set as the store has it, None if the journal does not know."""
        rows = self._database.rows("SELECT record FROM attribution WHERE set_id = ?", (set_id,))
        return _RECORD.validate_json(rows[0][0]) if rows and rows[0][0] else None

    def counts(self) -> dict[Resolution, int]:
        """Of how many sets in the store it is known how well who made them."""
        rows = self._database.rows("SELECT state, count(*) FROM attribution WHERE state IS NOT NULL GROUP BY state")
        return {Resolution(state): number for state, number in rows}

    def open(self) -> int:
        """Of how many sets in the store it is not known, or not wholly, who made them."""
        open_states = tuple(one for one in Resolution if one is not Resolution.RESOLVED)
        query = f"SELECT count(*) FROM attribution WHERE state IN ({', '.join('?' * len(open_states))})"
        return int(self._database.rows(query, open_states)[0][0])

    def orders(self, set_id: str) -> list[Order]:
        """What persons said of the set, the oldest first."""
        rows = self._database.rows("SELECT orders FROM attribution WHERE set_id = ?", (set_id,))
        return [Order(at, who, values) for at, who, values in json.loads(rows[0][0])] if rows else []

    def order(self, set_ids: Iterable[str], order: Order) -> None:
        """Write down what a person says of these sets; where they are published the store is told soon."""
        with self._database.transaction() as sql:
            for set_id in set_ids:
                said = [(one.at, one.who, dict(one.values)) for one in self.orders(set_id)]
                said.append((order.at, order.who, dict(order.values)))
                sql.execute(
                    f"""INSERT INTO attribution (set_id, orders, amend_at, revision)
                        SELECT id, ?2, iif(state IN {_THERE}, 0, NULL), 1 FROM image_set WHERE id = ?1
                        ON CONFLICT DO UPDATE SET orders = excluded.orders, {_ANEW}""",
                    (set_id, json.dumps(said)),
                )

    def revision(self, set_id: str) -> int:
        """Which form of the orders this is."""
        rows = self._database.rows("SELECT revision FROM attribution WHERE set_id = ?", (set_id,))
        return int(rows[0][0]) if rows else 0

    def written(self, set_id: str, record: Attribution, revision: int, again_at: float | None = None) -> None:
        """This is what stands in the store from now on, by the orders of that revision.

        `again_at` is when somebody is to be let in again who could not be.
        """
        with self._database.transaction() as sql:
            sql.execute(
                """INSERT INTO attribution (set_id, record, amend_at, state, attempts) VALUES (?1, ?2, ?4, ?5, 1)
                   ON CONFLICT DO UPDATE SET record = ?2, state = ?5, problem = '',
                   amend_at = iif(revision = ?3, ?4, 0), attempts = iif(?4 IS NULL, 0, attempts + 1)""",
                (set_id, _RECORD.dump_json(record).decode("utf-8"), revision, again_at, record.state),
            )

    def found(self, set_id: str, record: Attribution) -> None:
        """This is what was found in the store of a set that the journal did not know to be published."""
        with self._database.transaction() as sql:
            self.written(set_id, record, self.revision(set_id))
            sql.execute("UPDATE attribution SET found = 1 WHERE set_id = ?", (set_id,))

    def was_found(self, set_id: str) -> bool:
        """Whether earlier changes stand in the set's crate alone."""
        return bool(self._database.rows("SELECT 1 FROM attribution WHERE set_id = ? AND found = 1", (set_id,)))

    def attempts(self, set_id: str) -> int:
        """How often the store was told without a full success since the last order."""
        rows = self._database.rows("SELECT attempts FROM attribution WHERE set_id = ?", (set_id,))
        return int(rows[0][0]) if rows else 0

    def look_again(self, set_ids: Iterable[str]) -> None:
        """Find out anew who made these sets, from all that is known now."""
        with self._database.transaction() as sql:
            sql.executemany(
                f"""INSERT INTO attribution (set_id, amend_at, revision) SELECT id, 0, 1 FROM image_set
                    WHERE id = ? AND state IN {_THERE} ON CONFLICT DO UPDATE SET {_ANEW}""",
                ((set_id,) for set_id in set_ids),
            )

    def due(self, now: float, limit: int) -> list[str]:
        """The sets of which the store is to be told something, those that wait longest first."""
        query = """SELECT set_id FROM attribution INDEXED BY attribution_amend
                   WHERE amend_at IS NOT NULL AND amend_at <= ? ORDER BY amend_at, set_id LIMIT ?"""
        return [row[0] for row in self._database.rows(query, (now, limit))]

    def waiting(self) -> int:
        """Of how many sets the store is still to be told something."""
        return int(self._database.rows("SELECT count(*) FROM attribution WHERE amend_at IS NOT NULL")[0][0])

    def next_due(self) -> float | None:
        """When the store is to be told something next."""
        at: float | None = self._database.rows("SELECT min(amend_at) FROM attribution WHERE amend_at IS NOT NULL")[0][0]
        return at

    def postpone(self, set_id: str, at: float, problem: str) -> int:
        """The store could not be told; try again at that time. How often that was tried in vain."""
        with self._database.transaction() as sql:
            row = sql.execute(
                """UPDATE attribution SET amend_at = ?, attempts = attempts + 1, problem = ? WHERE set_id = ?
                   RETURNING attempts""",
                (at, problem, set_id),
            ).fetchone()
        return int(row[0]) if row else 0

    def give_up(self, set_id: str, problem: str) -> None:
        """What cannot be told to the store is left until a person orders it again."""
        with self._database.transaction() as sql:
            sql.execute("UPDATE attribution SET amend_at = NULL, problem = ? WHERE set_id = ?", (problem, set_id))

    def problems(self) -> list[tuple[str, str]]:
        """The sets of which the store could not be told what was ordered, and why."""
        query = "SELECT set_id, problem FROM attribution WHERE problem <> '' ORDER BY set_id"
        return [(row[0], row[1]) for row in self._database.rows(query)]

    # what was changed later

    def begin_change(self, set_id: str, change: Change) -> None:
        """Before the store is changed: what is there. A change that was begun and cut off keeps what it found."""
        with self._database.transaction() as sql:
            sql.execute(
                """INSERT INTO audit (set_id, at, who, before) SELECT ?1, ?2, ?3, ?4
                   WHERE NOT EXISTS (SELECT 1 FROM audit WHERE set_id = ?1 AND after IS NULL)""",
                (set_id, change.at, change.who, json.dumps(change.before)),
            )

    def end_change(self, set_id: str, after: Sequence[Avu]) -> bool:
        """After the store was changed: what is there now. Whether anything was; else there was no change."""
        with self._database.transaction() as sql:
            text = json.dumps(after)
            sql.execute("DELETE FROM audit WHERE set_id = ? AND after IS NULL AND before = ?", (set_id, text))
            query = "UPDATE audit SET after = ? WHERE set_id = ? AND after IS NULL"
            return bool(sql.execute(query, (text, set_id)).rowcount)

    def changes(self, set_id: str) -> list[Change]:
        """What was changed in the store after publication, the oldest first."""
        query = "SELECT at, who, before, after FROM audit WHERE set_id = ? AND after IS NOT NULL ORDER BY at, rowid"
        return [
            Change(at, who, _avus(before), _avus(after))
            for at, who, before, after in self._database.rows(query, (set_id,))
        ]

    # who was let in

    def granted(self, set_id: str) -> dict[str, tuple[str, str]]:
        """Whom the watcher let in: level, and why not ("" if it did), by user or group."""
        rows = self._database.rows("SELECT who, level, problem FROM granted WHERE set_id = ?", (set_id,))
        return {who: (level, problem) for who, level, problem in rows}

    def grant(self, set_id: str, levels: Mapping[str, str], problems: Mapping[str, str]) -> None:
        """Write down who was let in, and who could not be."""
        with self._database.transaction() as sql:
            sql.execute("DELETE FROM granted WHERE set_id = ?", (set_id,))
            rows = [(set_id, who, level, problems.get(who, "")) for who, level in levels.items()]
            sql.executemany("INSERT INTO granted VALUES (?, ?, ?, ?)", rows)

    def shut_out(self) -> list[tuple[str, str, str]]:
        """Who could not be let in where: set, user or group, and why."""
        query = "SELECT set_id, who, problem FROM granted WHERE problem <> '' ORDER BY set_id, who"
        return [(row[0], row[1], row[2]) for row in self._database.rows(query)]


def _avus(text: str) -> tuple[Avu, ...]:
    return tuple(Avu(*one) for one in json.loads(text))
