"""The iRODS store over a real socket: what goes wrong on the way."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from tests.integration.irods_store import (
    CLOSE,
    LARGE,
    PUT,
    QUERY,
    QUICK,
    SET,
    UNLINK,
    WRITE,
    apis,
    ignore,
    large,
    sha256,
)
from tests.irods_server import GOOD, INTERMEDIATE, STALE, IrodsServer
from watcher import osfacts
from watcher.errors import (
    Conflict,
    FixityError,
    NotAllowed,
    SourceChanged,
    StoreBusy,
    StoreFull,
    StoreUnreachable,
    WatcherError,
)
from watcher.stores.base import Claimed, Receipt, Replica
from watcher.stores.irods import IrodsStore
from watcher.stores.source import Source


@pytest.mark.parametrize("data", [b"small", large()], ids=["single", "stream"])
@pytest.mark.parametrize("reply", [False, True], ids=["before", "after"])
def test_a_lost_connection_is_made_good(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source], data: bytes, *, reply: bool
) -> None:
    with store.session() as session:
        assert session.claim(SET, "id-1")
        server.faults.drop(api=PUT if len(data) < LARGE else WRITE, nth=1, reply=reply)
        assert session.put(member(data), SET, "a.tif", ignore) == Receipt(len(data), sha256(data))
        assert session.replicas(SET) == {"a.tif": Replica(len(data), sha256(data), good=True)}


def test_a_stale_leftover_is_replaced(server: IrodsServer, store: IrodsStore, member: Callable[..., Source]) -> None:
    data = large()
    with store.session() as session:
        assert session.claim(SET, "id-1")
        server.faults.drop(api=WRITE, nth=3, times=None, after_bytes=1000)
        with pytest.raises(StoreUnreachable):
            session.put(member(data), SET, "a.czi", ignore)
        server.faults.clear()
    assert server.objects(SET)[f"{SET}/a.czi"].status == STALE
    with store.session() as session:
        session.put(member(data), SET, "a.czi", ignore)
        assert session.replicas(SET) == {"a.czi": Replica(LARGE, sha256(data), good=True)}


@pytest.mark.parametrize(("api", "data"), [(PUT, b"small"), (CLOSE, large())], ids=["single", "stream"])
def test_an_unknown_outcome_is_asked_of_the_catalogue(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source], api: int, data: bytes
) -> None:
    with store.session() as session:
        assert session.claim(SET, "id-1")
        server.reset_requests()
        server.faults.drop(api=api, reply=True, after_bytes=0)
        assert session.put(member(data), SET, "a.tif", ignore) == Receipt(len(data), sha256(data))
    assert sum(request.bytes for request in server.requests) == len(data)
    assert server.objects(SET)[f"{SET}/a.tif"].read() == data


def test_a_silent_server_is_given_up_and_then_asked(
    server: IrodsServer, open_store: Callable[..., IrodsStore], member: Callable[..., Source]
) -> None:
    with open_store(patience=0.3).session() as session:
        assert session.claim(SET, "id-1")
        server.reset_requests()
        server.faults.stall(1.0, api=PUT, reply=True)
        session.put(member(), SET, "a.tif", ignore)
    assert apis(server).count(PUT) == 1


@pytest.mark.parametrize(("api", "data"), [(PUT, b"small"), (WRITE, large())], ids=["single", "stream"])
def test_a_stuck_replica_is_busy_and_stays(
    server: IrodsServer, open_store: Callable[..., IrodsStore], member: Callable[..., Source], api: int, data: bytes
) -> None:
    pauses: list[float] = []
    with open_store(sleep=pauses.append).session() as session:
        assert session.claim(SET, "id-1")
        server.faults.kill_agent(api=api)
        with pytest.raises(StoreBusy, match=r"a\.tif.*still being written"):
            session.put(member(data), SET, "a.tif", ignore)
        assert not session.replicas(SET)["a.tif"].good
    assert server.objects(SET)[f"{SET}/a.tif"].status == INTERMEDIATE
    assert 0 < sum(pauses) < QUICK


@pytest.mark.parametrize("code", [-405000, -406000, -1803000])
def test_a_lock_is_waited_for_a_little(
    server: IrodsServer, open_store: Callable[..., IrodsStore], member: Callable[..., Source], code: int
) -> None:
    pauses: list[float] = []
    with open_store(sleep=pauses.append).session() as session:
        assert session.claim(SET, "id-1")
        server.faults.error(api=PUT, code=code, times=2)
        session.put(member(), SET, "a.tif", ignore)
        assert len(pauses) == 2
        server.faults.error(api=PUT, code=code, times=None)
        with pytest.raises(StoreBusy, match=f"{code}"):
            session.put(member(), SET, "b.tif", ignore)
        assert len(pauses) == 5


@pytest.mark.parametrize("data", [b"small", large()], ids=["single", "stream"])
def test_a_full_resource_leaves_nothing_behind(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source], data: bytes
) -> None:
    with store.session() as session:
        assert session.claim(SET, "id-1")
        server.faults.resource_full(len(data) // 2)
        with pytest.raises(StoreFull, match=r"a\.tif: the resource is full"):
            session.put(member(data), SET, "a.tif", ignore)
        server.faults.clear()
        assert not any(found.status == GOOD for found in server.objects(SET).values())
        session.put(member(data), SET, "a.tif", ignore)
        assert session.replicas(SET) == {"a.tif": Replica(len(data), sha256(data), good=True)}


@pytest.mark.parametrize("data", [b"small", large()], ids=["single", "stream"])
@pytest.mark.parametrize("fault", ["lie", "corrupt"])
def test_other_bytes_in_the_store_are_no_success(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source], data: bytes, fault: str
) -> None:
    with store.session() as session:
        assert session.claim(SET, "id-1")
        if fault == "lie":
            server.faults.lie_about_checksums()
        else:
            server.faults.corrupt(api=PUT if len(data) < LARGE else WRITE)
        with pytest.raises(FixityError, match=r"a\.tif"):
            session.put(member(data), SET, "a.tif", ignore)
        assert server.objects(SET) == {}
        server.faults.clear()
        session.put(member(data), SET, "a.tif", ignore)
        assert session.replicas(SET)["a.tif"].good


@pytest.mark.parametrize(("api", "code"), [(WRITE, 5), (CLOSE, 100)], ids=["short write", "size at close"])
def test_a_positive_status_is_no_success(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source], api: int, code: int
) -> None:
    with store.session() as session:
        assert session.claim(SET, "id-1")
        server.faults.error(api=api, code=code)
        with pytest.raises(FixityError, match="were sent"):
            session.put(member(large()), SET, "a.czi", ignore)
        assert server.objects(SET) == {}


@pytest.mark.parametrize("data", [b"small", large()], ids=["single", "stream"])
def test_a_source_that_changes_leaves_no_object(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source], data: bytes
) -> None:
    source = member(data)

    def write_to_it(_: int) -> None:
        with source.path.open("ab") as file:
            file.write(b"more")

    with store.session() as session:
        assert session.claim(SET, "id-1")
        if len(data) < LARGE:
            write_to_it(0)
        with pytest.raises(SourceChanged):
            session.put(source, SET, "a.tif", write_to_it)
        assert server.objects(SET) == {}
        # The session goes on.
        session.put(member(b"next"), SET, "b.tif", ignore)


@pytest.mark.parametrize("how", ["lost", "refused", "interrupted"])
def test_a_failed_put_leaves_no_file_open(
    server: IrodsServer,
    open_store: Callable[..., IrodsStore],
    member: Callable[..., Source],
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    opened: list[Any] = []

    def open_shared(path: Path) -> BinaryIO:
        opened.append(path.open("rb"))
        return opened[-1]  # type: ignore[no-any-return]

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(osfacts, "open_shared", open_shared)
    with open_store(sleep=lambda _: None).session() as session:
        assert session.claim(SET, "id-1")
        if how == "lost":
            server.faults.drop(api=WRITE, nth=2, times=None)
        elif how == "refused":
            server.faults.error(api=WRITE, code=-110000)
        with pytest.raises(BaseException, match=r"a\.czi|^$") as failed:
            session.put(member(large()), SET, "a.czi", interrupt if how == "interrupted" else ignore)
        # The traceback still holds every frame, as that of a logged error does.
        assert failed.tb is not None
        assert opened
        assert all(file.closed for file in opened)


def test_bytes_that_are_sent_again_count_once(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source]
) -> None:
    sent: list[int] = []
    with store.session() as session:
        assert session.claim(SET, "id-1")
        server.faults.drop(api=WRITE, nth=5)
        server.faults.drop(api=WRITE, nth=12)
        session.put(member(large()), SET, "a.czi", sent.append)
    assert sum(sent) == LARGE
    assert sum(1 for count in sent if count < 0) == 2


def test_an_interrupted_upload_is_never_closed(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source]
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with store.session() as session:
        assert session.claim(SET, "id-1")
        server.reset_requests()
        with pytest.raises(KeyboardInterrupt):
            session.put(member(large()), SET, "a.czi", interrupt)
    assert CLOSE not in apis(server)
    assert not any(found.status == GOOD for found in server.objects(SET).values())


def test_a_reply_that_nobody_read_is_not_taken_for_another(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    from watcher.stores.irods.connection import Connection

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with store.session() as session:
        assert session.claim(SET, "id-1")
        with monkeypatch.context() as patch:
            patch.setattr(Connection, "receive", interrupt)
            with pytest.raises(KeyboardInterrupt):
                session.avus(SET)
        assert session.replicas(SET) == {}


def test_a_collection_that_was_removed_is_made_again(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source]
) -> None:
    from irods.session import iRODSSession

    with store.session() as session:
        assert session.claim(SET, "id-1")
        session.put(member(), SET, "sub/a.tif", ignore)
        with iRODSSession(host=server.host, port=server.port, user="rods", password="rods", zone="tempZone") as admin:
            admin.collections.remove(f"{SET}/sub", force=True)
        with pytest.raises(NotAllowed, match="its collection is not there"):
            session.put(member(), SET, "sub/b.tif", ignore)
        session.put(member(), SET, "sub/b.tif", ignore)
        assert list(session.replicas(SET)) == ["sub/b.tif"]


def test_an_object_made_meanwhile_is_not_written_into(
    server: IrodsServer, open_store: Callable[..., IrodsStore], member: Callable[..., Source]
) -> None:
    theirs = large(2)
    store = open_store(sleep=lambda _: None)
    with store.session() as session, store.session() as other:
        assert session.claim(SET, "id-1")
        other.put(member(theirs, "theirs"), SET, "a.czi", ignore)
        # The catalogue knows nothing of it when the upload begins.
        server.faults.error(api=QUERY, code=-808000)
        server.reset_requests()
        assert session.put(member(theirs), SET, "a.czi", ignore) == Receipt(LARGE, sha256(theirs))
    assert WRITE not in apis(server)
    assert server.objects(SET)[f"{SET}/a.czi"].status == GOOD


def test_nothing_is_ever_forced(server: IrodsServer, store: IrodsStore, member: Callable[..., Source]) -> None:
    """A put over a good object is refused by the server; the old one goes only after it was looked at."""
    with store.session() as session:
        assert session.claim(SET, "id-1")
        session.put(member(b"old"), SET, "a.tif", ignore)
        server.reset_requests()
        session.put(member(b"new"), SET, "a.tif", ignore)
        assert apis(server) == [PUT, QUERY, UNLINK, PUT]
        server.faults.error(api=PUT, code=-312000, times=2)
        with pytest.raises(Conflict):
            session.put(member(b"new"), SET, "b.tif", ignore)


def test_a_restarted_server_is_met_again(server: IrodsServer, store: IrodsStore, member: Callable[..., Source]) -> None:
    with store.session() as session:
        assert session.claim(SET, "id-1")
        server.restart()
        session.put(member(), SET, "a.tif", ignore)
        server.restart()
        assert session.replicas(SET)["a.tif"].good
        server.restart()
        assert session.claim(SET, "id-1")


def test_two_watchers_that_claim_at_once_get_nothing_in_common(
    server: IrodsServer, open_store: Callable[..., IrodsStore]
) -> None:
    store = open_store()
    with store.session() as session, store.session() as other:
        # The label of the other comes between ours and the look at it.
        server.faults.error(api=QUERY, code=-808000, nth=3)
        assert session.claim(SET, "id-1") is Claimed.NOT
        assert other.claim(SET, "id-2") is Claimed.NOW


def test_no_session_leaves_a_connection(server: IrodsServer, store: IrodsStore, member: Callable[..., Source]) -> None:
    with store.session() as session, suppress(WatcherError):
        server.faults.error(api=PUT, code=-1000)
        session.put(member(), SET, "a.tif", ignore)
    server.stop()
    assert server.connections == 0
