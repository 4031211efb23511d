"""The crate that travels with a set: valid, complete, without secrets, and the same whenever it is written."""

import json
import tracemalloc
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.crate_validator import CrateValidator
from tests.unit.provenance.conftest import AT, BARE, FULL, SET_ID, Put, a_set, member, profile_of
from tests.unit.provenance.strategies import attributions
from tests.unit.provenance.test_manifest import NAMES
from watcher import identifiers, names
from watcher.model import FACTS, Attribution, Contributor, ImageSet, Member, Organisation, Person, Resolution
from watcher.profile import Profile
from watcher.provenance import crate, manifest

ZONE = ZoneInfo("Europe/Amsterdam")
UNIVERSITY = Organisation("University", "https://ror.org/05a28rw58")
FACILITY = Organisation("BioImaging Facility", "https://ror.org/03yrm5c26")
JANE = Person("Doe, Jane", "https://orcid.org/0000-0002-1825-0097", "jane@example.org", UNIVERSITY, "jdoe#zone")
RICHARD = Person("Roe, Richard", "", "rroe@example.org", FACILITY, "rroe", staff=True)
KNOWN = Attribution(
    state=Resolution.RESOLVED,
    creators=(JANE,),
    operator=RICHARD,
    contributors=(
        Contributor(RICHARD, "DataCollector", "Investigation"),
        Contributor(FACILITY, "HostingInstitution"),
    ),
    facility=FACILITY,
    facts={fact: f"the {fact}" for fact in FACTS}
    | {
        "request": "RQ4F7K2MT",
        "source": "https://eln.example.org/exp/4711",
        "licence": "https://spdx.org/licenses/CC-BY-4.0",
    },
    sources={"scientist": "request", "operator": "login"},
)
LATER = (
    crate.Change(AT + 5000.0, JANE, "The scientist was added."),
    crate.Change(AT + 6000.0, "a curator", "The project was added."),
)


def written(
    image_set: ImageSet,
    profile: Profile,
    attribution: Attribution,
    members: Sequence[Member],
    changes: Sequence[crate.Change] = (),
) -> str:
    contents = crate.contents_of(members, Path("/nowhere"))
    return crate.text(image_set, profile, attribution, contents, AT + 300.0, ZONE, changes)


def entities(text: str) -> Mapping[str, Mapping[str, Any]]:
    return {entity["@id"]: entity for entity in json.loads(text)["@graph"]}


# What the validator says.


def test_a_full_crate_is_valid(
    tmp_path: Path, put: Put, image_set: ImageSet, full_profile: Profile, crate_validator: CrateValidator
) -> None:
    folder = tmp_path / "set"
    members = put(folder, ["a.ome.tif", "pos 1/b#2?.ome.tif", "notes.txt"])
    (folder / crate.NAME).write_text(written(image_set, full_profile, KNOWN, members, LATER), encoding="utf-8")
    assert crate_validator.issues(folder) == []


def test_a_crate_of_which_almost_nothing_is_known_is_valid(
    tmp_path: Path, put: Put, bare_profile: Profile, crate_validator: CrateValidator, image_set: ImageSet
) -> None:
    folder = tmp_path / "set"
    bare = replace(
        image_set, format="", whole=None, sound=None, embedded={}, problems=(), remarks=(), completed_at=None
    )
    members = put(folder, ["a"])
    (folder / crate.NAME).write_text(written(bare, bare_profile, Attribution(), members), encoding="utf-8")
    assert crate_validator.issues(folder) == []


def test_a_crate_of_many_files_is_valid(
    tmp_path: Path, put: Put, full_profile: Profile, crate_validator: CrateValidator, image_set: ImageSet
) -> None:
    folder = tmp_path / "set"
    members = put(folder, [f"t{number:04d}.tif" for number in range(1001)])
    (folder / crate.NAME).write_text(written(image_set, full_profile, KNOWN, members), encoding="utf-8")
    assert crate_validator.issues(folder) == []


def test_the_validator_is_no_yes_man(
    tmp_path: Path, put: Put, full_profile: Profile, crate_validator: CrateValidator, image_set: ImageSet
) -> None:
    folder = tmp_path / "set"
    text = written(image_set, full_profile, KNOWN, put(folder, ["a", "b"]))
    (folder / crate.NAME).write_text(text.replace('"license"', '"licence"'), encoding="utf-8")
    (folder / "a").unlink()
    found = "\n".join(issue.message for issue in crate_validator.issues(folder))
    assert "`license`" in found
    assert "'a'" in found


def awkward() -> list[str]:
    """Names with every character that means something in an address, in JSON or to a disk, and of many scripts."""
    signs = [f"{sign}x{sign}y{sign}.tif" for sign in " !\"#$%&'()*+,-.:;<=>?@[\\]^_`{|}~"]
    words = ["café.tif", unicodedata.normalize("NFD", "é.tif"), "面试.mp4", "🔬.tif", "a\u00a0b", "\u202eright", "ﷺ"]
    codes = ["50%20x.tif", "a%0Ab.tif", "caf%E9.tif", "%69rods-watcher.json", "a:b/c:d", "..x", "x..", "-", "~", "%"]
    return [names.legal_path(name) for name in [*signs, *words, *codes]]


def test_files_are_found_whatever_they_are_called(
    tmp_path: Path, put: Put, full_profile: Profile, crate_validator: CrateValidator, image_set: ImageSet
) -> None:
    folder = tmp_path / "set"
    members = put(folder, awkward())
    (folder / crate.NAME).write_text(written(image_set, full_profile, KNOWN, members), encoding="utf-8")
    assert crate_validator.issues(folder) == []


# What it says.


@settings(deadline=None, max_examples=60)
@given(found=st.sets(st.lists(NAMES, min_size=1, max_size=3).map("/".join), min_size=1, max_size=5))
def test_names_become_addresses_and_come_back(tmp_path_factory: pytest.TempPathFactory, found: set[str]) -> None:
    profile = profile_of(tmp_path_factory.mktemp("profile"), BARE)
    targets = {names.legal_path(name) for name in found}
    text = written(a_set(), profile, Attribution(), [member(target) for target in targets])
    listed = [name for name, entity in entities(text).items() if entity["@type"] == "File"]
    assert {unquote(name) for name in listed} == {*targets, manifest.NAME}
    assert not any(set(name) & set(' "<>\\^`{|}#?:') for name in listed)


def test_every_fact_is_in_the_crate(image_set: ImageSet, full_profile: Profile) -> None:
    text = written(image_set, full_profile, KNOWN, [member("a.tif")], LATER)
    for fact, value in KNOWN.facts.items():
        # Where OMERO puts the images and who may read them is nothing that is told of them.
        assert (value in text) != (fact in {"omero", "readers"}), fact
    for said in (*image_set.problems, *image_set.remarks, image_set.completed_by, image_set.validated_by, SET_ID):
        assert said in text  # the metadata on the collection is cut at 2700 bytes; here nothing is
    for said in ("3951000123", "LSM 980", "Zeiss", "FBbi:00000251", "ready for omero", full_profile.digest, "63x"):
        assert said in text


def test_who_did_what_with_what_for_whom(image_set: ImageSet, full_profile: Profile) -> None:
    text = written(image_set, full_profile, KNOWN, [member("a.tif")])
    found = entities(text)
    acquisition, root = found["#acquisition"], found["./"]
    assert root["author"] == acquisition["participant"] == {"@id": JANE.orcid}
    assert found[acquisition["agent"]["@id"]]["name"] == "Richard Roe"
    assert found[acquisition["agent"]["@id"]]["actedOnBehalfOf"] == {"@id": JANE.orcid}
    assert json.loads(text)["@context"][1] == {"actedOnBehalfOf": "http://www.w3.org/ns/prov#actedOnBehalfOf"}
    instrument = found[acquisition["instrument"]["@id"]]
    assert instrument["@type"] == "IndividualProduct"
    assert instrument["@id"] == "https://hdl.handle.net/21.T11998/0000"
    assert acquisition["object"] == {"@id": "#RQ4F7K2MT"}
    assert (acquisition["startTime"], acquisition["endTime"]) == ("2025-01-01T00:00:00+01:00",) * 2
    assert found[JANE.orcid]["affiliation"] == {"@id": UNIVERSITY.ror}
    assert root["publisher"] == {"@id": FACILITY.ror}
    assert root["license"] == {"@id": "https://spdx.org/licenses/CC-BY-4.0"}
    collector = next(entity for entity in found.values() if "DataCollector" in entity.get("roleName", ""))
    assert collector["contributor"] == acquisition["agent"]
    assert collector["url"] == "https://credit.niso.org/contributor-roles/investigation/"


def test_an_operator_who_is_the_scientist_acts_for_nobody_else(image_set: ImageSet, full_profile: Profile) -> None:
    text = written(image_set, full_profile, replace(KNOWN, operator=JANE), [member("a")])
    acquisition = entities(text)["#acquisition"]
    assert acquisition["agent"] == {"@id": JANE.orcid}
    assert "participant" not in acquisition
    assert "actedOnBehalfOf" not in text


def test_nobody_is_guessed(image_set: ImageSet, bare_profile: Profile) -> None:
    found = entities(written(image_set, bare_profile, Attribution(), [member("a")]))
    assert not [entity for entity in found.values() if entity["@type"] in {"Person", "Organization"}]
    assert "agent" not in found["#acquisition"]
    assert found["#attribution"]["value"] == "unresolved"
    assert "all rights are reserved" in found[found["./"]["license"]["@id"]]["description"]


def test_modules_of_rembi_of_which_nothing_is_known_are_absent(image_set: ImageSet, bare_profile: Profile) -> None:
    bare = replace(image_set, embedded={}, format="")
    found = entities(written(bare, bare_profile, Attribution(), [member("a")]))
    modules = {entity["name"] for entity in found.values() if str(entity.get("name")).startswith("REMBI: ")}
    assert modules == {"REMBI: Study", "REMBI: Image acquisition", "REMBI: Image data"}


def test_the_sample_is_told_as_it_was_written(image_set: ImageSet, full_profile: Profile) -> None:
    sample = "HeLa, α-tubulin\n  (slide 3)"
    known = replace(KNOWN, facts={"sample": sample})
    found = entities(written(image_set, full_profile, known, [member("a")]))
    assert [one["value"] for one in found.values() if str(one.get("propertyID")).startswith("REMBI: Bio")] == [sample]


def test_a_file_that_could_not_keep_its_name_tells_it(image_set: ImageSet, bare_profile: Profile) -> None:
    found = entities(written(image_set, bare_profile, Attribution(), [member("caf%E9.tif"), member("50%.tif")]))
    assert found["caf%25E9.tif"]["alternateName"] == "$'caf\\xe9.tif'"
    assert "alternateName" not in found["50%25.tif"]


def test_descriptions_of_the_instrument_are_told_by_name_and_content(
    tmp_path: Path, image_set: ImageSet, bare_profile: Profile
) -> None:
    (tmp_path / "Microscope.JSON").write_text('{"Schema_ID": "Instrument.json", "Name": "LSM"}')
    (tmp_path / "settings.json").write_text('{"Schema_ID": "Image.json"}')
    (tmp_path / "my microscope.json").write_text("[1, 2")
    members = [member(target) for target in ("Microscope.JSON", "settings.json", "my microscope.json", "x.tif")]
    contents = crate.contents_of(members, tmp_path)
    assert contents.instrument_description == "Microscope.JSON"
    found = entities(crate.text(image_set, bare_profile, Attribution(), contents, AT, ZONE))
    assert found["#instrument"]["subjectOf"] == {"@id": "Microscope.JSON"}
    assert found["#acquisition"]["object"] == {"@id": "settings.json"}
    assert "description" not in found["my%20microscope.json"]


def test_without_such_a_file_there_is_no_description() -> None:
    assert crate.contents_of([member("x.tif")], Path("/nowhere")).instrument_description is None


@settings(deadline=None, max_examples=60)
@given(known=attributions())
def test_identifiers_are_true_ones(tmp_path_factory: pytest.TempPathFactory, known: Attribution) -> None:
    profile = profile_of(tmp_path_factory.mktemp("profile"), FULL)
    found = entities(written(a_set(), profile, known, [member("a")]))
    persons = [name for name, entity in found.items() if entity["@type"] == "Person"]
    institutions = [name for name, entity in found.items() if "Organization" in entity["@type"]]
    assert {identifiers.orcid(name) for name in persons if not name.startswith("#")} == {
        person.orcid for person in everybody(known) if person.orcid
    }
    for name in institutions:
        assert name.startswith("#") or identifiers.ror(name) == name
    for entity in found.values():
        if "url" in entity and entity["@type"] != "SoftwareApplication":  # which has no page of its own
            assert identifiers.url(entity["url"])


def everybody(known: Attribution) -> list[Person]:
    """All persons of an attribution."""
    others = [one.who for one in known.contributors if isinstance(one.who, Person)]
    return [*known.creators, *([known.operator] if known.operator else []), *others]


def test_a_mistyped_identifier_is_no_address(image_set: ImageSet, bare_profile: Profile) -> None:
    mistyped = Person("Doe, Jane", "https://orcid.org/0000-0002-1825-0098", affiliation=Organisation("U", "ror.org/0"))
    text = written(image_set, bare_profile, Attribution(creators=(mistyped,)), [member("a")])
    assert entities(text)["./"]["author"] == {"@id": "#person-1"}
    assert "1825-0098" not in text
    assert "ror.org" not in text


# What it never says.


@settings(deadline=None, max_examples=60)
@given(known=attributions(), by=st.booleans())
def test_no_address_login_or_personal_key_is_ever_in_it(
    tmp_path_factory: pytest.TempPathFactory, known: Attribution, by: bool
) -> None:
    profile = profile_of(tmp_path_factory.mktemp("profile"), FULL)
    changes = [crate.Change(AT, person, "x") for person in known.creators] if by else []
    text = written(a_set(), profile, known, [member("a")], changes)
    text.encode()
    for person in everybody(known):
        assert person.email not in text
        assert person.user not in text
    for personal in ("Musil", "MUSIL", "experimenter", "computer"):
        assert personal not in text


# Always the same, and read back.


@settings(deadline=None, max_examples=60)
@given(known=attributions(), times=st.lists(st.integers(0, 4 * 10**18), min_size=1, max_size=5))
def test_it_is_the_same_whenever_it_is_written_and_from_itself(
    tmp_path_factory: pytest.TempPathFactory, known: Attribution, times: list[int]
) -> None:
    profile = profile_of(tmp_path_factory.mktemp("profile"), FULL)
    members = [member(f"{number}.tif", mtime_ns=at) for number, at in enumerate(times)]
    changes = [crate.Change(AT + 1.0, person, "x") for person in known.creators]
    first = written(a_set(), profile, known, members, changes)
    assert written(a_set(), profile, known, members[::-1], changes) == first
    contents = crate.contents_in(first)
    assert contents == crate.contents_of(members, Path("/nowhere"))
    again = crate.text(a_set(), profile, known, contents, AT + 300.0, ZONE, crate.changes_in(first))
    assert again == first


def test_the_changes_are_read_back(image_set: ImageSet, full_profile: Profile) -> None:
    text = written(image_set, full_profile, KNOWN, [member("a")], LATER)
    jane = Person(JANE.name, JANE.orcid)
    assert crate.changes_in(text) == (replace(LATER[0], agent=jane), LATER[1])
    assert crate.changes_in(written(image_set, full_profile, KNOWN, [member("a")])) == ()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"@graph": []}', '{"@graph": [{"@id": "x"}]}', "\ufeff{}"])
def test_what_is_no_crate_of_ours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="this crate was not written by irods-watcher"):
        crate.contents_in(text)


# Large and quick.


@pytest.mark.parametrize(("count", "listed"), [(1, 1), (1000, 1000), (1001, 0)])
def test_up_to_a_thousand_files_are_listed(image_set: ImageSet, full_profile: Profile, count: int, listed: int) -> None:
    text = written(image_set, full_profile, KNOWN, [member(f"{number}.tif") for number in range(count)])
    found = entities(text)
    files = [name for name, entity in found.items() if entity["@type"] == "File" and name != manifest.NAME]
    assert len(files) == listed
    assert found["#number-of-files"]["value"] == count
    assert ("The manifest lists all files." in found["./"]["description"]) == (listed < count)
    assert crate.contents_in(text).count == count


def test_a_hundred_thousand_members_take_no_memory(image_set: ImageSet, full_profile: Profile) -> None:
    digest = "0" * 64
    members = [replace(member(f"{number:06d}"), sha256=digest) for number in range(100_000)]
    written(image_set, full_profile, KNOWN, members[:1])  # what is loaded once does not count
    tracemalloc.start()
    try:
        text = written(image_set, full_profile, KNOWN, members)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * 1024 * 1024  # a list of 100,000 numbers; the manifest alone has 7.4 MB
    assert len(text) < 50_000
