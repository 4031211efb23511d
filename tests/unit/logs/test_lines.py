"""What a line of the log holds and where it goes, as seen from outside: another process says it, its stderr is read."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from watcher.logs.files import numbered

HEAD = """
import logging, threading, warnings
from pathlib import Path
import structlog
from watcher import redact
from watcher.errors import StoreUnreachable
from watcher.logs.lines import Style, kept, set_up
state = Path({state!r})
redact.keep_private(["Doe, Jane"], ["jdoe"])
redact.keep_secret("swordfish")
set_up(verbose={verbose}, style={style})
log = structlog.get_logger()
"""


def command(tmp_path: Path, what: str, *, verbose: bool = False, style: str = "None") -> list[str]:
    head = HEAD.format(state=str(tmp_path / "state"), verbose=verbose, style=style)
    return [sys.executable, "-c", head + what]


def said(tmp_path: Path, what: str, **how: Any) -> list[dict[str, Any]]:
    """The lines of JSON that a process says to a stderr that is a pipe."""
    result = subprocess.run(command(tmp_path, what, **how), capture_output=True, text=True, check=True)
    return [json.loads(line) for line in result.stderr.splitlines()]


def kept(tmp_path: Path) -> list[dict[str, Any]]:
    """The lines in the files."""
    files = numbered(tmp_path / "state" / "logs").values()
    return [json.loads(line) for path in files for line in path.read_text(encoding="ascii").splitlines()]


def test_a_line_says_when_how_serious_what_and_of_which_set(tmp_path: Path) -> None:
    (line,) = said(tmp_path, "log.info('set.published', set='urn:uuid:1', name='\\ud800\\u00e9')")
    assert line["timestamp"].endswith("Z")
    del line["timestamp"]
    assert line == {"level": "info", "event": "set.published", "set": "urn:uuid:1", "name": "\ud800é"}


def test_libraries_are_heard_from_warnings_on_and_steps_only_if_asked_for(tmp_path: Path) -> None:
    what = "logging.getLogger('irods.pool').{}('it is %s', 'late'); log.debug('step')"
    assert said(tmp_path, what.format("info")) == []
    (line,) = said(tmp_path, what.format("warning"))
    assert (line["library"], line["event"], line["level"]) == ("irods.pool", "it is late", "warning")
    (step,) = said(tmp_path, what.format("debug"), verbose=True)
    assert (step["level"], step["event"]) == ("debug", "step")


def test_nobody_finds_a_secret_or_a_person_in_a_line(tmp_path: Path) -> None:
    what = """
with kept(state, "Scope-1"):
    log.info("x", where="/data/jdoe/a.tif", url="amqp://u:pw@h/", password="abc", mail="jane@example.org", n=1)
    logging.getLogger("lib").warning("it is %s of Doe", "swordfish")
    try:
        raise ValueError("swordfish")
    except ValueError:
        log.error("y", exc_info=True)
"""
    lines = said(tmp_path, what)
    assert lines == kept(tmp_path)
    assert lines[0]["where"] == "/data/[person]/a.tif"
    assert (lines[0]["url"], lines[0]["password"], lines[0]["mail"], lines[0]["n"]) == (
        "amqp://[secret]@h/", "[secret]", "[e-mail]", 1,
    )  # fmt: skip
    assert lines[1]["event"] == "it is [secret] of [person]"
    assert lines[2]["exception"].endswith("ValueError: [secret]")
    assert {line["instrument"] for line in lines} == {"Scope-1"}


def test_what_threads_and_python_complain_about_is_kept_and_so_is_what_ended_it(tmp_path: Path) -> None:
    what = """
warnings.simplefilter("always")
try:
    with kept(state, "Scope-1"):
        warnings.warn("old")
        thread = threading.Thread(target=lambda: 1 / 0, name="carrier")
        thread.start(); thread.join()
        raise StoreUnreachable("zone: no answer")
except StoreUnreachable:
    pass
log.info("later")
"""
    lines = said(tmp_path, what)
    warned, died, ended = kept(tmp_path)
    assert "UserWarning: old" in warned["event"]
    assert (died["event"], died["thread"]) == ("thread.died", "carrier")
    assert died["exception"].endswith("ZeroDivisionError: division by zero")
    assert ended["event"] == "ended"
    assert ended["problem"].startswith("zone: no answer; check the network")
    assert [line["event"] for line in lines][1:] == ["thread.died", "later"], "the console is told by other means"


def test_files_that_cannot_be_written_are_told_once_and_the_work_goes_on(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "logs").write_text("")
    lines = said(tmp_path, "with kept(state, 'Scope-1'):\n    for n in range(3): log.info('step', n=n)")
    assert [line["event"] for line in lines] == ["step", "log.not_kept", "step", "step"]
    assert "the log cannot be written" in lines[1]["problem"]
    assert lines[1]["problem"].endswith("nothing else is harmed by it")


def test_systemds_journal_gets_lines_for_people_with_their_level(tmp_path: Path) -> None:
    read, write = os.pipe()
    status = os.fstat(write)
    environment = {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
    what = "log.info('set.published', name='a b'); log.error('bad', exc_info=ValueError('x'))"
    subprocess.run(command(tmp_path, what), stderr=write, env=environment, check=True)
    os.close(write)
    with open(read, encoding="utf-8") as stream:
        lines = stream.read().splitlines()
    assert lines[0].startswith("<6>[info     ] set.published")
    assert lines[0].endswith("name='a b'")
    assert all(line.startswith("<3>") for line in lines[1:])
    assert "ValueError: x" in lines[-1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals for this")
def test_a_terminal_gets_lines_for_people_and_no_orders_from_names_on_the_disk(tmp_path: Path) -> None:
    import pty

    master, slave = pty.openpty()
    what = "log.info('set.published', name='\\x1b[2Jbad', where='/data/jdoe'); log.warning('\\x07x')"
    subprocess.run(command(tmp_path, what), stderr=slave, check=True)
    os.close(slave)
    shown = os.read(master, 10000).decode()
    os.close(master)
    assert "\\x1b[2Jbad" in shown
    assert "\x1b[2J" not in shown
    assert "\x07" not in shown
    assert "/data/jdoe" in shown, "whoever sits there must see where it is"


@pytest.mark.parametrize(("style", "begins"), [("Style.JSON", "{"), ("Style.CONSOLE", "1"), ("None", "{")])
def test_how_lines_look_can_be_said(tmp_path: Path, style: str, begins: str) -> None:
    what = command(tmp_path, "log.info('x')", style=style)
    shown = subprocess.run(what, capture_output=True, text=True, check=True, env={**os.environ, "TZ": "UTC"}).stderr
    assert shown.startswith(begins) or (begins == "1" and shown[2:3] == ":"), shown
