"""The real program with a broken set: people hear of it once and of its end once, whatever happens to the program."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import Program
from tests.integration.mailbox import Mailbox, mailbox
from tests.integration.receiver import Handler, Receiver, receiving, slow, wait_until
from watcher import simulate

#: How many of the program's seconds pass in one: what lasts is told after five minutes.
HASTE = 60
_LAUNCHER = Path(__file__).parents[1] / "faults" / "strange_program.py"
PEOPLE = """\
persons:
  - {name: "Doe, Jane", email: jane@x.org, logins: [jdoe], messages: [problems, safe]}
  - {name: "Roe, Richard", email: richard@x.org, logins: [rroe]}
generic_logins: [root]
"""
PROFILE = """\
instrument: {name: LSM980-2}
watch: [{path: data, settle: 0s, sweep: 60s, capture: "{user}/"}]
complete: {quiet: 30s, deadline: 1m}
people: {directory: people.yaml}
notify:
  apprise: [{env: NOTIFY_FACILITY}]
  mail: {env: NOTIFY_MAIL}
  ping: {url: {env: PING_URL}}
  page: https://lsm980.example/
  every: 10m
store: {kind: folder, path: archive}
"""


@dataclass
class Facility:
    """A microscope, its watcher in a hurry, and all who are told."""

    program: Program
    chat: Receiver
    monitor: Receiver
    box: Mailbox

    def run(self) -> "subprocess.Popen[str]":
        program = self.program
        environment = {**os.environ, **program.environment, "FAULTS_HASTE": str(HASTE)}
        environment["IRODS_WATCHER_STATE"] = str(program.home / "state")
        with (program.home / "run.log").open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, str(_LAUNCHER), "run", "profile.yaml"],
                cwd=program.home, env=environment, stdout=log, stderr=log, text=True,
            )  # fmt: skip
        program.processes.append(process)
        return process

    @property
    def told(self) -> list[str]:
        return [json.loads(request.body)["title"] for request in self.chat.requests]

    @property
    def letters(self) -> list[tuple[list[str], str]]:
        return [(letter.to, letter.title) for letter in self.box.letters]

    @property
    def knowing(self) -> int:
        """How many were told something, and the program has written down that they were."""
        with contextlib.closing(sqlite3.connect(self.program.home / "state" / "journal.sqlite")) as journal:
            return int(journal.execute("SELECT count(*) FROM addressee").fetchone()[0])

    @property
    def log(self) -> str:
        return (self.program.home / "run.log").read_text(encoding="utf-8")


@pytest.fixture
def facility(tmp_path: Path) -> Iterator[Facility]:
    with receiving() as chat, receiving() as monitor, mailbox() as box:
        program = Program(tmp_path, "")
        program.environment |= {
            "NOTIFY_FACILITY": f"json://facility:SECRET@localhost:{chat.port}/",
            "NOTIFY_MAIL": box.address,
            "PING_URL": f"http://localhost:{monitor.port}/ping/uuid",
        }
        (tmp_path / "people.yaml").write_text(PEOPLE, encoding="utf-8")
        (tmp_path / "archive").mkdir()
        program.write_profile(PROFILE)
        yield Facility(program, chat, monitor, box)
        for process in program.processes:
            if process.poll() is None:
                process.kill()
            process.wait()


@pytest.mark.timeout(180)
def test_a_broken_set_is_told_once_and_that_it_is_whole_again_once(facility: Facility) -> None:
    data = facility.program.data / "jdoe"
    data.mkdir()
    simulate.KINDS["ome-tiff-series"](data, "embryo", pause=lambda _: None)
    third, aside = data / "embryo_Z03.ome.tif", facility.program.home / "later.tif"
    third.rename(aside)
    process = facility.run()
    wait_until(lambda: facility.told and facility.letters, 60)
    title = facility.told[0]
    assert title.startswith("LSM980-2: embryo: ")
    assert "embryo_Z03.ome.tif" in title
    assert facility.letters == [(["jane@x.org"], title)]
    for text in (facility.box.letters[0].text, json.loads(facility.chat.requests[0].body)["message"]):
        assert "then retry it, or skip it." in text
        assert "Status page: https://lsm980.example/" in text
    wait_until(lambda: facility.knowing == 2)
    # However often it is killed and started, nobody hears of it again.
    for _ in range(2):
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        process = facility.run()
        beats = len(facility.monitor.requests)
        wait_until(lambda beats=beats: len(facility.monitor.requests) > beats + 10, 60)  # type: ignore[misc]
    assert facility.told == [title]
    aside.rename(third)
    wait_until(lambda: len(facility.told) == 2 and len(facility.letters) >= 2, 60)
    over = title.replace("LSM980-2: ", "LSM980-2: over: ")
    assert facility.told == [title, over]
    assert "embryo: safe in the archive (was: " in json.loads(facility.chat.requests[1].body)["message"]
    safe = "LSM980-2: 1 image set is safe in the archive"
    wait_until(lambda: len(facility.letters) == 3, 90)
    assert facility.letters == [(["jane@x.org"], title), (["jane@x.org"], over), (["jane@x.org"], safe)]
    assert str(facility.program.home / "archive" / "LSM980-2" / "jdoe" / "embryo") in facility.box.letters[2].text
    assert facility.program.stop(process) == 0
    pings = [request.path for request in facility.monitor.requests]
    assert (pings[0], pings[-1]) == ("/ping/uuid/start", "/ping/uuid")
    assert "/ping/uuid/fail" in pings
    assert not any(word in facility.log for word in ("SECRET", "secret", "@x.org", "Jane"))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("comes", [True, False], ids=["told", "not told"])
def test_a_program_that_is_killed_while_it_tells_tells_it_again(facility: Facility, comes: bool) -> None:
    simulate.KINDS["ome-tiff-series"](facility.program.data, "broken", pause=lambda _: None, missing=(3,))
    answer = facility.chat.answer

    def kill(handler: Handler) -> None:
        process.kill()
        process.wait(20)
        if not comes:
            facility.chat.requests.clear()

    facility.chat.answer = kill
    process = facility.run()
    wait_until(lambda: process.poll() is not None, 60)
    facility.chat.answer = answer
    again = facility.run()
    beats = len(facility.monitor.requests)
    wait_until(lambda: len(facility.monitor.requests) > beats + 20, 60)
    assert len(facility.told) == (2 if comes else 1)
    assert len(set(facility.told)) == 1
    assert facility.program.stop(again) == 0


@pytest.mark.timeout(120)
def test_ways_that_do_not_work_harm_no_delivery_and_are_told_by_the_log_and_by_status(facility: Facility) -> None:
    hanging = f"http://localhost:{facility.monitor.port}/"
    facility.monitor.answer = slow(600)
    facility.program.environment |= {
        "NOTIFY_FACILITY": "json://127.0.0.1:1/SECRET",
        "PING_URL": f"{hanging}SECRET",
        "FLEET_SECRET": "U0VDUkVU" * 4,
    }
    facility.program.write_profile(f"{PROFILE}fleet: {{url: '{hanging}', secret: {{env: FLEET_SECRET}}}}\n")
    simulate.KINDS["ome-tiff-series"](facility.program.data, "broken", pause=lambda _: None, missing=(3,))
    process = facility.run()
    wait_until(lambda: "no connection (Connection refused)" in facility.log, 60)
    wait_until(lambda: "messages by NOTIFY_FACILITY" in facility.log, 60)
    simulate.KINDS["ome-tiff-series"](facility.program.data, "whole", pause=lambda _: None)
    facility.program.wait_for(lambda: bool(facility.program.sets("published")))
    said = facility.program("status").stdout
    assert "notify.apprise[0] (NOTIFY_FACILITY): no connection (Connection refused)" in said
    wait_until(lambda: "notify.ping (PING_URL): no answer within 10 s" in facility.program("status").stdout, 60)
    wait_until(lambda: "the facility view at localhost" in facility.program("status").stdout, 60)
    assert facility.program.stop(process) == 0
    assert "SECRET" not in facility.log + said
    assert "U0VDUkVU" not in facility.log
    assert "Traceback" not in facility.log


def test_a_test_message_is_sent_where_the_profile_says_and_to_the_person_who_is_named(facility: Facility) -> None:
    program = facility.program
    result = program("notify", "test", "--profile", "profile.yaml", "--to", "rroe")
    assert (result.returncode, result.stdout) == (0, "NOTIFY_FACILITY: sent\nNOTIFY_MAIL: sent\n")
    assert facility.told == ["LSM980-2: a test"]
    assert facility.letters == [(["richard@x.org"], "LSM980-2: a test")]
    program.environment["NOTIFY_FACILITY"] = "json://127.0.0.1:1/"
    result = program("notify", "test", "--profile", "profile.yaml")
    assert result.returncode == 5
    assert "no connection" in result.stderr
    result = program("notify", "test", "--profile", "profile.yaml", "--to", "nobody")
    assert (result.returncode, "nobody: it is not in the directory of persons" in result.stderr) == (2, True)


def test_validate_online_looks_at_the_addresses_and_sends_nothing(facility: Facility) -> None:
    program = facility.program
    assert program("validate", "profile.yaml", "--online").returncode == 0
    assert facility.told == []
    del program.environment["NOTIFY_MAIL"]
    assert program("validate", "profile.yaml").returncode == 0
    result = program("validate", "profile.yaml", "--online")
    assert (result.returncode, "NOTIFY_MAIL" in result.stdout) == (78, True)
    program.environment["NOTIFY_MAIL"] = "mailto://u:SECRET@smtp.example.org?from=a@x.org"
    result = program("validate", "profile.yaml", "--online")
    assert "can be read on the way" in result.stdout
    assert "SECRET" not in result.stdout + result.stderr
    assert program("run", "profile.yaml").returncode == 78
