"""What is around the program goes wrong: the disk of its journal, the clock, the watched folder, the events."""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.faults.facility import Facility, facility, fresh_name
from tests.faults.soundness import sound_afterwards
from watcher.model import State

#: Several waits of up to 40 s stand in a test, for machines that stall.
pytestmark = pytest.mark.timeout(180)

DAY: Final = 86400.0


@contextlib.contextmanager
def _mounted(*how: str | Path) -> Iterator[None]:
    """Something mounted for a while; a system that does not allow it says so, as a skip that is listed."""
    command = ["mount", *map(str, how)]
    if sys.platform != "linux":
        pytest.skip("mounting is tried on Linux only")
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        pytest.skip(f"this account may not mount here: {result.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(how[-1])], check=False)


# the disk of the journal


@pytest.mark.parametrize(
    "stage",
    [
        pytest.param({"api": 681}, id="claim"),
        pytest.param({"api": 606, "path": "*/1.0"}, id="small member", marks=pytest.mark.long),
        pytest.param({"api": 676}, id="large member"),
        pytest.param(
            {"api": 606, "path": "*/manifest-sha256.txt", "reply": True}, id="manifest", marks=pytest.mark.long
        ),
        pytest.param({"api": 20002, "nth": 3}, id="marker"),
    ],
)
def test_a_full_disk_of_the_journal_is_waited_for(tmp_path: Path, stage: dict[str, int | str | bool]) -> None:
    with facility(tmp_path) as made:
        made.state.mkdir()
        with _mounted("-t", "tmpfs", "-o", "size=2m", "journal", made.state):
            made.warm_up()
            gate = made.server.faults.hold(**stage)  # type: ignore[arg-type]
            tree = made.tree("full", 2)
            made.wait_until(gate.reached.is_set, "the stage is reached")
            filler = _fill(made.state)
            gate.open()
            made.wait_until(lambda: "is full" in _log(made), "the full disk is told")
            assert made.run().poll() is None
            filler.unlink()
            made.wait_published(tree)
            sound_afterwards(made, made.expected(tree))
            made.kill()


def test_a_disk_of_the_journal_without_room_for_another_file_is_waited_for(tmp_path: Path) -> None:
    """The journal itself can go on in the files that it has; the manifest is written beside it before it is sent."""
    with facility(tmp_path) as made:
        made.state.mkdir()
        with _mounted("-t", "tmpfs", "-o", "size=2m,nr_inodes=40", "journal", made.state):
            made.warm_up()
            fillers = _use_up_inodes(made.state)
            tree = made.tree("full", 2)
            made.wait_until(lambda: "is full" in _log(made) or bool(made.all_sets(State.HELD)), "it is told")
            for filler in fillers:
                filler.unlink()
            assert [one.reason for one in made.all_sets(State.HELD)] == []
            made.wait_published(tree)
            sound_afterwards(made, made.expected(tree))
            made.kill()


# the clock


@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["ahead", "back"])
def test_a_clock_that_is_set_while_a_set_is_on_its_way(alone: Facility, jump: float) -> None:
    shift = alone.home / "shift"
    shift.write_text("0", encoding="utf-8")
    alone.run(FAULTS_CLOCK=str(shift))
    gate = alone.server.faults.hold(api=606)
    first = alone.tree("first", 2)
    alone.wait_until(gate.reached.is_set, "a set is on its way")
    shift.write_text(str(jump), encoding="utf-8")
    gate.open()
    second = alone.single("second")
    _set_times(second, jump)
    alone.wait_published(first, second)
    sound_afterwards(alone, alone.expected(first, second))


@pytest.mark.parametrize("jump", [400 * DAY, -400 * DAY], ids=["ahead", "back"])
def test_a_clock_that_was_wrong_in_an_earlier_life(alone: Facility, jump: float) -> None:
    """Killed with a set growing, one on its way and one waiting for its next attempt; then the clock is right."""
    shift = alone.home / "shift"
    shift.write_text(str(jump), encoding="utf-8")
    alone.run(FAULTS_CLOCK=str(shift))
    done = alone.single("done")
    alone.wait_published(done)
    alone.server.faults.error(api=606, code=-406000, times=None)
    waits = alone.single("waits")
    alone.wait_until(lambda: any(one.attempts for one in alone.sets_of(waits)), "a set waits for its next attempt")
    on_its_way = alone.tree("on-its-way", 2)
    alone.wait_until(lambda: bool(alone.sets_of(on_its_way)), "the other one is known")
    alone.kill()
    alone.server.faults.clear()
    shift.write_text("0", encoding="utf-8")
    alone.run(FAULTS_CLOCK=str(shift))
    new = alone.single("new")
    alone.wait_published(done, waits, on_its_way, new)
    sound_afterwards(alone, alone.expected(done, waits, on_its_way, new))


# the watched folder


AWAY: Final = ("gone", "emptied", "unmounted")
AWAY_AT: Final = {"claim": {"api": 681}, "bytes": {"api": 676}, "marker": {"api": 20002, "nth": 3}}
_SHORT: Final = {("gone", "bytes"), ("emptied", "claim"), ("unmounted", "bytes"), ("emptied", "marker")}


@pytest.mark.parametrize(
    ("how", "stage"),
    [
        pytest.param(how, stage, marks=[] if (how, stage) in _SHORT else pytest.mark.long)
        for how in AWAY
        for stage in AWAY_AT
    ],
)
def test_a_share_that_goes_away_during_a_delivery_and_comes_back(tmp_path: Path, how: str, stage: str) -> None:
    with facility(tmp_path) as made, _share(made, mount=how == "unmounted") as (leave, come_back):
        made.warm_up()
        done = made.single("done")
        made.wait_published(done)
        gate = made.server.faults.hold(**AWAY_AT[stage])  # type: ignore[arg-type]
        big = made.large("big", 28 << 20)
        made.wait_until(gate.reached.is_set, "the stage is reached")
        expected = made.expected(big, done)
        leave(empty=how != "gone")
        gate.open()
        made.wait_until(lambda: "the watched folder" in _log(made), "it is told")
        assert made.sets_of(big), "the set is not forgotten"
        come_back()
        made.wait_published(big, done)
        sound_afterwards(made, expected)


@contextlib.contextmanager
def _share(facility: Facility, *, mount: bool) -> Iterator[tuple[Callable[..., None], Callable[[], None]]]:
    """How the watched folder leaves (with an empty folder in its place or without) and how it comes back."""
    away = facility.home / "share"

    def leave(*, empty: bool) -> None:
        if mount:
            subprocess.run(["umount", "-l", str(facility.data)], check=True)
            return
        facility.data.rename(away)
        if empty:
            facility.data.mkdir()

    def come_back() -> None:
        if mount:
            subprocess.run(["mount", "--bind", str(away), str(facility.data)], check=True)
            return
        if facility.data.exists():
            facility.data.rmdir()
        away.rename(facility.data)

    if not mount:
        yield leave, come_back
        return
    away.mkdir()
    with _mounted("--bind", away, facility.data):
        yield leave, come_back


# events


def test_more_folders_at_once_than_are_told_apart_lead_to_a_sweep(tmp_path: Path) -> None:
    """Without waiting for the next sweep, which is an hour away."""
    with facility(tmp_path, sweep="1h") as made:
        made.warm_up()
        made.run().send_signal(signal.SIGSTOP)
        for number in range(1200):
            (made.data / f"run{number:04}").mkdir()
        files = []
        for number in range(0, 1200, 100):
            path = made.single(fresh_name("lost"))
            files.append(path.rename(made.data / f"run{number:04}" / path.name))
        made.run().send_signal(signal.SIGCONT)
        made.wait_published(*files)
        sound_afterwards(made, made.expected(*files))


@pytest.mark.skipif(sys.platform != "linux", reason="the length of the queue of events is known on Linux only")
def test_events_that_the_system_drops_are_made_good_by_a_sweep(alone: Facility) -> None:
    alone.warm_up()
    noise = [alone.single("noise-1"), alone.single("noise-2")]
    alone.wait_published(*noise)
    longest = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    alone.run().send_signal(signal.SIGSTOP)
    mode = noise[0].stat().st_mode
    for number in range(longest + 100):
        os.chmod(noise[number % 2], mode)  # two in turn: equal events are told once
    new = [alone.single("new-1"), alone.tree("new-2", 2)]
    alone.run().send_signal(signal.SIGCONT)
    alone.wait_published(*new)
    sound_afterwards(alone, alone.expected(*noise, *new))


def test_thousands_of_files_that_come_at_once(alone: Facility, request: pytest.FixtureRequest) -> None:
    alone.warm_up()
    chunks = 20_000 if request.config.getoption("--long") else 1500
    tree = alone.tree("many", chunks, large=0)
    others = [alone.single(f"other-{number}") for number in range(5)]
    alone.wait_published(tree, *others, seconds=chunks / 50)
    sound_afterwards(alone, alone.expected(tree, *others))


def _fill(folder: Path) -> Path:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        size = 1 << 16
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2
    return filler


def _use_up_inodes(folder: Path) -> list[Path]:
    fillers = []
    with contextlib.suppress(OSError):
        for number in itertools.count():
            fillers.append(folder / f"filler-{number}")
            fillers[-1].touch()
    return fillers[:-1]


def _log(facility: Facility) -> str:
    return (facility.home / "run.log").read_text(encoding="utf-8")


def _set_times(path: Path, shift: float) -> None:
    at = time.time() + shift
    os.utime(path, (at, at))
