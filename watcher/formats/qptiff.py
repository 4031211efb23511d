"""PerkinElmer and Akoya QPTIFF slides (Vectra, PhenoImager): a TIFF pyramid with XML in each page's description.

The mark and the root element: tifffile (is_qpi); the elements' names: Bio-Formats VectraReader. Only what the first
page says is read; that every channel has its page is not known from it.
"""

from typing import Final

from watcher.formats.reading import Unsound
from watcher.formats.safe_xml import local, root_of
from watcher.formats.tiff import Facts
from watcher.formats.tiff_kind import DESCRIPTION, SOFTWARE, Page, SpecialTiff, Told, pixel_size, tiff_time

_WHERE = "ImageDescription/PerkinElmer-QPI-ImageDescription/"
_NAMES = {"Objective": "objective", "AcquisitionSoftware": "software", "OperatorName": "experimenter"}


def _tell(page: Page, facts: Facts) -> Told:  # noqa: ARG001 - the same for all kinds
    told = Told()
    try:
        for element in root_of(page.text(DESCRIPTION).lstrip("\ufeff"), "the XML description"):
            name = local(element.tag)
            if name in _NAMES and element.text:
                told.put(_NAMES[name], element.text, _WHERE + name)
    except Unsound as problem:
        told.remarks.append(f"{problem}; what it says of itself is not known")
    told.put("acquired", tiff_time(page), "DateTime")
    told.put("software", page.text(SOFTWARE), "Software")
    told.put("pixel_size_um", pixel_size(page), "XResolution,YResolution")
    return told


FORMAT: Final = SpecialTiff("qptiff", _tell)
