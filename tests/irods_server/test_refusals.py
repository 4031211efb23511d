"""What the test server refuses, and the status it refuses with: codes from iRODS sources where nothing was recorded."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from irods.exception import CAT_INVALID_ARGUMENT, NetworkException
from irods.message import (
    CollectionRequest,
    JSON_Message,
    MetadataRequest,
    ModAclRequest,
    ObjCopyRequest,
    StringStringMap,
    iRODSMessage,
)
from irods.models import Collection, CollectionAccess, CollectionUser, DataObject, Quota

from tests.irods_server import STALE, Code, IrodsServer
from tests.irods_server.authentication import Authentication
from tests.irods_server.catalogue import Catalogue
from tests.irods_server.codes import RefusedError
from tests.irods_server.dialogue import ExtractRequest, ask, connect, descriptor_message, open_message, put, write

HOME = "/tempZone/home/rods"
ALICE = "/tempZone/home/alice"
JSON_VERSION = (5, 0, 2)


# After a lost connection python-irodsclient forgets its socket without closing it (connection.py, disconnect).
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@pytest.fixture(autouse=True)
def _forgotten_sockets() -> Iterator[None]:
    """Collect what the client forgot here, where the warning is expected, and not in somebody else's test."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def server() -> Iterator[IrodsServer]:
    with IrodsServer(users={"alice": "alice"}) as running:
        furnish(running)
        yield running


def furnish(server: IrodsServer) -> None:
    server.make_collection("/tempZone/home/shared", owner="rods")
    with connect(server) as session:
        put(session, f"{HOME}/file", b"data", regChksum="")
        session.collections.create(f"{HOME}/full/inner")
        server.faults.kill_agent(api=673)
        connection = session.pool.get_connection()
        number = ask(connection, 602, open_message(f"{HOME}/full/locked", 65)).int_info
        with pytest.raises(NetworkException):
            ask(connection, 673, descriptor_message(number))


def status(server: IrodsServer, user: str, api: int, message: Any, data: bytes = b"") -> int:
    """The status of a reply, whatever the client makes of it."""
    with connect(server, user) as session, session.pool.get_connection() as connection:
        answer: list[Any] = []
        connection.send(iRODSMessage("RODS_API_REQ", msg=message, bs=data, int_info=api))
        with pytest.raises(Exception, match=r".*"):
            connection.recv(return_message=answer)
        return int(answer[0].int_info)


def rename(source: str, destination: str, kind: int) -> Any:
    parts = [open_message(path, 0) for path in (source, destination)]
    for part in parts:
        part.oprType = kind
    return ObjCopyRequest(srcDataObjInp_PI=parts[0], destDataObjInp_PI=parts[1])


def collection(path: str, **conditions: str) -> Any:
    return CollectionRequest(collName=path, flags=0, oprType=0, KeyValPair_PI=StringStringMap(conditions))


def access(level: str, user: str, path: str) -> Any:
    return ModAclRequest(recursiveFlag=0, accessLevel=level, userName=user, zone="tempZone", path=path)


def batch(path: str, *operations: dict[str, Any], kind: str = "collection") -> Any:
    request = {"entity_name": path, "entity_type": kind, "logical_path": path, "operations": list(operations)}
    return JSON_Message(request, JSON_VERSION)


REFUSALS = [
    ("rods", 606, open_message(f"{HOME}/x", 0), Code.SYS_NOT_SUPPORTED),
    ("rods", 602, open_message(f"{HOME}/full/locked", 0), Code.HIERARCHY_ERROR),
    ("rods", 629, open_message(f"{HOME}/full/locked", 0), Code.LOCKED_DATA_OBJECT_ACCESS),
    ("rods", 629, open_message(f"{HOME}/none", 0), Code.CAT_NO_ROWS_FOUND),
    ("alice", 629, open_message(f"{HOME}/file", 0), Code.CAT_NO_ACCESS_PERMISSION),
    ("rods", 681, collection(f"{HOME}/full"), Code.CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME),
    ("rods", 681, collection(f"{HOME}/file"), Code.CAT_NAME_EXISTS_AS_DATAOBJ),
    ("rods", 681, collection("/other/x", recursiveOpr=""), Code.SYS_INVALID_INPUT_PARAM),
    ("alice", 681, collection("/tempZone/home/shared/x"), Code.CAT_NO_ACCESS_PERMISSION),
    ("rods", 679, collection(f"{HOME}/none"), Code.CAT_UNKNOWN_COLLECTION),
    ("rods", 679, collection(f"{HOME}/full"), Code.CAT_COLLECTION_NOT_EMPTY),
    ("rods", 627, rename(f"{HOME}/none", f"{HOME}/x", 12), Code.CAT_UNKNOWN_COLLECTION),
    ("rods", 627, rename(f"{HOME}/full", f"{HOME}/full/inner/x", 12), Code.CAT_INVALID_ARGUMENT),
    ("rods", 627, rename(f"{HOME}/file", f"{HOME}/full", 11), Code.CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME),
    ("rods", 665, ExtractRequest(f"{HOME}/full/locked", f"{HOME}/x"), Code.LOCKED_DATA_OBJECT_ACCESS),
    ("rods", 665, ExtractRequest(f"{HOME}/none", f"{HOME}/x"), Code.OBJ_PATH_DOES_NOT_EXIST),
    ("rods", 707, access("read", "alice", f"{HOME}/none"), Code.CAT_INVALID_ARGUMENT),
    ("rods", 707, access("inherit", "", f"{HOME}/none"), Code.CAT_NO_ACCESS_PERMISSION),
    ("rods", 707, access("read", "alice#otherZone", HOME), Code.CAT_INVALID_USER),
    ("alice", 707, access("read", "alice", HOME), Code.CAT_NO_ACCESS_PERMISSION),
    ("alice", 602, open_message(f"{HOME}/file", 0), Code.OBJ_PATH_DOES_NOT_EXIST),
    ("rods", 707, access("play", "alice", HOME), Code.CAT_INVALID_ARGUMENT),
    ("alice", 707, access("admin:own", "alice", HOME), Code.CAT_NO_ACCESS_PERMISSION),
    ("rods", 20005, batch(f"{HOME}/none"), Code.OBJ_PATH_DOES_NOT_EXIST),
    ("rods", 20002, batch(f"{HOME}/none"), Code.SYS_INVALID_INPUT_PARAM),
    ("rods", 20002, batch(f"{HOME}/file", kind="planet"), Code.SYS_INVALID_INPUT_PARAM),
    (
        "rods",
        20002,
        batch(HOME, {"operation": "add", "attribute": "a", "value": 1}),
        Code.JSON_VALIDATION_ERROR,
    ),
    (
        "rods",
        20002,
        batch(HOME, {"operation": "keep", "attribute": "a", "value": "b"}),
        Code.SYS_INVALID_INPUT_PARAM,
    ),
    ("rods", 706, MetadataRequest("add", "-C", f"{HOME}/none", "a", "b"), Code.CAT_UNKNOWN_COLLECTION),
    ("rods", 706, MetadataRequest("add", "-d", f"{HOME}/none", "a", "b"), Code.CAT_NO_ROWS_FOUND),
    ("rods", 706, MetadataRequest("turn", "-C", HOME, "a", "b"), Code.CAT_INVALID_ARGUMENT),
    ("rods", 706, MetadataRequest("add", "-C", HOME, "a", "b" * 2701), Code.CAT_SQL_ERR),
]


@pytest.mark.parametrize(("user", "api", "message", "code"), REFUSALS)
def test_a_refusal(server: IrodsServer, user: str, api: int, message: Any, code: Code) -> None:
    before = (server.collections(), server.objects(), server.access(HOME), server.avus(HOME))
    assert status(server, user, api, message) == code
    assert (server.collections(), server.objects(), server.access(HOME), server.avus(HOME)) == before


def test_a_mismatch_is_explained(server: IrodsServer) -> None:
    location = server.objects()[f"{HOME}/file"].location
    location.write_bytes(b"dat@")
    message = open_message(f"{HOME}/file", 0, verifyChksum="")
    assert status(server, "rods", 629, message) == Code.CHECK_VERIFICATION_RESULTS
    location.write_bytes(b"data")


def test_a_stranger_may_not_change_access(server: IrodsServer) -> None:
    with connect(server) as session:
        put(session, f"{HOME}/shown", b"", aclIncluded="read alice")
    grant = {"entity_name": "alice", "acl": "own"}
    assert status(server, "alice", 20005, batch(f"{HOME}/shown", grant)) == Code.CAT_NO_ACCESS_PERMISSION


def test_queries_that_do_not_exist(server: IrodsServer) -> None:
    with connect(server) as session:
        with pytest.raises(CAT_INVALID_ARGUMENT):
            session.query(Collection.name).continue_index(7).execute()
        with pytest.raises(CAT_INVALID_ARGUMENT):
            session.query(Quota.limit).execute()


def test_look_ups_by_id_and_by_holder(server: IrodsServer) -> None:
    with connect(server) as session:
        found = session.data_objects.get(f"{HOME}/file")
        assert session.query(DataObject.name).filter(DataObject.id == found.id).one()[DataObject.name] == "file"
        assert not list(session.query(DataObject.name).filter(DataObject.id == 1))
        holders = session.query(CollectionUser.name, CollectionAccess.name).filter(Collection.name == ALICE)
        assert [(row[CollectionUser.name], row[CollectionAccess.name]) for row in holders] == [("alice", "own")]
        sizes = session.query(DataObject.status).min(DataObject.size)
        assert min(int(row[DataObject.size]) for row in sizes) == 0


def test_a_replica_closed_without_its_state(server: IrodsServer) -> None:
    with connect(server) as session, session.pool.get_connection() as connection:
        number = ask(connection, 602, open_message(f"{HOME}/early", 65)).int_info
        write(connection, number, b"abc")
        request = {"fd": number, "update_size": True, "update_status": True}
        ask(connection, 20004, JSON_Message(request, session.server_version))
        assert server.objects()[f"{HOME}/early"].size == 3
        assert server.objects()[f"{HOME}/early"].status != STALE


def test_inheritance_is_shown(server: IrodsServer) -> None:
    assert not server.inherits(HOME)


@pytest.mark.parametrize("view", ["avus", "access"])
def test_there_is_nothing_to_view_where_nothing_is(server: IrodsServer, view: str) -> None:
    with pytest.raises(KeyError):
        getattr(server, view)("/tempZone/none")


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"next_operation": "auth_agent_auth_request", "scheme": "pam_password"}, Code.SYS_NOT_ALLOWED),
        ({"next_operation": "dance", "scheme": "native"}, Code.SYS_INVALID_INPUT_PARAM),
    ],
)
def test_logins_that_are_not_offered(tmp_path: Any, request_: dict[str, str], code: Code) -> None:
    with pytest.raises(RefusedError) as refused:
        Authentication(Catalogue("z", tmp_path)).step(request_, encrypted=False)
    assert refused.value.code == code
