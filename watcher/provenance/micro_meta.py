"""Files that describe the instrument or its settings: told by name and content, and delivered like any other member.

The Micro-Meta App writes two JSON files, whose `Schema_ID` says which: `Instrument.json` the microscope, `Image.json`
the settings of one acquisition (WU-BIMAC/MicroMetaApp-React, the page Output of its documentation).
"""

import json
from pathlib import Path
from typing import Final

from watcher import osfacts

INSTRUMENT: Final = "microscope"
SETTINGS: Final = "settings"

_KINDS: Final = {"Instrument.json": INSTRUMENT, "Image.json": SETTINGS}
#: Such a file has some 100 kB; what is larger is cut and then no JSON.
MOST_BYTES: Final = 4 * 1024 * 1024


def may_be(name: str) -> bool:
    """Whether a file of this name is worth to be looked into."""
    words = name.rpartition("/")[2].casefold()
    return words.endswith(".json") and any(word in words for word in ("microscope", "instrument", "setting"))


def kind_of(path: Path) -> str:
    """INSTRUMENT, SETTINGS, or "" if the file is neither, or can no longer be read."""
    try:
        with osfacts.open_shared(path) as file:
            return kind_in(file.read(MOST_BYTES))
    except OSError:
        return ""


def kind_in(data: bytes) -> str:
    """The same of what such a file holds."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    schema = content.get("Schema_ID") if isinstance(content, dict) else None
    return _KINDS.get(schema, "") if isinstance(schema, str) else ""
