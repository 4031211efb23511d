"""A message broker that speaks AMQP 0-9-1, such as RabbitMQ: each event is a persistent message to a topic exchange.

The broker confirms each message when it is on its disks, and gives back one that no queue wants (rabbitmq.com: Consumer
Acknowledgements and Publisher Confirms): only a message that a queue holds counts as accepted. The exchange is never
made here: it is the receiver's, who must bind a queue to it anyway, and a mistyped name must not make a second one.
"""

import contextlib
import logging
import ssl
from typing import Any, Final
from urllib.parse import SplitResult, unquote

from watcher.errors import ConfigurationError, SinkAway
from watcher.model import Event
from watcher.notify.trust import trust
from watcher.profile.handoff import Amqp, parts_of

_NOT_FOUND: Final = 404
_NOT_ALLOWED: Final = 403
_AGAIN: Final = "it is tried again by itself"


class AmqpSink:
    """See `watcher.notify.base.Sink`. Raises ConfigurationError for a missing library, a bad address or certificate."""

    name = "amqp"

    def __init__(self, section: Amqp, instrument: str, host: str) -> None:
        self._pika = _library()
        self._url = _address(section)
        self._exchange = section.exchange
        self._key = section.routing_key
        self._fields = {"instrument": _word(instrument), "host": _word(host)}
        self._parameters = self._parameters_for(section, f"irods-watcher {instrument}")
        self._connection: Any = None
        self._channel: Any = None

    @property
    def place(self) -> str:
        """The broker's host, without its login."""
        return self._url.hostname or ""

    def tell(self, event: Event) -> None:
        """Publish one event and wait until a queue holds it. Raises SinkAway."""
        errors = self._pika.exceptions
        try:
            if self._channel is None:
                self._open()
            self._channel.basic_publish(
                exchange=self._exchange,
                routing_key=self._routing_key(event),
                body=event.body.encode("utf-8"),
                properties=self._properties(event),
                mandatory=True,
            )
        except errors.UnroutableError:
            cure = f"let its receiver bind a queue to the exchange {self._exchange}; {_AGAIN}"
            what = f"{self.place}: no queue takes {self._routing_key(event)}"
            raise SinkAway(what, cure=cure) from None
        except errors.NackError:
            raise SinkAway(f"{self.place}: the broker could not keep the message; a queue may be full") from None
        except Exception as error:
            # Some of the library's errors have no class in common.
            self.rest()
            raise self._away(error) from error

    def rest(self) -> None:
        """Close the connection, so that it need not be kept alive until the next set is published."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None and connection.is_open:
            # Whatever is wrong with it, it is not used any more.
            with contextlib.suppress(Exception):
                connection.close()

    def close(self) -> None:
        """What is being told ends by itself, within the time that the broker has to answer."""

    def _open(self) -> None:
        self._connection = self._pika.BlockingConnection(self._parameters)
        self._channel = self._connection.channel()
        self._channel.exchange_declare(self._exchange, passive=True)
        self._channel.confirm_delivery()

    def _parameters_for(self, section: Amqp, name: str) -> Any:
        options = None
        if self._url.scheme == "amqps":
            options = self._pika.SSLOptions(trust(section.certificate, "handoff.amqp"), self._url.hostname)
        default = 5671 if options else 5672
        login = (unquote(self._url.username or "guest"), unquote(self._url.password or "guest"))
        return self._pika.ConnectionParameters(
            host=self._url.hostname,
            port=self._url.port or default,
            virtual_host=unquote(self._url.path[1:]) or "/",
            credentials=self._pika.PlainCredentials(*login),
            ssl_options=options,
            # A broker that falls silent is given up after twice this time and 10 s more (pika/heartbeat.py).
            heartbeat=max(1, round(section.timeout / 2) - 5),
            socket_timeout=section.timeout,
            stack_timeout=section.timeout,
            blocked_connection_timeout=section.timeout,
            client_properties={"connection_name": name},
        )

    def _properties(self, event: Event) -> Any:
        return self._pika.BasicProperties(
            content_type="application/cloudevents+json",
            delivery_mode=2,
            message_id=event.id,
            type=event.type,
            app_id="irods-watcher",
        )

    def _routing_key(self, event: Event) -> str:
        key = self._key
        for field, value in {**self._fields, "event": event.type.rpartition(".")[2]}.items():
            key = key.replace(f"{{{field}}}", value)
        return key.encode("utf-8")[:255].decode("utf-8", "ignore")

    def _away(self, error: Exception) -> SinkAway:
        errors = self._pika.exceptions
        cause = _cause_of(error)
        code = getattr(error, "reply_code", None)
        cure = ""
        if isinstance(error, errors.ChannelClosedByBroker) and code == _NOT_FOUND:
            why, cure = f"there is no exchange {self._exchange}", "let its receiver declare a durable topic exchange"
        elif code == _NOT_ALLOWED:
            why, cure = f"this login may not publish to {self._exchange}", "let it write there"
        elif isinstance(error, errors.ProbableAuthenticationError | errors.AuthenticationError):
            why, cure = "the broker refuses the login", "check what handoff.amqp.url refers to"
        elif isinstance(error, errors.ProbableAccessDeniedError):
            why, cure = "the broker refuses the virtual host", "check what handoff.amqp.url refers to"
        elif isinstance(cause, ssl.SSLCertVerificationError):
            why = f"its certificate is not trusted ({cause.verify_message})"
            cure = "give the certificate of its authority as handoff.amqp.certificate"
        elif isinstance(error, errors.IncompatibleProtocolError):
            why, cure = "what answers there speaks no AMQP, or only encrypted", "check what handoff.amqp.url refers to"
        elif type(cause).__name__.endswith("Timeout"):
            why = "the broker does not answer"
        elif isinstance(cause, OSError):
            why = f"no connection ({cause.strerror or cause})"
        elif isinstance(error, errors.AMQPError):
            why = "the connection was lost"
        else:
            why = f"unexpected {type(cause).__name__}"
        return SinkAway(f"{self.place}: {why}", cure=f"{cure}; {_AGAIN}" if cure else None)


def _library() -> Any:
    try:
        import pika
        import pika.exceptions
    except ImportError:
        cure = 'install it with `python -m pip install "irods-watcher[amqp]"` and start again'
        raise ConfigurationError("handoff.amqp: the library pika is not installed", cure=cure) from None
    # It logs each failed attempt several times over; what matters is told in our own words.
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    return pika


def _address(section: Amqp) -> SplitResult:
    cure = "write amqps://user:password@host/virtual-host where it is kept"
    try:
        parts = parts_of(section.url.reveal(), "amqps", "amqp", section.unencrypted)
    except ValueError as error:
        raise ConfigurationError(f"handoff.amqp.url: {error}", cure=cure) from None
    if parts.query or parts.fragment:
        raise ConfigurationError("handoff.amqp.url: nothing can follow the virtual host in it", cure=cure)
    return parts


def _word(name: str) -> str:
    """A name as one word of a routing key, whose words are parted by dots."""
    return name.replace(".", "-")


def _cause_of(error: BaseException) -> BaseException:
    """What is wrong, without what the library puts around it."""
    for inner in (getattr(error, "exception", None), *error.args):
        if isinstance(inner, BaseException):
            return _cause_of(inner)
    return error
