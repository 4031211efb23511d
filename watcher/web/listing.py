"""The list of sets as an address asks for it: filters and pages that can be shared."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from watcher.errors import UsageError
from watcher.journal import Journal
from watcher.journal.listing import Place, Wanted
from watcher.model import UNDER_WAY, ImageSet, State
from watcher.overview.language import later

#: Sets on a page.
MOST: Final = 50
#: The states by which people look for sets, beside their own names.
GROUPS: Final[Mapping[str, tuple[State, ...]]] = {
    "attention": (State.HELD,),
    "writing": (State.GROWING,),
    "way": UNDER_WAY,
    "safe": (State.PUBLISHED, State.RELEASED),
    "skipped": (State.SKIPPED,),
    "superseded": (State.SUPERSEDED,),
}
#: What people read there.
GROUP_WORDS: Final[Mapping[str, str]] = {
    "attention": later("Needs attention"),
    "writing": later("Still being written"),
    "way": later("On the way to the archive"),
    "safe": later("Safe in the archive"),
    "skipped": later("Left out"),
    "superseded": later("Replaced by a later version"),
}


@dataclass(frozen=True, slots=True)
class Page:
    """One page of sets, and the addresses of those beside it, "" where there is none."""

    sets: tuple[ImageSet, ...]
    newer: str
    older: str


@dataclass(frozen=True, slots=True)
class Query:
    """What the words of an address say, without those that are empty."""

    words: Mapping[str, str]
    wanted: Wanted
    below: Place | None
    above: Place | None

    @property
    def filtered(self) -> bool:
        """Whether this is less than all sets, or not the first page."""
        return bool(self.words)

    def page(self, journal: Journal, most: int = MOST) -> Page:
        """The page that is asked for. Raises JournalError."""
        found = journal.listing.page(self.wanted, most + 1, below=self.below, above=self.above)
        more = len(found) > most
        sets = tuple(found[-most:] if self.above else found[:most])
        if not sets:
            return Page((), "", "")
        newer = self._with(above=_written(sets[0])) if self.below or (self.above and more) else ""
        older = self._with(below=_written(sets[-1])) if self.above or more else ""
        return Page(sets, newer, older)

    def _with(self, **place: str) -> str:
        kept = {key: value for key, value in self.words.items() if key not in {"below", "above"}}
        return f"?{urlencode({**kept, **place})}"


def asked(words: Mapping[str, str], zone: str | None, *, sees_people: bool) -> Query:
    """What an address asks for. Raises UsageError if a word of it means nothing.

    Whoever may see no names may not find out by looking for them either.
    """
    known = {key: words[key] for key in ("state", "text", "person", "since", "below", "above") if words.get(key)}
    if "person" in known and not sees_people:
        raise UsageError("names of persons are not shown here, and not looked for", cure="log in first")
    states = tuple(state for word in known.get("state", "").split(",") if word for state in _states(word))
    since = _since(known["since"], zone) if "since" in known else None
    wanted = Wanted(states, known.get("text", ""), known.get("person", ""), since)
    places = (_place(known[key]) if key in known else None for key in ("below", "above"))
    return Query(known, wanted, *places)


def _states(word: str) -> tuple[State, ...]:
    if word in GROUPS:
        return GROUPS[word]
    try:
        return (State(word),)
    except ValueError:
        raise UsageError(f"state {word}: there is none", cure=f"there are {', '.join((*GROUPS, *State))}") from None


def _since(text: str, zone: str | None) -> float:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone) if zone else None)).timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"since {text}: this is no time", cure="write a day like 2026-11-27") from None


def _place(text: str) -> Place:
    if found := re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)~([0-9a-f-]{36})", text):
        return Place(float(found[1]), f"urn:uuid:{found[2]}")
    raise UsageError(f"{text}: this is no place in the list", cure="begin at the first page")


def _written(one: ImageSet) -> str:
    return f"{one.last_change!r}~{one.id.removeprefix('urn:uuid:')}"
