"""What the names of folders say."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.profile.capture import UNKNOWN, Capture

_FOLDERS = st.lists(st.text(st.characters(exclude_characters="/\0"), min_size=1).filter(lambda n: n != "."), max_size=4)


@pytest.mark.parametrize(
    ("pattern", "folder", "expected"),
    [
        ("{group}/{user}/", "bio/jane/2026/run1", {"group": "bio", "user": "jane"}),
        ("{group}/{user}", "bio/jane", {"group": "bio", "user": "jane"}),
        ("{group}/{user}/", "bio", {"group": "bio", "user": UNKNOWN}),
        ("{group}/{user}/", ".", {"group": UNKNOWN, "user": UNKNOWN}),
        ("{date}_{user}/", "2026-11-23_jane_doe", {"date": "2026-11-23", "user": "jane_doe"}),
        ("{date}_{user}/", "calibration", {"date": UNKNOWN, "user": UNKNOWN}),
        ("raw (1)/{user}/", "raw (1)/jane", {"user": "jane"}),
        ("user {user}/", "user two\nlines", {"user": "two\nlines"}),
        ("{{{user}}}/", "{jane}", {"user": "jane"}),
        ("", "bio/jane", {}),
    ],
)
def test_the_leading_folders_are_read(pattern: str, folder: str, expected: dict[str, str]) -> None:
    assert Capture(pattern).match(PurePosixPath(folder)) == expected


def test_depth_and_names_are_known() -> None:
    capture = Capture("{date}_{user}/raw/{project}/")
    assert (capture.depth, capture.names) == (3, ("date", "user", "project"))
    assert (Capture("").depth, Capture("").names) == (0, ())


@settings(deadline=None)
@given(_FOLDERS)
def test_every_folder_gives_every_field_a_value(folders: list[str]) -> None:
    capture = Capture("{date}_{user}/{project}/")
    values = capture.match(PurePosixPath(*folders))
    assert set(values) == set(capture.names)
    assert all(values.values())


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("/{group}/", "it must be names of folders with one / between them"),
        ("{group}//{user}", "it must be names of folders with one / between them"),
        ("../{user}", "it must be names of folders with one / between them"),
        ("{a}{b}", "two fields touch each other"),
        ("{a}/{a}", r"\{a\} stands there twice"),
        ("{a}_{a}", r"\{a\} stands there twice"),
        ("{set}/", r"\{set\} is known without any folder"),
        ("{host}/", r"\{host\} is known without any folder"),
        ("{a", "a brace is open or left over"),
        ("a}", "a brace is open or left over"),
        ("{}", r"\{\} is not a field"),
        ("{0}", r"\{0\} is not a field"),
        ("{a.b}", r"\{a\.b\} is not a field"),
        ("{a[0]}", r"\{a\[0\]\} is not a field"),
        ("{a!r}", r"\{a!r\} is not a field"),
        ("{a:4}", r"\{a:4\} is not a field"),
        ("{User}", r"\{User\} is not a field"),
    ],
)
def test_a_pattern_that_cannot_work_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        Capture(pattern)
