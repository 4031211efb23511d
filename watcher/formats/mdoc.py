"""SerialEM .mdoc: a tilt series or montage with its stack, or a movie with its frames.

Text of `key = value` lines in sections: `[ZValue = n]` describes section n of the stack that the file name or
`ImageFile` names, `[FrameSet = n]` a movie at `SubFramePath` with `NumSubFrames` frames, saved along with it
(reference/image-formats.md 3.5, with SerialEM help hidd_k2_save_options; the sample files). The paths are those of
the acquisition PC, of which only the last part counts here. While a series runs the file is written again after each
section, so a text that ends between two sections is only found out by its stack.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import BinaryIO, Final

from watcher.formats import mrc, tiff
from watcher.formats.base import Claim, Examination
from watcher.formats.electron import (
    MAX_SENTENCES,
    Finding,
    gathered,
    is_there,
    micrometres,
    serial_em_date,
    serial_em_title,
)
from watcher.formats.reading import Unsound, inside, open_file

#: Bytes and lines of a text that are read, and bytes of one line; real files have 30 lines, a kilobyte, a section.
MAX_BYTES: Final = 16 << 20
MAX_LINES: Final = 700_000
MAX_LINE: Final = 1 << 13
#: Sections of one text; a tilt series has about a hundred, a montage a few thousand.
MAX_SECTIONS: Final = 20_000
#: Bytes of a file's name.
MAX_NAME: Final = 255
#: Movies whose frames are counted.
MAX_MOVIES: Final = 1000

_SECTION = re.compile(r"\[(\w+) = ?(.*)\]\s*$")
_OPENING = re.compile(
    rb"^(?:\[(?:ZValue|FrameSet|MontSection|T) = |T = SerialEM|(?:PixelSpacing|ImageFile|ImageSize|DataMode) = )",
    re.MULTILINE,
)
# The only keys that are kept, so that memory does not grow with the text
_HEAD = frozenset({"ImageFile", "ImageSize", "PixelSpacing", "Version"})
_KEYS = frozenset({"SubFramePath", "NumSubFrames", "DateTime", "PixelSpacing", "Magnification"})
_STACKS = (*mrc.SUFFIXES, ".tif", ".tiff")
_TIFFS = (".tif", ".tiff")


@dataclass(slots=True)
class Movie:
    """One file of frames: its name without the path, and how many frames it has (0: not said)."""

    name: str | None
    frames: int = 0


@dataclass(slots=True)
class Text:
    """What an mdoc says. sections: how many of the stack it describes, top: the highest of them plus one.

    head: the lines before the first section, first: those of the first. described: sections that should have a time,
    dates: those times, last_dated: whether the last section has one. begun: sections of all kinds.
    """

    head: dict[str, str] = field(default_factory=dict)
    title: str = ""
    first: dict[str, str] = field(default_factory=dict)
    kind: str = ""
    sections: int = 0
    top: int = 0
    movies: list[Movie] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    described: int = 0
    begun: int = 0
    last_dated: bool = True
    problems: list[str] = field(default_factory=list)

    @property
    def of_frames(self) -> bool:
        """Whether it describes movies and no stack."""
        return self.kind == "FrameSet"


class Mdoc:
    """SerialEM's metadata and what they describe."""

    name = "mdoc"

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether it is named .mdoc and begins with SerialEM's sections or keys."""
        return name.lower().endswith(".mdoc") and b"\0" not in head and _OPENING.search(head) is not None

    def claim(self, path: Path) -> Claim:
        """The stack or the movies that the text names, with the text itself."""
        text = read(path)
        names, problems = _names(path, text)
        titled = names[0] if len(names) == 1 or _stack(path.name, text) else path.name
        remarks: tuple[str, ...] = ()
        if text.movies and not text.of_frames and not _frames_here(path.parent, text):
            remarks = (f"{path.name}: its {len(text.movies)} movies of frames lie in another folder",)
        return Claim(
            self.name,
            (path.name, *(name for name in names if name != path.name)),
            Path(titled).stem,
            tuple(f"{path.name}: {problem}" for problem in problems),
            remarks=remarks,
        )

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Everything named is there; the stack has the sections and the movies have the frames that are described."""
        findings: dict[str, Finding] = {}
        missing: dict[str, None] = {}
        for member in members:
            path = directory / member
            text = read(path)
            found = findings[member] = Finding()
            found.problems += text.problems
            _describe(text, found)
            names, problems = _names(path, text)
            found.problems += problems
            missing |= {_beside(member, name): None for name in names if not is_there(path.parent / name)}
            _count_sections(path, text, found)
            _count_frames(path, text, found)
        return gathered("mdoc:listing+counts", findings, tuple(missing))


def read(path: Path) -> Text:
    """Read a text, keeping only what is needed. Content never raises; OSError passes through."""
    text = Text()
    with open_file(path) as file:
        try:
            _parse(file, text)
        except Unsound as problem:
            text.problems.append(str(problem))
    return text


def _parse(file: BinaryIO, text: Text) -> None:
    values: dict[str, str] | None = None
    kind = ""
    left = MAX_BYTES
    lines = 0
    line = b""
    while raw := file.readline(MAX_LINE):
        left -= len(raw)
        lines += 1
        if left < 0 or lines > MAX_LINES:
            raise Unsound(f"it is longer than {MAX_BYTES} bytes or {MAX_LINES} lines, which no such text is")
        if b"\0" in raw:
            raise Unsound("damaged: zero bytes stand in the text")
        line = raw
        said = raw.decode("utf-8-sig" if lines == 1 else "utf-8", "replace").strip()
        if (section := _SECTION.match(said)) is not None:
            if section[1] == "T":
                text.title = text.title or section[2].strip()
                continue
            _close(text, kind, values)
            kind, values = section[1], {}
            _open(text, kind, section[2].strip())
        elif " =" in said:
            key, _, value = said.partition(" =")
            if values is None and key == "T":
                text.title = text.title or value.strip()
            elif key in (_HEAD if values is None else _KEYS):
                (text.head if values is None else values).setdefault(key, value.strip())
    _close(text, kind, values)
    if not line:
        raise Unsound("empty: the file has no bytes yet")
    if not line.endswith(b"\n"):
        raise Unsound("cut off: its last line has no end")
    if not text.kind:
        raise Unsound("unfinished: it describes no image yet")
    if not text.last_dated and len(text.dates) == text.described - 1 > 0:
        raise Unsound("unfinished: its last section has no time, as all others have")


def _open(text: Text, kind: str, value: str) -> None:
    text.kind = text.kind or kind
    text.begun += 1
    if text.begun > MAX_SECTIONS:
        raise Unsound(f"it has more than {MAX_SECTIONS} sections, which no such text has")
    if kind == "ZValue" and not text.of_frames:
        text.sections += 1
        text.top = max(text.top, int(value) + 1 if re.fullmatch(r"\d{1,9}", value) else 0)


def _close(text: Text, kind: str, values: dict[str, str] | None) -> None:
    """Keep what counts of a section that is complete."""
    if values is None:
        return
    text.first = text.first or values
    if path := values.get("SubFramePath", ""):
        number = values.get("NumSubFrames", "")
        frames = int(number) if re.fullmatch(r"\d{1,9}", number) else 0
        text.movies.append(Movie(_name(PureWindowsPath(path).name), frames))
    if kind == "ZValue" and text.of_frames:
        return
    text.described += 1
    date = serial_em_date(values.get("DateTime", ""))
    text.last_dated = bool(date)
    if date:
        text.dates.append(date)


def _names(path: Path, text: Text) -> tuple[list[str], list[str]]:
    """The files that it names in its own folder, and what is wrong with its names."""
    names: dict[str, None] = {}
    problems = []
    wanted = [_stack(path.name, text)]
    if text.of_frames or _frames_here(path.parent, text):
        wanted += [movie.name for movie in text.movies]
    for name in wanted:
        if name is None:
            problems.append("it names a file that cannot be in its folder, which is left out")
        elif name:
            names[name] = None
    return list(names), list(dict.fromkeys(problems))


def _name(said: str) -> str | None:
    """A name in the folder; None if it leaves it, or is longer than names can be."""
    return inside(said) if len(said.encode()) <= MAX_NAME else None


def _stack(own: str, text: Text) -> str | None:
    """The stack that it describes: `X.mrc` of `X.mrc.mdoc`, or what `ImageFile` says; "" for none."""
    if text.of_frames or not text.sections:
        return ""
    if own[:-5].lower().endswith(_STACKS):
        return own[:-5]
    said = text.head.get("ImageFile", "")
    return _name(PureWindowsPath(said).name) if said else ""


def _frames_here(folder: Path, text: Text) -> bool:
    """Whether the movies of a tilt series are in its folder: SerialEM can keep them anywhere."""
    return any(movie.name and is_there(folder / movie.name) for movie in text.movies[:MAX_MOVIES])


def _count_sections(path: Path, text: Text, found: Finding) -> None:
    stack = _stack(path.name, text)
    if not stack or not is_there(path.parent / stack):
        return
    there = _images_in(path.parent / stack)
    if there is None:
        return
    if there < text.sections:
        found.problems.append(f"incomplete: it describes {text.sections} sections, {stack} has {there}")
    elif there > text.top and not text.problems:
        found.problems.append(f"unfinished: it describes the sections up to {text.top}, {stack} has {there}")
    elif there > text.sections:
        found.remarks.append(f"it describes {text.sections} of the {there} sections of {stack}")


def _count_frames(path: Path, text: Text, found: Finding) -> None:
    if len(text.movies) > MAX_MOVIES:
        found.remarks.append(f"the frames of its first {MAX_MOVIES} movies were counted")
    listed: dict[str, int] = {}
    for movie in text.movies[:MAX_MOVIES]:
        if movie.name:
            listed[movie.name] = max(movie.frames, listed.get(movie.name, 0))
    short = []
    for name, frames in listed.items():
        there = _images_in(path.parent / name) if frames and is_there(path.parent / name) else None
        if there is not None and there < frames:
            short.append(f"incomplete: it lists {frames} frames in {name}, which has {there}")
    found.problems += short[:MAX_SENTENCES]
    if len(short) > MAX_SENTENCES:
        found.problems.append(f"incomplete: {len(short) - MAX_SENTENCES} more movies have too few frames")


def _images_in(path: Path) -> int | None:
    """How many sections or pages a file has; None if it is of another kind, or says itself that it is not sound."""
    if path.name.lower().endswith(_TIFFS):
        facts = tiff.walk_path(path)
        return facts.pages if facts.sound else None
    if not path.name.lower().endswith(mrc.SUFFIXES):
        return None
    try:
        return mrc.read_header(path).sections
    except Unsound:
        return None


def _beside(member: str, name: str) -> str:
    """A name as in the folder of `member`, relative to the directory that is examined."""
    return (Path(member).parent / name).as_posix()


def _describe(text: Text, found: Finding) -> None:
    serial_em_title(found, text.title, "T")
    if version := text.head.get("Version", ""):
        found.metadata.pop("software", None)
        found.says("software", version.split(",")[0], "Version")
    if text.dates:
        found.says("acquired", min(text.dates), "DateTime")
    first = text.first
    if re.fullmatch(r"\d{1,9} \d{1,9}", size := text.head.get("ImageSize", "")) and text.sections:
        found.says("size", f"{size.replace(' ', 'x')}x{text.sections}x1x1", "ImageSize, ZValue")
    spacing = text.head.get("PixelSpacing", "") or first.get("PixelSpacing", "")
    if re.fullmatch(r"[\d.]{1,20}", spacing) and spacing.count(".") < 2 and spacing != ".":
        found.says("pixel_size_um", micrometres([float(spacing)] * 2, 1e-4), "PixelSpacing")
    if magnification := first.get("Magnification", ""):
        found.says("objective", f"{magnification}x", "Magnification")


FORMAT: Final = Mdoc()
