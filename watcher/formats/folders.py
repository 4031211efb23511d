"""Finding files by names from another system: Windows does not mind the case of letters, most other systems do."""

import os
from pathlib import Path
from typing import Final

from watcher.formats.vendor_xml import TooLarge

#: Names of one folder that are kept.
MAX_NAMES: Final = 300_000


class Folders:
    """Looks names up below one folder, each of whose folders is listed at most once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._listed: dict[str, dict[str, str]] = {}

    def find(self, name: str) -> str | None:
        """The name as it is on the disk, with forward slashes; None if there is none. Raises TooLarge, OSError."""
        found = ""
        for part in name.split("/"):
            real = self._in(found).get(part) or self._in(found).get(part.casefold())
            if real is None:
                return None
            found = f"{found}/{real}" if found else real
        return found

    def _in(self, folder: str) -> dict[str, str]:
        """The real names in a folder, by themselves and without their case; empty if it is no folder."""
        if folder not in self._listed:
            names: dict[str, str] = {}
            try:
                with os.scandir(self._root / folder) as entries:
                    for entry in entries:
                        if len(names) > 2 * MAX_NAMES:
                            raise TooLarge(f"a folder of it has more than {MAX_NAMES} files")
                        names.setdefault(entry.name.casefold(), entry.name)
                        names[entry.name] = entry.name
            except (FileNotFoundError, NotADirectoryError):
                names = {}
            self._listed[folder] = names
        return self._listed[folder]
