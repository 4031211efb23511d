"""SIGKILL while a set is adopted: at every message to the zone, and at every commit to the journal."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.conftest import BASE
from tests.faults.facility import Facility, facility
from tests.faults.soundness import check_journal
from tests.irods_server import GOOD
from tests.irods_server.dialogue import connect
from watcher.model import IDENTIFIER, State

#: Several waits of up to 40 s stand in a test, for machines that stall.
pytestmark = pytest.mark.timeout(240)

PLACE: Final = f"{BASE}/Scope/run"
OURS: Final = {"manifest-sha256.txt", "ro-crate-metadata.json"}
#: What is held: a question, a checksum, the manifest or the crate, the metadata or the marker.
MOMENTS: Final = (
    *((702, nth, moment) for nth in (1, 4, 8, 12) for moment in ("before", "after")),
    *((629, nth, moment) for nth in (1, 3) for moment in ("before", "after")),
    *((606, nth, moment) for nth in (1, 2) for moment in ("before", "after", "half")),
    *((20002, nth, moment) for nth in (1, 2) for moment in ("before", "after")),
)


@contextmanager
def uploaded(home: Path) -> Iterator[tuple[Facility, dict[str, bytes]]]:
    """A facility in whose zone a set lies that somebody has uploaded, half of it without checksums."""
    home.mkdir(exist_ok=True)
    with facility(home) as made:
        profile = made.profile.read_text(encoding="utf-8").replace("{name: Scope-1}", "{name: Scope}")
        made.write_profile(f"{profile}sets: {{group: directory}}\n")
        content = {f"{number}.dat": os.urandom(300) for number in range(4)}
        (made.data / "run").mkdir()
        with connect(made.server) as admin:
            admin.collections.create(PLACE, recurse=True)
            for path, data in content.items():
                file = made.data / "run" / path
                file.write_bytes(data)
                options = {"regChksum": ""} if path < "2" else {}
                admin.data_objects.put(file, f"{PLACE}/{path}", **options)
        yield made, content


def check(made: Facility, content: dict[str, bytes], before: dict[str, Path]) -> None:
    """The set is published where it was uploaded, once, nothing of it was written again, and nothing else is there."""
    (one,) = made.all_sets()
    assert (one.state, one.collection, one.claimed) == (State.PUBLISHED, PLACE, True)
    objects = {path.removeprefix(f"{PLACE}/"): item for path, item in made.server.objects().items()}
    assert objects.keys() == content.keys() | OURS
    assert {item.status for item in objects.values()} == {GOOD}
    assert {path: objects[path].read() for path in content} == content
    assert {path: objects[path].location for path in content} == before
    avus = made.server.avus(PLACE)
    assert [value for name, value, _ in avus if name == "acq:state"] == ["complete"]
    assert [value for name, value, _ in avus if name == IDENTIFIER] == [one.id]
    assert {path.name: path.read_bytes() for path in (made.data / "run").iterdir()} == content
    check_journal(made.state)


def locations(made: Facility) -> dict[str, Path]:
    return {path.removeprefix(f"{PLACE}/"): item.location for path, item in made.server.objects().items()}


@pytest.mark.parametrize(("api", "nth", "moment"), MOMENTS)
def test_killed_at_a_message(tmp_path: Path, api: int, nth: int, moment: str) -> None:
    with uploaded(tmp_path) as (made, content):
        before = locations(made)
        gate = made.server.faults.hold(
            api=api, nth=nth, reply=moment == "after", after_bytes=500 if moment == "half" else None
        )
        process = made.launch("adopt", "data", "-p", "profile.yaml")
        made.wait_until(lambda: gate.reached.is_set() or process.poll() is not None, f"{api} has come")
        reached = gate.reached.is_set()
        process.kill()
        process.wait(20)
        gate.open(lost=moment == "half")
        assert reached
        # What is its own by then is finished by any watcher; else `once` would bring it to a place beside.
        own = made.all_sets(State.DELIVERED, State.VERIFIED, State.PUBLISHED)
        again = ("once", "profile.yaml") if own else ("adopt", "data", "-p", "profile.yaml")
        assert made.launch(*again).wait(60) == 0
        check(made, content, before)


@pytest.fixture(scope="module")
def commits(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many commits it costs to adopt a set."""
    with uploaded(tmp_path_factory.mktemp("clean")) as (made, content):
        before, counted = locations(made), made.home / "commits"
        adopting = made.launch("adopt", "data", "-p", "profile.yaml", FAULTS_COUNT=str(counted))
        assert adopting.wait(60) == 0
        check(made, content, before)
        return int(counted.read_text())


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_a_commit(
    commits: int, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, when: str
) -> None:
    step = 1 if request.config.getoption("--long") else max(1, commits // 5)
    for number in range(commits, 0, -step):
        with uploaded(tmp_path_factory.mktemp("killed")) as (made, content):
            before = locations(made)
            died = made.launch("adopt", "data", "-p", "profile.yaml", FAULTS_DIE_AT=f"{when} {number}").wait(60)
            assert died == -signal.SIGKILL
            assert made.launch("adopt", "data", "-p", "profile.yaml").wait(60) == 0
            check(made, content, before)
