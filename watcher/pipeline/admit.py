"""Who is let in to a published set: the profile's rules and the request's readers, filled from the attribution."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from watcher.journal import Journal
from watcher.model import Attribution
from watcher.profile import Profile
from watcher.profile.pattern import Field, pieces
from watcher.stores.base import Grant, Session

#: Seconds until somebody is to be let in again who could not be; longer each time, at most a day.
_MEND: Final = 3600.0
_LONGEST_MEND: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Admission:
    """Who is to be let in, and of whom no user in iRODS is known, by the rule that names them."""

    grants: tuple[Grant, ...]
    unknown: Mapping[str, str]

    @property
    def levels(self) -> dict[str, str]:
        """The level of each, and of each rule that says nothing yet."""
        return {**{grant.who: grant.level for grant in self.grants}, **dict.fromkeys(self.unknown, "")}


def admission(profile: Profile, attribution: Attribution) -> Admission:
    """The access that is asked for; a field of which nothing is known lets nobody in."""
    grants: dict[str, Grant] = {}
    unknown: dict[str, str] = {}
    for rule in profile.access:
        for who in _filled(rule.who, attribution):
            if who is None:
                unknown[rule.who] = "the directory of persons names no user of iRODS for this person"
            else:
                grants.setdefault(who, Grant(who, rule.level, rule.above))
    for who in filter(None, (one.strip() for one in attribution.facts.get("readers", "").split(";"))):
        grants.setdefault(who, Grant(who, "read"))
    return Admission(tuple(grants.values()), unknown)


def admit(wanted: Admission, collection: str, session: Session) -> dict[str, str]:
    """Let them in; why some could not be, by user, group or rule. Raises StoreError only for what may pass."""
    refused = session.grant(collection, wanted.grants) if wanted.grants else {}
    return {**wanted.unknown, **refused}


def readmit(wanted: Admission, set_id: str, collection: str, journal: Journal, session: Session) -> dict[str, str]:
    """Let in those who are wanted now and nobody else of those who were let in before; why some could not be."""
    before = journal.attributions.granted(set_id)
    has = {who: level for who, (level, problem) in before.items() if level and not problem}
    if gone := [who for who, level in has.items() if wanted.levels.get(who) != level]:
        session.revoke(collection, gone)
        # What the collection above lets everybody have is not lost by it.
        session.open_to_readers(collection)
    missing = tuple(grant for grant in wanted.grants if has.get(grant.who) != grant.level)
    return admit(Admission(missing, wanted.unknown), collection, session)


def mend_after(attempts: int) -> float:
    """Seconds until somebody is to be let in again who could not be, after so many attempts."""
    return min(_LONGEST_MEND, _MEND * 2.0 ** min(attempts, 10))


def _filled(who: str, attribution: Attribution) -> Iterator[str | None]:
    """The users or groups that a rule means; None for a person of whom no user is known."""
    parts = pieces(who)
    fields = [part.name for part in parts if isinstance(part, Field)]
    if not fields:
        yield who
        return
    for value in _values(fields[0], attribution):
        yield value and "".join(value if isinstance(part, Field) else part for part in parts)


def _values(name: str, attribution: Attribution) -> Iterator[str | None]:
    if name == "group":
        yield from filter(None, [attribution.facts.get("group")])
        return
    scientist = attribution.creators[:1] if "scientist" in attribution.sources else ()
    operator = (attribution.operator,) if attribution.operator else ()
    people = {"scientist": scientist, "operator": operator, "creators": attribution.creators}
    for person in people[name]:
        yield person.user or None
