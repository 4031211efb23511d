"""Who is told what: the facility everything, persons of the directory what concerns them, as far as they want that."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from watcher.clock import Clock
from watcher.journal import Journal
from watcher.model import Attribution, ImageSet, Person, State
from watcher.overview.attention import MESSAGES, Attention, Kind
from watcher.pipeline.attribute import Attributor
from watcher.provenance.people import People, Wish
from watcher.provenance.registers import Registers

#: So long in seconds it holds who made a set that has not changed: what lies beside it may have.
_HOLDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Addressee:
    """Somebody who is told things: `name` is for the journal and holds no personal data, `to` is an e-mail address."""

    name: str
    to: str = ""
    problems: bool = True
    safe: bool = False


class Audience(Protocol):
    """Those who are told things by one channel."""

    def all(self) -> list[Addressee]:
        """All of them, as they are now."""
        ...

    def concerned(self, attention: Attention) -> set[str]:
        """The names of those whom this concerns."""
        ...

    def authors(self, one: ImageSet) -> set[str] | None:
        """The names of those whose published set it is; None if that cannot be told now."""
        ...


class Facility:
    """The facility at one address of Apprise: it hears all, but not by an address that this address does not work."""

    def __init__(self, channel: str) -> None:
        self._name = f"facility {channel}"
        self._trouble = f"trouble:{MESSAGES}{channel}"

    def all(self) -> list[Addressee]:
        """The one addressee."""
        return [Addressee(self._name)]

    def concerned(self, attention: Attention) -> set[str]:
        """Itself."""
        return {self._name} if attention.key != self._trouble else set()

    def authors(self, one: ImageSet) -> set[str] | None:  # noqa: ARG002 - a facility has no images
        """It cannot tell."""
        return None


class Persons:
    """The persons of the directory who want to be told.

    A held set concerns its authors and its operator; what else is urgent, whoever works at the instrument in a session.
    """

    def __init__(self, journal: Journal, registers: Registers, attribute: Attributor, clock: Clock) -> None:
        self._journal = journal
        self._registers = registers
        self._attribute = attribute
        self._clock = clock
        self._known: dict[str, tuple[object, float, set[str]]] = {}

    @property
    def _people(self) -> People:
        return self._registers.now.people

    def all(self) -> list[Addressee]:
        """Those who want to be told anything."""
        wishes = {person: self._people.wishes(person) for person in self._people.persons}
        return [
            Addressee(name_of(person), person.email, Wish.PROBLEMS in wanted, Wish.SAFE in wanted)
            for person, wanted in wishes.items()
            if wanted
        ]

    def concerned(self, attention: Attention) -> set[str]:
        """Those whose set it is, or who work at the instrument. Raises JournalError."""
        if attention.kind is Kind.SET and attention.set_id:
            one = self._journal.sets.maybe(attention.set_id)
            return self._makers(one) if one else set()
        return self._at_work() if attention.urgent else set()

    def authors(self, one: ImageSet) -> set[str] | None:
        """Those who are credited with a published set. Raises JournalError."""
        if not self._people.persons:
            return None
        record = self._journal.attributions.record(one.id)
        return self._names(record) if record else set()

    def _makers(self, one: ImageSet) -> set[str]:
        """Those who made a set that may not be published: found out anew when it or an order changes."""
        now, form = self._clock.now(), (one.revision, self._journal.attributions.revision(one.id), self._people)
        known = self._known.get(one.id)
        if known and known[0] == form and 0 <= now - known[1] < _HOLDS:
            return known[2]
        names = self._names(self._attribute(one, self._journal.sets.members(one.id), patient=False))
        held = {found.id for found in self._journal.sets.in_states(State.HELD)}
        self._known = {set_id: found for set_id, found in self._known.items() if set_id in held}
        self._known[one.id] = (form, now, names)
        return names

    def _at_work(self) -> set[str]:
        now = self._clock.now()
        found = (self._people.find(one.operator) for one in self._journal.sessions.between(now, now))
        return {name_of(person) for person in found if isinstance(person, Person)}

    def _names(self, made_by: Attribution) -> set[str]:
        return {name_of(person) for person in self._present(made_by)}

    def _present(self, made_by: Attribution) -> Iterator[Person]:
        for person in (*made_by.creators, *((made_by.operator,) if made_by.operator else ())):
            if found := self._people.as_now(person):
                yield found


def name_of(person: Person) -> str:
    """How the journal knows a person who is told things."""
    return f"person {hashlib.sha256(person.email.casefold().encode()).hexdigest()[:16]}"
