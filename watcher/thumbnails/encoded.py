"""Image files of the usual kinds, alone or in another file, by Pillow."""

from typing import BinaryIO, Final

import numpy as np
from PIL import Image

from watcher.formats.reading import Unsound
from watcher.thumbnails.shown import ENOUGH, Pixels

#: How those begin that are read.
HEADS: Final = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n", "BMP": b"BM"}
#: Pillow decodes the whole image, so that larger ones take too much.
MOST_PIXELS: Final = 64_000_000
_AS_IT_IS: Final = frozenset({"L", "RGB", "I;16", "I;16B", "I", "F"})

#: What Pillow raises for what is no image, or a damaged one; a bomb by its size is none of these.
FAILURES: Final = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def is_image(head: bytes) -> bool:
    """Whether a file that begins so is one of them."""
    return head.startswith(tuple(HEADS.values()))


def read(file: BinaryIO, *formats: str, whole: bool = False) -> Pixels:
    """The pixels of an image file; unless it must be `whole`, fewer if its format can be read so. Raises Unsound."""
    try:
        with Image.open(file, formats=formats or tuple(HEADS)) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Unsound(f"it has {image.width} x {image.height} pixels")
            if not whole:
                image.draft(image.mode, (ENOUGH, ENOUGH))
            return np.asarray(image if image.mode in _AS_IT_IS else image.convert("RGB"))
    except FAILURES as error:
        raise Unsound(f"it cannot be read as an image ({error})") from None
