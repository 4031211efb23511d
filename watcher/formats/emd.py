"""EMD of electron microscopes: HDF5 as Velox (Thermo Fisher) and NCEM's programs write it.

Facts: Velox keeps Data/<kind>/<identifier>/Data and a Metadata beside it (github hyperspy/rosettasciio, rsciio/emd);
NCEM's "EMD file format" page: groups with the attribute emd_group_type hold `data`.
"""

from pathlib import Path
from typing import Final

from watcher.formats.base import Claim, Examination
from watcher.formats.hdf5 import ELSEWHERE, Enough, Hdf5, superblock_at, verdict
from watcher.formats.hdf5 import FORMAT as HDF5
from watcher.formats.reading import Unsound, open_file


class Emd:
    """EMD files: each is a set of its own."""

    name = "emd"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the Protocol gives it
        """Whether this is HDF5; `claim` then tells which family by what the file holds."""
        return superblock_at(head) is not None

    def claim(self, path: Path) -> Claim:
        """Itself; for HDF5 that is no EMD, the claim of that format."""
        return HDF5.claim(path)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Every image and spectrum of each member has its data, in the file. OSError passes through."""
        return verdict("emd:hdf5-groups", [(name, *_check(directory / name)) for name in members])


def _check(path: Path) -> tuple[str, str]:
    with open_file(path) as file:
        try:
            one = Hdf5(file)
            one.closed()
            top = one.links(one.superblock.root)
            if {"Data", "Version"} <= top.keys():
                _velox(one, top["Data"])
            if not one.everything():
                raise Unsound("unfinished: it holds no data yet")
        except Unsound as problem:
            return str(problem), ""
        except Enough as reason:
            return "", str(reason)
    return "", ""


def _velox(one: Hdf5, data: int) -> None:
    for kind, group in one.links(data).items():
        if kind not in {"Image", "Spectrum", "SpectrumStream"} or group == ELSEWHERE:
            continue
        for identifier, item in one.links(group).items():
            if item != ELSEWHERE and not {"Data", "Metadata"} <= one.links(item).keys():
                raise Unsound(f"unfinished: {kind} {identifier[:40]} has no data or no description")


FORMAT: Final = Emd()
