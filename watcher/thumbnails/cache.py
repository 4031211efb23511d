"""The folder with the pictures: one file a set, named by its identifier and nothing else."""

import os
import tempfile
import uuid
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from watcher.journal.database import state_error

#: The folder in the state directory.
FOLDER: Final = "thumbnails"
_PREFIX: Final = "urn:uuid:"
_PICTURE, _NONE = ".png", ".none"


class Cache:
    """Pictures, and the names of sets of which none can be made. Raises JournalError or JournalFull."""

    def __init__(self, state: Path) -> None:
        self._folder = state / FOLDER

    def picture(self, set_id: str) -> Path | None:
        """The file with the picture of a set, if there is one; the identifier may be any text."""
        name = _name_of(set_id)
        path = self._folder / f"{name}{_PICTURE}"
        return path if name and path.is_file() else None

    def known(self) -> set[str]:
        """The sets of which there is a picture, or of which it is known that none can be made."""
        try:
            with os.scandir(self._folder) as entries:
                names = [entry.name.rpartition(".") for entry in entries]
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise state_error(self._folder, error) from error
        return {_PREFIX + stem for stem, dot, end in names if dot + end in (_PICTURE, _NONE)}

    def put(self, set_id: str, picture: bytes) -> None:
        """Keep the picture of a set; whoever asks meanwhile gets the one before, or none."""
        self._write(set_id, _PICTURE, picture)

    def refuse(self, set_id: str, why: str) -> None:
        """Remember that no picture of this set can be made, and why, so that it is not tried again."""
        self._write(set_id, _NONE, f"{why}\n".encode())

    def keep_only(self, set_ids: Collection[str]) -> None:
        """Remove what is there of all other sets, and what a process that was killed has left."""
        kept = {_name_of(set_id) for set_id in set_ids}
        try:
            for path in self._folder.iterdir():
                if path.stem not in kept or path.suffix not in (_PICTURE, _NONE):
                    path.unlink()
        except FileNotFoundError:
            return
        except OSError as error:
            raise state_error(self._folder, error) from error

    def _write(self, set_id: str, suffix: str, content: bytes) -> None:
        name = _name_of(set_id)
        temporary = ""
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=".")
            with open(handle, "wb") as file:
                file.write(content)
            Path(temporary).replace(self._folder / f"{name}{suffix}")
        except OSError as error:
            if temporary:
                with suppress(OSError):
                    Path(temporary).unlink()
            raise state_error(self._folder, error) from error


def _name_of(set_id: str) -> str:
    """Letters, digits and hyphens of an identifier, which no path can be made of; "" if it is none."""
    try:
        return str(uuid.UUID(set_id.removeprefix(_PREFIX)))
    except ValueError:
        return ""
