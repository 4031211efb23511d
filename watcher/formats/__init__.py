"""What the watcher knows of file formats: one module a family, and the list of them.

A new family is one module with an object that keeps the Protocol in `base.py`, and one line in `FORMATS`.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Final

from watcher.errors import ConfigurationError
from watcher.formats.base import HEAD_BYTES, Claim, Examination, Format
from watcher.formats.ome_tiff import OME_TIFF
from watcher.formats.tiff import TIFF
from watcher.formats.tiff_ifd import open_file

__all__ = ["FORMATS", "Claim", "Examination", "Format", "by_name", "checked", "look"]

#: In the order in which they are asked: the special before the general.
FORMATS: Final[tuple[Format, ...]] = (OME_TIFF, TIFF)


def by_name(name: str) -> Format:
    """The format of this name, as in `Claim.format`. KeyError if there is none."""
    return {form.name: form for form in FORMATS}[name]


def checked(names: Collection[str] | None) -> frozenset[str] | None:
    """The names of formats in a profile (None: all of them). Raises ConfigurationError for one that is not known."""
    if names is None:
        return None
    known = [form.name for form in FORMATS]
    for name in names:
        if name not in known:
            raise ConfigurationError(f"sets.formats: {name} is not known; there are {', '.join(known)}")
    return frozenset(names)


def look(path: Path) -> Claim | None:
    """What the file says of its set, by its content; None if no format knows it. OSError passes through.

    The claim may be of a more general format than the one that recognised the file: 64 bytes do not tell an OME-TIFF
    from a plain one.
    """
    with open_file(path) as file:
        head = file.read(HEAD_BYTES)
    for form in FORMATS:
        if form.recognises(head, path.name):
            return form.claim(path)
    return None
