"""Small pictures of published sets, made from the files on the disk when nothing else is to be done.

The duty (`duty.py`) chooses a set and hands a few of its files to a process of its own (`child.py`), which is ended
when it takes too much. Nothing of that touches a file that still grows: only those are opened that are the same as when
they were delivered and verified. `thumbnail` is for whoever shows them.
"""

from pathlib import Path

from watcher.thumbnails.cache import Cache

__all__ = ["Cache", "thumbnail"]


def thumbnail(state: Path, set_id: str) -> Path | None:
    """The picture of a set (PNG, at most 256 pixels wide and high), None if there is none.

    `state` is the journal's directory; any other text than the identifier of a set gives None.
    """
    return Cache(state).picture(set_id)
