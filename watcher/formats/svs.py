"""Aperio SVS slides: a TIFF whose description is a line of text and then `|`-separated `key = value` pairs.

tifffile svs_description_metadata; the order of month and day: Bio-Formats SVSReader (MM/dd/yy); reference/
image-formats.md 3.4. The damaged slide of 2.1 there, with almost no tile written, is found by the walk of `tiff`.
"""

import re
from typing import Final

from watcher.formats.tiff import Facts
from watcher.formats.tiff_kind import DESCRIPTION, Page, SpecialTiff, Told, iso, one_plane

_WHERE = "ImageDescription/"
_OFFSET = re.compile(r"(?:GMT|UTC)?([+-]\d\d):?(\d\d)")


def _tell(page: Page, facts: Facts) -> Told:  # noqa: ARG001 - the same for all kinds
    told = Told()
    program, *pairs = page.text(DESCRIPTION).split("|")
    said = {key.strip(): value.strip() for key, _, value in (pair.partition("=") for pair in pairs)}
    when = f"{said.get('Date', '')} {said.get('Time', '')}"
    acquired = iso(when, "%m/%d/%y %H:%M:%S", "%m/%d/%Y %H:%M:%S")
    offset = _OFFSET.fullmatch(said.get("Time Zone", "").strip())
    told.put(
        "acquired", f"{acquired}{offset[1]}:{offset[2]}" if acquired and offset else acquired, f"{_WHERE}Date,Time"
    )
    scanner = said.get("ScanScope ID", "")
    told.put("instrument", f"Aperio ScanScope {scanner}" if scanner else "", f"{_WHERE}ScanScope ID")
    strength = said.get("AppMag", "")
    told.put("objective", f"{strength}x" if strength else "", f"{_WHERE}AppMag")
    told.put("size", one_plane(page), "ImageWidth,ImageLength")
    pitch = said.get("MPP", "")
    told.put("pixel_size_um", f"{pitch}x{pitch}" if pitch else "", f"{_WHERE}MPP")
    told.put("software", program.splitlines()[0], _WHERE.rstrip("/"))
    told.put("experimenter", said.get("User", ""), f"{_WHERE}User")
    return told


FORMAT: Final = SpecialTiff("svs", _tell)
