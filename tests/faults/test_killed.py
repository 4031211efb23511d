"""SIGKILL: at every message of a delivery, at every commit to the journal, and at random moments."""

import functools
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from tests.faults.facility import Facility, facility, fresh_name
from tests.faults.soundness import sound_afterwards
from tests.irods_server.faults import Gate
from watcher import simulate
from watcher.model import State

#: Several waits of up to 40 s stand in a test, for machines that stall.
pytestmark = pytest.mark.timeout(180)

#: Where the program is killed: when a message has come, which the server then carries out all the same; when its reply
#: is on the way; with half of its bytes sent.
MOMENTS: Final = (
    *((api, moment) for api in (681, 702, 20002, 707, 606, 602, 20000, 676, 673) for moment in ("before", "after")),
    *((api, "half") for api in (606, 676)),
)


@pytest.mark.timeout(200)
@pytest.mark.parametrize(("api", "moment"), MOMENTS)
def test_killed_at_a_message(
    running: Facility, clean: Counter[int], request: pytest.FixtureRequest, api: int, moment: str
) -> None:
    long = request.config.getoption("--long")
    for nth in range(1, clean[api] + 1) if long else {clean[api]}:
        gate = running.server.faults.hold(
            api=api, nth=nth, reply=moment == "after", after_bytes=500 if moment == "half" else None
        )
        tree = running.tree(fresh_name(f"killed-{api}-{nth}"), 2)
        running.wait_until(functools.partial(_came_or_will_not, running, gate, tree), f"{api} has come")
        assert gate.reached.is_set() or nth > 1
        running.kill()
        gate.open(lost=moment == "half")
        running.run()
        running.wait_published(tree)
        sound_afterwards(running, running.expected(tree))


def test_a_kill_leaves_no_temporary_manifest(alone: Facility) -> None:
    single = alone.single("scan")
    gate = alone.server.faults.hold(api=606, path="*/manifest-sha256.txt")
    alone.run()
    alone.wait_until(gate.reached.is_set, "the manifest is being sent")
    alone.kill()
    gate.open()
    alone.run()
    alone.wait_published(single)
    assert list(alone.state.glob("scratch-*")) == []


def test_the_trouble_that_a_killed_program_told_is_over_when_the_store_works(alone: Facility) -> None:
    """As `status` tells it: it reads what is noted in the journal."""
    alone.server.stop()
    single = alone.single("scan")
    alone.run()
    alone.wait_until(lambda: bool(alone.store_trouble()), "the trouble is told")
    alone.kill()
    alone.server.start()
    alone.run()
    alone.wait_published(single)
    alone.single("another")
    alone.wait_published(alone.data / "another.tif")
    assert "The store has a problem" not in alone("status").stdout


@pytest.fixture(scope="module")
def commits(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many commits it costs to observe, assemble and deliver what `_one_of_each` writes."""
    with facility(tmp_path_factory.mktemp("clean")) as made:
        _one_of_each(made)
        counted = made.home / "commits"
        assert made.launch("once", "profile.yaml", FAULTS_COUNT=str(counted)).wait(50) == 0
        return int(counted.read_text())


@pytest.mark.timeout(400)
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_a_commit(
    commits: int, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, when: str
) -> None:
    """From the first look at the disk on: what is not yet in the journal is found again."""
    step = 1 if request.config.getoption("--long") else max(1, commits // 3)
    for number in range(1, commits + 1, step):
        with facility(tmp_path_factory.mktemp("killed")) as made:
            paths = _one_of_each(made)
            died = made.launch("once", "profile.yaml", FAULTS_DIE_AT=f"{when} {number}").wait(50)
            assert died == -signal.SIGKILL
            assert made.launch("once", "profile.yaml").wait(50) == 0
            sound_afterwards(made, made.expected(*paths))


@pytest.mark.timeout(300)
def test_killed_again_and_again_at_random(alone: Facility, request: pytest.FixtureRequest) -> None:
    """Short: 6 kills in the delivery of 12 sets; long: 50 kills in that of 60 sets with 200 files."""
    series, stacks, kills = (35, 25, 50) if request.config.getoption("--long") else (7, 5, 6)
    _acquire(alone.data, series, stacks)
    expected = alone.expected(alone.data)
    alone.server.faults.slow(0.002)  # so that the kills fall everywhere on the way
    chance = random.Random(7)
    all_objects = len(expected) + series + stacks
    at_kill = []
    for _ in range(kills):
        # The next kill falls after some more objects have come, wherever the program is by then.
        enough = len(alone.server.objects()) + chance.randrange(1, 2 * all_objects // kills)
        alone.run()
        while len(alone.server.objects()) < min(enough, all_objects - 1):
            assert alone.run().poll() is None
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.05))
        alone.kill()
        at_kill.append(len(alone.server.objects()))
    assert len({count for count in at_kill if 0 < count < all_objects}) >= kills // 3, at_kill
    alone.server.faults.clear()
    alone.run()
    alone.wait_published(alone.data, seconds=120)
    assert len(alone.all_sets(State.PUBLISHED)) == len(alone.all_sets()) == series + stacks
    sound_afterwards(alone, expected)


def _came_or_will_not(facility: Facility, gate: Gate, path: Path) -> bool:
    return gate.reached.is_set() or facility.is_published(path)


def _one_of_each(facility: Facility) -> list[Path]:
    return [facility.tree("tree", 2), facility.single("single"), facility.large("large")]


def _acquire(data: Path, series: int, stacks: int) -> None:
    """OME-TIFF series of 5 files, and single files."""
    for number in range(series):
        simulate.KINDS["ome-tiff-series"](data, f"series{number:02}", pause=lambda _: None, seed=number, size=32)
    for number in range(stacks):
        simulate.KINDS["growing-stack"](data, f"stack{number:02}", pause=lambda _: None, seed=number, size=32)
