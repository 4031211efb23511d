"""The dead man's switch on a real server: it hears a beat only while the watcher looks and sends, and what is wrong."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.integration.receiver import Receiver, receiving, slow, status
from tests.irods_server import make_certificate
from tests.unit.overview.telling import HOUR, MINUTE, Told
from tests.unit.pipeline.conftest import FakeClock
from watcher.errors import ConfigurationError
from watcher.journal import Journal
from watcher.notify.ping import Switch
from watcher.overview.attention import HANGS, attentions
from watcher.overview.pulse import STALLS, Pulse
from watcher.profile import Ping

Open = Callable[..., Switch]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "state", owned=True) as opened:
        opened.note("heartbeat", FakeClock().now())
        yield opened


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch) -> Open:
    def build(address: str, *, unencrypted: str | None = None, **more: Any) -> Switch:
        monkeypatch.setenv("PING_URL", address)
        return Switch(Ping.model_validate({"url": {"env": "PING_URL"}, **more}), unencrypted)

    return build


def pulse(switch: Switch, journal: Journal, clock: FakeClock, told: Told | None = None, **more: Any) -> Pulse:
    stirred = more.pop("stirred_at", clock.now)
    stop = more.pop("stop", threading.Event())
    trouble = told or Told(journal, clock)
    return Pulse(switch, MINUTE, journal, clock, stirred_at=stirred, stopping=stop.is_set, trouble=trouble)


def let_pass(duty: Pulse, clock: FakeClock, journal: Journal, seconds: float, *, lives: bool = True) -> None:
    end = clock.now() + seconds
    while clock.now() < end:
        if lives:
            journal.note("heartbeat", clock.now())
        clock.advance(min(duty.round(), end - clock.now()))


def paths(receiver: Receiver) -> list[str]:
    return [request.path for request in receiver.requests]


def test_it_begins_and_beats_every_minute_whatever_wakes_it(journal: Journal, receiver: Receiver, switch: Open) -> None:
    clock = FakeClock()
    duty = pulse(switch(f"http://localhost:{receiver.port}/ping/uuid"), journal, clock)
    for _ in range(100):
        let_pass(duty, clock, journal, 6)
    assert paths(receiver) == ["/ping/uuid/start", *["/ping/uuid"] * 10]
    assert {request.method for request in receiver.requests} == {"POST"}
    assert receiver.requests[1].body == b"No sets yet."


def test_while_something_urgent_is_the_matter_it_says_what(journal: Journal, receiver: Receiver, switch: Open) -> None:
    clock = FakeClock()
    duty = pulse(switch(f"http://localhost:{receiver.port}/uuid/"), journal, clock)
    let_pass(duty, clock, journal, MINUTE)
    journal.note("store", "no answer")
    let_pass(duty, clock, journal, 3 * MINUTE)
    journal.note("store", "")
    let_pass(duty, clock, journal, MINUTE)
    assert paths(receiver) == ["/uuid/start", "/uuid", "/uuid", "/uuid", "/uuid/fail", "/uuid"]
    assert receiver.requests[4].body == b"The store has a problem: no answer"


def test_what_comes_and_goes_within_two_minutes_wakes_nobody(
    journal: Journal, receiver: Receiver, switch: Open
) -> None:
    clock = FakeClock()
    duty = pulse(switch(f"http://localhost:{receiver.port}/uuid/"), journal, clock)
    for _ in range(5):
        journal.note("store", "no answer")
        let_pass(duty, clock, journal, 2 * MINUTE)
        journal.note("store", "")
        let_pass(duty, clock, journal, MINUTE)
    assert set(paths(receiver)) == {"/uuid/start", "/uuid"}


def test_uptime_kuma_is_told_in_its_own_way(journal: Journal, receiver: Receiver, switch: Open) -> None:
    clock = FakeClock()
    address = f"http://localhost:{receiver.port}/api/push/TOKEN?status=up&msg=OK&ping="
    duty = pulse(switch(address), journal, clock)
    let_pass(duty, clock, journal, MINUTE)
    journal.note("store", "no answer \u00e9&")
    let_pass(duty, clock, journal, 3 * MINUTE)
    assert {request.method for request in receiver.requests} == {"GET"}
    well, ill = urlsplit(paths(receiver)[0]), urlsplit(paths(receiver)[-1])
    assert (well.path, parse_qs(well.query)) == ("/api/push/TOKEN", {"status": ["up"], "msg": ["No sets yet."]})
    assert parse_qs(ill.query) == {"status": ["down"], "msg": ["The store has a problem: no answer \u00e9&"]}


def test_a_main_thread_that_hangs_is_told(journal: Journal, receiver: Receiver, switch: Open) -> None:
    clock = FakeClock()
    duty = pulse(switch(f"http://localhost:{receiver.port}/u"), journal, clock)
    let_pass(duty, clock, journal, HANGS - MINUTE, lives=False)
    assert "/u/fail" not in paths(receiver)
    let_pass(duty, clock, journal, 3 * MINUTE, lives=False)
    assert paths(receiver)[-1] == "/u/fail"
    assert receiver.requests[-1].body.startswith(b"The watcher has not looked at its folders since ")
    let_pass(duty, clock, journal, MINUTE)
    assert paths(receiver)[-1] == "/u"


def test_a_conveyor_on_which_nothing_moves_is_told(journal: Journal, receiver: Receiver, switch: Open) -> None:
    clock = FakeClock()
    began = clock.now()
    duty = pulse(switch(f"http://localhost:{receiver.port}/u"), journal, clock, stirred_at=lambda: began)
    let_pass(duty, clock, journal, STALLS)
    assert "/u/fail" not in paths(receiver)
    let_pass(duty, clock, journal, 2 * MINUTE)
    assert receiver.requests[-1].body.startswith(b"The watcher has sent nothing since ")


def test_one_that_does_not_answer_is_a_warning_and_is_asked_every_minute(
    journal: Journal, receiver: Receiver, switch: Open
) -> None:
    clock = FakeClock()
    told = Told(journal, clock)
    duty = pulse(switch(f"http://localhost:{receiver.port}/SECRET"), journal, clock, told)
    receiver.answer = status(404)
    let_pass(duty, clock, journal, HOUR)
    ((where, what),) = told.said
    assert (where, "it answers 404 Not Found" in what, "SECRET" in what) == ("ping", True, False)
    (attention,) = attentions(journal, clock.now(), watched=True)
    assert (attention.kind, attention.urgent) == ("notify", False)
    assert len(receiver.requests) == 60
    receiver.answer = status(200)
    let_pass(duty, clock, journal, MINUTE)
    assert told.said[1:] == [("ping", "")]
    assert paths(receiver)[-2:] == ["/SECRET/start", "/SECRET"]


def test_the_end_of_the_program_waits_for_no_answer(journal: Journal, receiver: Receiver, switch: Open) -> None:
    clock, stop = FakeClock(), threading.Event()
    told = Told(journal, clock)
    duty = pulse(switch(f"http://localhost:{receiver.port}/u"), journal, clock, told, stop=stop)
    receiver.answer = slow(60)

    def end() -> None:
        stop.set()
        duty.close()

    timer = threading.Timer(0.3, end)
    timer.start()
    began = time.monotonic()
    duty.round()
    assert time.monotonic() - began < 5
    assert told.said == []
    timer.join()


def test_a_server_with_the_facility_s_certificate_is_believed(journal: Journal, tmp_path: Path, switch: Open) -> None:
    certificate, key = make_certificate(tmp_path)
    clock = FakeClock()
    with receiving(tls=(certificate, key)) as receiver:
        duty = pulse(switch(f"https://localhost:{receiver.port}/u", certificate=str(certificate)), journal, clock)
        let_pass(duty, clock, journal, MINUTE)
        assert paths(receiver) == ["/u/start", "/u"]
        told = Told(journal, clock)
        let_pass(pulse(switch(f"https://localhost:{receiver.port}/u"), journal, clock, told), clock, journal, MINUTE)
        assert "its certificate is not trusted" in told.said[0][1]


@pytest.mark.parametrize("address", ["hello", "ftp://hc.example/SECRET", "http://hc.example/SECRET", "https:///SECRET"])
def test_an_address_that_cannot_be_used_is_told_at_the_start(switch: Open, address: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^notify.ping \(PING_URL\): ") as caught:
        switch(address)
    assert "SECRET" not in str(caught.value)


def test_the_one_host_that_is_named_may_be_asked_without_encryption(switch: Open) -> None:
    switch("http://hc.lan/uuid", unencrypted="hc.lan")
