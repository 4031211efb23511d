"""Norpix StreamPix .seq: a header and frames of one size, as recorded by high-speed cameras.

Layout: pims (norpix_reader.py) and whisk (seq.h): `Norpix seq` at byte 4, version at 28, size and format of the images
from 548 on, frames at 572, bytes of a frame with its time and padding at 580; frames begin at byte 8192 from version 5
on, at 1024 before; compression at 620 and the index `X.seq.idx` (P. Siefert, ReadTimestampSEQ.m). A frame's time
says nothing of its time zone (pims), so it is not given. Pixels are never read.
"""

import struct
from pathlib import Path
from typing import BinaryIO, Final

from watcher.formats.base import Claim, Examination
from watcher.formats.electron import Finding, gathered, is_there, look_into
from watcher.formats.plane import Picture, Plane
from watcher.formats.reading import Unsound, cut_off, open_file, read_at, size_of

_MARK = "Norpix seq".encode("utf-16-le")
_HEADER_BYTES = 1024
# Bytes of a pixel: its type, and how many colours it has
_PIXELS = {1: ("<u1", 1), 2: ("<u2", 1), 3: ("<u1", 3), 4: ("<u1", 4)}


class Norpix:
    """StreamPix sequences: each is a set of its own."""

    name = "norpix"

    def recognises(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the Protocol gives it
        """Whether the file begins with the mark of StreamPix."""
        return head[:4] == b"\xed\xfe\0\0" and head[4:24] == _MARK

    def claim(self, path: Path) -> Claim:
        """Itself, and its index if it has one."""
        index = f"{path.name}.idx"
        names = (path.name, index) if is_there(path.with_name(index)) else (path.name,)
        return Claim(self.name, names, title=path.stem)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Hold the size of each member against its header. OSError passes through."""
        return gathered("norpix:size-equation", {name: look_into(directory / name, self) for name in members})

    def picture(self, path: Path) -> Picture | None:
        """The frame in the middle."""
        with open_file(path) as file:
            head = read_at(file, 0, _HEADER_BYTES, "the file header", size_of(file))
        (version,) = struct.unpack_from("<i", head, 28)
        width, height, _, _, image, _, frames, _, frame = struct.unpack_from("<9I", head, 548)
        each = image // (width * height) if width and height else 0
        if head[620] or each not in _PIXELS:
            return None
        kind, samples = _PIXELS[each]
        start = (8192 if version >= 5 else _HEADER_BYTES) + frames // 2 * frame
        return (Plane(path, start, width, height, kind, samples, bgr=samples > 1),)

    def look(self, file: BinaryIO, size: int, found: Finding) -> None:
        """All frames that the header tells of are in the file, and no others."""
        head = read_at(file, 0, _HEADER_BYTES, "the file header", size)
        if not self.recognises(head, ""):
            raise Unsound("not a StreamPix sequence: its first bytes are something else")
        (version,) = struct.unpack_from("<i", head, 28)
        width, height, _, _, image, _, frames, _, frame = struct.unpack_from("<9I", head, 548)
        compressed = head[620]
        if not frames:
            raise Unsound("unfinished: its header tells of no frame yet")
        found.says("size", f"{width}x{height}x1x1x{frames}", "header/width, height, allocated frames")
        if compressed:
            found.unsure = "its frames are compressed, and differ in size"
            return
        if frame < max(1, image):
            raise Unsound("damaged: its frames are smaller than its images")
        start = 8192 if version >= 5 else _HEADER_BYTES
        end = start + frames * frame
        if end > size:
            there = max(0, size - start) // frame
            raise cut_off(f"the last of {frames} frames ({there} are whole)", end, size)
        if size - end >= frame:
            raise Unsound(
                f"unfinished: its header tells of {frames} frames, which end at byte {end}, the file has {size}: "
                "its writer may not have closed it"
            )
        if size > end:
            found.remarks.append(f"{size - end} bytes follow the last frame")


FORMAT: Final = Norpix()
