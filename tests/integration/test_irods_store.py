"""The iRODS store over a real socket: what any zone must do, and what it costs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.irods_store import (
    CLOSE,
    LARGE,
    MKDIR,
    NAMES,
    OPEN,
    PUT,
    QUERY,
    SET,
    WRITE,
    Where,
    apis,
    ignore,
    large,
    sha256,
)
from tests.irods_server import IrodsServer
from watcher.errors import (
    NameRefused,
    StoreError,
    TargetMissing,
    WatcherError,
)
from watcher.model import Avu
from watcher.stores.base import Receipt, Replica
from watcher.stores.irods import IrodsStore
from watcher.stores.source import Source

# What any zone must do.


@pytest.mark.parametrize("size", [0, 1, 100_000, LARGE], ids=["empty", "one byte", "small", "large"])
def test_put_holds_the_same_bytes(zone: Where, member: Callable[..., Source], size: int) -> None:
    data = (large() + b"x")[:size]
    sent: list[int] = []
    with zone.store.session() as session:
        assert session.claim(f"{zone.base}/set", "id-1")
        receipt = session.put(member(data), f"{zone.base}/set", "a.tif", sent.append)
        assert receipt == Receipt(size, sha256(data))
        assert sum(sent) == size
        assert session.replicas(f"{zone.base}/set") == {"a.tif": Replica(size, sha256(data), good=True)}


def test_odd_names_come_back_as_they_are(zone: Where, member: Callable[..., Source]) -> None:
    collection = f"{zone.base}/100%_it's a set"
    with zone.store.session() as session:
        assert session.claim(collection, "id-1")
        assert session.claim(f"{zone.base}/100xyit's a set", "id-2")
        session.put(member(), f"{zone.base}/100xyit's a set", "sub/other.tif", ignore)
        for name in NAMES:
            session.put(member(name.encode()), collection, zone.store.target_name(name), ignore)
        found = session.replicas(collection)
        assert found == {name: Replica(len(name.encode()), sha256(name.encode()), good=True) for name in NAMES}
        for name in NAMES:
            session.remove(collection, name)
            session.remove(collection, name)
        assert session.replicas(collection) == {}


def test_replicas_come_page_by_page(zone: Where, member: Callable[..., Source]) -> None:
    source = member()
    with zone.store.session() as session:
        assert session.claim(f"{zone.base}/plate", "id-1")
        for number in range(620):
            session.put(source, f"{zone.base}/plate", f"{number:03}.tif", ignore)
        assert sorted(session.replicas(f"{zone.base}/plate")) == [f"{number:03}.tif" for number in range(620)]


def test_a_collection_belongs_to_one_set(zone: Where, member: Callable[..., Source]) -> None:
    collection = f"{zone.base}/a/b/set"
    with zone.store.session() as session:
        assert session.claim(collection, "id-1")
        assert session.claim(collection, "id-1")
        assert not session.claim(collection, "id-2")
        assert session.avus(collection) == {Avu("dcterms:identifier", "id-1"), Avu("acq:state", "uploading")}
        # What lies between was made on the way, is empty and nobody's.
        assert session.claim(f"{zone.base}/other/set", "id-3")
        assert not session.claim(f"{zone.base}/other", "id-4")


def test_a_free_collection_is_taken_and_a_full_one_left(zone: Where, member: Callable[..., Source]) -> None:
    with zone.store.session() as session:
        for name in ("free", "full"):
            assert session.claim(f"{zone.base}/{name}", "before")
        session.put(member(), f"{zone.base}/full", "theirs.tif", ignore)
        for name in ("free", "full"):
            session.annotate(f"{zone.base}/{name}", [], session.avus(f"{zone.base}/{name}"))
        assert session.claim(f"{zone.base}/free", "id-1")
        assert not session.claim(f"{zone.base}/full", "id-1")
        assert session.avus(f"{zone.base}/full") == set()


def test_metadata_is_changed_as_a_whole(zone: Where) -> None:
    collection = f"{zone.base}/set"
    wanted = [Avu("dcterms:creator", "Doe, Jane 🧫 it's", "1"), Avu("acq:state", "complete"), Avu("long", "µ" * 1350)]
    with zone.store.session() as session:
        assert session.claim(collection, "id-1")
        for _ in range(2):
            session.annotate(collection, wanted, [Avu("acq:state", "uploading")])
            assert session.avus(collection) == {Avu("dcterms:identifier", "id-1"), *wanted}
        for bad in (Avu("a", ""), Avu("", "b"), Avu("a", "µ" * 1351), Avu("a", "b", "u" * 251)):
            with pytest.raises(StoreError, match=r"metadata without|bytes, and iRODS takes"):
                session.annotate(collection, [Avu("fine", "1"), bad])
        assert session.avus(collection) == {Avu("dcterms:identifier", "id-1"), *wanted}
        assert session.avus(f"{zone.base}/none") == set()


def test_what_is_there_already_is_kept_or_replaced(zone: Where, member: Callable[..., Source]) -> None:
    with zone.store.session() as session:
        assert session.claim(f"{zone.base}/set", "id-1")
        for data in (b"first", b"other", b"longer than these", large(1), large(1), large(2)):
            receipt = session.put(member(data), f"{zone.base}/set", "a.tif", ignore)
            assert receipt == Receipt(len(data), sha256(data))
            assert session.replicas(f"{zone.base}/set") == {"a.tif": Replica(len(data), sha256(data), good=True)}


def test_check_finds_the_base(zone: Where) -> None:
    zone.store.check(zone.base)
    with pytest.raises(TargetMissing, match="not there"):
        zone.store.check(f"{zone.base}/missing")


def test_a_path_that_is_too_long_is_refused(zone: Where, member: Callable[..., Source]) -> None:
    with zone.store.session() as session, pytest.raises(NameRefused, match="bytes long"):
        session.put(member(), f"{zone.base}/set", "µ" * 501 + ".tif", ignore)


def test_control_characters_of_others_can_be_read(zone: Where) -> None:
    with zone.store.session() as session:
        assert session.claim(f"{zone.base}/set", "id-1")
        session.annotate(f"{zone.base}/set", [Avu("note", "a\x07b")])
        assert Avu("note", "a\x07b") in session.avus(f"{zone.base}/set")


def test_the_catalogue_of_nothing_is_empty(zone: Where) -> None:
    with zone.store.session() as session:
        assert session.replicas(f"{zone.base}/missing") == {}
        session.remove(f"{zone.base}/missing", "a.tif")
        session.open_to_readers(zone.base)


# What it costs.


def test_a_small_file_costs_one_request(server: IrodsServer, store: IrodsStore, member: Callable[..., Source]) -> None:
    with store.session() as session:
        assert session.claim(SET, "id-1")
        server.reset_requests()
        for number in range(3):
            session.put(member(b"abc"), SET, f"{number}.tif", ignore)
        assert apis(server) == [PUT] * 3
        server.reset_requests()
        for number in range(3):
            session.put(member(b"abc"), SET, f"zarr/0/{number}", ignore)
        assert apis(server) == [MKDIR, MKDIR, PUT, PUT, PUT]
    assert server.accepted == 1


def test_a_large_file_costs_its_blocks_and_five(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source]
) -> None:
    with store.session() as session:
        assert session.claim(SET, "id-1")
        server.reset_requests()
        session.put(member(large()), SET, "a.czi", ignore)
    assert apis(server) == [QUERY, OPEN, 20000, *[WRITE] * 10, CLOSE, QUERY]


def test_replicas_cost_two_requests(server: IrodsServer, store: IrodsStore, member: Callable[..., Source]) -> None:
    with store.session() as session:
        assert session.claim(SET, "id-1")
        session.put(member(), SET, "a/b/c.tif", ignore)
        server.reset_requests()
        assert list(session.replicas(SET)) == ["a/b/c.tif"]
    assert apis(server) == [QUERY, QUERY]


def test_a_large_file_that_is_there_is_not_sent_again(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source]
) -> None:
    with store.session() as session:
        assert session.claim(SET, "id-1")
        session.put(member(large()), SET, "a.czi", ignore)
        server.reset_requests()
        assert session.put(member(large()), SET, "a.czi", ignore) == Receipt(LARGE, sha256(large()))
    assert apis(server) == [QUERY]


def test_an_old_or_worn_connection_is_made_anew(
    server: IrodsServer, open_store: Callable[..., IrodsStore], member: Callable[..., Source]
) -> None:
    now = [0.0]
    with open_store(clock=lambda: now[0]).session() as session:
        assert session.claim(SET, "id-1")
        now[0] = 599.0
        session.put(member(), SET, "a.tif", ignore)
        assert server.accepted == 1
        now[0] = 601.0
        session.put(member(), SET, "b.tif", ignore)
        assert server.accepted == 2
        for number in range(500):
            session.put(member(), SET, f"{number}.tif", ignore)
        assert server.accepted == 3


def test_the_resource_of_the_profile_goes_first(
    server: IrodsServer, open_store: Callable[..., IrodsStore], member: Callable[..., Source]
) -> None:
    server.add_resource("imagesResc")
    changes = {"irods_default_resource": "noResc"}
    with open_store(changes=changes, resource="imagesResc").session() as session:
        assert session.claim(SET, "id-1")
        session.put(member(), SET, "a.tif", ignore)
        session.put(member(large()), SET, "b.czi", ignore)
    assert {found.resource for found in server.objects(SET).values()} == {"imagesResc"}
    with open_store(changes=changes).session() as session, pytest.raises(WatcherError):
        session.put(member(), SET, "c.tif", ignore)


def test_md5_zones_hold_sha256_all_the_same(tmp_path: Path, member: Callable[..., Source]) -> None:
    with IrodsServer(hash_scheme="md5") as server:
        file = tmp_path / "env.json"
        file.write_text(json.dumps(server.environment() | {"irods_default_hash_scheme": "MD5"}), encoding="utf-8")
        with IrodsStore(file, password="rods").session() as session:
            assert session.claim(SET, "id-1")
            for name, data in (("a.tif", b"small"), ("b.czi", large())):
                session.put(member(data), SET, name, ignore)
                assert session.replicas(SET)[name] == Replica(len(data), sha256(data), good=True)
