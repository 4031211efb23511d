"""What a format must answer: is this file mine, which files are one set, is it sound, what does it say of itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

#: How many bytes of a file every format may look at to recognise it.
HEAD_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Claim:
    """What one file says about the set that it belongs to.

    `lists` holds the names of all files that the file names as parts of its set, itself included, relative to its own
    directory with forward slashes; a name that ends in `/` is a folder that belongs to the set with all that is in it.
    Names that would leave the directory are reported in `problems` and not listed; one that begins with `../` comes
    from where the file lies, not from what it says, and the set is not whole before that file is part of it.
    `takes` is a regular expression for the names in its directory that belong to the set too, now or later: for files
    that come after the claim was made and do not speak for themselves. "" = none.
    `tree` says that a whole folder is the set, with everything below it: "." the file's own folder, ".." the one above
    and so on; of several, one within the other, the outermost counts.
    `title` is the name that the set should have ("" = the stem of its first file, or the name of the tree's folder).
    `problems` keep the set from being complete; `remarks` are only told. The `format` may be a more general one than
    the format that was asked.
    """

    format: str
    lists: tuple[str, ...]
    title: str = ""
    problems: tuple[str, ...] = ()
    tree: str | None = None
    takes: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Examination:
    """What looking into the files of a set found.

    sound: True or False, None when the format cannot tell (then `checked` begins with `unchecked: ` and the reason).
    missing: members that the set lists and that are absent. problems: one sentence each, naming the file. A set that
    is recognisably still being written (preallocated, no end marker where there must be one) is not sound, and the
    problem begins with `unfinished: ` after the name. remarks: what a person should know and that blocks nothing, as
    an aborted acquisition with its padding. checked: what was done, as in `tiff:ifd-walk`, for `acq:validated_by`.
    metadata: what the files say of themselves, by the keys of `formats/metadata.py`; sources: where each value stands.
    """

    sound: bool | None
    problems: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    checked: str = "unchecked"
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    remarks: tuple[str, ...] = ()


class Format(Protocol):
    """One vendor family; one that knows where a picture is in its files is `plane.Pictured`, too.

    None of the methods keeps a file open, writes, or reads pixels. OSError passes through; content that makes no
    sense is a finding, never an exception.
    """

    name: str

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether a file with these first HEAD_BYTES bytes (fewer if it is shorter) and this name is of this family."""
        ...

    def claim(self, path: Path) -> Claim:
        """Which files the file at `path` names as one set with itself."""
        ...

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Check the members (names relative to `directory`) that this format recognised as one set."""
        ...
