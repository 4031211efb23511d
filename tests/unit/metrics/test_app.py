"""How the metrics are fetched: over HTTP as Prometheus asks, and from a file."""

import asyncio
import os
import stat
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from tests.unit.metrics.conftest import parsed, value
from tests.unit.pipeline.conftest import Bench
from watcher.errors import UsageError
from watcher.metrics import Metrics
from watcher.metrics.app import App, metrics_app, write

#: What Prometheus 2.42 and 3 send.
PROMETHEUS = b"application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"


def fetch(app: App, method: str = "GET", *headers: tuple[bytes, bytes]) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, headers and body of one request."""
    said: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    scope = {"type": "http", "method": method, "path": "/metrics", "headers": list(headers)}
    asyncio.run(app(scope, receive, send))
    start, body = said
    return start["status"], dict(start["headers"]), body["body"]


@pytest.fixture
def app(bench: Bench) -> App:
    bench.observe()
    return metrics_app(Metrics(bench.journal, "scope"))


def test_it_answers_in_plain_text_and_as_openmetrics_if_that_is_asked_for(app: App) -> None:
    status, headers, body = fetch(app)
    assert status == 200
    assert headers[b"content-type"].startswith(b"text/plain; version=")
    assert int(headers[b"content-length"]) == len(body)
    assert value(body, "build_info") == 1
    assert ("process_cpu_seconds_total", ()) in parsed(body)
    status, headers, body = fetch(app, "GET", (b"accept", PROMETHEUS))
    assert headers[b"content-type"].startswith(b"application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_whoever_asks_for_the_head_gets_no_body(app: App) -> None:
    status, headers, body = fetch(app, "HEAD")
    assert (status, body) == (200, b"")
    assert int(headers[b"content-length"]) > 1000


def test_a_journal_that_cannot_be_read_is_an_error_and_not_an_empty_page(bench: Bench) -> None:
    app = metrics_app(Metrics(bench.journal, "scope"))
    bench.journal.close()
    status, _, body = fetch(app)
    assert status == 503
    assert b"journal" in body
    bench.restart()


def test_the_file_is_whole_can_be_read_by_others_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "irods-watcher.prom"
    write(file, b"one\n")
    write(file, b"two\n")
    assert file.read_bytes() == b"two\n"
    assert os.listdir(tmp_path) == ["irods-watcher.prom"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_a_file_that_cannot_be_written_says_so_and_the_old_one_stays(tmp_path: Path) -> None:
    (tmp_path / "taken.prom").mkdir()
    with pytest.raises(UsageError, match=r"taken\.prom: the metrics cannot be written"):
        write(tmp_path / "taken.prom", b"one\n")
    with pytest.raises(UsageError, match="give another --output"):
        write(tmp_path / "no" / "such.prom", b"one\n")
    assert os.listdir(tmp_path) == ["taken.prom"]
