"""Times as people type them: a moment, a day, or how long ago."""

from datetime import datetime, timedelta, tzinfo

from watcher.errors import UsageError
from watcher.profile import units

_DAY = len("2026-11-27")


def moment(text: str, option: str, zone: tzinfo | None = None, *, last: bool = False) -> float:
    """Seconds since 1970; a day alone is its beginning, or its end with `last`. Raises UsageError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text}: this is no time", cure="write one like 2026-11-27T09:00") from None
    found = found if found.tzinfo else found.replace(tzinfo=zone)
    return (found + timedelta(days=1) if last and len(text) <= _DAY else found).timestamp()


def since(text: str, now: float, option: str = "--since") -> float:
    """The same; a duration is so long ago. Raises UsageError."""
    try:
        return now - units.seconds(text)
    except ValueError:
        try:
            return moment(text, option)
        except UsageError:
            cure = "write one like 2026-11-27T09:00, or 2h for two hours ago"
            raise UsageError(f"{option} {text}: this is no time", cure=cure) from None
