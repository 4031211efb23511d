"""How rows of the catalogue become one statement about an object."""

import base64
import hashlib

import pytest

from watcher.stores.base import Replica
from watcher.stores.irods.catalogue import Found, combine

DIGEST = hashlib.sha256(b"pixels")
HEX = DIGEST.hexdigest()
SHA2 = "sha2:" + base64.b64encode(DIGEST.digest()).decode()
OTHER = "sha2:" + base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([("6", SHA2, "1")], Found(Replica(6, HEX, good=True), busy=False)),
        ([("6", SHA2, "1"), ("6", SHA2, "1")], Found(Replica(6, HEX, good=True), busy=False)),
        ([("3", "", "0"), ("6", SHA2, "1")], Found(Replica(6, HEX, good=True), busy=False)),
        ([("3", SHA2, "0")], Found(Replica(3, HEX, good=False), busy=False, half=3)),
        ([("3", "", "0"), ("4", "", "0")], Found(Replica(3, None, good=False), busy=False)),
        ([("3", "", "2")], Found(Replica(3, None, good=False), busy=True)),
        ([("6", SHA2, "1"), ("6", "", "2")], Found(Replica(6, HEX, good=True), busy=True)),
        ([("6", SHA2, "4")], Found(Replica(6, HEX, good=False), busy=True)),
        ([("6", "d41d8cd98f00b204e9800998ecf8427e", "1")], Found(Replica(6, None, good=True), busy=False)),
        ([("6", "sha2:no base64!", "1")], Found(Replica(6, None, good=True), busy=False)),
    ],
)
def test_replicas_taken_together(rows: list[tuple[str, ...]], found: Found) -> None:
    assert combine(rows) == found


@pytest.mark.parametrize(
    ("states", "copies", "stale"), [("1", 1, 0), ("11", 2, 0), ("101", 2, 1), ("00", 0, 2), ("12", 1, 0), ("2", 0, 0)]
)
def test_good_and_stale_replicas_are_counted(states: str, copies: int, stale: int) -> None:
    found = combine([("6", SHA2, state) for state in states]).replica
    assert (found.copies, found.stale) == (copies, stale)


def test_good_replicas_that_differ_are_not_good() -> None:
    assert not combine([("6", SHA2, "1"), ("6", OTHER, "1")]).replica.good
    assert combine([("6", SHA2, "1"), ("6", OTHER, "1")]).replica.copies == 0
    assert not combine([("6", SHA2, "1"), ("7", SHA2, "1")]).replica.good
