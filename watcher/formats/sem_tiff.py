"""Images of scanning electron microscopes: a TIFF with the settings as text in a private field.

FEI and Thermo Fisher (34680, 34682: sections of `key=value`; dates as in Bio-Formats FEITiffReader, MM/dd/yyyy with AM
or PM) and Zeiss (34118: a name in capitals, then `label = value` or `label :value`): tifffile read_fei_metadata,
read_cz_sem. TESCAN (50431: blocks of `key=value` after a thumbnail, lengths in metres): Gwyddion tescan.c, NexusLIMS
tescan_tif. JEOL says no more in a TIFF than its maker and model; its settings are in a text file with the same stem.
"""

import re
from typing import Final

from watcher.formats.tiff import Facts
from watcher.formats.tiff_kind import (
    FEI_HELIOS,
    FEI_SFEG,
    MAKE,
    MODEL,
    SOFTWARE,
    TESCAN,
    ZEISS_SEM,
    Page,
    SpecialTiff,
    Told,
    iso,
    one_plane,
    tiff_time,
)

_METRES = {"m": 1e6, "mm": 1e3, "µm": 1.0, "um": 1.0, "nm": 1e-3, "pm": 1e-6}
_LENGTH = re.compile(r"([0-9.eE+-]+) *([pnuµm]?m)")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,40}$")
_SECTION = re.compile(r"^\[([^\]\r\n]{1,60})\]", re.MULTILINE)


def _tell(page: Page, facts: Facts) -> Told:
    told = Told()
    for tag in (FEI_SFEG, FEI_HELIOS):
        if text := page.text(tag):
            _fei(told, text, str(tag))
    if text := page.text(ZEISS_SEM):
        _zeiss(told, text)
    if text := page.text(TESCAN):
        _tescan(told, text)
    told.put("acquired", tiff_time(page), "DateTime")
    told.put("instrument", f"{page.text(MAKE)} {page.text(MODEL)}", "Make,Model")
    told.put("software", page.text(SOFTWARE), "Software")
    if facts.pages == 1:
        told.put("size", one_plane(page), "ImageWidth,ImageLength")
    return told


def _fei(told: Told, text: str, where: str) -> None:
    said: dict[tuple[str, str], str] = {}
    parts = _SECTION.split(text)
    for section, body in zip(parts[1::2], parts[2::2], strict=False):
        for key, value in re.findall(r"^([^=\r\n]{1,60})=([^\r\n]*)", body, re.MULTILINE):
            said.setdefault((section, key.strip()), value.strip())

    def of(section: str, key: str) -> str:
        return said.get((section, key), "")

    when = f"{of('User', 'Date')} {of('User', 'Time')}"
    told.put("acquired", iso(when, "%m/%d/%Y %I:%M:%S %p"), f"{where}/User/Date,Time")
    told.put("instrument", of("System", "SystemType"), f"{where}/System/SystemType")
    told.put("software", of("System", "Software"), f"{where}/System/Software")
    told.put("experimenter", of("User", "User"), f"{where}/User/User")
    across, down = _micrometres(of("Scan", "PixelWidth")), _micrometres(of("Scan", "PixelHeight"))
    told.put("pixel_size_um", f"{across}x{down}" if across and down else "", f"{where}/Scan/PixelWidth,PixelHeight")


def _zeiss(told: Told, text: str) -> None:
    said: dict[str, str] = {}
    for line in text.splitlines():
        label, sign, value = line.partition("=") if "=" in line else line.partition(":")
        if sign:
            said.setdefault(label.strip(), value.strip())
    when = f"{said.get('Date', '')} {said.get('Time', '')}"
    told.put("acquired", iso(when, "%d %b %Y %H:%M:%S"), f"{ZEISS_SEM}/Date,Time")
    serial = said.get("Serial No.", "")
    told.put("instrument", f"Zeiss {serial}" if serial else "", f"{ZEISS_SEM}/Serial No.")
    told.put("software", said.get("Version", ""), f"{ZEISS_SEM}/Version")
    told.put("experimenter", said.get("User Name", ""), f"{ZEISS_SEM}/User Name")
    for label in ("Image Pixel Size", "Pixel Size"):
        pitch = _micrometres(said.get(label, ""))
        told.put("pixel_size_um", f"{pitch}x{pitch}" if pitch else "", f"{ZEISS_SEM}/{label}")


def _tescan(told: Told, text: str) -> None:
    said: dict[str, str] = {}
    for line in text.splitlines():
        before, sign, value = line.partition("=")
        if sign and (key := _WORD.search(before[-41:])):  # a block begins with bytes that are no text
            said.setdefault(key[0], value.strip())
    when = f"{said.get('Date', '')} {said.get('Time', '')}"
    told.put("acquired", iso(when, "%Y-%m-%d %H:%M:%S"), f"{TESCAN}/Date,Time")
    told.put("instrument", said.get("Device", ""), f"{TESCAN}/Device")
    told.put("software", said.get("SoftwareVersion", ""), f"{TESCAN}/SoftwareVersion")
    told.put("experimenter", said.get("UserName", ""), f"{TESCAN}/UserName")
    across, down = _micrometres(said.get("PixelSizeX", "")), _micrometres(said.get("PixelSizeY", ""))
    told.put("pixel_size_um", f"{across}x{down}" if across and down else "", f"{TESCAN}/PixelSizeX,PixelSizeY")


def _micrometres(said: str) -> str:
    """A length with its unit, metres if it has none, as micrometres; "" if it is no length."""
    found = _LENGTH.fullmatch(said.strip()) or _LENGTH.fullmatch(f"{said.strip()} m")
    try:
        return f"{float(found[1]) * _METRES[found[2]]:.6g}" if found else ""
    except ValueError:
        return ""


FORMAT: Final = SpecialTiff("sem-tiff", _tell)
