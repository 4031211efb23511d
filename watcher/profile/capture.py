"""What the names of folders say: the pattern `{group}/{user}/` read from the leading folders of a set's path."""

import itertools
import re
from pathlib import PurePosixPath
from typing import Final

from watcher.profile.pattern import Field, pieces

#: The value of a field whose folder is not there or does not fit the pattern.
UNKNOWN: Final = "unknown"

#: What the watcher knows better than any folder's name.
_TAKEN: Final = frozenset({"set", "folder", "instrument", "host"})


class Capture:
    """A pattern for the leading folders below the watched one, as in `{group}/{user}/` or `{date}_{user}/`.

    Where a folder's name can be divided in more than one way, the earlier field gets the shorter part. `depth` is the
    number of folders, `names` are the fields. Raises ValueError, saying what to write, for a pattern that cannot work.
    """

    def __init__(self, text: str) -> None:
        folders = [_folder(name) for name in text.removesuffix("/").split("/")] if text else []
        self.depth = len(folders)
        self.names = tuple(part.name for folder in folders for part in folder if isinstance(part, Field))
        if twice := {name for name in self.names if self.names.count(name) > 1}:
            raise ValueError(f"{{{min(twice)}}} stands there twice; give each field its own name")
        if taken := _TAKEN.intersection(self.names):
            raise ValueError(f"{{{min(taken)}}} is known without any folder; give this field another name")
        self._patterns = tuple(map(_compiled, folders))

    def match(self, folder: PurePosixPath) -> dict[str, str]:
        """The value of each field for a set in this folder (relative to the watched one), `unknown` where none fits."""
        values = dict.fromkeys(self.names, UNKNOWN)
        for pattern, name in zip(self._patterns, folder.parts, strict=False):
            if found := pattern.fullmatch(name):
                values.update(found.groupdict())
        return values


def _folder(name: str) -> tuple[str | Field, ...]:
    if name in {"", ".", ".."}:
        raise ValueError("it must be names of folders with one / between them, as in {group}/{user}/")
    parts = pieces(name)
    if any(isinstance(one, Field) and isinstance(other, Field) for one, other in itertools.pairwise(parts)):
        raise ValueError("two fields touch each other; put something between them, as in {date}_{user}")
    return parts


def _compiled(folder: tuple[str | Field, ...]) -> re.Pattern[str]:
    text = "".join(f"(?P<{part.name}>.+?)" if isinstance(part, Field) else re.escape(part) for part in folder)
    return re.compile(text, re.DOTALL)
