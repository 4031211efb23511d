"""Handing on against real receivers: trouble is told once, nothing is lost, nothing but the troubled way waits."""

import base64
import itertools
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from tests.integration.rabbitmq import EXCHANGE, Broker
from tests.integration.receiver import Answer, Handler, Receiver, in_turn, receiving, slow, status, wait_until
from tests.unit.pipeline.conftest import START, FakeClock
from watcher.clock import Clock, SystemClock
from watcher.journal import Journal
from watcher.model import Event
from watcher.notify.amqp import AmqpSink
from watcher.notify.base import Sink
from watcher.notify.webhook import WebhookSink
from watcher.pipeline.duties import Duties
from watcher.pipeline.handoff import Line
from watcher.profile import Amqp, Webhook

HOUR = 3600.0
KEY = base64.b64encode(bytes(range(32))).decode()


class Told(list[tuple[str, str]]):
    """What a person was told, in order."""

    def __call__(self, where: str, what: str) -> None:
        self.append((where, what))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "state", owned=True) as opened:
        yield opened


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Callable[[Receiver], WebhookSink]:
    def build(receiver: Receiver, **more: Any) -> WebhookSink:
        monkeypatch.setenv("AGENT_SECRET", KEY)
        section = {"url": receiver.url, "secret": {"env": "AGENT_SECRET"}, **more}
        return WebhookSink(Webhook.model_validate(section))

    return build


@pytest.fixture
def amqp(monkeypatch: pytest.MonkeyPatch) -> Callable[[Broker], AmqpSink]:
    def build(broker: Broker) -> AmqpSink:
        monkeypatch.setenv("AMQP_URL", broker.url)
        section = Amqp.model_validate({"url": {"env": "AMQP_URL"}, "exchange": EXCHANGE})
        return AmqpSink(section, "scope", "host")

    return build


def made(journal: Journal, name: str, count: int = 1, sinks: tuple[str, ...] = ("webhook",)) -> list[str]:
    """Events of one set that are still to be told."""
    found = journal.sets.newest(Path("/d"), PurePosixPath(), name) or journal.sets.create(
        Path("/d"), PurePosixPath(), name, grouped_by="stem", format="", now=1.0
    )
    there = journal.database.rows("SELECT count(DISTINCT id) FROM event WHERE set_id = ?", (found.id,))[0][0]
    ids = [f"{name}{number}" for number in range(there + 1, there + count + 1)]
    for one in ids:
        body = {"specversion": "1.0", "id": one, "source": "urn:x", "type": "t.published", "subject": name}
        journal.outbox.add(Event(one, found.id, "t.published", json.dumps(body)), sinks, START)
    return ids


def line(sink: Sink, journal: Journal, clock: Clock, told: Told | None = None) -> Line:
    trouble = Told() if told is None else told
    return Line(sink, journal, clock, stopping=lambda: False, trouble=trouble, jitter=lambda: 1.0)


def let_pass(way: Line, clock: FakeClock, seconds: float) -> None:
    """What the way's thread does in this time."""
    end = clock.now() + seconds
    while clock.now() < end:
        wait = way.round()
        assert wait <= 60.0
        clock.advance(min(wait, end - clock.now()))


def by_subject(*refused: str, code: int = 400) -> Answer:
    """Refuse the events about these sets."""

    def answer(handler: Handler) -> None:
        body = json.loads(handler.receiver.requests[-1].body)
        status(code if body["subject"] in refused else 200)(handler)

    return answer


def once(ids: list[str]) -> list[str]:
    """Without what came twice at once."""
    return [one for one, _ in itertools.groupby(ids)]


def test_a_receiver_that_answers_500_for_a_day_gets_everything_in_order_when_it_is_well(
    journal: Journal, receiver: Receiver, webhook: Callable[..., WebhookSink]
) -> None:
    clock, told = FakeClock(), Told()
    way = line(webhook(receiver), journal, clock, told)
    receiver.answer = status(500)
    expected = {name: made(journal, name, 2) for name in ("a", "b", "c")}
    let_pass(way, clock, 12 * HOUR)
    expected["d"] = made(journal, "d", 1)
    let_pass(way, clock, 12 * HOUR)
    where = "hand-off by webhook"
    cure = "it is tried again by itself, and nothing is lost"
    problem = f"localhost:{receiver.port} answers 500 Internal Server Error; {cure}"
    assert told == [(where, problem)]
    # About every five minutes: enough to be there soon, and no burden to anybody.
    assert 200 < len(receiver.requests) < 350
    tried = set(receiver.ids)
    assert {one[0] for one in tried} == {"a", "b", "c", "d"}
    assert not tried & {ids[1] for ids in expected.values() if len(ids) > 1}
    (backlog,) = journal.outbox.backlogs()
    assert (backlog.waiting, backlog.since, backlog.problem) == (7, START, problem)
    receiver.answer = status(200)
    receiver.requests.clear()
    let_pass(way, clock, 5 * 60 + 1)
    assert sorted(receiver.ids) == sorted(itertools.chain(*expected.values()))
    for name, ids in expected.items():
        assert [one for one in receiver.ids if one.startswith(name)] == ids
    assert told[1:] == [(where, "")]
    assert journal.outbox.backlogs() == []


def test_one_event_that_is_refused_keeps_no_other_set_waiting_and_is_tried_every_hour(
    journal: Journal, receiver: Receiver, webhook: Callable[..., WebhookSink]
) -> None:
    clock, told = FakeClock(), Told()
    way = line(webhook(receiver), journal, clock, told)
    receiver.answer = by_subject("a", code=410)
    made(journal, "a", 2)
    made(journal, "b", 3)
    let_pass(way, clock, 10 * HOUR - 1)
    assert receiver.ids == ["a1", "b1", "b2", "b3", *["a1"] * 9]
    ((where, what),) = told
    assert where == "hand-off by webhook, refused"
    assert "refuses it (410 Gone); it wants no more events" in what
    (backlog,) = journal.outbox.backlogs()
    assert (backlog.waiting, backlog.problem, backlog.refused, backlog.refusal) == (2, "", 1, what)
    receiver.answer = status(200)
    let_pass(way, clock, HOUR)
    assert receiver.ids[-2:] == ["a1", "a2"]
    assert told[1:] == [(where, "")]


def test_one_event_that_makes_the_receiver_fail_delays_the_others_by_moments(
    journal: Journal, receiver: Receiver, webhook: Callable[..., WebhookSink]
) -> None:
    clock, told = FakeClock(), Told()
    way = line(webhook(receiver), journal, clock, told)
    receiver.answer = by_subject("a", code=500)
    made(journal, "a")
    for number in range(50):
        made(journal, f"set-{number}-")
        let_pass(way, clock, 60)
    assert len([one for one in receiver.ids if one != "a1"]) == 50
    assert receiver.ids.count("a1") < 20
    assert len(told) == 1
    (backlog,) = journal.outbox.backlogs()
    assert backlog.waiting == 1


@pytest.mark.parametrize(("asked", "kept"), [("600", 600.0), ("999999", HOUR)])
def test_a_receiver_is_left_alone_for_as_long_as_it_asks_but_no_longer_than_an_hour(
    journal: Journal, receiver: Receiver, webhook: Callable[..., WebhookSink], asked: str, kept: float
) -> None:
    clock = FakeClock()
    way = line(webhook(receiver), journal, clock)
    receiver.answer = in_turn(status(503, Retry_After=asked), status(200))
    made(journal, "a")
    made(journal, "b")
    let_pass(way, clock, kept - 1)
    assert receiver.ids == ["a1"]
    let_pass(way, clock, 2)
    assert receiver.ids == ["a1", "b1", "a1"]


def test_whatever_happens_to_the_program_the_order_of_each_set_is_kept(
    tmp_path: Path, receiver: Receiver, webhook: Callable[..., WebhookSink]
) -> None:
    clock = FakeClock()
    answers = itertools.cycle([500, 200, 400, 200, 503, 200, 200])
    expected: dict[str, list[str]] = {}
    accepted: list[str] = []

    def answer(handler: Handler) -> None:
        code = next(answers)
        if code == 200:
            accepted.append(handler.receiver.ids[-1])
        status(code)(handler)

    receiver.answer = answer
    for round_number in range(12):
        with Journal(tmp_path / "state", owned=True) as journal:
            way = line(webhook(receiver), journal, clock)
            for name in ("a", "b", "c"):
                expected.setdefault(name, []).extend(made(journal, name, round_number % 3))
            let_pass(way, clock, 20.0)
    with Journal(tmp_path / "state", owned=True) as journal:
        let_pass(line(webhook(receiver), journal, clock), clock, 30 * HOUR)
        assert journal.outbox.backlogs() == []
    for name, ids in expected.items():
        assert [one for one in accepted if one.startswith(name)] == ids


def test_a_mistake_in_a_way_is_told_and_the_event_is_kept(journal: Journal) -> None:
    class Broken:
        name = "webhook"
        place = "agent.example"

        def __init__(self) -> None:
            self.problems: list[Exception] = [RuntimeError("so")]

        def tell(self, event: Event) -> None:
            if self.problems:
                raise self.problems.pop()

        def rest(self) -> None: ...

        def close(self) -> None: ...

    clock, told = FakeClock(), Told()
    way = line(Broken(), journal, clock, told)
    made(journal, "a")
    let_pass(way, clock, 0.5)
    assert told == [
        (
            "hand-off by webhook",
            "agent.example: unexpected RuntimeError: so; this is a mistake of the program: please report it",
        )
    ]
    let_pass(way, clock, 5)
    assert journal.outbox.backlogs() == []


def running(journal: Journal, *sinks: Sink) -> tuple[Duties, threading.Event, Told]:
    stop, told, clock = threading.Event(), Told(), SystemClock()
    lines = [Line(sink, journal, clock, stopping=stop.is_set, trouble=told, jitter=lambda: 0.0) for sink in sinks]
    handing_on = Duties(lines, clock, stop, told)
    handing_on.start()
    return handing_on, stop, told


@pytest.mark.timeout(120)
def test_a_receiver_that_never_answers_delays_no_other_way_and_not_the_end_of_the_program(
    journal: Journal,
    receiver: Receiver,
    broker: Broker,
    webhook: Callable[..., WebhookSink],
    amqp: Callable[[Broker], AmqpSink],
) -> None:
    queue = f"queue-{uuid.uuid4().hex}"
    broker.bind(queue)
    receiver.answer = slow(600)
    expected = made(journal, "a", 20, sinks=("webhook", "amqp"))
    handing_on, stop, told = running(journal, webhook(receiver, timeout="5m"), amqp(broker))
    try:
        wait_until(lambda: [one.sink for one in journal.outbox.backlogs()] == ["webhook"])
        wait_until(lambda: receiver.requests)
    finally:
        stop.set()
        handing_on.join()
    assert [properties.message_id for properties, _ in broker.take(queue)] == expected
    assert told == []
    # What was cut off by the end of the program is no failure of anybody.
    assert journal.outbox.problem("webhook", refused=False) == ""


def test_a_new_event_is_told_at_once_and_once(
    journal: Journal, receiver: Receiver, webhook: Callable[..., WebhookSink]
) -> None:
    handing_on, stop, _ = running(journal, webhook(receiver))
    try:
        for number in range(5):
            made(journal, f"set-{number}-")
            handing_on.wake()
            wait_until(lambda: _waiting(journal) == 0)
            assert len(receiver.requests) == number + 1
    finally:
        stop.set()
        handing_on.join()
    assert receiver.ids == [f"set-{number}-1" for number in range(5)]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_broker_that_ends_and_comes_back_in_the_midst_gets_all_in_order(
    journal: Journal, broker: Broker, amqp: Callable[[Broker], AmqpSink], how: str
) -> None:
    queue = f"queue-{uuid.uuid4().hex}"
    broker.bind(queue)
    expected = {name: made(journal, name, 100, sinks=("amqp",)) for name in ("a", "b", "c")}
    handing_on, stop, told = running(journal, amqp(broker))
    try:
        wait_until(lambda: _waiting(journal) < 250)
        getattr(broker, how)()
        for name, ids in expected.items():
            ids += made(journal, name, 20, sinks=("amqp",))
        wait_until(lambda: told)
        broker.start()
        wait_until(lambda: not _waiting(journal), 60)
        wait_until(lambda: len(told) == 2)
    finally:
        stop.set()
        handing_on.join()
    came = [properties.message_id for properties, _ in broker.take(queue)]
    for name, ids in expected.items():
        assert once([one for one in came if one.startswith(name)]) == ids
    assert len(came) <= 361  # only what was under way when it ended may have come twice
    assert told[0][0] == "hand-off by amqp"
    assert told[1:] == [("hand-off by amqp", "")]


def _waiting(journal: Journal) -> int:
    return sum(one.waiting for one in journal.outbox.backlogs())
