"""The iRODS store over a real socket: many sets asked about together, and stored bytes read again where they are."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from irods.access import iRODSAccess

from tests.integration.irods_store import HOME, QUERY, SET, apis, ignore, sha256
from tests.irods_server import IrodsServer
from tests.irods_server.dialogue import connect
from watcher.errors import StoreUnreachable
from watcher.model import IDENTIFIER, STATE, Avu
from watcher.stores.base import Replica, Session
from watcher.stores.irods import IrodsStore
from watcher.stores.source import Source

DATA: Final = b"pixels"
ASKED: Final = (IDENTIFIER, STATE)


@pytest.fixture
def session(open_store: Callable[..., IrodsStore]) -> Iterator[Session]:
    with open_store(sleep=lambda _: None).session() as opened:
        yield opened


def put(session: Session, member: Callable[..., Source], collection: str, *targets: str) -> None:
    assert session.claim(collection, f"id of {collection}")
    for target in targets:
        session.put(member(DATA), collection, target, ignore)


def test_the_survey_says_what_single_questions_say(session: Session, member: Callable[..., Source]) -> None:
    """Also of names with an apostrophe, of folders, of what is not there, and of what lies beside."""
    wanted = {
        f"{HOME}/a": ["one.tif"],
        f"{HOME}/a2": ["one.tif"],
        f"{HOME}/it's": ["o'ne.tif", "sub/two.tif", "sub/deep'er/three.tif"],
        f"{HOME}/many": [f"{number}/plane.tif" for number in range(25)],
    }
    for collection, targets in wanted.items():
        put(session, member, collection, *targets)
    found = session.survey(wanted | {f"{HOME}/none": ["x"]}, ASKED)
    for collection, targets in wanted.items():
        assert found[collection].replicas == session.replicas(collection)
        assert found[collection].replicas == {target: Replica(6, sha256(DATA), good=True) for target in targets}
        assert found[collection].avus == {Avu(IDENTIFIER, f"id of {collection}"), Avu(STATE, "uploading")}
        assert found[collection].access == {}
        assert found[collection].digests
    assert not found[f"{HOME}/none"].replicas
    assert not found[f"{HOME}/none"].avus


def test_a_hundred_sets_cost_a_few_requests(
    session: Session, member: Callable[..., Source], server: IrodsServer
) -> None:
    wanted = {f"{HOME}/set-{number:03}": ["a.tif", "b.tif"] for number in range(100)}
    for collection, targets in wanted.items():
        put(session, member, collection, *targets)
    server.reset_requests()
    found = session.survey(wanted, ASKED)
    assert len(found) == 100
    assert all(len(one.replicas) == 2 and len(one.avus) == 2 for one in found.values())
    assert {*apis(server)} == {QUERY}
    assert len(apis(server)) <= 15


def test_stale_replicas_are_counted(session: Session, member: Callable[..., Source], server: IrodsServer) -> None:
    put(session, member, SET, "a.tif", "b.tif")
    server.add_resource("tape")
    server.replicate(f"{SET}/a.tif", "tape")
    server.replicate(f"{SET}/b.tif", "tape", stale=True)
    there = session.survey({SET: ["a.tif", "b.tif"]}, ASKED)[SET].replicas
    assert (there["a.tif"].copies, there["a.tif"].stale) == (2, 0)
    assert (there["b.tif"].copies, there["b.tif"].stale) == (1, 1)


def test_who_has_more_than_the_collection_above_hands_down_is_told(
    session: Session, member: Callable[..., Source], server: IrodsServer
) -> None:
    server.add_user("bob", "bob")
    server.set_inheritance(HOME, "alice")
    put(session, member, SET, "a.tif")
    put(session, member, f"{HOME}/other", "a.tif")
    session.open_to_readers(SET)
    assert server.access(SET)["alice"]
    wanted = {SET: ["a.tif"], f"{HOME}/other": ["a.tif"]}
    assert {name: one.access for name, one in session.survey(wanted, ASKED).items()} == {key: {} for key in wanted}
    _let_in(server, SET, "bob", "read")
    _let_in(server, f"{HOME}/other", "alice", "own")
    found = session.survey(wanted, ASKED)
    assert found[SET].access == {"bob#tempZone": "read"}
    assert found[f"{HOME}/other"].access == {"alice#tempZone": "own"}


def _let_in(server: IrodsServer, collection: str, user: str, level: str) -> None:
    with connect(server) as admin:
        admin.acls.set(iRODSAccess(level, collection, user, "tempZone"))


@pytest.mark.parametrize("replicas", [1, 2])
def test_stored_bytes_are_read_again_by_the_server_and_nothing_is_changed(
    session: Session, member: Callable[..., Source], server: IrodsServer, replicas: int
) -> None:
    put(session, member, SET, "a.tif")
    path = server.objects(f"{SET}/")[f"{SET}/a.tif"].location
    if replicas == 2:
        server.add_resource("tape")
        path = server.replicate(f"{SET}/a.tif", "tape")
    sent = Replica(6, sha256(DATA), good=True, copies=replicas)
    assert session.reread(SET, "a.tif", sent) == ""
    path.write_bytes(b"PIXELS")
    assert session.reread(SET, "a.tif", sent) == "the stored bytes are not those of its checksum"
    assert session.replicas(SET) == {"a.tif": sent}
    assert session.reread(SET, "none.tif", sent) == "it is not there"


def test_what_takes_long_is_ended_from_another_thread(
    session: Session, member: Callable[..., Source], server: IrodsServer
) -> None:
    put(session, member, SET, "a.tif")
    gate = server.faults.hold(api=629)
    failed: list[BaseException] = []

    def read() -> None:
        try:
            session.reread(SET, "a.tif", Replica(6, sha256(DATA), good=True))
        except StoreUnreachable as error:
            failed.append(error)

    reading = threading.Thread(target=read)
    reading.start()
    assert gate.reached.wait(20)
    session.interrupt()
    reading.join(20)
    gate.open()
    assert not reading.is_alive()
    assert "given up" in str(failed[0])


def test_checksums_are_computed_where_there_are_none(
    session: Session, member: Callable[..., Source], server: IrodsServer, tmp_path: Path
) -> None:
    put(session, member, SET)
    (tmp_path / "a.tif").write_bytes(DATA)
    with connect(server) as admin:
        admin.data_objects.put(tmp_path / "a.tif", f"{SET}/a.tif")
    assert session.replicas(SET)["a.tif"].sha256 is None
    assert session.checksums(SET, {"a.tif": 6, "none.tif": 1}) == {"a.tif": sha256(DATA), "none.tif": None}
