"""Thermo Fisher EER movies (Falcon 4, 4i): a BigTIFF with one page a readout frame and XML in the private field 65001.

tifffile (is_eer, eer_xml_metadata: `<metadata><item name=... unit=...>`); reference/image-formats.md 2.1: complete when
the chain of pages ends. The number of frames in the XML is told when it differs; an exposure may be stopped early.
"""

from typing import Final

from watcher.formats.reading import Unsound
from watcher.formats.safe_xml import root_of
from watcher.formats.tiff import Facts
from watcher.formats.tiff_kind import EER, LENGTH, WIDTH, Page, SpecialTiff, Told, iso_as_is


def _tell(page: Page, facts: Facts) -> Told:
    told = Told()
    try:
        root = root_of(page.text(EER), "the XML in field 65001")
    except Unsound as problem:
        told.remarks.append(f"{problem}; what it says of itself is not known")
        return told
    said = {item.get("name", ""): (item.text or "").strip() for item in root.iter("item")}

    told.put("acquired", iso_as_is(said.get("timestamp", "")), "65001/metadata/item[@name='timestamp']")
    for name in ("commercialName", "cameraName"):
        told.put("instrument", said.get(name, ""), f"65001/metadata/item[@name='{name}']")
    frames = said.get("numberOfFrames", "")
    if frames.isdecimal() and len(frames) < 9 and int(frames) > facts.pages:
        told.remarks.append(f"it was to have {int(frames)} frames and has {facts.pages}")
    width, length = page.numbers.get(WIDTH), page.numbers.get(LENGTH)
    if width and length and not facts.unsure:
        told.put("size", f"{width}x{length}x1x1x{facts.pages}", "ImageWidth,ImageLength, number of pages")
    return told


FORMAT: Final = SpecialTiff("eer", _tell)
