"""Who made a set: what each source says of it, in the order in which they count, made one answer that says whence.

Nothing is guessed: a word that may mean two persons, or nobody, names nobody. The order: a person's command, a sidecar
in the set, one in a folder above, the session, the names of folders, the booking, the experimenter in the files, the
owner of the files, the profile. The first that knows a thing counts; a later one that knows it differently is recorded.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final, NamedTuple, Protocol

from watcher import identifiers
from watcher.model import FACTS, Attribution, Contributor, Organisation, Person, Resolution
from watcher.profile.people import People as Section
from watcher.provenance.people import Miss, People
from watcher.provenance.request import CREATOR, Credited, Request

SCIENTIST: Final = "scientist"
OPERATOR: Final = "operator"
#: Of a login or a folder it is not said which of the two its owner is.
PERSON: Final = "person"

#: DataCite's role of who operated, with CRediT's, and of the institution (reference, section 10, B).
OPERATED: Final = ("DataCollector", "investigation")
HOSTS: Final = "HostingInstitution"


class Source(IntEnum):
    """Where something is said, the one that counts most first."""

    COMMAND = 0
    SIDECAR = 1
    FOLDER_SIDECAR = 2
    SESSION = 3
    PATH = 4
    BOOKING = 5
    EMBEDDED = 6
    OWNER = 7
    PROFILE = 8

    @property
    def words(self) -> str:
        """As it is told to people and programs."""
        return self.name.lower().replace("_", " ")


#: These say it on purpose, so that two of them which differ need a person; the others only happen to say it.
_ON_PURPOSE: Final = frozenset({Source.SIDECAR, Source.FOLDER_SIDECAR, Source.SESSION, Source.PATH, Source.BOOKING})
#: Of these a login is of who sat at the instrument; of the others, of whose images they are.
_AT_THE_INSTRUMENT: Final = frozenset({Source.EMBEDDED, Source.OWNER})


@dataclass(frozen=True, slots=True)
class Said:
    """What one source says, in its own words: values by `scientist`, `operator`, `person` or a name of `FACTS`.

    where tells more of the source, without names of persons: `session 12`, `acquisition.yaml`.
    """

    source: Source
    values: Mapping[str, str]
    where: str = ""
    also: tuple[Credited, ...] = ()

    @property
    def words(self) -> str:
        """The source for people."""
        return f"{self.source.words}, {self.where}" if self.where else self.source.words


class Known(Protocol):
    """The facility's persons and requests as they are known now."""

    @property
    def people(self) -> People: ...

    @property
    def requests(self) -> Mapping[str, Request]: ...


class _Named(NamedTuple):
    said: Said
    person: Person


@dataclass(slots=True)
class _Answer:
    """The answer while it is put together."""

    persons: dict[str, list[_Named]] = field(default_factory=lambda: {SCIENTIST: [], OPERATOR: []})
    facts: dict[str, str] = field(default_factory=dict)
    told_by: dict[str, Source] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    conflicts: dict[str, None] = field(default_factory=dict)
    problems: dict[str, None] = field(default_factory=dict)
    also: tuple[Credited, ...] = ()
    doubtful: bool = False


def resolve(
    said: Iterable[Said],
    known: Known,
    policy: Section,
    problems: Iterable[str] = (),
    before: Attribution | None = None,
) -> Attribution:
    """One answer from what the sources say, which need not be in order; `problems` are what could not be read.

    `before` is an earlier answer that still holds where no source says anything: for a set whose files are gone, and
    with them what lay beside them.
    """
    answer = _Answer(problems=dict.fromkeys(problems))
    clear = _without_doubles(sorted(said, key=lambda one: one.source), answer)
    everything = list(_with_requests(clear, known, answer))
    for one in everything:
        _take_facts(one, answer)
        _take_persons(one, known.people, answer)
    answer.also = next((one.also for one in everything if one.also), ())
    chosen = {role: _choose(role, named, answer) for role, named in answer.persons.items()}
    if before:
        chosen = _remembered(before, chosen, answer)
    return _attribution(chosen[SCIENTIST], chosen[OPERATOR], answer, known.people, policy)


def _remembered(before: Attribution, chosen: dict[str, Person | None], answer: _Answer) -> dict[str, Person | None]:
    """What was known before and is not said again now."""
    for key, value in before.facts.items():
        if key not in answer.facts:
            answer.facts[key], answer.sources[key] = value, before.sources.get(key, "")
    persons = {SCIENTIST: before.creators[0] if SCIENTIST in before.sources else None, OPERATOR: before.operator}
    for role, person in persons.items():
        if person and not chosen[role]:
            chosen[role], answer.sources[role] = person, before.sources.get(role, "")
    return chosen


def _without_doubles(said: Sequence[Said], answer: _Answer) -> list[Said]:
    """Without the sources that name two requests, as two sessions at the same time do: they cannot be told apart."""
    named: dict[Source, set[str]] = {}
    for one in said:
        named.setdefault(one.source, set()).update({one.values["request"]} if one.values.get("request") else ())
    unclear = {source for source, requests in named.items() if len(requests) > 1}
    for source in sorted(unclear):
        answer.conflicts[f"request: {source.words} says several"] = None
        answer.doubtful = True
    return [one for one in said if one.source not in unclear]


def _with_requests(said: Sequence[Said], known: Known, answer: _Answer) -> Iterator[Said]:
    """Behind each source that names a request comes what stands in that."""
    for one in said:
        word = one.values.get("request")
        if not word:
            yield one
            continue
        try:
            code = identifiers.request(word)
        except ValueError:
            answer.problems[f"{one.words}: what is said to be a request's identifier is none"] = None
            yield replace(one, values={key: value for key, value in one.values.items() if key != "request"})
            continue
        yield replace(one, values={**one.values, "request": code})
        request = known.requests.get(code)
        if request is None:
            answer.problems[f"{one.words}: the request {code} is not known here"] = None
            continue
        values = request.facts() | ({SCIENTIST: request.scientist} if request.scientist else {})
        where = f"{one.where}, request {code}" if one.where else f"request {code}"
        yield Said(one.source, values, where, request.also)


def _take_facts(one: Said, answer: _Answer) -> None:
    for key in FACTS:
        value = one.values.get(key)
        if not value:
            continue
        if key not in answer.facts:
            answer.facts[key], answer.sources[key], answer.told_by[key] = value, one.words, one.source
        elif key in {"request", "project"} and value != answer.facts[key] and one.source is not Source.PROFILE:
            answer.conflicts[f"{key}: {answer.sources[key]} and {one.words} differ"] = None
            answer.doubtful |= key == "request" and _matters(answer.told_by[key], one.source)


def _take_persons(one: Said, people: People, answer: _Answer) -> None:
    for key in (SCIENTIST, OPERATOR, PERSON):
        word = one.values.get(key)
        if not word:
            continue
        found = people.find(word, folder=one.source is Source.PATH)
        if isinstance(found, Person):
            for role in _roles(key, found, one.source):
                answer.persons[role].append(_Named(one, found))
        elif found is not Miss.NOBODY and people.persons:
            whom = "who is named" if key == PERSON else f"the {key}"
            answer.problems[f"{one.words}: {whom} is not credited, because {_because(found)}"] = None


def _because(miss: Miss) -> str:
    return "several persons have this name" if miss is Miss.SEVERAL else "the directory of persons has no such entry"


def _roles(key: str, person: Person, source: Source) -> tuple[str, ...]:
    """Staff operates; whoever else sits at the instrument works for themselves."""
    if key != PERSON:
        return (key,)
    if person.staff:
        return (OPERATOR,)
    return (SCIENTIST, OPERATOR) if source in _AT_THE_INSTRUMENT else (SCIENTIST,)


def _choose(role: str, named: Sequence[_Named], answer: _Answer) -> Person | None:
    """The person whom the first source names; who else is named by others is recorded.

    If one source names two, as two sessions at the same time do, it names nobody.
    """
    for first in named:
        rivals = {one.person for one in named if one.said.source is first.said.source}
        if len(rivals) > 1:
            answer.conflicts[f"{role}: {first.said.source.words} says several"] = None
            answer.doubtful |= role == SCIENTIST
            continue
        answer.sources[role] = first.said.words
        for other in named:
            if other.person != first.person and other.said.source not in {Source.PROFILE, first.said.source}:
                answer.conflicts[f"{role}: {first.said.words} and {other.said.words} differ"] = None
                answer.doubtful |= role == SCIENTIST and _matters(first.said.source, other.said.source)
        return first.person
    return None


def _matters(first: Source, other: Source) -> bool:
    """Whether a person must look at it that the other source differs from the one that counts."""
    return first is not Source.COMMAND and other in _ON_PURPOSE


def _attribution(
    scientist: Person | None, operator: Person | None, answer: _Answer, people: People, policy: Section
) -> Attribution:
    creators = [scientist] if scientist else []
    contributors = []
    for one in answer.also:
        found = people.find(one.who)
        if not isinstance(found, Person):
            answer.problems[f"one of those who are also to be credited is not, because {_because(found)}"] = None
        elif one.role == CREATOR:
            creators.append(found)
        else:
            contributors.append(Contributor(found, one.role, one.credit or ""))
    if operator and scientist and (policy.operator == "creator" or answer.facts.get("authorship") == "author, agreed"):
        creators.append(operator)
    if operator and operator != scientist:
        contributors.insert(0, Contributor(operator, *OPERATED))
    facility = Organisation(policy.facility.name, policy.facility.ror or "") if policy.facility else None
    if facility:
        contributors.append(Contributor(facility, HOSTS))
    return Attribution(
        _state(scientist, operator, answer, policy),
        tuple(dict.fromkeys(creators)),
        operator,
        tuple(contributors),
        facility,
        answer.facts,
        answer.sources,
        tuple(answer.conflicts),
        tuple(answer.problems),
    )


def _state(scientist: Person | None, operator: Person | None, answer: _Answer, policy: Section) -> Resolution:
    if scientist and not answer.doubtful and (operator or not policy.staffed):
        return Resolution.RESOLVED
    return Resolution.PARTIAL if scientist or operator or answer.facts.get("request") else Resolution.UNRESOLVED
