"""Durations as people write them: `20s`, `2m`, `24h`, `7d`, `1h30m`."""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

_PATTERN: Final = r"(?=[0-9])(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?"
_SECONDS: Final = (86400, 3600, 60, 1)


def seconds(value: object) -> float:
    """The seconds in a duration with units; a float is seconds already.

    Raises ValueError, with the cure, for anything else. A whole number is refused, since nobody can see its unit.
    """
    if isinstance(value, float):
        return value
    text = str(value)
    if isinstance(value, str) and (found := re.fullmatch(_PATTERN, text)):
        return float(sum(int(count or 0) * unit for count, unit in zip(found.groups(), _SECONDS, strict=True)))
    if not isinstance(value, bool) and re.fullmatch(r"[0-9]{1,6}", text):
        raise ValueError(f"{text} has no unit; write {text}s for seconds, {text}m for minutes, {text}h or {text}d")
    raise ValueError(f"{text!r} is not a duration; write one like 20s, 2m, 1h30m or 7d")


#: A field that holds seconds and is written with units.
Duration = Annotated[float, BeforeValidator(seconds), WithJsonSchema({"type": "string", "pattern": f"^{_PATTERN}$"})]
