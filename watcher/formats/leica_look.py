"""One look at LIF or LOF files: what was found in each, and what that says of all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from watcher.formats.absent import absent, sentences
from watcher.formats.base import Examination
from watcher.formats.leica import LeicaXml
from watcher.formats.reading import Unsound, open_file
from watcher.formats.vendor_xml import TooLarge


@dataclass(slots=True)
class Look:
    """What was found in one file."""

    name: str
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    unsure: str = ""
    xml: LeicaXml = field(default_factory=LeicaXml)


def examine(
    directory: Path,
    members: Sequence[str],
    check: Callable[[BinaryIO, Look], None],
    checked: str,
    *,
    told_by: str = "",
) -> Examination:
    """Check each file that is there; the metadata are those of the first, or of the first whose XML is a `told_by`.

    `check` adds to the look and may raise Unsound and TooLarge. Raises OSError.
    """
    missing = absent(directory, members)
    looks = [_look(directory / name, name, check) for name in members if name not in missing]
    problems = (
        *(f"{look.name}: {problem}" for look in looks for problem in look.problems),
        *sentences(missing, "it is no longer there"),
    )
    unsure = next((f"unchecked: {look.name}: {look.unsure}" for look in looks if look.unsure), "")
    told = min(looks, key=lambda look: bool(told_by) and look.xml.root != told_by, default=Look("")).xml
    return Examination(
        sound=False if problems else None if unsure else True,
        problems=problems,
        missing=tuple(missing),
        checked=checked if problems or not unsure else unsure,
        metadata=told.metadata(),
        sources=told.sources(),
        remarks=tuple(f"{look.name}: {remark}" for look in looks for remark in look.remarks),
    )


def _look(path: Path, name: str, check: Callable[[BinaryIO, Look], None]) -> Look:
    found = Look(name)
    with open_file(path) as file:
        try:
            check(file, found)
        except Unsound as problem:
            found.problems.append(str(problem))
        except TooLarge as reason:
            found.unsure = str(reason)
    return found
