"""The iRODS store over a real socket: who may read a set before it is published (nobody), and afterwards."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from irods.access import iRODSAccess
from irods.exception import iRODSException
from irods.meta import iRODSMeta
from irods.session import iRODSSession

from tests.integration.irods_store import ACCESS, HOME, METADATA, MKDIR, PUT, QUERY, SET, apis, ignore
from tests.irods_server import IrodsServer
from watcher.errors import NotAllowed, StoreUnreachable, TargetMissing
from watcher.model import Avu
from watcher.stores.irods import IrodsStore
from watcher.stores.source import Source

PARENT = f"{HOME}/2026"
UPLOADING, COMPLETE = Avu("acq:state", "uploading"), Avu("acq:state", "complete")
ALONE = {"rods": "own"}
#: What the parent gives: to a user, and to a group in which carol is.
GIVEN = {"rods": "own", "alice": "read_object", "imaging": "modify_object"}
#: One request each for alice, the group, and inheritance.
CHANGES = [ACCESS] * 3


def login(server: IrodsServer, user: str) -> Any:
    return iRODSSession(host=server.host, port=server.port, user=user, password=user, zone=server.zone)


@pytest.fixture
def admin(server: IrodsServer) -> Iterator[Any]:
    with login(server, "rods") as session:
        yield session


@pytest.fixture
def grant(server: IrodsServer, admin: Any) -> Callable[..., None]:
    """Sets access as `ichmod` does."""

    def change(level: str, path: str, who: str = "") -> None:
        admin.acls.set(iRODSAccess(level, path, who, server.zone if who else ""))

    return change


@pytest.fixture
def parent(server: IrodsServer, grant: Callable[..., None]) -> str:
    """A collection that hands its access down; bob has none."""
    for name in ("bob", "carol"):
        server.add_user(name, name)
    server.add_group("imaging", ["carol"])
    server.make_collection(PARENT)
    grant("read", PARENT, "alice")
    grant("write", PARENT, "imaging")
    grant("inherit", PARENT)
    return PARENT


def readers(server: IrodsServer, path: str) -> set[str]:
    """Who of alice, bob and carol gets the bytes."""
    found = set()
    for user in ("alice", "bob", "carol"):
        with login(server, user) as session:
            try:
                with session.data_objects.open(path, "r") as file:
                    file.read()
                found.add(user)
            except iRODSException:
                pass
    return found


def everything(server: IrodsServer, collection: str) -> set[str]:
    return server.collections(collection) | set(server.objects(collection))


@pytest.mark.usefixtures("parent")
def test_inherited_readers_wait_for_the_publication(
    server: IrodsServer, open_store: Callable[..., IrodsStore], store: IrodsStore, member: Callable[..., Source]
) -> None:
    alice = open_store(user="alice")
    with store.session() as session, alice.session() as reader:
        assert session.claim(SET, "id-1")
        for target in ("a.tif", "sub/deep/b.tif"):
            session.put(member(), SET, target, ignore)
            assert readers(server, f"{SET}/{target}") == set()
        assert reader.replicas(SET) == {}
        assert reader.avus(SET) == set()
        assert all(server.access(path) == ALONE for path in everything(server, SET))
        for _ in range(2):
            session.open_to_readers(SET)
            assert all(
                readers(server, f"{SET}/{target}") == {"alice", "carol"} for target in ("a.tif", "sub/deep/b.tif")
            )
            assert reader.replicas(SET) == session.replicas(SET)
            assert all(server.access(path) == GIVEN for path in everything(server, SET))
            assert all(server.inherits(path) for path in server.collections(SET))
    assert server.access(PARENT) == GIVEN


def test_without_inheritance_nobody_gets_in(
    server: IrodsServer,
    store: IrodsStore,
    member: Callable[..., Source],
    parent: str,
    grant: Callable[..., None],
) -> None:
    grant("noinherit", parent)
    with store.session() as session:
        session.avus(HOME)
        server.reset_requests()
        assert session.claim(SET, "id-1")
        assert apis(server) == [QUERY, MKDIR, QUERY, METADATA, QUERY]
        session.put(member(), SET, "sub/a.tif", ignore)
        server.reset_requests()
        session.open_to_readers(SET)
        assert apis(server) == [QUERY]
    assert readers(server, f"{SET}/sub/a.tif") == set()
    assert all(server.access(path) == ALONE for path in everything(server, SET))
    assert not any(server.inherits(path) for path in server.collections(SET))


@pytest.mark.usefixtures("parent")
def test_closing_and_opening_cost_a_request_for_each_holder(server: IrodsServer, store: IrodsStore) -> None:
    with store.session() as session:
        session.avus(HOME)
        server.reset_requests()
        assert session.claim(SET, "id-1")
        assert apis(server) == [QUERY, MKDIR, QUERY, QUERY, *CHANGES, METADATA, QUERY]
        server.reset_requests()
        assert session.claim(SET, "id-1")
        assert apis(server) == [QUERY, MKDIR, QUERY, QUERY, QUERY]
        server.reset_requests()
        session.open_to_readers(SET)
        assert apis(server) == [QUERY, QUERY, *CHANGES]


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("reply", [False, True], ids=["before", "after"])
@pytest.mark.usefixtures("parent")
def test_a_claim_that_was_cut_off_is_mended_by_the_next(
    server: IrodsServer, open_store: Callable[..., IrodsStore], member: Callable[..., Source], nth: int, *, reply: bool
) -> None:
    store = open_store(sleep=lambda _: None)
    with store.session() as session:
        # The first attempt gets so far, and no other any further.
        server.faults.drop(api=ACCESS, nth=nth, times=None, reply=reply)
        server.faults.drop(api=MKDIR, nth=2, times=None)
        with pytest.raises(StoreUnreachable):
            session.claim(SET, "id-1")
        assert server.avus(SET) == []
        assert server.objects(SET) == {}
        server.faults.clear()
    with store.session() as session:
        assert session.claim(SET, "id-1")
        session.put(member(), SET, "a.tif", ignore)
    assert all(server.access(path) == ALONE for path in everything(server, SET))
    assert not server.inherits(SET)


@pytest.mark.usefixtures("parent")
def test_a_lost_answer_about_access_is_made_good_at_once(server: IrodsServer, store: IrodsStore) -> None:
    with store.session() as session:
        server.faults.drop(api=ACCESS, nth=2)
        assert session.claim(SET, "id-1")
        assert server.access(SET) == ALONE
        server.faults.drop(api=ACCESS, nth=2, reply=True)
        session.open_to_readers(SET)
        assert server.access(SET) == GIVEN


def test_a_set_that_was_left_open_is_closed_with_all_that_is_in_it(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source], parent: str, admin: Any
) -> None:
    admin.collections.create(f"{SET}/sub")
    for avu in (Avu("dcterms:identifier", "id-1"), UPLOADING):
        admin.collections.get(SET).metadata.add(iRODSMeta(avu.attribute, avu.value))
    with store.session() as session:
        session.put(member(), SET, "sub/a.tif", ignore)
        assert readers(server, f"{SET}/sub/a.tif") == {"alice", "carol"}
        assert session.claim(SET, "id-1")
    assert all(server.access(path) == ALONE for path in everything(server, SET))
    assert not any(server.inherits(path) for path in server.collections(SET))
    assert server.access(parent) == GIVEN


@pytest.mark.usefixtures("parent")
def test_a_published_set_stays_open_when_it_is_claimed_again(server: IrodsServer, store: IrodsStore) -> None:
    with store.session() as session:
        assert session.claim(SET, "id-1")
        session.open_to_readers(SET)
        session.annotate(SET, [COMPLETE], [UPLOADING])
        server.reset_requests()
        assert session.claim(SET, "id-1")
        assert not session.claim(SET, "id-2")
        assert ACCESS not in apis(server)
    assert server.access(SET) == GIVEN


def test_what_belongs_to_something_else_keeps_its_access(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source], parent: str, admin: Any
) -> None:
    admin.collections.create(f"{SET}/theirs")
    with store.session() as session:
        assert not session.claim(SET, "id-1")
        session.put(member(), f"{SET}/theirs", "a.tif", ignore)
        assert not session.claim(f"{SET}/theirs", "id-1")
    assert all(server.access(path) == GIVEN for path in everything(server, SET))
    assert server.inherits(SET)


def test_the_folders_of_the_template_keep_what_the_site_gives(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source], parent: str
) -> None:
    collection = f"{parent}/LSM980/today/set"
    with store.session() as session:
        assert session.claim(collection, "id-1")
        session.put(member(), collection, "a.tif", ignore)
        assert server.access(collection) == ALONE
        for folder in (f"{parent}/LSM980", f"{parent}/LSM980/today"):
            assert server.access(folder) == GIVEN
            assert server.inherits(folder)
        session.open_to_readers(collection)
    assert readers(server, f"{collection}/a.tif") == {"alice", "carol"}


@pytest.mark.usefixtures("parent")
def test_an_empty_set_is_closed_and_opened(
    server: IrodsServer, open_store: Callable[..., IrodsStore], store: IrodsStore
) -> None:
    alice = open_store(user="alice")
    with store.session() as session:
        assert session.claim(SET, "id-1")
        assert session.replicas(SET) == {}
        with pytest.raises(TargetMissing, match="cannot see it"):
            alice.check(SET)
        session.open_to_readers(SET)
        with pytest.raises(TargetMissing, match="may not write there"):
            alice.check(SET)


def test_nobody_gets_more_than_the_parent_gives_now(
    server: IrodsServer, store: IrodsStore, member: Callable[..., Source], parent: str, grant: Callable[..., None]
) -> None:
    with store.session() as session:
        assert session.claim(SET, "id-1")
        session.put(member(), SET, "a.tif", ignore)
        grant("null", parent, "alice")
        grant("read_metadata", parent, "imaging")
        session.open_to_readers(SET)
    assert readers(server, f"{SET}/a.tif") == set()
    assert all(server.access(path) == {"rods": "own", "imaging": "read_metadata"} for path in everything(server, SET))


@pytest.mark.usefixtures("parent")
def test_a_user_who_was_removed_is_passed_over(server: IrodsServer, store: IrodsStore) -> None:
    with store.session() as session:
        assert session.claim(SET, "id-1")
        server.faults.error(api=ACCESS, code=-827000)
        session.open_to_readers(SET)
    assert set(server.access(SET)) < set(GIVEN)
    assert server.inherits(SET)


def test_a_group_of_the_service_is_no_reader(
    server: IrodsServer,
    open_store: Callable[..., IrodsStore],
    member: Callable[..., Source],
    parent: str,
    grant: Callable[..., None],
    admin: Any,
) -> None:
    """On a real server this is how every collection begins if the service owns the parent through a group."""
    server.add_user("dave", "dave")
    server.add_group("service", ["bob", "dave"])
    grant("own", parent, "service")
    admin.collections.create(SET)
    grant("null", SET, "rods")
    with open_store(user="dave").session() as session:
        assert session.claim(SET, "id-1")
        session.put(member(), SET, "a.tif", ignore)
        assert readers(server, f"{SET}/a.tif") == set()
        assert server.access(SET) == {"dave": "own"}
        session.open_to_readers(SET)
        assert server.access(SET) == GIVEN | {"service": "own", "dave": "own"}


@pytest.mark.usefixtures("parent")
def test_nothing_is_put_where_access_cannot_be_closed(server: IrodsServer, store: IrodsStore) -> None:
    with store.session() as session:
        server.faults.error(api=ACCESS, code=-818000, times=None)
        with pytest.raises(NotAllowed, match=r"others may read it.*ichmod own rods") as refused:
            session.claim(SET, "id-1")
        assert not refused.value.transient
    assert server.avus(SET) == []
    assert PUT not in apis(server)


def test_a_base_that_hands_down_must_be_owned(
    open_store: Callable[..., IrodsStore], parent: str, grant: Callable[..., None]
) -> None:
    carol = open_store(user="carol")
    with pytest.raises(TargetMissing, match="must own it"):
        carol.check(parent)
    grant("own", parent, "imaging")
    carol.check(parent)
    grant("write", parent, "imaging")
    grant("noinherit", parent)
    carol.check(parent)
