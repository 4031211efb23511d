"""The registry: one entry a family, with what is needed to decide, without importing it, whether a file may be its."""

import fnmatch
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Family:
    """One format: where its code is, how its files may begin or be named, and what the README says of it.

    module is the module in `watcher.formats` whose FORMAT keeps the Protocol. A file is looked at by it if one of the
    `magic` byte strings stands at its offset in the head, or one of the `patterns` (lower-case globs) matches its name.
    A folder whose name ends in one of `folders` is a set with everything in it. `extensions` are those that its files
    usually have; another one is remarked on ("" among them: anything goes).
    """

    name: str
    module: str
    title: str
    magic: tuple[tuple[int, bytes], ...] = ()
    patterns: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ("",)
    folders: tuple[str, ...] = ()
    set_rule: str = ""
    signals: str = ""
    checks: str = ""
    metadata: str = ""
    sample: str = "synthetic"

    def may_be(self, head: bytes, name: str) -> bool:
        """Whether it is worth to ask the module."""
        if any(head[at : at + len(mark)] == mark for at, mark in self.magic):
            return True
        lower = name.lower()
        return any(fnmatch.fnmatchcase(lower, pattern) for pattern in self.patterns)

    def usual(self, name: str) -> bool:
        """Whether files of this family are usually named so."""
        return "" in self.extensions or name.lower().endswith(self.extensions)


_TIFF_MAGIC: Final = ((0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+"))

#: In the order in which they are asked: the special before the general.
FAMILIES: Final[tuple[Family, ...]] = (
    Family(
        "ome-tiff", "ome_tiff", "OME-TIFF",
        magic=_TIFF_MAGIC, patterns=("*.companion.ome",), extensions=(".tif", ".tiff", ".tf2", ".tf8", ".btf", ".ome"),
        set_rule="all files that the OME-XML names, and their companion",
        signals="every listed file is there; planes as declared",
        checks="directories and strips of every file; identifiers and planes against the OME-XML",
        metadata="OME-XML", sample="real",
    ),
    Family(
        "tiff", "tiff", "TIFF, BigTIFF, ImageJ",
        magic=_TIFF_MAGIC, extensions=(
            ".tif", ".tiff", ".tf2", ".tf8", ".btf", ".lsm", ".stk", ".svs", ".scn", ".ndpi", ".flex", ".eer",
        ),
        set_rule="each file, with what shares its stem",
        signals="the chain of directories ends",
        checks="directories and strips", metadata="-", sample="real",
    ),
)  # fmt: skip


def is_set_folder(name: str) -> bool:
    """Whether a folder of this name is a set as a whole, whatever is in it: `scan.zarr`."""
    return name.lower().endswith(_SET_FOLDERS)


def may_tell_more(name: str) -> bool:
    """Whether a file of this name may say of its set what its plain neighbours do not: an index, a container."""
    lower = name.lower()
    return not lower.endswith(_PLAIN) or _TELLING.fullmatch(lower) is not None


def candidates(head: bytes, name: str) -> Iterator[Family]:
    """The families that a file may be of, in the order in which they are to be asked."""
    return (family for family in FAMILIES if family.may_be(head, name))


#: Files of which a plate or a stack holds thousands, and that only speak of themselves.
_PLAIN: Final = (".tif", ".tiff", ".jpg", ".png", ".flex")
_TELLING: Final = re.compile("|".join(fnmatch.translate(p) for family in FAMILIES for p in family.patterns) or "(?!)")
_SET_FOLDERS: Final = tuple(ending for family in FAMILIES for ending in family.folders)
