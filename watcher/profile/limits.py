"""What the watcher may take of the network, and when: rates, hours, and how to know that the instrument acquires."""

import re
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from watcher.profile.base import Section, Text, written
from watcher.profile.units import Rate

_MINUTES: Final = 24 * 60
_TIME: Final = r"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)"
_WINDOW: Final = rf"{_TIME}-{_TIME}"


class Window(NamedTuple):
    """A part of each day by the clock on the wall, in minutes after midnight; one that ends before it begins wraps."""

    begin: int
    end: int

    def holds(self, minute: int) -> bool:
        """Whether this minute of the day lies in it."""
        if self.begin < self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end


WHOLE_DAY: Final = (Window(0, _MINUTES),)


def _windows(value: object) -> tuple[Window, ...]:
    if value == []:
        raise ValueError("this is empty; write for example `hours: '20:00-06:00'`")
    return tuple(map(_window, value if isinstance(value, list | tuple) else [value]))


def _window(value: object) -> Window:
    if isinstance(value, Window):
        return value
    if not isinstance(value, str) or not re.fullmatch(_WINDOW, value):
        raise ValueError(f"{value!r} is no part of a day; write one like 20:00-06:00, from 00:00 to 24:00")
    begin, end = (60 * int(time[:2]) + int(time[3:]) for time in value.split("-"))
    if begin in {end, _MINUTES}:
        raise ValueError(f"{value} has no length; write 00:00-24:00 for the whole day")
    return Window(begin, end)


#: When sending is allowed, written as `20:00-06:00` or as a list of such.
Hours = Annotated[
    tuple[Window, ...],
    BeforeValidator(_windows),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": f"^{_WINDOW}$"},
                {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": f"^{_WINDOW}$"}},
            ]
        }
    ),
]


def _name_of_program(name: str) -> str:
    if re.search(r"[/\\]", name):
        raise ValueError(f"{name!r} is a path; write the program's name alone, as in ZEN.exe")
    return name


class Acquiring(Section):
    """How to know that the instrument acquires."""

    process: Annotated[Text, AfterValidator(_name_of_program)] = Field(
        description="The acquisition program: while it runs, the instrument is taken to acquire.",
        examples=["ZEN.exe"],
    )


class Limits(Section):
    """What the watcher may take of the network, and when."""

    rate: Rate | None = Field(
        default=None, description="Send no more than this; absent: as much as goes.", examples=["80MB/s"]
    )
    rate_while_acquiring: Rate | None = Field(
        default=None,
        description="Send no more than this while the instrument acquires; absent: no difference.",
        examples=["20MB/s"],
    )
    hours: Hours = written(
        "00:00-24:00",
        description="When members may be sent, by the instrument's clock; one part of the day or a list of such. "
        "A member that is being sent at the end of it is finished.",
        examples=["20:00-06:00"],
    )
    acquiring: Acquiring | None = Field(
        default=None,
        description="How to know that the instrument acquires; absent: something was just written to a watched folder.",
        examples=[{"process": "ZEN.exe"}],
    )

    @field_validator("rate_while_acquiring")
    @classmethod
    def _is_lower(cls, lower: float | None, info: ValidationInfo) -> float | None:
        rate = info.data.get("rate")
        if lower is not None and rate is not None and lower > rate:
            raise ValueError("it is more than limits.rate; write less, or take it out")
        return lower

    @field_validator("acquiring")
    @classmethod
    def _is_of_use(cls, acquiring: Acquiring | None, info: ValidationInfo) -> Acquiring | None:
        if acquiring is not None and info.data.get("rate_while_acquiring", ...) is None:
            raise ValueError("this changes nothing without limits.rate_while_acquiring; write for example 20MB/s there")
        return acquiring
