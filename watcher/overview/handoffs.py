"""What is shown of the hand-off: who is still to be told, and what agents have answered."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from watcher.journal import Backlog, Journal
from watcher.model import Answer
from watcher.overview.language import say, say_many
from watcher.overview.words import sets, when

#: Of the sets that an agent could not take on so many are named.
_NAMED = 3


def sink_lines(backlogs: Iterable[Backlog]) -> list[str]:
    """Who is still to be told and why, a sentence a line; nothing if all have been told."""
    found = []
    for backlog in backlogs:
        sink, number, since = backlog.sink, backlog.waiting, when(backlog.since)
        if backlog.problem:
            found.append(
                say_many(
                    "Hand-off by {sink}: {number} event waits since {since}: {why}",
                    "Hand-off by {sink}: {number} events wait since {since}: {why}",
                    number, sink=sink, since=since, why=backlog.problem,
                )
            )  # fmt: skip
        if backlog.refused:
            found.append(
                say_many(
                    "Hand-off by {sink}: {number} event was refused: {why}",
                    "Hand-off by {sink}: {number} events were refused: {why}",
                    backlog.refused, sink=sink, why=backlog.refusal,
                )
            )  # fmt: skip
        if not (backlog.problem or backlog.refused):
            found.append(
                say_many(
                    "Hand-off by {sink}: {number} event to be told.",
                    "Hand-off by {sink}: {number} events to be told.",
                    number, sink=sink,
                )
            )  # fmt: skip
    return found


def agent_lines(journal: Journal) -> list[str]:
    """What agents have still to do."""
    found, others = [], []
    for agent, state, number in journal.handoffs.counts():
        if state == "requested":
            found.append(
                say_many(
                    "{number} set waits for the agent {agent}.", "{number} sets wait for the agent {agent}.", number,
                    agent=agent,
                )
            )  # fmt: skip
        elif state not in {"done", "failed"}:
            line = say("{sets}: the agent {agent} says: {state}", sets=sets(number), agent=agent, state=state)
            others.append((number, line))
    others.sort(reverse=True)  # an agent may say something else of each
    found += [line for _, line in others[:_NAMED]]
    if len(others) > _NAMED:
        more = sets(sum(number for number, _ in others[_NAMED:]))
        found.append(say("{sets}: agents say other things of them.", sets=more))
    return found


def failed_line(journal: Journal, agent: str, number: int) -> str:
    """What an agent could not do, and why."""
    failed = [f"{name}: {answer.message or say('no reason given')}" for name, answer in _failed(journal, agent)]
    named = "; ".join(failed[:_NAMED])
    if len(failed) > _NAMED:
        named += say("; and {number} more", number=len(failed) - _NAMED)
    return say_many(
        "{number} set was refused by the agent {agent}: {named}",
        "{number} sets were refused by the agent {agent}: {named}",
        number, agent=agent, named=named,
    )  # fmt: skip


def record(journal: Journal) -> dict[str, Any]:
    """The same for programs."""
    agents: dict[str, dict[str, int]] = {}
    for agent, state, number in journal.handoffs.counts():
        agents.setdefault(agent, {})[state] = number
    return {
        "sinks": [asdict(backlog) for backlog in journal.outbox.backlogs()],
        "agents": [{"agent": agent, "counts": counts} for agent, counts in agents.items()],
        "failed": [{"name": name, **asdict(answer)} for name, answer in journal.handoffs.failed()],
    }


def words(answer: Answer | None) -> str:
    """How far the agent of one set has come, "" if it has none."""
    if answer is None:
        return ""
    made = f": {', '.join(answer.results)}" if answer.results else ""
    return f"{answer.state}, {answer.agent}{made}" + (f" ({answer.message})" if answer.message else "")


def _failed(journal: Journal, agent: str) -> list[tuple[str, Answer]]:
    return [(name, answer) for name, answer in journal.handoffs.failed() if answer.agent == agent]
