"""The iRODS store over a real socket: what the watcher says of a set is said anew in place, and all is read back."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.irods_store import (
    CLOSE,
    MIB,
    OPEN,
    PUT,
    QUERY,
    SET,
    UNLINK,
    Where,
    apis,
    ignore,
    large,
    sha256,
)
from tests.irods_server import GOOD, INTERMEDIATE, IrodsServer
from tests.irods_server.dialogue import connect
from watcher.errors import FixityError, NotAllowed, StoreBusy, StoreError, StoreFull, StoreUnreachable, Unforeseen
from watcher.stores.base import Grant, Session
from watcher.stores.irods import IrodsStore
from watcher.stores.source import BLOCK, Source

NAME = "manifest-sha256.txt"
PATH = f"{SET}/{NAME}"
OLD, NEW = b"old " * 1000, b"new and longer " * 1000
READ = 675


@pytest.fixture
def quick(open_store: Callable[..., IrodsStore]) -> IrodsStore:
    """A store that does not wait between its attempts."""
    return open_store(sleep=lambda _: None)


@pytest.fixture
def session(quick: IrodsStore, member: Callable[..., Source]) -> Iterator[Session]:
    """A set that alice may read, with a manifest and a member."""
    with quick.session() as opened:
        assert opened.claim(SET, "id-1")
        opened.put(member(b"pixels"), SET, "a.tif", ignore)
        opened.rewrite(SET, NAME, OLD)
        assert opened.grant(SET, [Grant("alice", "read")]) == {}
        yield opened


def seen(server: IrodsServer, path: str = PATH, user: str = "alice") -> bytes:
    """What this reader finds."""
    with connect(server, user) as reader, reader.data_objects.open(path, "r") as file:
        return bytes(file.read())


def number(server: IrodsServer, path: str = PATH) -> int:
    with connect(server) as admin:
        return int(admin.data_objects.get(path).id)


def test_a_sidecar_is_said_anew_in_place(server: IrodsServer, session: Session) -> None:
    before, access = number(server), server.access(PATH)
    server.reset_requests()
    session.rewrite(SET, NAME, NEW)
    assert apis(server) == [QUERY, PUT]
    assert seen(server) == NEW
    assert (number(server), server.access(PATH)) == (before, access)
    assert access == {"rods": "own", "alice": "read_object"}
    assert session.replicas(SET)[NAME].sha256 == sha256(NEW)
    server.reset_requests()
    session.rewrite(SET, NAME, NEW)
    assert apis(server) == [QUERY]


def test_a_sidecar_that_was_not_there_has_the_readers_of_the_set(server: IrodsServer, session: Session) -> None:
    server.reset_requests()
    session.rewrite(SET, "ro-crate-metadata.json", NEW)
    assert apis(server) == [QUERY, PUT]
    assert seen(server, f"{SET}/ro-crate-metadata.json") == NEW
    session.rewrite(SET, "ro-crate-metadata.json", b"")
    assert seen(server, f"{SET}/ro-crate-metadata.json") == b""


@pytest.mark.parametrize("name", ["a.tif", "sub/manifest-sha256.txt", "MANIFEST-SHA256.TXT", ""])
def test_nothing_else_is_ever_overwritten(server: IrodsServer, session: Session, name: str) -> None:
    server.reset_requests()
    with pytest.raises(Unforeseen):
        session.rewrite(SET, name, NEW)
    assert apis(server) == []
    assert server.objects()[f"{SET}/a.tif"].read() == b"pixels"


def test_a_real_zone_takes_a_sidecar_anew(zone: Where) -> None:
    with zone.store.session() as session:
        assert session.claim(f"{zone.base}/set", "id-1")
        for content in (OLD, NEW, NEW, b""):
            session.rewrite(f"{zone.base}/set", NAME, content)
            assert b"".join(session.read(f"{zone.base}/set", NAME)) == content
            assert session.replicas(f"{zone.base}/set")[NAME].sha256 == sha256(content)


Break = Callable[[IrodsServer], None]
KILLS: dict[str, Break] = {
    "before it is looked up": lambda server: server.faults.drop(api=QUERY, times=None),
    "after it was looked up": lambda server: server.faults.drop(api=QUERY, times=None, reply=True),
    "before the first byte": lambda server: server.faults.drop(api=PUT, times=None, after_bytes=0),
    "in the middle": lambda server: server.faults.drop(api=PUT, times=None, after_bytes=7000),
    "after the last byte": lambda server: server.faults.drop(api=PUT, times=None),
    "before the answer": lambda server: server.faults.drop(api=PUT, times=None, reply=True),
    "in the answer": lambda server: server.faults.drop(api=PUT, times=None, reply=True, after_bytes=10),
}


@pytest.mark.parametrize("where", KILLS)
def test_whatever_message_it_is_killed_at_readers_find_the_old_or_the_new(
    server: IrodsServer, session: Session, quick: IrodsStore, where: str
) -> None:
    access = server.access(PATH)
    KILLS[where](server)
    # Where only the answer is lost, the next look finds it there.
    lost = "answer" not in where
    try:
        session.rewrite(SET, NAME, NEW)
        assert not lost
    except StoreUnreachable:
        assert lost
    assert server.faults.struck
    server.faults.clear()
    assert seen(server) == (OLD if lost else NEW)
    with quick.session() as next_attempt:
        next_attempt.rewrite(SET, NAME, NEW)
    assert seen(server) == NEW
    assert server.access(PATH) == access
    assert server.objects()[PATH].status == GOOD


def test_a_server_that_dies_at_it_leaves_it_to_an_administrator(
    server: IrodsServer, session: Session, quick: IrodsStore
) -> None:
    server.faults.kill_agent(api=PUT)
    with pytest.raises(StoreBusy) as stuck:
        session.rewrite(SET, NAME, NEW)
    assert stuck.value.path == PATH
    assert server.objects()[PATH].status == INTERMEDIATE
    server.mend_stuck_replicas()
    with quick.session() as next_attempt:
        next_attempt.rewrite(SET, NAME, NEW)
    assert seen(server) == NEW


def test_what_arrives_wrong_is_sent_again_at_once(server: IrodsServer, session: Session) -> None:
    server.faults.corrupt(api=PUT)
    session.rewrite(SET, NAME, NEW)
    assert seen(server) == NEW
    server.faults.corrupt(api=PUT, times=2)
    with pytest.raises(FixityError):
        session.rewrite(SET, NAME, OLD)
    assert UNLINK not in apis(server)
    session.rewrite(SET, NAME, OLD)
    assert seen(server) == OLD


def test_a_full_resource_is_told_and_made_good(server: IrodsServer, session: Session) -> None:
    server.faults.resource_full(100)
    with pytest.raises(StoreFull):
        session.rewrite(SET, NAME, NEW)
    server.faults.clear()
    session.rewrite(SET, NAME, NEW)
    assert seen(server) == NEW


def test_it_stays_on_the_resource_that_it_is_on(
    server: IrodsServer, session: Session, open_store: Callable[..., IrodsStore]
) -> None:
    server.add_resource("newer")
    with open_store(resource="newer").session() as later:
        later.rewrite(SET, NAME, NEW)
        later.rewrite(SET, "ro-crate-metadata.json", NEW)
    assert seen(server) == NEW
    assert server.objects()[PATH].resource == "demoResc"
    assert server.objects()[f"{SET}/ro-crate-metadata.json"].resource == "newer"


SIZES = [0, 5, BLOCK - 1, BLOCK, BLOCK + 1]


@pytest.mark.parametrize("size", [*SIZES, 40 * MIB])
def test_what_is_read_is_what_was_put(zone: Where, member: Callable[..., Source], size: int) -> None:
    content = large()[:size]
    with zone.store.session() as session:
        assert session.claim(f"{zone.base}/set", "id-1")
        session.put(member(content), f"{zone.base}/set", "sub/it's.tif", ignore)
        for _ in range(2):
            blocks = list(session.read(f"{zone.base}/set", "sub/it's.tif"))
            assert b"".join(blocks) == content
            assert all(0 < len(block) <= BLOCK for block in blocks)


@pytest.mark.parametrize(
    ("size", "reads"), [(0, 1), (5, 2), (BLOCK - 1, 2), (BLOCK, 5), (BLOCK + 1, 5), (40 * MIB, 14)]
)
def test_reading_takes_few_requests(
    server: IrodsServer, session: Session, member: Callable[..., Source], size: int, reads: int
) -> None:
    session.put(member(large()[:size]), SET, "b.tif", ignore)
    server.reset_requests()
    assert sum(map(len, session.read(SET, "b.tif"))) == size
    assert apis(server) == [OPEN, *[READ] * reads, CLOSE]


@pytest.mark.parametrize("path", [f"{SET}/none", f"{SET}-none/a.tif", f"{SET}/sub"])
def test_what_is_not_there_cannot_be_read(session: Session, path: str) -> None:
    collection, _, name = path.rpartition("/")
    with pytest.raises(NotAllowed, match="not there"):
        next(session.read(collection, name))
    assert b"".join(session.read(SET, NAME)) == OLD


def test_what_may_not_be_read_is_not_read(session: Session, open_store: Callable[..., IrodsStore]) -> None:
    session.revoke(SET, ["alice"])
    with open_store(user="alice").session() as alice, pytest.raises(NotAllowed):
        next(alice.read(SET, "a.tif"))


def test_reading_that_is_left_off_harms_nothing_that_follows(
    server: IrodsServer, session: Session, member: Callable[..., Source]
) -> None:
    content = large()
    session.put(member(content), SET, "b.tif", ignore)
    blocks: Any = session.read(SET, "b.tif")
    assert next(blocks) == content[:BLOCK]
    assert next(blocks) == content[BLOCK : 2 * BLOCK]
    blocks.close()
    assert sha256(b"".join(session.read(SET, "b.tif"))) == sha256(content)
    # Nor if another request comes first; what was begun does not go on as if nothing had been.
    blocks = session.read(SET, "b.tif")
    next(blocks), next(blocks)
    assert session.replicas(SET)["b.tif"].sha256 == sha256(content)
    with pytest.raises(StoreError):
        list(blocks)
    assert session.replicas(SET).keys() == {"a.tif", "b.tif", NAME}
    assert server.objects()[f"{SET}/b.tif"].status == GOOD


@pytest.mark.parametrize("nth", [1, 2, 5])
def test_a_connection_lost_while_reading_is_told(
    server: IrodsServer, session: Session, member: Callable[..., Source], nth: int
) -> None:
    session.put(member(large()), SET, "b.tif", ignore)
    server.faults.drop(api=OPEN)
    server.faults.drop(api=READ, nth=nth, reply=True, after_bytes=1000)
    with pytest.raises(StoreUnreachable):
        list(session.read(SET, "b.tif"))
    assert b"".join(session.read(SET, "b.tif")) == large()
    assert len(server.faults.struck) == 2


@pytest.mark.parametrize("offset", [0, 1, BLOCK - 1, BLOCK, 2 * BLOCK + 5, 12 * MIB - 1, 12 * MIB, 12 * MIB + 7])
def test_reading_can_go_on_at_any_byte(zone: Where, member: Callable[..., Source], offset: int) -> None:
    data = large()[: 12 * MIB]
    with zone.store.session() as session:
        assert session.claim(f"{zone.base}/set", "id-1")
        session.put(member(data), f"{zone.base}/set", "a.tif", ignore)
        assert b"".join(session.read(f"{zone.base}/set", "a.tif", offset)) == data[offset:]
        assert b"".join(session.read(f"{zone.base}/set", "a.tif")) == data


def test_going_on_costs_one_request_more(server: IrodsServer, session: Session) -> None:
    server.reset_requests()
    assert b"".join(session.read(SET, "a.tif", 2)) == b"xels"
    assert apis(server) == [OPEN, 674, READ, READ, CLOSE]
