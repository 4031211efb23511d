"""What a file of a set shows: by its format, or by how it begins."""

import io
from pathlib import Path
from typing import BinaryIO

from watcher import formats
from watcher.formats.base import HEAD_BYTES
from watcher.formats.plane import Picture, Pictured
from watcher.formats.reading import open_file
from watcher.formats.tiff_ifd import layout_of
from watcher.thumbnails import encoded, raw, tiffs
from watcher.thumbnails.shown import Pixels


def of_file(path: Path, kind: str) -> Pixels | None:
    """One plane of a file of this format ("" if none knows it), None if there is nothing in it that can be shown.

    Raises Unsound, Unknown and OSError, and whatever a library raises for nonsense.
    """
    form = formats.by_name(kind) if kind else None
    if isinstance(form, Pictured) and (found := form.picture(path)):
        return _of_picture(found)
    with open_file(path) as file:
        return _of_image(file)


def _of_picture(found: Picture) -> Pixels | None:
    return _of_image(io.BytesIO(found)) if isinstance(found, bytes) else raw.picture(found)


def _of_image(file: BinaryIO) -> Pixels | None:
    """An image file of the usual kinds."""
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if layout_of(head) is not None:
        return tiffs.read(file)
    if encoded.is_image(head):
        return encoded.read(file)
    # Codestreams and files of JPEG 2000 stand in others only: ISO/IEC 15444-1, A.4 and I.5.1
    if head.startswith((b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")):
        return encoded.read(file, "JPEG2000")
    return None
