"""Reading the log while it is written: nothing is lost, nothing comes twice, whichever file it is in."""

import itertools
import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.logs.files import Files, numbered
from watcher.logs.reading import Event, Level, Reader, at, at_least


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., None]:
    """Writes an event; files are begun anew after two or three."""
    counter = itertools.count()

    def one(level: str = "info", **about: object) -> None:
        number = next(counter)
        event = {"timestamp": f"2026-11-27T10:{number // 60:02d}:{number % 60:02d}.000Z", "level": level, "n": number}
        files = Files(tmp_path, lambda _: None, size=200)
        files.handle(logging.LogRecord("x", logging.INFO, "", 0, json.dumps(event | about), None, None))
        files.close()

    return one


def everything(_: Event) -> bool:
    return True


def last(folder: Path, *how: float | None) -> list[int]:
    with Reader(folder, everything) as reader:
        return numbers(reader.last(*how))  # type: ignore[arg-type]


def numbers(events: object) -> list[int]:
    return [event["n"] for event in events]  # type: ignore[attr-defined]


def test_the_last_lines_come_in_their_order_over_files(tmp_path: Path, write: Callable[..., None]) -> None:
    for _ in range(12):
        write()
    assert len(numbered(tmp_path)) > 3
    assert last(tmp_path, 5) == [7, 8, 9, 10, 11]
    assert last(tmp_path, None) == list(range(12))
    assert last(tmp_path, 0) == []


def test_all_since_a_time(tmp_path: Path, write: Callable[..., None]) -> None:
    for _ in range(12):
        write()
    since = at({"timestamp": "2026-11-27T10:00:04.000Z"})
    assert last(tmp_path, None, since) == list(range(4, 12))
    assert last(tmp_path, 3, since) == [9, 10, 11]


def test_only_what_is_wanted(tmp_path: Path, write: Callable[..., None]) -> None:
    for number in range(12):
        write("warning" if number % 3 == 0 else "info")
    reader = Reader(tmp_path, lambda event: at_least(event, Level.WARNING))
    assert numbers(reader.last(3)) == [3, 6, 9]
    write("info")
    write("critical")
    assert numbers(reader.more()) == [13]
    reader.close()


@pytest.mark.parametrize("before", [0, 1, 5])
def test_what_comes_is_followed_from_file_to_file(tmp_path: Path, write: Callable[..., None], before: int) -> None:
    for _ in range(before):
        write()
    reader = Reader(tmp_path, everything)
    seen = numbers(reader.last(None))
    for rest in range(20):
        for _ in range(rest % 4):
            write()
        seen += numbers(reader.more())
    assert seen == list(range(len(seen)))
    assert len(seen) == before + 30
    reader.close()


def test_a_reader_that_is_far_behind_goes_on_with_what_is_left(tmp_path: Path, write: Callable[..., None]) -> None:
    write()
    reader = Reader(tmp_path, everything)
    reader.last(None)
    for _ in range(100):
        write()
    seen = numbers(reader.more())
    assert seen[-10:] == list(range(91, 101))
    assert seen == sorted(set(seen))
    reader.close()


def test_half_a_line_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "watcher-000001.jsonl"
    path.write_bytes(b'{"n": 0}\n{"n"')
    reader = Reader(tmp_path, everything)
    assert numbers(reader.last(None)) == [0]
    assert numbers(reader.more()) == []
    with path.open("ab") as file:
        file.write(b': 1}\nno json\n[1]\n\xff\xfe\n{"n": 2}\n')
    assert numbers(reader.more()) == [1, 2]
    reader.close()


def test_where_there_is_no_log_there_are_no_lines(tmp_path: Path) -> None:
    with Reader(tmp_path / "none", everything) as reader:
        assert (reader.last(10), list(reader.more())) == ([], [])


@settings(max_examples=50)
@given(st.lists(st.tuples(st.text(), st.booleans())))
def test_any_text_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, said: list[tuple[str, bool]]) -> None:
    folder = tmp_path_factory.mktemp("log")
    files = Files(folder, lambda _: None, size=100, most=1000)
    seen: list[Event] = []
    with Reader(folder, everything) as reader:
        for text, look in said:
            files.handle(logging.LogRecord("x", logging.INFO, "", 0, json.dumps({"text": text}), None, None))
            seen += reader.more() if look else ()
        seen += reader.more()
    files.close()
    assert [event["text"] for event in seen] == [text for text, _ in said]
