"""Which other programs are told of published sets: an agent by the metadata, others by webhook and broker."""

import ipaddress
import re
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from watcher.profile.base import LocalPath, Section, Text, written
from watcher.profile.import_files import OmeroImport
from watcher.profile.secret import Secret
from watcher.profile.units import Duration

#: What a routing key can be made of.
ROUTING_FIELDS: Final = ("instrument", "host", "event")
_SHORTEST: Final = 1.0
_LONGEST: Final = 300.0


def parts_of(url: str, encrypted: str, plain: str, unencrypted: str | None) -> SplitResult:
    """The parts of an address, if it may be used: encrypted, on this computer, or to the host that is accepted.

    Raises ValueError, with the cure and without what an address may hold in secret.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"this is no address; write one like {encrypted}://agent.example") from None
    if parts.scheme not in {encrypted, plain} or not host or re.search(r"[\x00-\x20\x7f]", url):
        raise ValueError(f"this is no address; write one like {encrypted}://agent.example")
    if parts.scheme == plain and not is_here(host) and host != (unencrypted or "").lower():
        raise ValueError(
            f"{plain}:// to {host} can be read on the way; write {encrypted}://, or `unencrypted: {host}` beside it if "
            "everybody who could read it may"
        )
    return parts


def is_here(host: str) -> bool:
    """Whether what is sent to this host never leaves this computer, whatever any name server says."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _in_bounds(seconds: float) -> float:
    if not _SHORTEST <= seconds <= _LONGEST:
        raise ValueError("it must be at least 1s and at most 5m")
    return seconds


def _short(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name):
        raise ValueError(f"{name!r} is no short name; write letters, digits, _, . and -, as in omero")
    return name


def _can_be_filled(key: str) -> str:
    unknown = set(re.findall(r"\{(.*?)\}", key)) - set(ROUTING_FIELDS)
    if unknown or re.search(r"[{}]", re.sub(r"\{\w+\}", "", key)):
        raise ValueError(
            f"it can have the fields {', '.join(f'{{{field}}}' for field in ROUTING_FIELDS)} and no others"
        )
    if len(key.encode()) > 200:
        raise ValueError("it is too long; write at most 200 bytes")
    return key


class Webhook(Section):
    """Each event is posted to an address, and signed."""

    url: Text = Field(description="Where events are posted to.", examples=["https://agent.example/events"])
    secret: Secret = Field(
        description="Where the key is kept that the events are signed with: 24 to 64 bytes in base64, with or without "
        "whsec_ before it, as `openssl rand -base64 32` makes one.",
        examples=[{"env": "AGENT_SECRET"}],
    )
    timeout: Annotated[Duration, AfterValidator(_in_bounds)] = written(
        "10s", description="An answer must have come after so long.", examples=["10s"]
    )
    certificate: LocalPath | None = Field(
        default=None,
        description="The certificate (PEM) of the authority that the receiver's is signed by, or that one itself; "
        "absent: the authorities that this computer knows.",
        examples=["/etc/irods-watcher/facility-ca.pem"],
    )
    unencrypted: Text | None = Field(
        default=None,
        description="The one host that may be told without encryption; absent: only this computer.",
        examples=["agent.lan"],
    )

    @model_validator(mode="after")
    def _may_be_used(self) -> "Webhook":
        try:
            parts = parts_of(self.url, "https", "http", self.unencrypted)
            if parts.username is not None or parts.password is not None:
                raise ValueError("a login is never written into the profile; the receiver knows us by the signature")
        except ValueError as error:
            raise PydanticCustomError("at_key", "{message}", {"message": str(error), "key": "url"}) from None
        return self


class Amqp(Section):
    """Each event is published to an exchange of an AMQP 0-9-1 broker, such as RabbitMQ."""

    url: Secret = Field(
        description="Where the address is kept, which holds a password: amqps://user:password@host/virtual-host.",
        examples=[{"env": "AMQP_URL"}],
    )
    exchange: Text = Field(description="The exchange, which must be there.", examples=["image-sets"])
    routing_key: Annotated[Text, AfterValidator(_can_be_filled)] = Field(
        default="{instrument}.{event}",
        description="The routing key, with {instrument}, {host} and {event} (published, superseded, attributed) in it.",
        examples=["{instrument}.{event}"],
    )
    timeout: Annotated[Duration, AfterValidator(_in_bounds)] = written(
        "10s", description="The broker must have answered after so long.", examples=["10s"]
    )
    certificate: LocalPath | None = Field(
        default=None,
        description="The certificate (PEM) of the authority that the broker's is signed by, or that one itself; "
        "absent: the authorities that this computer knows.",
        examples=["/etc/irods-watcher/facility-ca.pem"],
    )
    unencrypted: Text | None = Field(
        default=None,
        description="The one host that may be told without encryption; absent: only this computer.",
        examples=["broker.lan"],
    )


class Handoff(Section):
    """Who is told of published sets."""

    agent: Annotated[Text, AfterValidator(_short)] | None = Field(
        default=None,
        description="The program that is to take each published set on, asked by its metadata; absent: none.",
        examples=["omero"],
    )
    webhook: Webhook | None = Field(
        default=None,
        description="Events are posted to an address; absent: they are not.",
        examples=[{"url": "https://agent.example/events", "secret": {"env": "AGENT_SECRET"}}],
    )
    amqp: Amqp | None = Field(
        default=None,
        description="Events are published to a message broker; absent: they are not.",
        examples=[{"url": {"env": "AMQP_URL"}, "exchange": "image-sets"}],
    )
    omero: OmeroImport | None = Field(
        default=None,
        description="Files for an in-place import into OMERO are written with each set; absent: they are not.",
        examples=[{"mount": "/mnt/irods", "target": "Dataset:name:{request}"}],
    )

    @property
    def sinks(self) -> tuple[str, ...]:
        """The names of the ways that events take."""
        return tuple(name for name, section in (("webhook", self.webhook), ("amqp", self.amqp)) if section)
