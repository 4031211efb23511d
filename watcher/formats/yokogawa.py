"""Yokogawa CellVoyager (CV7000, CV8000, CQ1): a measurement is a folder whose MeasurementData.mlf names every image.

Beside it lie MeasurementDetail.mrf with the times, the settings (.mes) and the plate (.wpi, .wpp) that the .mrf names,
and corrections (DC_, SC_). Records of another type than IMG, as ERR for a failed focus, have no image. The attribute
EndTime of the .mrf is the sign that the measurement is over (reference/image-formats.md 3.2; Bio-Formats, CV7000Reader;
openreadout docs/formats/cellvoyager.md).
"""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from watcher.formats import safe_xml
from watcher.formats.base import HEAD_BYTES, Claim, Examination
from watcher.formats.plates import Findings, Listing, ends_with, moment, number, scan
from watcher.formats.reading import Unsound, inside, open_file, size_of

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_DATA: Final = "MeasurementData.mlf"
_RECORD: Final = "MeasurementRecord"
_DETAIL: Final = "MeasurementDetail.mrf"
# The root elements of .mlf, .mrf and .wpi; .mes and .wpp are not asked: instruments keep collections of them
_OPENING = re.compile(
    rb"\s*(?:<\?xml[^>]*\?>\s*)?<(?:[\w.-]+:)?(MeasurementData|MeasurementDetail|WellPlate)\s[^>]*yokogawa\.co\.jp/BTS/"
)
#: Bytes of a settings file or of the .mrf; the samples have 5 kB.
_MAX_BYTES = 8 << 20
_MAX_KINDS = 20
_MAX_CHANNELS = 1000


class Yokogawa:
    """Measurements of Yokogawa CellVoyager instruments."""

    name = "yokogawa"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the Protocol gives it
        """Whether this is XML with the root of one of the measurement's own files."""
        return _kind(head) != ""

    def claim(self, path: Path) -> Claim:
        """The folder with all in it; each of its files names the two that no measurement is without."""
        return Claim(self.name, tuple(dict.fromkeys((path.name, _DATA, _DETAIL))), tree=".")

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """The measurement is over, its lists are whole, and every file that they name is there."""
        findings = Findings()
        for folder in sorted({name.rpartition("/")[0] for name in members}):
            measurement = _Measurement(findings, directory, f"{folder}/" if folder else "")
            own = {name for name in members if name.rpartition("/")[0] == folder}
            for name in sorted(own | {measurement.prefix + _DATA, measurement.prefix + _DETAIL}):
                measurement.read(name)
            measurement.describe()
        return findings.examination("yokogawa:records+files")


FORMAT: Final = Yokogawa()


def _kind(head: bytes) -> str:
    """The local name of the root element, "" if the file is none of a measurement's own."""
    found = _OPENING.match(head.removeprefix(b"\xef\xbb\xbf"))
    return found[1].decode() if found else ""


class _Measurement:
    """The files of one folder. prefix: what stands before their names, "" or "folder/"."""

    def __init__(self, findings: Findings, directory: Path, prefix: str) -> None:
        self.prefix = prefix
        self._findings = findings
        self._directory = directory
        self._listing = Listing(directory, prefix + _DATA)
        self._types: Counter[str] = Counter()
        self._channels: dict[str, None] = {}
        self._detail: dict[str, str] = {}
        self._pixels: dict[str, str] = {}

    def read(self, name: str) -> None:
        """Look into one of its files, and add what was found. OSError passes through."""
        try:
            with open_file(self._directory / name) as file:
                kind = _kind(file.read(HEAD_BYTES))
                if not kind:
                    empty = not size_of(file)
                    raise Unsound(
                        "unfinished: it is empty" if empty else "damaged: it does not begin as such a file does"
                    )
                if kind != "WellPlate" and not ends_with(file, kind):  # a plate may be one tag, without an end tag
                    raise Unsound(
                        f"unfinished: it does not end with </{kind}>, it is still being written or was cut off"
                    )
                if kind == "MeasurementData":
                    scan(file, (_RECORD,), (_RECORD,), (), self._record)
                    self._report(name)
                else:
                    root = _root(self._directory / name)
                    if kind == "MeasurementDetail":
                        self._see_detail(name, root)
        except Unsound as problem:
            self._findings.problems.append(f"{name}: {problem}")
        except OSError as error:
            self._findings.absent(self._directory, name, error)

    def _record(self, _: str, given: Mapping[str, str], said: Mapping[str, str]) -> None:
        kind = given.get("Type", "")[:20]
        if len(self._types) < _MAX_KINDS or kind in self._types:
            self._types[kind] += 1
        if kind == "IMG":
            self._listing.look(said[_RECORD])
            if len(self._channels) < _MAX_CHANNELS:
                self._channels[given.get("Ch", "")] = None

    def _report(self, name: str) -> None:
        self._listing.report(self._findings)
        if not self._types["IMG"]:
            self._findings.problems.append(f"{name}: incomplete: it lists no image")
        for kind, count in self._types.items():
            if kind != "IMG" and count and kind.isprintable():
                self._findings.remarks.append(f"{name}: {count} records of type {kind or 'unknown'} have no image")

    def _see_detail(self, name: str, root: "Element") -> None:
        """The .mrf: whether the measurement is over, and the files that it names beside itself."""
        self._detail = _attributes(root)
        if not self._detail.get("EndTime", "").strip():
            self._findings.problems.append(f"{name}: unfinished: the measurement has no end time yet")
        status = self._detail.get("Status", "0")
        if status != "0" and re.fullmatch(r"-?\w{1,20}", status):
            self._findings.remarks.append(f"{name}: the measurement ended with status {status}")
        children = [(safe_xml.local(child.tag), _attributes(child)) for child in list(root)[:_MAX_CHANNELS]]
        self._pixels = next((given for kind, given in children if kind == "MeasurementChannel"), {})
        plate = [
            given.get(key, "") for _, given in children for key in ("WellPlateFileName", "WellPlateProductFileName")
        ]
        self._beside(name, [self._detail.get("MeasurementSettingFileName", ""), *plate]).report(self._findings)
        # Only told: the images are whole without them, and not every instrument leaves them in the folder
        lost = self._beside(name, [given.get("ShadingCorrectionSource", "") for _, given in children]).missing
        self._findings.remarks += [f"{one}: missing, {name} names it as a correction" for one in lost]

    def _beside(self, index: str, said: list[str]) -> Listing:
        """Which of the files are there that the .mrf names, sometimes with a folder of the acquisition computer."""
        listing = Listing(self._directory, index)
        for name in filter(None, map(_last, said)):
            listing.look(name)
        return listing

    def describe(self) -> None:
        """What the measurement says of itself."""
        detail, pixels, say = self._detail, self._pixels, self._findings.say
        for key, name in (("acquired", "BeginTime"), ("instrument", "TargetSystem"), ("software", "ReleaseNumber")):
            value = detail.get(name, "")
            say(key, moment(value) if key == "acquired" else value, f"{_DETAIL}: {name}")
        say("experimenter", detail.get("OperatorName", ""), f"{_DETAIL}: OperatorName")
        across, down = (number(pixels.get(f"{axis}PixelDimension", "")) for axis in ("Horizontal", "Vertical"))
        if across and down:
            say("pixel_size_um", f"{across}x{down}", f"{_DETAIL}: HorizontalPixelDimension, VerticalPixelDimension")
        sizes = [number(pixels.get(f"{axis}Pixels", "")) for axis in ("Horizontal", "Vertical")]
        sizes += [
            number(detail.get("ZCount", "")),
            str(len(self._channels) or ""),
            number(detail.get("TimePointCount", "")),
        ]
        if all(sizes):
            say(
                "size",
                "x".join(sizes),
                f"{_DETAIL}: HorizontalPixels, VerticalPixels, ZCount, TimePointCount; {_DATA}: Ch",
            )
        settings = inside(_last(detail.get("MeasurementSettingFileName", "")))
        if settings:
            self._describe_channels(self._directory / self.prefix / settings)

    def _describe_channels(self, path: Path) -> None:
        try:
            root = _root(path)
        except (Unsound, FileNotFoundError):  # that it is missing was said
            return
        channels = [_attributes(one) for one in root.iter() if safe_xml.local(one.tag) == "Channel"]
        used = [one for one in channels if one.get("Ch") in self._channels][:_MAX_CHANNELS]
        source = "settings (.mes): Channel"
        self._findings.say("channels", ", ".join(filter(None, (one.get("Target") for one in used))), f"{source}/Target")
        for one in used[:1]:
            magnification = number(one.get("Magnification", ""))
            optics = f"{one.get('Objective', '')} {magnification}x" if magnification else one.get("Objective", "")
            self._findings.say("objective", optics, f"{source}/Objective, Magnification")


def _root(path: Path) -> "Element":
    """The root of a small XML file. Raises Unsound, and OSError."""
    with open_file(path) as file:
        if size_of(file) > _MAX_BYTES:
            raise Unsound(f"damaged: it has more than {_MAX_BYTES} bytes")
        file.seek(0)
        return safe_xml.root_of(file.read(_MAX_BYTES), "it")


def _attributes(element: "Element") -> dict[str, str]:
    return {safe_xml.local(key): value for key, value in element.attrib.items()}


def _last(name: str) -> str:
    """A file's name without the folder of the acquisition computer."""
    return re.split(r"[\\/]", name.strip())[-1]
