"""Who made a set: the order of the sources, what contradicts what, and that nobody is ever guessed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.model import Contributor, Organisation, Person, Resolution
from watcher.profile.people import People as Section
from watcher.profile.people import PeopleColumns
from watcher.provenance.attribution import Said, Source, resolve
from watcher.provenance.people import read_people
from watcher.provenance.registers import Register
from watcher.provenance.request import Acquire, Authorship, Credited, Request

DIRECTORY = """\
persons:
  - {name: "Doe, Jane", logins: [jdoe], paths: [Jane]}
  - {name: "Smith, Anna", logins: [asmith]}
  - {name: "Li, Wei", logins: [wli]}
  - {name: "Roe, Richard", logins: [rroe], staff: true}
  - {name: "Moe, Mary", logins: [mmoe], staff: true}
generic_logins: [zeiss]
"""
JANE, ANNA, WEI = Person("Doe, Jane"), Person("Smith, Anna"), Person("Li, Wei")
RICHARD, MARY = Person("Roe, Richard", staff=True), Person("Moe, Mary", staff=True)
ONE = Request(id="RQ4F7K2MT", title="Actin", scientist="jdoe", project="P-1", acquire=Acquire(what="cells"))
OTHER = Request(id="RQMPXGWES", title="Tubulin", scientist="asmith", project="P-2")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Register:
    file = Path(tmp_path_factory.mktemp("people")) / "people.yaml"
    file.write_text(DIRECTORY)
    return Register(read_people(file, PeopleColumns()), {ONE.id: ONE, OTHER.id: OTHER})


def said(source: Source, also: Sequence[Credited] = (), where: str = "", **values: str) -> Said:
    return Said(source, values, where, tuple(also))


def policy(**settings: Any) -> Section:
    return Section(**settings)


def test_without_any_source_nobody_is_credited(known: Register) -> None:
    found = resolve([], known, policy())
    assert (found.state, found.creators, found.operator, found.facts) == (Resolution.UNRESOLVED, (), None, {})


def test_a_session_gives_the_request_with_its_scientist_and_the_operator(known: Register) -> None:
    session = said(Source.SESSION, where="number 3", request="rq4f7k2mt", operator="rroe")
    found = resolve([session, said(Source.EMBEDDED, person="zeiss")], known, policy(staffed=True))
    assert found.state is Resolution.RESOLVED
    assert (found.creators, found.operator) == ((JANE,), RICHARD)
    assert found.contributors == (Contributor(RICHARD, "DataCollector", "investigation"),)
    assert found.facts == {"request": ONE.id, "title": "Actin", "project": "P-1", "instructions": "cells"}
    assert found.sources["scientist"] == "session, number 3, request RQ4F7K2MT"
    assert found.sources["operator"] == "session, number 3"
    assert (found.conflicts, found.problems) == ((), ())


def test_the_sources_count_in_their_order_whatever_order_they_come_in(known: Register) -> None:
    everything = [said(source, scientist="asmith" if source else "jdoe", operator="mmoe") for source in Source]
    for order in (everything, everything[::-1]):
        assert resolve(order, known, policy()).creators == (JANE,)


@pytest.mark.parametrize("first", list(Source)[1:8])
def test_what_a_later_source_says_differently_is_recorded_and_does_not_win(known: Register, first: Source) -> None:
    found = resolve([said(first, scientist="jdoe"), said(Source.COMMAND, scientist="asmith")], known, policy())
    assert found.creators == (ANNA,)
    assert found.state is Resolution.RESOLVED, "a person has decided"
    assert found.conflicts == (f"scientist: command and {first.words} differ",)


@pytest.mark.parametrize(
    ("second", "state"),
    [(Source.PATH, "partial"), (Source.BOOKING, "partial"), (Source.EMBEDDED, "resolved"), (Source.OWNER, "resolved")],
)
def test_two_sources_on_purpose_that_differ_need_a_person_and_a_login_does_not(
    known: Register, second: Source, state: str
) -> None:
    found = resolve([said(Source.SESSION, scientist="jdoe"), said(second, scientist="asmith")], known, policy())
    assert (found.state, found.creators) == (state, (JANE,))
    assert found.conflicts == (f"scientist: session and {second.words} differ",)


def test_a_default_contradicts_nothing(known: Register) -> None:
    found = resolve(
        [said(Source.PATH, scientist="jdoe"), said(Source.PROFILE, scientist="asmith", project="P")], known, policy()
    )
    assert (found.creators, found.conflicts, found.facts) == ((JANE,), (), {"project": "P"})


def test_two_sessions_at_once_cannot_be_told_apart_and_another_source_may(known: Register) -> None:
    both = [
        said(Source.SESSION, where="number 1", request=ONE.id, operator="rroe"),
        said(Source.SESSION, where="number 2", request=OTHER.id, operator="mmoe"),
    ]
    found = resolve(both, known, policy())
    assert (found.state, found.creators, found.facts) == (Resolution.UNRESOLVED, (), {})
    assert found.conflicts == ("request: session says several",)
    found = resolve([*both, said(Source.PATH, request=OTHER.id)], known, policy())
    assert (found.state, found.creators) == (Resolution.PARTIAL, (ANNA,))
    found = resolve([*both, said(Source.COMMAND, request=ONE.id)], known, policy())
    assert found.creators == (JANE,)


def test_two_sessions_on_one_request_with_two_operators_name_no_operator(known: Register) -> None:
    both = [said(Source.SESSION, request=ONE.id, operator=who) for who in ("rroe", "mmoe")]
    found = resolve(both, known, policy())
    assert (found.creators, found.operator) == ((JANE,), None)
    assert found.conflicts == ("operator: session says several",)
    assert resolve(both, known, policy(staffed=True)).state is Resolution.PARTIAL


@pytest.mark.parametrize("source", [Source.EMBEDDED, Source.OWNER])
def test_who_sits_at_the_instrument_and_is_no_staff_works_for_themselves(known: Register, source: Source) -> None:
    found = resolve([said(source, person="jdoe")], known, policy(staffed=True))
    assert (found.state, found.creators, found.operator) == (Resolution.RESOLVED, (JANE,), JANE)
    assert found.contributors == (), "an author is not listed a second time for operating"


def test_staff_at_the_instrument_is_no_author(known: Register) -> None:
    found = resolve([said(Source.EMBEDDED, person="rroe")], known, policy())
    assert (found.state, found.creators, found.operator) == (Resolution.PARTIAL, (), RICHARD)


def test_a_folder_says_whose_images_they_are_and_not_who_operated(known: Register) -> None:
    found = resolve([said(Source.PATH, person="jane")], known, policy())
    assert (found.state, found.creators, found.operator) == (Resolution.RESOLVED, (JANE,), None)
    assert resolve([said(Source.PATH, person="jane")], known, policy(staffed=True)).state is Resolution.PARTIAL


@pytest.mark.parametrize("word", ["zeiss", "LAB\\Zeiss", "root", ""])
def test_a_shared_login_is_nobody_and_no_problem(known: Register, word: str) -> None:
    found = resolve([said(Source.OWNER, person=word), said(Source.SIDECAR, scientist=word)], known, policy())
    assert (found.state, found.creators, found.operator, found.problems) == (Resolution.UNRESOLVED, (), None, ())


def test_who_is_not_in_the_directory_is_told_without_the_name(known: Register) -> None:
    found = resolve([said(Source.SIDECAR, scientist="Mister X", where="acquisition.yaml")], known, policy())
    assert found.state is Resolution.UNRESOLVED
    assert found.problems == (
        "sidecar, acquisition.yaml: the scientist is not credited, because the directory of persons has no such entry",
    )


def test_a_request_that_is_not_known_is_kept_for_the_day_on_which_it_is(known: Register) -> None:
    found = resolve([said(Source.PATH, request="RQKQSYQXF", where="names")], known, policy())
    assert (found.state, found.facts) == (Resolution.PARTIAL, {"request": "RQKQSYQXF"})
    assert found.problems == ("path, names: the request RQKQSYQXF is not known here",)
    found = resolve([said(Source.SIDECAR, request="RQ4F7K2MS")], known, policy())
    assert (found.state, found.facts) == (Resolution.UNRESOLVED, {})
    assert found.problems == ("sidecar: what is said to be a request's identifier is none",)


def test_a_sidecar_goes_before_the_request_of_a_session_thing_by_thing(known: Register) -> None:
    found = resolve(
        [said(Source.SIDECAR, scientist="asmith", sample="HeLa"), said(Source.SESSION, request=ONE.id)], known, policy()
    )
    assert found.creators == (ANNA,)
    assert found.facts == {
        "request": ONE.id, "title": "Actin", "project": "P-1", "instructions": "cells", "sample": "HeLa",
    }  # fmt: skip
    assert found.conflicts == ("scientist: sidecar and session, request RQ4F7K2MT differ",)
    assert found.state is Resolution.PARTIAL


@pytest.mark.parametrize(
    ("authorship", "setting", "creators"),
    [
        (None, "contributor", (JANE,)),
        (Authorship(operator="acknowledgement", agreed=True), "contributor", (JANE,)),
        (Authorship(operator="author", agreed=False), "contributor", (JANE,)),
        (Authorship(operator="author", agreed=True), "contributor", (JANE, ANNA, RICHARD)),
        (None, "creator", (JANE, RICHARD)),
        (Authorship(operator="none"), "creator", (JANE, RICHARD)),
    ],
)
def test_the_operator_is_an_author_if_both_agreed_or_the_profile_says_so(
    known: Register, authorship: Authorship | None, setting: str, creators: tuple[Person, ...]
) -> None:
    also = (Credited(who="asmith", role="Creator"),) if ANNA in creators else ()
    request = ONE.model_copy(update={"authorship": authorship, "also": also})
    register = Register(known.people, {ONE.id: request})
    found = resolve([said(Source.SESSION, request=ONE.id, operator="rroe")], register, policy(operator=setting))
    assert found.creators == creators
    assert found.contributors[0] == Contributor(RICHARD, "DataCollector", "investigation"), "who operated stays told"


def test_others_are_credited_in_their_order_and_the_facility_hosts(known: Register) -> None:
    also = [
        Credited(who="asmith", role="ProjectLeader", credit="supervision"),
        Credited(who="nobody knows", role="Supervisor"),
        Credited(who="wli"),
    ]
    facility = {"name": "BIC", "ror": "03yrm5c26"}
    found = resolve([said(Source.SIDECAR, also, scientist="jdoe", operator="rroe")], known, policy(facility=facility))
    place = Organisation("BIC", "https://ror.org/03yrm5c26")
    assert found.contributors == (
        Contributor(RICHARD, "DataCollector", "investigation"),
        Contributor(ANNA, "ProjectLeader", "supervision"),
        Contributor(WEI, "Researcher"),
        Contributor(place, "HostingInstitution"),
    )
    assert found.facility == place
    assert len(found.problems) == 1


_WORDS = st.sampled_from(["jdoe", "asmith", "rroe", "zeiss", "Mister X", "Jane", ""])
_CODES = st.sampled_from([ONE.id, OTHER.id, "RQKQSYQXF", "nonsense", ""])
_SAID = st.builds(
    lambda source, values: Said(source, values),
    st.sampled_from(Source),
    st.fixed_dictionaries(
        {}, optional={"scientist": _WORDS, "operator": _WORDS, "person": _WORDS, "request": _CODES, "project": _WORDS}
    ),
)


@given(st.lists(_SAID, max_size=6), st.booleans(), st.sampled_from(["contributor", "creator"]))
def test_whatever_is_said_the_answer_holds_together(
    known: Register, everything: list[Said], staffed: bool, operator: str
) -> None:
    found = resolve(everything, known, policy(staffed=staffed, operator=operator))
    assert len(set(found.creators)) == len(found.creators)
    assert found.state is not Resolution.RESOLVED or found.creators
    assert found.state is not Resolution.RESOLVED or found.operator or not staffed
    assert found.state is not Resolution.UNRESOLVED or not (found.creators or found.operator)
    assert set(found.sources) >= set(found.facts), "each thing says whence it is"
    named = [word for one in everything for word in one.values.values()]
    for text in (*found.conflicts, *found.problems, *found.sources.values()):
        assert "Mister X" not in text
        assert not [word for word in named if word in {"jdoe", "asmith", "rroe"} and word in text]
