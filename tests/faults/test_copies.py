"""SIGKILL while sets are copied: at every message to the other zone, and at commits to the journal."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.faults.facility import Facility, facility
from tests.faults.soundness import check_journal, sound_afterwards
from tests.irods_server import GOOD, IrodsServer
from watcher.journal import Journal
from watcher.model import IDENTIFIER

#: Several waits of up to 40 s stand in a test, for machines that stall.
pytestmark = pytest.mark.timeout(180)

COPIES: Final = "/otherZone/home/rods/copies"
MOMENTS: Final = (
    *((api, moment) for api in (681, 702, 20002, 606, 602, 676, 673) for moment in ("before", "after")),
    *((api, "half") for api in (606, 676)),
)


@contextmanager
def copying(home: Path) -> Iterator[tuple[Facility, IrodsServer]]:
    """A facility whose sets are copied to another zone and to a folder."""
    home.mkdir(exist_ok=True)
    vault = home / "other-vault"
    vault.mkdir()
    (home / "backup").mkdir()
    with IrodsServer(zone="otherZone", users={"rods": "rods"}, vault=vault) as other, facility(home) as made:
        other.make_collection(COPIES, owner="rods")
        environment = other.environment() | {"irods_maximum_size_for_single_buffer_in_megabytes": 1}
        (home / "other.json").write_text(json.dumps(environment), encoding="utf-8")
        profile = made.profile.read_text(encoding="utf-8")
        zone = (
            "{kind: irods, environment: other.json, password: {env: TEST_IRODS_PASSWORD}, "
            f"collection: '{COPIES}/{{instrument}}/{{folder}}/{{set}}'}}"
        )
        made.write_profile(f"{profile}copies: [{zone}, {{kind: folder, path: backup}}]\n")
        yield made, other


def is_copied(made: Facility) -> bool:
    """Whether nothing is to be copied any more, of at least one published set."""
    if not made.state.is_dir():
        return False
    with Journal(made.state) as journal:
        published = [one for one in journal.sets.in_states() if one.published_at]
        copies = [copy for one in published for copy in journal.copies.of(one.id)]
        return len(copies) == 2 * len(published) > 0 and all(one.verified_at and not one.wanted for one in copies)


def check_copies(made: Facility, other: IrodsServer) -> None:
    """Each set is in both places just as in the main one, once, and nothing else is there."""
    there: set[str] = set()
    with Journal(made.state) as journal:
        for one in journal.sets.in_states():
            main = _below(made.server, one.collection or "")
            zone, folder = (
                copy.collection or "" for copy in sorted(journal.copies.of(one.id), key=lambda c: c.name != "otherZone")
            )
            assert _below(other, zone) == main
            there |= {f"{zone}/{name}" for name in main}
            assert _files(made.home / "backup" / folder) == main
            for avus in (other.avus(zone), made.server.avus(one.collection or "")):
                assert [value for name, value, _ in avus if name == "acq:state"] == ["complete"]
                assert [value for name, value, _ in avus if name == IDENTIFIER] == [one.id]
            assert sorted(unit for name, _, unit in made.server.avus(one.collection or "") if name == "acq:copy") == [
                "backup", "otherZone",
            ]  # fmt: skip
    assert other.objects("/").keys() == there
    check_journal(made.state)


def _below(server: IrodsServer, collection: str) -> dict[str, bytes]:
    objects = server.objects(f"{collection}/")
    assert {item.status for item in objects.values()} == {GOOD}
    return {path.removeprefix(f"{collection}/"): item.read() for path, item in objects.items()}


def _files(folder: Path) -> dict[str, bytes]:
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert files.pop("irods-watcher.json")
    return files


@pytest.mark.parametrize(("api", "moment"), MOMENTS)
def test_killed_at_a_message_to_the_other_zone(tmp_path: Path, api: int, moment: str) -> None:
    with copying(tmp_path) as (made, other):
        gate = other.faults.hold(
            api=api,
            nth=2 if api == 20002 else 1,
            reply=moment == "after",
            after_bytes=500 if moment == "half" else None,
        )
        tree, single = made.tree("tree", 2), made.single("single")
        made.run()
        made.wait_until(gate.reached.is_set, f"{api} has come")
        made.kill()
        gate.open(lost=moment == "half")
        made.run()
        made.wait_published(tree, single)
        made.wait_until(lambda: is_copied(made), "all is copied")
        made.kill()
        check_copies(made, other)
        sound_afterwards(made, made.expected(tree, single))


@pytest.fixture(scope="module")
def commits(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many commits it costs to deliver and copy a set."""
    with copying(tmp_path_factory.mktemp("clean")) as (made, _):
        made.tree("tree", 2)
        counted = made.home / "commits"
        assert made.launch("once", "profile.yaml", FAULTS_COUNT=str(counted)).wait(50) == 0
        return int(counted.read_text())


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_a_commit(
    commits: int, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, when: str
) -> None:
    step = 1 if request.config.getoption("--long") else max(1, commits // 4)
    for number in range(commits - 1, 0, -step):
        with copying(tmp_path_factory.mktemp("killed")) as (made, other):
            tree = made.tree("tree", 2)
            died = made.launch("once", "profile.yaml", FAULTS_DIE_AT=f"{when} {number}").wait(50)
            assert died in {-signal.SIGKILL, 0}  # their order is not always the same
            assert made.launch("once", "profile.yaml").wait(50) == 0
            assert is_copied(made)
            check_copies(made, other)
            sound_afterwards(made, made.expected(tree))
