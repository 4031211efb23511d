"""`manifest-sha256.txt`: the members of a set with their digests, as `sha256sum -c` reads it.

A name with a backslash is escaped and its line marked with one, as GNU sha256sum does (coreutils manual, md5sum
invocation); it escapes line ends as well, which no name in a store can hold (`watcher/names.py`). A member called `-`
stands there as `./-`, since sha256sum would read its own input for it.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from watcher.model import Member

NAME: Final = "manifest-sha256.txt"

_LINE: Final = re.compile(r"(?P<mark>\\?)(?P<digest>[0-9A-Fa-f]{64}) [ *](?P<name>.+)", re.DOTALL)
_ESCAPES: Final = {r"\\": "\\", r"\n": "\n", r"\r": "\r"}


def text(members: Iterable[Member]) -> str:
    """The manifest of members that have all been sent, sorted by their name in the store."""
    return "".join(_lines(members))


def digest(members: Iterable[Member]) -> str:
    """The SHA-256 of the manifest, as hex: two sets with the same one hold the same bytes under the same names."""
    so_far = hashlib.sha256()
    for line in _lines(members):
        so_far.update(line.encode("utf-8"))
    return so_far.hexdigest()


def parse(listing: str) -> Mapping[str, str]:
    """The digest (lower-case hex) of each member by its name, from the text of a manifest.

    Raises ValueError, naming the line, for what is no manifest and for a name that stands there twice.
    """
    found: dict[str, str] = {}
    # Not splitlines(), which also parts at characters that a name may hold.
    for number, line in enumerate(listing.removesuffix("\n").split("\n") if listing else (), start=1):
        parts = _LINE.fullmatch(line)
        if parts is None:
            raise ValueError(f"line {number} is not a digest, two spaces and a name")
        name = (_unescaped(parts["name"]) if parts["mark"] else parts["name"]).removeprefix("./")
        if name in found:
            raise ValueError(f"line {number} names a file again")
        found[name] = parts["digest"].lower()
    return found


def _lines(members: Iterable[Member]) -> Iterator[str]:
    return (_line(member) for member in sorted(members, key=lambda member: member.target))


def _line(member: Member) -> str:
    if member.sha256 is None:
        raise ValueError(f"{member.target} has not been sent")
    escaped = "./-" if member.target == "-" else member.target.replace("\\", "\\\\")
    mark = "\\" if "\\" in member.target else ""
    return f"{mark}{member.sha256}  {escaped}\n"


def _unescaped(name: str) -> str:
    return re.sub(r"\\[\\nr]", lambda found: _ESCAPES[found[0]], name)
