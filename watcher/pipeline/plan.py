"""Which way the bytes of each member take, and which members go together. Pure, linear, and lazy in what it gives."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from watcher.model import Member
from watcher.stores.base import Lanes

MIB: Final = 1024 * 1024
#: Fewer gain nothing from going together: a bundle costs some requests of its own.
FEWEST_IN_BUNDLE: Final = 50
#: Two bundles of 1000 side by side took 1.5 s, one of 2000 took 3.7 s (irods-wire/README.md).
MOST_IN_BUNDLE: Final = 1000
#: A bundle is made in memory, here and on the server.
LARGEST_BUNDLE: Final = 16 * MIB
#: Checksums that one worker asks for in one go.
MOST_ASKED: Final = 250
#: A member above this takes its time, whatever the lane.
HEAVY: Final = 32 * MIB


class Lane(StrEnum):
    """One way for the bytes of a member."""

    BUNDLE = "bundle"
    SINGLE = "single"
    STREAM = "stream"
    COPY = "copy"
    IN_PLACE = "in place"


@dataclass(frozen=True, slots=True)
class Errand:
    """What one worker does in one go: one member, or several in a bundle; `bytes` is their size together."""

    lane: Lane
    members: tuple[Member, ...]
    bytes: int

    @property
    def heavy(self) -> bool:
        """Whether it takes so long that others should have a way past it."""
        return self.bytes > HEAVY


def lane_of(size: int, lanes: Lanes) -> Lane:
    """The lane for a member of so many bytes; a bundle only if there are enough members for one, which `plan` knows."""
    if lanes.copy:
        return Lane.COPY
    if lanes.in_place:
        return Lane.IN_PLACE
    if size <= lanes.bundle and lanes.bundle:
        return Lane.BUNDLE
    return Lane.SINGLE if size <= lanes.single else Lane.STREAM


def plan(members: Iterable[Member], lanes: Lanes, workers: int) -> Iterator[Errand]:
    """What is to be done for these members, in the order in which workers should take it; each member once.

    The large ones come first and the largest before all, so that the small ones are sent beside them.
    """
    by_lane: dict[Lane, list[Member]] = {lane: [] for lane in Lane}
    for member in members:
        by_lane[lane_of(member.facts.size, lanes)].append(member)
    small = by_lane[Lane.BUNDLE]
    if len(small) < FEWEST_IN_BUNDLE:
        by_lane[Lane.SINGLE] = small + by_lane[Lane.SINGLE]
        small = []
    for member in sorted(by_lane[Lane.STREAM], key=lambda member: -member.facts.size):
        yield _alone(Lane.STREAM, member)
    yield from _bundles(small, workers)
    for lane in (Lane.SINGLE, Lane.COPY):
        for member in by_lane[lane]:
            yield _alone(lane, member)
    yield from _in_groups(by_lane[Lane.IN_PLACE])


def in_words(lane: Lane, lanes: Lanes) -> str:
    """The lane for a person who asks how a member travels."""
    if lane == Lane.BUNDLE:
        return "bundle of small files"
    if lane == Lane.SINGLE:
        return "single request"
    if lane == Lane.IN_PLACE:
        return "nothing: it is there already, and the server computes its checksum"
    return f"stream (over {_amount(lanes.single)})" if lane == Lane.STREAM else "copy"


def _alone(lane: Lane, member: Member) -> Errand:
    return Errand(lane, (member,), member.facts.size)


def _bundles(members: Sequence[Member], workers: int) -> Iterator[Errand]:
    """Bundles of about the same number of members, as many for each worker if that does not make them too small."""
    if not members:
        return
    together = sum(member.facts.size for member in members)
    number = max(_ceil(len(members), MOST_IN_BUNDLE), _ceil(together, LARGEST_BUNDLE))
    even = _ceil(number, workers) * workers
    number = max(number, min(even, len(members) // FEWEST_IN_BUNDLE))
    share = _ceil(len(members), number)
    chosen: list[Member] = []
    size = 0
    for member in members:
        if chosen and (len(chosen) == share or size + member.facts.size > LARGEST_BUNDLE):
            yield Errand(Lane.BUNDLE, tuple(chosen), size)
            chosen, size = [], 0
        chosen.append(member)
        size += member.facts.size
    yield Errand(Lane.BUNDLE, tuple(chosen), size)


def _in_groups(members: Iterable[Member]) -> Iterator[Errand]:
    """Members of which the server computes the checksums one after the other, while workers ask for others beside."""
    chosen: list[Member] = []
    size = 0
    for member in members:
        if chosen and (len(chosen) == MOST_ASKED or size + member.facts.size > HEAVY):
            yield Errand(Lane.IN_PLACE, tuple(chosen), size)
            chosen, size = [], 0
        chosen.append(member)
        size += member.facts.size
    if chosen:
        yield Errand(Lane.IN_PLACE, tuple(chosen), size)


def _ceil(number: int, divisor: int) -> int:
    return -(-number // divisor)


def _amount(size: int) -> str:
    return f"{size // MIB} MiB" if size >= MIB else f"{size} bytes"
