"""Imaris .ims: an HDF5 file that is finished once the groups that describe it, written last, are there.

Facts: "Imaris file format 5.5" (Oxford Instruments: DataSet/ResolutionLevel/TimePoint/Channel/Data, DataSetInfo);
ImarisWriter (github imaris/ImarisWriter), bpImageConverterImpl::Finish and bpWriterHDF5, for the order of writing;
reference/image-formats.md 2.7.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from watcher.formats.base import Claim, Examination
from watcher.formats.hdf5 import ELSEWHERE, Enough, Hdf5, superblock_at
from watcher.formats.hdf5 import FORMAT as HDF5
from watcher.formats.hdf5_plane import plane
from watcher.formats.metadata import MAX_TEXT
from watcher.formats.plane import Picture
from watcher.formats.reading import Unsound, open_file

_CHECKED: Final = "ims:hdf5-groups"
_MAX_PROBLEMS = 20
#: A level with so many pixels in a row is large enough for a picture.
_ENOUGH = 256
_PREFIX = {"level": "ResolutionLevel", "time": "TimePoint", "channel": "Channel"}
_INFO = "DataSetInfo/Image"


class Ims:
    """Imaris files: each is a set of its own."""

    name = "ims"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the Protocol gives it
        """Whether this is HDF5; `claim` then tells which family by what the file holds."""
        return superblock_at(head) is not None

    def claim(self, path: Path) -> Claim:
        """Itself; for HDF5 that is not of Imaris, the claim of that format."""
        return HDF5.claim(path)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Superblock, groups and chunk lists of each member. OSError passes through."""
        walks = {name: _walk(directory / name) for name in members}
        problems = tuple(f"{name}: {problem}" for name, walk in walks.items() for problem in walk.problems)
        remarks = tuple(f"{name}: {remark}" for name, walk in walks.items() for remark in walk.remarks)
        unsure = next((f"unchecked: {name}: {walk.unsure}" for name, walk in walks.items() if walk.unsure), "")
        metadata: dict[str, str] = {}
        sources: dict[str, str] = {}
        for walk in walks.values():
            metadata = {**walk.metadata, **metadata}
            sources = {**walk.sources, **sources}
        return Examination(
            sound=False if problems else None if unsure else True,
            problems=problems,
            checked=_CHECKED if problems or not unsure else unsure,
            metadata=metadata,
            sources=sources,
            remarks=remarks,
        )

    def picture(self, path: Path) -> Picture | None:
        """The plane in the middle of a level that is large enough, of the channel and time point in the middle."""
        with open_file(path) as file:
            one = Hdf5(file)
            try:
                levels = _members(one, one.child(one.superblock.root, "DataSet"))
                for level in reversed(levels):
                    times = _members(one, level)
                    channels = _members(one, times[len(times) // 2]) if times else []
                    data = one.child(channels[len(channels) // 2], "Data") if channels else None
                    tiles = plane(one, data, path) if data not in (None, ELSEWHERE) else None
                    if tiles and (level == levels[0] or max(tile.x + tile.width for tile in tiles) >= _ENOUGH):
                        return tiles
            except Enough:
                return None
        return None


def _members(one: Hdf5, address: int | None) -> list[int]:
    """The groups of a group by the number in their names: "TimePoint 10" after "TimePoint 9"."""
    if address is None or address == ELSEWHERE:
        return []
    named = ((re.findall(r"\d{1,9}", name), target) for name, target in one.links(address).items())
    return [target for _, target in sorted((int(found[-1]), target) for found, target in named if found)]


@dataclass(slots=True)
class _Walk:
    """What is known of one file so far."""

    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    unsure: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def say(self, problem: str) -> None:
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(problem)

    def tell(self, key: str, value: str, source: str) -> None:
        if value:
            self.metadata[key], self.sources[key] = value[:MAX_TEXT], source


def _walk(path: Path) -> _Walk:
    walk = _Walk()
    with open_file(path) as file:
        try:
            one = Hdf5(file)
            one.closed()
            _Image(one, walk).run()
        except Unsound as problem:
            walk.say(str(problem))
        except Enough as reason:
            walk.unsure = str(reason)
    return walk


class _Image:
    """The groups of one file."""

    def __init__(self, one: Hdf5, walk: _Walk) -> None:
        self._one = one
        self._say = walk.say
        self._walk = walk
        self._shape: tuple[int, ...] = ()

    def run(self) -> None:
        top = self._one.links(self._one.superblock.root)
        if "DataSet" not in top:
            raise Unsound("unfinished: it holds no image data yet (group DataSet)")
        times, channels = self._levels(top["DataSet"])
        if "DataSetInfo" not in top:
            raise Unsound("unfinished: its description, which Imaris writes last, is not there (group DataSetInfo)")
        info = self._one.links(top["DataSetInfo"])
        if "Image" not in info:
            raise Unsound(f"unfinished: its description, which Imaris writes last, is not there (group {_INFO})")
        self._described(info, channels)
        self._time(info, times)
        self._describe(info, times, channels)

    def _levels(self, address: int) -> tuple[int, int]:
        """How many time points and channels each resolution level has; they must be the same ones in all."""
        levels = self._numbered(address, "level", "the image")
        if not levels:
            raise Unsound("unfinished: it holds no image data yet (no ResolutionLevel)")
        whole: tuple[int, int] | None = None
        for level, group in enumerate(levels):
            where = f"resolution level {level}"
            times = self._numbered(group, "time", where)
            channels = [self._channels(one, f"{where}, time point {at}") for at, one in enumerate(times)]
            most = max(channels, default=0)
            if not most:
                self._say(f"unfinished: {where} holds no image data yet")
            for at, count in enumerate(channels):
                if count < most:
                    self._say(f"incomplete: {where} has {count} of {most} channels at time point {at}")
            if whole is None:
                whole = len(times), most
            elif most and whole != (len(times), most):
                self._say(
                    f"incomplete: {where} has {len(times)} time points of {most} channels, the first level has "
                    f"{whole[0]} of {whole[1]}"
                )
        return whole or (0, 0)

    def _channels(self, address: int, where: str) -> int:
        groups = self._numbered(address, "channel", where)
        for channel, group in enumerate(groups):
            what = f"the data of {where}, channel {channel}"
            data = self._one.links(group).get("Data")
            if data is None:
                self._say(f"incomplete: {what} are not there")
                continue
            shape = self._one.dataset(data, what)
            if len(shape) != 3 or not math.prod(shape):
                self._say(f"damaged: {what} have no three sizes")
            self._shape = self._shape or shape
        return len(groups)

    def _numbered(self, address: int, kind: str, where: str) -> list[int]:
        """The addresses of the groups "TimePoint 0", "TimePoint 1" ... in order; a gap is a problem."""
        found: dict[int, int] = {}
        for name, target in self._one.links(address).items():
            if match := re.fullmatch(rf"{_PREFIX[kind]} (\d{{1,7}})", name, re.ASCII):
                found[int(match[1])] = target
        if found and max(found) >= len(found):
            lost = next(at for at in range(len(found) + 1) if at not in found)
            self._say(f"incomplete: {where} has no {_PREFIX[kind]} {lost}, but a later one")
        return [found[at] for at in sorted(found)]

    def _described(self, info: Mapping[str, int], channels: int) -> None:
        described = sum(f"Channel {at}" in info for at in range(channels))
        if not described:
            self._walk.remarks.append("it does not describe its channels")
        elif described < channels:
            self._say(f"unfinished: it describes {described} of its {channels} channels (DataSetInfo/Channel)")

    def _time(self, info: Mapping[str, int], times: int) -> None:
        if "TimeInfo" not in info:
            return
        said = self._one.attributes(info["TimeInfo"]).get("FileTimePoints", "")
        if said.isascii() and said.isdigit() and len(said) < 8 and int(said) > times:
            self._say(f"incomplete: it has {times} of the {int(said)} time points that it speaks of")

    def _describe(self, info: Mapping[str, int], times: int, channels: int) -> None:
        image = self._one.attributes(info["Image"])
        tell = self._walk.tell
        tell("acquired", _iso(image.get("RecordingDate", "")), f"{_INFO}/RecordingDate")
        lens, aperture = _positive(image.get("LensPower", "")), _positive(image.get("NumericalAperture", ""))
        tell("objective", "/".join((f"{lens:g}x",) * bool(lens) + (f"{aperture:g}",) * bool(aperture)), _INFO)
        sizes = [image.get(axis, "") for axis in "XYZ"]
        if all(size.isascii() and size.isdigit() for size in sizes):
            tell("size", "x".join((*sizes, str(channels), str(times))), f"{_INFO}/X, Y, Z")
            tell("pixel_size_um", _pixel_size(image, sizes), f"{_INFO}/ExtMin, ExtMax")
        elif self._shape:
            # Without a stated size only that of the stored data, which Imaris pads to whole blocks, is known
            self._walk.remarks.append("it does not say how large its image is")
        first = [info[f"Channel {at}"] for at in range(min(channels, 100)) if f"Channel {at}" in info]
        labels = (self._one.attributes(one).get("Name", "") for one in first)
        tell("channels", ", ".join(filter(None, labels)), "DataSetInfo/Channel/Name")
        if "Imaris" in info:
            version = self._one.attributes(info["Imaris"]).get("Version", "")
            tell("software", f"Imaris {version}" if version else "", "DataSetInfo/Imaris/Version")


def _iso(text: str) -> str:
    """A date of Imaris, as in 2012-05-04 12:34:56.000; it has no time zone."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?", text, re.ASCII)
    if not found or found[1].startswith("1970"):  # what Imaris writes where no date is known
        return ""
    fraction = (found[3] or "").rstrip("0")
    return f"{found[1]}T{found[2]}" + (f".{fraction}" if fraction else "")


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 < value < math.inf else 0.0


def _pixel_size(image: Mapping[str, str], sizes: list[str]) -> str:
    """The extent of the image, in micrometres unless it says otherwise, over its pixels."""
    if image.get("Unit", "um") not in {"um", "µm", "μm"}:
        return ""
    result = []
    for axis, size in enumerate(sizes):
        try:
            low, high = float(image[f"ExtMin{axis}"]), float(image[f"ExtMax{axis}"])
        except (KeyError, ValueError):
            return ""
        extent = high - low
        if not 0 < extent < math.inf or not int(size[:9]):
            return ""
        result.append(f"{extent / int(size[:9]):.6g}")
    return "x".join(result)


FORMAT: Final = Ims()
