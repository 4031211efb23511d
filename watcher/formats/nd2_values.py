"""Reads the trees of values that NIS-Elements keeps in ND2 chunks, and takes the common metadata from them.

Sources: openreadout docs/formats/nd2.md, "LV encoding", "Chunk names we use", "Channels" and "Version 2 metadata";
tlambert03/nd2 src/nd2/_parse/_clx_lite.py (the same encoding) and _parse.py (which text item holds what).
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from watcher.formats.metadata import MAX_TEXT
from watcher.formats.reading import Unsound
from watcher.formats.safe_xml import local, root_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

#: Bytes of one tree as it is in the file, and after it was inflated; values of one tree; levels.
MAX_BYTES: Final = 2 << 20
MAX_INFLATED: Final = 8 << 20
MAX_VALUES: Final = 50_000
MAX_DEPTH: Final = 32


class Tree(dict[str, "str | int | float | Tree"]):
    """The values of one level by name; where a name comes twice, `name#2` and so on."""

    def put(self, name: str, value: "str | int | float | Tree") -> None:
        """Keep a value under its name, or under the next free form of it."""
        key, number = name, 1
        if name in self:
            number = len(self) + 1
            key = f"{name}#{number}"
        self[key] = value

    def tree(self, *names: str) -> "Tree":
        """The level at the end of a path; an empty one if there is none."""
        level = self
        for name in names:
            following = level.get(name)
            if not isinstance(following, Tree):
                return Tree()
            level = following
        return level

    def number(self, name: str) -> float:
        """A value as a number, 0 if it is none."""
        value = self.get(name)
        return value if isinstance(value, int | float) else 0

    def text(self, name: str) -> str:
        """A value as text on one line, "" if it is none."""
        value = self.get(name)
        return " ".join(value.split())[:MAX_TEXT] if isinstance(value, str) else ""

    def levels(self) -> Iterator["Tree"]:
        """The levels directly below."""
        return (value for value in self.values() if isinstance(value, Tree))


def parse(data: bytes, what: str) -> Tree:
    """The tree in a chunk, binary (version 3) or XML (version 2), without its outer wrapper. Raises Unsound."""
    if data.lstrip()[:1] == b"<":
        tree = _from_xml(root_of(data.rstrip(b"\0"), what))
    else:
        try:
            tree = _Parser(data).level(0, len(data), MAX_VALUES + 1, 0)
        except (struct.error, zlib.error, IndexError, UnicodeDecodeError):
            raise Unsound(f"damaged: {what} makes no sense") from None
    only = next(iter(tree.values()), None)
    return only if len(tree) == 1 and isinstance(only, Tree) else tree


class _Parser:
    """One binary tree. Reads beyond the end raise struct.error or IndexError."""

    _NUMBERS: Final = {1: "<B", 2: "<i", 3: "<I", 4: "<q", 5: "<Q", 6: "<d", 7: "<Q"}
    _STRING, _BYTES, _LEVEL, _COMPRESSED = 8, 9, 11, 76

    def __init__(self, data: bytes, *, may_inflate: bool = True) -> None:
        self._data = data
        self._left = MAX_VALUES
        self._may_inflate = may_inflate

    def level(self, start: int, end: int, count: int, depth: int) -> Tree:
        """The at most `count` values between two places."""
        if depth > MAX_DEPTH:
            raise Unsound("damaged: the values of a chunk are nested deeper than any real ones")
        tree = Tree()
        at = start
        for _ in range(min(count, MAX_VALUES + 1)):
            if at + 2 > end:
                break
            self._left -= 1
            if self._left < 0:
                raise Unsound(f"damaged or too large: a chunk has more than {MAX_VALUES} values")
            kind, units = self._data[at], self._data[at + 1]
            if kind == self._COMPRESSED:
                return self._inflated(self._data[at + 12 : end], depth)
            name_end = at + 2 + 2 * units
            name = self._data[at + 2 : name_end].decode("utf-16-le").rstrip("\0")
            at = self._value(tree, name, kind, (at, name_end, end), depth)
        return tree

    def _value(self, tree: Tree, name: str, kind: int, span: tuple[int, int, int], depth: int) -> int:
        """Put one value into the tree; the place after it."""
        item, at, end = span
        if kind in self._NUMBERS:
            form = struct.Struct(self._NUMBERS[kind])
            (value,) = form.unpack_from(self._data, at)
            tree.put(name, value)
            return at + form.size
        if kind == self._STRING:
            stop = self._data.find(b"\0\0", at, end)
            while stop >= 0 and (stop - at) % 2:  # the second byte of one letter and the first of the next
                stop = self._data.find(b"\0\0", stop + 1, end)
            if stop < 0:
                raise IndexError
            tree.put(name, self._data[at:stop].decode("utf-16-le", "replace"))
            return stop + 2
        if kind == self._BYTES:
            (length,) = struct.unpack_from("<Q", self._data, at)
            return int(at + 8 + length)
        if kind == self._LEVEL:
            count, length = struct.unpack_from("<IQ", self._data, at)
            stop = item + length
            if not at < stop <= end:
                raise IndexError
            tree.put(name, self.level(at + 12, stop, count, depth + 1))
            return int(stop + 8 * count)
        raise IndexError

    def _inflated(self, packed: bytes, depth: int) -> Tree:
        if not self._may_inflate:
            raise Unsound("damaged: a chunk is packed more than once")
        self._may_inflate = False
        data = zlib.decompressobj().decompress(packed, MAX_INFLATED)
        if len(data) >= MAX_INFLATED:
            raise Unsound(f"damaged or too large: a chunk unpacks to more than {MAX_INFLATED} bytes")
        return _Parser(data, may_inflate=False).level(0, len(data), MAX_VALUES + 1, depth + 1)


def _from_xml(element: "Element", depth: int = 0) -> Tree:
    """A level of a version 2 tree: elements whose value stands in the attribute `value`."""
    tree = Tree()
    for child in element:
        kind, value = child.get("runtype", ""), child.get("value")
        if value is None:
            tree.put(local(child.tag), _from_xml(child, depth + 1) if depth < MAX_DEPTH else Tree())
        elif kind == "CLxStringW":
            tree.put(local(child.tag), value)
        elif kind.startswith("lx_") or kind == "double":
            try:
                tree.put(local(child.tag), float(value) if kind == "double" else int(value[:40]))
            except ValueError:
                continue
    return tree


def described(
    attributes: Tree, picture: Tree, texts: Tree, experiment: Tree, frames: int
) -> tuple[dict[str, str], dict[str, str]]:
    """Metadata and where each value stands, from the trees of an ND2 file; any may be empty."""
    planes = picture.tree("sPicturePlanes", "sPlaneNew") or picture.tree("sPicturePlanes", "sPlane")
    names = [plane.text("sDescription") or plane.text("sOpticalConfigName") for plane in planes.levels()]
    loops = _loops(experiment)
    found = {
        "acquired": (_julian(picture.number("dTimeAbsolute")), "ImageMetadataSeqLV|0 dTimeAbsolute (Julian day, UT)"),
        "objective": (_objective(picture) or texts.text("TextInfoItem_13"), "ImageMetadataSeqLV|0 wsObjectiveName"),
        "channels": (", ".join(name for name in names if name), "ImageMetadataSeqLV|0 sPicturePlanes sDescription"),
        "size": (_size(attributes, loops, len(names), frames), "ImageAttributesLV uiWidth, uiHeight; ImageMetadataLV"),
        "pixel_size_um": (_pixel_size(picture, loops), "ImageMetadataSeqLV|0 dCalibration; ImageMetadataLV dZStep"),
        "software": (texts.text("TextInfoItem_14"), "ImageTextInfoLV TextInfoItem_14"),
        "experimenter": (texts.text("TextInfoItem_4"), "ImageTextInfoLV TextInfoItem_4"),
    }
    told = {key: pair for key, pair in found.items() if pair[0]}
    return {key: value[:MAX_TEXT] for key, (value, _) in told.items()}, {key: at for key, (_, at) in told.items()}


_TIME, _Z, _SPECTRAL, _NE_TIME = 1, 4, 6, 8


def _loops(experiment: Tree) -> dict[int, Tree]:
    """The parameters of the acquisition's loops by their kind, outermost first."""
    found: dict[int, Tree] = {}
    waiting = [experiment]
    while waiting:
        level = waiting.pop(0)
        if level.number("eType") and level.tree("uLoopPars"):
            found.setdefault(int(level.number("eType")), level.tree("uLoopPars"))
        waiting += [below.tree("SLxExperiment") or below for below in level.tree("ppNextLevelEx").levels()]
    return found


def _size(attributes: Tree, loops: Mapping[int, Tree], channels: int, frames: int) -> str:
    """XxYxZxCxT, where the loops describe just the planes that there are: stage positions and stopped runs do not."""
    width, height = int(attributes.number("uiWidth")), int(attributes.number("uiHeight"))
    z, t = (max(int(loops.get(kind, Tree()).number("uiCount")), 1) for kind in (_Z, _TIME))
    if not (width and height and channels) or set(loops) - {_TIME, _Z, _SPECTRAL} or z * t != frames:
        return ""
    return f"{width}x{height}x{z}x{channels}x{t}"


def _pixel_size(picture: Tree, loops: Mapping[int, Tree]) -> str:
    pixel, step = picture.number("dCalibration"), abs(loops.get(_Z, Tree()).number("dZStep"))
    if not 0 < pixel < 1e6:
        return ""
    return f"{pixel:.6g}x{pixel:.6g}" + (f"x{step:.6g}" if 0 < step < 1e6 else "")


def _objective(picture: Tree) -> str:
    name, magnification, aperture = (
        picture.text("wsObjectiveName"),
        picture.number("dObjectiveMag"),
        picture.number("dObjectiveNA"),
    )
    parts = (name, f"{magnification:g}x" if magnification > 0 else "", f"NA {aperture:g}" if aperture > 0 else "")
    return " ".join(part for part in parts if part)


def _julian(day: float) -> str:
    """A Julian day as a time; "" for the small numbers of clocks that were never set (openreadout nd2.md, "Time")."""
    if not 2415020.5 < day < 2488070:  # the years 1900 to 2100
        return ""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day - 2440587.5)
    return moment.isoformat(timespec="milliseconds")
