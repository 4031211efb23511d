"""Attributions as a facility may have them, for property tests: hypothesis strategies."""

from hypothesis import strategies as st
from stdnum.iso7064 import mod_11_2, mod_97_10

from watcher import identifiers
from watcher.model import FACTS, Attribution, Contributor, Organisation, Person, Resolution

#: Any text that a person may write, and the half characters that a folder's name may bring.
TEXT = st.text(st.characters(exclude_categories=()), min_size=1, max_size=30).filter(str.strip)
#: One part of a person's name.
_NAME = st.text(st.characters(exclude_categories=(), exclude_characters=","), min_size=1, max_size=15).filter(str.strip)
#: Words of letters that stand nowhere else, so that a search for one cannot find something else.
_SECRETS = st.integers(0, 10**9).map(lambda number: f"secret{number:010d}")


@st.composite
def orcids(draw: st.DrawFn) -> str:
    """An ORCID with the right check digit, as URL."""
    stem = f"{draw(st.integers(0, 10**15 - 1)):015d}"
    return identifiers.orcid(stem + mod_11_2.calc_check_digit(stem))


@st.composite
def rors(draw: st.DrawFn) -> str:
    """A ROR identifier with the right check digits, as URL."""
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    stem = draw(st.text(alphabet, min_size=6, max_size=6))
    number = 0
    for letter in stem:
        number = number * 32 + alphabet.index(letter)
    return identifiers.ror(f"0{stem}{mod_97_10.calc_check_digits(str(number))}")


organisations = st.builds(Organisation, name=TEXT, ror=st.one_of(st.just(""), rors()))

persons = st.builds(
    Person,
    name=st.one_of(_NAME, st.tuples(_NAME, _NAME).map(", ".join)),
    orcid=st.one_of(st.just(""), orcids()),
    email=_SECRETS.map(lambda word: f"{word}@example.org"),
    affiliation=st.one_of(st.none(), organisations),
    user=_SECRETS,
    staff=st.booleans(),
)

contributors = st.builds(
    Contributor,
    who=st.one_of(persons, organisations),
    role=st.sampled_from(("DataCollector", "HostingInstitution", "ProjectLeader", "Other")),
    credit=st.sampled_from(("", "Investigation", "Data curation", "Writing \u2013 review & editing")),
)


@st.composite
def attributions(draw: st.DrawFn) -> Attribution:
    """Who made a set, for whom and for what: anything from nobody to everything."""
    creators = tuple(draw(st.lists(persons, max_size=3)))
    return Attribution(
        state=draw(st.sampled_from(Resolution)),
        creators=creators,
        operator=draw(st.one_of(st.none(), persons, *map(st.just, creators))),
        contributors=tuple(draw(st.lists(contributors, max_size=3))),
        facility=draw(st.one_of(st.none(), organisations)),
        facts=draw(st.dictionaries(st.sampled_from(FACTS), TEXT)),
        sources=draw(st.dictionaries(st.sampled_from(("scientist", "operator", *FACTS)), st.just("request"))),
        conflicts=tuple(draw(st.lists(TEXT, max_size=2))),
        problems=tuple(draw(st.lists(TEXT, max_size=2))),
    )
