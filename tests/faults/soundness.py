"""What must be true whatever went wrong: the one place where the invariants stand."""

import contextlib
import hashlib
import sqlite3
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.e2e.conftest import BASE
from tests.irods_server import GOOD, INTERMEDIATE, IrodsServer, Replica
from watcher.journal import FILE_NAME, Journal
from watcher.model import ImageSet, State
from watcher.provenance import crate, manifest
from watcher.provenance.vocabulary import CRATE

if TYPE_CHECKING:
    from tests.faults.facility import Facility

USER = "rods"
MARKER = ("acq:state", "complete", "")


class OnDisk(NamedTuple):
    """One file of the instrument: what nobody but the instrument may change."""

    size: int
    mtime_ns: int
    inode: int
    sha256: str


def on_disk(data: Path, *paths: Path) -> dict[str, OnDisk]:
    """All files at and below these paths by their path below `data`."""
    found = {}
    for path in paths:
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file():
                status = file.stat()
                with file.open("rb") as opened:
                    digest = hashlib.file_digest(opened, "sha256").hexdigest()
                found[file.relative_to(data).as_posix()] = OnDisk(
                    status.st_size, status.st_mtime_ns, status.st_ino, digest
                )
    return found


class Markers:
    """Watches a server for markers: how often each collection got one, and what was not true at that moment."""

    def __init__(self, server: IrodsServer, readers: str) -> None:
        self.count: Counter[str] = Counter()
        self.too_early: list[str] = []
        self._server = server
        self._readers = readers
        server.watch_metadata(self._see)

    def _see(self, path: str, avu: tuple[str, str, str]) -> None:
        if avu != MARKER:
            return
        self.count[path] += 1
        objects = self._server.objects(path + "/")
        self.too_early += [f"{name} was not good yet" for name, item in objects.items() if item.status != GOOD]
        listed = objects.get(f"{path}/{manifest.NAME}")
        if listed is None:
            self.too_early.append(f"{path} had no manifest yet")
        elif listed.read().count(b"\n") != len(objects) - 2:
            self.too_early.append(f"{path} did not hold what its manifest lists")
        elif not _agree(listed.read(), objects.get(f"{path}/{CRATE}")):
            self.too_early.append(f"{path} had no crate that agrees with its manifest")
        if self._readers not in self._server.access(path):
            self.too_early.append(f"{path} was not open to its readers yet")


def sound_afterwards(
    facility: "Facility",
    expected: Mapping[str, OnDisk],
    *,
    beside: Collection[str] = (),
) -> None:
    """Everything that a fault must not have cost.

    `expected`: the files that are to be published, as the instrument left them. `beside`: logical paths that may be
    there though they belong to no set. What the program holds is compared with what it held when it was at rest first.
    """
    assert on_disk(facility.data, *(facility.data / path for path in expected)) == expected, "the disk was changed"
    check_journal(facility.state)
    with Journal(facility.state) as journal:
        sets = journal.sets.in_states()
        members = {one.id: journal.sets.members(one.id) for one in sets}
        times = {one.id: sum(to is State.PUBLISHED for _, to, _ in journal.sets.history(one.id)) for one in sets}
    published = [one for one in sets if one.state is State.PUBLISHED]
    owners = Counter(member.path for one in published for member in members[one.id] if member.path in expected)
    assert owners == dict.fromkeys(expected, 1), "each file is in exactly one published set"
    objects = facility.server.objects("/")
    for one in published:
        if any(member.path in expected for member in members[one.id]):
            assert times[one.id] == 1, f"{one.name} was published more than once"
            _check_metadata(facility, one)
            assert _manifest(objects, one.collection) == {m.target: m.sha256 for m in members[one.id]}
            for member in members[one.id]:
                replica = objects[f"{one.collection}/{member.target}"]
                arrived = hashlib.sha256(replica.read()).hexdigest()
                assert (replica.status, arrived) == (GOOD, expected[member.path].sha256), replica.path
    assert facility.news("marked too early", facility.markers.too_early) == set()
    marked = {collection: _manifest(objects, collection) for collection in facility.markers.count}
    should = {
        f"{collection}/{target}" for collection, listed in marked.items() for target in (manifest.NAME, CRATE, *listed)
    }
    assert facility.news("missing from the zone", should - objects.keys()) == set()
    assert facility.news("left behind in the zone", objects.keys() - should - set(beside)) == set()
    left = _collections_left(facility, {one.collection or "" for one in sets} | set(beside), should | set(beside))
    assert facility.news("collections left behind", left) == set()
    _check_holdings(facility)


def check_journal(state: Path) -> None:
    """The journal is a sound database, and no broken one was put aside."""
    with contextlib.closing(sqlite3.connect(state / FILE_NAME)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert list(state.glob("*.broken-*")) == []


def stuck_replicas(server: IrodsServer) -> set[str]:
    """The data objects that an agent left half-written when it died."""
    return {path for path, item in server.objects("/").items() if item.status == INTERMEDIATE}


def _check_metadata(facility: "Facility", image_set: ImageSet) -> None:
    collection = image_set.collection or ""
    avus = facility.server.avus(collection)
    assert [value for name, value, _ in avus if name == "acq:state"] == ["complete"], collection
    assert [value for name, value, _ in avus if name == "dcterms:identifier"] == [image_set.id], collection
    assert facility.markers.count[collection] == 1, f"{collection} got its marker more than once"


def _check_holdings(facility: "Facility") -> None:
    full = facility.full
    if full is not None and facility.process is not None and facility.process.poll() is None:
        facility.wait_until(
            lambda: facility.holdings().within(full, facility.most_connections), f"no more is held than {full}", 20
        )


def _collections_left(facility: "Facility", ours: Collection[str], objects: Collection[str]) -> set[str]:
    """What lies anywhere in the zone and is neither a set, nor in one, nor what sets are in."""
    needed = {BASE, "/", f"/tempZone/trash/home/{USER}"}
    for path in [*(f"{one}/" for one in ours if one), *objects, *(f"{one}/" for one in needed)]:
        while path := path.rpartition("/")[0]:
            needed.add(path)
    return facility.server.collections("/") - needed


def _agree(listing: bytes, described: Replica | None) -> bool:
    if described is None:
        return False
    return crate.contents_in(described.read().decode()).manifest == hashlib.sha256(listing).hexdigest()


def _manifest(objects: Mapping[str, Replica], collection: str | None) -> dict[str, str]:
    lines = objects[f"{collection}/{manifest.NAME}"].read().decode().splitlines()
    return {target: digest for digest, target in (line.split("  ", 1) for line in lines)}
