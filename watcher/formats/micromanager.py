"""What Micro-Manager's summary metadata says of an acquisition: the same in NDTiff, image stacks and single planes.

Keys of the summary: mmstudio `PropertyKey.java` and `DefaultSummaryMetadata.java`, github micro-manager/micro-manager,
and the summaries of its public sample files (reference/image-formats.md 3.1).
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final

from watcher.formats.metadata import MAX_TEXT

#: Bytes of a summary that are read, so that the worst needs no more than 50 MB when it is parsed. One that is longer,
#: as with 10 000 positions, is not looked into.
MAX_SUMMARY: Final = 1 << 20
#: A date and a time of any writer since 1.4, with its offset if there is one.
_WHEN: Final = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d+)?(?: ?([+-]\d\d):?(\d\d))?", re.ASCII
)


def parse(text: str) -> dict[str, Any]:
    """The JSON object that a text begins with; empty if it is none, whatever else it may be."""
    try:
        found, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def describe(summary: dict[str, Any], where: str) -> tuple[dict[str, str], dict[str, str]]:
    """Metadata and sources from a summary that stands at `where`. Values that make no sense are left out."""
    readers: tuple[tuple[str, tuple[str, ...], Callable[[dict[str, Any], str], str]], ...] = (
        ("acquired", ("StartTime", "DateAndTime", "Time"), _when),
        ("software", ("MicroManagerVersion",), lambda one, key: _prefixed("Micro-Manager ", _text(one, key))),
        ("computer", ("ComputerName",), _text),
        ("experimenter", ("UserName",), _text),
        ("channels", ("ChNames",), _names),
        ("size", ("Width",), lambda one, _: _size(one)),
        ("pixel_size_um", ("PixelSize_um",), lambda one, _: _pixel_size(one)),
    )
    metadata: dict[str, str] = {}
    sources: dict[str, str] = {}
    for name, keys, reader in readers:
        for key in keys:
            if name not in metadata and (value := reader(summary, key)):
                metadata[name] = value[:MAX_TEXT]
                sources[name] = f"{where}/{key}"
    return metadata, sources


def whole(summary: dict[str, Any], key: str) -> int:
    """A count in a summary; 0 if there is none (Micro-Manager writes -1 for "not known")."""
    value = summary.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 31 else 0


def _text(summary: dict[str, Any], key: str) -> str:
    value = summary.get(key)
    return " ".join(value.split()) if isinstance(value, str) else ""


def _prefixed(prefix: str, value: str) -> str:
    return prefix + value if value else ""


def _when(summary: dict[str, Any], key: str) -> str:
    found = _WHEN.match(_text(summary, key))
    if found is None:
        return ""
    year, month, day, time, hours, minutes = found.groups()
    return f"{year}-{month}-{day}T{time}" + (f"{hours}:{minutes}" if hours else "")


def _names(summary: dict[str, Any], key: str) -> str:
    value = summary.get(key)
    return ", ".join(name for name in value if isinstance(name, str)) if isinstance(value, list) else ""


def _size(summary: dict[str, Any]) -> str:
    sizes = [whole(summary, key) for key in ("Width", "Height", "Slices", "Channels", "Frames")]
    return "x".join(map(str, sizes)) if all(sizes) else ""


def _pixel_size(summary: dict[str, Any]) -> str:
    def number(key: str) -> float:
        value = summary.get(key)
        return value if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9 else 0

    across, down = number("PixelSize_um"), number("z-step_um")
    if not across:  # 0 stands for a microscope that was never calibrated
        return ""
    return f"{across:g}x{across:g}" + (f"x{down:g}" if down else "")
