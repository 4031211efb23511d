"""Olympus OIB: the files of an OIF set in one compound file, named by its stream OibInfo.txt.

Sources: reference/image-formats.md 2.5; openreadout docs/formats/oif.md, "Containers"; Microsoft [MS-CFB] for `ole.py`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

from watcher.formats import fluoview
from watcher.formats.base import Claim, Examination
from watcher.formats.ole import MAGIC, CompoundFile
from watcher.formats.plane import Picture
from watcher.formats.reading import Unsound, open_file, size_of
from watcher.formats.tiff_ifd import layout_of

#: Bytes of a plane; FV1000 scans at most 4096 x 4096 pixels of 16 bits.
MAX_PLANE: Final = 64 << 20

_INFO = "OibInfo.txt"
# s_C001Z003.tif; others are references and thumbnails
_PLANE = re.compile(r"^s_c\d.*\.tif$")
_INFO_NAME = _INFO.encode("utf-16-le")


class Oib:
    """OIB: each file is a set of its own."""

    name = "oib"

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether this is a compound file of FluoView. Others, as documents, begin alike: only if it is named .oib,

        or if the list of streams that the head shows has the one that all OIB files have.
        """
        return head.startswith(MAGIC) and (name.lower().endswith(".oib") or _INFO_NAME in head)

    def claim(self, path: Path) -> Claim:
        """Itself: an OIB names no other file."""
        return Claim(self.name, (path.name,), title=path.stem)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Follow every stream of each member, and compare with the lists in it. OSError passes through."""
        problems: list[str] = []
        remarks: list[str] = []
        metadata: dict[str, str] = {}
        sources: dict[str, str] = {}
        for name in members:
            try:
                with open_file(directory / name) as file:
                    found = _look(file)
            except Unsound as problem:
                problems.append(f"{name}: {problem}")
                continue
            problems += [f"{name}: {problem}" for problem in found.problems]
            remarks += [f"{name}: {remark}" for remark in found.remarks]
            metadata, sources = {**found.metadata, **metadata}, {**found.sources, **sources}
        return Examination(
            sound=not problems,
            problems=tuple(problems),
            checked="oib:streams",
            metadata=metadata,
            sources=sources,
            remarks=tuple(remarks),
        )

    def picture(self, path: Path) -> Picture | None:
        """The TIFF of the plane in the middle."""
        with open_file(path) as file:
            ole = CompoundFile(file)
            files = _files(_settings(ole, _INFO, _INFO).get("OibSaveInfo", {}))
            planes = sorted(name for name, stream in files.items() if _PLANE.search(name) and stream in ole.streams)
            return ole.read(files[planes[len(planes) // 2]], MAX_PLANE) if planes else None


FORMAT: Final = Oib()


def _look(file: BinaryIO) -> Examination:
    if not size_of(file):
        raise Unsound("empty: the file has no bytes yet")
    ole = CompoundFile(file)
    ole.check()
    if _INFO not in ole.streams:
        raise Unsound(f"damaged or unfinished: the stream {_INFO}, which names its files, is missing")
    info = _settings(ole, _INFO, _INFO).get("OibSaveInfo", {})
    files = _files(info)
    lost = [name for name, stream in files.items() if stream not in ole.streams]
    main = info.get("MainFileName", "")
    settings = _settings(ole, main, "the settings text")
    wanted = fluoview.planes(settings)
    lost += [name for name in fluoview.missing_of(wanted, files.keys()) if name not in lost]
    problems = [*fluoview.sentences(lost, _INFO), *_no_images(ole, files)]
    first = files.get(fluoview.first_properties(settings).lower(), "")
    plane = _settings(ole, first, "the text of the first plane") if first in ole.streams else {}
    metadata, sources = fluoview.described(settings, plane)
    remarks = (f"{wanted.remark}; those were not looked for",) if wanted.remark else ()
    return Examination(not problems, tuple(problems), metadata=metadata, sources=sources, remarks=remarks)


def _settings(ole: CompoundFile, stream: str, what: str) -> fluoview.Settings:
    return fluoview.parse(ole.read(stream, fluoview.MAX_BYTES), what)


def _files(info: Mapping[str, str]) -> dict[str, str]:
    """The streams by the name, in lower case, of the file that each holds: `Stream00010=Storage00001/s_C001.pty`."""
    return {
        value.replace("\\", "/").rpartition("/")[2].lower(): stream
        for stream, value in info.items()
        if stream.startswith("Stream")
    }


def _no_images(ole: CompoundFile, files: Mapping[str, str]) -> list[str]:
    """Planes whose place was never written: zeros instead of the beginning of a TIFF."""
    empty = [
        name
        for name, stream in files.items()
        if name.endswith(".tif") and stream in ole.streams and layout_of(ole.read(stream, 16)) is None
    ]
    if not empty:
        return []
    return [f"damaged: {len(empty)} of its planes, as {empty[0]}, do not begin as an image"]
