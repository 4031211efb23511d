"""MetaXpress and ImageXpress: a plate is a folder with `<plate>.HTD`, images in it or in TimePoint_n and ZStep_n below.

The HTD is a text of lines `"key", value`, from `"HTSInfoFile"` to `"EndFile"`, in no stated encoding (the samples hold
bytes that are no UTF-8); copies of it lie in the folders below (reference/image-formats.md 3.2; keys as in
openreadout docs/formats/imagexpress.md). What it announces is an upper bound: channels may be left out at a time point
or plane. So nothing says that a plate is finished; that is left to the quiet time.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from watcher.formats import safe_xml, tiff
from watcher.formats.base import Claim, Examination
from watcher.formats.plates import Findings, entries, moment, number
from watcher.formats.reading import Unsound, open_file, read_at, size_of

_MARK: Final = b'"HTSInfoFile"'
_MAX_BYTES = 1 << 20
#: Bytes of the MetaSeries XML of one image; the samples have 6 kB.
_MAX_DESCRIPTION = 64 << 10
_BELOW = re.compile(r"(TimePoint|ZStep)_\d+", re.IGNORECASE)
_TIME_POINT = re.compile(r"TimePoint_\d+", re.IGNORECASE)
_Z_STEP = re.compile(r"ZStep_\d+", re.IGNORECASE)
# MetaSeries writes 20240709 13:15:50.916, in the local time of a computer that it does not place
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,9})?)", re.ASCII)
# .pnl: the planes of CellWorx, which writes the same HTD (Bio-Formats, CellWorxReader)
_IMAGES = (".tif", ".tiff", ".pnl")


@dataclass(frozen=True, slots=True)
class _Htd:
    """What an HTD announces. waves: the names of the wavelengths that are collected. 0 wells: it does not say."""

    wells: int = 0
    sites: int = 1
    waves: tuple[str, ...] = ("",)
    z_steps: int = 1
    projection: bool = False
    time_points: int = 1

    @property
    def most(self) -> int:
        """How many images there can be."""
        return self.wells * self.sites * len(self.waves) * (self.z_steps + self.projection) * self.time_points


@dataclass(slots=True)
class _Disk:
    """What lies in a plate's folder. first: the image of the lowest name in the first folder that has any."""

    images: int = 0
    time_points: int = 0
    first: Path | None = None


class Htd:
    """Plates of MetaXpress and ImageXpress."""

    name = "htd"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the Protocol gives it
        """Whether the text begins as an HTD."""
        return head.removeprefix(b"\xef\xbb\xbf").startswith(_MARK)

    def claim(self, path: Path) -> Claim:
        """The plate's folder with all below; a copy in TimePoint_n or ZStep_n speaks for the folder above it."""
        return Claim(self.name, (path.name,), tree=".." if _BELOW.fullmatch(path.absolute().parent.name) else ".")

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Every HTD is whole; what the plate's own announces is compared with what is there, and copies with it."""
        findings = Findings()
        for name in sorted(members, key=lambda name: (name.count("/"), name)):
            try:
                data, htd = _read(directory / name)
                _place(findings, (directory / name).absolute(), name, data, htd)
            except Unsound as problem:
                findings.problems.append(f"{name}: {problem}")
            except OSError as error:
                findings.absent(directory, name, error)
        return findings.examination("htd:text+counts")


FORMAT: Final = Htd()


def _place(findings: Findings, path: Path, name: str, data: bytes, htd: _Htd) -> None:
    """Look around an HTD: at the whole plate if it is the plate's own, so that each image is counted once."""
    plate = path.parent
    while _BELOW.fullmatch(plate.name):
        plate = plate.parent
    if plate == path.parent:
        _compare(findings, plate, name, htd)
        return
    try:
        with open_file(plate / path.name) as file:
            same = file.read(_MAX_BYTES) == data
    except FileNotFoundError:  # the copies are all that there is, each for its own folder
        _compare(findings, path.parent, name, None)
        return
    if not same:
        findings.remarks.append(f"{name}: this copy is another text than that of the plate")


def _read(path: Path) -> tuple[bytes, _Htd]:
    """The text of an HTD and what it announces. Raises Unsound, and OSError."""
    with open_file(path) as file:
        if size_of(file) > _MAX_BYTES:
            raise Unsound(f"damaged: it has more than {_MAX_BYTES} bytes")
        file.seek(0)
        data = file.read(_MAX_BYTES)
    text = data.removeprefix(b"\xef\xbb\xbf")
    if not text.startswith(_MARK):
        raise Unsound('damaged: it does not begin with "HTSInfoFile"')
    # Lines end as bytes do: in Latin-1 some other bytes would end one too.
    lines = [line.strip() for line in text.strip(b" \t\r\n").split(b"\n")]
    if lines[-1] != b'"EndFile"':
        raise Unsound('unfinished: it does not end with "EndFile", so it is still being written or was cut off')
    try:
        decoded = [line.decode() for line in lines]
    except UnicodeDecodeError:
        decoded = [line.decode("latin-1") for line in lines]
    pairs = (line.partition(",") for line in decoded)
    return data, _announced({key.strip().strip('"'): value.strip() for key, _, value in pairs})


def _announced(given: dict[str, str]) -> _Htd:
    def count(key: str) -> int:
        value = given.get(key, "1")
        if not re.fullmatch(r"\d{1,6}", value, re.ASCII):
            raise Unsound(f"damaged: {key} is no sensible number")
        return int(value)

    def chosen(key: str) -> int:
        return sum(value.count("TRUE") for name, value in given.items() if re.fullmatch(rf"{key}\d+", name))

    series = given.get("ZSeries") == "TRUE"
    waves = [str(wave) for wave in range(1, min(count("NWavelengths"), 1000) + 1)]
    return _Htd(
        wells=chosen("WellsSelection"),
        sites=chosen("SiteSelection") or 1 if given.get("Sites") == "TRUE" else 1,
        waves=tuple(
            given.get(f"WaveName{wave}", "").strip('"') for wave in waves if given.get(f"WaveCollect{wave}") != "0"
        ),
        z_steps=max(1, count("ZSteps")) if series else 1,
        projection=series and given.get("ZProjection") == "TRUE",
        time_points=max(1, count("TimePoints")),
    )


def _compare(findings: Findings, plate: Path, name: str, htd: _Htd | None) -> None:
    """What a folder holds, against what the HTD announces if it is that of the plate."""
    disk = _Disk()
    _count(disk, plate, 0)
    if not disk.images:
        findings.problems.append(f"{name}: unfinished: there is no image of the plate yet")
        return
    if htd is None:
        return
    if htd.wells and disk.images != htd.most:
        planes = f"{htd.z_steps} planes{' and their projection' if htd.projection else ''}"
        findings.remarks.append(
            f"{name}: {disk.images} images are there, {htd.most} are the most that it announces "
            f"({htd.wells} wells x {htd.sites} sites x {len(htd.waves)} wavelengths x {planes} "
            f"x {htd.time_points} time points)"
        )
    if disk.time_points and disk.time_points < htd.time_points:
        findings.remarks.append(f"{name}: {disk.time_points} of {htd.time_points} time points have a folder")
    findings.say("channels", ", ".join(wave for wave in htd.waves if wave), "HTD: WaveName")
    if disk.first is not None:
        _describe(findings, disk.first, f"{htd.z_steps}x{len(htd.waves)}x{disk.time_points or 1}")


def _count(disk: _Disk, folder: Path, level: int) -> None:
    """Count the images in a folder, and in those of its time points and planes. OSError passes through."""
    below: list[str] = []
    first = ""
    for entry in entries(folder):
        lower = entry.name.lower()
        if lower.endswith(_IMAGES):
            if "_thumb" not in lower:
                disk.images += 1
                first = min(first or entry.name, entry.name)
        elif (_Z_STEP if level else _BELOW).fullmatch(entry.name) and entry.is_dir():
            below.append(entry.name)
            disk.time_points += _TIME_POINT.fullmatch(entry.name) is not None
    if first and disk.first is None:
        disk.first = folder / first
    if level < 2:
        for name in sorted(below, key=lambda name: (len(name), name)):
            _count(disk, folder / name, level + 1)


def _describe(findings: Findings, path: Path, rest: str) -> None:
    """What the first image says: MetaSeries XML in its description (reference/image-formats.md 3.2)."""
    with open_file(path) as file:
        span = tiff.walk(file, path.name, 1).description
        try:
            data = read_at(file, span.offset, min(span.length, _MAX_DESCRIPTION), "the description")
            root = safe_xml.root_of(data.partition(b"\0")[0].strip(), "the description")
        except Unsound:  # the walk of the images says so
            return
    said = {one.get("id", ""): one.get("value", "") for one in root.iter("prop")}
    where = "first image, MetaSeries"
    wide, high = (number(said.get(f"pixel-size-{axis}", "")) for axis in "xy")
    if wide and high:
        findings.say(
            "size", f"{wide}x{high}x{rest}", f"{where} pixel-size; HTD: ZSteps, WaveCollect; TimePoint folders"
        )
    across, down = (number(said.get(f"spatial-calibration-{axis}", "")) for axis in "xy")
    calibrated = said.get("spatial-calibration-state") == "on" and said.get("spatial-calibration-units") in ("um", "µm")
    if across and down and calibrated:
        findings.say("pixel_size_um", f"{across}x{down}", f"{where} spatial-calibration")
    if time := _TIME.fullmatch(said.get("acquisition-time-local", "")):
        findings.say("acquired", moment("{}-{}-{}T{}".format(*time.groups())), f"{where} acquisition-time-local")
    aperture = f" NA {said['_MagNA_']}" if number(said.get("_MagNA_", "")) else ""
    findings.say("objective", said.get("_MagSetting_", "") + aperture, f"{where} _MagSetting_, _MagNA_")
    program = f"{said.get('ApplicationName', '')} {said.get('ApplicationVersion', '')}"
    findings.say("software", program, f"{where} ApplicationName, ApplicationVersion")
