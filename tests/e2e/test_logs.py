"""The log of the real program: what a person finds in it while it runs and when it does not, and what nobody finds."""

import base64
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Program
from tests.integration.receiver import Receiver, receiving, status
from tests.irods_server import IrodsServer
from watcher import simulate

PASSWORD, KEY = "xK9-sword/fish", base64.b64encode(b"a secret of twenty-four.").decode()
PEOPLE = """\
persons:
  - {name: "Vandermeer, Josephine", orcid: 0000-0002-1825-0097, user: jvandermeer, logins: [jvm27],
     email: josephine@cells.example.org, paths: [JoVaMe]}
  - {name: "Quillfeather, Richard", logins: [rquill], staff: true}
"""
#: What nobody may find, in any case of letters.
PRIVATE = ("josephine", "vandermeer", "jvm27", "jovame", "quill", "0000-0002-1825-0097", "cells.example", PASSWORD, KEY)
PROFILE = """\
instrument: {{name: Scope-1}}
watch: [{{path: data, settle: 0s, sweep: 1s, capture: "{{user}}/"}}]
complete: {{quiet: 0s, deadline: 2s}}
people: {{directory: people.yaml, requests: requests}}
access: [{{who: "{{scientist}}"}}, {{who: jvandermeer}}]
handoff: {{webhook: {{url: "{url}?token={key}", secret: {{env: AGENT_SECRET}}}}}}
store: {{kind: irods, environment: irods_environment.json, password: {{env: TEST_IRODS_PASSWORD}},
  collection: "/tempZone/home/scope/{{user}}/{{set}}"}}
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def zone(tmp_path: Path) -> Iterator[IrodsServer]:
    with IrodsServer(users={"scope": PASSWORD}, vault=tmp_path / "vault") as running:
        yield running


@pytest.fixture
def program(tmp_path: Path, zone: IrodsServer, receiver: Receiver) -> Iterator[Program]:
    program = Program(tmp_path, "")
    program.environment |= {"TEST_IRODS_PASSWORD": PASSWORD, "AGENT_SECRET": KEY}
    (tmp_path / "irods_environment.json").write_text(json.dumps(zone.environment("scope")), encoding="utf-8")
    (tmp_path / "people.yaml").write_text(PEOPLE, encoding="utf-8")
    program.write_profile(PROFILE.format(url=receiver.url, key=KEY))
    yield program
    for process in program.processes:
        process.kill()
        process.wait()


def acquire(program: Program, name: str, **how: Any) -> None:
    simulate.KINDS["ome-tiff-series"](program.data / "JoVaMe", name, pause=lambda _: None, **how)


def log_files(program: Program) -> list[Path]:
    return sorted((program.home / "state" / "logs").iterdir())


def events(program: Program, *words: str) -> list[dict[str, Any]]:
    """What `logs --json` prints."""
    result = program("logs", "--json", *words)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.timeout(120)
def test_a_whole_story_with_a_person_and_a_password_leaves_neither_in_the_log(
    program: Program, zone: IrodsServer, receiver: Receiver
) -> None:
    receiver.answer = status(500)
    full = ("--title", "Actin", "--scientist", "jvm27", "--also", "rquill", "-p", "profile.yaml")
    request = program.json("request", "new", *full)["requests"][0]["id"]
    watcher = program.start("run", "profile.yaml", "--verbose")
    program.wait_for(lambda: (program.home / "state" / "journal.sqlite").exists())
    words = ("--operator", "rquill", "--anyway", "-p", "profile.yaml")
    assert program("session", "start", request, *words).returncode == 0
    acquire(program, "actin")
    acquire(program, "broken", missing=(2,))
    sidecar = "scientist: josephine@cells.example.org\nalso: [{who: Vandermeer, Josephine}]\n"
    (program.data / "JoVaMe" / "actin.acquisition.yaml").write_text(sidecar, encoding="utf-8")
    program.wait_for(lambda: {one["name"] for one in program.sets("published", "held")} == {"actin", "broken"})
    zone.faults.error(api=606, code=-818000, path="*/denied/*")
    acquire(program, "denied")
    program.wait_for(lambda: len(program.sets("held")) == 2)
    zone.stop()
    acquire(program, "waits")
    (program.home / "people.yaml").write_text(PEOPLE.replace("rquill", "jvm27"), encoding="utf-8")
    program.wait_for(lambda: bool(program.json("status")["store_problem"]))
    zone.start()
    program.wait_for(lambda: any(one["name"] == "waits" for one in program.sets("published")))
    assert program("attribute", "actin", "--scientist", "jvm27", "-p", "profile.yaml").returncode == 78
    (program.home / "people.yaml").write_text(PEOPLE, encoding="utf-8")
    attributed = program("attribute", "actin", "--scientist", "jvm27", "-p", "profile.yaml")
    assert attributed.returncode in {0, 3}, attributed.stderr
    assert program.stop(watcher) == 0
    program.environment["TEST_IRODS_PASSWORD"] = PASSWORD[:-1]
    refused = program("once", "profile.yaml", "--verbose")
    assert refused.returncode in {3, 5, 78}, refused.stderr

    said = [path.read_text(encoding="ascii") for path in log_files(program)]
    said.append((program.home / "run.log").read_text(encoding="utf-8"))
    assert all(said)
    for text in said:
        assert [word for word in PRIVATE if word.lower() in text.lower()] == []
    happened = {(event["event"], event.get("name", "")) for event in events(program, "--since", "1h")}
    assert {
        ("watching", ""), ("set.published", "actin"), ("set.held", "broken"), ("set.held", "denied"),
        ("set.published", "waits"), ("stopped", ""),
    } <= happened  # fmt: skip
    assert "/tempZone/home/scope/[person]/denied" in "".join(said), "a path is shown without the folder of a person"


def test_the_log_can_be_read_while_the_watcher_runs_and_when_it_does_not(program: Program) -> None:
    watcher = program.start("run", "profile.yaml")
    program.wait_for(lambda: (program.home / "state" / "logs").exists())
    with subprocess.Popen(
        [sys.executable, "-m", "watcher", "logs", "--follow", "--json"], cwd=program.home, text=True,
        env={**os.environ, "IRODS_WATCHER_STATE": str(program.home / "state")}, stdout=subprocess.PIPE,
    ) as follower:  # fmt: skip
        assert follower.stdout is not None
        assert json.loads(follower.stdout.readline())["event"] == "watching"
        acquire(program, "one")
        seen = iter(follower.stdout.readline, "")
        published = next(event for event in map(json.loads, seen) if event["event"] == "set.published")
        assert published["name"] == "one"
        assert program.stop(watcher) == 0
        stopped = next(event for event in map(json.loads, seen) if event["event"] == "stopped")
        assert stopped["instrument"] == "Scope-1"
        time.sleep(1)
        again = program.start("run", "profile.yaml")
        assert json.loads(follower.stdout.readline())["event"] == "watching", "the next life is followed, too"
        follower.terminate()
    assert program.stop(again) == 0

    acquire(program, "two", missing=(1,))
    program("once", "profile.yaml")
    time.sleep(2.1)
    program("once", "profile.yaml")
    (held,) = events(program, "--level", "error")
    assert (held["name"], held["event"]) == ("two", "set.held")
    assert [event["event"] for event in events(program, "--set", "one")] == ["set.published"]
    assert [event["event"] for event in events(program, "--set", held["set"][9:17])] == ["set.held"]
    assert len(events(program, "-n", "2")) == 2
    assert events(program, "--since", "2099-01-01") == []
    shown = program("logs", "--set", "one").stdout
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[info     \] set\.published +name=one set=[0-9a-f]{8}\n", shown
    ), shown


def test_what_is_asked_wrongly_is_told(program: Program) -> None:
    for words, told in (
        (("logs",), "no journal is there"),
        (("logs", "--since", "yesterday"), "no journal is there"),
    ):
        result = program(*words)
        assert (result.returncode, told in result.stderr) == (2, True), result.stderr
    program("once", "profile.yaml")
    for words, told in (
        (("logs", "--since", "yesterday"), "yesterday: this is no time; write one like 2026-11-27T09:00, or 2h"),
        (("logs", "--set", "nobody"), "nobody: there is no such set in the journal; `irods-watcher list` shows"),
        (("logs", "--level", "loud"), "--level"),
    ):
        result = program(*words)
        assert (result.returncode, told in result.stderr) == (2, True), result.stderr
    assert program("logs").stderr.endswith("logs: nothing has been kept yet.\n")
