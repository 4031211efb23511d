"""What messages to people say: what is wrong, since when, what to do, and what is over or safe."""

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from watcher.journal.notices import Notice
from watcher.model import ImageSet
from watcher.notify.base import Message, Tone
from watcher.overview import words
from watcher.overview.language import say, say_many

#: So many things of a sort are told one by one, and so many sets; each in so many letters.
_MOST: Final = 15
_MOST_SETS: Final = 100
_LONGEST: Final = 400
_TITLE: Final = 100


@dataclass(frozen=True, slots=True)
class Desk:
    """From where messages are written: the instrument, its status page if there is one, and where its sets are."""

    instrument: str
    page: str
    place: Callable[[ImageSet], str]
    maybe: Callable[[str], ImageSet | None]


def needs(notices: Sequence[Notice], cures: Sequence[str], desk: Desk) -> Message:
    """What needs a person, and what is over; `cures` say what can be done."""
    there = [notice for notice in notices if notice.gone_at is None]
    over = [notice for notice in notices if notice.gone_at is not None]
    urgent = [notice for notice in there if notice.urgent]
    lines = [
        *_section(say("This needs somebody:"), [_said(one) for one in urgent]),
        *_section(say("Not urgent:"), [_said(one) for one in there if not one.urgent]),
        *_section(say("This is over:"), [_ended(one, desk) for one in over]),
    ]
    lines += _section(say("What can be done:"), cures)
    kind: Tone = "failure" if urgent else "warning" if there else "success"
    return _message(_headline(urgent or there or over, over=not there), lines, kind, desk)


def safe(sets: Sequence[ImageSet], desk: Desk) -> Message:
    """That sets are in the archive, and where."""
    one, many = "{number} image set is safe in the archive", "{number} image sets are safe in the archive"
    title = say_many(one, many, len(sets))
    told = [f"{found.name}: {desk.place(found)} ({_size(found)})" for found in sets]
    return _message(title, [*_section(f"{title}:", told, _MOST_SETS)], "success", desk)


def trial(desk: Desk) -> Message:
    """That a way to people works."""
    text = say("This is a test: what needs somebody at {instrument} will be told this way.", instrument=desk.instrument)
    return _message(say("a test"), [text], "info", desk)


def _message(title: str, lines: Sequence[str], kind: Tone, desk: Desk) -> Message:
    foot = [say("Status page: {page}", page=desk.page)] if desk.page else []
    foot.append(say("On the computer of {instrument} `irods-watcher status` tells more.", instrument=desk.instrument))
    text = "\n".join((*lines, *foot))
    return Message(words.printable(f"{desk.instrument}: {title}"), words.printable(text), kind)


def _headline(those: Sequence[Notice], *, over: bool) -> str:
    if len(those) == 1:
        what = textwrap.shorten(those[0].what, _TITLE, placeholder=" ...")
        return say("over: {what}", what=what) if over else what
    if over:
        return say_many("{number} problem is over", "{number} problems are over", len(those))
    return say_many("{number} thing needs somebody", "{number} things need somebody", len(those))


def _section(title: str, told: Sequence[str], most: int = _MOST) -> Iterator[str]:
    if not told:
        return
    yield title
    yield from (f"- {textwrap.shorten(what, _LONGEST, placeholder=' ...')}" for what in told[:most])
    if len(told) > most:
        yield say_many("- and {number} more", "- and {number} more", len(told) - most)
    yield ""


def _said(one: Notice) -> str:
    return say("{what} (since {when})", what=one.what, when=words.when(one.since or one.seen_at))


def _ended(one: Notice, desk: Desk) -> str:
    """That something is over; of a set also what became of it."""
    found = desk.maybe(one.set_id) if one.set_id else None
    if found:
        was = one.what.removeprefix(f"{found.name}: ")
        return say("{set}: {state} (was: {what})", set=found.name, state=words.plain(found.state), what=was)
    begin, end = words.when(one.since or one.seen_at), words.when(one.gone_at)
    return say("{what} (from {begin} to {end})", what=one.what, begin=begin, end=end)


def _size(one: ImageSet) -> str:
    return f"{words.files(one.files)}, {words.amount(one.bytes)}"
