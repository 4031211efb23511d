"""An agent that dies with a replica open: it stays INTERMEDIATE, locked for everybody, until somebody mends it."""

from pathlib import Path
from typing import Final

import pytest

from tests.faults.facility import Facility
from tests.faults.soundness import MARKER, sound_afterwards, stuck_replicas

#: Several waits of up to 40 s stand in a test, for machines that stall.
pytestmark = pytest.mark.timeout(180)

#: What leaves a replica stuck: agent death in a small member (606), at the first bytes and at the end of a large one,
#: and a server that is restarted in the middle of a large one.
WAYS: Final = (
    "606",
    pytest.param("676", marks=pytest.mark.long),
    pytest.param("673", marks=pytest.mark.long),
    "restart",
)


@pytest.mark.parametrize("way", WAYS)
def test_a_stuck_replica_is_never_taken_for_a_good_one(alone: Facility, way: str) -> None:
    """Holds whether its set waits for somebody who mends the replica or is delivered under a fresh collection."""
    alone.warm_up()
    path = _stick(alone, way)
    other = alone.single("other")
    alone.wait_published(other)
    alone.wait_until(lambda: alone.is_published(path) or _is_busy(alone, path), "published elsewhere, or waiting")
    left = stuck_replicas(alone.server)
    for stuck in left:
        assert MARKER not in alone.server.avus(stuck.rpartition("/")[0])
    if not alone.is_published(path):
        alone.server.mend_stuck_replicas()
        alone.wait_published(path)
        left = set()
    sound_afterwards(alone, alone.expected(path, other), beside=left)


@pytest.mark.parametrize("way", ["606", "676"])
def test_a_stuck_replica_leads_to_delivery_under_a_fresh_collection(alone: Facility, way: str) -> None:
    alone.run(FAULTS_STUCK="2")
    alone.warm_up()
    path = _stick(alone, way)
    alone.wait_published(path)
    left = stuck_replicas(alone.server)
    sound_afterwards(alone, alone.expected(path), beside=left)
    (stuck,) = left
    (told,) = [value for name, value, _ in alone.server.avus(stuck.rpartition("/")[0]) if name == "acq:stuck"]
    assert stuck in told
    assert stuck.rpartition("/")[0] in alone("status").stdout


def _stick(facility: Facility, way: str) -> Path:
    """Write a file whose delivery leaves a stuck replica behind; the server works again afterwards."""
    if way == "restart":
        gate = facility.server.faults.hold(api=676)
        path = facility.large("stuck")
        facility.wait_until(gate.reached.is_set, "the bytes are coming")
        facility.server.restart()
    else:
        facility.server.faults.kill_agent(api=int(way))
        path = facility.single("stuck") if way == "606" else facility.large("stuck")
    facility.wait_until(lambda: bool(stuck_replicas(facility.server)), "a replica is stuck")
    return path


def _is_busy(facility: Facility, path: Path) -> bool:
    return any("still being written" in one.reason for one in facility.sets_of(path))
