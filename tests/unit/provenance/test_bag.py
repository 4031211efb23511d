"""A bag's tag files: the usual library accepts them, and what it cannot read is told."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import bagit
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.provenance.test_manifest import NAMES
from watcher import names
from watcher.provenance import bag

INFO = [("External-Identifier", "urn:uuid:me"), ("Source-Organization", "two\nlines"), ("Bag-Group-Identifier", "")]


def bagged(folder: Path, found: Iterable[str]) -> Path:
    """A bag whose files have their names as content."""
    digests = {}
    for name in found:
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
        digests[name] = hashlib.sha256(name.encode()).hexdigest()
    for name, text in bag.tag_files(digests, INFO).items():
        (folder / name).write_bytes(text.encode())
    return folder


def as_rfc_8493_says(listing: str) -> set[str]:
    """The names in a manifest of version 1.0: what is percent-encoded there is CR, LF and the percent sign."""
    paths = [line.partition("  ")[2].removeprefix("data/") for line in listing.split("\n") if line]
    return {re.sub("%(0A|0D|25)", lambda found: chr(int(found[1], 16)), path) for path in paths}


def test_a_bag_is_valid_and_says_what_it_is(tmp_path: Path) -> None:
    found = bagit.Bag(str(bagged(tmp_path, ["a.tif", "pos 1/b c.tif"])))
    found.validate()
    assert found.info == {"External-Identifier": "urn:uuid:me", "Source-Organization": "two lines"}
    assert found.version_info == (1, 0)
    assert sorted(found.payload_files()) == ["data/a.tif", "data/pos 1/b c.tif"]


def test_a_changed_tag_file_is_noticed(tmp_path: Path) -> None:
    bagged(tmp_path, ["a.tif"])
    (tmp_path / "bag-info.txt").write_text("External-Identifier: urn:uuid:you\n")
    with pytest.raises(bagit.BagValidationError):
        bagit.Bag(str(tmp_path)).validate()


@settings(deadline=None, max_examples=60)
@example(found=["50%.tif", "100%25.tif"])
@example(found=["line%0Aend.tif"])
@example(found=["a ", "b\u2003"])
@given(found=st.lists(NAMES, min_size=1, max_size=4, unique_by=lambda name: unicodedata.normalize("NFC", name)))
def test_the_library_accepts_any_names_or_it_is_told(
    tmp_path_factory: pytest.TempPathFactory, found: list[str]
) -> None:
    targets = {names.legal_path(name) for name in found}
    folder = bagged(tmp_path_factory.mktemp("bag"), targets)
    if list(bag.remarks_on(targets)):
        with pytest.raises(bagit.BagError):
            bagit.Bag(str(folder)).validate()
    else:
        bagit.Bag(str(folder)).validate()
    if "1.0" in (folder / "bagit.txt").read_text():
        assert as_rfc_8493_says((folder / "manifest-sha256.txt").read_text("utf-8")) == targets


def test_a_name_that_the_library_misreads_is_encoded_as_the_rfc_says(tmp_path: Path) -> None:
    bagged(tmp_path, ["line%0Aend.tif"])
    assert "data/line%250Aend.tif" in (tmp_path / "manifest-sha256.txt").read_text()
    assert "%0A" in next(iter(bag.remarks_on(["line%0Aend.tif"])))


def test_names_that_look_the_same_are_told() -> None:
    assert list(bag.remarks_on(["e\u0301", "\u00e9", "e"])) == [
        "e\u0301 and \u00e9: bagit-python may take one of these for the other, since they look the same"
    ]
