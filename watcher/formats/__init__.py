"""What the watcher knows of file formats: one module a family, and the list of them.

A new family is one module with an object FORMAT that keeps the Protocol in `base.py`, and one entry in `families.py`.
Its module is imported when a file is seen that may be of that family.
"""

import importlib
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from watcher.errors import ConfigurationError
from watcher.formats.base import HEAD_BYTES, Claim, Examination, Format
from watcher.formats.families import FAMILIES, candidates, is_set_folder, may_tell_more
from watcher.formats.family import Family
from watcher.osfacts import open_shared

__all__ = [
    "FAMILIES",
    "Claim",
    "Examination",
    "Family",
    "Format",
    "by_name",
    "checked",
    "is_set_folder",
    "look",
    "may_tell_more",
]


def by_name(name: str) -> Format:
    """The format of this name, as in `Claim.format`. KeyError if there is none."""
    module = {family.name: family.module for family in FAMILIES}[name]
    form: Format = importlib.import_module(f"watcher.formats.{module}").FORMAT
    return form


def checked(names: Collection[str] | None) -> frozenset[str] | None:
    """The names of formats in a profile (None: all of them). Raises ConfigurationError for one that is not known."""
    if names is None:
        return None
    known = [family.name for family in FAMILIES]
    for name in names:
        if name not in known:
            raise ConfigurationError(f"sets.formats: {name} is not known; there are {', '.join(known)}")
    return frozenset(names)


def look(path: Path) -> Claim | None:
    """What the file says of its set, by its content; None if no format knows it. OSError passes through.

    The claim may be of a more general format than the one that recognised the file: the first bytes do not tell an
    OME-TIFF from a plain one. A name that such files do not have is remarked on. A file that begins with zeros although
    files of its name begin otherwise is of no format yet, and unfinished.
    """
    with open_shared(path) as file:
        head = file.read(HEAD_BYTES)
    for family in candidates(head, path.name):
        form = by_name(family.name)
        if form.recognises(head, path.name):
            claim = form.claim(path)
            found = next((one for one in FAMILIES if one.name == claim.format), family)
            if found.usual(path.name):
                return claim
            remark = f"{path.name}: it is {found.title}, which is not usually named so"
            return replace(claim, remarks=(*claim.remarks, remark))
    if head and not head.strip(b"\0") and any(one.magic and one.promised_by(path.name) for one in FAMILIES):
        problem = f"{path.name}: unfinished: it begins with zeros, as a file whose place is only reserved"
        return Claim("", (path.name,), problems=(problem,))
    return None
