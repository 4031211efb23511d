"""The test server used by the unmodified python-irodsclient: what no recording covers, and every fault."""

import contextlib
import gc
import hashlib
import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import irods.keywords as kw
import pytest
from irods.access import iRODSAccess
from irods.exception import (
    CAT_INVALID_AUTHENTICATION,
    CAT_INVALID_USER,
    CAT_NO_ACCESS_PERMISSION,
    HIERARCHY_ERROR,
    LOCKED_DATA_OBJECT_ACCESS,
    OBJ_PATH_DOES_NOT_EXIST,
    PAM_AUTH_PASSWORD_FAILED,
    SYS_INVALID_INPUT_PARAM,
    USER_CHKSUM_MISMATCH,
    CollectionDoesNotExist,
    NetworkException,
    iRODSException,
)
from irods.message import JSON_Message, iRODSMessage
from irods.meta import AVUOperation, iRODSMeta
from irods.models import Collection, DataObject
from irods.session import iRODSSession

from tests.irods_server import GOOD, INTERMEDIATE, STALE, IrodsServer, Replica, make_certificate
from tests.irods_server.dialogue import (
    ExtractRequest,
    ask,
    bundle,
    connect,
    descriptor_message,
    digest,
    lose,
    open_message,
    put,
    put_message,
    write,
)
from tests.irods_server.framing import Wire, frame
from tests.irods_server.packing import pack

HOME = "/tempZone/home/rods"
# After a lost connection python-irodsclient forgets its socket without closing it (connection.py, disconnect).
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
ONE_KIB = random.Random(1).randbytes(1024)


@pytest.fixture(autouse=True)
def _forgotten_sockets() -> Iterator[None]:
    """Collect what the client forgot here, where the warning is expected, and not in somebody else's test."""
    yield
    gc.collect()


@pytest.fixture
def server() -> Iterator[IrodsServer]:
    with IrodsServer(users={"rods": "rods", "alice": "alice", "bob": "bob"}) as running:
        yield running


@pytest.fixture
def session(server: IrodsServer) -> Iterator[Any]:
    with connect(server) as opened:
        yield opened


def replica(server: IrodsServer, path: str) -> Replica:
    return server.objects()[path]


def eventually(check: Callable[[], bool]) -> None:
    """Agents see the end of a connection a moment after it."""
    deadline = time.monotonic() + 30
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class TestConnection:
    def test_a_client_connects_and_sees_the_version(self, server: IrodsServer) -> None:
        with connect(server) as session:
            assert session.server_version == (5, 0, 2)

    def test_an_older_version_can_be_played(self) -> None:
        with IrodsServer(version="rods4.3.4") as server, connect(server) as session:
            assert session.server_version == (4, 3, 4)

    @pytest.mark.parametrize(
        ("user", "password", "refusal"),
        [("rods", "wrong", CAT_INVALID_AUTHENTICATION), ("nobody", "rods", CAT_INVALID_USER)],
    )
    def test_strangers_are_turned_away(
        self, server: IrodsServer, user: str, password: str, refusal: type[Exception]
    ) -> None:
        with connect(server, user, password) as session, pytest.raises(refusal):
            session.collections.exists(HOME)

    def test_the_environment_is_enough(self, server: IrodsServer) -> None:
        with iRODSSession(**server.environment("alice"), password="alice") as session:
            assert session.collections.exists("/tempZone/home/alice")

    def test_an_unknown_api(self, session: Any) -> None:
        with session.pool.get_connection() as connection, pytest.raises(iRODSException) as refused:
            ask(connection, 999, None)
        assert refused.value.code == -12000

    def test_nothing_is_done_before_the_login(self, server: IrodsServer) -> None:
        wire = Wire(socket.create_connection((server.host, server.port)))
        wire.send(frame("RODS_CONNECT", 0, pack("StartupPack_PI", [("option", "test")])))
        wire.read(wire.read_header().message_length)
        wire.send(frame("RODS_API_REQ", 702))
        assert wire.read_header().int_info == -13000
        wire.close()

    @pytest.mark.parametrize("noise", [b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\4ABCD", frame("RODS_API_REQ", 702)])
    def test_noise_ends_the_connection(self, server: IrodsServer, noise: bytes) -> None:
        with socket.create_connection((server.host, server.port)) as connection:
            connection.sendall(noise)
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(1) == b""

    def test_negotiation_for_no_tls(self, server: IrodsServer) -> None:
        options = {"client_server_negotiation": "request_server_negotiation", "client_server_policy": "CS_NEG_REFUSE"}
        with connect(server, **options) as session:
            assert session.collections.exists(HOME)

    @pytest.mark.parametrize("scheme", ["native", "pam_password"])
    def test_tls(self, tmp_path: Path, scheme: str) -> None:
        with IrodsServer(tls=make_certificate(tmp_path)) as server:
            with iRODSSession(**server.environment(scheme=scheme), password="rods") as session:
                put(session, f"{HOME}/x", ONE_KIB)
            assert replica(server, f"{HOME}/x").read() == ONE_KIB

    def test_a_wrong_pam_password(self, tmp_path: Path) -> None:
        with (
            IrodsServer(tls=make_certificate(tmp_path)) as server,
            iRODSSession(**server.environment(scheme="pam_password"), password="wrong") as session,
            pytest.raises(PAM_AUTH_PASSWORD_FAILED),
        ):
            session.collections.exists(HOME)

    def test_a_server_with_tls_insists_on_it(self, tmp_path: Path) -> None:
        with (
            IrodsServer(tls=make_certificate(tmp_path)) as server,
            connect(server) as session,
            pytest.raises(NetworkException),
        ):
            session.collections.exists(HOME)


class TestCollections:
    def test_create_move_remove(self, server: IrodsServer, session: Any) -> None:
        session.collections.create(f"{HOME}/a/b")
        put(session, f"{HOME}/a/b/x", ONE_KIB)
        session.collections.move(f"{HOME}/a", f"{HOME}/c")
        assert server.collections(f"{HOME}/") == {f"{HOME}/c", f"{HOME}/c/b"}
        assert list(server.objects()) == [f"{HOME}/c/b/x"]
        session.collections.remove(f"{HOME}/c")
        assert list(server.objects()) == ["/tempZone/trash/home/rods/c/b/x"]

    def test_removal_reports_progress_which_the_client_acknowledges(self, server: IrodsServer, session: Any) -> None:
        session.collections.create(f"{HOME}/a")
        for number in range(25):
            put(session, f"{HOME}/a/{number}", ONE_KIB)
        session.collections.remove(f"{HOME}/a", force=True)
        assert not server.objects()
        assert session.collections.exists(HOME)

    @pytest.mark.parametrize(
        "name",
        ["it's", "a & <b>", "\U0001f52c", "u\u0308ber", " leading and trailing ", "100%", 'say "hi"', "back`tick"],
    )
    def test_names_survive(self, server: IrodsServer, session: Any, name: str) -> None:
        session.collections.create(f"{HOME}/{name}")
        put(session, f"{HOME}/{name}/{name}", ONE_KIB)
        assert list(server.objects()) == [f"{HOME}/{name}/{name}"]
        query = session.query(Collection.name, DataObject.name).filter(Collection.name == f"{HOME}/{name}")
        assert [(row[Collection.name], row[DataObject.name]) for row in query] == [(f"{HOME}/{name}", name)]
        assert [item.name for item in session.collections.get(f"{HOME}/{name}").data_objects] == [name]

    def test_a_control_character_breaks_the_clients_xml_parser(self, server: IrodsServer, session: Any) -> None:
        put(session, f"{HOME}/bell\x07", ONE_KIB)
        assert list(server.objects()) == [f"{HOME}/bell\x07"]
        with pytest.raises(Exception, match=r"invalid token|not well-formed"):
            list(session.query(DataObject.name))


class TestTransfers:
    def test_put_and_get(self, server: IrodsServer, session: Any, tmp_path: Path) -> None:
        local = tmp_path / "x"
        local.write_bytes(ONE_KIB)
        session.data_objects.put(str(local), f"{HOME}/x", **{kw.REG_CHKSUM_KW: ""})
        assert replica(server, f"{HOME}/x").status == GOOD
        assert replica(server, f"{HOME}/x").checksum == digest(ONE_KIB)
        with session.data_objects.open(f"{HOME}/x", "r") as file:
            assert file.read() == ONE_KIB

    def test_a_parallel_put(self, server: IrodsServer, session: Any, tmp_path: Path) -> None:
        data = random.Random(2).randbytes(33 << 20)
        local = tmp_path / "x"
        local.write_bytes(data)
        session.data_objects.put(str(local), f"{HOME}/x", num_threads=3, **{kw.REG_CHKSUM_KW: ""})
        assert replica(server, f"{HOME}/x").checksum == digest(data)
        assert {request.api for request in server.requests} >= {602, 676, 20000, 20004, 673}

    def test_writes_can_be_pipelined_and_a_resumed_object_is_whole(self, server: IrodsServer, session: Any) -> None:
        path, half = f"{HOME}/x", ONE_KIB[:512]
        connection = session.pool.get_connection()
        number = ask(connection, 602, open_message(path, 65, **{kw.DATA_SIZE_KW: "1024"})).int_info
        for _ in range(2):
            connection.send(
                iRODSMessage("RODS_API_REQ", msg=descriptor_message(number, len=256), bs=half[:256], int_info=676)
            )
        assert [connection.recv().int_info for _ in range(2)] == [256, 256]
        lose(connection)
        eventually(lambda: replica(server, path).status == STALE)
        assert (replica(server, path).size, replica(server, path).checksum) == (512, "")
        with session.pool.get_connection() as other:
            number = ask(other, 602, open_message(path, 1, **{kw.REG_CHKSUM_KW: "sha2:"})).int_info
            ask(other, 674, descriptor_message(number, offset=256))
            write(other, number, ONE_KIB[256:])
            assert ask(other, 673, descriptor_message(number)).int_info == 0
        expected = half[:256] + ONE_KIB[256:]
        assert (replica(server, path).status, replica(server, path).checksum) == (GOOD, digest(expected))

    def test_the_descriptor_tells_new_from_existing(self, server: IrodsServer, session: Any) -> None:
        kinds = []
        for _ in range(2):
            with session.pool.get_connection() as connection:
                number = ask(connection, 602, open_message(f"{HOME}/x", 65)).int_info
                reply = ask(connection, 20000, JSON_Message({"fd": number}, session.server_version))
                kinds.append(reply.get_json_encoded_struct()["open_type"])
                ask(connection, 673, descriptor_message(number))
        assert kinds == [1, 3]

    def test_opening_a_good_object_for_writing_and_dying_spoils_it(self, server: IrodsServer, session: Any) -> None:
        put(session, f"{HOME}/x", ONE_KIB, **{kw.REG_CHKSUM_KW: ""})
        connection = session.pool.get_connection()
        ask(connection, 602, open_message(f"{HOME}/x", 1))
        lose(connection)
        eventually(lambda: replica(server, f"{HOME}/x").status == STALE)
        assert (replica(server, f"{HOME}/x").size, replica(server, f"{HOME}/x").checksum) == (1024, "")

    def test_a_lost_secondary_stream_spoils_the_replica_and_the_primarys_close(
        self, server: IrodsServer, session: Any
    ) -> None:
        primary, secondary = session.pool.get_connection(), session.pool.get_connection()
        number = ask(primary, 602, open_message(f"{HOME}/x", 65)).int_info
        info = ask(primary, 20000, JSON_Message({"fd": number}, session.server_version)).get_json_encoded_struct()
        with pytest.raises(HIERARCHY_ERROR):
            ask(secondary, 602, open_message(f"{HOME}/x", 1))
        ask(secondary, 602, open_message(f"{HOME}/x", 1, replicaToken=info["replica_token"]))
        lose(secondary)
        eventually(lambda: replica(server, f"{HOME}/x").status == STALE)
        # -154000 is unknown to python-irodsclient, which then raises a bare KeyError.
        with pytest.raises((KeyError, iRODSException)):
            ask(primary, 673, descriptor_message(number))
        primary.release()

    def test_a_locked_object_can_only_be_renamed(self, server: IrodsServer, session: Any) -> None:
        server.faults.kill_agent(api=673)
        connection = session.pool.get_connection()
        number = ask(connection, 602, open_message(f"{HOME}/x", 65)).int_info
        with pytest.raises(NetworkException):
            ask(connection, 673, descriptor_message(number))
        with pytest.raises(LOCKED_DATA_OBJECT_ACCESS):
            session.data_objects.unlink(f"{HOME}/x", force=True)
        with pytest.raises(HIERARCHY_ERROR):
            put(session, f"{HOME}/x", ONE_KIB, **{kw.FORCE_FLAG_KW: ""})
        session.data_objects.move(f"{HOME}/x", f"{HOME}/y")
        assert replica(server, f"{HOME}/y").status == INTERMEDIATE

    @pytest.mark.parametrize(
        ("scheme", "keyword", "expected"),
        [
            ("sha2", "", digest(ONE_KIB)),
            ("md5", "", hashlib.md5(ONE_KIB, usedforsecurity=False).hexdigest()),
            ("md5", "sha2:", digest(ONE_KIB)),
            ("md5", "sha2", hashlib.md5(ONE_KIB, usedforsecurity=False).hexdigest()),
        ],
    )
    def test_the_scheme_of_a_registered_checksum(self, scheme: str, keyword: str, expected: str) -> None:
        with IrodsServer(hash_scheme=scheme) as server, connect(server) as session:
            put(session, f"{HOME}/x", ONE_KIB, **{kw.REG_CHKSUM_KW: keyword})
            assert replica(server, f"{HOME}/x").checksum == expected

    @pytest.mark.parametrize("expected", [digest(b"other"), hashlib.sha256(ONE_KIB).hexdigest(), "sha512:x"])
    def test_a_wrong_expectation_leaves_stale(self, server: IrodsServer, session: Any, expected: str) -> None:
        with pytest.raises(USER_CHKSUM_MISMATCH):
            put(session, f"{HOME}/x", ONE_KIB, **{kw.VERIFY_CHKSUM_KW: expected})
        assert replica(server, f"{HOME}/x").status == STALE

    def test_with_both_keywords_nothing_is_verified(self, server: IrodsServer, session: Any) -> None:
        put(session, f"{HOME}/x", ONE_KIB, **{kw.VERIFY_CHKSUM_KW: digest(b"other"), kw.REG_CHKSUM_KW: ""})
        assert replica(server, f"{HOME}/x").status == GOOD

    def test_an_empty_expectation_leaves_good_without_checksum(self, server: IrodsServer, session: Any) -> None:
        put(session, f"{HOME}/x", ONE_KIB, **{kw.VERIFY_CHKSUM_KW: ""})
        assert (replica(server, f"{HOME}/x").status, replica(server, f"{HOME}/x").checksum) == (GOOD, "")

    @pytest.mark.parametrize(
        ("conditions", "code", "left"),
        [
            ({"aclIncluded": "read nobody"}, -827000, STALE),
            ({"aclIncluded": "spoil alice"}, -816000, STALE),
            ({"metadataIncluded": "a;;u"}, -130000, STALE),
            ({"metadataIncluded": "a"}, -158000, None),
            ({"dataSize": "7"}, -27000, STALE),
        ],
    )
    def test_what_travels_with_the_data_may_be_refused(
        self, server: IrodsServer, session: Any, conditions: dict[str, str], code: int, left: int | None
    ) -> None:
        with session.pool.get_connection() as connection:
            message = iRODSMessage(
                "RODS_API_REQ", msg=put_message(f"{HOME}/x", ONE_KIB, **conditions), bs=ONE_KIB, int_info=606
            )
            connection.send(message)
            answer: list[Any] = []
            with pytest.raises((KeyError, iRODSException)):
                connection.recv(return_message=answer)
        assert answer[0].int_info == code
        assert {item.status for item in server.objects().values()} == ({left} - {None})

    def test_what_travels_with_the_data_arrives(self, server: IrodsServer, session: Any) -> None:
        put(
            session,
            f"{HOME}/x",
            ONE_KIB,
            metadataIncluded=r"a;one\;two;;b;3;mm",
            aclIncluded="read alice;own bob#tempZone",
        )
        assert server.avus(f"{HOME}/x") == [("a", "one;two", ""), ("b", "3", "mm")]
        assert server.access(f"{HOME}/x") == {"rods": "own", "alice": "read_object", "bob": "own"}

    def test_a_forced_put_keeps_the_object_and_its_access(self, server: IrodsServer, session: Any) -> None:
        session.acls.set(iRODSAccess("read", HOME, "alice", "tempZone"))
        put(session, f"{HOME}/x", b"old", aclIncluded="read alice", regChksum="")
        before = session.data_objects.get(f"{HOME}/x").id
        with connect(server, "alice") as alice:
            with session.pool.get_connection() as connection:
                number = ask(connection, 602, open_message(f"{HOME}/x", 1 | 512)).int_info
                meanwhile = replica(server, f"{HOME}/x")
                assert (meanwhile.status, meanwhile.checksum) == (INTERMEDIATE, "")
                with pytest.raises(HIERARCHY_ERROR):
                    alice.data_objects.open(f"{HOME}/x", "r")
                ask(connection, 673, descriptor_message(number))
            put(session, f"{HOME}/x", ONE_KIB, forceFlag="", verifyChksum=digest(ONE_KIB))
            with alice.data_objects.open(f"{HOME}/x", "r") as file:
                assert file.read() == ONE_KIB
        assert session.data_objects.get(f"{HOME}/x").id == before
        assert server.access(f"{HOME}/x") == {"rods": "own", "alice": "read_object"}
        server.add_resource("other")
        with pytest.raises(HIERARCHY_ERROR):
            put(session, f"{HOME}/x", b"more", forceFlag="", destRescName="other")
        assert replica(server, f"{HOME}/x").read() == ONE_KIB

    def test_checksums_of_existing_objects(self, server: IrodsServer, session: Any) -> None:
        put(session, f"{HOME}/x", ONE_KIB)
        assert session.data_objects.chksum(f"{HOME}/x") == digest(ONE_KIB)
        assert session.data_objects.chksum(f"{HOME}/x", **{kw.VERIFY_CHKSUM_KW: ""}) == ""
        replica(server, f"{HOME}/x").location.write_bytes(b"rotten")
        assert session.data_objects.chksum(f"{HOME}/x") == digest(ONE_KIB)
        assert session.data_objects.chksum(f"{HOME}/x", **{kw.FORCE_CHKSUM_KW: ""}) == digest(b"rotten")

    def test_the_administrator_unlocks_and_the_owner_cannot(self, server: IrodsServer, session: Any) -> None:
        server.faults.kill_agent(api=606)
        with connect(server, "alice") as alice:
            path = "/tempZone/home/alice/x"
            with pytest.raises(NetworkException):
                put(alice, path, ONE_KIB)
            assert replica(server, path).status == INTERMEDIATE
            with pytest.raises(iRODSException):
                alice.data_objects.modDataObjMeta({"objPath": path, "replNum": 0}, {"replStatus": "0"})
            session.data_objects.modDataObjMeta({"objPath": path, "replNum": 0}, {"replStatus": "0"})
            alice.data_objects.unlink(path, force=True)
        assert not server.objects()

    def test_objects_go_to_the_trash(self, server: IrodsServer, session: Any) -> None:
        for _ in range(2):
            put(session, f"{HOME}/x", ONE_KIB)
            session.data_objects.unlink(f"{HOME}/x")
        assert len(server.objects("/tempZone/trash/home/rods/x")) == 2

    def test_bundles_make_nested_collections(self, server: IrodsServer, session: Any) -> None:
        put(session, f"{HOME}/bundle.tar", bundle({"./a.tif": ONE_KIB, "deep/er/b.tif": ONE_KIB}))
        with session.pool.get_connection() as connection:
            ask(connection, 665, ExtractRequest(f"{HOME}/bundle.tar", f"{HOME}/set"))
        assert set(server.objects(f"{HOME}/set/")) == {f"{HOME}/set/a.tif", f"{HOME}/set/deep/er/b.tif"}
        assert replica(server, f"{HOME}/set/a.tif").read() == ONE_KIB
        with session.pool.get_connection() as connection:
            ask(connection, 665, ExtractRequest(f"{HOME}/bundle.tar", f"{HOME}/set", forceFlag=""))
            with pytest.raises(iRODSException):
                ask(connection, 665, ExtractRequest(f"{HOME}/bundle.tar", f"{HOME}/else", destRescName="none"))
        put(session, f"{HOME}/no.tar", b"this is no tar")
        with session.pool.get_connection() as connection, pytest.raises(iRODSException):
            ask(connection, 665, ExtractRequest(f"{HOME}/no.tar", f"{HOME}/other"))

    def test_the_wrong_use_of_descriptors(self, session: Any) -> None:
        put(session, f"{HOME}/x", ONE_KIB)
        with session.pool.get_connection() as connection:
            for flags, api in ((0, 676), (1, 675)):
                number = ask(connection, 602, open_message(f"{HOME}/x", flags)).int_info
                with pytest.raises(iRODSException):
                    ask(connection, api, descriptor_message(number, len=1), b"x" if api == 676 else b"")
                ask(connection, 673, descriptor_message(number))
            with pytest.raises(iRODSException):
                ask(connection, 673, descriptor_message(99))
            with pytest.raises(iRODSException):
                ask(connection, 602, open_message(f"{HOME}/none", 0))
            with pytest.raises(iRODSException):
                ask(connection, 602, open_message(HOME, 65))

    def test_create_and_stat(self, session: Any) -> None:
        with session.pool.get_connection() as connection:
            number = ask(connection, 601, open_message(f"{HOME}/x", 0)).int_info
            write(connection, number, ONE_KIB)
            ask(connection, 673, descriptor_message(number))
            assert b"<objSize>1024<" in ask(connection, 633, open_message(f"{HOME}/x", 0)).msg
            assert ask(connection, 633, open_message(HOME, 0)).int_info == 2
            with pytest.raises(iRODSException):
                ask(connection, 633, open_message(f"{HOME}/none", 0))

    def test_redirection_and_features(self, session: Any) -> None:
        with session.data_objects.open(f"{HOME}/x", "w", allow_redirect=True) as file:
            file.write(ONE_KIB)
        assert "IRODS_HAS_LIBRARY_TICKET_ADMINISTRATION" in session.library_features()


class TestMetadata:
    def test_the_atomic_batch(self, server: IrodsServer, session: Any) -> None:
        session.collections.create(f"{HOME}/c")
        metadata = session.collections.get(f"{HOME}/c").metadata
        wanted = [iRODSMeta("title", "Zebra fish \U0001f41f", "en"), iRODSMeta("n", "3")]
        metadata.apply_atomic_operations(*(AVUOperation(operation="add", avu=avu) for avu in wanted))
        assert server.avus(f"{HOME}/c") == [("title", "Zebra fish \U0001f41f", "en"), ("n", "3", "")]
        assert {(avu.name, avu.value, avu.units) for avu in metadata.items()} == {
            ("title", "Zebra fish \U0001f41f", "en"),
            ("n", "3", None),
        }

    @pytest.mark.parametrize("spoiler", [{"value": ""}, {"value": "v" * 2701}, {"value": "\u00e9" * 1351}])
    def test_one_bad_avu_drops_the_whole_batch(
        self, server: IrodsServer, session: Any, spoiler: dict[str, str]
    ) -> None:
        operations = [{"operation": "add", "attribute": "a", "value": "1"}]
        operations.append({"operation": "add", "attribute": "b", **spoiler})
        request = {"entity_name": HOME, "entity_type": "collection", "operations": operations}
        with session.pool.get_connection() as connection, pytest.raises(iRODSException):
            ask(connection, 20002, JSON_Message(request, session.server_version))
        assert server.avus(HOME) == []

    def test_single_requests(self, server: IrodsServer, session: Any) -> None:
        metadata = session.collections.get(HOME).metadata
        metadata.add("a", "1")
        metadata.add("a", "2", "mm")
        with pytest.raises(iRODSException):
            metadata.add("a", "1")
        metadata.set("a", "3")
        metadata.remove("a", "3")
        assert server.avus(HOME) == []
        with pytest.raises(iRODSException):
            metadata.remove("a", "3")

    def test_readers_may_not_write(self, server: IrodsServer, session: Any) -> None:
        put(session, f"{HOME}/x", ONE_KIB, aclIncluded="read alice")
        session.acls.set(iRODSAccess("read", HOME, "alice", "tempZone"))
        with connect(server, "alice") as alice:
            found = alice.data_objects.get(f"{HOME}/x")
            with pytest.raises(CAT_NO_ACCESS_PERMISSION):
                found.metadata.apply_atomic_operations(AVUOperation(operation="add", avu=iRODSMeta("a", "b")))
            with pytest.raises(CAT_NO_ACCESS_PERMISSION):
                found.metadata.add("a", "b")


class TestAccess:
    def test_recursive_inherited_and_by_group(self, server: IrodsServer, session: Any) -> None:
        server.add_group("lab", ["alice"])
        session.collections.create(f"{HOME}/c/d")
        put(session, f"{HOME}/c/d/x", ONE_KIB)
        session.acls.set(iRODSAccess("inherit", f"{HOME}/c"), recursive=True)
        session.acls.set(iRODSAccess("read", f"{HOME}/c", "lab", "tempZone"), recursive=True)
        put(session, f"{HOME}/c/d/later", ONE_KIB)
        session.collections.create(f"{HOME}/c/e")
        for path in ("c", "c/d", "c/d/x", "c/d/later", "c/e"):
            assert server.access(f"{HOME}/{path}") == {"rods": "own", "lab": "read_object"}
        with connect(server, "alice") as alice, connect(server, "bob") as bob:
            assert len(list(alice.query(DataObject.name))) == 2
            assert list(bob.query(DataObject.name)) == []
            assert not bob.collections.exists(f"{HOME}/c")
            with pytest.raises(CAT_NO_ACCESS_PERMISSION):
                put(alice, f"{HOME}/c/mine", ONE_KIB)
        session.acls.set(iRODSAccess("null", f"{HOME}/c", "lab", "tempZone"), recursive=True)
        assert server.access(f"{HOME}/c/d/x") == {"rods": "own"}

    def test_a_forbidden_parent(self, server: IrodsServer) -> None:
        with connect(server, "alice") as alice, pytest.raises(SYS_INVALID_INPUT_PARAM):
            alice.collections.create(f"{HOME}/c")

    def test_own_collections_need_no_help(self, server: IrodsServer) -> None:
        with connect(server, "alice") as alice:
            alice.collections.create("/tempZone/home/alice/c/d")
        assert server.access("/tempZone/home/alice/c/d") == {"alice": "own"}

    def test_a_collection_shows_only_what_its_reader_may_read(self, server: IrodsServer, session: Any) -> None:
        """As irods#7924 has it: the object in a collection that one may not read is not to be found by its path."""
        session.collections.create(f"{HOME}/c/d")
        put(session, f"{HOME}/c/shown", ONE_KIB, aclIncluded="read alice")
        put(session, f"{HOME}/c/hidden", ONE_KIB)
        with connect(server, "alice") as alice:
            with pytest.raises(OBJ_PATH_DOES_NOT_EXIST):
                alice.data_objects.open(f"{HOME}/c/shown", "r")
            session.acls.set(iRODSAccess("read", f"{HOME}/c", "alice", "tempZone"))
            assert [item.name for item in alice.collections.get(f"{HOME}/c").data_objects] == ["shown"]
            assert alice.collections.get(f"{HOME}/c").subcollections == []
            with alice.data_objects.open(f"{HOME}/c/shown", "r") as file:
                assert file.read() == ONE_KIB
            with pytest.raises(OBJ_PATH_DOES_NOT_EXIST):
                alice.data_objects.open(f"{HOME}/c/hidden", "r")

    def test_a_user_of_another_zone_is_somebody_else(self, server: IrodsServer, session: Any) -> None:
        server.add_user("alice", "secret", zone="otherZone")
        put(session, f"{HOME}/x", ONE_KIB)
        for path in (HOME, f"{HOME}/x"):
            session.acls.set(iRODSAccess("read", path, "alice", "otherZone"))
        assert server.access(f"{HOME}/x") == {"rods": "own", "alice#otherZone": "read_object"}
        with connect(server, "alice", "secret", "otherZone") as other:
            file = other.data_objects.open(f"{HOME}/x", "r")
            assert file.read() == ONE_KIB
            file.close()
        with connect(server, "alice") as alice, pytest.raises(OBJ_PATH_DOES_NOT_EXIST):
            alice.data_objects.open(f"{HOME}/x", "r")
        with pytest.raises(CAT_INVALID_USER):
            session.acls.set(iRODSAccess("read", HOME, "bob", "otherZone"))

    def test_a_new_zone_shows_its_top_to_the_administrator_alone(self, server: IrodsServer, session: Any) -> None:
        """icatSetupValues.sql.template; 12-permission-denied."""
        for path in ("/", "/tempZone", "/tempZone/home"):
            assert session.collections.exists(path)
            with connect(server, "alice") as alice:
                assert not alice.collections.exists(path)
        session.acls.set(iRODSAccess("read", "/tempZone", "public", "tempZone"))
        with connect(server, "alice") as alice:
            assert alice.collections.exists("/tempZone")

    def test_the_atomic_batch(self, server: IrodsServer, session: Any) -> None:
        def send(*operations: dict[str, str]) -> None:
            request = {"logical_path": HOME, "operations": list(operations), "admin_mode": False}
            with session.pool.get_connection() as connection:
                ask(connection, 20005, JSON_Message(request, session.server_version))

        send({"entity_name": "alice", "acl": "read"}, {"entity_name": "bob", "acl": "own"})
        with pytest.raises(iRODSException):
            send({"entity_name": "bob", "acl": "null"}, {"entity_name": "nobody", "acl": "read"})
        assert server.access(HOME) == {"rods": "own", "alice": "read_object", "bob": "own"}

    def test_an_owner_alone_grants(self, server: IrodsServer) -> None:
        with connect(server, "alice") as alice, pytest.raises(CAT_NO_ACCESS_PERMISSION):
            alice.acls.set(iRODSAccess("own", HOME, "alice", "tempZone"))


class TestServer:
    def test_requests_are_logged(self, server: IrodsServer, session: Any) -> None:
        with pytest.raises(CollectionDoesNotExist):
            session.collections.get("/tempZone/none")
        server.reset_requests()
        put(session, f"{HOME}/x", ONE_KIB)
        (logged,) = server.requests
        assert (logged.api, logged.path, logged.bytes, logged.user) == (606, f"{HOME}/x", 1024, "rods")
        assert server.connections == server.accepted == 1

    def test_many_clients_at_once(self, server: IrodsServer) -> None:
        def work(worker: int) -> None:
            with connect(server) as session:
                for number in range(20):
                    put(session, f"{HOME}/{worker}-{number}", ONE_KIB, **{kw.VERIFY_CHKSUM_KW: digest(ONE_KIB)})

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(work, range(16)))
        assert {item.status for item in server.objects().values()} == {GOOD}
        assert len(server.objects()) == 320

    @pytest.mark.timeout(60)
    def test_it_ends_while_somebody_is_connected_and_leaves_no_vault(self) -> None:
        server = IrodsServer()
        server.start()
        session = connect(server)
        put(session, f"{HOME}/x", ONE_KIB)
        location = replica(server, f"{HOME}/x").location
        server.close()
        assert not location.parent.exists()
        session.cleanup()

    def test_a_given_vault_is_kept(self, tmp_path: Path) -> None:
        with IrodsServer(vault=tmp_path / "vault") as server, connect(server) as session:
            put(session, f"{HOME}/x", ONE_KIB)
            location = replica(server, f"{HOME}/x").location
        assert location.parent == tmp_path / "vault"
        assert location.read_bytes() == ONE_KIB

    def test_as_a_process(self) -> None:
        command = [sys.executable, "-m", "tests.irods_server", "--zone", "z", "--user", "rods:rods"]
        command += ["--user", "alice:alice", "--collection", "/z/home/rods/c", "--print-environment"]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        ) as process:
            assert process.stdin
            assert process.stdout

            def call(name: str, **arguments: Any) -> Any:
                assert process.stdin
                assert process.stdout
                process.stdin.write(json.dumps({"call": name, "with": arguments}) + "\n")
                process.stdin.flush()
                return json.loads(process.stdout.readline())

            environment = json.loads(process.stdout.readline())
            with iRODSSession(**environment, password="rods") as session:
                call("faults.error", api=606, code=-405000)
                with pytest.raises(KeyError):
                    put(session, "/z/home/rods/c/x", ONE_KIB)
                put(session, "/z/home/rods/c/x", ONE_KIB)
                assert [request["api"] for request in call("requests")["result"]][-2:] == [606, 606]
                assert list(call("objects")["result"]) == ["/z/home/rods/c/x"]
                assert call("nonsense") == {"error": "KeyError: 'nonsense'"}
            process.stdin.close()
            assert process.wait(30) == 0

    def test_a_process_ends_in_order_when_told(self) -> None:
        command = [sys.executable, "-m", "tests.irods_server", "--print-environment"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        ) as process:
            assert process.stdout
            environment = json.loads(process.stdout.readline())
            with iRODSSession(**environment, password="rods") as session:
                assert session.collections.exists(HOME)
            process.terminate()
            assert process.wait(30) == 0
