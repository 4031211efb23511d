"""The folder of pictures: nothing leads out of it, and it does not grow for ever."""

import os
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from watcher.errors import JournalError
from watcher.thumbnails import Cache, thumbnail

SET = "urn:uuid:12345678-1234-5678-1234-567812345678"
OTHER = "urn:uuid:87654321-1234-5678-1234-567812345678"


def test_what_was_put_there_is_found_by_identifier_with_and_without_its_beginning(tmp_path: Path) -> None:
    Cache(tmp_path).put(SET, b"png")
    path = thumbnail(tmp_path, SET)
    assert path == tmp_path / "thumbnails" / "12345678-1234-5678-1234-567812345678.png"
    assert path.read_bytes() == b"png"
    assert thumbnail(tmp_path, SET.removeprefix("urn:uuid:")) == path
    assert thumbnail(tmp_path, OTHER) is None
    assert os.listdir(tmp_path / "thumbnails") == [path.name]


def test_a_set_without_a_picture_is_remembered_with_the_reason(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert cache.known() == set()
    cache.refuse(SET, "nothing in it can be shown")
    cache.put(OTHER, b"png")
    assert thumbnail(tmp_path, SET) is None
    assert Cache(tmp_path).known() == {SET, OTHER}


_TEXTS = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ["../secret", "..", "/etc/passwd", "", "urn:uuid:", "urn:uuid:../secret", "secret", "C:\\x", "a\0b"]
    ),
    st.uuids().map(lambda one: f"../{one}"),
    st.uuids().map(lambda one: f"{one}/../../secret"),
    st.uuids().map(lambda one: f"{one}.png"),
    st.uuids().map(lambda one: f"{{{one}}}"),
    st.uuids().map(lambda one: str(one).upper()),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_TEXTS)
def test_no_text_leads_out_of_the_folder(tmp_path: Path, text: str) -> None:
    for name in ("secret.png", "secret", ".png"):
        (tmp_path / name).write_bytes(b"secret")
    (tmp_path / "thumbnails").mkdir(exist_ok=True)
    found = thumbnail(tmp_path, text)
    assert found is None or found.parent == tmp_path / "thumbnails"
    if found is not None:
        assert str(uuid.UUID(found.stem)) == found.stem


def test_what_is_not_among_the_newest_goes_and_what_a_killed_process_left(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.keep_only([])
    cache.put(SET, b"png")
    cache.put(OTHER, b"png")
    cache.refuse("urn:uuid:00000000-1234-5678-1234-567812345678", "why")
    (tmp_path / "thumbnails" / ".tmpx1y2").write_bytes(b"half")
    cache.keep_only([SET])
    assert os.listdir(tmp_path / "thumbnails") == ["12345678-1234-5678-1234-567812345678.png"]


def test_a_folder_that_cannot_be_written_is_told_like_the_journal(tmp_path: Path) -> None:
    (tmp_path / "thumbnails").write_bytes(b"a file")
    with pytest.raises(JournalError, match="thumbnails"):
        Cache(tmp_path).put(SET, b"png")
