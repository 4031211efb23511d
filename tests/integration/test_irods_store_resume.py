"""The iRODS store over a real socket: a large member goes on where it was cut off, and is compared as a whole."""

from collections.abc import Callable

import pytest

from tests.integration.irods_store import CLOSE, LARGE, MIB, SET, WRITE, Where, ignore, large, sha256
from tests.irods_server import GOOD, INTERMEDIATE, STALE, IrodsServer
from watcher.errors import FixityError, SourceChanged, StoreBusy, StoreUnreachable
from watcher.stores.base import Receipt, Replica, Session
from watcher.stores.irods import RESUME_FROM, IrodsStore
from watcher.stores.irods.catalogue import Catalogue
from watcher.stores.source import BLOCK, Source

SEEK = 674
HERE = f"{SET}/a.czi"


@pytest.fixture
def store(open_store: Callable[..., IrodsStore]) -> IrodsStore:
    """One that goes on behind 8 MiB."""
    return open_store(resume_from=8 * MIB)


def sent(server: IrodsServer) -> int:
    """The bytes that the server was offered for the member since the log was begun."""
    return sum(request.bytes for request in server.requests if request.path == HERE)


def cut_off(server: IrodsServer, session: Session, source: Source, *, nth: int, after: int = 0) -> None:
    """Deliver up to the nth block, of which so many bytes arrive, and lose the server; then begin the log anew."""
    assert session.claim(SET, "id-1")
    server.faults.drop(api=WRITE, nth=nth, after_bytes=after)
    server.faults.drop(api=WRITE, nth=nth + 1, times=None, after_bytes=0)
    with pytest.raises(StoreUnreachable):
        session.put(source, SET, "a.czi", ignore)
    server.faults.clear()
    server.reset_requests()


def whole(session: Session, data: bytes) -> bool:
    return session.replicas(SET) == {"a.czi": Replica(len(data), sha256(data), good=True)}


def test_a_lost_connection_sends_only_the_rest(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source]
) -> None:
    data, counts = large(), list[int]()
    with store.session() as session:
        assert session.claim(SET, "id-1")
        server.faults.drop(api=WRITE, nth=6, after_bytes=1000)
        server.faults.drop(api=WRITE, nth=9)
        assert session.put(member(data), SET, "a.czi", counts.append) == Receipt(LARGE, sha256(data))
        assert whole(session, data)
    # The block that was cut off, and the one that nobody confirmed, once more.
    assert sent(server) == LARGE + 2 * BLOCK
    assert sum(counts) == LARGE
    assert server.objects()[HERE].read() == data


def test_the_next_process_sends_only_the_rest(
    server: IrodsServer, store: IrodsStore, open_store: Callable[..., IrodsStore], member: Callable[..., Source]
) -> None:
    data, counts = large(), list[int]()
    source = member(data)
    with store.session() as session:
        cut_off(server, session, source, nth=6, after=1000)
    assert server.objects()[HERE].status == STALE
    with open_store(resume_from=8 * MIB).session() as session:
        session.put(source, SET, "a.czi", counts.append)
        assert whole(session, data)
    assert sent(server) == sum(counts) == LARGE - 5 * BLOCK
    assert [request.api for request in server.requests].count(SEEK) == 1


def test_all_but_the_close_sends_one_block_again(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source]
) -> None:
    data = large()
    with store.session() as session:
        assert session.claim(SET, "id-1")
        server.faults.drop(api=CLOSE)
        session.put(member(data), SET, "a.czi", ignore)
        assert whole(session, data)
    assert sent(server) == LARGE + BLOCK


@pytest.mark.parametrize(
    ("nth", "resume_from"), [(2, 8 * MIB), (6, RESUME_FROM), (6, 20 * MIB + 1)], ids=["little", "default", "one short"]
)
def test_what_is_soon_sent_is_sent_whole(
    server: IrodsServer,
    open_store: Callable[..., IrodsStore],
    member: Callable[..., Source],
    nth: int,
    resume_from: int,
) -> None:
    data, counts = large(), list[int]()
    source = member(data)
    with open_store(resume_from=resume_from).session() as session:
        cut_off(server, session, source, nth=nth)
        session.put(source, SET, "a.czi", counts.append)
        assert whole(session, data)
    assert sent(server) == sum(counts) == LARGE


def test_another_beginning_in_the_store_is_noticed_and_sent_again(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source]
) -> None:
    data, counts = large(), list[int]()
    source = member(data)
    with store.session() as session:
        cut_off(server, session, source, nth=6)
        with server.objects()[HERE].location.open("r+b") as vault:
            vault.seek(100)
            vault.write(b"a bit that fell over")
        session.put(source, SET, "a.czi", counts.append)
        assert whole(session, data)
    assert sent(server) == (LARGE - 5 * BLOCK) + LARGE
    assert sum(counts) == LARGE
    assert server.objects()[HERE].read() == data


def test_half_of_an_earlier_generation_is_no_beginning_of_this(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source]
) -> None:
    with store.session() as session:
        cut_off(server, session, member(large(1)), nth=6)
        session.put(member(large(2)), SET, "a.czi", ignore)
        assert whole(session, large(2))


def test_bytes_that_are_wrong_again_are_reported(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source]
) -> None:
    source = member(large())
    with store.session() as session:
        cut_off(server, session, source, nth=6)
        server.faults.corrupt(api=WRITE, times=None)
        with pytest.raises(FixityError, match=r"a\.czi: the store holds other bytes"):
            session.put(source, SET, "a.czi", ignore)
    assert server.objects() == {}
    assert sent(server) == (LARGE - 5 * BLOCK) + LARGE


def test_a_killed_agent_leaves_a_replica_that_is_named_and_not_touched(
    server: IrodsServer, open_store: Callable[..., IrodsStore], member: Callable[..., Source]
) -> None:
    with open_store(resume_from=8 * MIB, sleep=lambda _: None).session() as session:
        assert session.claim(SET, "id-1")
        server.faults.kill_agent(api=WRITE, nth=6)
        with pytest.raises(StoreBusy) as busy:
            session.put(member(large()), SET, "a.czi", ignore)
    assert busy.value.path == HERE
    assert server.objects()[HERE].status == INTERMEDIATE
    assert server.objects()[HERE].location.stat().st_size == 5 * BLOCK


def test_a_lock_that_passes_names_nothing(
    server: IrodsServer, open_store: Callable[..., IrodsStore], member: Callable[..., Source]
) -> None:
    with open_store(sleep=lambda _: None).session() as session:
        assert session.claim(SET, "id-1")
        server.faults.error(api=602, code=-1803000, times=None)
        with pytest.raises(StoreBusy) as busy:
            session.put(member(large()), SET, "a.czi", ignore)
    assert busy.value.path is None


@pytest.mark.parametrize("size", [20 * MIB, LARGE, LARGE + 8 * MIB])
def test_nothing_is_written_behind_a_good_replica(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source], size: int
) -> None:
    data = large(2)
    with store.session() as session:
        assert session.claim(SET, "id-1")
        session.put(member((large(1) * 2)[:size]), SET, "a.czi", ignore)
        server.reset_requests()
        session.put(member(data), SET, "a.czi", ignore)
        assert whole(session, data)
    assert SEEK not in {request.api for request in server.requests}


def test_a_source_that_changes_meanwhile_leaves_nothing(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source]
) -> None:
    source = member(large())

    def write_to_it(_: int) -> None:
        with source.path.open("ab") as file:
            file.write(b"more")

    with store.session() as session:
        cut_off(server, session, source, nth=6)
        with pytest.raises(SourceChanged):
            session.put(source, SET, "a.czi", write_to_it)
    assert server.objects() == {}


def test_a_half_that_is_removed_at_the_last_moment_is_sent_whole(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, lookup = large(), Catalogue.lookup
    source = member(data)

    def look_and_lose(catalogue: Catalogue, path: str) -> object:
        found = lookup(catalogue, path)
        if found is not None and not found.replica.good:
            catalogue.unlink(path)
        return found

    with store.session() as session:
        cut_off(server, session, source, nth=6)
        monkeypatch.setattr(Catalogue, "lookup", look_and_lose)
        session.put(source, SET, "a.czi", ignore)
        assert whole(session, data)
    assert sent(server) == LARGE


def test_a_server_that_stands_elsewhere_is_not_written_to(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.irods_server.transfer import Transfers

    source = member(large())
    with store.session() as session:
        cut_off(server, session, source, nth=6)
        monkeypatch.setattr(Transfers, "seek", lambda *_: 7)
        with pytest.raises(Exception, match="the server stands at 7"):
            session.put(source, SET, "a.czi", ignore)
    assert sent(server) == 0
    assert server.objects()[HERE].status != GOOD


def test_an_upload_that_was_interrupted_goes_on_in_any_zone(zone: Where, member: Callable[..., Source]) -> None:
    data, counts = large(), list[int]()
    source, collection = member(data), f"{zone.base}/set"

    def interrupt(count: int) -> None:
        counts.append(count)
        if sum(counts) > LARGE // 2:
            raise KeyboardInterrupt

    with zone.store.session() as session:
        assert session.claim(collection, "id-1")
        with pytest.raises(KeyboardInterrupt):
            session.put(source, collection, "a.czi", interrupt)
        counts.clear()
        session.put(source, collection, "a.czi", counts.append)
        assert session.replicas(collection) == {"a.czi": Replica(LARGE, sha256(data), good=True)}
    assert 0 < sum(counts) < LARGE
