"""What the catalogue says of objects with several replicas, which the test server does not have."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from watcher.errors import SourceChanged, StoreBusy, StoreError
from watcher.model import FileFacts
from watcher.stores.irods.catalogue import Catalogue
from watcher.stores.mount import session
from watcher.stores.mount.questions import Held, objects_at
from watcher.stores.source import Source

STALE, GOOD, INTERMEDIATE, LOCKED = "0", "1", "2", "4"
PATH = "/zone/home/run/a.dat"
SUM = "sha2:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="
HEX = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class Rows:
    """A catalogue with the replicas of one data object: size, checksum, status, modified, owner, its zone."""

    def __init__(self, *replicas: tuple[str, ...]) -> None:
        self.replicas = [list(one) for one in replicas]
        self.asked: list[int] = []

    def query(self, *_: Any) -> Iterator[tuple[str, ...]]:
        return (("a.dat", str(number), *one) for number, one in enumerate(self.replicas))

    def register_checksum(self, path: str, size: int, replica: int) -> None:
        self.asked.append(replica)
        self.replicas[replica][1] = SUM


def replica(size: int = 4, checksum: str = SUM, status: str = GOOD, at: int = 7, who: str = "scope") -> tuple[str, ...]:
    return str(size), checksum, status, f"{at:011d}", who, "zone"


def held(*replicas: tuple[str, ...]) -> Held:
    return objects_at(cast("Catalogue", Rows(*replicas)), [PATH])[PATH]


def test_a_later_copy_has_a_time_of_its_own_that_does_not_count() -> None:
    assert held(replica(at=7), replica(at=900)) == Held(FileFacts(4, 7 * 10**9, ""), HEX, True, False, (), "scope")


def test_replicas_that_are_good_and_differ_are_not_good() -> None:
    assert not held(replica(4), replica(5)).good
    assert not held(replica(status=STALE)).good
    assert held(replica(), replica(3, status=STALE)).good


@pytest.mark.parametrize("status", [INTERMEDIATE, "3", LOCKED])
def test_one_that_is_written_or_locked_makes_the_object_busy(status: str) -> None:
    assert held(replica(), replica(status=status)).busy


def test_an_owner_of_another_zone_is_named_with_it() -> None:
    assert held((*replica()[:4], "scope", "other")).owner == "scope#other"


def test_each_good_replica_without_a_checksum_is_given_one() -> None:
    rows = Rows(replica(), replica(checksum=""), replica(checksum="", status=STALE))
    found = session._complete(cast("Catalogue", rows), [PATH])[PATH]
    assert rows.asked == [1]
    assert (found.good, found.sha256, found.bare) == (True, HEX, ())


def test_no_checksum_is_asked_for_while_something_is_written() -> None:
    rows = Rows(replica(checksum=""), replica(checksum="", status=INTERMEDIATE))
    found = session._complete(cast("Catalogue", rows), [PATH])[PATH]
    assert rows.asked == []
    assert found.busy


@pytest.mark.parametrize(
    ("replicas", "error"),
    [
        ([replica(status=INTERMEDIATE)], StoreBusy),
        ([replica(), replica(status=LOCKED)], StoreBusy),
        ([replica(4), replica(4, checksum="", status=GOOD)], StoreBusy),
        ([replica(5)], SourceChanged),
        ([replica(at=8)], SourceChanged),
        ([replica(checksum="d41d8cd98f00b204e9800998ecf8427e")], StoreError),
        ([replica(checksum="")], StoreError),
    ],
    ids=["written", "second one locked", "second without a checksum", "size", "time", "md5", "none"],
)
def test_what_is_not_proven_is_refused(replicas: list[tuple[str, ...]], error: type[Exception]) -> None:
    source = Source(Path("/mnt/run/a.dat"), FileFacts(4, 7 * 10**9, ""))
    with pytest.raises(error):
        session._proven(PATH, source, held(*replicas), None)


def test_a_checksum_that_the_server_computed_and_does_not_keep_is_not_believed() -> None:
    source = Source(Path("/mnt/run/a.dat"), FileFacts(4, 7 * 10**9, ""))
    with pytest.raises(StoreBusy):
        session._proven(PATH, source, held(replica()), "00" * 32)
    assert session._proven(PATH, source, held(replica()), HEX) == HEX
