"""Every benchmark runs, and what it counts is as it must be; times are not asserted."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.benchmarks import early, idle, large, late, manners, many, pictures, reads, rpcs, scrape, small, sweep, zones
from tests.benchmarks.files import MIB, write_file, write_set
from tests.benchmarks.proxy import line
from tests.benchmarks.zones import Zone


@pytest.fixture
def zone(tmp_path: Path) -> Iterator[Zone]:
    with zones.test_server(tmp_path) as running:
        yield running


def test_a_small_file_costs_one_request(tmp_path: Path) -> None:
    found = rpcs.measure(tmp_path, files=3, rounds=1)
    assert found["irods-watcher: requests"] == 1.0
    assert found["stored"] == 2 * 3


def test_each_byte_is_read_once_for_delivery(tmp_path: Path) -> None:
    found = reads.measure(tmp_path, files=3, large=1, stacks=1)
    assert found["files"] == 3 + 1 + 5
    assert found["source"] == found["delivered"]
    assert found["uncounted"] == 0


def test_the_sweep_is_measured(tmp_path: Path) -> None:
    found = sweep.measure(tmp_path, files=400)
    assert all(found[f"{name}: cpu"] >= 0 for name in sweep.CASES)


def test_sets_are_attributed_late_with_few_requests(zone: Zone) -> None:
    found = late.measure(zone, sets=20)
    assert found["attributed: sets"] == 20
    assert found["attributed: requests"] <= 8 * 20 + 20


@pytest.mark.timeout(180)
def test_a_large_member_is_measured(tmp_path: Path, zone: Zone) -> None:
    found = large.measure(zone, write_file(tmp_path / "data" / "large.bin", 40 * MIB), times=1)
    assert found["stored"] == 6
    assert found["checksums"] == 1
    assert found[f"{large.OURS}: reads"] == 1.0
    assert found[f"{large.OURS}, 20 ms: reads"] == 1.0


def test_a_small_member_costs_little_more_than_a_request_on_the_whole_way(tmp_path: Path, zone: Zone) -> None:
    members = 200
    data = write_set(tmp_path / "data" / "set", members, 2000).parent
    found = small.measure(zone, data, rounds=1)
    assert found[f"{small.OURS}: members"] == members
    assert members <= found[f"{small.OURS}: requests"] <= 1.2 * members + 20
    assert found[f"{small.ONE}: requests"] >= 7 * members
    assert _planes(zone) == 3 * members


def test_the_same_set_arrives_over_a_long_line(tmp_path: Path, zone: Zone) -> None:
    data = write_set(tmp_path / "data" / "set", 8, 2000).parent
    few = write_set(tmp_path / "few" / "set", 4, 2000).parent
    small.measure_latency(zone, data, few, rounds=1, round_trip=0.005)
    assert _planes(zone) == 3 * (8 + 4)


def test_the_long_line_delays_and_does_not_serialise(tmp_path: Path) -> None:
    # 50 ms each way; one piece after the other would take 10 s, together they take as long as sending them, 1 s.
    pieces = [number.to_bytes(4, "big") for number in range(200)]
    with _echo(tmp_path) as zone, line(zone, 0.1) as long, socket.create_connection(long.zone.address) as there:
        there.sendall(b"first")
        assert there.recv(5, socket.MSG_WAITALL) == b"first"
        begin = time.monotonic()
        for piece in pieces:
            there.sendall(piece)
            time.sleep(0.005)
        assert there.recv(4 * len(pieces), socket.MSG_WAITALL) == b"".join(pieces)
        assert 0.1 <= time.monotonic() - begin < 6
        there.shutdown(socket.SHUT_WR)
        assert there.recv(1) == b""
        assert sum(long.sent().values()) == 5 + 4 * len(pieces)


@contextmanager
def _echo(tmp_path: Path) -> Iterator[Zone]:
    """A server that says again what it hears, in the place of a zone."""

    def say_again(listening: socket.socket) -> None:
        heard, _ = listening.accept()
        with heard:
            while data := heard.recv(65536):
                heard.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=say_again, args=(listening,))
        thread.start()
        file = tmp_path / "irods_environment.json"
        file.write_text(json.dumps({"irods_host": "127.0.0.1", "irods_port": listening.getsockname()[1]}))
        yield Zone("echo", file, "/", tmp_path)
        thread.join()


@pytest.mark.timeout(180)
def test_an_acquisition_is_published_after_its_rule_is_met(zone: Zone) -> None:
    acquisition = early.Acquisition(planes=5, size=1000, seconds=0.5)
    found = early.measure(zone, acquisition, "marker")
    assert found["seconds"] > 0
    assert found["complete"] <= found["delivered"] <= found["verified"] <= found["published"]
    assert found["members"] == 5 + 3  # the marker, the manifest and the crate
    assert 0 <= found["sent"] <= 5 * 1000


def test_sets_of_many_members_are_measured(zone: Zone) -> None:
    found = many.measure(zone, (50, 100))
    assert (found["50: members"], found["100: members"]) == (50, 100)
    assert found["100: published"] >= found["100: verified"] >= found["100: complete"] > 0
    assert _planes(zone) == 50 + 100


@pytest.mark.timeout(180)
def test_idleness_is_measured(zone: Zone) -> None:
    found = idle.measure(zone, files=100, seconds=1.0, folders=10, times=1)
    assert found[f"{idle.LIVE}: growing"] == found[f"{idle.PUBLISHED}: published"] == 10
    assert found[f"{idle.LIVE}: known"] == found[f"{idle.PUBLISHED}: known"] == 100


def test_pictures_are_measured(tmp_path: Path) -> None:
    for name, path in pictures.files(tmp_path, 64, small=True).items():
        found = pictures.apart(str(path))
        assert found["made"] == (name != "bomb")
        assert found["cpu"] > 0
        assert pictures.within(str(path))["s"] > 0


def test_a_scrape_is_measured(tmp_path: Path) -> None:
    found = scrape.measure(str(tmp_path / "state"), 10)
    assert found["safe"] == 7
    assert found["first"] > 0


def test_every_byte_of_a_limited_delivery_is_counted_on_the_wire(zone: Zone) -> None:
    found = manners.measure(zone, total=8_000_000, rate=8)
    assert found[f"{manners.FREE}: bytes"] == 8_000_000
    assert found[f"{manners.FREE}: wire"] > 8_000_000
    assert "refused" in found or found[f"{manners.LIMITED}: wire"] > 8_000_000


def _planes(zone: Zone) -> int:
    """The planes that are good in the zone, of all runs."""
    assert zone.server
    stored = zone.server.ask("objects", prefix=zone.base)
    return sum(item["status"] == 1 and path.endswith(".raw") for path, item in stored.items())
