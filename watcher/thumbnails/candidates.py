"""Which files of a set are worth a look for its picture."""

from collections.abc import Iterable, Sequence
from typing import Final

#: Files that are tried.
MOST: Final = 9
_IMAGES: Final = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp")


def candidates(files: Iterable[tuple[str, str, int]]) -> list[tuple[str, str]]:
    """The paths and formats of a few of these files (path, format, bytes), the most promising first.

    Of each format the file in the middle, since the first of a stack or plate is often empty, the first of the
    outermost folder, which may speak for all others, and the last. The format of which there is most comes first, since
    lists and settings are small; what no format knows comes last.
    """
    kinds: dict[str, list[tuple[str, int]]] = {}
    for path, kind, size in files:
        if kind or path.lower().endswith(_IMAGES):
            kinds.setdefault(kind, []).append((path, size))
    ordered = sorted(kinds, key=lambda kind: (kind == "", -sum(size for _, size in kinds[kind])))
    found = [(path, kind) for kind in ordered for path in _some([path for path, _ in kinds[kind]])]
    return found[:MOST]


def _some(paths: Sequence[str]) -> list[str]:
    ordered = sorted(paths)
    outermost = min(ordered, key=lambda path: path.count("/"))
    return list(dict.fromkeys((ordered[len(ordered) // 2], outermost, ordered[-1])))
