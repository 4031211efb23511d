"""The iRODS store over a real socket: whom a site names gets just that, shown by logging in as each of them."""

import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from irods.access import iRODSAccess
from irods.exception import CAT_NO_ACCESS_PERMISSION, iRODSException

from tests.integration.irods_store import ACCESS, HOME, QUERY, SET, apis, ignore, sha256
from tests.irods_server import IrodsServer
from tests.irods_server.dialogue import connect, put
from watcher.errors import NotAllowed, StoreUnreachable
from watcher.model import Avu
from watcher.stores.base import Grant, Session
from watcher.stores.irods import IrodsStore
from watcher.stores.source import Source

#: The watcher's account in most sites: no administrator, and owner of nothing but its own collection.
FACILITY = "/tempZone/home/scope"
THERE = f"{FACILITY}/2026/lab/set-1"
BESIDE = f"{FACILITY}/2026/lab/set-2"
OMERO = Grant("omero", "read", above=True)
THREE = (Grant("alice", "read"), Grant("lab", "annotate"), OMERO)
TARGETS = ("a.tif", "sub/deep/b.tif")


@pytest.fixture(autouse=True)
def _people(server: IrodsServer) -> None:
    """Everybody's password is their name; carol is in the group lab."""
    for name in ("bob", "carol", "omero", "agent", "scope"):
        server.add_user(name, name)
    server.add_group("lab", ["carol"])


@pytest.fixture
def admin(server: IrodsServer) -> Iterator[Any]:
    with connect(server) as session:
        yield session


@pytest.fixture
def session(open_store: Callable[..., IrodsStore]) -> Iterator[Session]:
    """Of an administrator, who sees and owns all that the sets lie in."""
    with open_store().session() as opened:
        yield opened


@pytest.fixture
def scope(open_store: Callable[..., IrodsStore]) -> Iterator[Session]:
    """Of an ordinary account."""
    with open_store(user="scope").session() as opened:
        yield opened


@pytest.fixture
def deliver(member: Callable[..., Source]) -> Callable[..., None]:
    """A set with two members that nobody else can read."""

    def act(session: Session, collection: str = SET) -> None:
        assert session.claim(collection, collection)
        for target in TARGETS:
            session.put(member(target.encode()), collection, target, ignore)

    return act


def reads(server: IrodsServer, user: str, path: str, **more: str) -> bool:
    """Whether this user gets the bytes."""
    with connect(server, user, **more) as session:
        try:
            with session.data_objects.open(path, "r") as file:
                file.read()
        except iRODSException:
            return False
        return True


def reads_all(server: IrodsServer, user: str, collection: str = SET, **more: str) -> bool:
    found = {reads(server, user, f"{collection}/{target}", **more) for target in TARGETS}
    assert len(found) == 1
    return found.pop()


def walks(session: Any, collection: str) -> bool:
    """Whether the user of this session can go down from the zone's collection, looking at each step."""
    here = ""
    for step in collection.strip("/").split("/"):
        if here and f"{here}/{step}" not in [child.path for child in session.collections.get(here).subcollections]:
            return False
        here = f"{here}/{step}"
        if not session.collections.exists(here):
            return False
    return True


def obey(admin: Any, reason: str) -> list[str]:
    """An administrator types what is between the quotes of a reason."""
    typed = re.findall(r"`ichmod (.*?)`", reason)
    for words in map(shlex.split, typed):
        recursive = words[0] == "-r"
        level, *who, path = words[recursive:]
        name, _, zone = "".join(who).partition("#")
        admin.acls.set(iRODSAccess(level, path, name, zone or admin.zone), recursive=recursive)
    return typed


def test_those_who_are_named_read_and_nobody_else(server: IrodsServer, session: Session, deliver: Any) -> None:
    deliver(session)
    assert not any(reads_all(server, user) for user in ("alice", "bob", "carol"))
    assert session.grant(SET, [Grant("alice", "read"), Grant("lab", "read")]) == {}
    assert [reads_all(server, user) for user in ("alice", "bob", "carol")] == [True, False, True]
    with connect(server, "alice") as alice, connect(server, "bob") as bob:
        found = alice.collections.get(SET)
        assert [item.name for item in found.data_objects] == ["a.tif"]
        assert [item.name for item in found.subcollections] == ["sub"]
        assert not bob.collections.exists(SET)
        with pytest.raises(CAT_NO_ACCESS_PERMISSION):
            put(alice, f"{SET}/a.tif", b"other", forceFlag="")
        with pytest.raises(CAT_NO_ACCESS_PERMISSION):
            put(alice, f"{SET}/new.tif", b"other")
        with pytest.raises(CAT_NO_ACCESS_PERMISSION):
            found.metadata.add("note", "mine")
        assert not alice.collections.exists(HOME)
    assert server.access(HOME) == {"rods": "own"}


def test_a_mount_finds_the_way_and_nothing_beside_it(
    server: IrodsServer, session: Session, deliver: Any, admin: Any
) -> None:
    other = f"{SET}-other"
    deliver(session)
    deliver(session, other)
    with connect(server, "omero") as omero:
        assert not walks(omero, SET)
        assert session.grant(SET, [OMERO]) == {}
        assert walks(omero, f"{SET}/sub/deep")
        assert reads_all(server, "omero")
        assert [child.path for child in omero.collections.get(f"{HOME}/2026").subcollections] == [SET]
        assert not omero.collections.exists(other)
        assert not reads_all(server, "omero", other)
        assert not omero.collections.exists("/tempZone/home/alice")
        for path in (SET, f"{SET}/sub", f"{HOME}/2026", HOME, "/tempZone/home"):
            with pytest.raises(CAT_NO_ACCESS_PERMISSION):
                put(omero, f"{path}/mine", b"x")
    assert server.access(other) == {"rods": "own"}
    assert not server.inherits(f"{HOME}/2026")
    # A home that somebody gets later is none of its business either.
    admin.collections.create("/tempZone/home/later")
    assert server.access("/tempZone/home/later") == {"rods": "own"}


def test_a_reader_without_the_way_opens_by_the_whole_path(server: IrodsServer, session: Session, deliver: Any) -> None:
    deliver(session)
    session.grant(SET, [Grant("omero", "read")])
    assert reads_all(server, "omero")
    with connect(server, "omero") as omero:
        assert omero.collections.exists(SET)
        assert not walks(omero, SET)


def test_who_is_unknown_is_named_and_the_others_have_theirs(
    server: IrodsServer, session: Session, deliver: Any
) -> None:
    deliver(session)
    strangers = ["nobody", "no-group", "alice#otherZone", "O'Brien", "x') or ('1' = '1", "", "a b"]
    answer = session.grant(SET, [Grant(who, "read", above=True) for who in [strangers[0], "alice", *strangers[1:]]])
    assert answer == dict.fromkeys(strangers, "unknown to the zone")
    assert reads_all(server, "alice")
    assert set(server.access(SET)) == {"rods", "alice"}
    server.add_user("nobody", "nobody")
    assert session.grant(SET, [Grant("nobody", "read")]) == {}
    assert reads_all(server, "nobody")


def test_users_of_another_zone_are_named_with_it(server: IrodsServer, session: Session, deliver: Any) -> None:
    server.add_user("alice", "secret", zone="otherZone")
    deliver(session)
    assert session.grant(SET, [Grant("alice#otherZone", "read"), Grant("carol#tempZone", "read")]) == {}
    assert reads_all(server, "alice", password="secret", zone="otherZone")
    assert [reads_all(server, user) for user in ("alice", "carol")] == [False, True]
    session.revoke(SET, ["alice#otherZone"])
    assert not reads_all(server, "alice", password="secret", zone="otherZone")


def test_annotating_is_no_writing(server: IrodsServer, session: Session, deliver: Any) -> None:
    deliver(session)
    assert session.grant(SET, [Grant("lab", "annotate")]) == {}
    with connect(server, "carol") as carol:
        carol.collections.get(SET).metadata.add("note", "mine")
        assert Avu("note", "mine") in session.avus(SET)
        carol.collections.get(SET).metadata.remove("note", "mine")
        assert reads_all(server, "carol")
        for path in (f"{SET}/a.tif", f"{SET}/new.tif", f"{SET}/sub/new.tif"):
            with pytest.raises(CAT_NO_ACCESS_PERMISSION):
                put(carol, path, b"other", forceFlag="")
        with pytest.raises(CAT_NO_ACCESS_PERMISSION):
            carol.data_objects.unlink(f"{SET}/a.tif", force=True)
        with pytest.raises(CAT_NO_ACCESS_PERMISSION):
            carol.data_objects.open(f"{SET}/a.tif", "a")
        with pytest.raises(CAT_NO_ACCESS_PERMISSION):
            carol.acls.set(iRODSAccess("read", SET, "bob", "tempZone"))
    assert {item.sha256 for item in session.replicas(SET).values()} == {sha256(name.encode()) for name in TARGETS}


def test_what_is_made_there_later_is_readable_too(
    server: IrodsServer, session: Session, deliver: Any, member: Callable[..., Source]
) -> None:
    deliver(session)
    assert session.grant(SET, [Grant("alice", "read"), Grant("agent", "write"), Grant("carol", "own")]) == {}
    with connect(server, "agent") as agent, connect(server, "carol") as carol:
        put(agent, f"{SET}/sub/deep/by-agent", b"x")
        agent.collections.create(f"{SET}/results/2")
        put(agent, f"{SET}/results/2/by-agent", b"x")
        carol.acls.set(iRODSAccess("read", SET, "bob", "tempZone"))
    session.put(member(), SET, "more/by-service", ignore)
    for path in ("sub/deep/by-agent", "results/2/by-agent", "more/by-service"):
        assert reads(server, "alice", f"{SET}/{path}"), path


def test_taking_away_leaves_the_others_and_the_way(server: IrodsServer, session: Session, deliver: Any) -> None:
    deliver(session)
    session.grant(SET, [Grant("alice", "write"), Grant("lab", "read"), OMERO])
    for _ in range(2):
        session.revoke(SET, ["alice", "omero", "nobody", "nobody#nowhere", "O'Brien", "", "rods"])
        assert not reads_all(server, "alice")
        assert not reads_all(server, "omero")
        assert reads_all(server, "carol")
        with connect(server, "omero") as omero:
            assert omero.collections.exists(f"{HOME}/2026")
    for path in (SET, f"{SET}/a.tif", f"{SET}/sub/deep/b.tif"):
        assert server.access(path) == {"rods": "own", "lab": "read_object"}
    server.reset_requests()
    session.revoke(SET, ["alice", "lab"])
    assert apis(server) == [ACCESS] * 2


def test_what_is_not_ours_to_change_is_said(
    server: IrodsServer, session: Session, scope: Session, deliver: Any, admin: Any
) -> None:
    deliver(session)
    admin.acls.set(iRODSAccess("read", SET, "scope", "tempZone"))
    answer = scope.grant(SET, [Grant("alice", "annotate"), Grant("nobody", "read")])
    assert answer["nobody"] == "unknown to the zone"
    assert answer["alice"].startswith(f"this account may not give access to {SET}: an administrator has to type `")
    assert obey(admin, answer["alice"]) == [f"-r modify_metadata alice {SET}", f"-r inherit {SET}"]
    assert reads_all(server, "alice")
    with pytest.raises(NotAllowed, match=r"may not take access to it away.*ichmod -r own scope") as refused:
        scope.revoke(SET, ["alice"])
    assert "alice" not in str(refused.value)


@pytest.fixture
def handed_down(admin: Any) -> dict[str, str]:
    """What the parent of the sets hands down."""
    admin.collections.create(f"{HOME}/2026")
    for level, who in (("write", "alice"), ("own", "agent"), ("read", "lab")):
        admin.acls.set(iRODSAccess(level, f"{HOME}/2026", who, "tempZone"))
    admin.acls.set(iRODSAccess("inherit", f"{HOME}/2026"))
    return {"rods": "own", "alice": "modify_object", "agent": "own", "lab": "read_object"}


@pytest.mark.parametrize("first", [True, False], ids=["opened before", "alone"])
def test_what_the_parent_hands_down_is_neither_lowered_nor_spread(
    server: IrodsServer, session: Session, deliver: Any, handed_down: dict[str, str], *, first: bool
) -> None:
    deliver(session)
    if first:
        session.open_to_readers(SET)
    for _ in range(2):
        assert session.grant(SET, [Grant("alice", "read"), Grant("lab", "annotate"), Grant("bob", "read")]) == {}
        expected = {"rods": "own", "alice": "read_object", "lab": "modify_metadata", "bob": "read_object"}
        if first:
            expected |= {"alice": handed_down["alice"], "agent": handed_down["agent"]}
        for path in {*server.collections(SET), *server.objects(SET)}:
            assert server.access(path) == expected
        assert all(server.inherits(path) for path in server.collections(SET))
    assert server.access(f"{HOME}/2026") == handed_down


def test_who_is_named_twice_gets_the_most_and_the_service_keeps_its_own(
    server: IrodsServer, session: Session, deliver: Any
) -> None:
    deliver(session)
    names = [Grant("alice", "write"), Grant("alice#tempZone", "read", above=True), Grant("rods", "read", above=True)]
    assert session.grant(SET, names) == {}
    assert server.access(f"{SET}/a.tif") == {"rods": "own", "alice": "modify_object"}
    with connect(server, "alice") as alice:
        assert walks(alice, SET)


def test_what_is_open_to_all_is_not_given_again(
    server: IrodsServer, session: Session, deliver: Any, admin: Any
) -> None:
    deliver(session)
    for path in ("/tempZone", "/tempZone/home"):
        admin.acls.set(iRODSAccess("read", path, "public", "tempZone"))
    admin.acls.set(iRODSAccess("own", HOME, "omero", "tempZone"))
    assert session.grant(SET, [OMERO]) == {}
    for path in ("/tempZone", "/tempZone/home"):
        assert server.access(path) == {"rods": "own", "public": "read_object"}
    assert server.access(HOME) == {"rods": "own", "omero": "own"}
    assert server.access(f"{HOME}/2026") == {"rods": "own", "omero": "read_object"}


def test_what_an_administrator_has_to_type_helps(server: IrodsServer, scope: Session, deliver: Any, admin: Any) -> None:
    deliver(scope, THERE)
    for _ in range(2):
        answer = scope.grant(THERE, [Grant("alice", "read"), OMERO])
        assert answer.keys() == {"omero"}
        assert "may not give access to /tempZone/home:" in answer["omero"]
        assert reads_all(server, "alice", THERE)
        assert reads_all(server, "omero", THERE)
    assert obey(admin, answer["omero"]) == [
        "read omero /tempZone",
        "read scope /tempZone",
        "read omero /tempZone/home",
        "read scope /tempZone/home",
    ]
    assert scope.grant(THERE, [OMERO]) == {}
    with connect(server, "omero") as omero:
        assert walks(omero, THERE)
        assert not omero.collections.exists(BESIDE)


def test_what_is_seen_and_not_owned_is_asked_for_alone(
    server: IrodsServer, scope: Session, deliver: Any, admin: Any
) -> None:
    deliver(scope, THERE)
    for path in ("/tempZone", "/tempZone/home"):
        admin.acls.set(iRODSAccess("read", path, "public" if path == "/tempZone" else "scope", "tempZone"))
    answer = scope.grant(THERE, [OMERO])
    assert obey(admin, answer["omero"]) == ["read omero /tempZone/home"]
    assert scope.grant(THERE, [OMERO]) == {}
    with connect(server, "omero") as omero:
        assert walks(omero, THERE)


def test_any_name_of_a_collection_will_do(server: IrodsServer, session: Session, deliver: Any) -> None:
    collection = f"{HOME}/it's a lab/50% of \\ it/cell 🧫"
    deliver(session, collection)
    assert session.grant(collection, THREE) == {}
    assert [reads_all(server, user, collection) for user in ("alice", "carol", "omero")] == [True] * 3
    with connect(server, "omero") as omero:
        assert walks(omero, collection)


def state(server: IrodsServer) -> dict[str, dict[str, str]]:
    return {path: server.access(path) for path in {*server.collections(), *server.objects()}}


@pytest.mark.parametrize("reply", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("nth", range(1, 9))
def test_a_connection_lost_on_the_way_is_made_good_at_once(
    server: IrodsServer, open_store: Callable[..., IrodsStore], deliver: Any, nth: int, *, reply: bool
) -> None:
    with open_store(sleep=lambda _: None).session() as session:
        deliver(session)
        server.faults.drop(api=ACCESS, nth=nth, reply=reply)
        assert session.grant(SET, THREE) == {}
        assert len(server.faults.struck) == 1
        after = state(server)
        assert session.grant(SET, THREE) == {}
        assert state(server) == after
    assert after[f"{SET}/sub/deep/b.tif"] == {
        "rods": "own",
        "alice": "read_object",
        "lab": "modify_metadata",
        "omero": "read_object",
    }
    assert after["/tempZone/home"] == {"rods": "own", "omero": "read_object"}
    assert server.inherits(f"{SET}/sub/deep")


@pytest.mark.parametrize("nth", range(1, 9))
def test_what_was_cut_off_is_completed_by_the_next_attempt(
    server: IrodsServer, open_store: Callable[..., IrodsStore], deliver: Any, nth: int
) -> None:
    store = open_store(sleep=lambda _: None)
    with store.session() as session:
        deliver(session)
        server.faults.drop(api=ACCESS, nth=nth, times=None)
        with pytest.raises(StoreUnreachable):
            session.grant(SET, THREE)
        server.faults.clear()
    with store.session() as session:
        assert session.grant(SET, THREE) == {}
    assert [reads_all(server, user) for user in ("alice", "bob", "carol", "omero")] == [True, False, True, True]
    assert server.inherits(SET)
    with connect(server, "omero") as omero:
        assert walks(omero, SET)


def test_one_refusal_keeps_nobody_else_from_theirs(server: IrodsServer, session: Session, deliver: Any) -> None:
    deliver(session)
    server.faults.error(api=ACCESS, code=-818000, nth=1)
    server.faults.error(api=ACCESS, code=-1234000, nth=2, message="not on Sundays")
    answer = session.grant(SET, THREE)
    assert answer["alice"].endswith(f"`ichmod -r read alice {SET}`")
    assert answer["lab"].endswith("(iRODS error -1234000: not on Sundays)")
    assert [reads_all(server, user) for user in ("alice", "carol", "omero")] == [False, False, True]
    assert session.grant(SET, THREE) == {}
    # Somebody who was known, and is removed in this moment.
    server.faults.error(api=ACCESS, code=-827000)
    assert session.grant(SET, THREE) == {"alice": "unknown to the zone"}


def test_a_catalogue_that_is_away_is_nobodys_refusal(server: IrodsServer, session: Session, deliver: Any) -> None:
    deliver(session)
    server.faults.error(api=ACCESS, code=-801000, nth=2)
    with pytest.raises(StoreUnreachable):
        session.grant(SET, THREE)
    assert session.grant(SET, THREE) == {}
    assert [reads_all(server, user) for user in ("alice", "carol", "omero")] == [True] * 3


@pytest.mark.usefixtures("handed_down")
def test_requests_are_few_and_fewer_for_the_next_sets(server: IrodsServer, session: Session, deliver: Any) -> None:
    """Who is who, and what have they; three of them and inheritance; the way, whose groups, and four collections."""
    for number in (1, 2, 3):
        deliver(session, f"{HOME}/2026/set-{number}")
    server.reset_requests()
    assert session.grant(f"{HOME}/2026/set-1", THREE) == {}
    assert apis(server) == [QUERY, QUERY, *[ACCESS] * 4, QUERY, QUERY, *[ACCESS] * 4]
    server.reset_requests()
    assert session.grant(f"{HOME}/2026/set-2", THREE) == {}
    assert apis(server) == [QUERY, *[ACCESS] * 4]
    session.open_to_readers(f"{HOME}/2026/set-3")
    server.reset_requests()
    assert session.grant(f"{HOME}/2026/set-3", THREE) == {}
    # Alice has more by then, and inheritance is on.
    assert apis(server) == [QUERY, *[ACCESS] * 2]
    deliver(session, f"{HOME}/2027/set-4")
    server.reset_requests()
    assert session.grant(f"{HOME}/2027/set-4", THREE) == {}
    assert apis(server) == [QUERY, *[ACCESS] * 4, QUERY, QUERY, ACCESS]
    server.reset_requests()
    assert session.grant(SET, []) == {}
    assert apis(server) == []


def test_what_stays_closed_is_asked_about_again(server: IrodsServer, scope: Session, deliver: Any) -> None:
    deliver(scope, THERE)
    deliver(scope, BESIDE)
    scope.grant(THERE, THREE)
    server.reset_requests()
    assert scope.grant(BESIDE, THREE).keys() == {"omero"}
    assert apis(server) == [QUERY, *[ACCESS] * 4, QUERY, QUERY]
