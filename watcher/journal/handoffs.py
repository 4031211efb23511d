"""Which sets were handed to an agent, what it has answered, and when it is to be looked for again."""

import json

from watcher.journal.database import Database
from watcher.model import Answer, ImageSet

#: After so many seconds nobody looks for an answer any more.
GIVEN_UP = 30 * 86400.0
_SOONEST = 60.0
_LATEST = 3600.0


class Handoffs:
    """What agents say of the sets that they were asked to take on; none that has said `done` is looked at again.

    A look comes after a minute, and the next when as much time again has passed, at most an hour: an agent that
    imports at once is seen at once, and one that takes a week costs an hourly question.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, image_set: ImageSet, agent: str, now: float) -> None:
        """The set's metadata ask this agent to take it on."""
        with self._database.transaction() as sql:
            sql.execute(
                "INSERT OR IGNORE INTO handoff (set_id, agent, since, look_at) VALUES (?, ?, ?, ?)",
                (image_set.id, agent, now, now + _SOONEST),
            )

    def due(self, now: float) -> str | None:
        """The identifier of the set that has waited longest for a look, if one is due."""
        query = "SELECT set_id FROM handoff WHERE look_at <= ? ORDER BY look_at LIMIT 1"
        return next((str(row[0]) for row in self._database.rows(query, (now,))), None)

    def next_at(self) -> float | None:
        """When the next look is due; None if none is."""
        at: float | None = self._database.rows("SELECT min(look_at) FROM handoff WHERE look_at IS NOT NULL")[0][0]
        return at

    def looked(self, set_id: str, now: float, answer: Answer | None) -> None:
        """What was seen, None if nothing could be, and when to look again."""
        with self._database.transaction() as sql:
            if answer:
                sql.execute(
                    "UPDATE handoff SET agent = ?, state = ?, message = ?, results = ? WHERE set_id = ?",
                    (answer.agent, answer.state, answer.message, json.dumps(answer.results), set_id),
                )
            sql.execute(
                """UPDATE handoff SET look_at = CASE WHEN state = 'done' OR ?1 - since > ?2 THEN NULL
                   ELSE ?1 + max(?3, min(?4, ?1 - since)) END WHERE set_id = ?5""",
                (now, GIVEN_UP, _SOONEST, _LATEST, set_id),
            )

    def of(self, image_set: ImageSet) -> Answer | None:
        """What is known of one set; None if it was handed to nobody."""
        query = "SELECT agent, state, message, results FROM handoff WHERE set_id = ?"
        return next((_answer(*row) for row in self._database.rows(query, (image_set.id,))), None)

    def counts(self) -> list[tuple[str, str, int]]:
        """Agent, state, and how many sets."""
        rows = self._database.rows("SELECT agent, state, count(*) FROM handoff GROUP BY agent, state ORDER BY 1, 2")
        return [(agent, state, number) for agent, state, number in rows]

    def failed(self) -> list[tuple[str, Answer]]:
        """The names of the sets that their agent could not take on, and what it says, the latest first."""
        rows = self._database.rows(
            """SELECT name, agent, handoff.state, message, results FROM handoff
               JOIN image_set ON image_set.id = set_id WHERE handoff.state = 'failed' ORDER BY since DESC"""
        )
        return [(name, _answer(*answer)) for name, *answer in rows]


def _answer(agent: str, state: str, message: str, results: str) -> Answer:
    return Answer(agent, state, message, tuple(json.loads(results)))
