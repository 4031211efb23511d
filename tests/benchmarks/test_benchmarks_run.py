"""Every benchmark runs, and what it counts is as it must be; times are not asserted."""

from pathlib import Path

from tests.benchmarks import large, reads, rpcs, sweep
from tests.benchmarks.common import MIB


def test_a_small_file_costs_one_request(tmp_path: Path) -> None:
    found = rpcs.measure(tmp_path, files=3, rounds=1)
    assert found["irods-watcher: requests"] == 1.0
    assert found["stored"] == 2 * 3


def test_each_byte_is_read_once_for_delivery(tmp_path: Path) -> None:
    found = reads.measure(tmp_path, files=3, large=1, stacks=1)
    assert found["files"] == 3 + 1 + 5
    assert found["source"] == found["delivered"]
    assert found["uncounted"] == 0


def test_the_sweep_is_measured(tmp_path: Path) -> None:
    found = sweep.measure(tmp_path, files=400)
    assert all(found[f"{name}: cpu"] >= 0 for name in sweep.CASES)


def test_a_large_member_is_measured(tmp_path: Path) -> None:
    found = large.measure(tmp_path, 40 * MIB, times=1)
    assert found["stored"] == 3
    assert found["checksums"] == 1
