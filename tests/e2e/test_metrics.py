"""The metrics of the program as it runs: its counters are in its process, its gauges wherever its journal is."""

from http.client import HTTPConnection
from pathlib import Path

from tests.e2e.conftest import Program
from tests.unit.metrics.conftest import value


def test_metrics_are_there_for_a_collector_of_files_without_a_watcher(archive_program: Program) -> None:
    (archive_program.data / "a.dat").write_bytes(b"pixels")
    assert archive_program("once", archive_program.profile).returncode == 0
    file = archive_program.home / "irods-watcher.prom"
    result = archive_program("metrics", "--output", file)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    text = file.read_bytes()
    assert value(text, "sets", instrument="Scope-1", state="published") == 1
    assert archive_program("metrics").stdout.encode() == text


def test_a_running_watcher_still_delivers_and_tells_what_it_did(archive_program: Program) -> None:
    process = archive_program.start("run", archive_program.profile)
    (archive_program.data / "a.dat").write_bytes(b"pixels")
    archive_program.wait_for(lambda: bool(archive_program.sets("published")))
    text = archive_program("metrics").stdout.encode()
    assert value(text, "sets", state="published") == 1
    assert value(text, "heartbeat_timestamp_seconds")
    assert value(text, "disk_free_bytes", folder="1")
    archive_program.stop(process)
    log = Path(archive_program.home / "run.log").read_text(encoding="utf-8")
    assert "set.published" in log, "the log still hears what is counted"
    assert "trouble" not in log


def test_a_scraper_is_answered_by_the_page_of_the_running_watcher(archive_program: Program) -> None:
    process = archive_program.start("run", archive_program.profile)
    (archive_program.data / "a.dat").write_bytes(b"pixels")
    archive_program.wait_for(lambda: bool(archive_program.sets("published")))
    page = HTTPConnection(archive_program.page().removeprefix("http://"), timeout=20)
    page.request("GET", "/metrics")
    answer = page.getresponse()
    text = answer.read()
    assert answer.getheader("content-type", "").startswith("text/plain; version=")
    assert value(text, "sets", state="published") == 1
    assert value(text, "sets_completed_total") == 1, "what only this process has counted"
    page.request("POST", "/metrics", b"")
    assert page.getresponse().status == 405
    page.close()
    archive_program.stop(process)


def test_without_a_journal_it_says_so(archive_program: Program) -> None:
    result = archive_program("metrics")
    assert result.returncode == 2
    assert "no journal is there" in result.stderr
