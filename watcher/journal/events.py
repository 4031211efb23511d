"""The outbox: what other programs are still to be told of the sets, kept until each of them has accepted it."""

from collections.abc import Collection
from dataclasses import dataclass

from watcher.journal.database import Database
from watcher.model import Event

#: Waiting events of which no earlier one of the same set waits for the same sink: only these may be told.
_HEADS = """accepted_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM event AS earlier WHERE earlier.set_id = event.set_id AND earlier.sink = event.sink
    AND earlier.accepted_at IS NULL AND earlier.number < event.number)"""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for one sink: how many events since when, and the last problem of those that were tried.

    A sink that is away blames no event; `refused` ones were answered, and `refusal` says how the last of them was.
    """

    sink: str
    waiting: int
    since: float
    problem: str
    refused: int
    refusal: str


class Outbox:
    """Each event goes to each sink at least once, and those of one set in the order in which they were made."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, event: Event, sinks: Collection[str], now: float) -> None:
        """Let these sinks be told; nothing happens for one that has been, or is to be. Join what made the event so."""
        with self._database.transaction() as sql:
            for sink in sinks:
                sql.execute(
                    "INSERT OR IGNORE INTO event (id, set_id, sink, type, body, made_at) VALUES (?, ?, ?, ?, ?, ?)",
                    (event.id, event.set_id, sink, event.type, event.body, now),
                )

    def due(self, sink: str, now: float, *, fresh: bool = False) -> tuple[Event, int] | None:
        """An event that the sink may be told now, and how often that has failed; with `fresh` only one that never has.

        The oldest of those that were never tried comes first, then the one whose last attempt is longest ago.
        """
        query = f"""SELECT id, set_id, type, body, attempts FROM event WHERE sink = ? AND retry_at <= ? AND {_HEADS}
                    {"AND tried_at IS NULL" if fresh else ""} ORDER BY tried_at, number LIMIT 1"""
        for *event, attempts in self._database.rows(query, (sink, now)):
            return Event(*event), attempts
        return None

    def next_at(self, sink: str) -> float | None:
        """When the sink may be told the next event; None if none waits."""
        at: float | None = self._database.rows(f"SELECT min(retry_at) FROM event WHERE sink = ? AND {_HEADS}", (sink,))[
            0
        ][0]
        return at

    def accepted(self, event: Event, sink: str, now: float) -> None:
        """The sink has the event, and is not told it again."""
        self._change(event, sink, "accepted_at = ?, problem = '', refused = 0", now)

    def failed(self, event: Event, sink: str, now: float, retry_at: float, problem: str, *, refused: bool) -> None:
        """The sink has not taken the event, and is not to be told it before that time."""
        change = "attempts = attempts + 1, tried_at = ?, retry_at = ?, problem = ?, refused = ?"
        self._change(event, sink, change, now, retry_at, problem, refused)

    def backlogs(self) -> list[Backlog]:
        """What waits, by sink; a sink for which nothing does is left out."""
        rows = self._database.rows(
            """SELECT sink, count(*), min(made_at), sum(refused) FROM event WHERE accepted_at IS NULL
               GROUP BY sink ORDER BY sink"""
        )
        return [
            Backlog(sink, waiting, since, self.problem(sink, refused=False), refused, self.problem(sink, refused=True))
            for sink, waiting, since, refused in rows
        ]

    def problem(self, sink: str, *, refused: bool) -> str:
        """What was last wrong with an event that waits for this sink, and was refused or not; "" if nothing was."""
        query = """SELECT problem FROM event WHERE sink = ? AND refused = ? AND accepted_at IS NULL AND problem <> ''
                   ORDER BY tried_at DESC LIMIT 1"""
        return next((str(row[0]) for row in self._database.rows(query, (sink, refused))), "")

    def keep_only(self, sinks: Collection[str]) -> None:
        """Forget what waits for sinks that are no longer told anything."""
        marks = ", ".join("?" * len(sinks))
        with self._database.transaction() as sql:
            sql.execute(f"DELETE FROM event WHERE accepted_at IS NULL AND sink NOT IN ({marks})", tuple(sinks))

    def _change(self, event: Event, sink: str, change: str, *values: object) -> None:
        with self._database.transaction() as sql:
            where = "id = ? AND sink = ? AND accepted_at IS NULL"
            sql.execute(f"UPDATE event SET {change} WHERE {where}", (*values, event.id, sink))
