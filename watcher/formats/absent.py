"""Members that are not there: told apart from a folder that is not there, and told to a person."""

import errno
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

#: Sentences about single files; more of them nobody reads.
MAX_SENTENCES: Final = 20
# Names that were derived from others may be longer than the system allows, or none that it knows.
_IMPOSSIBLE = frozenset((errno.ENAMETOOLONG, errno.EINVAL))


def is_there(path: Path) -> bool:
    """Whether there is a file of this name, which may be an impossible one. Other OSErrors pass through."""
    try:
        return path.is_file()
    except OSError as error:
        if error.errno in _IMPOSSIBLE:
            return False
        raise


def absent(directory: Path, names: Iterable[str]) -> list[str]:
    """Those of the names that are no file in the folder. Raises OSError if the folder itself is gone."""
    directory.stat()
    return [name for name in names if not is_there(directory / name)]


def sentences(missing: Sequence[str], why: str) -> list[str]:
    """A sentence for each missing file, up to a number that someone reads; `why` says who misses it."""
    told = [f"{name}: missing, {why}" for name in missing[:MAX_SENTENCES]]
    if len(missing) > MAX_SENTENCES:
        told.append(f"{len(missing) - MAX_SENTENCES} more files are missing, up to {missing[-1]}")
    return told
