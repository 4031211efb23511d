"""`irods-watcher doctor` as people type it, beside a watcher that runs or not, and the archive that they give away."""

import base64
import json
import os
import socket
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Program
from tests.irods_server import IrodsServer
from watcher import simulate
from watcher.doctor.checks import CHECKS

PASSWORD, KEY, TOKEN = "xK9-sword/fish", base64.b64encode(b"a secret of twenty-four.").decode(), "T0k3nOfThePage"
PEOPLE = """\
persons:
  - {name: "Vandermeer, Josephine", orcid: 0000-0002-1825-0097, user: jvandermeer, logins: [jvm27],
     email: josephine@cells.example.org, paths: [JoVaMe]}
  - {name: "Quillfeather, Richard", logins: [rquill], staff: true}
"""
PERSONS = ("josephine", "vandermeer", "jvm27", "jovame", "quill", "0000-0002-1825-0097", "cells.example", "beatrix")
SECRETS = (PASSWORD, KEY, TOKEN, "hunter2", "s3cr3t-in-a-comment", "swordfish2")
NAMES = ("20260304", "Actin", "Zebrafish", "kidney", "sub folder")
PROFILE = """\
# Ask Beatrix Potter (beatrix@cells.example.org); the old password was s3cr3t-in-a-comment
instrument: {{name: Scope-1}}
watch: [{{path: data, settle: 0s, sweep: 1s, capture: "{{user}}/"}}]
complete: {{quiet: 0s, deadline: 1s}}
people: {{directory: people.yaml, requests: requests, default: {{scientist: jvm27, operator: beatrix}}}}
access: [{{who: "{{scientist}}"}}, {{who: jvandermeer}}, {{who: omero}}]
handoff:
  webhook: {{url: "http://127.0.0.1:{port}/hooks/{token}?token={token}", secret: {{env: AGENT_SECRET}}}}
store: {{kind: irods, environment: irods_environment.json, password: {{env: TEST_IRODS_PASSWORD}},
  collection: "/tempZone/home/scope/{{user}}/{{set}}"}}
"""


@pytest.fixture
def zone(tmp_path: Path) -> Iterator[IrodsServer]:
    with IrodsServer(users={"scope": PASSWORD, "omero": "omero"}, vault=tmp_path / "vault") as running:
        yield running


@pytest.fixture
def program(tmp_path: Path, zone: IrodsServer) -> Iterator[Program]:
    program = Program(tmp_path, "")
    program.environment |= {"TEST_IRODS_PASSWORD": PASSWORD, "AGENT_SECRET": KEY}
    environment = zone.environment("scope") | {"irods_password": "hunter2", "irods_cwd": "/tempZone/home/jvandermeer"}
    (tmp_path / "irods_environment.json").write_text(json.dumps(environment), encoding="utf-8")
    (tmp_path / ".irodsA").write_text("swordfish2")
    (tmp_path / "people.yaml").write_text(PEOPLE, encoding="utf-8")
    with socket.socket() as unused:  # nobody listens there
        unused.bind(("127.0.0.1", 0))
        program.write_profile(PROFILE.format(port=unused.getsockname()[1], token=TOKEN))
    yield program
    for process in program.processes:
        process.kill()
        process.wait()


def acquire(program: Program, name: str, folder: str = "JoVaMe", **how: Any) -> None:
    simulate.KINDS["ome-tiff-series"](program.data / folder, name, pause=lambda _: None, **how)


def test_doctor_tells_all_checks_and_ends_with_a_sentence_and_a_code(program: Program, zone: IrodsServer) -> None:
    result = program("doctor", "profile.yaml")
    assert (result.returncode, result.stderr) == (0, ""), result.stdout
    lines = result.stdout.splitlines()
    assert [int(line[:2]) for line in lines if line[:2].strip().isdigit()] == list(range(1, len(CHECKS) + 1))
    assert any("warning  Access: no access for jvandermeer: unknown to the zone" in line for line in lines)
    assert any(line.strip().startswith("-> ask the iRODS administrator, or mend access") for line in lines)
    assert lines[-1] == "Nothing is wrong; 1 may cause trouble."
    found = program.json("doctor", "profile.yaml")
    assert [check["name"] for check in found["checks"]] == [check.name for check in CHECKS]
    assert {check["verdict"] for check in found["checks"]} == {"ok", "warning"}
    assert not (program.home / "state").exists(), "nothing is left behind"
    assert zone.collections("/tempZone/home/scope/") == set()

    zone.stop()
    result = program("doctor", "profile.yaml")
    assert (result.returncode, "Traceback" in result.stdout + result.stderr) == (3, False)
    assert "fail     Store: 127.0.0.1:" in result.stdout
    zone.start()
    program.environment["TEST_IRODS_PASSWORD"] = "wrong-password"
    result = program("doctor", "profile.yaml", "--json")
    assert (result.returncode, "wrong-password" in result.stdout) == (78, False)
    (program.home / "data").rmdir()
    assert program("doctor", "nowhere.yaml").returncode == 78


def test_doctor_beside_a_watcher_that_runs(program: Program, zone: IrodsServer) -> None:
    watcher = program.start("run", "profile.yaml")
    acquire(program, "one")
    program.wait_for(lambda: bool(program.sets("published")))
    result = program("doctor", "profile.yaml")
    assert result.returncode == 0, result.stdout
    assert f"Watcher: the watcher runs: process {watcher.pid} on " in result.stdout
    acquire(program, "two")
    program.wait_for(lambda: len(program.sets("published")) == 2)
    assert program.stop(watcher) == 0
    assert {path.rpartition("/")[2] for path in zone.collections("/tempZone/home/scope/J")} == {"JoVaMe", "one", "two"}


def trouble_everywhere(program: Program, zone: IrodsServer) -> None:
    """Sets that wait for a person or are tried again, requests, sessions, and a log that tells of all that."""
    said = ("--title", "Zebrafish kidney", "--scientist", "jvm27", "-p", "profile.yaml")
    identifier = program.json("request", "new", *said)["requests"][0]["id"]
    watcher = program.start("run", "profile.yaml", "--verbose")
    program.wait_for(lambda: (program.home / "state" / "journal.sqlite").exists())
    words = ("--operator", "rquill", "--anyway", "-p", "profile.yaml")
    assert program("session", "start", identifier, *words).returncode == 0
    acquire(program, "20260304_Actin", "JoVaMe/sub folder", missing=(2,))
    acquire(program, "Zebrafish kidney", "JoVaMe", missing=(1,))
    zone.faults.error(api=606, code=-818000, path="*/denied Actin/*", times=None)
    acquire(program, "denied Actin")
    acquire(program, "safe")
    program.wait_for(lambda: len(program.sets("held")) == 3 and len(program.sets("published")) == 1)
    (program.data / "JoVaMe" / "later Zebrafish.dat").write_bytes(b"x")
    program.wait_for(lambda: len(program.sets("published")) == 2)
    zone.stop()
    (program.data / "JoVaMe" / "waits Zebrafish.dat").write_bytes(b"y")
    program.wait_for(lambda: bool(program.json("status")["store_problem"]))
    hold = program("hold", "waits Zebrafish", "--reason", "Josephine said so: hunter2")
    assert hold.returncode == 0, hold.stderr
    assert program.stop(watcher) == 0


@pytest.mark.timeout(120)
def test_the_support_archive_holds_what_helps_and_no_secret_person_or_name(program: Program, zone: IrodsServer) -> None:
    trouble_everywhere(program, zone)
    result = program("doctor", "profile.yaml", "--bundle", "support.zip")
    assert result.returncode == 3
    assert "support.zip is written. Look into it before you give it to others." in result.stderr
    path = program.home / "support.zip"
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name).decode("utf-8") for name in archive.namelist()}
    assert set(content) == {
        "README.txt", "doctor.txt", "doctor.json", "profile.yaml", "environment.json", "versions.json", "journal.json",
        "sets.json", "log.jsonl",
    }  # fmt: skip
    unwanted = (*PERSONS, *SECRETS, *NAMES, socket.gethostname() if len(socket.gethostname()) > 3 else PASSWORD)
    for name, text in content.items():
        assert [word for word in unwanted if word.lower() in text.lower()] == [], (name, text)

    assert "fail     Store: 127.0.0.1:" in content["doctor.txt"]
    assert "name: Scope-1" in content["profile.yaml"]
    assert "env: TEST_IRODS_PASSWORD" in content["profile.yaml"]
    assert json.loads(content["environment.json"])["irods_port"] == str(zone.port)
    assert "irods_user_name" not in content["environment.json"]
    assert json.loads(content["versions.json"])["libraries"]["python-irodsclient"].startswith("3.3")
    statistics = json.loads(content["journal.json"])
    assert (statistics["counts"]["held"], statistics["counts"]["published"]) == (3, 2)
    sets = json.loads(content["sets.json"])
    assert sorted(one["state"] for one in sets) == ["held", "held", "held", "valid"]
    assert {one["on_hold"] for one in sets} == {False, True}
    held = [one for one in sets if one["state"] == "held"]
    assert any("iRODS error -818000" in one["reason"].replace("[...]", "") for one in held), held
    assert all(one["history"][0]["note"] == "first seen" for one in sets)
    events = [json.loads(line) for line in content["log.jsonl"].splitlines()]
    assert {"watching", "set.published", "set.held", "trouble", "stopped"} <= {event["event"] for event in events}
    names = {event["name"] for event in events if event.get("set") == held[0]["id"]}
    assert names == {held[0]["name"]}, "a set has the same name everywhere in the archive"
    assert held[0]["name"].startswith("name-")


@pytest.mark.timeout(120)
def test_with_names_the_archive_names_sets_and_still_no_person(program: Program, zone: IrodsServer) -> None:
    trouble_everywhere(program, zone)
    assert program("doctor", "profile.yaml", "--bundle", "support.zip", "--with-names").returncode == 3
    with zipfile.ZipFile(program.home / "support.zip") as archive:
        content = {name: archive.read(name).decode("utf-8") for name in archive.namelist()}
    for name, text in content.items():
        assert [word for word in (*PERSONS, *SECRETS) if word.lower() in text.lower()] == [], (name, text)
    assert "20260304_Actin" in content["sets.json"]
    assert "Zebrafish kidney" in content["log.jsonl"]


def test_an_archive_is_never_written_over_another_file(program: Program) -> None:
    (program.home / "support.zip").write_text("mine")
    result = program("doctor", "profile.yaml", "--bundle", "support.zip")
    assert (result.returncode, "support.zip: it is there already" in result.stderr) == (2, True)
    assert result.stdout == "", "it is told before anything is examined"
    result = program("doctor", "profile.yaml", "--bundle", "nowhere/support.zip")
    assert (result.returncode, "choose another place" in result.stderr) == (2, True)


def test_an_archive_of_an_installation_whose_profile_is_wrong(program: Program) -> None:
    program.profile.write_text(program.profile.read_text().replace("quiet: 0s", "quiet: soon"))
    assert program("doctor", "profile.yaml", "--bundle", "support.zip").returncode == 78
    with zipfile.ZipFile(program.home / "support.zip") as archive:
        content = {name: archive.read(name).decode("utf-8") for name in archive.namelist()}
    assert "complete.quiet: 'soon' is not a duration" in content["doctor.txt"]
    assert "quiet: soon" in content["profile.yaml"]
    assert "journal.json" not in content
    for name, text in content.items():
        assert [word for word in SECRETS if word.lower() in text.lower()] == [], (name, text)
