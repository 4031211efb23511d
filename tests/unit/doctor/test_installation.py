"""What is wrong with an installation, as the doctor tells it: each thing made wrong in truth."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.doctor.conftest import Patient
from watcher.doctor.check import Subject, examine
from watcher.doctor.checks import CHECKS
from watcher.errors import Exit
from watcher.journal import FILE_NAME, Journal
from watcher.model import Event
from watcher.pipeline import orders

OPEN_JOURNAL = "import sys, pathlib; from watcher.journal import Journal; j = Journal(pathlib.Path(sys.argv[1]), owned=True); print('open', flush=True); sys.stdin.read()"  # noqa: E501


def test_an_installation_that_was_just_made_is_well_and_nothing_is_left_behind(patient: Patient) -> None:
    results = list(examine(Subject(patient.profile, lambda _: patient.home / "deep" / "state"), CHECKS))
    told = [(one.name, fact.what, fact.cure) for one in results for fact in one.facts if fact.verdict != "ok"]
    assert told == []
    assert len(results) == len(CHECKS)
    assert sorted(path.name for path in patient.home.iterdir()) == ["archive", "data", "profile.yaml"]
    assert list(patient.data.iterdir()) == []
    assert [path.name for path in patient.archive.iterdir()] == [".irods-watcher-archive"]


def test_a_profile_that_is_wrong_is_told_with_its_line_and_costs_all_that_rests_on_it(patient: Patient) -> None:
    patient.write("limits: {rate: 5}\n")
    ((verdict, what, cure),) = patient.told("profile")
    assert verdict == "fail"
    assert what.startswith(f"{patient.profile}:4:16: limits.rate: ")
    assert cure == "mend that line"
    assert patient.codes() == {Exit.CONFIGURATION}
    assert patient.told("disks") == [("skipped", "not looked at, because of what is wrong with Profile", "")]
    patient.profile.unlink()
    assert "there is no such file" in patient.told("profile")[0][1]


# the folder of the journal


def test_a_place_for_the_journal_that_cannot_be_written(
    patient: Patient, as_nobody: Callable[[], Any], tmp_path: Path
) -> None:
    patient.state.write_text("a file")
    ((verdict, what, cure),) = patient.told("state")
    assert (verdict, what) == ("fail", f"{patient.state}: the journal's folder cannot be written (File exists)")
    assert cure == "let this account write there, or choose another place with --state"
    patient.state.unlink()
    assert patient.told("state")[0][0] == "ok"
    with as_nobody():
        ((verdict, what, cure),) = patient.told("state")
    assert (verdict, what) == ("fail", f"{patient.state}: the journal's folder cannot be written (Permission denied)")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_journal_that_others_can_read_or_that_belongs_to_somebody_else(patient: Patient) -> None:
    Journal(patient.state).close()
    patient.state.chmod(0o755)
    assert patient.told("state")[0] == (
        "warning",
        f"{patient.state}: other accounts of this computer can look into it",
        f"close it, as in `chmod 700 {patient.state}`",
    )
    patient.state.chmod(0o700)
    assert [verdict for verdict, *_ in patient.told("state")] == ["ok"]
    if os.geteuid() == 0:
        os.chown(patient.state / FILE_NAME, 65534, 65534)
        verdict, what, cure = patient.told("journal")[0]
        assert (verdict, what) == ("warning", f"{patient.state / FILE_NAME}: it belongs to nobody")
        assert cure == "run `irods-watcher doctor` as the account that the watcher has"


# the journal


def test_a_broken_journal(patient: Patient) -> None:
    patient.state.mkdir(mode=0o700)
    path = patient.state / FILE_NAME
    path.write_bytes(b"no database at all" * 100)
    ((verdict, what, cure),) = patient.told("journal")
    assert (verdict, "the journal is broken (" in what) == ("fail", True)
    assert cure.startswith("start the watcher anew: it sets this one aside")
    path.unlink()
    with Journal(patient.state) as journal:
        journal.note("x", "y" * 100_000)
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 40_000)
    ((verdict, what, _),) = patient.told("journal")
    assert (verdict, "the journal is broken (" in what) == ("fail", True)
    assert path.exists(), "the doctor only looks"


def test_a_journal_that_was_broken_and_one_of_a_later_version(patient: Patient) -> None:
    Journal(patient.state).close()
    (patient.state / f"{FILE_NAME}.broken-20261127-101500").write_bytes(b"x")
    verdict, what, cure = patient.told("journal")[0]
    assert (verdict, "a journal that was broken was set aside" in what) == ("warning", True)
    assert "look at the disk" in cure
    with sqlite3.connect(patient.state / FILE_NAME) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    assert "written by a later version of irods-watcher (form 999)" in patient.told("journal")[-1][1]
    assert patient.codes() == {Exit.CONFIGURATION}


# the watcher


def test_a_watcher_that_works_hangs_or_is_paused(patient: Patient) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OPEN_JOURNAL, str(patient.state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        with Journal(patient.state) as journal:
            journal.note("heartbeat", time.time())
            journal.note("profile", str(patient.profile))
        ((verdict, what, _),) = patient.told("watcher")
        assert (verdict, f"the watcher runs: process {process.pid} on " in what) == ("ok", True)
        with Journal(patient.state) as journal:
            journal.note("heartbeat", time.time() - 3600)
            journal.note("profile", "/elsewhere/profile.yaml")
            journal.note("watching", {"version": "0.0.9"})
            journal.trouble("events of /d", "limit reached: no events are heard", time.time())
            journal.swept(patient.data, time.time(), ["private/: Permission denied"])
            orders.pause(journal, time.time(), "jdoe")
        told = patient.told("watcher")
        facts = {what: (verdict, cure) for verdict, what, cure in told[1:]}
        assert len(facts) == 6
        for begin, verdict, cure in (
            ("the watcher has not looked at its folders since", "fail", "stop it and start it anew"),
            ("it has read another profile: /elsewhere/profile.yaml", "warning", "examine that one, or start it anew"),
            ("it is of version 0.0.9", "warning", "start it anew"),
            ("nothing is sent since", "warning", "`irods-watcher resume` lets it go on"),
            ("since 20", "warning", "see what the other checks say"),
            (f"{patient.data}: private/: Permission denied", "warning", "let the watcher's account read it"),
        ):
            (found,) = [fact for what, fact in facts.items() if what.startswith(begin)]
            assert found[0] == verdict, begin
            assert found[1].startswith(cure), found
        (patient.state / "holder.json").write_text(json.dumps({"pid": 1, "host": "other-pc", "since": 1.0}))
        verdict, what, cure = patient.told("watcher")[0]
        assert (verdict, "the watcher is on another computer: process 1 on other-pc" in what) == ("warning", True)
        assert cure == "give each computer its own journal with --state"
        process.communicate(b"")
    assert patient.told("watcher")[0][1] == "no watcher works with this journal now"


# the log, persons, the hand-off


def test_a_log_that_cannot_be_kept(patient: Patient) -> None:
    Journal(patient.state).close()
    (patient.state / "logs").write_text("")
    ((verdict, what, cure),) = patient.told("log")
    assert (verdict, what) == ("warning", f"{patient.state / 'logs'}: the log cannot be kept (File exists)")
    assert "the watcher works without a log, too" in cure


def test_persons_that_are_wrong_missing_or_on_a_share_that_hangs(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = "people: {directory: people.yaml, requests: requests, bookings: {file: bookings.csv}}\n"
    patient.write(section)
    told = patient.told("people")
    assert {verdict for verdict, *_ in told} == {"fail"}
    assert any("people.yaml: there is no such file" in what for _, what, _ in told)
    assert any("bookings.csv: there is no such file" in what for _, what, _ in told)
    (patient.home / "people.yaml").write_text("persons: [{name: 'Doe, Jane', orcid: 0000-0002-1825-0098}]\n")
    (patient.home / "bookings.csv").write_text("start,end,person,instrument\n2026-11-27,2026-11-28,jdoe,Scope-1\n")
    ((verdict, what, cure),) = patient.told("people")
    assert (verdict, "people.yaml:1:38: persons[0].orcid: this is no ORCID" in what) == ("fail", True)
    assert cure.startswith("mend that line")
    assert patient.codes() == {Exit.CONFIGURATION}
    (patient.home / "people.yaml").write_text("persons: [{name: 'Doe, Jane'}]\n")
    assert patient.told("people") == [("ok", "1 person, 0 requests, 1 booking", "")]
    if sys.platform != "win32":
        (patient.home / "people.yaml").unlink()
        os.mkfifo(patient.home / "people.yaml")  # opening it waits for somebody who writes, as a dead share does
        quick = [replace(one, seconds=0.3) for one in CHECKS if one.name in {"people", "profile"}]
        monkeypatch.setattr("tests.unit.doctor.conftest.CHECKS", quick)
        ((verdict, what, cure),) = patient.told("people")
        assert (verdict, what) == ("fail", "no answer within 0.3 s")
        assert "look at the disk, share or server" in cure
        (patient.home / "people.yaml").open("w").close()


def test_a_hand_off_without_its_secret_and_one_that_fails(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    patient.write("handoff: {agent: omero, webhook: {url: 'https://agent.example/e', secret: {env: AGENT_SECRET}}}\n")
    monkeypatch.delenv("AGENT_SECRET", raising=False)
    ((verdict, what, cure),) = patient.told("handoff")
    assert (verdict, what) == ("fail", "the environment variable AGENT_SECRET holds nothing")
    assert cure == "put the password or key there"
    assert patient.codes() == {Exit.CONFIGURATION}
    monkeypatch.setenv("AGENT_SECRET", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz")
    assert patient.told("handoff") == [("ok", "webhook: agent.example, agent omero", "")]
    with Journal(patient.state) as journal:
        one = journal.sets.create(patient.data, Path(), "a", grouped_by="file", format="", now=1.0)  # type: ignore[arg-type]
        event = Event("e", one.id, "t", "{}")
        journal.outbox.add(event, ["webhook"], 10.0)
        journal.outbox.failed(event, "webhook", 20.0, 30.0, "no answer", refused=False)
    verdict, what, cure = patient.told("handoff")[-1]
    assert (verdict, what.startswith("Hand-off by webhook: 1 event waits since")) == ("warning", True)
    assert cure == "ask whoever runs it"
