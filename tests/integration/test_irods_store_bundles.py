"""The iRODS store over a real socket: many small members together."""

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.integration.irods_store import HOME, NAMES, PUT, QUERY, SET, UNLINK, Where, apis, ignore, sha256
from tests.irods_server import GOOD, INTERMEDIATE, IrodsServer
from watcher import osfacts
from watcher.errors import NameRefused, SourceChanged, StoreBusy, StoreUnreachable
from watcher.stores.base import Lanes, Receipt, Replica, Session
from watcher.stores.irods import IrodsStore
from watcher.stores.source import Source

RECORDINGS = Path(__file__).parent / "recordings"
MIB = 1024 * 1024
EXTRACT, CHECKSUM, MKDIR = 665, 629, 681
WORK = f"{HOME}/.irods-watcher"

Contents = Mapping[str, bytes]


def contents(count: int = 60, start: int = 0) -> dict[str, bytes]:
    """Members of which no two hold the same, in nested folders."""
    return {f"{n % 3}/{n % 2}/{n:04}.tif": f"plane {n}".encode() * 50 for n in range(start, start + count)}


@pytest.fixture
def frozen(tmp_path: Path) -> Callable[[Contents], dict[str, Source]]:
    """Writes files and freezes them."""

    def write(contents: Contents) -> dict[str, Source]:
        sources = {}
        for number, (target, data) in enumerate(contents.items()):
            file = tmp_path / f"member-{number}"
            file.write_bytes(data)
            sources[target] = Source(file, osfacts.facts_at(file))
        return sources

    return write


Frozen = Callable[[Contents], dict[str, Source]]


@pytest.fixture
def session(server: IrodsServer, store: IrodsStore) -> Iterator[Session]:
    """A session with a claimed set."""
    with store.session() as opened:
        assert opened.claim(SET, "id-1")
        server.reset_requests()
        yield opened


def nothing(target: str, count: int) -> None:
    """Progress that nobody looks at."""


def receipts(contents: Contents) -> dict[str, Receipt]:
    return {target: Receipt(len(data), sha256(data)) for target, data in contents.items()}


def replicas(contents: Contents) -> dict[str, Replica]:
    return {target: Replica(len(data), sha256(data), good=True) for target, data in contents.items()}


def finish(session: Session, sources: Mapping[str, Source], collection: str = SET) -> Mapping[str, Receipt]:
    """As a delivery does it: together, and what is left one by one."""
    arrived = session.put_bundle(sources, collection, nothing)
    for target in sources.keys() - arrived.keys():
        session.put(sources[target], collection, target, ignore)
    return arrived


def test_odd_names_and_sizes_arrive_together(zone: Where, frozen: Frozen) -> None:
    given = {name: name.encode() * 7 for name in NAMES}
    given |= {"empty": b"", "deep/er/one byte": b"x", "l" * 180 + "/" + "n" * 200: b"long", "large": os.urandom(MIB)}
    collection = f"{zone.base}/set"
    sent: dict[str, int] = {}
    with zone.store.session() as session:
        assert session.claim(collection, "id-1")
        arrived = session.put_bundle(frozen(given), collection, sent.__setitem__)
        assert {target: receipts(given)[target] for target in arrived} == arrived
        assert sent == {target: len(given[target]) for target in arrived}
        finish(session, frozen({target: data for target, data in given.items() if target not in arrived}), collection)
        assert session.replicas(collection) == replicas(given)


def test_nothing_of_a_bundle_is_left_but_its_members(
    server: IrodsServer, session: Session, store: IrodsStore, frozen: Frozen
) -> None:
    given = contents()
    assert session.put_bundle(frozen(given), SET, nothing) == receipts(given)
    assert session.replicas(SET) == replicas(given)
    assert {path for path in server.objects() if not path.startswith(SET)} == set()
    assert server.access(WORK) == {"rods": "own"}
    assert store.lanes() == Lanes(single=32 * MIB, bundle=MIB)
    # The collections between are known now, as if they had been made.
    server.reset_requests()
    session.put(frozen({"a": b"1"})["a"], SET, "0/1/a", ignore)
    assert apis(server) == [PUT]


def test_an_extraction_is_asked_for_as_it_was_recorded(
    server: IrodsServer, open_store: Callable[..., IrodsStore], frozen: Frozen, monkeypatch: pytest.MonkeyPatch
) -> None:
    from watcher.stores.irods.connection import Connection

    said: list[str] = []
    call = Connection.call

    def calling(connection: Connection, api: int, message: Any, *given: Any, **more: Any) -> Any:
        if api == EXTRACT:
            said.append(re.sub(f"{WORK}/[0-9a-f]{{16}}-[0-9a-f]{{16}}.tar", "TAR", message.pack()))
        return call(connection, api, message, *given, **more)

    monkeypatch.setattr(Connection, "call", calling)
    with open_store(resource="demoResc").session() as session:
        assert session.claim(SET, "id-1")
        assert len(session.put_bundle(frozen(contents()), SET, nothing)) == 60
    lines = (RECORDINGS / "13-struct-file-extract.jsonl").read_text("utf-8").splitlines()
    recorded = next(line["msg"] for line in map(json.loads, lines) if line.get("int_info") == EXTRACT)
    top = "/tempZone/home/rods/wire/t"
    assert said == [recorded.replace(f"{top}/b.tar", "TAR").replace(f"{top}/x", SET)]


def test_2000_members_cost_at_most_1_2_requests_each(server: IrodsServer, store: IrodsStore, frozen: Frozen) -> None:
    given = {f"0/{n // 100}/{n}.tif": n.to_bytes(4, "big") * 50 for n in range(2000)}
    sources = frozen(given)
    names = list(sources)
    with store.session() as session:
        assert session.claim(SET, "id-1")
        server.reset_requests()

    def bundle(number: int) -> Mapping[str, Receipt]:
        with store.session() as session:
            mine = {name: sources[name] for name in names[number::4]}
            return session.put_bundle(mine, SET, nothing)

    with ThreadPoolExecutor(4) as pool:
        arrived = [receipt for part in pool.map(bundle, range(4)) for receipt in part.items()]
    assert dict(arrived) == receipts(given)
    assert len(server.requests) <= 1.2 * len(given)
    with store.session() as session:
        assert session.replicas(SET) == replicas(given)
    assert not server.objects(WORK)


def test_checksums_are_asked_for_without_waiting_for_each(
    server: IrodsServer, session: Session, frozen: Frozen, monkeypatch: pytest.MonkeyPatch
) -> None:
    from watcher.stores.irods.connection import Connection

    under_way = most = 0
    send, receive = Connection.send, Connection.receive

    def sending(*given: object, **more: object) -> None:
        nonlocal under_way, most
        send(*given, **more)  # type: ignore[arg-type]
        under_way += 1
        most = max(most, under_way)

    def receiving(*given: object, **more: object) -> object:
        nonlocal under_way
        under_way -= 1
        return receive(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Connection, "send", sending)
    monkeypatch.setattr(Connection, "receive", receiving)
    assert len(session.put_bundle(frozen(contents()), SET, nothing)) == 60
    assert most == 32


def test_each_member_is_read_once(session: Session, frozen: Frozen, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    original = osfacts.open_shared

    def open_shared(path: Path) -> object:
        opened.append(path)
        return original(path)

    monkeypatch.setattr(osfacts, "open_shared", open_shared)
    sources = frozen(contents())
    session.put_bundle(sources, SET, nothing)
    assert sorted(opened) == sorted(source.path for source in sources.values())


def test_a_member_that_changed_is_told_before_anything_is_sent(
    server: IrodsServer, session: Session, frozen: Frozen
) -> None:
    sources = frozen(contents())
    list(sources.values())[-1].path.write_bytes(b"written again")
    with pytest.raises(SourceChanged, match="member-59"):
        session.put_bundle(sources, SET, nothing)
    assert apis(server) == []


def test_a_name_that_is_too_long_is_refused_as_by_itself(server: IrodsServer, session: Session, frozen: Frozen) -> None:
    with pytest.raises(NameRefused, match="bytes long"):
        session.put_bundle(frozen({"a": b"1", "µ" * 501: b"2"}), SET, nothing)
    assert apis(server) == []


# Refusals

REFUSALS = {
    "no such request": (EXTRACT, -12000, False),
    "not supported": (EXTRACT, -66000, False),
    "no tar to the server": (EXTRACT, -69000, False),
    "a code of which nobody knows": (EXTRACT, -999000, False),
    "work collection not writable": (PUT, -818000, False),
    "work collection not to be made": (MKDIR, -818000, False),
    "quota": (PUT, -110000, True),
    "resource down": (EXTRACT, -105000, True),
    "locked": (EXTRACT, -406000, True),
    "already there": (EXTRACT, -46000, True),
    "another made the collection at once": (EXTRACT, -809000, True),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_a_refusal_falls_back_and_harms_nothing(
    server: IrodsServer, session: Session, store: IrodsStore, frozen: Frozen, why: str
) -> None:
    api, code, passing = REFUSALS[why]
    given = contents()
    server.faults.error(api=api, code=code)
    assert finish(session, frozen(given)) == {}
    assert session.replicas(SET) == replicas(given)
    assert (store.lanes().bundle > 0) == passing
    server.reset_requests()
    more = contents(start=100)
    with store.session() as other:
        finish(other, frozen(more))
        assert other.replicas(SET) == replicas(given | more)
    assert (EXTRACT in apis(server)) == passing
    assert not server.objects(WORK)


def test_other_checksums_than_sha256_close_the_lane(tmp_path: Path, frozen: Frozen) -> None:
    given = contents()
    with IrodsServer(hash_scheme="md5") as server:
        file = tmp_path / "env.json"
        file.write_text(json.dumps(server.environment()), encoding="utf-8")
        store = IrodsStore(file, password="rods")
        with store.session() as session:
            assert session.claim(SET, "id-1")
            assert session.put_bundle(frozen(given), SET, nothing) == {}
            assert server.objects() == {}
            assert store.lanes().bundle == 0
            finish(session, frozen(given))
            assert session.replicas(SET) == replicas(given)


def test_what_has_other_bytes_is_removed_and_left_to_be_sent(
    server: IrodsServer, session: Session, store: IrodsStore, frozen: Frozen
) -> None:
    given = contents()
    wrong = "0/0/0006.tif"
    server.faults.lie_about_checksums(path=f"{SET}/{wrong}")
    arrived = session.put_bundle(frozen(given), SET, nothing)
    assert arrived == {target: receipt for target, receipt in receipts(given).items() if target != wrong}
    assert f"{SET}/{wrong}" not in server.objects()
    assert store.lanes().bundle > 0


def test_a_tar_that_arrives_damaged_is_not_extracted(
    server: IrodsServer, session: Session, store: IrodsStore, frozen: Frozen
) -> None:
    given = contents()
    server.faults.corrupt(api=PUT)
    assert session.put_bundle(frozen(given), SET, nothing) == {}
    assert server.objects() == {}
    assert session.put_bundle(frozen(given), SET, nothing) == receipts(given)


def test_a_refusal_among_the_checksums_loses_nothing(server: IrodsServer, session: Session, frozen: Frozen) -> None:
    given = contents()
    sources = frozen(given)
    server.faults.error(api=CHECKSUM, code=-1000, nth=20)
    assert session.put_bundle(sources, SET, nothing) == {}
    before = {path: found.location for path, found in server.objects(SET).items()}
    assert len(before) == len(given)
    server.reset_requests()
    # A replica without a checksum is asked for it and stays.
    last = list(given)[-1]
    session.put(sources[last], SET, last, ignore)
    assert apis(server)[-3:] == [PUT, QUERY, CHECKSUM]
    finish(session, sources)
    assert session.replicas(SET) == replicas(given)
    assert {path: found.location for path, found in server.objects(SET).items()} == before


def test_what_was_there_before_is_kept_replaced_or_left_alone(
    server: IrodsServer, session: Session, frozen: Frozen
) -> None:
    given = contents()
    same, other, stuck, *_ = given
    sources = frozen(given)
    session.put(sources[same], SET, same, ignore)
    session.put(frozen({"x": b"other"})["x"], SET, other, ignore)
    server.faults.kill_agent(api=PUT, path=f"*/{stuck}")
    sources = frozen(given)
    with pytest.raises(StoreBusy) as busy:
        session.put(sources[stuck], SET, stuck, ignore)
    assert busy.value.path == f"{SET}/{stuck}"
    arrived = session.put_bundle(sources, SET, nothing)
    assert given.keys() - arrived.keys() == {other, stuck}
    assert server.objects()[f"{SET}/{stuck}"].status == INTERMEDIATE
    good = {path for path, found in server.objects(SET).items() if found.status == GOOD}
    assert good == {f"{SET}/{target}" for target in arrived}


# Lost connections


@pytest.mark.parametrize("reply", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("api", "nth"), [(MKDIR, 1), (PUT, 1), (EXTRACT, 1), (CHECKSUM, 31), (UNLINK, 1)])
def test_a_lost_connection_costs_no_member(
    server: IrodsServer, session: Session, frozen: Frozen, api: int, nth: int, *, reply: bool
) -> None:
    given = contents()
    server.faults.drop(api=api, nth=nth, reply=reply)
    arrived = finish(session, frozen(given))
    # Only where it was lost on the way to the extraction is nothing there.
    assert arrived == ({} if (api, reply) == (EXTRACT, False) else receipts(given))
    assert session.replicas(SET) == replicas(given)
    assert not server.objects(WORK)
    assert apis(server).count(EXTRACT) == 1


FAULTS: dict[str, Callable[[IrodsServer, int], None]] = {
    "lost before": lambda server, nth: server.faults.drop(nth=nth),
    "lost after": lambda server, nth: server.faults.drop(nth=nth, reply=True, after_bytes=0),
    "lost in the reply": lambda server, nth: server.faults.drop(nth=nth, reply=True, after_bytes=60),
    "locked": lambda server, nth: server.faults.error(nth=nth, code=-406000),
    "refused": lambda server, nth: server.faults.error(nth=nth, code=-154000),
    "agent killed": lambda server, nth: server.faults.kill_agent(nth=nth),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_whichever_request_goes_wrong_every_member_arrives(
    server: IrodsServer, open_store: Callable[..., IrodsStore], frozen: Frozen, fault: str
) -> None:
    given = contents(10)
    sources = frozen(given)
    nth, asked = 1, 99
    while nth <= asked:
        collection = f"{SET}-{nth}"
        # As after a start: the work collection is looked at, and leftovers are looked for.
        with open_store(sleep=lambda seconds: time.sleep(min(seconds, 0.05))).session() as session:
            assert session.claim(collection, "id-1")
            server.reset_requests()
            FAULTS[fault](server, nth)
            with suppress(StoreUnreachable):
                finish(session, sources, collection)
            # The login of a connection that was lost is among them.
            asked = len(server.requests)
            server.faults.clear()
            finish(session, sources, collection)
            assert session.replicas(collection) == replicas(given)
            session.open_to_readers(collection)
        nth += 1
    left = [found for path, found in server.objects(WORK).items()]
    # The one that the agent was writing when it was killed is for an administrator.
    assert [found.status for found in left] == ([INTERMEDIATE] if fault == "agent killed" else [])


@pytest.mark.parametrize("api", [PUT, EXTRACT, CHECKSUM])
def test_a_server_that_stays_away_is_said_and_the_next_attempt_goes_on(
    server: IrodsServer, session: Session, store: IrodsStore, frozen: Frozen, api: int
) -> None:
    given = contents()
    server.faults.drop(api=api, times=None, reply=api != PUT)
    if api == EXTRACT:
        server.faults.drop(api=QUERY, nth=3, times=None)
    with pytest.raises(StoreUnreachable):
        session.put_bundle(frozen(given), SET, nothing)
    server.faults.clear()
    assert finish(session, frozen(given)) == receipts(given)
    assert session.replicas(SET) == replicas(given)
    assert not server.objects(WORK)
    assert store.lanes().bundle > 0


# What a crash leaves


def test_the_tar_of_a_crash_is_found_by_the_next_process(
    server: IrodsServer, session: Session, open_store: Callable[..., IrodsStore], frozen: Frozen
) -> None:
    given = contents()
    other = f"{HOME}/2026/set-2"
    assert session.claim(other, "id-2")
    server.faults.error(api=UNLINK, code=-1000, times=2)
    session.put_bundle(frozen(given), SET, nothing)
    session.put_bundle(frozen(given), other, nothing)
    left = set(server.objects(WORK))
    assert len(left) == 2
    more = contents(start=100)
    with open_store().session() as later:
        assert later.put_bundle(frozen(more), SET, nothing) == receipts(more)
        # Another set's may be in use by another watcher.
        assert len(left & set(server.objects(WORK))) == 1
        later.withdraw(other, "id-2")
    assert not server.objects(WORK)


def test_a_tar_that_could_not_be_removed_goes_before_publication(
    server: IrodsServer, store: IrodsStore, session: Session, frozen: Frozen
) -> None:
    server.faults.error(api=UNLINK, code=-1000)
    assert session.put_bundle(frozen(contents()), SET, nothing) == receipts(contents())
    assert len(server.objects(WORK)) == 1
    server.reset_requests()
    with store.session() as other:
        other.open_to_readers(SET)
        assert not server.objects(WORK)
        asked = len(apis(server))
        other.open_to_readers(SET)
    # Only once.
    assert len(apis(server)) - asked == 1


def test_sessions_do_not_remove_the_tars_of_each_other(
    server: IrodsServer, store: IrodsStore, session: Session, frozen: Frozen
) -> None:
    # The first extraction waits while the others begin, end and tidy up.
    server.faults.stall(1.0, api=EXTRACT)
    parts = [contents(start=100 * number) for number in range(4)]
    sources = frozen({target: data for part in parts for target, data in part.items()})

    def bundle(part: Contents) -> Mapping[str, Receipt]:
        with store.session() as own:
            return own.put_bundle({target: sources[target] for target in part}, SET, nothing)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(bundle, parts)) == [receipts(part) for part in parts]
    assert not server.objects(WORK)


def test_the_work_collection_is_closed_where_the_home_is_open(
    server: IrodsServer, session: Session, frozen: Frozen
) -> None:
    from irods.access import iRODSAccess

    from tests.irods_server.dialogue import connect

    with connect(server) as admin:
        admin.acls.set(iRODSAccess("read", HOME, "public", "tempZone"))
        admin.acls.set(iRODSAccess("inherit", HOME))
    assert len(session.put_bundle(frozen(contents()), SET, nothing)) == 60
    assert server.access(WORK) == {"rods": "own"}
    assert not server.inherits(WORK)


def test_small_messages_leave_no_room_for_bundles(open_store: Callable[..., IrodsStore]) -> None:
    changes = {"irods_maximum_size_for_single_buffer_in_megabytes": 8}
    assert open_store(changes=changes).lanes() == Lanes(single=8 * MIB, bundle=0)
