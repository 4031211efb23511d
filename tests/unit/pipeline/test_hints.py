"""Events of the system say where to look sooner: with a real observer on a real folder."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from watchdog.events import DirModifiedEvent, FileModifiedEvent, FileOpenedEvent

import watcher.pipeline.hints
from watcher.pipeline.hints import Hints

PATIENCE = 10.0


class Listening:
    """Hints on a folder, and waiting for them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.wake = threading.Event()
        self.hints = Hints(root, self.wake)
        self.hints.start()

    def folders(self, wanted: str) -> set[str]:
        """What was told until this folder was among it."""
        told: set[str] = set()
        while wanted not in told:
            assert self.wake.wait(PATIENCE), f"no event told of {wanted!r}, only of {told}"
            self.wake.clear()
            folders, _ = self.hints.take()
            told |= folders
        return told


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Listening]:
    """A watched folder with a folder in it."""
    (tmp_path / "sub").mkdir()
    made = Listening(tmp_path)
    yield made
    made.hints.stop()


@pytest.mark.parametrize(
    ("act", "folder"),
    [
        (lambda root: (root / "a").write_text("x"), ""),
        (lambda root: (root / "sub" / "a").write_text("x"), "sub"),
        (lambda root: (root / "sub").rename(root / "other"), "other"),
        (lambda root: (root / "new").mkdir(), "new"),
        (lambda root: (root / os.fsdecode(b"b\xff")).mkdir(), "b\udcff"),
    ],
    ids=["a file", "a file in a folder", "a renamed folder", "a new folder", "a name that is no text"],
)
def test_what_happens_in_a_folder_is_told(listening: Listening, act: Callable[[Path], object], folder: str) -> None:
    act(listening.root)
    listening.folders(folder)


def test_what_was_told_once_is_not_told_again(listening: Listening) -> None:
    listening.hints.on_any_event(FileModifiedEvent(str(listening.root / "sub" / "a")))
    assert listening.hints.take() == ({"sub"}, False)
    assert listening.hints.take() == (set(), False)


def test_reading_a_file_is_no_event(tmp_path: Path) -> None:
    wake = threading.Event()
    hints = Hints(tmp_path, wake)
    hints.on_any_event(FileOpenedEvent(str(tmp_path / "a")))
    assert hints.take() == (set(), False)
    assert not wake.is_set()


def test_too_many_folders_are_told_as_everything(tmp_path: Path) -> None:
    hints = Hints(tmp_path, threading.Event())
    for number in range(5000):
        hints.on_any_event(FileModifiedEvent(str(tmp_path / f"d{number}" / "a")))
    folders, everything = hints.take()
    assert everything
    assert len(folders) <= 1001
    assert hints.take() == (set(), False)


def test_what_is_not_below_the_watched_folder_is_not_told(tmp_path: Path) -> None:
    hints = Hints(tmp_path / "data", threading.Event())
    for path in (tmp_path / "data2" / "a", tmp_path / "a", tmp_path):
        hints.on_any_event(DirModifiedEvent(str(path)))
    assert hints.take() == (set(), False)
    hints.on_any_event(DirModifiedEvent(str(tmp_path / "data")))
    assert hints.take() == ({""}, False)


def test_a_missing_folder_gives_no_hints_and_says_why(tmp_path: Path) -> None:
    hints = Hints(tmp_path / "nowhere", threading.Event())
    hints.start()
    assert not hints.alive
    assert hints.trouble != ""
    (tmp_path / "nowhere").mkdir()
    hints.start()
    assert hints.alive
    assert hints.trouble == ""
    hints.stop()


def test_a_system_that_has_no_more_events_gives_no_hints_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OSError(24, "inotify instance limit reached")

    monkeypatch.setattr(watcher.pipeline.hints, "Observer", refuse)
    hints = Hints(tmp_path, threading.Event())
    hints.start()
    assert not hints.alive
    assert "inotify instance limit reached" in hints.trouble
    hints.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is of Linux")
def test_a_folder_too_large_for_events_gives_no_hints_and_leaves_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from watchdog.observers.inotify import InotifyEmitter

    def refuse(self: object) -> None:
        raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr(InotifyEmitter, "on_thread_start", refuse)
    hints = Hints(tmp_path, threading.Event())
    hints.start()
    assert not hints.alive
    assert "inotify watch limit reached" in hints.trouble
    hints.stop()


def test_after_the_watched_folder_was_lost_there_are_no_more_hints(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    listening = Listening(root)
    assert listening.hints.alive
    root.rmdir()
    for _ in range(20):
        if not listening.hints.alive:
            break
        listening.wake.wait(0.1)
        listening.wake.clear()
    assert not listening.hints.alive
    listening.hints.stop()
