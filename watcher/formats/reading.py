"""Reading a little of a file that may be cut off, damaged or malicious: never past its end, never trusting a number."""

import io
import struct
from pathlib import Path
from typing import Any, BinaryIO

from watcher.osfacts import open_shared


class Unsound(Exception):
    """The file contradicts itself; the text says how, in words for a person and without the file's name."""


def open_file(path: Path) -> BinaryIO:
    """A buffered file to read from; whoever writes it may go on, rename or delete it. Raises OSError."""
    return io.BufferedReader(open_shared(path))  # type: ignore[type-var]


def size_of(file: BinaryIO) -> int:
    """The size of an open file in bytes."""
    return file.seek(0, io.SEEK_END)


def read_at(file: BinaryIO, offset: int, length: int, what: str, size: int | None = None) -> bytes:
    """Exactly these bytes. Raises Unsound, naming `what`, if the file ends before them or the place is no place.

    `size` is that of the file, if it is known already.
    """
    end = size_of(file) if size is None else size
    if offset < 0 or length < 0:
        raise Unsound(f"damaged: {what} is said to be at an impossible place")
    if offset + length > end:
        raise cut_off(what, offset + length, end)
    file.seek(offset)
    data = file.read(length)
    if len(data) < length:  # it has become shorter while we read
        raise cut_off(what, offset + length, offset + len(data))
    return data


def unpack_at(file: BinaryIO, form: str, offset: int, what: str, size: int | None = None) -> tuple[Any, ...]:
    """The numbers of a `struct` form at an offset. Raises Unsound as `read_at`."""
    return struct.unpack(form, read_at(file, offset, struct.calcsize(form), what, size))


def cut_off(what: str, end: int, size: int) -> Unsound:
    """The finding that something should reach further than the file does, in bytes."""
    return Unsound(f"cut off: {what} should end at byte {end}, the file has {size}")


def inside(name: str) -> str | None:
    """A name that a file lists, with single forward slashes; None if it leaves the folder or is no name."""
    slashed = name.replace("\\", "/")
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    if not parts or slashed.startswith("/") or ".." in parts or ":" in parts[0] or not name.isprintable():
        return None
    return "/".join(parts)
