"""Who made a set and who works at the instrument, for people."""

from collections.abc import Iterator
from typing import Final

from watcher.journal.sessions import WorkSession
from watcher.model import Attribution, Resolution
from watcher.overview.language import later, say
from watcher.overview.words import when

_KNOWN: Final = {
    Resolution.RESOLVED: later("resolved"),
    Resolution.PARTIAL: later("partial"),
    Resolution.UNRESOLVED: later("unresolved"),
}


def in_one_line(what: Attribution) -> str:
    """Who made a set, for people."""
    creators = "; ".join(person.name for person in what.creators) or say("nobody known")
    operator = ""
    if what.operator and what.operator not in what.creators:
        operator = say(", operated by {name}", name=what.operator.name)
    request = say(", for {request}", request=what.facts["request"]) if "request" in what.facts else ""
    return f"{how_well(what.state)}: {creators}{operator}{request}"


def how_well(known: Resolution) -> str:
    """In one word how much is known of who made a set."""
    return say(_KNOWN[known])


def in_detail(what: Attribution) -> Iterator[str]:
    """Whence it is known, and what contradicts it."""
    yield from (f"{key}: {source}" for key, source in sorted(what.sources.items()))
    yield from (say("contradiction: {text}", text=text) for text in what.conflicts)
    yield from (say("problem: {text}", text=text) for text in what.problems)


def session_words(one: WorkSession) -> str:
    """An open session for people."""
    where = say(" in {folder}", folder=one.folder) if one.folder else ""
    return say("Session {number}: {who} works on {request}{where} since {when}.", number=one.id, who=one.operator,
               request=one.request, where=where, when=when(one.started))  # fmt: skip
