"""When somebody is told what needs a person: on a change only, once, together with what came at about the same time.

Whoever was told of something, or may have been, is told that it is over. What comes and goes within two minutes is not
told at all.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from watcher.journal.notices import Knows, Notice
from watcher.overview.attention import Attention

#: What does not last so long is not told, in seconds; nor is an end of it that does not.
SETTLES: Final = 120.0
#: So long after the first of several things they are told in one message.
GATHERS: Final = 300.0
#: And so long after a message at the soonest comes the next with something urgent.
APART: Final = 900.0


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at everything that needs a person changed for one addressee."""

    notices: tuple[Notice, ...]
    changed: tuple[Notice, ...]
    dropped: tuple[str, ...]


def look(known: Iterable[Notice], found: Mapping[str, Attention], now: float) -> Look:
    """What is to be known of each thing now; `found` is by key all that is there and concerns the addressee."""
    before = {notice.key: notice for notice in known}
    after = {notice.key: notice for notice in _still_known(before.values(), found, now)}
    for key, attention in found.items():
        if key not in before:
            after[key] = Notice(key, attention.what, attention.since, attention.urgent, attention.set_id, now)
    changed = [notice for key, notice in after.items() if before.get(key) != notice]
    return Look(tuple(after.values()), tuple(changed), tuple(before.keys() - after.keys()))


def _still_known(known: Iterable[Notice], found: Mapping[str, Attention], now: float) -> Iterator[Notice]:
    for notice in known:
        attention = found.get(notice.key)
        if attention is None:
            if notice.knows is not Knows.NO:
                yield notice if notice.gone_at is not None else replace(notice, gone_at=now)
        elif notice.gone_at is not None:
            # Of an end that was told, or may have been, it is a new beginning.
            seen_at = notice.seen_at if notice.knows is Knows.YES else now
            yield replace(notice, gone_at=None, urgent=attention.urgent, seen_at=seen_at)
        elif notice.urgent != attention.urgent or notice.knows is not Knows.YES:
            worse = attention.urgent and not notice.urgent
            what, seen_at = attention.what, now if worse else notice.seen_at
            yield replace(notice, what=what, urgent=attention.urgent, seen_at=seen_at)
        else:
            yield notice


def to_tell(notices: Iterable[Notice], now: float) -> list[Notice]:
    """What a message that is written now holds: all that is news and has lasted."""
    return [notice for notice in notices if _is_news(notice) and now - _moment(notice) >= SETTLES]


def due_at(notices: Iterable[Notice], told_at: float | None, every: float, *, urgent: bool) -> float | None:
    """When a message about what is urgent (or else is not) may go; None if there is nothing to be told of that.

    `told_at` is when the last one went, and `every` the time in seconds between two about what is not urgent.
    """
    moments = [_moment(notice) for notice in notices if _is_news(notice) and _is_urgent(notice) is urgent]
    if not moments:
        return None
    apart = min(APART, every) if urgent else every
    return max(min(moments) + GATHERS, (told_at or 0.0) + apart)


def begun(notices: Iterable[Notice]) -> list[Notice]:
    """The notices as they are before somebody is told of them: from now on that may have come."""
    return [replace(one, knows=Knows.PERHAPS, alarmed=_alarms(one)) for one in notices]


def told(notices: Iterable[Notice]) -> list[Notice]:
    """What is still to be known after somebody was told of these."""
    return [replace(notice, knows=Knows.YES) for notice in notices if notice.gone_at is None]


def _is_news(notice: Notice) -> bool:
    if notice.gone_at is not None:
        return notice.knows is not Knows.NO
    return notice.knows is not Knows.YES or (notice.urgent and not notice.alarmed)


def _moment(notice: Notice) -> float:
    return notice.seen_at if notice.gone_at is None else notice.gone_at


def _is_urgent(notice: Notice) -> bool:
    return notice.urgent if notice.gone_at is None else notice.alarmed


def _alarms(notice: Notice) -> bool:
    """Whether somebody who is told of this knows it as urgent: of what may not have come nothing is known."""
    if notice.gone_at is not None:
        return notice.alarmed
    return notice.urgent or (notice.alarmed and notice.knows is Knows.YES)
