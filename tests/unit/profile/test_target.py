"""Where a set goes."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher import names
from watcher.errors import NameRefused
from watcher.profile.target import FIELDS, Template

VALUES = dict.fromkeys(FIELDS, "x") | {"year": "2026", "instrument": "LSM", "set": "cell 1", "folder": "bio/jane"}


@pytest.mark.parametrize(
    ("text", "base", "filled"),
    [
        ("/zone/home/{year}/{instrument}/{set}", "/zone/home", "/zone/home/2026/LSM/cell 1"),
        ("/zone/{year}_{set}.dir", "/zone", "/zone/2026_cell 1.dir"),
        ("/zone/folder/{folder}/{set}", "/zone/folder", "/zone/folder/bio/jane/cell 1"),
        ("{instrument}/{folder}/{set}", "", "LSM/bio/jane/cell 1"),
        ("all/{set}", "all", "all/cell 1"),
        ("{{a}}/{set}", "{a}", "{a}/cell 1"),
    ],
)
def test_a_template_has_a_fixed_part_and_is_filled(text: str, base: str, filled: str) -> None:
    template = Template(text, FIELDS)
    assert template.base == base
    assert template.fill(VALUES) == filled


@pytest.mark.parametrize("nothing", ["", "."])
def test_a_set_without_folders_has_none_in_its_collection(nothing: str) -> None:
    assert Template("/zone/{folder}/{set}", FIELDS).fill(VALUES | {"folder": nothing}) == "/zone/cell 1"


def test_captured_fields_are_fields() -> None:
    template = Template("/zone/{user}/{set}", (*FIELDS, "user"))
    assert template.names == {"user", "set"}
    assert template.fill(VALUES | {"user": "jane"}) == "/zone/jane/cell 1"


@pytest.mark.parametrize("field", ["instrument", "set"])
@pytest.mark.parametrize("value", ["", ".", "..", "a/b", "/", "../..", "a\nb", "a\0b", "\x7f", "\udce9"])
def test_a_value_that_could_leave_its_place_is_refused(field: str, value: str) -> None:
    with pytest.raises(NameRefused, match=re.escape(repr(value))):
        Template("/zone/{instrument}/{set}", FIELDS).fill(VALUES | {field: value})


@pytest.mark.parametrize("value", ["..", "/", "/a", "a/", "a//b", "a/../b", "./a", "a/b\0"])
def test_a_folder_that_could_leave_its_place_is_refused(value: str) -> None:
    with pytest.raises(NameRefused):
        Template("/zone/{folder}/{set}", FIELDS).fill(VALUES | {"folder": value})


@settings(deadline=None)
@given(st.text(), st.text(), st.text())
def test_a_filled_path_is_always_below_its_base_at_its_depth(instrument: str, name: str, folder: str) -> None:
    values = VALUES | {"instrument": instrument, "set": name, "folder": folder}
    try:
        filled = Template("/zone/home/{instrument}/{folder}/{set}", FIELDS).fill(values)
    except NameRefused:
        return
    parts = filled.split("/")
    assert parts[:3] == ["", "zone", "home"]
    assert (parts[3], parts[-1]) == (instrument, name)
    assert not {"", ".", ".."}.intersection(parts[3:])
    filled.encode()


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="/"), min_size=1).filter(lambda name: name not in {".", ".."}))
def test_every_legal_name_from_the_disk_can_be_filled_in(name: str) -> None:
    filled = Template("/zone/{set}", FIELDS).fill({"set": names.legal(name)})
    assert names.original(filled.removeprefix("/zone/")) == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it must be names with one / between them"),
        ("/", "it must be names with one / between them"),
        ("/zone//{set}", "it must be names with one / between them"),
        ("/zone/{set}/", "it must be names with one / between them"),
        ("/zone/../{set}", "it must be names with one / between them"),
        ("/zone/a\tb/{set}", "it must be names with one / between them"),
        ("/zone/home", "its last part must hold {set}"),
        ("/zone/{set}/raw", "its last part must hold {set}"),
        ("/zone/{{set}}", "its last part must hold {set}"),
        ("/zone/a{folder}/{set}", "{folder} may be several folders and must stand alone"),
        ("/zone/{folder}{set}", "{folder} may be several folders and must stand alone"),
        ("/zone/{instrment}/{set}", "{instrment} is not known here; did you mean instrument?"),
        ("/zone/{q}/{set}", "{q} is not known here; there are {year}, {month}, {day}, {date}, {instrument}, {host}"),
        ("/zone/{set.__class__}", "{set.__class__} is not a field"),
        ("/zone/{set[0]}", "{set[0]} is not a field"),
        ("/zone/{set!r}", "{set!r} is not a field"),
        ("/zone/{set:>9}", "{set:>9} is not a field"),
        ("/zone/{}/{set}", "{} is not a field"),
        ("/zone/{set", "a brace is open or left over"),
    ],
)
def test_a_template_that_cannot_work_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        Template(text, FIELDS)
