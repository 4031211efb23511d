"""The plan of a delivery: every member once, nothing larger than it may be, work for all."""

import itertools
import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.model import FileFacts, Member
from watcher.pipeline.plan import (
    FEWEST_IN_BUNDLE,
    LARGEST_BUNDLE,
    MIB,
    MOST_IN_BUNDLE,
    Errand,
    Lane,
    in_words,
    lane_of,
    plan,
)
from watcher.stores.base import Lanes

LANES = Lanes(single=32 * MIB, bundle=MIB)
COPY = Lanes(copy=True)

sizes = st.one_of(
    st.integers(0, 40_000), st.integers(0, 2 * MIB), st.integers(0, 100 * MIB), st.sampled_from([MIB, 32 * MIB])
)
lanes = st.one_of(
    st.just(LANES), st.just(COPY), st.builds(Lanes, single=st.integers(0, 32 * MIB), bundle=st.integers(0, MIB))
)


def members(sizes: list[int]) -> list[Member]:
    names = (f"{number:06}.tif" for number in itertools.count())
    return [Member(name, FileFacts(size, 0, ""), name) for name, size in zip(names, sizes, strict=False)]


def of_lane(errands: list[Errand], lane: Lane) -> list[Errand]:
    return [errand for errand in errands if errand.lane == lane]


@settings(deadline=None)
@given(st.lists(sizes, max_size=300), st.integers(0, 3000), lanes, st.integers(1, 16))
def test_every_member_goes_once_and_within_the_limits(some: list[int], more: int, lanes: Lanes, workers: int) -> None:
    given = members(some + [20_000] * more)
    errands = list(plan(given, lanes, workers))
    assert sorted(member.path for errand in errands for member in errand.members) == [m.path for m in given]
    for errand in errands:
        count, largest = len(errand.members), max(member.facts.size for member in errand.members)
        assert errand.bytes == sum(member.facts.size for member in errand.members)
        if errand.lane == Lane.BUNDLE:
            assert largest <= lanes.bundle
            assert count <= MOST_IN_BUNDLE
            assert errand.bytes <= LARGEST_BUNDLE
            continue
        assert count == 1
        assert (errand.lane == Lane.COPY) == lanes.copy
        assert (errand.lane == Lane.STREAM) == (not lanes.copy and largest > max(lanes.single, lanes.bundle))


@settings(deadline=None)
@given(st.lists(sizes, max_size=300), lanes, st.integers(1, 16))
def test_small_members_go_together_only_if_there_are_enough(some: list[int], lanes: Lanes, workers: int) -> None:
    small = sum(not lanes.copy and size <= lanes.bundle for size in some)
    bundled = of_lane(list(plan(members(some), lanes, workers)), Lane.BUNDLE)
    assert sum(len(errand.members) for errand in bundled) == (small if small >= FEWEST_IN_BUNDLE else 0)


def test_all_workers_have_a_bundle() -> None:
    plane = [20_000] * 2000
    counts = [len(errand.members) for errand in plan(members(plane), LANES, 4)]
    assert counts == [500] * 4
    assert [len(errand.members) for errand in plan(members(plane), LANES, 2)] == [500] * 4
    assert [len(errand.members) for errand in plan(members([10_000] * 2000), LANES, 2)] == [1000] * 2
    # Not more than are worth it, and not one of them much smaller than the others.
    assert [len(errand.members) for errand in plan(members([1] * 120), LANES, 4)] == [60, 60]
    assert [len(errand.members) for errand in plan(members([1] * 2001), LANES, 1)] == [667] * 3


def test_large_members_go_first_and_the_largest_before_all() -> None:
    given = members([20_000] * 60 + [40 * MIB, 2 * MIB, 90 * MIB])
    lanes = [(errand.lane, errand.bytes // MIB) for errand in plan(given, LANES, 1)]
    assert lanes == [(Lane.STREAM, 90), (Lane.STREAM, 40), (Lane.BUNDLE, 1), (Lane.SINGLE, 2)]


def test_lanes_are_told_by_size_and_said_in_words() -> None:
    assert [lane_of(size, LANES) for size in (0, MIB, MIB + 1, 32 * MIB, 32 * MIB + 1)] == [
        Lane.BUNDLE, Lane.BUNDLE, Lane.SINGLE, Lane.SINGLE, Lane.STREAM
    ]  # fmt: skip
    assert lane_of(0, COPY) == Lane.COPY
    assert lane_of(0, Lanes(single=5)) == Lane.SINGLE
    assert [in_words(lane, LANES) for lane in Lane] == [
        "bundle of small files", "single request", "stream (over 32 MiB)", "copy",
        "nothing: it is there already, and the server computes its checksum",
    ]  # fmt: skip
    assert in_words(Lane.STREAM, Lanes(single=100)) == "stream (over 100 bytes)"


def test_what_is_in_the_store_already_is_asked_for_in_groups_that_take_no_worker_long() -> None:
    there = Lanes(in_place=True)
    assert lane_of(10**12, there) == Lane.IN_PLACE
    given = members([1000] * 600 + [64 * MIB, 20 * MIB, 20 * MIB])
    errands = list(plan(given, there, 4))
    assert [member for errand in errands for member in errand.members] == given
    assert [(errand.lane, len(errand.members)) for errand in errands] == [
        (Lane.IN_PLACE, number) for number in (250, 250, 100, 1, 1, 1)
    ]
    assert [errand.heavy for errand in errands] == [False, False, False, True, False, False]


def test_a_plate_of_100_000_is_planned_in_little_memory_and_linear_time() -> None:
    given = members([20_000] * 100_000)
    tracemalloc.start()
    try:
        number = sum(1 for _ in plan(given, LANES, 4))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert number == 120  # 16 MiB hold 838 of these
    assert peak < 4 * MIB
