"""The files of the log: whole lines, never too many of them, and no harm to anybody when they cannot be written."""

import json
import logging
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from watcher.logs.files import Files, numbered


class Clock:
    """Time that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def write(tmp_path: Path, told: list[str], clock: Clock) -> Iterator[Callable[[str], None]]:
    """Writes a line into files of 200 bytes, three of them."""
    files = Files(tmp_path / "logs", told.append, most=3, size=200, clock=clock)

    def one(text: str) -> None:
        files.handle(logging.LogRecord("x", logging.INFO, "", 0, text, None, None))

    yield one
    files.close()


def lines(folder: Path) -> list[str]:
    return [line for path in numbered(folder / "logs").values() for line in path.read_text().splitlines()]


def test_a_line_is_written_at_once_and_for_this_account_alone(tmp_path: Path, write: Callable[[str], None]) -> None:
    write("one")
    assert lines(tmp_path) == ["one"]
    if sys.platform != "win32":
        (path,) = numbered(tmp_path / "logs").values()
        assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)


def test_full_files_are_followed_by_new_ones_and_the_oldest_go(tmp_path: Path, write: Callable[[str], None]) -> None:
    for number in range(100):
        write(f"{number:03d} {'x' * 40}")
    there = numbered(tmp_path / "logs")
    assert len(there) == 3
    assert all(path.stat().st_size <= 200 for path in there.values())
    assert [int(line[:3]) for line in lines(tmp_path)] == list(range(100))[-len(lines(tmp_path)) :]
    assert len(lines(tmp_path)) >= 2 * 4


def test_a_line_that_is_longer_than_a_file_is_still_written(tmp_path: Path, write: Callable[[str], None]) -> None:
    write("y" * 500)
    write("short")
    assert lines(tmp_path) == ["y" * 500, "short"]


def test_a_later_process_goes_on_in_the_newest_file(tmp_path: Path, told: list[str]) -> None:
    for text in ("one", "two"):
        files = Files(tmp_path / "logs", told.append)
        files.handle(logging.LogRecord("x", logging.INFO, "", 0, text, None, None))
        files.close()
    assert list(numbered(tmp_path / "logs")) == [1]
    assert lines(tmp_path) == ["one", "two"]


def test_a_line_that_was_cut_off_does_not_spoil_the_next(tmp_path: Path, write: Callable[[str], None]) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "watcher-000007.jsonl").write_text('{"cut')
    write("next")
    assert lines(tmp_path) == ['{"cut', "next"]


def test_files_of_others_are_left_alone(tmp_path: Path, write: Callable[[str], None]) -> None:
    (tmp_path / "logs").mkdir()
    for name in ("watcher-x.jsonl", "notes.txt", "watcher-000001.jsonl.gz"):
        (tmp_path / "logs" / name).write_text("mine")
    for number in range(100):
        write(f"{number} {'x' * 100}")
    assert (tmp_path / "logs" / "notes.txt").read_text() == "mine"
    assert len(list((tmp_path / "logs").iterdir())) == 3 + 3


def test_a_folder_that_is_removed_meanwhile_is_made_again(tmp_path: Path, write: Callable[[str], None]) -> None:
    write("one")
    for path in numbered(tmp_path / "logs").values():
        path.unlink()
    (tmp_path / "logs").rmdir()
    write("two")
    assert lines(tmp_path) == ["two"]


def test_a_folder_that_cannot_be_made_is_told_once_and_tried_again_each_minute(
    tmp_path: Path, write: Callable[[str], None], told: list[str], clock: Clock
) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    for _ in range(50):
        write("lost")
    assert len(told) == 1
    assert told[0].startswith(f"{tmp_path / 'logs'}: the log cannot be written (")
    (tmp_path / "logs").unlink()
    write("lost")
    assert not (tmp_path / "logs").exists(), "it is left alone for a while"
    clock.now += 61
    write("kept")
    assert lines(tmp_path) == ["kept"]
    assert told[1:] == [""]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is known on Linux only")
def test_a_full_disk_is_told_once_and_costs_only_lines(
    tmp_path: Path, write: Callable[[str], None], told: list[str], clock: Clock
) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "watcher-000001.jsonl").symlink_to("/dev/full")
    for _ in range(5):
        write("lost")
        clock.now += 61
    assert told == [f"{tmp_path / 'logs'}: the log cannot be written (No space left on device)"]
    (tmp_path / "logs" / "watcher-000001.jsonl").unlink()
    write("kept")
    assert (lines(tmp_path), told[1:]) == (["kept"], [""])


def test_a_record_that_cannot_be_told_harms_nobody(
    tmp_path: Path, write: Callable[[str], None], capsys: pytest.CaptureFixture[str], told: list[str]
) -> None:
    files = Files(tmp_path / "logs", told.append)
    files.handle(logging.LogRecord("x", logging.INFO, "", 0, "%d", ("no number",), None))
    files.close()
    write("next")
    assert lines(tmp_path) == ["next"]
    assert json.dumps(told) == "[]"
