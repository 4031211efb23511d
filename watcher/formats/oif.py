"""Olympus OIF: `X.oif`, a settings text, and the folder `X.oif.files` with the planes that the text lists.

Set rule and list of files: reference/image-formats.md 2.5 and openreadout docs/formats/oif.md, "Containers". The planes
themselves are TIFF files, which are checked as such.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from watcher.formats import fluoview
from watcher.formats.base import Claim, Examination
from watcher.formats.reading import Unsound, open_file, read_at, size_of

#: Names of a folder that are looked at.
MAX_NAMES: Final = 4 * fluoview.MAX_PLANES


class Oif:
    """OIF sets: a settings file and its folder."""

    name = "oif"

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether this is a settings text, named as the main one: those of the planes look alike."""
        return name.lower().endswith(".oif") and fluoview.begins_as_settings(head)

    def claim(self, path: Path) -> Claim:
        """The settings file and its folder, with all that is in it."""
        return Claim(self.name, (path.name, f"{path.name}.files/"), title=path.stem)

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Read each settings file and look for what it lists. OSError passes through."""
        found = _Found()
        for name in members:
            try:
                found.look(directory, name)
            except Unsound as problem:
                found.problems.append(f"{name}: {problem}")
        return Examination(
            sound=not found.problems,
            problems=tuple(found.problems),
            missing=tuple(found.missing),
            checked="oif:list-of-files",
            metadata=found.metadata,
            sources=found.sources,
            remarks=tuple(found.remarks),
        )


@dataclass(slots=True)
class _Found:
    """What is known so far of the sets that are examined."""

    problems: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def look(self, directory: Path, name: str) -> None:
        try:
            settings = _read(directory / name, "the text")
        except FileNotFoundError:
            if not directory.is_dir():
                raise
            self.missing.append(name)
            self.problems.append(f"{name}: missing, it is no longer there")
            return
        folder = f"{name}.files"
        there = _names(directory / folder)
        if there is None:
            self.missing.append(f"{folder}/")
            self.problems.append(f"{folder}: missing, the folder with the planes of {name}")
            return
        self._describe(settings, directory / folder, there)
        wanted = fluoview.planes(settings)
        if wanted.remark:
            self.remarks.append(f"{name}: {wanted.remark}; those were not looked for")
        missing = [f"{folder}/{one}" for one in fluoview.missing_of(wanted, there)]
        self.missing += missing
        self.problems += fluoview.sentences(missing, name)

    def _describe(self, settings: fluoview.Settings, folder: Path, there: frozenset[str]) -> None:
        plane: fluoview.Settings = {}
        first = fluoview.first_properties(settings)
        if first.lower() in there:
            try:
                plane = _read(folder / first, f"the text of {first}")
            except FileNotFoundError:
                plane = {}  # it is there under a name in other cases
            except Unsound as problem:
                self.problems.append(f"{folder.name}/{first}: {problem}")
        metadata, sources = fluoview.described(settings, plane)
        self.metadata = {**metadata, **self.metadata}
        self.sources = {**sources, **self.sources}


FORMAT: Final = Oif()


def _read(path: Path, what: str) -> fluoview.Settings:
    with open_file(path) as file:
        size = size_of(file)
        if not size:
            raise Unsound("empty: the file has no bytes yet")
        return fluoview.parse(read_at(file, 0, min(size, fluoview.MAX_BYTES), what, size), what)


def _names(folder: Path) -> frozenset[str] | None:
    """The names of the files in the folder, in lower case; None if there is no such folder."""
    try:
        return frozenset(_listing(folder))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _listing(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for count, entry in enumerate(entries):
            if count >= MAX_NAMES:
                return
            if entry.is_file():
                yield entry.name.lower()
