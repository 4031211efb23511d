"""The iRODS store over a real socket: an unpublished set is taken back whole, and nothing else is."""

from collections.abc import Callable

import pytest

from tests.integration.irods_store import HOME, PUT, SET, Where, ignore
from tests.irods_server import INTERMEDIATE, IrodsServer
from watcher.errors import StoreBusy, StoreUnreachable
from watcher.model import IDENTIFIER, UPLOADING, Avu
from watcher.provenance.vocabulary import COMPLETE, SUPERSEDED
from watcher.stores.base import Session
from watcher.stores.irods import IrodsStore
from watcher.stores.source import Source

REMOVE = 679


def fill(session: Session, source: Source, collection: str, count: int = 3) -> None:
    """Claim and put so many members."""
    assert session.claim(collection, "id-1")
    for number in range(count):
        session.put(source, collection, f"{number % 2}/deep/{number}.tif", ignore)


def test_a_withdrawn_set_leaves_no_trace(zone: Where, member: Callable[..., Source]) -> None:
    collection = f"{zone.base}/100%_it's a set"
    with zone.store.session() as session:
        # Enough for the server to report in between.
        fill(session, member(), collection, 35)
        fill(session, member(), f"{zone.base}/100xyit's a set")
        for _ in range(2):
            session.withdraw(collection, "id-1")
            assert session.replicas(collection) == {}
            assert session.avus(collection) == set()
        assert len(session.replicas(f"{zone.base}/100xyit's a set")) == 3
        # Its name is free, and the session knows that the collections in it are gone.
        fill(session, member(), collection)
        assert len(session.replicas(collection)) == 3


def test_nothing_goes_to_the_trash(server: IrodsServer, store: IrodsStore, member: Callable[..., Source]) -> None:
    before = server.collections()
    with store.session() as session:
        fill(session, member(), f"{HOME}/set")
        session.withdraw(f"{HOME}/set", "id-1")
    assert server.collections() == before
    assert server.objects() == {}


@pytest.mark.parametrize(
    ("add", "remove"),
    [
        ([COMPLETE], [UPLOADING]),
        ([SUPERSEDED], [UPLOADING]),
        ([COMPLETE], []),
        ([], [UPLOADING]),
        ([Avu(IDENTIFIER, "id-2")], [Avu(IDENTIFIER, "id-1")]),
        ([Avu(IDENTIFIER, "id-2")], []),
        ([], [Avu(IDENTIFIER, "id-1")]),
    ],
    ids=["published", "superseded", "just published", "no state", "another's", "of two", "nobody's"],
)
def test_anything_else_is_left_alone(
    store: IrodsStore, member: Callable[..., Source], add: list[Avu], remove: list[Avu]
) -> None:
    with store.session() as session:
        fill(session, member(), SET)
        session.annotate(SET, add, remove)
        session.withdraw(SET, "id-1")
        assert len(session.replicas(SET)) == 3


def test_a_stuck_replica_stays_with_the_label(
    server: IrodsServer, open_store: Callable[..., IrodsStore], member: Callable[..., Source]
) -> None:
    with open_store(sleep=lambda _: None).session() as session:
        fill(session, member(), SET)
        server.faults.kill_agent(api=PUT)
        with pytest.raises(StoreBusy) as busy:
            session.put(member(), SET, "stuck/a.tif", ignore)
        assert busy.value.path == f"{SET}/stuck/a.tif"
        with pytest.raises(StoreBusy, match="something in it is locked"):
            session.withdraw(SET, "id-1")
        assert {path: found.status for path, found in server.objects(SET).items()} == {busy.value.path: INTERMEDIATE}
        assert session.avus(SET) == {Avu(IDENTIFIER, "id-1"), UPLOADING}


@pytest.mark.parametrize("after_bytes", [None, 0, 300, 1500])
def test_a_lost_connection_is_made_good(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source], after_bytes: int | None
) -> None:
    with store.session() as session:
        fill(session, member(), SET, 35)
        server.faults.drop(api=REMOVE, reply=after_bytes is not None, after_bytes=after_bytes)
        session.withdraw(SET, "id-1")
        assert server.objects(SET) == {}
        assert SET not in server.collections()


def test_a_kill_in_between_leaves_the_label_for_the_next_call(
    server: IrodsServer, store: IrodsStore, open_store: Callable[..., IrodsStore], member: Callable[..., Source],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from watcher.stores.irods.connection import Connection

    with store.session() as session:
        fill(session, member(), SET, 35)
        with monkeypatch.context() as patch:
            patch.setattr(Connection, "acknowledge", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                session.withdraw(SET, "id-1")
    assert 0 < len(server.objects(SET)) < 35
    with open_store().session() as session:
        assert session.avus(SET) == {Avu(IDENTIFIER, "id-1"), UPLOADING}
        session.withdraw(SET, "id-1")
    assert SET not in server.collections()


def test_a_server_that_is_away_is_said(server: IrodsServer, store: IrodsStore, member: Callable[..., Source]) -> None:
    with store.session() as session:
        fill(session, member(), SET)
        server.faults.drop(api=REMOVE, times=None)
        with pytest.raises(StoreUnreachable):
            session.withdraw(SET, "id-1")
