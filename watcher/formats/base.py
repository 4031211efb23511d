"""What a format must answer: is this file mine, which files are one set, is it sound, what does it say of itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

#: How many bytes of a file every format may look at to recognise it.
HEAD_BYTES = 64


@dataclass(frozen=True, slots=True)
class Claim:
    """What one file says about the set that it belongs to.

    `lists` holds the names of all files that the file names as parts of its set, itself included, relative to its own
    directory with forward slashes; names that would leave the directory are reported in `problems` and not listed.
    `title` is the name that the set should have ("" = the stem of its first file).
    """

    format: str
    lists: tuple[str, ...]
    title: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Examination:
    """What looking into the files of a set found.

    sound: True or False, None when the format cannot tell. missing: members that the set lists and that are absent.
    problems: one sentence each, naming the file. checked: what was done, as in `tiff:ifd-walk`, for `acq:validated_by`.
    metadata: what the files say of themselves, a handful of values (see `formats/ome_xml.py` for the keys).
    """

    sound: bool | None
    problems: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    checked: str = "unchecked"
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


class Format(Protocol):
    """One vendor family.

    None of the methods keeps a file open, writes, or reads pixels. OSError passes through; content that makes no
    sense is a finding, never an exception.
    """

    name: str

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether a file with these first HEAD_BYTES bytes and this name is of this family."""
        ...

    def claim(self, path: Path) -> Claim:
        """Which files the file at `path` names as one set with itself."""
        ...

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Check the members (names relative to `directory`) that this format recognised as one set."""
        ...
