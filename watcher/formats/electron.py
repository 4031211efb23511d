"""What the electron microscopy families share: findings by file, what SerialEM writes into titles, and lengths."""

import errno
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from watcher.formats.base import Examination
from watcher.formats.metadata import MAX_TEXT
from watcher.formats.reading import Unsound, open_file, size_of

#: Sentences about missing files that someone reads.
MAX_SENTENCES: Final = 20

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE: Final = re.compile(r"\b(\d{1,2})-([A-Za-z]{3})-(\d{4}|\d{2})\s+(\d{1,2}):(\d{2}):(\d{2})\b")
_SERIAL_EM: Final = re.compile(r"SerialEM:\s*(.*?)\s*(?:\d{1,2}-[A-Za-z]{3}-\d{2,4}\b.*)?$")


@dataclass(slots=True)
class Finding:
    """What looking into one file found. unsure: why a file without problems is not vouched for, "" if it is."""

    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    unsure: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def says(self, key: str, value: str, source: str) -> None:
        """Keep what the file says of itself; the first place that says it counts, and nothing is kept of nothing."""
        if value and key not in self.metadata:
            self.metadata[key] = value[:MAX_TEXT]
            self.sources[key] = source


def gathered(checked: str, findings: Mapping[str, Finding], missing: Sequence[str] = ()) -> Examination:
    """The examination that follows from the findings of a set's files, by name. The first file's metadata win."""
    metadata: dict[str, str] = {}
    sources: dict[str, str] = {}
    for finding in findings.values():
        metadata = {**finding.metadata, **metadata}
        sources = {**finding.sources, **sources}
    problems = tuple(f"{name}: {text}" for name, finding in findings.items() for text in finding.problems)
    remarks = tuple(f"{name}: {text}" for name, finding in findings.items() for text in finding.remarks)
    unsure = next((f"unchecked: {name}: {one.unsure}" for name, one in findings.items() if one.unsure), "")
    sound = False if problems or missing else None if unsure else True
    return Examination(
        sound=sound,
        problems=(*problems, *absences(missing)),
        missing=tuple(missing),
        checked=unsure if sound is None else checked,
        metadata=metadata,
        sources=sources,
        remarks=remarks,
    )


def absences(missing: Sequence[str]) -> Iterator[str]:
    """A sentence for each missing file, up to a number that someone reads."""
    yield from (f"{name}: missing, the set lists it" for name in missing[:MAX_SENTENCES])
    if len(missing) > MAX_SENTENCES:
        yield f"{len(missing) - MAX_SENTENCES} more files are missing, up to {missing[-1]}"


def is_there(path: Path) -> bool:
    """Whether a file of that name is there; a name that cannot even be is not. Other OSErrors pass through."""
    try:
        return path.is_file()
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.EINVAL):
            return False
        raise


class Looker(Protocol):
    """Looks into one open file and says what it found."""

    def look(self, file: BinaryIO, size: int, found: Finding) -> None:
        """Add to the finding. May raise Unsound, which becomes a problem."""
        ...


def look_into(path: Path, looker: Looker) -> Finding:
    """Open a file, look into it, and turn what contradicts itself into a problem. OSError passes through."""
    found = Finding()
    with open_file(path) as file:
        size = size_of(file)
        try:
            if not size:
                raise Unsound("empty: the file has no bytes yet")
            looker.look(file, size, found)
        except Unsound as problem:
            found.problems.append(str(problem))
    return found


def clean(raw: bytes) -> str:
    """Text of a fixed-width field: up to its first zero byte, without what does not print."""
    text = raw.partition(b"\0")[0].decode("utf-8", "replace")
    return "".join(letter for letter in text if letter.isprintable()).strip()[:MAX_TEXT]


def serial_em_date(text: str) -> str:
    """A date as SerialEM writes it ("30-Nov-15  15:21:38") in ISO 8601, without an offset; "" if there is none."""
    found = _DATE.search(text)
    if found is None or (month := found[2].lower()) not in _MONTHS:
        return ""
    day, year, hour, minute, second = (int(found[group]) for group in (1, 3, 4, 5, 6))
    if not (1 <= day <= 31 and hour < 24 and minute < 60 and second < 61):
        return ""
    year += 2000 if year < 100 else 0
    return f"{year:04}-{_MONTHS.index(month) + 1:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"


def serial_em_title(found: Finding, title: str, source: str) -> None:
    """Keep the instrument that SerialEM names in the first title of its files ("SerialEM: <name>  <date>")."""
    if (match := _SERIAL_EM.match(title[:MAX_TEXT])) is not None:
        found.says("instrument", match[1], source)
        found.says("software", "SerialEM", source)


def micrometres(lengths: Iterable[float], unit: float) -> str:
    """Lengths in some unit (in micrometres) as "0.1x0.1"; "" if one of them is no length."""
    values = [length * unit for length in lengths]
    if not all(0 < value < 1e6 for value in values):
        return ""
    return "x".join(f"{value:.6g}" for value in values)
