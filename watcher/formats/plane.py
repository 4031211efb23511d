"""Where the pixels of a picture are in a file. Formats say it, and never read them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane, or one tile of it, row by row from the top.

    Its data begin at byte `offset` of the file and have `length` bytes there if they are `packed` (the name of a codec:
    zlib, gzip, zstd, blosc, jpegxr); the plane begins `skip` bytes into what they unpack to. kind is the type of a
    pixel as numpy names it, with its byte order: `<u2`. samples: 1, or 3 and 4 for colours, which lie together and
    begin with red, or blue if `bgr`. row: bytes from one row to the next, 0 if they follow each other. x and y: where a
    tile is in the whole picture.
    """

    file: Path
    offset: int
    width: int
    height: int
    kind: str
    samples: int = 1
    bgr: bool = False
    row: int = 0
    packed: str = ""
    length: int = 0
    skip: int = 0
    x: int = 0
    y: int = 0


#: The tiles of one plane, or the bytes of an image file that stands in another: JPEG, PNG, TIFF.
Picture = tuple[Plane, ...] | bytes


@runtime_checkable
class Pictured(Protocol):
    """A format that knows where a picture is in its files; those that are TIFF need not say it."""

    def picture(self, path: Path) -> Picture | None:
        """A plane in the middle of what the file at `path` holds, or a preview in it; None if there is none.

        Reads headers only. Raises Unsound; OSError passes through.
        """
        ...
