"""MetaMorph .nd: a text that says how many wavelengths, positions and times were planned, and so which files there are.

Keys and file names: `MetamorphReader.java` of github ome/bioformats; reference/image-formats.md 2.8. The text is there
from the start, and a wavelength may be taken at every n-th, the first or the last time only: the product is an upper
bound. But what one position of a wavelength has at some time, all its positions have.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from watcher.formats.base import Claim, Examination
from watcher.formats.metadata import MAX_TEXT
from watcher.formats.reading import Unsound, open_file, size_of

#: Bytes of the text; names of a folder that are looked at; positions, wavelengths and times that are believed.
MAX_BYTES: Final = 4 << 20
MAX_NAMES: Final = 500_000
MAX_POSITIONS, MAX_WAVES, MAX_TIMES = 10_000, 1000, 10_000_000
MAX_SENTENCES: Final = 20
#: From so many times on, one that is missing at the end is not due to "every second time".
_REGULAR: Final = 3
#: Missing files that are named to the program; of more, only how many is told.
MAX_MISSING: Final = 1000

_OPENING: Final = b'"NDInfoFile"'
_LINE: Final = re.compile(r'"(\w+)"(?:\s*,\s*(.*))?')
_WHEN: Final = re.compile(r"(\d{4})(\d\d)(\d\d) (\d\d:\d\d:\d\d)(?:\.\d+)?", re.ASCII)
#: What makes a name of a wavelength a part of a file's name: MetamorphReader, "_ / \\ ( )" become "-".
_DASHES: Final = str.maketrans(dict.fromkeys("_/\\()", "-"))


class MetamorphNd:
    """MetaMorph acquisitions of many files, which an .nd file describes."""

    name = "metamorph-nd"

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether the text begins as an .nd file, and is named so: others begin with the same words."""
        return head.removeprefix(b"\xef\xbb\xbf").startswith(_OPENING) and name.lower().endswith(".nd")

    def claim(self, path: Path) -> Claim:
        """The images, stacks and thumbnails beside it whose names it explains."""
        return Claim(self.name, (path.name,), path.stem, takes=f"(?ia:{_form(path.stem)})")

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """The text is whole, the last time has been reached, and no position lacks what the others have."""
        problems: list[str] = []
        remarks: list[str] = []
        missing: list[str] = []
        metadata: dict[str, str] = {}
        sources: dict[str, str] = {}
        for name in members:
            try:
                plan = _plan(directory / name)
            except Unsound as problem:
                problems.append(f"{name}: {problem}")
                continue
            found = _Files(plan, Path(name).stem, _files(directory, Path(name).stem))
            problems += found.problems(name)
            remarks += found.remarks(name)
            missing += found.missing
            metadata = {key: value[:MAX_TEXT] for key, (value, _) in plan.said.items()} | metadata
            sources = {key: f"{name}/{where}" for key, (_, where) in plan.said.items()} | sources
        checked = "metamorph-nd:file-names"
        return Examination(not problems, tuple(problems), tuple(missing), checked, metadata, sources, tuple(remarks))


FORMAT: Final = MetamorphNd()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the text says. 0 waves, positions or times: their number is in no file's name."""

    version: str = ""
    waves: int = 0
    positions: int = 0
    times: int = 0
    names: tuple[str, ...] = ()
    deep: tuple[bool, ...] = ()
    said: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def most(self) -> int:
        """How many files there are at most."""
        return (self.waves or 1) * (self.positions or 1) * (self.times or 1)


@dataclass(frozen=True, slots=True)
class _File:
    """One image file, by the numbers in its name (0: none)."""

    name: str
    wave: int
    position: int
    time: int
    text: str
    ending: str
    thumb: bool


class _Files:
    """The image files that are there, compared with the plan."""

    def __init__(self, plan: _Plan, base: str, files: list[_File]) -> None:
        self._plan = plan
        self._base = base
        self._files = [file for file in files if not file.thumb]
        self.missing: list[str] = []
        self._lost = 0
        self._compare()

    def _compare(self) -> None:
        """Find the positions that lack what another position of the same wavelength has at the same time."""
        taken: dict[tuple[int, int], set[int]] = {}
        like: dict[int, _File] = {}
        for file in self._files:
            taken.setdefault((file.wave, file.time), set()).add(file.position)
            like[file.wave] = file
        for wave, time in self._certain(taken, like):
            taken.setdefault((wave, time), set())
        several = self._plan.positions and any(file.position for file in self._files)
        wanted = range(1, self._plan.positions + 1) if several else range(1)
        for (wave, time), positions in sorted(taken.items()):
            self._lost += len(wanted) - sum(position in wanted for position in positions)
            for position in wanted if len(self.missing) < MAX_MISSING else ():
                if position not in positions and len(self.missing) < MAX_MISSING:
                    self.missing.append(self._name(wave, position, time, like.get(wave)))

    def _certain(self, taken: dict[tuple[int, int], set[int]], like: dict[int, _File]) -> Iterator[tuple[int, int]]:
        """Wavelengths and times of which there must be images, whatever times each wavelength was planned for.

        Every wavelength is taken once. One that was taken at each time before the last is not every n-th.
        """
        last = self._plan.times
        if not (any(like) and self._plan.waves) or (last and all(time < last for _, time in taken)):
            return
        for wave in range(1, self._plan.waves + 1):
            regular = last >= _REGULAR and all((wave, time) in taken for time in range(1, last))
            if regular or wave not in like:
                yield wave, last

    def _name(self, wave: int, position: int, time: int, like: _File | None) -> str:
        """The name that a file should have; the text of its wavelength as in other files, if there are any."""
        plan = self._plan
        said = plan.names[wave - 1] if 0 < wave <= len(plan.names) else ""
        stack = plan.version.startswith("1") and wave <= len(plan.deep) and any(plan.deep[wave - 1 : wave])
        parts = [self._base]
        parts += [f"_w{wave}{like.text if like else said.translate(_DASHES)}"] if wave else []
        parts += [f"_s{position}"] if position else []
        parts += [f"_t{time}"] if time else []
        return "".join(parts) + (like.ending if like else ".STK" if stack else ".TIF")

    def problems(self, nd: str) -> Iterator[str]:
        """A sentence for each missing file, up to a number that someone reads, and whether the end was reached."""
        if not self._files:
            yield f"{nd}: unfinished: no image file of it is there yet"
            return
        for name in self.missing[:MAX_SENTENCES]:
            yield f"{name}: missing, by what {nd} and the other files say"
        if self._lost > MAX_SENTENCES:
            yield f"{self._lost - MAX_SENTENCES} more files are missing that {nd} tells of"
        last = max(file.time for file in self._files)
        if 0 < last < self._plan.times:  # 0: all times are in one stack
            yield f"{nd}: unfinished: {self._plan.times} time points were planned, the last file is of number {last}"

    def remarks(self, nd: str) -> Iterator[str]:
        """How many files there are, if not as many as there could be."""
        if self._files and len(self._files) < self._plan.most:
            yield f"{nd}: there are {len(self._files)} of at most {self._plan.most} image files"


def _plan(path: Path) -> _Plan:
    """Read the text. Raises Unsound."""
    with open_file(path) as file:
        if size_of(file) > MAX_BYTES:
            raise Unsound(f"longer than {MAX_BYTES} bytes, which no real one is")
        file.seek(0)
        raw = file.read(MAX_BYTES)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")
    values: dict[str, str] = {}
    for line in text.splitlines():
        if found := _LINE.fullmatch(line.strip()):
            values.setdefault(found[1], (found[2] or "").strip())
    if not text.rstrip().endswith('"EndFile"'):
        raise Unsound('cut off: its last line is not "EndFile"')
    waves = _count(values, "DoWave", "NWavelengths", MAX_WAVES)
    names = tuple(values.get(f"WaveName{wave}", "").strip('"') for wave in range(1, waves + 1))
    return _Plan(
        version=values.get("NDInfoFile", "").rpartition(" ")[2],
        waves=waves,
        positions=_count(values, "DoStage", "NStagePositions", MAX_POSITIONS),
        times=_count(values, "DoTimelapse", "NTimePoints", MAX_TIMES),
        names=names if values.get("WaveInFileName", "TRUE").upper() != "FALSE" else (),
        deep=tuple(values.get(f"WaveDoZ{wave}", "").upper() == "TRUE" for wave in range(1, waves + 1)),
        said=dict(_describe(values, names)),
    )


def _count(values: dict[str, str], switch: str, key: str, most: int) -> int:
    """A number of wavelengths, positions or times; 0 if there is only one, and no number in the names."""
    if values.get(switch, "").upper() != "TRUE":
        return 0
    said = values.get(key, "1")
    if not re.fullmatch(r"\d{1,9}", said, re.ASCII) or int(said) > most:
        raise Unsound(f"damaged: {key} is {said[:20]!r}, which no acquisition has")
    return max(1, int(said))


def _describe(values: dict[str, str], names: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, str]]]:
    if found := _WHEN.match(values.get("StartTime1", "").strip('"')):
        yield "acquired", (f"{found[1]}-{found[2]}-{found[3]}T{found[4]}", "StartTime1")
    if any(names):
        yield "channels", (", ".join(name for name in names if name), "WaveName")


def _form(base: str) -> str:
    """What the names of a run's images look like."""
    return (
        re.escape(base)
        + r"(?P<a>_thumb)?(?:_w(?P<w>\d{1,4})(?P<text>.*?))?(?:_s(?P<s>\d{1,6}))?(?:_t(?P<t>\d{1,8}))?(?P<b>_thumb)?"
        + r"(?P<ending>\.(?:tiff?|stk))"
    )


def _files(folder: Path, base: str) -> list[_File]:
    """The image files of a folder with this base in their names, thumbnails too."""
    form = re.compile(_form(base), re.IGNORECASE | re.ASCII)
    found = []
    with os.scandir(folder) as entries:
        for _, entry in zip(range(MAX_NAMES), entries, strict=False):
            if part := form.fullmatch(entry.name):
                wave, position, time = (int(part[key] or 0) for key in ("w", "s", "t"))
                thumb = bool(part["a"] or part["b"])
                text = part["text"] or ""
                found.append(_File(entry.name, wave, position, time, text, part["ending"], thumb))
    return sorted(found, key=lambda file: file.name)
