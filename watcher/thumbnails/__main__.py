"""`python -m watcher.thumbnails`: the process that makes one picture, and may be ended at any time.

It reads {"files": [[path, format], ...], "memory": bytes, "seconds": CPU seconds} from stdin and writes a PNG to
stdout; exit code 3 says that there is nothing that can be shown. What goes wrong in it ends it, and nothing else.
"""

import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any, Final

from watcher import osfacts

#: There is nothing that can be shown in these files, or nothing that can be unpacked here.
NOTHING: Final = 3


def main() -> int:
    """Make one picture; the exit code."""
    asked: dict[str, Any] = json.load(sys.stdin)
    osfacts.lower_priority()
    osfacts.limit_myself(memory=asked["memory"], seconds=asked["seconds"])
    warnings.simplefilter("ignore")
    logging.disable()  # of strange files tifffile tells at length, and nobody reads it
    found = picture([(Path(path), kind) for path, kind in asked["files"]])
    if found is None:
        return NOTHING
    sys.stdout.buffer.write(found)
    return 0


def picture(files: list[tuple[Path, str]]) -> bytes | None:
    """A PNG of the first of these files in which something can be seen; None if none can be shown."""
    # Imported here: after the limits were set.
    from watcher.thumbnails.pixels import of_file
    from watcher.thumbnails.shown import is_flat, png

    for path, kind in files:
        try:
            pixels = of_file(path, kind)
        except MemoryError:
            raise
        except Exception:  # noqa: S112 - of a hostile file anything can come; another file of the set may do
            continue
        if pixels is not None and not is_flat(pixels):
            return png(pixels)
    return None


if __name__ == "__main__":
    sys.exit(main())
