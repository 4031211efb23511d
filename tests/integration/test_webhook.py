"""A webhook against a real server on loopback: what is signed, what is accepted, and how little it can do to us."""

import base64
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Judge
from standardwebhooks import WebhookVerificationError

from tests.integration.receiver import Handler, Receiver, dripping, raw, receiving, slow, status
from tests.irods_server import make_certificate
from watcher.errors import ConfigurationError, Exit, HandoffError, SinkAway, SinkRefused
from watcher.model import Event
from watcher.notify.webhook import WebhookSink
from watcher.profile import Webhook

KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()
EVENT = Event("0a-1", "urn:uuid:1", "org.irods-watcher.set.published", '{"name": "caf\\u00e9"}')

Open = Callable[..., WebhookSink]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def open_sink(monkeypatch: pytest.MonkeyPatch) -> Open:
    def build(url: str, *, key: str = KEY, **more: Any) -> WebhookSink:
        monkeypatch.setenv("AGENT_SECRET", key)
        return WebhookSink(Webhook.model_validate({"url": url, "secret": {"env": "AGENT_SECRET"}, **more}))

    return build


def refused(sink: WebhookSink) -> HandoffError:
    with pytest.raises(HandoffError) as caught:
        sink.tell(EVENT)
    return caught.value


def test_what_is_posted_is_what_was_made_and_is_signed(receiver: Receiver, open_sink: Open) -> None:
    open_sink(receiver.url).tell(EVENT)
    (request,) = receiver.requests
    assert request.path == "/events?tenant=1"
    assert request.body == EVENT.body.encode()
    assert request.headers["content-type"] == "application/cloudevents+json"
    assert request.headers["webhook-id"] == EVENT.id
    assert Judge(KEY).verify(request.body, request.headers) == {"name": "café"}


def test_a_receiver_with_another_secret_or_another_body_notices(receiver: Receiver, open_sink: Open) -> None:
    open_sink(receiver.url).tell(EVENT)
    (request,) = receiver.requests
    other = base64.b64encode(bytes(32)).decode()
    for judge, body in ((Judge(other), request.body), (Judge(KEY), request.body.replace(b"c", b"k"))):
        with pytest.raises(WebhookVerificationError):
            judge.verify(body, request.headers)


@pytest.mark.parametrize("written", [KEY, KEY.removeprefix("whsec_"), f" {KEY}\n", KEY.rstrip("=")])
def test_a_secret_may_be_written_in_the_ways_that_others_write_it(
    receiver: Receiver, open_sink: Open, written: str
) -> None:
    open_sink(receiver.url, key=written).tell(EVENT)
    Judge(KEY).verify(receiver.requests[0].body, receiver.requests[0].headers)


@pytest.mark.parametrize("written", ["hunter2", "whsec_", base64.b64encode(bytes(23)).decode(), "é" * 40])
def test_a_secret_that_is_none_is_told_and_never_shown(open_sink: Open, written: str) -> None:
    with pytest.raises(ConfigurationError, match="openssl rand -base64 32") as caught:
        open_sink("https://agent.example", key=written)
    assert written not in str(caught.value) or written == "whsec_"
    assert caught.value.exit_code is Exit.CONFIGURATION


@pytest.mark.parametrize("code", [200, 201, 202, 204, 299])
def test_any_2xx_means_accepted(receiver: Receiver, open_sink: Open, code: int) -> None:
    receiver.answer = status(code)
    open_sink(receiver.url).tell(EVENT)


@pytest.mark.parametrize("code", [500, 502, 503, 504, 599, 408, 425, 429])
def test_what_may_pass_is_tried_again(receiver: Receiver, open_sink: Open, code: int) -> None:
    receiver.answer = status(code)
    error = refused(open_sink(receiver.url))
    assert isinstance(error, SinkAway)
    assert str(error).startswith(f"localhost:{receiver.port} answers {code}")
    assert error.not_before == 0.0


@pytest.mark.parametrize("code", [400, 401, 403, 404, 409, 410, 413, 422, 451, 101, 999])
def test_what_does_not_pass_by_itself_is_refused(receiver: Receiver, open_sink: Open, code: int) -> None:
    receiver.answer = raw(b"HTTP/1.1 %d So\r\nContent-Length: 0\r\n\r\n" % code)
    error = refused(open_sink(receiver.url))
    assert isinstance(error, SinkRefused) is (code != 999)
    assert f"{code}" in str(error)


@pytest.mark.parametrize(
    ("code", "cure"), [(401, "compare handoff.webhook.secret"), (404, "handoff.webhook.url"), (410, "wants no more")]
)
def test_a_refusal_says_what_can_be_done(receiver: Receiver, open_sink: Open, code: int, cure: str) -> None:
    receiver.answer = status(code)
    assert cure in str(refused(open_sink(receiver.url)))


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, open_sink: Open, code: int) -> None:
    with receiving() as elsewhere:
        receiver.answer = status(code, Location=elsewhere.url)
        error = refused(open_sink(receiver.url))
        assert isinstance(error, SinkRefused)
        assert "has moved" in str(error)
        assert elsewhere.requests == []


def test_a_pause_that_is_asked_for_is_passed_on(receiver: Receiver, open_sink: Open) -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)
    for text, low, high in (
        ("120", 120, 120), (in_a_minute, 55, 60), ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0), ("soon", 0, 0),
        ("-5", 0, 0), ("9" * 30, 1e8, 1e9), ("\u0661", 0, 0), ("", 0, 0),
    ):  # fmt: skip
        receiver.answer = status(503, Retry_After=text.encode("utf-8").decode("latin-1"))
        error = refused(open_sink(receiver.url))
        assert isinstance(error, SinkAway)
        assert low <= error.not_before <= high, text


@pytest.mark.timeout(60)
def test_a_slow_answer_is_waited_for_only_so_long(receiver: Receiver, open_sink: Open) -> None:
    receiver.answer = slow(0.3)
    open_sink(receiver.url, timeout="2s").tell(EVENT)
    receiver.answer = slow(600)
    assert str(refused(open_sink(receiver.url, timeout="1s"))).startswith(
        f"localhost:{receiver.port}: no answer within 1 s; it is tried again"
    )


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 200 OK" + b" " * 10_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 2000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 500,
    ],
)
def test_an_answer_that_drips_is_cut_off(receiver: Receiver, open_sink: Open, text: bytes) -> None:
    receiver.answer = dripping(text)
    began = time.monotonic()
    error = refused(open_sink(receiver.url, timeout="1s"))
    assert time.monotonic() - began > 0.9
    assert "no answer within 1 s" in str(error)


def test_the_rest_of_an_answer_is_not_waited_for(receiver: Receiver, open_sink: Open) -> None:
    def never_ending(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")
        handler.receiver.stopping.wait()

    receiver.answer = never_ending
    open_sink(receiver.url, timeout="30s").tell(EVENT)  # raises if it waits


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "it closes the connection without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "what it answers is no HTTP"),
        (bytes(range(256)) * 400, "what it answers is no HTTP"),
        (b"HTTP/1.1 two hundred\r\n\r\n", "what it answers is no HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n", "what it answers is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n", "what it answers is no HTTP"),
    ],
)
def test_garbage_is_no_acceptance(receiver: Receiver, open_sink: Open, text: bytes, why: str) -> None:
    receiver.answer = raw(text)
    error = refused(open_sink(receiver.url))
    assert isinstance(error, SinkAway)
    assert str(error).startswith(f"localhost:{receiver.port}: {why}")


def test_a_server_that_closes_at_once_or_is_not_there_is_away(open_sink: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def close_one() -> None:
            listener.accept()[0].close()

        closing = threading.Thread(target=close_one)
        closing.start()
        assert "closes the connection" in str(refused(open_sink(f"http://127.0.0.1:{port}/")))
        closing.join()
    assert "no connection (Connection refused)" in str(refused(open_sink(f"http://127.0.0.1:{port}/")))
    unknown = open_sink("https://agent.invalid/")
    assert "agent.invalid: there is no computer of this name" in str(refused(unknown))
    assert "there is no computer of this name" in str(refused(open_sink("https://a..b/")))


def test_a_certificate_that_nobody_vouches_for_is_refused_unless_it_is_trusted(tmp_path: Path, open_sink: Open) -> None:
    tls = make_certificate(tmp_path)
    with receiving(tls=tls) as receiver:
        error = refused(open_sink(receiver.url))
        assert "its certificate is not trusted (self-signed certificate); give the certificate of its authority" in str(
            error
        )
        assert receiver.requests == []
        open_sink(receiver.url, certificate=tls.certificate).tell(EVENT)
        # Another name for the same server is not the one that the certificate is for.
        wrong = open_sink(receiver.url.replace("localhost", "127.0.0.2"), certificate=tls.certificate)
        assert "certificate is not" in str(refused(wrong)) or "no connection" in str(refused(wrong))
        assert len(receiver.requests) == 1
        receiver.answer = dripping(b"HTTP/1.1 200 OK" + b" " * 1000)
        assert "no answer within 1 s" in str(
            refused(open_sink(receiver.url, certificate=tls.certificate, timeout="1s"))
        )


@pytest.mark.timeout(60)
def test_a_server_that_never_finishes_the_handshake_is_given_up(open_sink: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = refused(open_sink(f"https://127.0.0.1:{silent.getsockname()[1]}/", timeout="1s"))
        assert "no answer within 1 s" in str(error)


def test_plain_http_at_the_other_end_is_told(receiver: Receiver, open_sink: Open) -> None:
    error = refused(open_sink(receiver.url.replace("http:", "https:")))
    assert "no encrypted connection can be made" in str(error)


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_a_certificate_that_cannot_be_read_is_told_at_the_start(
    tmp_path: Path, open_sink: Open, content: bytes | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"handoff\.webhook\.certificate: .*ca\.pem: it cannot be read"):
        open_sink("https://agent.example", certificate=file)


def test_what_is_being_told_is_given_up_when_the_watcher_stops(receiver: Receiver, open_sink: Open) -> None:
    receiver.answer = slow(600)
    sink = open_sink(receiver.url, timeout="5m")
    errors: list[HandoffError] = []
    telling = threading.Thread(target=lambda: errors.append(refused(sink)))
    telling.start()
    while not receiver.requests:
        time.sleep(0.01)
    sink.close()
    telling.join(30)
    assert not telling.is_alive()
    assert "the watcher stops" in str(errors[0])
    assert "the watcher stops" in str(refused(sink))
    assert len(receiver.requests) == 1


def test_nothing_from_the_environment_changes_where_events_go(
    receiver: Receiver, open_sink: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with receiving() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        netrc = tmp_path / ".netrc"
        netrc.write_text("machine localhost login me password hunter2\n")
        monkeypatch.setenv("NETRC", str(netrc))
        open_sink(receiver.url).tell(EVENT)
        assert proxy.requests == []
        assert "authorization" not in receiver.requests[0].headers


def test_what_is_told_to_people_never_holds_the_path(open_sink: Open) -> None:
    sink = open_sink("http://127.0.0.1:1/hooks/T0KEN?key=T0KEN")
    assert "T0KEN" not in sink.place + str(refused(sink))
