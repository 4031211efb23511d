"""What the pages show of sets and of the instrument, in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from watcher.model import UNDER_WAY, Attribution, ImageSet, State
from watcher.overview import words
from watcher.overview.attention import Attention, what_to_do
from watcher.overview.language import say
from watcher.overview.people import how_well
from watcher.overview.picture import Hour, Overview, Sending, safe_to_delete
from watcher.web import discreet
from watcher.web.asking import Ask

#: The height of the strip of the last 24 hours, and the width of an hour with its gap, in pixels.
_HIGH: Final = 48
_WIDE: Final = 12
_LOWEST: Final = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One set in the list."""

    one: ImageSet
    detail: str
    who: str
    bytes: int
    safe: bool | None
    bar: Sending | None
    picture: bool

    @property
    def number(self) -> str:
        """Its identifier as it stands in addresses."""
        return self.one.id.removeprefix("urn:uuid:")


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that needs a person, and what to do about it."""

    what: str
    to_do: str
    since: float | None
    urgent: bool
    number: str


@dataclass(frozen=True, slots=True)
class Beat:
    """One hour of the strip: where its bars stand, in pixels, and what it says."""

    x: int
    y: int
    safe: int
    held: int
    words: str


def rows(ask: Ask, sets: Sequence[ImageSet]) -> list[Row]:
    """The sets of a page of the list."""
    known = ask.site.journal.listing.attributions([one.id for one in sets])
    bars = {bar.image_set.id: bar for bar in tiles(ask.site.glance(ask.language)).sending}
    return [
        Row(
            one,
            words.detail(one),
            who(ask, known.get(one.id)),
            one.bytes or ask.site.journal.sets.amounts(one.id)[1],
            safe_to_delete(one),
            bars.get(one.id),
            one.state in {State.PUBLISHED, State.RELEASED} and ask.site.thumbnail(one.id) is not None,
        )
        for one in sets
    ]


def who(ask: Ask, made_by: Attribution | None) -> str:
    """Who made a set in a few words: their names where they may be seen, else for which request."""
    if made_by is None:
        return ""
    request = made_by.facts.get("request", "")
    if ask.sees_people:
        names = "; ".join(person.name for person in made_by.creators)
        return names or request or how_well(made_by.state)
    return request or how_well(made_by.state)


def needs(ask: Ask, overview: Overview) -> list[Need]:
    """What needs a person, what is urgent first."""
    found: dict[str, Attention] = {}
    for one in overview.attention:
        plain = one if ask.sees_people else discreet.attention(one)
        found.setdefault(plain.key, plain)
    return [
        Need(one.what, what_to_do(one), one.since, one.urgent, one.set_id.removeprefix("urn:uuid:"))
        for one in found.values()
    ]


@dataclass(frozen=True, slots=True)
class Tiles:
    """What is going on, for the tiles: numbers of sets, and those of which bytes are on their way."""

    writing: int
    waiting: int
    sending: tuple[Sending, ...]


def tiles(overview: Overview) -> Tiles:
    """How many sets are being written and how many wait to be safe, and what is being sent."""
    counts = overview.counts
    sending = tuple(bar for bar in overview.sending if 0 < bar.done < bar.total and not bar.image_set.on_hold)
    return Tiles(counts.get(State.GROWING, 0), sum(counts.get(state, 0) for state in UNDER_WAY), sending)


def became(overview: Overview) -> dict[str, int]:
    """What happened in the last hours."""
    return {"safe": sum(hour.safe for hour in overview.hours), "held": sum(hour.held for hour in overview.hours)}


def beats(hours: Sequence[Hour]) -> list[Beat]:
    """The strip of the last hours, each as high as many sets became safe, beside the busiest one."""
    most = max((hour.safe + hour.held for hour in hours), default=0) or 1
    return list(_beats(hours, most))


def _beats(hours: Sequence[Hour], most: int) -> Iterator[Beat]:
    for number, hour in enumerate(hours):
        safe, held = (count and max(_LOWEST, round(_HIGH * count / most)) for count in (hour.safe, hour.held))
        safe = min(safe, _HIGH - held)
        said = say("{time}: {safe} safe, {held} in need", time=words.when(hour.begin)[11:16], safe=hour.safe,
                   held=hour.held)  # fmt: skip
        yield Beat(number * _WIDE, _HIGH - safe - held, safe, held, said)
