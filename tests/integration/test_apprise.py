"""The real Apprise against a mail and a web server on loopback: what comes, what fails, and what is never shown."""

import io
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.mailbox import Mailbox, mailbox
from tests.integration.receiver import Receiver, dripping, receiving, slow, status
from watcher.errors import ConfigurationError, NotifierAway
from watcher.notify import apprise
from watcher.notify.apprise import AppriseChannel
from watcher.notify.base import Message
from watcher.profile.secret import Secret

MESSAGE = Message("scope: plate3 is broken", "Needs somebody:\n- plate3: <b> & `x` are missing, \u00e9\n", "failure")

Open = Callable[..., AppriseChannel]


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> Open:
    def build(address: str, *, unencrypted: str | None = None, personal: bool = False) -> AppriseChannel:
        monkeypatch.setenv("NOTIFY", address)
        return AppriseChannel(Secret(env="NOTIFY"), "notify.apprise[0]", unencrypted, personal=personal)

    return build


def fails(channel: AppriseChannel, to: str = "") -> str:
    with pytest.raises(NotifierAway) as caught:
        channel.send(MESSAGE, to)
    return str(caught.value)


def test_a_letter_comes_to_the_person_alone_and_as_it_was_written(box: Mailbox, channel: Open) -> None:
    channel(box.address, personal=True).send(MESSAGE, "jane+images@x.org")
    (letter,) = box.letters
    assert letter.to == ["jane+images@x.org"]
    assert (letter.title, letter.text) == (MESSAGE.title, MESSAGE.text)
    assert letter.message["From"] == "scope@x.org"
    assert letter.message.get_content_type() == "text/plain"


def test_a_chat_is_told_with_what_it_is_about(receiver: Receiver, channel: Open) -> None:
    channel(f"json://user:secret@localhost:{receiver.port}/hook/TOKEN").send(MESSAGE)
    (request,) = receiver.requests
    assert request.path == "/hook/TOKEN"
    assert b"plate3: <b> & `x` are missing" in request.body
    assert b'"type": "failure"' in request.body


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("mailto://127.0.0.1:1?from=a@x.org&to=b@x.org", "no connection (Connection refused)"),
        ("json://127.0.0.1:1/TOKEN", "no connection (Connection refused)"),
        ("mailtos://127.0.0.1:{mail}?from=a@x.org&to=b@x.org", "the mail server offers no encryption"),
        ("mailto://scope:WRONG@127.0.0.1:{mail}?from=a@x.org&to=b@x.org", "the mail server refuses the login"),
        ("mailto://scope:secret@127.0.0.1:{mail}?from=a@x.org&to=bad@x.org",
         "the mail server refuses the recipient or the sender"),
        ("json://localhost:{web}/TOKEN", "the service answers 503 Service Unavailable"),
    ],
)  # fmt: skip
def test_why_it_failed_is_told_and_neither_a_secret_nor_a_person(
    box: Mailbox, receiver: Receiver, channel: Open, address: str, why: str
) -> None:
    receiver.answer = status(503)
    written = address.format(mail=box.port, web=receiver.port)
    what = fails(channel(written))
    assert what.startswith(f"notify.apprise[0] (NOTIFY): {why}; it is tried again")
    assert not any(word in what for word in ("WRONG", "secret", "TOKEN", "bad@x.org", "b@x.org"))


def test_nothing_that_the_library_logs_reaches_our_log(box: Mailbox, channel: Open) -> None:
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setLevel(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        fails(channel(box.address, personal=True), "bad.jane@x.org")
    finally:
        logging.getLogger().removeHandler(handler)
    assert "jane" not in log.getvalue()


def test_a_server_that_wants_a_sender_to_come_again_gets_the_letter_then(box: Mailbox, channel: Open) -> None:
    box.greylisting, way = True, channel(box.address, personal=True)
    assert "takes it later" in fails(way, "jane@x.org")
    box.greylisting = False
    way.send(MESSAGE, "jane@x.org")
    assert len(box.letters) == 1


def test_a_password_that_is_changed_is_used_from_then_on(
    box: Mailbox, channel: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = channel(box.address.replace("secret", "old"), personal=True)
    fails(way, "jane@x.org")
    monkeypatch.setenv("NOTIFY", box.address)
    way.send(MESSAGE, "jane@x.org")
    monkeypatch.delenv("NOTIFY")
    assert "holds nothing" in fails(way, "jane@x.org")


@pytest.mark.parametrize("answer", [slow(60), dripping(b"HTTP/1.1 200 OK\r\n" * 1000)])
def test_a_service_that_never_ends_is_given_up_and_not_asked_meanwhile(
    receiver: Receiver, channel: Open, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    monkeypatch.setattr(apprise, "LONGEST", 0.3)
    receiver.answer, way = answer, channel(f"json://localhost:{receiver.port}/")
    began = time.monotonic()
    assert "no answer within 0.3 s" in fails(way)
    assert "it has not answered yet" in fails(way)
    assert time.monotonic() - began < 5
    assert len(receiver.requests) == 1


def test_the_end_of_the_program_waits_for_no_service(receiver: Receiver, channel: Open) -> None:
    receiver.answer, way = slow(60), channel(f"json://localhost:{receiver.port}/")
    timer = threading.Timer(0.3, way.close)
    timer.start()
    began = time.monotonic()
    fails(way)
    assert time.monotonic() - began < 5
    timer.join()


def test_a_message_that_is_too_long_for_a_service_comes_in_parts(receiver: Receiver, channel: Open) -> None:
    long = Message("t", "\n".join(f"line {number}" for number in range(9000)))
    channel(f"json://localhost:{receiver.port}/").send(long)
    told = b"".join(request.body for request in receiver.requests)
    assert b"line 8999" in told
    assert len(receiver.requests) > 1


@pytest.mark.parametrize(
    ("address", "personal", "problem"),
    [
        ("hello", False, "this is no address that Apprise knows"),
        ("nonsense://x", False, "this is no address that Apprise knows"),
        ("slack://T/B/x", True, "this is no address of a mail server"),
        ("mailtos://smtp.x.org?from=a@x.org&to=b@x.org", True, "this address names a recipient"),
        ("mailtos://smtp.x.org/b@x.org?from=a@x.org", True, "this address names a recipient"),
        ("mailto://u:SECRET@smtp.x.org?from=a@x.org", True, "what goes by mailto:// can be read on the way"),
        ("json://chat.x.org/SECRET", False, "what goes by json:// can be read on the way"),
    ],
)
def test_what_cannot_be_used_is_told_at_the_start_without_the_address(
    channel: Open, address: str, personal: bool, problem: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        channel(address, personal=personal)
    assert str(caught.value).startswith(f"notify.apprise[0] (NOTIFY): {problem}; ")
    assert not any(word in str(caught.value) for word in ("SECRET", "b@x.org", "chat.x.org"))


def test_what_is_encrypted_or_named_may_be_used(channel: Open) -> None:
    channel("mailtos://u:p@smtp.x.org?from=a@x.org", personal=True)
    channel("mailto://smtp.x.org?from=a@x.org", personal=True, unencrypted="SMTP.x.org")
    channel("jsons://chat.x.org/TOKEN")
    channel("json://chat.lan/TOKEN", unencrypted="chat.lan")
    channel("json://127.0.0.1/TOKEN")
    channel("ntfys://topic")
