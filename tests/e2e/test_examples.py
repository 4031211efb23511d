"""The examples in the help of every verb, run as they stand there: while nothing runs, and beside a watcher."""

import base64
import glob
import re
import shlex
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import watcher.cli.app
import watcher.cli.main
from tests.e2e.conftest import Program
from tests.integration.mailbox import Mailbox, mailbox
from watcher import simulate
from watcher.errors import Exit

pytestmark = pytest.mark.timeout(300)

PROFILE = """\
instrument: {name: LSM980-2}
watch: [{path: "D:/Data", settle: 0s, sweep: 1s}]
complete: {quiet: 0s, deadline: 1h}
people: {directory: people.yaml, requests: requests, staffed: true}
release: {youngest: 0s}
notify: {mail: {env: NOTIFY_MAIL}}
web: {port: 0}
store: {kind: folder, path: archive}
"""
GATEWAY = """\
instrument: {name: LSM980-3}
watch: [{path: data}]
web: {port: 0}
store: {kind: folder, path: archive}
"""
FLEET = """\
instruments: [{name: LSM980-2, secret: {env: FLEET_SECRET}}]
web: {port: 0}
"""
PEOPLE = """\
persons:
  - {name: "Doe, Jane", orcid: 0000-0002-1825-0097, logins: [jdoe], email: jane@x.org}
  - {name: "Roe, Richard", logins: [rroe], staff: true}
"""
REQUEST = """\
id: RQ4F7K2MT
title: Actin
scientist: jdoe
project: P-17
sample: HeLa
acquire: {what: cells, channels: [DAPI], objective: 63x, positions: 12, repeats: 3}
authorship: {operator: none}
"""
#: What goes on until somebody ends it, and how it ends then.
ENDLESS = {
    "run": (signal.SIGTERM, Exit.OK),
    "gateway": (signal.SIGTERM, Exit.OK),
    "fleet serve": (signal.SIGTERM, Exit.OK),
    "observe": (signal.SIGINT, Exit.TRY_LATER),
    "status": (signal.SIGINT, Exit.INTERRUPTED),
    "logs": (signal.SIGINT, Exit.INTERRUPTED),
}
#: In an order in which each finds what it needs.
ORDER = (
    "init", "validate", "schema", "simulate", "inspect", "explain", "observe", "adopt", "once", "run", "gateway",
    "fleet serve", "status", "list", "show", "metrics", "logs", "doctor", "notify test", "export", "fetch", "verify",
    "hold", "retry", "skip", "release", "restore", "pause", "resume", "request new", "request list", "request show",
    "request check", "session start", "session status", "session stop", "attribute", "request close", "demo",
)  # fmt: skip
#: What is done before, so that there is something to do.
BEFORE = {"restore": ("release", "20260304_Actin_plate3")}
#: What has nothing to do with a watcher that runs.
APART = {
    "init",
    "validate",
    "schema",
    "simulate",
    "inspect",
    "observe",
    "gateway",
    "fleet serve",
    "notify test",
    "demo",
}
#: What cannot be beside it.
INSTEAD = {"run": "lsm980.yaml", "once": "lsm980.yaml", "adopt": "D:/Data"}


def examples() -> dict[str, list[str]]:
    """The words of each verb's example, by verb."""
    return {
        verb: shlex.split(text.split("Example: irods-watcher ")[1])
        for verb, text in helps(get_command(watcher.cli.app.app))
    }


def helps(group: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every verb with the text of its help."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from helps(command, f"{name} ")
        else:
            yield prefix + name, command.help


@pytest.fixture
def letters() -> Iterator[Mailbox]:
    """The mail server that the profile names."""
    with mailbox() as box:
        yield box


@pytest.fixture
def installation(tmp_path: Path, letters: Mailbox) -> Iterator[Program]:
    """What the examples speak of."""
    program = Program(tmp_path, "")
    program.write_profile(PROFILE)
    program.profile.rename(tmp_path / "lsm980.yaml")
    data = tmp_path / "D:" / "Data"
    for folder in (data / "jdoe", data / "monday", tmp_path / "plate3", tmp_path / "archive", tmp_path / "requests",
                   tmp_path / "E:" / "handover", tmp_path / "E:" / "again", tmp_path / "profiles" / "D:" / "Data",
                   data / "2024", tmp_path / "var/lib/node_exporter", tmp_path / "etc/irods-watcher/data",
                   tmp_path / "etc/irods-watcher/archive"):  # fmt: skip
        folder.mkdir(parents=True)
    (tmp_path / "etc/irods-watcher/gateway.yaml").write_text(GATEWAY, encoding="utf-8")
    (tmp_path / "fleet.yaml").write_text(FLEET, encoding="utf-8")
    program.environment |= {
        "FLEET_SECRET": "whsec_" + base64.b64encode(bytes(24)).decode(), "XDG_STATE_HOME": str(tmp_path / "states"),
        "NOTIFY_MAIL": letters.address,
    }  # fmt: skip
    (tmp_path / "people.yaml").write_text(PEOPLE, encoding="utf-8")
    (tmp_path / "requests" / "RQ4F7K2MT.yaml").write_text(REQUEST, encoding="utf-8")
    (tmp_path / "profiles" / "a.yaml").write_text(re.sub("people: .*\n", "", PROFILE), encoding="utf-8")
    write = simulate.KINDS["ome-tiff-series"]
    for folder, name, missing in (
        (data, "20260304_Actin_plate3", ()), (data / "monday", "actin", ()), (data, "test-image", (2,)),
        (tmp_path / "plate3", "plate", ()),
    ):  # fmt: skip
        write(folder, name, pause=lambda _: None, missing=missing)
    (data / "jdoe" / "scan.tif").write_bytes((tmp_path / "plate3" / "plate_Z01.ome.tif").read_bytes())
    assert program("once", "lsm980.yaml").returncode == Exit.TRY_LATER, "the test image waits for a file"
    with (tmp_path / "state" / "logs" / "watcher-000001.jsonl").open("a", encoding="utf-8") as log:
        log.write('{"level": "warning", "event": "so that the example of logs has something to show"}\n')
    yield program
    for process in program.processes:
        process.kill()
        process.wait()


def outcome(program: Program, verb: str, words: list[str]) -> str:
    """What is wrong with how an example ended, "" if nothing is."""
    # What is at the root of a computer is in a folder of the test.
    here = [f"{program.home}{word}" if word.startswith("/") else word for word in words]
    given = [path for word in here for path in (sorted(glob.glob(word, root_dir=program.home)) or [word])]
    if verb in BEFORE:
        # Beside a watcher, what was tried again may for a moment still be written in the same folder.
        program.wait_for(lambda: program(*BEFORE[verb]).returncode == Exit.OK)
    if verb in ENDLESS:
        stop, expected = ENDLESS[verb]
        log = program.home / "run.log"
        log.write_text("")
        process = program.start(*given)
        program.wait_for(lambda: log.stat().st_size > 0 or process.poll() is not None)
        time.sleep(0.3)
        process.send_signal(stop)
        code, told = process.wait(20), log.read_text(encoding="utf-8")
    else:
        result = program(*given, timeout=120)
        code, told, expected = result.returncode, result.stdout + result.stderr, Exit.OK
    return "" if code == expected and "Traceback" not in told else f"{' '.join(given)}: {code}\n{told}"


def test_the_order_names_every_verb() -> None:
    assert sorted(ORDER) == sorted(examples())


def test_every_example_works_while_no_watcher_runs(installation: Program, letters: Mailbox) -> None:
    wrong = {}
    for verb in ORDER:
        words = examples()[verb]
        if verb == "init":
            (installation.home / "elsewhere").mkdir()
            words[1] = "elsewhere/lsm980.yaml"
        wrong[verb] = outcome(installation, verb, words)
    assert {verb: told for verb, told in wrong.items() if told} == {}
    listed = {one["name"]: one["state"] for one in installation.json("list")["sets"]}
    assert listed["test-image"] == "skipped"
    shown = installation("show", "20260304_Actin_plate3").stdout
    assert "safe in the archive" in shown
    assert "Doe, Jane" in installation("show", "actin").stdout
    assert (installation.home / "E:" / "handover" / "20260304_Actin_plate3" / "bagit.txt").exists()
    assert [letter.to for letter in letters.letters] == [["jane@x.org"]]


def test_every_example_works_beside_a_watcher_that_runs(installation: Program) -> None:
    watcher = installation.start("run", "lsm980.yaml")
    installation.wait_for(lambda: "running" in installation("status").stdout)
    for verb, what in INSTEAD.items():
        refused = installation(verb, what)
        assert refused.returncode == Exit.TRY_LATER
        assert "another watcher works with this journal" in refused.stderr
    beside = [verb for verb in ORDER if verb not in APART | INSTEAD.keys()]
    wrong = {verb: outcome(installation, verb, examples()[verb]) for verb in beside}
    assert {verb: told for verb, told in wrong.items() if told} == {}
    assert "Doe, Jane" in installation("show", "actin").stdout
    assert installation.stop(watcher) == 0
