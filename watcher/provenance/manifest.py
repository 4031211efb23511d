"""`manifest-sha256.txt`: the members of a set with their digests, as `sha256sum -c` reads it."""

import hashlib
from collections.abc import Iterable

from watcher.model import Member

NAME = "manifest-sha256.txt"


def text(members: Iterable[Member]) -> str:
    """The manifest of members that have all been sent, sorted by their name in the store.

    A name with a backslash is escaped and its line marked, as GNU sha256sum does (coreutils manual, md5sum invocation);
    a member called `-` stands there as `./-`, since sha256sum would read its own input for it.
    """
    return "".join(_line(member) for member in sorted(members, key=lambda member: member.target))


def digest(members: Iterable[Member]) -> str:
    """The SHA-256 of the manifest, as hex: two sets with the same one hold the same bytes under the same names."""
    return hashlib.sha256(text(members).encode("utf-8")).hexdigest()


def _line(member: Member) -> str:
    if member.sha256 is None:
        raise ValueError(f"{member.target} has not been sent")
    escaped = "./-" if member.target == "-" else member.target.replace("\\", "\\\\")
    mark = "\\" if "\\" in member.target else ""
    return f"{mark}{member.sha256}  {escaped}\n"
