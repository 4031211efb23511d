"""What FluoView (Olympus FV1000, FV1200) writes in its settings: the files of a set, and what they say of themselves.

OIF and OIB hold the same files, in a folder or in one compound file. Sources: reference/image-formats.md 2.5 (the
sample shows the keys of [ProfileSaveInfo]); openreadout docs/formats/oif.md; FV1000Reader of Bio-Formats.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final

from watcher.formats.metadata import MAX_TEXT
from watcher.formats.reading import Unsound, inside

#: Bytes of one settings text, and planes of one set: real texts have some 50 KB and sets some thousand planes.
MAX_BYTES: Final = 4 << 20
MAX_PLANES: Final = 100_000
MAX_SENTENCES: Final = 20
#: Characters of a name that can be one, with its folder.
MAX_NAME: Final = 600
_UTF16 = b"\xff\xfe"

Settings = Mapping[str, Mapping[str, str]]

_NUMBER = re.compile(r"\d+")
_DATE = re.compile(r"(\d{4})[-/](\d\d)[-/](\d\d) (\d\d:\d\d:\d\d)")
_LISTED = re.compile(r"(?:Lut|Roi|Ini)FileName\d+|PtyFileNameThumbnail\d+")


@dataclass(frozen=True, slots=True)
class Planes:
    """The files that a set must have, relative to its folder, each made when asked for.

    remark: why the planes between the first and the last cannot be told, "" if they can.
    """

    named: tuple[str, ...]
    numbered: Callable[[], Iterator[str]]
    remark: str = ""

    def __iter__(self) -> Iterator[str]:
        yield from self.named
        yield from self.numbered()


def begins_as_settings(head: bytes) -> bool:
    """Whether a file begins as a settings text: UTF-16 with its mark, or plain, and then a section."""
    return head.startswith((b"\xff\xfe[\0", b"[", b"\xef\xbb\xbf["))


def parse(data: bytes, what: str) -> Settings:
    """The sections of a settings text. Raises Unsound, naming `what`, if the text is cut off or no text."""
    if len(data) >= MAX_BYTES:
        raise Unsound(f"{what} is longer than {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-16" if data.startswith(_UTF16) else "utf-8-sig")
    except UnicodeDecodeError:
        raise Unsound(f"cut off or damaged: {what} does not end with a whole character, or is no text") from None
    if "\0" in text:
        raise Unsound(f"unfinished: {what} has places that were never written")
    sections: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    value = ""
    for line in text.splitlines():
        if line.startswith("[") and line.rstrip().endswith("]"):
            current = sections.setdefault(line.strip()[1:-1], {})
            value = ""
        elif "=" in line:
            key, _, value = line.partition("=")
            value = value.strip()
            current.setdefault(key.strip(), _unquoted(value))
    if value[:1] in ("'", '"') and (len(value) < 2 or value[-1] != value[0]):
        raise Unsound(f"cut off: {what} ends within a value")
    return sections


def planes(settings: Settings) -> Planes:
    """The files that [ProfileSaveInfo] lists. Raises Unsound if it is absent, damaged, or leads out of the folder.

    The first and the last plane are named with all their numbers (s_C001Z001.pty to s_C003Z010.pty), and all between
    belong to the set if that are FrameCount planes; a run that was stopped may have fewer.
    """
    info = settings.get("ProfileSaveInfo")
    if info is None or "Version Info" not in settings:
        raise Unsound("cut off or unfinished: the list of its files or the version of the program is missing")
    named = [_in_folder(value) for key, value in info.items() if _LISTED.fullmatch(key) and value]
    first, last = (_in_folder(info[key]) if info.get(key) else "" for key in ("PtyFileNameS", "PtyFileNameE"))
    frames = _whole(info.get("FrameCount", ""))
    if not first or not last:
        if frames:
            raise Unsound(f"damaged: it has {frames} planes but does not name the first and the last")
        return Planes(tuple(named), lambda: iter(()))
    if frames is not None and frames > MAX_PLANES:
        raise Unsound(f"damaged or too large: it says that it has {frames} planes")
    ranges = _ranges(first, last)
    count = 1
    for span in ranges or ():
        count *= len(span)
    if ranges is None or (frames is not None and frames != count):
        ends = tuple(name for pty in dict.fromkeys((first, last)) for name in (pty, _image_of(pty)))
        said = f"{frames} planes are listed, which are not all between {first} and {last}"
        return Planes((*named, *ends), lambda: iter(()), said)
    if count > MAX_PLANES:
        raise Unsound(f"damaged or too large: it lists {count} planes")
    return Planes(tuple(named), lambda: _between(first, ranges))


def missing_of(wanted: Planes, there: Collection[str]) -> list[str]:
    """The names that are not `there` (in lower case: the disk may tell cases apart, the program does not)."""
    return [name for name in dict.fromkeys(wanted) if name.lower() not in there]


def sentences(missing: list[str], by: str) -> Iterator[str]:
    """A sentence for each missing file, up to a number that someone reads."""
    for name in missing[:MAX_SENTENCES]:
        yield f"{name}: missing, {by} lists it"
    if len(missing) > MAX_SENTENCES:
        yield f"{len(missing) - MAX_SENTENCES} more files are missing, up to {missing[-1]}"


def first_properties(settings: Settings) -> str:
    """The name of the first plane's property file, which describes the objective; "" if there is none."""
    value = settings.get("ProfileSaveInfo", {}).get("PtyFileNameS", "")
    try:
        return _in_folder(value) if value else ""
    except Unsound:
        return ""


def described(settings: Settings, plane: Settings) -> tuple[dict[str, str], dict[str, str]]:
    """Metadata and where each value stands, from a set's settings and its first plane's properties."""
    common, version = settings.get("Acquisition Parameters Common", {}), settings.get("Version Info", {})
    system, lens = version.get("SystemName", ""), plane.get("Acquisition Parameters Common", {})
    found = {
        "acquired": (_time(common), "[Acquisition Parameters Common] ImageCaputreDate"),
        "instrument": (system, "[Version Info] SystemName"),
        "objective": (_objective(lens), "first plane: [Acquisition Parameters Common] ObjectiveLens Name"),
        "channels": (_channels(settings), "[Channel n Parameters] CH Name"),
        "size": (_size(settings), "[Axis n Parameters Common] MaxSize"),
        "pixel_size_um": (_pixel_size(settings), "[Reference Image Parameter] WidthConvertValue, HeightConvertValue"),
        "software": (
            f"{system} {version['SystemVersion']}".strip() if version.get("SystemVersion") else "",
            "[Version Info] SystemVersion",
        ),
        "experimenter": (settings.get("File Info", {}).get("UserName", ""), "[File Info] UserName"),
    }
    told = {key: pair for key, pair in found.items() if pair[0]}
    return {key: value[:MAX_TEXT] for key, (value, _) in told.items()}, {key: at for key, (_, at) in told.items()}


def _unquoted(value: str) -> str:
    return value[1:-1].strip() if len(value) > 1 and value[0] in "'\"" and value[-1] == value[0] else value


def _whole(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


def _in_folder(value: str) -> str:
    """A listed name without the name of the folder, which is that of the set and may have been renamed with it."""
    name = inside(value) if len(value) <= MAX_NAME else None
    if name is None:
        raise Unsound(f"damaged: it lists a file that cannot be in its folder, {value[:200]!r}")
    folder, _, rest = name.partition("/")
    return rest if rest and folder.lower().endswith(".files") else name


def _image_of(pty: str) -> str:
    return pty[: -len(".pty")] + ".tif" if pty.lower().endswith(".pty") else pty


def _ranges(first: str, last: str) -> list[range] | None:
    """The range of each number that the two names have in common; None if the names differ in more."""
    if _NUMBER.sub("0", first) != _NUMBER.sub("0", last) or max(len(first), len(last)) > 255:
        return None
    pairs = zip(_NUMBER.findall(first), _NUMBER.findall(last), strict=True)
    ranges = [range(int(start), int(end) + 1) for start, end in pairs]
    return ranges if all(0 < len(span) <= MAX_PLANES for span in ranges) else None


def _between(first: str, ranges: list[range]) -> Iterator[str]:
    widths = [len(number) for number in _NUMBER.findall(first)]
    parts = _NUMBER.split(first)
    for numbers in product(*ranges):
        texts = [f"{number:0{width}}" for number, width in zip(numbers, widths, strict=True)]
        pty = parts[0] + "".join(text + part for text, part in zip(texts, parts[1:], strict=True))
        yield pty
        yield _image_of(pty)


def _time(common: Mapping[str, str]) -> str:
    found = _DATE.match(common.get("ImageCaputreDate", ""))
    if found is None:
        return ""
    year, month, day, clock = found.groups()
    milliseconds = _whole(common.get("ImageCaputreDate+MilliSec", ""))
    fraction = f".{milliseconds:03}" if milliseconds is not None and milliseconds < 1000 else ""
    return f"{year}-{month}-{day}T{clock}{fraction}"


def _objective(lens: Mapping[str, str]) -> str:
    return " ".join(lens.get("ObjectiveLens Name", "").split())


def _channels(settings: Settings) -> str:
    names = (settings.get(f"Channel {number} Parameters", {}).get("CH Name", "") for number in range(1, 65))
    return ", ".join(name for name in names if name)


def _axes(settings: Settings) -> dict[str, Mapping[str, str]]:
    axes = (settings.get(f"Axis {number} Parameters Common", {}) for number in range(9))
    return {axis["AxisCode"]: axis for axis in axes if axis.get("AxisCode")}


def _size(settings: Settings) -> str:
    axes = _axes(settings)
    counts = {code: _whole(axis.get("MaxSize", "")) or 1 for code, axis in axes.items()}
    if not {"X", "Y"} <= counts.keys() or any(counts[code] > 1 for code in counts.keys() - set("XYZCT")):
        return ""
    return "x".join(str(counts.get(code, 1)) for code in "XYZCT")


def _pixel_size(settings: Settings) -> str:
    image, z = settings.get("Reference Image Parameter", {}), _axes(settings).get("Z", {})
    sizes = []
    for value, unit in (("WidthConvertValue", "WidthUnit"), ("HeightConvertValue", "HeightUnit")):
        number = _number(image.get(value, ""))
        if image.get(unit) != "um" or not number:
            return ""
        sizes.append(f"{number:.6g}")
    step = abs(_number(z.get("Interval", "")) or 0) / {"nm": 1000.0, "um": 1.0}.get(z.get("PixUnit", ""), 1.0)
    if (_whole(z.get("MaxSize", "")) or 0) > 1 and step and z.get("PixUnit") in ("nm", "um"):
        sizes.append(f"{step:.6g}")
    return "x".join(sizes)


def _number(value: str) -> float | None:
    """A number, also as 0,207.0: some systems write a decimal comma (openreadout docs/formats/oif.md)."""
    found = re.fullmatch(r"(-?\d{1,15})(?:[.,](\d{1,15}))?(?:\.0)?", value)
    return float(f"{found[1]}.{found[2] or 0}") if found else None
