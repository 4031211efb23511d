"""Who made a set and who works at the instrument, for people."""

from collections.abc import Iterator

from watcher.journal.sessions import WorkSession
from watcher.model import Attribution
from watcher.overview.words import when


def in_one_line(what: Attribution) -> str:
    """Who made a set, for people."""
    creators = "; ".join(person.name for person in what.creators) or "nobody known"
    operator = f", operated by {what.operator.name}" if what.operator and what.operator not in what.creators else ""
    request = f", for {what.facts['request']}" if "request" in what.facts else ""
    return f"{what.state}: {creators}{operator}{request}"


def in_detail(what: Attribution) -> Iterator[str]:
    """Whence it is known, and what contradicts it."""
    yield from (f"{key}: {source}" for key, source in sorted(what.sources.items()))
    yield from (f"contradiction: {text}" for text in what.conflicts)
    yield from (f"problem: {text}" for text in what.problems)


def session_words(one: WorkSession) -> str:
    """An open session for people."""
    where = f" in {one.folder}" if one.folder else ""
    return f"Session {one.id}: {one.operator} works on {one.request}{where} since {when(one.started)}."
