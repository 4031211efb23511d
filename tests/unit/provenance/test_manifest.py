"""The manifest is what sha256sum reads, for every name that a member can have in a store."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from watcher import names
from watcher.model import FileFacts, Member
from watcher.provenance import manifest


def member(target: str, content: bytes = b"x") -> Member:
    digest = hashlib.sha256(content).hexdigest()
    return Member("p", FileFacts(len(content), 0, ""), target, digest)


def test_the_lines_are_digest_and_name_in_order() -> None:
    text = manifest.text([member("b"), member("a/c", b"y")])
    x, y = hashlib.sha256(b"x").hexdigest(), hashlib.sha256(b"y").hexdigest()
    assert sorted(text.splitlines()) == sorted([f"{x}  b", f"{y}  a/c"])
    assert text.endswith("\n")


def test_the_order_of_the_members_does_not_matter() -> None:
    members = [member(name, name.encode()) for name in "dacb"]
    assert manifest.text(members) == manifest.text(sorted(members, key=lambda one: one.target))


def test_the_lines_are_sorted_by_the_names_as_is_said() -> None:
    listing = manifest.text([member(name, name.encode()) for name in ("d", "a", "c", "b")])
    assert [line.split("  ")[1] for line in listing.splitlines()] == ["a", "b", "c", "d"]


def test_an_empty_set_has_an_empty_manifest() -> None:
    assert manifest.text([]) == ""


def test_a_member_that_was_not_sent_is_a_mistake_of_the_program() -> None:
    with pytest.raises(ValueError, match="has not been sent"):
        manifest.text([Member("a", FileFacts(1, 1, ""), "a")])


NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=()), min_size=1, max_size=40).filter(
    lambda name: name not in {".", ".."}
)


@settings(max_examples=25, deadline=None)
@given(found=st.sets(NAMES, min_size=1, max_size=4))
@example(found={"-"})
def test_sha256sum_accepts_the_manifest_of_any_names(tmp_path_factory: pytest.TempPathFactory, found: set[str]) -> None:
    folder = Path(tmp_path_factory.mktemp("collection"))
    targets = [names.legal_path(name) for name in found]
    for target in targets:
        (folder / target).write_bytes(target.encode())
    (folder / manifest.NAME).write_bytes(manifest.text([member(t, t.encode()) for t in targets]).encode())
    done = subprocess.run(["sha256sum", "--strict", "-c", manifest.NAME], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b"OK\n") == len(targets)


@given(found=st.dictionaries(NAMES, st.binary(max_size=4), max_size=8))
def test_a_manifest_is_read_as_it_was_written(found: dict[str, bytes]) -> None:
    members = [member(names.legal_path(name), content) for name, content in found.items()]
    parsed = manifest.parse(manifest.text(members))
    assert parsed == {one.target: one.sha256 for one in members}
    assert list(parsed) == sorted(parsed)


def test_a_manifest_of_sha256sum_itself_is_read(tmp_path: Path) -> None:
    found = ["plain", "back\\slash", "line\nend", "carriage\rreturn", " spaces "]
    for name in found:
        (tmp_path / name).write_bytes(name.encode())
    command = ["sha256sum", "--binary", "--", *found]
    listing = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout.decode()
    assert manifest.parse(listing) == {name: hashlib.sha256(name.encode()).hexdigest() for name in found}


@pytest.mark.parametrize(
    ("listing", "what"),
    [
        ("no digest", "line 1 is not"),
        (f"{'0' * 64}  a\n{'0' * 63}  b\n", "line 2 is not"),
        (f"{'0' * 64}  \n", "line 1 is not"),
        ("\n", "line 1 is not"),
        (f"{'0' * 64}  a\n{'1' * 64}  a\n", "line 2 names a file again"),
    ],
)
def test_what_is_no_manifest_is_refused_with_its_line(listing: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        manifest.parse(listing)


def test_the_digest_is_that_of_the_text() -> None:
    members = [member("b"), member("a\\c")]
    assert manifest.digest(members) == hashlib.sha256(manifest.text(members).encode()).hexdigest()
