"""Luxendo light sheets: one .lux.h5 file a time point and camera, of which the folder of the run is the set.

Facts: reference/image-formats.md 2.7 (names, folder YYYY-MM-DD_HHMMSS, dataset Data). How many files a run should have
is not known, so a run is complete when it is quiet.
"""

import re
from pathlib import Path
from typing import Final

from watcher.formats.base import Claim, Examination
from watcher.formats.hdf5 import FORMAT as HDF5
from watcher.formats.hdf5 import Enough, Hdf5, superblock_at, verdict
from watcher.formats.hdf5_plane import picture
from watcher.formats.plane import Picture
from watcher.formats.reading import Unsound, open_file

_RUN = re.compile(r"\d{4}-\d\d-\d\d_\d{6}", re.ASCII)
_COUNTED = re.compile(r"(.*?)_?(\d{3,6})\.lux\.h5", re.ASCII | re.IGNORECASE)
#: Folders between a file and the one of its run: raw/stack_0_channel_0
_MAX_DEPTH = 3


class Luxendo:
    """The files of a run."""

    name = "luxendo"

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether this is HDF5 with the name of a Luxendo file."""
        return superblock_at(head) is not None and name.lower().endswith(".lux.h5")

    def claim(self, path: Path) -> Claim:
        """The folder of the run if there is one above; else the file alone."""
        claim = HDF5.claim(path)
        if claim.format != self.name:
            return claim
        for depth, folder in enumerate(path.absolute().parents):
            if depth > _MAX_DEPTH:
                break
            if _RUN.fullmatch(folder.name):
                return Claim(self.name, (path.name,), folder.name, tree="/".join([".."] * depth) or ".")
        return Claim(self.name, (path.name,), path.name[: -len(".lux.h5")])

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Each member has its image, in the file; a gap in their numbers is a remark. OSError passes through."""
        found = verdict("luxendo:hdf5-data", [(name, *_check(directory / name)) for name in members])
        return Examination(found.sound, found.problems, checked=found.checked, remarks=tuple(_gaps(members)))

    def picture(self, path: Path) -> Picture | None:
        """A plane of a stack; none of its settings."""
        return picture(path)


def _check(path: Path) -> tuple[str, str]:
    with open_file(path) as file:
        try:
            one = Hdf5(file)
            one.closed()
            if "Data" not in one.links(one.superblock.root):
                raise Unsound("unfinished: it holds no image yet (dataset Data)")
            one.everything()
        except Unsound as problem:
            return str(problem), ""
        except Enough as reason:
            return "", str(reason)
    return "", ""


def _gaps(members: tuple[str, ...]) -> list[str]:
    series: dict[str, set[int]] = {}
    for name in members:
        if match := _COUNTED.fullmatch(name):
            series.setdefault(match[1], set()).add(int(match[2]))
    return [
        f"{stem}: {max(numbers) + 1 - len(numbers)} time points below {max(numbers)} have no file"
        for stem, numbers in sorted(series.items())
        if max(numbers) + 1 > len(numbers)
    ]


FORMAT: Final = Luxendo()
