"""Every fault that the test server can be asked for, seen by the unmodified python-irodsclient."""

import gc
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import irods.keywords as kw
import pytest
from irods.exception import HIERARCHY_ERROR, OVERWRITE_WITHOUT_FORCE_FLAG, NetworkException, iRODSException

from tests.irods_server import GOOD, INTERMEDIATE, STALE, IrodsServer, Replica
from tests.irods_server.dialogue import ask, connect, descriptor_message, digest, lose, open_message, put, write

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
    with IrodsServer() as running:
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


def test_a_drop_leaves_stale_with_what_was_written(server: IrodsServer, session: Any) -> None:
    server.faults.drop(api=676, nth=2, after_bytes=100)
    connection = session.pool.get_connection()
    number = ask(connection, 602, open_message(f"{HOME}/x", 65)).int_info
    write(connection, number, ONE_KIB)
    with pytest.raises(NetworkException):
        write(connection, number, ONE_KIB)
    eventually(lambda: server.connections == 0)
    assert (replica(server, f"{HOME}/x").status, replica(server, f"{HOME}/x").size) == (STALE, 1024)
    put(session, f"{HOME}/x", ONE_KIB, **{kw.FORCE_FLAG_KW: ""})


@pytest.mark.parametrize("reset", [False, True])
def test_a_drop_within_a_put_leaves_nothing(server: IrodsServer, session: Any, reset: bool) -> None:
    server.faults.drop(api=606, after_bytes=10, reset=reset)
    with pytest.raises(NetworkException):
        put(session, f"{HOME}/x", ONE_KIB)
    eventually(lambda: server.connections == 0)
    assert not server.objects()


@pytest.mark.parametrize("after_bytes", [None, 0, 3, 50])
def test_a_lost_reply_hides_a_success(server: IrodsServer, session: Any, after_bytes: int | None) -> None:
    server.faults.drop(api=606, reply=True, after_bytes=after_bytes)
    with pytest.raises(NetworkException):
        put(session, f"{HOME}/x", ONE_KIB)
    assert replica(server, f"{HOME}/x").status == GOOD
    with pytest.raises(OVERWRITE_WITHOUT_FORCE_FLAG):
        put(session, f"{HOME}/x", ONE_KIB)


@pytest.mark.parametrize("api", [676, 673])
def test_a_killed_agent_leaves_intermediate(server: IrodsServer, session: Any, api: int) -> None:
    server.faults.kill_agent(api=api, path="*.czi")
    connection = session.pool.get_connection()
    number = ask(connection, 602, open_message(f"{HOME}/x.czi", 65)).int_info
    if api == 673:
        write(connection, number, ONE_KIB)
    with pytest.raises(NetworkException):
        ask(connection, api, descriptor_message(number, len=len(ONE_KIB)), ONE_KIB if api == 676 else b"")
    eventually(lambda: server.connections == 0)
    assert replica(server, f"{HOME}/x.czi").status == INTERMEDIATE


def test_a_killed_put_leaves_intermediate(server: IrodsServer, session: Any) -> None:
    server.faults.kill_agent(api=606)
    with pytest.raises(NetworkException):
        put(session, f"{HOME}/x", ONE_KIB)
    assert replica(server, f"{HOME}/x").status == INTERMEDIATE


def test_errors_by_path_and_number(server: IrodsServer, session: Any) -> None:
    server.faults.error(api=606, code=-405000, times=2, nth=2, path="*.tif")
    put(session, f"{HOME}/0.czi", ONE_KIB)
    put(session, f"{HOME}/1.tif", ONE_KIB)
    for _ in range(2):
        # python-irodsclient does not know the code.
        with pytest.raises(KeyError):
            put(session, f"{HOME}/2.tif", ONE_KIB)
    put(session, f"{HOME}/2.tif", ONE_KIB)
    assert len(server.objects()) == 3


def test_a_full_resource(server: IrodsServer, session: Any) -> None:
    server.faults.resource_full(free_bytes=1500)
    put(session, f"{HOME}/x", ONE_KIB)
    with pytest.raises(iRODSException) as refused:
        put(session, f"{HOME}/y", ONE_KIB)
    assert refused.value.code == -513028
    assert (replica(server, f"{HOME}/y").status, replica(server, f"{HOME}/y").size) == (STALE, 476)
    server.faults.clear()
    put(session, f"{HOME}/y", ONE_KIB, **{kw.FORCE_FLAG_KW: ""})


def test_a_resource_that_is_down_or_unknown(server: IrodsServer, session: Any) -> None:
    server.faults.resource_down()
    with pytest.raises(HIERARCHY_ERROR):
        put(session, f"{HOME}/x", ONE_KIB)
    server.faults.clear()
    server.add_resource("images")
    put(session, f"{HOME}/x", ONE_KIB, **{kw.DEST_RESC_NAME_KW: "images"})
    assert replica(server, f"{HOME}/x").resource == "images"
    with pytest.raises(iRODSException):
        put(session, f"{HOME}/y", ONE_KIB, **{kw.DEST_RESC_NAME_KW: "none"})


def test_lies_and_corruption(server: IrodsServer, session: Any) -> None:
    server.faults.lie_about_checksums(path="*/lie", times=1)
    server.faults.corrupt(api=606, path="*/rot")
    for name in ("lie", "rot", "fine"):
        put(session, f"{HOME}/{name}", ONE_KIB, **{kw.REG_CHKSUM_KW: ""})
    found = server.objects()
    assert {path: item.status for path, item in found.items()} == dict.fromkeys(found, GOOD)
    assert [item.checksum == digest(ONE_KIB) for item in found.values()] == [True, False, False]
    assert [item.read() == ONE_KIB for item in found.values()] == [True, True, False]


def test_slow_and_stalled(server: IrodsServer, session: Any) -> None:
    put(session, f"{HOME}/warm", ONE_KIB)
    server.faults.slow(0.05)
    server.faults.stall(0.1, api=606, after_bytes=5)
    server.faults.stall(0.1, api=606, reply=True, after_bytes=5)
    begin = time.monotonic()
    put(session, f"{HOME}/x", ONE_KIB)
    assert time.monotonic() - begin >= 0.25
    assert replica(server, f"{HOME}/x").read() == ONE_KIB


@pytest.mark.timeout(60)
def test_a_stall_does_not_hold_up_the_end(server: IrodsServer, session: Any) -> None:
    server.faults.stall(600, api=606)
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(put, session, f"{HOME}/x", ONE_KIB)
        eventually(lambda: any(request.api == 606 for request in server.requests))
        server.restart()
        with pytest.raises(NetworkException):
            stuck.result()


def test_a_restart_keeps_the_catalogue(server: IrodsServer, session: Any) -> None:
    put(session, f"{HOME}/x", ONE_KIB)
    connection = session.pool.get_connection()
    ask(connection, 602, open_message(f"{HOME}/y", 65))
    port = server.port
    server.stop()
    with connect(server) as other, pytest.raises(NetworkException):
        other.collections.exists(HOME)
    server.start()
    assert server.port == port
    lose(connection)
    assert {path: item.status for path, item in server.objects().items()} == {
        f"{HOME}/x": GOOD,
        f"{HOME}/y": INTERMEDIATE,
    }
    with connect(server) as other:
        assert other.collections.exists(HOME)


def test_cut_connections_leave_stale(server: IrodsServer, session: Any) -> None:
    connection = session.pool.get_connection()
    ask(connection, 602, open_message(f"{HOME}/x", 65))
    server.drop_connections()
    lose(connection)
    assert replica(server, f"{HOME}/x").status == STALE


@pytest.mark.parametrize("reply", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lost", [False, True], ids=["goes on", "lost"])
def test_a_held_message_waits_for_its_gate(server: IrodsServer, session: Any, *, reply: bool, lost: bool) -> None:
    gate = server.faults.hold(api=606, path=f"{HOME}/*", reply=reply)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(put, session, f"{HOME}/x", ONE_KIB)
        assert gate.reached.wait(30)
        assert not sending.done()
        assert (f"{HOME}/x" in server.objects()) is reply
        gate.open(lost=lost)
        if lost:
            with pytest.raises(NetworkException):
                sending.result(10)
        else:
            sending.result(10)
    assert (f"{HOME}/x" in server.objects()) is (reply or not lost)
    assert server.faults.struck == [("hold", 606, f"{HOME}/x")]


def test_a_held_message_does_not_hold_up_the_end_of_the_server(session: Any, server: IrodsServer) -> None:
    gate = server.faults.hold(api=606)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(put, session, f"{HOME}/x", ONE_KIB)
        assert gate.reached.wait(30)
        server.stop()
        with pytest.raises(NetworkException):
            sending.result(10)


def test_metadata_is_witnessed_at_the_moment_it_is_attached(server: IrodsServer, session: Any) -> None:
    seen: list[tuple[str, tuple[str, str, str], int]] = []
    server.watch_metadata(lambda path, avu: seen.append((path, avu, len(server.avus(path)))))
    session.collections.get(HOME).metadata.add("a", "1")
    session.collections.get(HOME).metadata.add("b", "2", "mm")
    assert seen == [(HOME, ("a", "1", ""), 1), (HOME, ("b", "2", "mm"), 2)]


def test_an_administrator_mends_what_is_stuck(server: IrodsServer, session: Any) -> None:
    server.faults.kill_agent(api=606)
    with pytest.raises(NetworkException):
        put(session, f"{HOME}/x", ONE_KIB)
    assert replica(server, f"{HOME}/x").status == INTERMEDIATE
    server.mend_stuck_replicas()
    assert replica(server, f"{HOME}/x").status == STALE
