"""Who made a set, as metadata on its collection, in the words that the profile chooses.

dcterms, the default (reference, requirements-and-metadata.md, section 10): Dublin Core, DataCite, CRediT and PROV.
What belongs to one person has the same unit: "1" is the first creator, and contributors are counted for themselves.
mango and npg say the same for those who read their attributes; what a person wrote besides stays as it is.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from watcher.model import Attribution, Avu, Contributor, Organisation, Person, Resolution
from watcher.profile import Profile

T = TypeVar("T")

CREDIT: Final = "https://credit.niso.org/contributor-roles/"
ATTRIBUTION: Final = "acq:attribution"
#: The role of who operated (`attribution.OPERATED`).
_OPERATED: Final = "DataCollector"
_MANGO: Final = "mgs.acquisition"
#: That of `mango-acquisition.json`, which the portal needs to show these fields.
MANGO_VERSION: Final = "1.0.0"

#: What an attribution knows besides persons, and the attribute that says it; the rest stands in the crate.
_FACTS: Final = {
    "request": "acq:request", "title": "acq:request.title", "project": "dcterms:isPartOf", "group": "acq:group",
    "funding": "acq:funding", "sample": "acq:sample", "source": "dcterms:source", "licence": "dcterms:license",
    "retention": "acq:retention", "omero": "acq:omero.target", "authorship": "acq:authorship",
}  # fmt: skip
_PERSONS: Final = (
    "dcterms:creator", "dcterms:creator.orcid", "dcterms:creator.user", "dcterms:creator.affiliation",
    "dcterms:contributor", "dcterms:contributor.role", "dcterms:contributor.credit", "dcterms:contributor.orcid",
    "dcterms:contributor.user", "dcterms:contributor.affiliation", "prov:actedOnBehalfOf", "dcterms:publisher",
)  # fmt: skip
_STATE: Final = (
    ATTRIBUTION, f"{ATTRIBUTION}.source", f"{ATTRIBUTION}.conflict", f"{ATTRIBUTION}.problem", "dcterms:modified",
)  # fmt: skip
_ALL: Final = frozenset({*_FACTS.values(), *_PERSONS, *_STATE})


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a rendering says besides persons: of the set and where it was made. zone is that of the users."""

    title: str
    created: str
    zone: str
    modified: str = ""


def is_credit(attribute: str) -> bool:
    """Whether an attribute is written by these renderings, so that a later attribution may change it."""
    return attribute in _ALL or attribute == _MANGO or attribute.startswith(f"{_MANGO}.")


def credits(attribution: Attribution, profile: Profile, about: Circumstances) -> list[Avu]:
    """The metadata in the words of the profile; nothing empty, nothing twice, values in full length."""
    rendering = _RENDERINGS[profile.metadata.vocabulary]
    found = [*rendering(attribution, profile, about), *_known_by(attribution, about)]
    return [avu for avu in dict.fromkeys(found) if avu.value]


def _known_by(attribution: Attribution, about: Circumstances) -> Iterator[Avu]:
    """How much is known, and whence: the same in all words, because programs ask for it."""
    yield Avu(ATTRIBUTION, attribution.state)
    for key in sorted(attribution.sources):
        yield Avu(f"{ATTRIBUTION}.source", f"{key}: {attribution.sources[key]}")
    for text in attribution.conflicts:
        yield Avu(f"{ATTRIBUTION}.conflict", text)
    for text in attribution.problems:
        yield Avu(f"{ATTRIBUTION}.problem", text)
    yield Avu("dcterms:modified", about.modified)


def credited_in(avus: Collection[Avu]) -> Attribution:
    """Who made a set as its metadata say, in whatever words of ours; persons only if they are those of dcterms."""
    said: dict[str, dict[str, str]] = {}
    for avu in avus:
        said.setdefault(avu.attribute, {})[avu.unit] = avu.value
    state = said.get(ATTRIBUTION, {}).get("", "")
    contributors = []
    for unit, who in _people_in(said, "dcterms:contributor"):
        credit = said.get("dcterms:contributor.credit", {}).get(unit, "").removeprefix(CREDIT).rstrip("/")
        contributors.append(Contributor(who, said.get("dcterms:contributor.role", {}).get(unit, ""), credit))
    return Attribution(
        Resolution(state) if state in list(Resolution) else Resolution.UNRESOLVED,
        tuple(who for _, who in _people_in(said, "dcterms:creator")),
        next((one.who for one in contributors if one.role == _OPERATED and isinstance(one.who, Person)), None),
        tuple(contributors),
        facts={key: said[name][""] for key, name in _FACTS.items() if "" in said.get(name, {})},
        sources=dict(
            avu.value.split(": ", 1) for avu in avus if avu.attribute == f"{ATTRIBUTION}.source" and ": " in avu.value
        ),
        conflicts=tuple(sorted(avu.value for avu in avus if avu.attribute == f"{ATTRIBUTION}.conflict")),
        problems=tuple(sorted(avu.value for avu in avus if avu.attribute == f"{ATTRIBUTION}.problem")),
    )


def _people_in(said: Mapping[str, Mapping[str, str]], attribute: str) -> Iterator[tuple[str, Person]]:
    numbered = {unit: name for unit, name in said.get(attribute, {}).items() if unit.isdecimal()}
    for unit in sorted(numbered, key=int):
        orcid, user = (said.get(f"{attribute}.{key}", {}).get(unit, "") for key in ("orcid", "user"))
        yield unit, Person(numbered[unit], orcid=orcid, user=user)


def user_of(who: Person | Organisation, zone: str) -> str:
    """The user in iRODS with its zone, "" if there is none."""
    user = who.user if isinstance(who, Person) else ""
    return user if not user or "#" in user or not zone else f"{user}#{zone}"


# dcterms


def _dcterms(attribution: Attribution, profile: Profile, about: Circumstances) -> Iterator[Avu]:
    for unit, person in _numbered(attribution.creators):
        yield from _somebody("dcterms:creator", person, unit, about.zone)
    for unit, one in _numbered(attribution.contributors):
        yield from _somebody("dcterms:contributor", one.who, unit, about.zone)
        yield Avu("dcterms:contributor.role", one.role, unit)
        yield Avu("dcterms:contributor.credit", _credit(one), unit)
        if _is_operator(one, attribution) and attribution.creators:
            yield Avu("prov:actedOnBehalfOf", attribution.creators[0].orcid or "dcterms:creator 1", unit)
    if attribution.facility:
        yield Avu("dcterms:publisher", attribution.facility.ror or attribution.facility.name)
    yield from _facts(attribution, profile)


def _facts(attribution: Attribution, profile: Profile) -> Iterator[Avu]:
    facts = {"licence": profile.metadata.licence or "", **attribution.facts}
    for key, attribute in _FACTS.items():
        yield Avu(attribute, facts.get(key, ""))


def _somebody(attribute: str, who: Person | Organisation, unit: str, zone: str) -> Iterator[Avu]:
    yield Avu(attribute, who.name, unit)
    if isinstance(who, Person):
        yield Avu(f"{attribute}.orcid", who.orcid, unit)
        yield Avu(f"{attribute}.user", user_of(who, zone), unit)
        yield Avu(f"{attribute}.affiliation", _institution(who.affiliation), unit)


def _numbered(people: tuple[T, ...]) -> Iterator[tuple[str, T]]:
    return ((str(number), one) for number, one in enumerate(people, 1))


def _credit(one: Contributor) -> str:
    return f"{CREDIT}{one.credit}/" if one.credit else ""


def _institution(organisation: Organisation | None) -> str:
    return (organisation.ror or organisation.name) if organisation else ""


def _is_operator(one: Contributor, attribution: Attribution) -> bool:
    return one.who == attribution.operator


# ManGO


class _Part(NamedTuple):
    """One field of a composite one, in the order of the schema."""

    name: str
    value: str


def _mango(attribution: Attribution, profile: Profile, about: Circumstances) -> Iterator[Avu]:
    """`mgs.<schema>.<field>`; the unit counts the composite field that it is part of (mango_mdschema, helpers.py).

    The schema itself is `mango-acquisition.json`, to be put into the portal.
    """
    instrument = profile.instrument
    yield Avu(f"{_MANGO}.__version__", MANGO_VERSION)
    yield Avu(f"{_MANGO}.title", about.title)
    yield Avu(f"{_MANGO}.acquired", about.created)
    for unit, person in _numbered(attribution.creators):
        yield from _mango_parts("creator", unit, _person_parts(person, about.zone))
    for unit, one in _numbered(attribution.contributors):
        parts = [*_person_parts(one.who, about.zone), _Part("role", one.role), _Part("credit", _credit(one))]
        yield from _mango_parts("contributor", unit, parts)
    parts = [
        _Part("name", instrument.name), _Part("manufacturer", instrument.manufacturer or ""),
        _Part("model", instrument.model or ""), _Part("serial", instrument.serial or ""),
        _Part("pid", instrument.pid or ""),
    ]  # fmt: skip
    yield from _mango_parts("instrument", "1", parts)
    facts = {"licence": profile.metadata.licence or "", **attribution.facts}
    for key in (*_FACTS, "instructions", "channels", "objective", "positions", "repeats"):
        yield Avu(f"{_MANGO}.{'request_title' if key == 'title' else key}", facts.get(key, ""))
    yield Avu(f"{_MANGO}.attribution", attribution.state)


def _mango_parts(field: str, unit: str, parts: list[_Part]) -> Iterator[Avu]:
    return (Avu(f"{_MANGO}.{field}.{part.name}", part.value, unit) for part in parts)


def _person_parts(who: Person | Organisation, zone: str) -> list[_Part]:
    if isinstance(who, Organisation):
        return [_Part("name", who.name), _Part("affiliation", who.ror)]
    return [
        _Part("name", who.name), _Part("orcid", who.orcid), _Part("user", user_of(who, zone)),
        _Part("affiliation", _institution(who.affiliation)),
    ]  # fmt: skip


# NPG


def _npg(attribution: Attribution, profile: Profile, about: Circumstances) -> Iterator[Avu]:
    """Without units, creators as URLs where they have one (partisan metadata.py, npg_irods metadata/common.py).

    What cannot be told apart without units stands in one value.
    """
    for person in attribution.creators:
        yield Avu("dcterms:creator", person.orcid or person.name)
    for one in attribution.contributors:
        identifier = one.who.orcid if isinstance(one.who, Person) else one.who.ror
        details = ", ".join(filter(None, (one.role, identifier, user_of(one.who, about.zone))))
        yield Avu("dcterms:contributor", f"{one.who.name} ({details})")
    if attribution.facility:
        yield Avu("dcterms:publisher", attribution.facility.ror or attribution.facility.name)
    yield from _facts(attribution, profile)


_RENDERINGS: Final[Mapping[str, Callable[[Attribution, Profile, Circumstances], Iterator[Avu]]]] = {
    "dcterms": _dcterms,
    "mango": _mango,
    "npg": _npg,
}
