"""The facility in one sentence, and how each instrument is in words."""

from collections.abc import Sequence
from typing import Final

from watcher.fleet.register import MOODS, SILENT, UNHEARD, Line
from watcher.overview import words
from watcher.overview.language import later, say, say_many

_PLAIN: Final = {
    "attention": later("needs attention"),
    SILENT: later("silent"),
    UNHEARD: later("not heard of yet"),
    "paused": later("paused"),
    "busy": later("on the way"),
    "safe": later("all safe"),
}


#: So many silent instruments are named in the one sentence.
_NAMED: Final = 3


def plain(mood: str) -> str:
    """How an instrument is, in a few words."""
    return say(_PLAIN[mood])


def mood(lines: Sequence[Line]) -> str:
    """The facility in one of the words that a page knows (`Overview.mood`): that of the worst of its instruments."""
    worst = min((line.mood for line in lines), key=MOODS.index)
    return {SILENT: "attention", UNHEARD: "paused"}.get(worst, worst)


def sentence(lines: Sequence[Line]) -> str:
    """The one sentence on top."""
    by_mood = {name: [line for line in lines if line.mood == name] for name in MOODS}
    said = []
    if needy := by_mood["attention"]:
        one, many = "{number} instrument needs somebody", "{number} instruments need somebody"
        said.append(_named(needy) or say_many(one, many, len(needy)))
    if silent := by_mood[SILENT]:
        said.append(_silent(silent))
    if unheard := by_mood[UNHEARD]:
        said.append(_unheard(unheard))
    well = [line for line in lines if line.mood in {"paused", "busy", "safe"}]
    if said:
        if well:
            said.append(say_many("{number} instrument is well", "{number} instruments are well", len(well)))
        return "; ".join(said) + "."
    if on_the_way := sum(line.heard.report.on_the_way for line in well if line.heard):
        way = say_many("{number} set is on the way", "{number} sets are on the way", on_the_way)
        return way + say_many("; {number} instrument is well.", "; all {number} instruments are well.", len(well))
    one, many = "All images of the one instrument are safe.", "All images of all {number} instruments are safe."
    return say_many(one, many, len(well))


def _named(needy: Sequence[Line]) -> str:
    return say("{instrument} needs somebody", instrument=needy[0].instrument.name) if len(needy) == 1 else ""


def _silent(silent: Sequence[Line]) -> str:
    (first, *others) = silent
    if len(silent) > _NAMED:
        return say_many("{number} instrument is silent", "{number} instruments are silent", len(silent))
    if others:
        return say("{instruments} are silent", instruments=", ".join(line.instrument.name for line in silent))
    if first.heard is None:
        return say("{instrument} has never reported", instrument=first.instrument.name)
    return say("{instrument} is silent since {when}", instrument=first.instrument.name, when=words.when(first.heard.at))


def _unheard(unheard: Sequence[Line]) -> str:
    (first, *others) = unheard
    if others:
        one, many = "{number} instrument has not reported yet", "{number} instruments have not reported yet"
        return say_many(one, many, len(unheard))
    return say("{instrument} has not reported yet", instrument=first.instrument.name)
