"""A watcher that reports, and a page that is asked: to a real view, from a real journal."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.integration.receiver import Receiver, dripping, raw, receiving, slow, status, wait_until
from tests.unit.fleet.conftest import FLEET, KEY, NOW, OTHER, Clock, Serve
from tests.unit.overview.telling import Told
from tests.unit.pipeline.conftest import FakeClock
from tests.unit.web.conftest import journal, make_set
from tests.unit.web.conftest import serve as serve_page
from watcher.fleet import sources
from watcher.fleet.document import Asked
from watcher.fleet.sources import Asking
from watcher.journal import Journal
from watcher.model import State
from watcher.notify.fleet import FleetView
from watcher.overview import picture, records, report
from watcher.overview.attention import attentions
from watcher.overview.reporting import Reporting
from watcher.profile.fleet import Fleet

__all__ = ["journal", "serve_page"]


@pytest.fixture
def reporting(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Reporting]:
    def build(url: str, clock: FakeClock, told: Told, key: str = KEY, name: str = "LSM980-2") -> Reporting:
        monkeypatch.setenv("REPORT_SECRET", key)
        section = Fleet.model_validate({"url": url, "secret": {"env": "REPORT_SECRET"}})
        view = FleetView(section, name, wall=clock.now)
        return Reporting(view, 60.0, journal, clock, stopping=lambda: False, trouble=told)

    return build


def test_a_watcher_s_report_is_what_its_own_page_says(
    serve: Serve, journal: Journal, reporting: Callable[..., Reporting]
) -> None:
    make_set(journal, "a")
    make_set(journal, "b", State.HELD, reason="3 of 96 images are missing")
    journal.note("heartbeat", NOW)
    journal.note("space:/data", {"at": 1.0, "free": 4 * 10**11, "total": 10**12, "samples": []})
    clock, view = FakeClock(NOW), serve()
    duty = reporting(f"http://127.0.0.1:{view.port}/", clock, Told(journal, clock))
    assert duty.round() == 60.0
    said = view.get("/api/v1/fleet").json()["instruments"][1]["report"]
    now = picture.take(journal, NOW)
    assert said["sentence"] == picture.sentence(now)
    assert (said["mood"], said["safe"], said["held"]) == ("attention", 1, 1)
    assert said["needs"][0]["what"] == "b: 3 of 96 images are missing"
    assert said["disks"] == [{"folder": "/data", "free": 4 * 10**11, "total": 10**12, "full_at": None}]
    # Whatever wakes it, it reports once a minute.
    clock.advance(20)
    assert duty.round() == 40.0
    clock.advance(40)
    view.clock.at = clock.now()
    duty.round()
    assert view.get("/api/v1/fleet").json()["instruments"][1]["last_seen"] == NOW + 60


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"key": OTHER}, "it answers 401 Unauthorized; compare fleet.secret with the one in fleet.yaml"),
        ({"name": "Nobody"}, "it answers 404 Not Found; write the instrument into fleet.yaml"),
    ],
)
def test_a_view_that_refuses_is_a_warning_with_its_cure(
    serve: Serve, journal: Journal, reporting: Callable[..., Reporting], changes: dict[str, str], said: str
) -> None:
    clock, view = FakeClock(NOW), serve()
    told = Told(journal, clock)
    reporting(f"http://127.0.0.1:{view.port}", clock, told, **changes).round()
    ((where, what),) = told.said
    assert (where, said in what) == ("fleet", True)
    (attention,) = attentions(journal, clock.now(), watched=False)
    assert (attention.kind, attention.urgent) == ("notify", False)


def test_clocks_that_differ_are_told(serve: Serve, journal: Journal, reporting: Callable[..., Reporting]) -> None:
    clock, view = FakeClock(NOW - 3600), serve(clock=Clock(NOW))
    told = Told(journal, clock)
    reporting(f"http://127.0.0.1:{view.port}/", clock, told).round()
    assert "403 Forbidden; compare the clocks of both computers" in told.said[0][1]


def test_a_clock_that_was_set_back_is_told_and_passes(
    serve: Serve, journal: Journal, reporting: Callable[..., Reporting]
) -> None:
    view = serve(clock=Clock(NOW))
    ahead, right = FakeClock(NOW + 90), FakeClock(NOW)
    told = Told(journal, right)
    reporting(f"http://127.0.0.1:{view.port}/", ahead, told).round()
    duty = reporting(f"http://127.0.0.1:{view.port}/", right, told)
    duty.round()
    assert "409 Conflict; the clock here was set back, or two watchers have this name" in told.said[-1][1]
    for _ in range(2):
        right.advance(60)
        duty.round()
    assert told.said[-1] == ("fleet", "")


def test_a_view_that_is_away_is_told_once_and_reported_to_again(
    serve: Serve, journal: Journal, reporting: Callable[..., Reporting]
) -> None:
    clock = FakeClock(NOW)
    told = Told(journal, clock)
    with receiving() as receiver:
        receiver.answer = status(502)
        duty = reporting(f"http://127.0.0.1:{receiver.port}/below/", clock, told)
        for _ in range(10):
            clock.advance(duty.round())
        assert [request.path for request in receiver.requests] == ["/below/api/v1/fleet/LSM980-2"] * 10
        assert len(told.said) == 1
        receiver.answer = status(204)
        clock.advance(duty.round())
    assert told.said[1:] == [("fleet", "")]


def test_no_person_is_named_in_a_report(journal: Journal) -> None:
    one = make_set(journal, "a")
    journal.attributions.grant(one.id, {"jdoe": "read"}, {"jdoe": "there is no such user"})
    journal.sessions.start("RQ4F7K2MT", "rroe", "", NOW - 10, 3600.0)
    said = report.take(journal, NOW, 60.0)
    assert "jdoe" not in said.model_dump_json()
    assert "rroe" not in said.model_dump_json()
    assert said.others == 1


# asking


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


class Heard(list[report.Report]):
    """What was heard of an instrument, and what was wrong with it."""

    def __init__(self) -> None:
        super().__init__()
        self.troubles: list[str] = []

    def asked(self, url: str, until: Callable[[], object], **more: Any) -> None:
        """Ask until something is true."""
        section = Asked.model_validate({"url": url, "every": "30s", **more})
        hear: Callable[[str, report.Report], object] = lambda _, said: self.append(said)  # noqa: E731
        with Asking("LSM980-2", section, hear, lambda _, what: self.troubles.append(what)):
            wait_until(until)


def test_a_page_that_is_asked_says_the_same_as_a_report(serve_page: Any, journal: Journal) -> None:
    make_set(journal, "a", at=time.time())
    make_set(journal, "b", State.HELD, reason="broken")
    page, heard = serve_page("password: {env: PAGE_PASSWORD}"), Heard()
    heard.asked(f"http://127.0.0.1:{page.port}/", lambda: heard, password={"env": "PAGE_PASSWORD"})
    own = report.take(journal, heard[0].taken_at, 30.0)
    assert heard[0].model_copy(update={"left": 0}) == own.model_copy(update={"left": 0})
    assert heard.troubles == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (status(401), "it answers 401 Unauthorized"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), "does not say how the instrument is"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull"), "does not say how the instrument is"),
        (raw(b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 5_000_000), "does not say how the instrument is"),
        (raw(b"nonsense\r\n\r\n"), "what it answers is no HTTP"),
    ],
)
def test_what_is_wrong_with_a_page_that_is_asked_is_told(receiver: Receiver, answer: Any, said: str) -> None:
    receiver.answer, heard = answer, Heard()
    heard.asked(f"http://localhost:{receiver.port}/", lambda: heard.troubles)
    assert said in heard.troubles[0]
    assert heard == []


def test_the_page_of_another_instrument_is_not_believed(receiver: Receiver, journal: Journal) -> None:
    journal.note("watching", {"instrument": "Other", "folders": [], "version": "0"})
    said = json.dumps(records.of_overview(picture.take(journal, NOW), journal)).encode()
    receiver.answer = raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(said) + said)
    heard = Heard()
    heard.asked(f"http://localhost:{receiver.port}/", lambda: heard.troubles)
    assert heard.troubles == ["it is the page of another instrument"]


@pytest.mark.parametrize("answer", [slow(600), dripping(b"HTTP/1.1 200 OK\r\n" * 1000)])
@pytest.mark.timeout(60)
def test_the_end_waits_for_no_page(receiver: Receiver, answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_TIMEOUT", 600.0)
    receiver.answer, heard = answer, Heard()
    heard.asked(f"http://localhost:{receiver.port}/", lambda: receiver.requests)
    assert heard.troubles == []


def test_an_instrument_that_is_asked_stands_on_the_page(serve: Serve, serve_page: Any, journal: Journal) -> None:
    make_set(journal, "a")
    page = serve_page()
    asked = f'{{name: LSM980-2, ask: {{url: "http://127.0.0.1:{page.port}/"}}}}'
    view = serve(FLEET.replace("{name: LSM980-2}", asked))
    wait_until(lambda: view.moods["LSM980-2"] == "safe")
    assert "The one set from LSM980-2 is safe in the archive." in view.get("/").text


def test_a_report_has_bounds(journal: Journal) -> None:
    for number in range(60):
        make_set(journal, f"{number}-{'x' * 400}", State.HELD, reason="y" * 4000)
    for number in range(30):
        journal.note(f"space:/d{number}", {"at": 1.0, "free": 1, "total": 2, "samples": []})
    said = report.take(journal, NOW, 60.0)
    assert len(said.model_dump_json()) < report.LARGEST
    assert (len(said.needs), len(said.disks)) == (10, 10)
    with pytest.raises(ValidationError):
        report.Report(**{**said.model_dump(), "needs": [{"what": "x"}] * 11})


def test_threads_do_not_outlive_an_asking_that_never_began(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = threading.active_count()
    section = Asked.model_validate({"url": "http://127.0.0.1:1/"})
    Asking("A", section, lambda *_: None, lambda *_: None)
    assert threading.active_count() == before
