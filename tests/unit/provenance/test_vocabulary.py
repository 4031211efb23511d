"""What a set says of itself fits a catalogue, whatever the set is called and whatever is wrong with it."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from watcher import names
from watcher.model import Attribution, FileFacts, ImageSet, Member, State
from watcher.profile import Profile, load
from watcher.provenance.vocabulary import describe

SET = ImageSet("urn:uuid:me", Path("/data"), PurePosixPath("x"), "cells", "tiff", "stem", State.VERIFIED)
AT = 1_735_686_000


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    """A profile with few words."""
    path = tmp_path / "scope.yaml"
    path.write_text(
        "instrument: {name: scope, serial: 12}\nwatch: [{path: /data}]\nstore: {kind: folder, path: /archive}\n"
    )
    return load(path)


def member(target: str = "a", *, mtime: float = AT, size: int = 5) -> Member:
    return Member(f"x/{target}", FileFacts(size, int(mtime * 1e9), ""), target, "0" * 64)


def said(profile: Profile, *members: Member, zone: ZoneInfo | None = None, **changes: Any) -> dict[str, str]:
    avus = describe(replace(SET, **changes), members or [member()], profile, zone, Attribution())
    assert len({avu.attribute for avu in avus}) == len(avus)
    return {avu.attribute: avu.value for avu in avus}


def test_no_value_is_empty_or_longer_than_the_catalogue_takes(profile: Profile) -> None:
    long = tuple(f"file {number} µ\U0001f52c is broken" for number in range(1000))
    values = said(profile, problems=long, completed_by="", format="")
    assert all(0 < len(value.encode()) <= 2700 for value in values.values())
    assert values["acq:problems"].endswith("... [the whole text is in ro-crate-metadata.json]")
    assert "dcterms:format" not in values


def test_names_that_are_no_text_can_be_written_to_a_catalogue(profile: Profile) -> None:
    values = said(
        profile, root=Path("/d\udcff"), folder=PurePosixPath("y\ud800"), problems=("b\udcff.tif: cut off",),
        completed_by="marker:\udcff",
    )  # fmt: skip
    for value in values.values():
        value.encode("utf-8")
    assert "cut off" in values["acq:problems"]


def test_times_are_those_of_the_files_in_the_zone_of_the_instrument(profile: Profile) -> None:
    values = said(profile, member("a"), member("b", mtime=AT + 60), zone=ZoneInfo("Europe/Amsterdam"))
    assert values["prov:startedAtTime"] == "2025-01-01T00:00:00+01:00"
    assert values["prov:endedAtTime"] == values["dcterms:created"] == "2025-01-01T00:01:00+01:00"


def test_without_a_zone_it_is_the_time_of_this_computer_with_its_offset(profile: Profile) -> None:
    value = said(profile)["dcterms:created"]
    assert datetime.fromisoformat(value).timestamp() == AT
    assert datetime.fromisoformat(value).tzinfo is not None


@pytest.mark.parametrize(("sound", "word"), [(True, "sound"), (False, "unsound"), (None, "unchecked")])
def test_soundness_is_one_of_three_words(profile: Profile, sound: bool | None, word: str) -> None:
    assert said(profile, sound=sound)["acq:validation"] == word


@pytest.mark.parametrize(("whole", "word"), [(True, "yes"), (False, "no"), (None, "no")])
def test_a_set_is_complete_only_if_it_is_known_to_be(profile: Profile, whole: bool | None, word: str) -> None:
    assert said(profile, whole=whole)["acq:complete"] == word


def test_numbers_are_those_of_the_members(profile: Profile) -> None:
    values = said(profile, member("a", size=5), member("b", size=0))
    assert (values["acq:num_files"], values["dcat:byteSize"]) == ("2", "5")


def test_a_person_is_never_guessed(profile: Profile) -> None:
    values = said(profile)
    assert values["acq:attribution"] == "unresolved"
    assert not {"dcterms:creator", "dcterms:contributor"} & set(values)


def test_two_descriptions_of_the_same_set_are_the_same(profile: Profile) -> None:
    assert said(profile) == said(profile)


def test_what_the_files_say_is_told_without_persons(profile: Profile) -> None:
    values = said(profile, embedded={"objective": "63x\x00\x07", "experimenter": "Doe, Jane", "computer": "JANES-PC"})
    assert values["acq:embedded.objective"] == "63x  "
    assert "Jane" not in str(values)
    assert "JANE" not in str(values)


@pytest.mark.parametrize(
    ("found", "zone", "told"),
    [
        ("2024-05-06T07:08:09", None, "2024-05-06T07:08:09"),
        ("2024-05-06T07:08:09", ZoneInfo("Europe/Amsterdam"), "2024-05-06T07:08:09+02:00"),
        ("2024-05-06T07:08:09-05:00", ZoneInfo("Europe/Amsterdam"), "2024-05-06T07:08:09-05:00"),
        ("May 2024", ZoneInfo("Europe/Amsterdam"), "May 2024"),
    ],
)
def test_a_time_has_an_offset_only_if_the_file_or_the_profile_says_it(
    profile: Profile, found: str, zone: ZoneInfo | None, told: str
) -> None:
    assert said(profile, zone=zone, embedded={"acquired": found})["acq:embedded.acquired"] == told


def test_the_true_name_of_a_member_that_could_not_keep_it_is_told(profile: Profile) -> None:
    members = [
        member(names.legal_path(name))
        for name in ("plain.tif", "50%.tif", "line\nend.tif", "caf\udce9/it's.tif", "irods-watcher.json", "a%0Ab.tif")
    ]
    avus = describe(SET, members, profile, None, Attribution())
    assert [avu.value for avu in avus if avu.attribute == "acq:member_name"] == [
        "%69rods-watcher.json: $'irods-watcher.json'",
        "a%250Ab.tif: $'a%0Ab.tif'",
        "caf%E9/it's.tif: $'caf\\xe9/it\\'s.tif'",
        "line%0Aend.tif: $'line\\x0aend.tif'",
    ]
    assert [avu.value for avu in avus if avu.attribute == "acq:member_names"] == ["4"]


def test_of_very_many_such_members_fifty_are_told_and_how_many_there_are(profile: Profile) -> None:
    avus = describe(SET, [member(f"a%0A{number}") for number in range(1000)], profile, None, Attribution())
    assert len([avu for avu in avus if avu.attribute == "acq:member_name"]) == 50
    assert [avu.value for avu in avus if avu.attribute == "acq:member_names"] == ["1000"]


def test_of_members_that_kept_their_names_nothing_is_told(profile: Profile) -> None:
    assert not [name for name in said(profile, member("50%20x \u00e9 \U0001f52c.tif")) if "member_name" in name]
