"""The same attribution in the words of three communities: complete, in order, and within the limits of a catalogue."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mango_mdschema import Schema

from watcher.model import Attribution, Avu, Contributor, Organisation, Person, Resolution
from watcher.profile import Profile, load
from watcher.provenance.credits import MANGO_VERSION, Circumstances, credited_in, credits, is_credit
from watcher.provenance.vocabulary import fitting

JANE = Person(
    "Doe, Jane",
    "https://orcid.org/0000-0002-1825-0097",
    "jane@x.org",
    Organisation("Cells", "https://ror.org/1"),
    "jdoe",
)
RICHARD = Person("Roe, Richard", "https://orcid.org/0000-0001-5109-3700", user="rroe#other", staff=True)
ANNA = Person("Smith, Anna", affiliation=Organisation("Genes"))
PLACE = Organisation("BIC", "https://ror.org/03yrm5c26")
FULL = Attribution(
    Resolution.RESOLVED,
    (JANE, ANNA),
    RICHARD,
    (
        Contributor(RICHARD, "DataCollector", "investigation"),
        Contributor(ANNA, "ProjectLeader"),
        Contributor(PLACE, "HostingInstitution"),
    ),
    PLACE,
    {"request": "RQ4F7K2MT", "project": "P-1", "sample": "HeLa", "channels": "DAPI, GFP", "authorship": "none"},
    {"scientist": "session, number 3", "operator": "session, number 3"},
    ("project: session and path differ",),
)
ABOUT = Circumstances("cells", "2026-11-27T10:00:00+01:00", "home")


def profile(folder: Path, vocabulary: str = "dcterms") -> Profile:
    path = folder / f"{vocabulary}.yaml"
    path.write_text(
        "instrument: {name: scope, model: 980}\nwatch: [{path: /data}]\nstore: {kind: folder, path: /archive}\n"
        f"metadata: {{vocabulary: {vocabulary}, licence: CC0}}\n"
    )
    return load(path)


def told(avus: list[Avu], attribute: str) -> list[tuple[str, str]]:
    return [(avu.value, avu.unit) for avu in avus if avu.attribute == attribute]


def test_persons_keep_their_order_by_unit_and_what_is_theirs_has_the_same_unit(tmp_path: Path) -> None:
    found = credits(FULL, profile(tmp_path), ABOUT)
    assert told(found, "dcterms:creator") == [("Doe, Jane", "1"), ("Smith, Anna", "2")]
    assert told(found, "dcterms:creator.orcid") == [(JANE.orcid, "1")]
    assert told(found, "dcterms:creator.user") == [("jdoe#home", "1")]
    assert told(found, "dcterms:creator.affiliation") == [("https://ror.org/1", "1"), ("Genes", "2")]
    assert told(found, "dcterms:contributor") == [("Roe, Richard", "1"), ("Smith, Anna", "2"), ("BIC", "3")]
    assert told(found, "dcterms:contributor.role") == [
        ("DataCollector", "1"), ("ProjectLeader", "2"), ("HostingInstitution", "3"),
    ]  # fmt: skip
    assert told(found, "dcterms:contributor.credit") == [
        ("https://credit.niso.org/contributor-roles/investigation/", "1")
    ]
    assert told(found, "dcterms:contributor.user") == [("rroe#other", "1")]
    assert told(found, "prov:actedOnBehalfOf") == [(JANE.orcid, "1")]
    assert told(found, "dcterms:publisher") == [(PLACE.ror, "")]


def test_what_is_known_besides_and_whence_is_told(tmp_path: Path) -> None:
    found = credits(FULL, profile(tmp_path), ABOUT)
    assert told(found, "acq:request") == [("RQ4F7K2MT", "")]
    assert told(found, "dcterms:isPartOf") == [("P-1", "")]
    assert told(found, "dcterms:license") == [("CC0", "")], "the profile's, if the request has none"
    assert told(found, "acq:attribution") == [("resolved", "")]
    assert told(found, "acq:attribution.source") == [
        ("operator: session, number 3", ""), ("scientist: session, number 3", ""),
    ]  # fmt: skip
    assert told(found, "acq:attribution.conflict") == [("project: session and path differ", "")]


def test_an_operator_without_a_scientist_acted_for_nobody(tmp_path: Path) -> None:
    alone = Attribution(Resolution.PARTIAL, (), RICHARD, (Contributor(RICHARD, "DataCollector"),))
    assert told(credits(alone, profile(tmp_path), ABOUT), "prov:actedOnBehalfOf") == []


def test_of_nobody_only_that_is_told(tmp_path: Path) -> None:
    found = credits(Attribution(), profile(tmp_path), ABOUT)
    assert found == [Avu("dcterms:license", "CC0"), Avu("acq:attribution", "unresolved")]


def test_the_sanger_s_form_has_no_units_and_loses_nobody(tmp_path: Path) -> None:
    found = credits(FULL, profile(tmp_path, "npg"), ABOUT)
    assert {avu.unit for avu in found} == {""}
    assert told(found, "dcterms:creator") == [(JANE.orcid, ""), ("Smith, Anna", "")]
    assert told(found, "dcterms:contributor") == [
        ("Roe, Richard (DataCollector, https://orcid.org/0000-0001-5109-3700, rroe#other)", ""),
        ("Smith, Anna (ProjectLeader)", ""),
        ("BIC (HostingInstitution, https://ror.org/03yrm5c26)", ""),
    ]


@pytest.fixture(scope="module")
def schema() -> Schema:
    """ManGO's own reading of the schema that is shipped."""
    return Schema(Path(str(files("watcher.provenance") / "mango-acquisition.json")))


def test_mango_itself_reads_what_is_written_for_it(tmp_path: Path, schema: Schema) -> None:
    from irods.meta import iRODSMeta

    found = [avu for avu in credits(FULL, profile(tmp_path, "mango"), ABOUT) if avu.attribute.startswith("mgs.")]
    assert told(found, "mgs.acquisition.__version__") == [(MANGO_VERSION, "")] == [(schema.version, "")]
    metadata = schema.from_avus(
        [iRODSMeta(avu.attribute, avu.value, avu.unit or None) for avu in found if "__version__" not in avu.attribute]
    )
    assert metadata["creator"] == [
        {"name": "Doe, Jane", "orcid": JANE.orcid, "user": "jdoe#home", "affiliation": "https://ror.org/1"},
        {"name": "Smith, Anna", "affiliation": "Genes"},
    ]
    assert [one["role"] for one in metadata["contributor"]] == ["DataCollector", "ProjectLeader", "HostingInstitution"]
    assert (metadata["title"], metadata["request"], metadata["channels"]) == ("cells", "RQ4F7K2MT", "DAPI, GFP")
    schema.validate(metadata)
    again = {(avu.name, avu.value, avu.units or "") for avu in schema.to_avus(metadata)}
    assert {tuple(avu) for avu in found} <= again | {("mgs.acquisition.__version__", MANGO_VERSION, "")}


def test_the_schema_for_mango_has_the_version_that_is_written(schema: Schema) -> None:
    text = (files("watcher.provenance") / "mango-acquisition.json").read_text(encoding="utf-8")
    assert json.loads(text)["version"] == MANGO_VERSION


_TEXTS = st.text(max_size=3000)
_PERSONS = st.builds(
    Person, st.text(min_size=1, max_size=3000), _TEXTS, st.just("a@b.c"), st.none(), _TEXTS, st.booleans()
)
_ATTRIBUTIONS = st.builds(
    Attribution,
    st.sampled_from(Resolution),
    st.lists(_PERSONS, max_size=3).map(tuple),
    st.none() | _PERSONS,
    st.lists(st.builds(Contributor, _PERSONS, st.just("Researcher"), st.just("software")), max_size=3).map(tuple),
    st.none(),
    st.fixed_dictionaries({}, optional={"sample": _TEXTS, "instructions": _TEXTS, "project": _TEXTS}),
)


@given(attribution=_ATTRIBUTIONS, vocabulary=st.sampled_from(["dcterms", "mango", "npg"]))
def test_any_attribution_fits_a_catalogue_in_any_words(
    tmp_path_factory: pytest.TempPathFactory, attribution: Attribution, vocabulary: str
) -> None:
    folder = _folder(tmp_path_factory)
    found = fitting(credits(attribution, profile(folder, vocabulary), ABOUT))
    assert len(set(found)) == len(found)
    for avu in found:
        assert is_credit(avu.attribute)
        assert 0 < len(avu.value.encode()) <= 2700
        assert len(avu.unit.encode()) <= 250
        assert "a@b.c" not in avu.value, "an e-mail address is nobody's business"
    if vocabulary != "npg":
        units = [avu.unit for avu in found if avu.attribute in {"dcterms:creator", "mgs.acquisition.creator.name"}]
        assert units == [str(number) for number in range(1, len(attribution.creators) + 1)]


_FOLDERS: dict[str, Any] = {}


def _folder(factory: pytest.TempPathFactory) -> Path:
    if "one" not in _FOLDERS:
        _FOLDERS["one"] = Path(factory.mktemp("profiles"))
    found: Path = _FOLDERS["one"]
    return found


def test_who_is_credited_is_read_back_from_the_metadata(tmp_path: Path) -> None:
    found = credited_in(fitting(credits(FULL, profile(tmp_path), ABOUT)))
    assert found.state is Resolution.RESOLVED
    assert [(one.name, one.orcid) for one in found.creators] == [("Doe, Jane", JANE.orcid), ("Smith, Anna", "")]
    assert found.operator is not None
    assert (found.operator.name, found.operator.orcid) == ("Roe, Richard", RICHARD.orcid)
    assert [(one.who.name, one.role, one.credit) for one in found.contributors] == [
        ("Roe, Richard", "DataCollector", "investigation"),
        ("Smith, Anna", "ProjectLeader", ""),
        ("BIC", "HostingInstitution", ""),
    ]
    told_of = {key: value for key, value in FULL.facts.items() if key != "channels"}
    assert found.facts == {**told_of, "licence": "CC0"}
    assert (found.sources, found.conflicts) == (FULL.sources, FULL.conflicts)


def test_metadata_that_somebody_else_wrote_make_nobody_an_author() -> None:
    strange = [Avu("dcterms:creator", "Mallory", "first"), Avu("acq:attribution", "splendid"), Avu("x", "y")]
    assert credited_in(strange).creators == ()
    assert credited_in(strange).state is Resolution.UNRESOLVED
