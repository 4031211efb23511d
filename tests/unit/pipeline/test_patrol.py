"""Rounds through a watched folder: nothing that the system told of is passed over, whatever else is due."""

import os
import threading

import pytest

from tests.unit.pipeline.conftest import Bench
from watcher.errors import WatchFolderError
from watcher.model import State
from watcher.pipeline.hints import Hints
from watcher.pipeline.patrol import DEEP_AFTER_LOSS, Patrol


class Told(Hints):
    """Events as a test wants them; they can be switched off, and lost."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench.root, threading.Event())
        self.lost = False
        self.up = True

    @property
    def alive(self) -> bool:
        return self.up

    def start(self) -> None:
        self.up = True

    def take(self) -> tuple[set[str], bool]:
        folders, lost = super().take()
        lost, self.lost = lost or self.lost, False
        return folders, lost

    def tell(self, path: str) -> None:
        with self._lock:
            self._add(path, is_directory=False)


class Rounds:
    """A patrol whose rounds a test makes one by one."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.hints = Told(bench)
        self.patrol = Patrol(bench.watching, self.hints, lambda *_: None)

    def round(self) -> float:
        return self.patrol.round(self.bench.clock.now(), lambda *_: None)

    def publish(self) -> None:
        """A set that is published, in a folder that has not changed for long."""
        (self.bench.root / "a.dat").write_bytes(b"first")
        os.utime(self.bench.root, (0, 0))
        self.bench.settings["watch"][0]["sweep"] = "1m"
        self.bench.finish()
        assert self.bench.only().state is State.PUBLISHED
        self.round()

    def rewrite(self) -> None:
        """The file is written anew in its place, of which no folder's time tells."""
        (self.bench.root / "a.dat").write_bytes(b"second and longer")

    @property
    def noticed(self) -> bool:
        return any(one.state is not State.PUBLISHED for one in self.bench.journal.sets.in_states())


@pytest.fixture
def rounds(bench: Bench) -> Rounds:
    made = Rounds(bench)
    made.publish()
    return made


def test_an_event_is_looked_into_though_a_sweep_is_due_at_that_moment(rounds: Rounds) -> None:
    rounds.rewrite()
    rounds.hints.tell(str(rounds.bench.root / "a.dat"))
    rounds.bench.clock.advance(rounds.bench.watching.watch.sweep + 1)
    rounds.round()
    assert rounds.noticed


def test_without_an_event_only_a_deep_sweep_sees_it(rounds: Rounds) -> None:
    rounds.rewrite()
    rounds.bench.clock.advance(rounds.bench.watching.watch.sweep + 1)
    rounds.round()
    assert not rounds.noticed, "else the other tests here show nothing"


@pytest.mark.parametrize("how", ["too many", "the observer died"])
def test_soon_after_events_were_lost_everything_is_looked_at(rounds: Rounds, how: str) -> None:
    rounds.bench.clock.advance(600)
    rounds.rewrite()
    if how == "too many":
        rounds.hints.lost = True
    else:
        rounds.hints.up = False
    rounds.round()
    rounds.bench.clock.advance(DEEP_AFTER_LOSS + 1)
    rounds.round()
    assert rounds.noticed


def test_an_event_is_kept_while_the_folder_cannot_be_read(rounds: Rounds) -> None:
    rounds.rewrite()
    rounds.hints.tell(str(rounds.bench.root / "a.dat"))
    away = rounds.bench.root.with_name("away")
    rounds.bench.root.rename(away)
    with pytest.raises(WatchFolderError):
        rounds.round()
    away.rename(rounds.bench.root)
    rounds.round()
    assert rounds.noticed
