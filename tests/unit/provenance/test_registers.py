"""The facility's files are read again when they change, keep what was right, and never make anybody wait for long."""

import os
import threading
import time
from datetime import date
from pathlib import Path
from random import Random

import pytest

from watcher.model import Person
from watcher.profile import Profile, load
from watcher.provenance.people import Miss
from watcher.provenance.registers import Register, Registers
from watcher.provenance.requests import Requests

PEOPLE = "persons: [{name: 'Doe, Jane', logins: [jdoe]}]\n"
BOOKINGS = "start,end,person,instrument\n2026-11-27 09:00,2026-11-27 10:00,jdoe,scope\n"


def profile(folder: Path) -> Profile:
    (folder / "requests").mkdir()
    (folder / "people.yaml").write_text(PEOPLE)
    (folder / "bookings.csv").write_text(BOOKINGS)
    path = folder / "scope.yaml"
    path.write_text(
        "instrument: {name: scope, timezone: Europe/Amsterdam}\nwatch: [{path: data}]\n"
        "store: {kind: folder, path: archive}\n"
        "people: {directory: people.yaml, requests: requests, generic_logins: [zeiss], bookings: {file: bookings.csv}}"
    )
    return load(path)


@pytest.fixture
def registers(tmp_path: Path) -> Registers:
    return Registers(profile(tmp_path))


def write(path: Path, text: str) -> None:
    """A file that cannot have the same time stamp as before."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before + 1_000_000_000, before + 1_000_000_000))


def test_everything_is_read_at_once(registers: Registers, tmp_path: Path) -> None:
    made = Requests(tmp_path / "requests").make(Random(1), date(2026, 11, 27), title="x")
    found = registers.refresh()
    assert isinstance(found.people.find("jdoe"), Person)
    assert found.people.find("zeiss") is Miss.NOBODY
    assert found.requests == {made.id: made}
    assert [(one.person, one.started, one.until) for one in found.bookings] == [("jdoe", 1795766400.0, 1795770000.0)]
    assert found.problems == {}


def test_a_file_that_changed_is_read_again_and_a_wrong_one_changes_nothing(
    registers: Registers, tmp_path: Path
) -> None:
    registers.refresh()
    write(tmp_path / "people.yaml", "persons: [{name: 'Smith, Anna', logins: [asmith]}]")
    assert registers.refresh().people.find("jdoe") is Miss.UNKNOWN
    write(tmp_path / "people.yaml", "persons: [{name: 'Smith, Anna', logins: [asmith, root]}]")
    found = registers.refresh()
    assert isinstance(found.people.find("asmith"), Person), "what was right still holds"
    ((where, what),) = found.problems.items()
    assert where == str(tmp_path / "people.yaml")
    assert "this is one of the logins that mean nobody" in what
    assert registers.refresh().problems, "it is told as long as it is wrong"
    (tmp_path / "people.yaml").unlink()
    assert "there is no such file" in registers.refresh().problems[where]
    write(tmp_path / "people.yaml", PEOPLE)
    assert registers.refresh().problems == {}


def test_what_is_wrong_in_a_request_or_booking_is_told_beside_what_is_right(
    registers: Registers, tmp_path: Path
) -> None:
    made = Requests(tmp_path / "requests").make(Random(1), date(2026, 11, 27), title="x")
    (tmp_path / "requests" / "RQ4F7K2MT.yaml").write_text("id: [")
    write(tmp_path / "bookings.csv", BOOKINGS + "today,tomorrow,asmith,scope\n")
    found = registers.refresh()
    assert list(found.requests) == [made.id]
    assert "3:1: start: this is no time as in 2026-11-27 09:00" in found.problems[str(tmp_path / "bookings.csv")]
    assert "RQ4F7K2MT.yaml:1:6" in found.problems[str(tmp_path / "requests")]


def test_a_request_that_was_made_a_moment_ago_is_known_when_it_is_asked_for(
    registers: Registers, tmp_path: Path
) -> None:
    told: list[Register] = []
    with registers.reading(told.append, 5.0):
        made = Requests(tmp_path / "requests").make(Random(1), date(2026, 11, 27), title="x")
        assert made.id not in registers.now.requests
        assert made.id in registers.ask(5.0).requests
    assert len(told) == 2


def test_it_can_be_read_again_after_it_was_stopped(registers: Registers, tmp_path: Path) -> None:
    for seed in range(3):
        made = Requests(tmp_path / "requests").make(Random(seed), date(2026, 11, 27))
        with registers.reading(lambda _: None, 5.0):
            assert made.id in registers.now.requests


@pytest.mark.timeout(60)
def test_a_share_that_hangs_keeps_nobody_waiting(tmp_path: Path) -> None:
    directory = tmp_path / "people.yaml"
    held = Registers(profile(tmp_path))
    directory.unlink()
    os.mkfifo(directory)  # opening it waits until somebody writes
    with held.reading(lambda _: None, 0.2):
        assert held.now.people.find("jdoe") is Miss.UNKNOWN
        assert held.ask(0.2).requests == {}
    with directory.open("w") as writer:
        writer.write(PEOPLE)
    end = time.monotonic() + 30
    while any(thread.name == "registers" for thread in threading.enumerate()) and time.monotonic() < end:
        time.sleep(0.01)
