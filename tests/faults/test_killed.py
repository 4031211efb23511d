"""Killed at random moments of a delivery and started again, fifty times: nothing is lost, doubled or half-done."""

import contextlib
import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import BASE, Program, irods_program, server
from tests.e2e.contents import in_zone, on_disk
from tests.irods_server import IrodsServer
from watcher import simulate

__all__ = ["irods_program", "server"]

KILLS = 50


@pytest.mark.timeout(400)
def test_fifty_kills_during_the_delivery_of_200_files(irods_program: Program, server: IrodsServer) -> None:
    program = irods_program
    _acquire(program.data)
    local = {path: path.stat() for path in program.data.rglob("*")}
    expected = on_disk(program.data)
    assert len(expected) == 200
    server.faults.slow(0.004)  # so that the kills fall everywhere on the way
    chance = random.Random(7)
    sent_at_kill = []
    for _ in range(KILLS):
        sent = len(in_zone_unchecked(server))
        process = program.start("run", "profile.yaml")
        _wait_for_more(server, sent + chance.randrange(9))
        time.sleep(chance.uniform(0.0, 0.1 if sent < 200 else 0.8))
        sent_at_kill.append(len(in_zone_unchecked(server)))
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    # The kills did fall into the delivery and not only before or after it.
    assert len({count for count in sent_at_kill if 0 < count < 200}) > 5, sent_at_kill
    server.faults.clear()
    process = program.start("run", "profile.yaml")
    program.wait_for(lambda: len(program.sets()) == 60 == len(program.sets("published")), seconds=120)
    assert program.stop(process) == 0

    assert sorted(in_zone(server).values()) == sorted(expected.values())
    sets = program.sets()
    assert len({one["collection"] for one in sets}) == len(sets) == 60
    assert server.collections(f"{BASE}/Scope-1/") - {f"{BASE}/Scope-1"} == {one["collection"] for one in sets}
    for one in sets:
        avus = server.avus(one["collection"])
        assert [value for name, value, _ in avus if name == "acq:state"] == ["complete"]
        assert [value for name, value, _ in avus if name == "dcterms:identifier"] == [one["id"]]
        manifest = server.objects(one["collection"])[one["collection"] + "/manifest-sha256.txt"].read().decode()
        assert manifest.count("\n") == len(one["members"])
        published = [
            step for step in program.json("show", one["id"])["sets"][0]["history"] if step["state"] == "published"
        ]
        assert len(published) == 1
    after = {path: path.stat() for path in program.data.rglob("*")}
    assert {p: (s.st_size, s.st_mtime_ns, s.st_ino) for p, s in after.items()} == {
        p: (s.st_size, s.st_mtime_ns, s.st_ino) for p, s in local.items()
    }
    assert on_disk(program.data) == expected
    assert _sound(program.home / "state" / "journal.sqlite")


def _wait_for_more(server: IrodsServer, count: int) -> None:
    """Until so many members are there, or all, or it seems that no more are sent."""
    end = time.monotonic() + 4
    while len(in_zone_unchecked(server)) < min(count, 200) and time.monotonic() < end:
        time.sleep(0.01)


def in_zone_unchecked(server: IrodsServer) -> list[str]:
    """The members in the zone, whatever state they are in."""
    return [path for path in server.objects(f"{BASE}/") if not path.endswith("manifest-sha256.txt")]


def _acquire(data: Path) -> None:
    """60 sets: 35 OME-TIFF series of 5 files and 25 single files."""
    for number in range(35):
        simulate.KINDS["ome-tiff-series"](data, f"series{number:02}", pause=lambda _: None, seed=number)
    for number in range(25):
        simulate.KINDS["growing-stack"](data, f"stack{number:02}", pause=lambda _: None, seed=number)


def _sound(journal: Path) -> bool:
    with contextlib.closing(sqlite3.connect(journal)) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok")
