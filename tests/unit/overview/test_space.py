"""When a disk will be full: the line through what was free lately."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.pipeline.conftest import Bench
from watcher.overview import picture, space
from watcher.overview.attention import Kind
from watcher.pipeline.space import Space

HOUR = 3600.0
GB = 10**9


@given(st.integers(1, 10**6), st.integers(3, 100), st.floats(0, 1e9))
def test_a_disk_that_fills_evenly_is_full_when_the_line_says(rate: int, hours: int, begin: float) -> None:
    total = rate * hours * 10
    samples = [(begin + hour * HOUR, float(total - rate * hour)) for hour in range(hours)]
    full_at = space.forecast(samples)
    assert full_at == pytest.approx(begin + total / rate * HOUR, rel=1e-3)


@given(st.lists(st.integers(0, 10**12), max_size=50))
def test_a_disk_that_does_not_fill_is_never_full(sizes: list[int]) -> None:
    assert space.forecast([(hour * HOUR, float(size)) for hour, size in enumerate(sorted(sizes))]) is None


def test_of_a_short_time_nothing_is_said() -> None:
    assert space.forecast([(0.0, 100.0), (HOUR, 50.0)]) is None


class Disk:
    """A disk whose room a test sets."""

    free = 500 * GB

    def usage(self, path: Path) -> tuple[int, int, int]:
        return (1000 * GB, 1000 * GB - self.free, self.free)


def test_little_room_is_told_and_that_it_will_be_full(bench: Bench) -> None:
    disk = Disk()
    duty = Space([bench.root], bench.journal, bench.clock, disk.usage)
    for _ in range(10):
        assert duty.round() > 0
        bench.clock.advance(HOUR)
        disk.free -= 10 * GB
    duty.round()
    (need,) = picture.take(bench.journal, bench.clock.now()).attention
    assert (need.kind, need.urgent) == (Kind.DISK, False)
    assert (
        need.what
        == f"Only 400.0 GB are free on the disk of {bench.root}. It will be full in 40 hours if it goes on like this."
    )
    disk.free = 30 * GB
    duty.round()
    assert picture.take(bench.journal, bench.clock.now()).urgent[0].kind is Kind.DISK


def test_the_samples_do_not_pile_up(bench: Bench) -> None:
    disk = Disk()
    duty = Space([bench.root], bench.journal, bench.clock, disk.usage)
    for _ in range(500):
        duty.round()
        bench.clock.advance(600)
    noted = bench.journal.noted(f"space:{bench.root}")
    assert isinstance(noted, dict)
    assert len(noted["samples"]) == 48


def test_a_folder_that_is_away_is_not_asked_for_its_room(bench: Bench) -> None:
    Space([bench.base / "nowhere"], bench.journal, bench.clock).round()
    assert picture.take(bench.journal, bench.clock.now()).disks == ()


def test_the_real_disk_answers(bench: Bench) -> None:
    Space([bench.root], bench.journal, bench.clock).round()
    (disk,) = picture.take(bench.journal, bench.clock.now()).disks
    assert disk.total == shutil.disk_usage(bench.root).total
