"""When the local copy of a published set may go, and how many others must be there by then."""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from watcher.profile.base import Section, written
from watcher.profile.units import Duration

_PERCENT: Final = r"([0-9]{1,2})%"


def _part(value: object) -> float:
    if isinstance(value, float):
        return value
    if isinstance(value, str) and (found := re.fullmatch(_PERCENT, value)):
        return int(found[1]) / 100
    raise ValueError(f"{value!r} is no part of a disk; write one like 15%")


#: A part of a disk from 0 to 1, written as a percentage.
Part = Annotated[float, BeforeValidator(_part), WithJsonSchema({"type": "string", "pattern": f"^{_PERCENT}$"})]


class Release(Section):
    """When local copies are removed: never without the demanded copies, verified at that moment."""

    after: Duration | None = Field(
        default=None, description="So long after publication; absent: not because of time.", examples=["7d"]
    )
    below_free: Part | None = Field(
        default=None,
        description="When less of the disk is free than this, the oldest first; absent: not because of room.",
        examples=["15%"],
    )
    until_free: Part | None = Field(
        default=None, description="Until so much is free; absent: 5% more than below_free.", examples=["20%"]
    )
    youngest: Duration = written(
        "24h", description="Never before so long after publication, whatever else is said.", examples=["24h"]
    )
    copies: int = Field(
        default=1,
        strict=True,
        ge=1,
        le=9,
        description="How many stores must hold the set: the main one and those of `copies`. Replicas do not count.",
        examples=[2],
    )
    grace: Duration = written(
        "24h",
        description="Files wait so long on the same disk, where `restore` brings them back from.",
        examples=["24h"],
    )

    @model_validator(mode="after")
    def _agree(self) -> "Release":
        if self.until_free is not None and (self.below_free is None or self.until_free < self.below_free):
            message = "it must be more than below_free"
            raise PydanticCustomError("at_key", "{message}", {"message": message, "key": "until_free"})
        return self
