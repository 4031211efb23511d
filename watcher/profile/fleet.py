"""Where the watcher tells how its instrument is, for a facility that looks at all of them on one page."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from watcher.profile.base import LocalPath, Section, Text, written
from watcher.profile.handoff import parts_of
from watcher.profile.secret import Secret
from watcher.profile.units import Duration


def _in_bounds(seconds: float) -> float:
    if not 10 <= seconds <= 3600:
        raise ValueError("it must be at least 10s and at most 1h")
    return seconds


class Reached(Section):
    """The page of another program, and what must be true before it is asked or told anything."""

    url: Text = Field(description="Its address.", examples=["https://fleet.example.org/"])
    every: Annotated[Duration, AfterValidator(_in_bounds)] = written("1m", description="How often.", examples=["1m"])
    certificate: LocalPath | None = Field(
        default=None,
        description="The certificate (PEM) of the authority that its own is signed by, or that one itself; absent: "
        "the authorities that this computer knows.",
        examples=["/etc/irods-watcher/facility-ca.pem"],
    )
    unencrypted: Text | None = Field(
        default=None,
        description="Its host, if it may be reached without encryption; absent: only on this computer.",
        examples=["fleet.lan"],
    )

    @model_validator(mode="after")
    def _may_be_used(self) -> Self:
        try:
            parts = parts_of(self.url, "https", "http", self.unencrypted)
            if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
                raise ValueError("it can have no login, ? or #; write one like https://fleet.example.org/")
        except ValueError as error:
            raise PydanticCustomError("at_key", "{message}", {"message": str(error), "key": "url"}) from None
        return self


class Fleet(Reached):
    """The facility view (`irods-watcher fleet serve`) that this watcher reports to."""

    secret: Secret = Field(
        description="Where the key is kept that reports are signed with: 24 to 64 bytes in base64, as "
        "`openssl rand -base64 32` makes one.",
        examples=[{"env": "FLEET_SECRET"}],
    )
