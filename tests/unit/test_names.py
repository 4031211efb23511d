"""Names of files as the store can hold them."""

import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from watcher import names
from watcher.errors import NameRefused

# Names as any file system may give them, rich in what the escapes are made of.
_ESCAPING = st.text(
    alphabet="%0125678ABCDEFabcdefu\x00\x1f\x7f\x80\x9f\udc80\udcff\ud800\uffff xé", min_size=1, max_size=12
)
_SIDECAR_LIKE = st.sampled_from(
    [f"{prefix}{name[1:]}" for name in names.SIDECARS for prefix in (name[0], "%6D", "%4D")]
)
_ANY = st.text(alphabet=st.characters(), min_size=1, max_size=20)
NAMES = st.one_of(_ESCAPING, _SIDECAR_LIKE, _ANY).filter(lambda name: name not in {".", ".."} and "/" not in name)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


@settings(deadline=None)
@given(NAMES)
def test_the_name_on_the_disk_can_be_told_again(name: str) -> None:
    assert names.original(names.legal(name)) == name


@settings(deadline=None)
@given(NAMES, NAMES)
@example("a%01", "a\x01")
@example("%25", "%")
@example("%2501", "%01")
@example("%80", "\udc80")
@example("%uD800", "\ud800")
@example("%u0085", "\x85")
@example("%uFFFF", "\uffff")
def test_two_names_never_become_one(one: str, other: str) -> None:
    assert (names.legal(one) == names.legal(other)) == (one == other)


@settings(deadline=None)
@given(PATHS, PATHS)
@example("manifest-sha256.txt", "%6Danifest-sha256.txt")
@example("%256Danifest-sha256.txt", "%6Danifest-sha256.txt")
@example("a/manifest-sha256.txt", "a/%6Danifest-sha256.txt")
def test_two_paths_never_become_one(one: str, other: str) -> None:
    assert (names.legal_path(one) == names.legal_path(other)) == (one == other)


@settings(deadline=None)
@given(PATHS)
def test_a_path_can_be_told_again(path: str) -> None:
    assert names.original_path(names.legal_path(path)) == path


@settings(deadline=None)
@given(st.sets(PATHS, min_size=2, max_size=8))
def test_no_path_of_a_set_takes_the_place_of_another(paths: set[str]) -> None:
    assert len({names.legal_path(path) for path in paths}) == len(paths)


@settings(deadline=None)
@given(NAMES)
def test_what_comes_out_can_be_stored(name: str) -> None:
    legal = names.legal(name)
    legal.encode("utf-8")
    assert not re.search(r"[\x00-\x1f\x7f-\x9f/]", legal)
    names.check(legal)
    assert ET.fromstring(f"<name>{escape(legal)}</name>".encode()).text == legal  # noqa: S314 - as python-irodsclient does


@settings(deadline=None)
@given(NAMES)
def test_a_name_without_anything_like_an_escape_stays_as_it_is(name: str) -> None:
    if "%" not in names.legal(name):
        assert names.legal(name) == name
        assert names.original(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "50%20x.tif",
        "100%.tif",
        "%0a lower case is not ours",
        " leading and trailing ",
        "a'b\"c&d;e`f.tif",
        "naïve 😀.tif",
        "e\u0301.tif",
        "back\\slash",
        "...",
        ".hidden",
    ],
)
def test_ordinary_names_stay_untouched(name: str) -> None:
    assert names.legal(name) == name


@pytest.mark.parametrize(
    ("name", "legal"),
    [
        ("line\nend", "line%0Aend"),
        ("del\x7f", "del%7F"),
        (os.fsdecode(b"caf\xe9.tif"), "caf%E9.tif"),
        ("half \ud83d", "half %uD83D"),
        ("next\x85line", "next%u0085line"),
        ("no character \uffff", "no character %uFFFF"),
        ("a%u0085b", "a%25u0085b"),
        ("a%u00E9b", "a%u00E9b"),
        ("a%0Ab", "a%250Ab"),
        ("a%25b", "a%2525b"),
        ("a%E9b", "a%25E9b"),
        ("%%0A", "%%250A"),
    ],
)
def test_what_no_store_can_hold_is_escaped(name: str, legal: str) -> None:
    assert names.legal(name) == legal
    assert names.original(legal) == name


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/"])
def test_what_is_no_name_is_refused(name: str) -> None:
    for function in (names.legal, names.check):
        with pytest.raises(NameRefused, match=re.escape(f"{name!r}: this is not the name of one file or folder")):
            function(name)


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", "../a", "a/./b", "manifest-sha256.txt/.."])
def test_a_path_that_leaves_its_place_is_refused(path: str) -> None:
    with pytest.raises(NameRefused):
        names.legal_path(path)


@pytest.mark.parametrize("name", ["a\nb", "\x7f", os.fsdecode(b"\xe9")])
def test_check_refuses_what_legal_would_change(name: str) -> None:
    with pytest.raises(NameRefused, match="a name cannot hold the character"):
        names.check(name)


def test_a_member_cannot_take_the_place_of_a_sidecar() -> None:
    assert names.legal_path("manifest-sha256.txt") == "%6Danifest-sha256.txt"
    assert names.legal_path("RO-Crate-Metadata.json") == "%52O-Crate-Metadata.json"
    assert names.legal_path("manife\u017ft-sha256.txt") == "%6Danife\u017ft-sha256.txt"
    assert names.legal_path("irods-watcher.json/a") == "%69rods-watcher.json/a"
    assert names.legal_path("a/manifest-sha256.txt") == "a/manifest-sha256.txt"


def test_lengths_are_counted_in_bytes_and_the_long_name_is_told() -> None:
    names.check_length("/zone/" + "é" * 500)
    with pytest.raises(NameRefused, match="é: this name is 1002 bytes long, and the store takes 1000"):
        names.check_length("/zone/" + "é" * 501)
    names.check_length("/" + "a" * 500 + "/" + "b" * 585)
    with pytest.raises(NameRefused, match="b: this path is 1088 bytes long, and the store takes 1087"):
        names.check_length("/" + "a" * 500 + "/" + "b" * 586)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@settings(deadline=None, max_examples=30)
@given(st.lists(NAMES, min_size=20, max_size=20))
def test_a_shell_reads_the_name_as_it_is(found: list[str]) -> None:
    # What no Unix disk can hold: half characters that are not bytes, and NUL.
    wanted = [name for name in found if not re.search(r"[\x00\ud800-\udc7f\udd00-\udfff]", name)]
    script = f"printf '%s\\0' {' '.join(map(names.in_shell, wanted))}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}
    )
    assert done.stdout.split(b"\0")[: len(wanted)] == [os.fsencode(name) for name in wanted]


@pytest.mark.parametrize(
    ("paths", "pair"),
    [
        (["a", "b", "a/b"], None),
        (["A.tif", "b.tif", "a.tif"], ("A.tif", "a.tif")),
        (["x/A.tif", "y/a.tif"], None),
        (["Run/1.tif", "Run/2.tif", "run/3.tif"], ("Run", "run")),
        (["a/Run/1.tif", "a/run/1.tif"], ("a/Run/1.tif", "a/run/1.tif")),
        (["a/Run", "a/run/1.tif"], ("a/Run", "a/run")),
    ],
)
def test_names_that_a_disk_makes_one_are_found(paths: list[str], pair: tuple[str, str] | None) -> None:
    assert names.merged(paths, str.casefold) == pair
    assert names.merged(paths, lambda name: name) is None


@settings(deadline=None)
@given(st.lists(st.text("aAbB/", min_size=1, max_size=6).filter(lambda path: "" not in path.split("/")), max_size=8))
def test_exactly_the_names_that_a_disk_makes_one_are_found(paths: list[str]) -> None:
    places = {"/".join(path.split("/")[: depth + 1]) for path in paths for depth in range(path.count("/") + 1)}
    assert (names.merged(paths, str.casefold) is None) == (len({place.casefold() for place in places}) == len(places))
