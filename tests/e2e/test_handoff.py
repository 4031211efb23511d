"""The real program hands sets on: a receiver that is not well delays no set, is told of, and gets everything once."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import BASE, Program
from tests.integration.receiver import Handler, Received, Receiver, receiving, slow, status
from tests.irods_server import IrodsServer
from watcher import simulate

KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def program(irods_program: Program, receiver: Receiver) -> Program:
    """The program with an agent and a webhook."""
    irods_program.environment["AGENT_SECRET"] = KEY
    hand_on(irods_program, receiver.url)
    return irods_program


def hand_on(program: Program, url: str) -> None:
    webhook = f"{{url: '{url}', secret: {{env: AGENT_SECRET}}, timeout: 5m}}"
    program.write_profile(more=f"handoff: {{agent: omero, webhook: {webhook}}}\n")


def acquire(program: Program, name: str, seed: int = 1) -> None:
    simulate.KINDS["growing-stack"](program.data, name, pause=lambda _: None, seed=seed)


def publish(program: Program, name: str) -> None:
    acquire(program, name)
    program.wait_for(lambda: any(one["name"] == name for one in program.sets("published")))


@pytest.mark.timeout(180)
def test_a_receiver_that_answers_500_and_then_hangs_delays_no_set_and_gets_each_event_once(
    program: Program, receiver: Receiver
) -> None:
    well, accepted = threading.Event(), list[Received]()

    def hang_until_well(handler: Handler) -> None:
        accepted.append(receiver.requests[-1])
        well.wait(600)
        status(200)(handler)

    receiver.answer = status(500)
    process = program.start("run", "profile.yaml")
    publish(program, "one")
    program.wait_for(lambda: receiver.requests != [])
    assert f"localhost:{receiver.port} answers 500 Internal Server Error" in program("status").stdout
    sinks = program.json("status")["handoff"]["sinks"]
    assert [(sink["sink"], sink["waiting"], sink["refused"]) for sink in sinks] == [("webhook", 1, 0)]
    receiver.answer = hang_until_well
    try:
        program.wait_for(lambda: accepted != [])
        publish(program, "two")
        program.wait_for(lambda: program.json("status")["handoff"]["sinks"][0]["waiting"] == 2)
    finally:
        well.set()
    program.wait_for(lambda: program.json("status")["handoff"]["sinks"] == [])
    assert program.stop(process) == 0
    assert [json.loads(request.body)["data"]["name"] for request in accepted] == ["one", "two"]
    assert receiver.requests[-2:] == accepted
    assert len(set(receiver.ids)) == 2
    assert "All 2 sets from Scope-1 are safe in the archive." in program("status").stdout
    log = [json.loads(line) for line in (program.home / "run.log").read_text().splitlines()]
    ours = [(line["event"], line["where"]) for line in log if "hand-off" in line.get("where", "")]
    assert ours[:2] == [("trouble", "hand-off by webhook"), ("recovered", "hand-off by webhook")]


def test_a_well_receiver_gets_each_event_once(program: Program, receiver: Receiver, server: IrodsServer) -> None:
    process = program.start("run", "profile.yaml")
    for number in range(3):
        acquire(program, f"set{number}", seed=number)
    program.wait_for(lambda: len(receiver.requests) == 3)
    acquire(program, "set0", seed=9)
    program.wait_for(lambda: len(receiver.requests) == 5)
    assert program.stop(process) == 0
    events = [json.loads(request.body) for request in receiver.requests]
    assert [event["type"].rpartition(".")[2] for event in events] == ["published"] * 4 + ["superseded"]
    assert len({event["id"] for event in events}) == 5
    avus = {name: value for name, value, _ in server.avus(f"{BASE}/Scope-1/set1")}
    assert (avus["acq:handoff"], avus["acq:handoff.agent"]) == ("requested", "omero")


def test_a_program_that_was_killed_tells_what_it_had_not_told(program: Program, receiver: Receiver) -> None:
    receiver.answer = status(503)
    process = program.start("run", "profile.yaml")
    acquire(program, "one")
    program.wait_for(lambda: receiver.requests != [])
    process.kill()
    process.wait()
    receiver.answer = status(200)
    process = program.start("run", "profile.yaml")
    program.wait_for(lambda: program.json("status")["handoff"]["sinks"] == [])
    assert program.stop(process) == 0
    assert len(set(receiver.ids)) == 1


def test_once_says_who_could_not_be_told_and_is_not_failed_by_it(program: Program, receiver: Receiver) -> None:
    acquire(program, "one")
    receiver.answer = status(500)
    result = program("once", "profile.yaml")
    assert result.returncode == 0
    assert "one: safe in" in result.stdout
    assert "Hand-off by webhook: 1 event waits since" in result.stderr
    assert "answers 500 Internal Server Error; it is tried again by itself, and nothing is lost" in result.stderr
    receiver.answer = status(200)
    time.sleep(1.1)  # the first pause after a failure
    result = program("once", "profile.yaml")
    assert (result.returncode, "Hand-off" in result.stderr) == (0, False)
    assert len(receiver.requests) == 2


@pytest.mark.timeout(60)
def test_a_program_stops_at_once_although_a_receiver_does_not_answer(program: Program, receiver: Receiver) -> None:
    receiver.answer = slow(600)
    process = program.start("run", "profile.yaml")
    acquire(program, "one")
    program.wait_for(lambda: receiver.requests != [])
    assert program.stop(process) == 0


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("{url: 'https://agent.example', secret: {env: NOBODY_SET_THIS}}", "NOBODY_SET_THIS holds nothing"),
        ("{url: 'http://agent.example', secret: {env: AGENT_SECRET}}", "can be read on the way; write https://"),
    ],
)
def test_what_cannot_be_told_safely_is_refused_at_the_start(program: Program, section: str, problem: str) -> None:
    program.write_profile(more=f"handoff: {{webhook: {section}}}\n")
    result = program("once", "profile.yaml")
    assert (result.returncode, problem in result.stderr) == (78, True), result.stderr
    assert "Traceback" not in result.stderr
    checked = program("validate", "profile.yaml", "--online")
    assert (checked.returncode, problem in checked.stdout) == (78, True), checked.stdout


def test_no_log_or_journal_holds_the_secret(program: Program, receiver: Receiver, tmp_path: Path) -> None:
    receiver.answer = status(500)
    acquire(program, "one")
    result = program("once", "profile.yaml", "--verbose")
    assert KEY not in result.stdout + result.stderr
    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert any(path.suffix == ".jsonl" for path in files)
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
