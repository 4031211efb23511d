"""Durations and rates as people write them: `20s`, `2m`, `24h`, `7d`, `1h30m`; `80MB/s`, `1.5GiB/s`."""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

_PATTERN: Final = r"(?=[0-9])(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?"
_SECONDS: Final = (86400, 3600, 60, 1)

_BYTES: Final = {
    **{unit: 1000**power for power, unit in enumerate(("B", "kB", "MB", "GB", "TB"))},
    **{unit: 1024**power for power, unit in enumerate(("KiB", "MiB", "GiB", "TiB"), 1)},
}
_SIZE: Final = rf"([0-9]{{1,6}}(?:\.[0-9]{{1,3}})?)({'|'.join(_BYTES)})"
#: Below this a block that was just read would take minutes, and a connection that is silent so long is cut by others.
_SLOWEST: Final = 100_000


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


def bytes_per_second(value: object) -> float:
    """The bytes in a second of a rate with units, decimal (MB) or binary (MiB); a float is that already.

    Raises ValueError, with the cure, for anything else.
    """
    if isinstance(value, float):
        return value
    text = str(value)
    if not (isinstance(value, str) and (found := re.fullmatch(f"{_SIZE}/s", text))):
        if isinstance(value, str) and re.fullmatch(_SIZE, text):
            raise ValueError(f"{text} is a size and no rate; write {text}/s")
        raise ValueError(f"{text!r} is not a rate; write one like 80MB/s or 20MiB/s (of bytes: 8Mbit/s is 1MB/s)")
    rate: float = float(found[1]) * _BYTES[found[2]]
    if rate < _SLOWEST:
        raise ValueError(f"{text} is too little to work with; write at least 100kB/s")
    return rate


#: A field that holds bytes per second and is written with units.
Rate = Annotated[
    float, BeforeValidator(bytes_per_second), WithJsonSchema({"type": "string", "pattern": f"^{_SIZE}/s$"})
]
