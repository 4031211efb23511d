"""OME-TIFF: one or many TIFF files whose OME-XML names all files of the set, sometimes from a companion file.

Set rule: OME-TIFF specification, "Multi-file OME-TIFF filesets" and "Metadata companion files"; reference/
image-formats.md 2.1. The content decides: a TIFF whose description is no OME-XML is a plain TIFF whatever its name.
"""

import errno
import os.path
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from watcher.formats import ome_xml
from watcher.formats.base import HEAD_BYTES, Claim, Examination
from watcher.formats.ome_handler import Listed
from watcher.formats.ome_xml import Ome
from watcher.formats.reading import open_file
from watcher.formats.tiff import FORMAT as TIFF
from watcher.formats.tiff import MAX_IFDS, Facts, verdict, walk
from watcher.formats.tiff_ifd import Span, layout_of

_CHUNK = 1 << 20
_MAX_SENTENCES = 20
# How systems say that there is no file of such a name; a document may list names that cannot even be
_ABSENT = frozenset((errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL))
_EXTENSIONS = re.compile(r"(\.companion\.ome|(\.ome)?\.(tiff?|tf[28]|btf))$", re.IGNORECASE)
# What is left of "-Z1" or "_t003" where the names of a series part
_COUNTER = re.compile(r"(?<=.)[-_. ]+[A-Za-z]{0,2}\d*$")
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class _File:
    """One file of a set: its walk (None for a companion), and its OME-XML (None if it has none)."""

    facts: Facts | None
    ome: Ome | None


class OmeTiff:
    """OME-TIFF sets, with or without a companion file."""

    name = "ome-tiff"

    def recognises(self, head: bytes, name: str) -> bool:
        """Whether this is a TIFF (`claim` then tells plain ones from OME-TIFF), or XML that is named as a companion."""
        return layout_of(head) is not None or (_is_xml(head) and _is_companion(name))

    def claim(self, path: Path) -> Claim:
        """The files that the OME-XML names; for a plain TIFF the claim of that format. Reads one page's directory."""
        file = _look(path, most=1)
        if file.ome is None:
            return TIFF.claim(path)
        files, problems = _files(path.name, file)
        names = tuple(files) if path.name in files else (path.name, *files)
        return Claim(self.name, names, _title(names), tuple(f"{path.name}: {problem}" for problem in problems))

    def examine(self, directory: Path, members: tuple[str, ...]) -> Examination:
        """Every file that the set lists is there, is the one that is meant, is sound and has the pages listed.

        A member that is not there is missing; if the directory is gone too, that is an OSError like any other.
        A file that another one has described is asked for its identifier only.
        """
        found = _Set()
        found.read(directory, members)
        walks = {name: file.facts for name, file in found.files.items() if file.facts is not None}
        return replace(
            verdict("ome-tiff:ifd-walk+set", walks, (*found.absences(), *found.problems, *found.differences())),
            missing=tuple(found.missing),
            metadata=found.metadata,
        )


@dataclass(slots=True)
class _Set:
    """What is known of a set so far. listed: by name, who lists the file, and what it says of it."""

    files: dict[str, _File] = field(default_factory=dict)
    listed: dict[str, tuple[str, Listed]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)

    def read(self, directory: Path, members: tuple[str, ...]) -> None:
        """Read the members, companions first, and all files that they list. OSError passes through."""
        waiting = deque(sorted(members, key=lambda name: not _is_companion(name)))
        known = set(members)
        while waiting:
            name = waiting.popleft()
            described = name in self.listed and self.listed[name][1].pages > 0
            try:
                file = self.files[name] = _look(directory / name, only_uuid=described)
            except OSError as error:
                if error.errno not in _ABSENT or not directory.is_dir():  # then nothing is known of its files
                    raise
                self.missing.append(name)
                continue
            if file.ome is not None:
                new = [other for other in self._listing(name, file, file.ome) if other not in known]
                waiting.extend(new)
                known.update(new)

    def _listing(self, name: str, file: _File, ome: Ome) -> Iterable[str]:
        files, problems = _files(name, file)
        self.problems += [f"{name}: {problem}" for problem in problems]
        self.metadata = {**ome.metadata, **self.metadata}
        for other, what in files.items():
            if other not in self.listed or not self.listed[other][1].pages:  # a BinaryOnly file only points to another
                self.listed[other] = (name, what)
        return files

    def absences(self) -> Iterator[str]:
        """A sentence for each missing file, up to a number that someone reads."""
        for name in self.missing[:_MAX_SENTENCES]:
            by = f"{self.listed[name][0]} lists it" if name in self.listed else "it is no longer there"
            yield f"{name}: missing, {by}"
        if len(self.missing) > _MAX_SENTENCES:
            yield f"{len(self.missing) - _MAX_SENTENCES} more files are missing, up to {self.missing[-1]}"

    def differences(self) -> Iterator[str]:
        """How the files differ from what the set says of them."""
        for name, (by, listed) in self.listed.items():
            if name in self.files:
                yield from (f"{name}: {problem}" for problem in _differences(self.files[name], listed, by))


FORMAT: Final = OmeTiff()


def _look(path: Path, most: int = MAX_IFDS, *, only_uuid: bool = False) -> _File:
    """Walk a file and read its OME-XML, if it has any. OSError passes through."""
    with open_file(path) as file:
        head = file.read(HEAD_BYTES)
        if _is_xml(head):
            return _File(None, ome_xml.read(_chunks(file, Span(0, file.seek(0, 2))), only_uuid=only_uuid))
        facts = walk(file, path.name, most)
        if not ome_xml.looks_like(facts.opening):
            return _File(facts, None)
        return _File(facts, ome_xml.read(_chunks(file, facts.description), only_uuid=only_uuid))


def _is_companion(name: str) -> bool:
    return name.lower().endswith(".companion.ome")


def _is_xml(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")


def _chunks(file: BinaryIO, span: Span) -> Iterator[bytes]:
    """The text there, up to the zero byte that ends a TIFF's text (TIFF 6.0, section 2, ASCII)."""
    file.seek(span.offset)
    left = span.length
    while left > 0 and (chunk := file.read(min(left, _CHUNK))):
        left -= len(chunk)
        text, zero, _ = chunk.partition(b"\0")
        yield text
        if zero:
            return


def _files(own: str, file: _File) -> tuple[dict[str, Listed], list[str]]:
    """What a document lists, by name as in the directory, and what is wrong with it.

    A file that was renamed after it was written still knows itself by its identifier, as in Bio-Formats' OMETiffReader.
    """
    ome = file.ome or Ome()
    problems = list(ome.problems)
    files: dict[str, Listed] = {}
    for said, listed in ome.files.items():
        if not said and file.facts is None:
            problems.append("the OME-XML does not name the files of some planes")
            continue
        mine = not said or (bool(ome.uuid) and listed.uuid == ome.uuid)
        if (name := own if mine else _inside(said)) is None:
            problems.append(f"the OME-XML names a file outside of its folder, {said[:200]!r}, which is left out")
        else:
            before = files.setdefault(name, Listed(listed.uuid))
            before.pages = max(before.pages, listed.pages)
    if file.facts is None and not (ome.files or problems):
        problems.append("the OME-XML lists no image file")
    if ome.companion:
        if (name := _inside(ome.companion)) is None:
            problems.append(f"its companion is outside of its folder, {ome.companion[:200]!r}, and is left out")
        else:
            files.setdefault(name, Listed(ome.companion_uuid))
    return files, problems


def _inside(name: str) -> str | None:
    """The name with single forward slashes; None if it leaves the directory or is no file name at all."""
    if not name.isprintable() or "\\" in name or name.startswith("/") or _DRIVE.match(name):
        return None
    path = PurePosixPath(name)
    return None if ".." in path.parts or not path.name else str(path)


def _differences(file: _File, listed: Listed, by: str) -> Iterable[str]:
    """How a file differs from what the set says of it."""
    own = file.ome.uuid if file.ome is not None else ""
    # Without an identifier of its own nothing can be compared: Micro-Manager and many companions write none.
    if own and listed.uuid and own != listed.uuid:
        yield f"it is not the file that {by} lists: its identifier is {own[:80]}, not {listed.uuid[:80]}"
    if file.facts is None or file.facts.sound is not True:
        return
    if file.facts.pages < listed.pages:
        yield f"incomplete: {by} lists {listed.pages} pages in it, the file has {file.facts.pages}"


def _title(names: tuple[str, ...]) -> str:
    """The name that the series has in common: `multifile` for multifile-Z1 to Z5 and their companion."""
    companion = [name for name in names if _is_companion(name)]
    stems = [_EXTENSIONS.sub("", PurePosixPath(name).name) for name in companion or names]
    common = os.path.commonprefix(stems)  # noqa: RUF071 - letters are meant, not folders
    return (_COUNTER.sub("", common) if len(stems) > 1 else common) or stems[0]
