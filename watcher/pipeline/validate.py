"""Is a complete set sound? The formats look at its files; what no format knows is labelled unchecked."""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from watcher import formats
from watcher.formats.base import Examination
from watcher.journal.files import SeenFile


@dataclass(frozen=True, slots=True)
class Validation:
    """What is known of a set's soundness; `checked` names what was done, for `acq:validated_by`."""

    sound: bool | None
    problems: tuple[str, ...]
    checked: str
    embedded: dict[str, str]
    sources: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


#: Sentences that are kept; a person reads the first ones, and a number tells of the rest.
_MOST = 50


def validate(
    root: Path,
    files: Sequence[tuple[str, str]],
    examine: Callable[[str, Path, tuple[str, ...]], Examination] | None = None,
) -> Validation:
    """Look into the files of one set, given as (path below root, format or ""); OSError passes through.

    Files of one format in one folder are looked at together. The set is sound if every part of a known format is, and
    unchecked (None) if one of them could not be checked or none is of a known format.
    """
    parts: dict[tuple[str, str], list[str]] = {}
    for path, kind in files:
        if kind:
            folder, _, name = path.rpartition("/")
            parts.setdefault((kind, folder), []).append(name)
    verdicts: list[bool | None] = []
    problems: list[str] = []
    checked: dict[str, None] = {}
    embedded: dict[str, str] = {}
    sources: dict[str, str] = {}
    remarks: dict[str, None] = {}
    missing: list[str] = []
    for (kind, folder), members in sorted(parts.items()):
        found = (examine or _examine)(kind, root / folder, tuple(members))
        problems += found.problems
        told = {problem.partition(": ")[0] for problem in found.problems}
        problems += (f"{name}: it is listed by the set and is not there" for name in found.missing if name not in told)
        missing += found.missing
        verdicts.append(False if found.missing else found.sound)
        checked[found.checked] = None
        sources |= {key: found.sources.get(key, "") for key in found.metadata if key not in embedded}
        embedded = {**found.metadata, **embedded}
        remarks |= dict.fromkeys(found.remarks)
    sound = False if False in verdicts else None if None in verdicts or not verdicts else True
    unchecked = sum(not kind for _, kind in files)
    what = ", ".join(checked) or "unchecked"
    if checked and unchecked:
        what += f"; {unchecked} of {len(files)} files unchecked"
    return Validation(sound, _bounded(problems), what, embedded, sources, _bounded(remarks), tuple(missing))


def kind_of(root: Path, file: SeenFile, wanted: Collection[str] | None) -> str:
    """The format of a file, "" if none is known or wanted; asked now if that was left for later. OSError passes."""
    if file.claim is None or file.stale:
        claim = formats.look(root / file.path)
        kind = claim.format if claim else ""
    else:
        kind = json.loads(file.claim)[0] if file.claim else ""
    return kind if wanted is None or kind in wanted else ""


def _bounded(sentences: Iterable[str]) -> tuple[str, ...]:
    distinct = tuple(dict.fromkeys(sentences))
    more = len(distinct) - _MOST
    return distinct if more <= 0 else (*distinct[:_MOST], f"and {more} more")


def _examine(kind: str, folder: Path, members: tuple[str, ...]) -> Examination:
    return formats.by_name(kind).examine(folder, members)
