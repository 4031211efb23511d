"""Files that are not what they say."""

import struct
import zlib
from pathlib import Path

MIB = 1 << 20


def tiff(path: Path, width: int, height: int, data: bytes, *, compression: int = 8) -> Path:
    """A TIFF of one strip with any content."""
    fields = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, compression), (262, 3, 1, 1),
        (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, len(data)),
    ]  # fmt: skip
    directory = struct.pack("<H", len(fields)) + b"".join(struct.pack("<HHII", *field) for field in fields) + bytes(4)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory)
    return path


def bomb(path: Path, unpacked: int) -> Path:
    """A TIFF that says that it has 121 MB of pixels, and unpacks to far more."""
    packer = zlib.compressobj(1)
    block = bytes(MIB)
    data = b"".join(packer.compress(block) for _ in range(unpacked // MIB)) + packer.flush()
    return tiff(path, 11_000, 11_000, data)


def endless(path: Path, pages: int) -> Path:
    """A TIFF of very many pages with nothing in them."""
    page = struct.pack("<HHHII", 1, 256, 4, 1, 10)
    links = (struct.pack("<I", 8 + (at + 1) * 18 if at < pages - 1 else 0) for at in range(pages))
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + b"".join(page + link for link in links))
    return path
