"""A message broker, against a real RabbitMQ: what counts as accepted, and what is told when something is wrong."""

import json
import sys
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from tests.integration.rabbitmq import EXCHANGE, Broker
from watcher.errors import ConfigurationError, HandoffError, SinkAway
from watcher.model import Event
from watcher.notify.amqp import AmqpSink
from watcher.profile import Amqp

Open = Callable[..., AmqpSink]

#: RabbitMQ takes some seconds to start.
pytestmark = pytest.mark.timeout(120)


def event(number: int = 1) -> Event:
    body = {"specversion": "1.0", "id": f"id-{number}", "source": "urn:x", "type": "org.irods-watcher.set.published"}
    return Event(f"id-{number}", "urn:uuid:1", "org.irods-watcher.set.published", json.dumps(body | {"data": number}))


@pytest.fixture
def open_sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    opened: list[AmqpSink] = []

    def build(url: str, exchange: str = EXCHANGE, **more: Any) -> AmqpSink:
        monkeypatch.setenv("AMQP_URL", url)
        section = Amqp.model_validate({"url": {"env": "AMQP_URL"}, "exchange": exchange, **more})
        opened.append(AmqpSink(section, "LSM.980", "mic-pc-07"))
        return opened[-1]

    yield build
    for sink in opened:
        sink.rest()


@pytest.fixture
def queue(broker: Broker) -> str:
    """A queue of its own that takes everything."""
    name = f"queue-{uuid.uuid4().hex}"
    broker.bind(name)
    return name


def refused(sink: AmqpSink, told: Event | None = None) -> HandoffError:
    with pytest.raises(HandoffError) as caught:
        sink.tell(told or event())
    assert isinstance(caught.value, SinkAway)
    return caught.value


def problem_of(sink: AmqpSink, told: Event) -> str:
    try:
        sink.tell(told)
    except HandoffError as error:
        return str(error)
    return ""


def test_an_event_arrives_once_and_says_what_it_is(broker: Broker, queue: str, open_sink: Open) -> None:
    open_sink(broker.url).tell(event())
    ((properties, body),) = broker.take(queue)
    assert body == event().body.encode()
    assert properties.content_type == "application/cloudevents+json"
    assert (properties.message_id, properties.type) == ("id-1", "org.irods-watcher.set.published")
    assert properties.delivery_mode == 2
    assert JSONFormat().read(CloudEvent, body).get_id() == "id-1"


def test_the_routing_key_lets_a_receiver_choose(broker: Broker, open_sink: Open) -> None:
    mine, others = f"queue-{uuid.uuid4().hex}", f"queue-{uuid.uuid4().hex}"
    broker.bind(mine, "LSM-980.published")
    broker.bind(others, "*.superseded")
    open_sink(broker.url).tell(event())
    assert (len(broker.take(mine)), broker.take(others)) == (1, [])
    own = f"queue-{uuid.uuid4().hex}"
    broker.bind(own, "by.mic-pc-07")
    open_sink(broker.url, routing_key="by.{host}").tell(event())
    assert len(broker.take(own)) == 1


def test_an_event_that_no_queue_takes_is_not_accepted(broker: Broker, open_sink: Open) -> None:
    broker.bind(f"queue-{uuid.uuid4().hex}", "something.else")
    sink = open_sink(broker.url, routing_key="nobody.listens")
    assert str(refused(sink)).startswith(
        "127.0.0.1: no queue takes nobody.listens; let its receiver bind a queue to the exchange image-sets"
    )
    later = f"queue-{uuid.uuid4().hex}"
    broker.bind(later, "nobody.listens")
    sink.tell(event())
    assert len(broker.take(later)) == 1


def test_a_full_queue_is_told(broker: Broker, open_sink: Open) -> None:
    name = f"queue-{uuid.uuid4().hex}"
    broker.bind(name, "full", **{"x-max-length": 1, "x-overflow": "reject-publish"})
    sink = open_sink(broker.url, routing_key="full")
    problems = [problem_of(sink, event(number)) for number in range(3)]
    assert problems[0] == ""
    assert "a queue may be full" in problems[-1]
    broker.take(name)
    sink.tell(event(9))
    assert [properties.message_id for properties, _ in broker.take(name)] == ["id-9"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("guest:guest", "guest:hunter2"), "the broker refuses the login; check what handoff.amqp.url refers to"),
        (("%2f", "nowhere"), "the broker refuses the virtual host; check what handoff.amqp.url refers to"),
        (("127.0.0.1", "127.0.0.2"), "no connection (Connection refused)"),
    ],
)
def test_what_is_wrong_with_the_address_is_told_without_its_password(
    broker: Broker, open_sink: Open, change: tuple[str, str], why: str
) -> None:
    error = refused(open_sink(broker.url.replace(*change)))
    assert f": {why}" in str(error)
    assert "hunter2" not in repr(error) + str(error)


def test_an_exchange_that_is_not_there_is_not_made(broker: Broker, open_sink: Open) -> None:
    sink = open_sink(broker.url, exchange="image-stes")
    for _ in range(2):
        problem = str(refused(sink))
        assert "there is no exchange image-stes; let its receiver declare a durable topic exchange" in problem


def test_a_broker_that_speaks_only_encrypted_is_told(broker: Broker, open_sink: Open) -> None:
    port = broker.tls_url.rpartition(":")[2].partition("/")[0]
    error = refused(open_sink(f"amqp://guest:guest@127.0.0.1:{port}/"))
    assert "what answers there speaks no AMQP, or only encrypted" in str(error)


def test_an_encrypted_broker_must_be_trusted(broker: Broker, queue: str, open_sink: Open) -> None:
    error = refused(open_sink(broker.tls_url))
    assert "its certificate is not trusted (self-signed certificate); give the certificate" in str(error)
    open_sink(broker.tls_url, certificate=broker.certificate).tell(event())
    assert len(broker.take(queue)) == 1


def test_a_connection_is_kept_while_there_is_something_to_tell_and_no_longer(
    broker: Broker, queue: str, open_sink: Open
) -> None:
    sink = open_sink(broker.url)
    for number in range(100):
        sink.tell(event(number))
    sink.rest()
    sink.tell(event(100))
    assert [properties.message_id for properties, _ in broker.take(queue)] == [f"id-{number}" for number in range(101)]


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_broker_that_ends_and_comes_back_has_what_it_accepted(
    broker: Broker, queue: str, open_sink: Open, how: str
) -> None:
    sink = open_sink(broker.url)
    sink.tell(event(1))
    getattr(broker, how)()
    assert "connection" in str(refused(sink, event(2)))
    assert "no connection (Connection refused)" in str(refused(sink, event(2)))
    broker.start()
    sink.tell(event(2))
    assert [properties.message_id for properties, _ in broker.take(queue)] == ["id-1", "id-2"]


def test_a_broker_that_falls_silent_is_given_up(broker: Broker, queue: str, open_sink: Open) -> None:
    sink = open_sink(broker.url, timeout="1s")
    sink.tell(event(1))
    with broker.frozen():
        assert "the broker does not answer" in str(refused(sink, event(2)))
        assert "the broker does not answer" in str(refused(sink, event(2)))  # a new connection now
    sink.tell(event(2))
    # The first attempt may have arrived: at least once, and in order.
    ids = [properties.message_id for properties, _ in broker.take(queue)]
    assert ids in (["id-1", "id-2"], ["id-1", "id-2", "id-2"])


def test_without_its_library_the_profile_is_refused_with_the_command_that_helps(
    open_sink: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pika", None)
    with pytest.raises(ConfigurationError, match=r'python -m pip install "irods-watcher\[amqp\]"'):
        open_sink("amqp://localhost")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("amqp://me:hunter2@broker.example/x", "amqp:// to broker.example can be read on the way; write amqps://"),
        ("http://me:hunter2@broker.example/x", "this is no address; write one like amqps://"),
        ("amqps://me:hunter2@broker.example/x?ssl_options={}", "nothing can follow the virtual host"),
    ],
)
def test_an_address_that_cannot_be_used_is_told_at_the_start_without_its_password(
    open_sink: Open, url: str, why: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_sink(url)
    assert str(caught.value).startswith(f"handoff.amqp.url: {why}")
    assert "hunter2" not in str(caught.value)
    assert open_sink("amqp://me:x@broker.example", unencrypted="broker.example").place == "broker.example"
