"""Is a complete set sound? The formats look at its files; what no format knows is labelled unchecked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from watcher import formats
from watcher.formats.base import Examination


@dataclass(frozen=True, slots=True)
class Validation:
    """What is known of a set's soundness; `checked` names what was done, for `acq:validated_by`."""

    sound: bool | None
    problems: tuple[str, ...]
    checked: str
    embedded: dict[str, str]
    sources: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def validate(
    root: Path,
    files: Sequence[tuple[str, str]],
    examine: Callable[[str, Path, tuple[str, ...]], Examination] | None = None,
) -> Validation:
    """Look into the files of one set, given as (path below root, format or ""); OSError passes through.

    Files of one format in one folder are looked at together. The set is sound if every part is that could be checked,
    unchecked (None) if no part could.
    """
    parts: dict[tuple[str, str], list[str]] = {}
    for path, kind in files:
        if kind:
            folder, _, name = path.rpartition("/")
            parts.setdefault((kind, folder), []).append(name)
    sound: bool | None = None
    problems: list[str] = []
    checked: dict[str, None] = {}
    embedded: dict[str, str] = {}
    sources: dict[str, str] = {}
    remarks: dict[str, None] = {}
    for (kind, folder), members in sorted(parts.items()):
        found = (examine or _examine)(kind, root / folder, tuple(members))
        problems += found.problems
        problems += (f"{name}: it is listed by the set and is not there" for name in found.missing)
        if found.sound is not None or found.missing:
            sound = bool(found.sound) and not found.missing and sound is not False
        checked[found.checked] = None
        sources |= {key: found.sources.get(key, "") for key in found.metadata if key not in embedded}
        embedded = {**found.metadata, **embedded}
        remarks |= dict.fromkeys(found.remarks)
    unchecked = sum(not kind for _, kind in files)
    what = ", ".join(checked) or "unchecked"
    if checked and unchecked:
        what += f"; {unchecked} of {len(files)} files unchecked"
    return Validation(sound, tuple(dict.fromkeys(problems)), what, embedded, sources, tuple(remarks))


def _examine(kind: str, folder: Path, members: tuple[str, ...]) -> Examination:
    return formats.by_name(kind).examine(folder, members)
