"""Which people are told what needs them, by which ways and at which hours; and who hears that the watcher lives."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from watcher.profile.base import LocalPath, Section, Text, written
from watcher.profile.limits import WHOLE_DAY, Hours, Window
from watcher.profile.people import Url
from watcher.profile.secret import Secret
from watcher.profile.units import Duration


def _in_bounds(seconds: float) -> float:
    if not 10 <= seconds <= 24 * 3600:
        raise ValueError("it must be at least 10s and at most 24h")
    return seconds


class Ping(Section):
    """A dead man's switch: an address that is asked again and again, and tells people when that ends."""

    url: Secret = Field(
        description="Where the address is kept, which is secret: that of a check at healthchecks.io or of one's own "
        "Healthchecks, or of a push monitor of Uptime Kuma.",
        examples=[{"env": "PING_URL"}],
    )
    kind: Literal["auto", "healthchecks", "uptime-kuma"] = Field(
        default="auto",
        description="What is there; auto: uptime-kuma if the address has /api/push/ in it, healthchecks else.",
        examples=["healthchecks"],
    )
    every: Annotated[Duration, AfterValidator(_in_bounds)] = written(
        "1m", description="How often it is asked.", examples=["1m"]
    )
    certificate: LocalPath | None = Field(
        default=None,
        description="The certificate (PEM) of the authority that its own is signed by, or that one itself; absent: "
        "the authorities that this computer knows.",
        examples=["/etc/irods-watcher/facility-ca.pem"],
    )


class Notify(Section):
    """Who is told what needs a person."""

    apprise: tuple[Secret, ...] = Field(
        default=(),
        description="Where the addresses of Apprise are kept that the facility hears all by, such as "
        "mailtos://user:password@smtp.example.org?to=facility@example.org.",
        examples=[[{"env": "NOTIFY_FACILITY"}]],
    )
    mail: Secret | None = Field(
        default=None,
        description="Where the mail server's address (of Apprise, without recipient) is kept, by which persons of the "
        "directory are told who want that, such as mailtos://user:password@smtp.example.org?from=scope@example.org; "
        "absent: they are not.",
        examples=[{"env": "NOTIFY_MAIL"}],
    )
    ping: Ping | None = Field(
        default=None,
        description="A dead man's switch that hears that the watcher lives; absent: none.",
        examples=[{"url": {"env": "PING_URL"}}],
    )
    quiet: Hours | None = Field(
        default=None,
        description="When nobody is told anything, by the instrument's clock; one part of the day or a list of such.",
        examples=["22:00-07:00"],
    )
    urgent_in_quiet: bool = Field(
        default=False, strict=True, description="What is urgent is told in quiet hours, too.", examples=[True]
    )
    every: Duration = written(
        "1h", description="What is not urgent is told once in so long at most, all in one message.", examples=["1h"]
    )
    page: Url | None = Field(
        default=None,
        description="The address of the instrument's status page, which stands in each message.",
        examples=["https://lsm980.example.org/"],
    )
    unencrypted: Text | None = Field(
        default=None,
        description="The one host, such as the institute's mail server, that may be told without encryption; absent: "
        "only this computer.",
        examples=["smtp.lan"],
    )

    @field_validator("quiet")
    @classmethod
    def _leaves_time(cls, quiet: tuple[Window, ...] | None) -> tuple[Window, ...] | None:
        if quiet and WHOLE_DAY[0] in quiet:
            raise ValueError("then nobody would ever be told anything; write one like 22:00-07:00")
        return quiet
