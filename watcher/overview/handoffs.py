"""What is shown of the hand-off: who is still to be told, and what agents have answered."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from watcher.journal import Backlog, Journal
from watcher.model import Answer
from watcher.overview.words import sets, when

#: Of the sets that an agent could not take on so many are named.
_NAMED = 3


def sink_lines(backlogs: Iterable[Backlog]) -> list[str]:
    """Who is still to be told and why, a sentence a line; nothing if all have been told."""
    found = []
    for backlog in backlogs:
        where = f"Hand-off by {backlog.sink}"
        if backlog.problem:
            wait = f"{_events(backlog.waiting)} {'waits' if backlog.waiting == 1 else 'wait'}"
            found.append(f"{where}: {wait} since {when(backlog.since)}: {backlog.problem}")
        if backlog.refused:
            was = "was" if backlog.refused == 1 else "were"
            found.append(f"{where}: {_events(backlog.refused)} {was} refused: {backlog.refusal}")
        if not (backlog.problem or backlog.refused):
            found.append(f"{where}: {_events(backlog.waiting)} to be told.")
    return found


def agent_lines(journal: Journal) -> list[str]:
    """What agents have still to do."""
    found, others = [], []
    for agent, state, number in journal.handoffs.counts():
        if state == "requested":
            found.append(f"{sets(number)} {'waits' if number == 1 else 'wait'} for the agent {agent}.")
        elif state not in {"done", "failed"}:
            others.append((number, f"{sets(number)}: the agent {agent} says: {state}"))
    others.sort(reverse=True)  # an agent may say something else of each
    found += [line for _, line in others[:_NAMED]]
    if len(others) > _NAMED:
        found.append(f"{sets(sum(number for number, _ in others[_NAMED:]))}: agents say other things of them.")
    return found


def failed_line(journal: Journal, agent: str, number: int) -> str:
    """What an agent could not do, and why."""
    failed = [f"{name}: {answer.message or 'no reason given'}" for name, answer in _failed(journal, agent)]
    named = "; ".join(failed[:_NAMED]) + (f"; and {len(failed) - _NAMED} more" if len(failed) > _NAMED else "")
    return f"{sets(number)} {'was' if number == 1 else 'were'} refused by the agent {agent}: {named}"


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


def _events(number: int) -> str:
    return f"{number} event" if number == 1 else f"{number} events"
