"""What the plate formats share: reading a large XML index quickly, and which of the files that it names are there.

A plate of 100,000 planes has an index of up to 170 MB (Harmony V5, 36 elements a plane). `safe_xml.stream` builds an
object for each element, which takes 8 s for it; here expat calls back for the few elements that are asked for.
"""

import errno
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from watcher.formats.base import Examination
from watcher.formats.metadata import MAX_TEXT
from watcher.formats.reading import Unsound, inside, size_of

#: Elements and bytes that an index may have beside its records, and for each of them: keeps a worthless one below
#: about a second. Harmony V5, the most talkative, has 36 elements and 1700 bytes a plane.
FREE_ELEMENTS: Final = 1_000_000
ELEMENTS_A_RECORD: Final = 80
FREE_BYTES: Final = 64 << 20
BYTES_A_RECORD: Final = 16 << 10
#: Records of one index; names that are kept as missing; folders, kinds of elements and levels that one may have.
MAX_RECORDS: Final = 2_000_000
MAX_MISSING: Final = 100_000
MAX_FOLDERS: Final = 1000
_MAX_KINDS = 2000
_MAX_DEPTH = 64
_CHUNK = 1 << 18
#: Bytes that one tag or text may have.
_MAX_TOKEN = 4 << 20
# Pieces of text of one element, each up to 8 KiB (the default of pyexpat's buffer_size)
_MAX_TEXTS = 500
_MAX_SENTENCES = 20
# How systems say that there is no file of such a name; an index may list names that cannot even be
_ABSENT = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL))

#: What sees a record: its local name, its attributes by local name, and the texts in it by the names of their elements.
See = Callable[[str, Mapping[str, str], Mapping[str, str]], None]


@dataclass(slots=True)
class Findings:
    """What was found so far in the files of a set; problems and remarks begin with a file's name."""

    problems: list[str] = field(default_factory=list)
    missing: dict[str, None] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def say(self, key: str, value: str, source: str) -> None:
        """Keep what a file says of itself; what was said first stays, and nothing is kept of an empty value."""
        if (value := value.strip()) and value.isprintable() and key not in self.metadata:
            self.metadata[key], self.sources[key] = value[:MAX_TEXT], source

    def absent(self, directory: Path, name: str, error: OSError) -> None:
        """A member cannot be opened: it is missing, unless the whole directory is gone or it is another error."""
        if error.errno not in _ABSENT or not directory.is_dir():
            raise error
        self.missing[name] = None
        self.problems.append(f"{name}: missing, and the set is not whole without it")

    def examination(self, checked: str) -> Examination:
        """The examination that follows."""
        return Examination(
            sound=not self.problems,
            problems=tuple(self.problems),
            missing=tuple(self.missing),
            checked=checked,
            metadata=self.metadata,
            sources=self.sources,
            remarks=tuple(self.remarks),
        )


class Listing:
    """The files that one index names, each looked up in a listing of its folder: one system call a folder, not a file.

    Letters are compared regardless of case where the exact name is not there, as acquisition computers do.
    """

    def __init__(self, directory: Path, index: str) -> None:
        self.outside = 0
        self.lost = 0
        self.missing: dict[str, None] = {}
        self._directory = directory
        self._index = index
        self._prefix = index.rpartition("/")[0]
        self._there: dict[str, set[str]] = {}
        self._folded: dict[str, set[str]] = {}

    def look(self, said: str) -> None:
        """Look whether a file is there that the index names, relative to itself. OSError passes through."""
        name = inside(said)
        if name is None:
            self.outside += 1
            return
        folder, _, last = name.rpartition("/")
        there = self._there.get(folder)
        if there is None:
            there = self._there[folder] = self._names(folder)
        if last in there or self._in_other_letters(folder, last):
            return
        full = f"{self._prefix}/{name}" if self._prefix else name
        if full not in self.missing:
            self.lost += 1
            if self.lost <= MAX_MISSING:
                self.missing[full] = None

    def report(self, findings: Findings) -> None:
        """Say what is missing: a sentence for each, up to a number that someone reads."""
        findings.missing.update(self.missing)
        findings.problems += [
            f"{name}: missing, {self._index} lists it" for name in list(self.missing)[:_MAX_SENTENCES]
        ]
        if self.lost > _MAX_SENTENCES:
            last = next(reversed(self.missing))
            findings.problems.append(f"{self.lost - _MAX_SENTENCES} more files are missing, up to {last}")
        if self.outside:
            # Not the names: a path of the acquisition computer may name a person.
            findings.problems.append(
                f"{self._index}: names {self.outside} files outside of its folder, which are left out"
            )

    def _in_other_letters(self, folder: str, name: str) -> bool:
        if folder not in self._folded:
            self._folded[folder] = {other.casefold() for other in self._there[folder]}
        return name.casefold() in self._folded[folder]

    def _names(self, folder: str) -> set[str]:
        if len(self._there) >= MAX_FOLDERS:
            raise Unsound(f"damaged: it names files in more than {MAX_FOLDERS} folders")
        try:
            return {entry.name for entry in entries(self._directory / self._prefix / folder) if not entry.is_dir()}
        except OSError as error:
            if error.errno not in _ABSENT or not self._directory.is_dir():
                raise
            return set()


def entries(folder: Path) -> Iterator["os.DirEntry[str]"]:
    """What is in a folder. Raises OSError."""
    with os.scandir(folder) as found:
        yield from found


def ends_with(file: BinaryIO, root: str) -> bool:
    """Whether an XML document ends with the end tag of its root, under any prefix."""
    size = size_of(file)
    file.seek(max(0, size - 4096))
    return re.search(rb"</(?:[\w.-]+:)?%s\s*>\s*\Z" % root.encode(), file.read(4096)) is not None


def scan(
    file: BinaryIO, records: Collection[str], texts: Collection[str], once: Collection[str], see: See
) -> dict[str, str]:
    """Read an index from its beginning: `see` is called by `records` as they end, with the `texts` in them.

    Returns the first text of each of `once`, wherever it stands. All are local names. Raises Unsound if the document is
    damaged, defines a document type, or is mostly something else than records.
    """
    from xml.parsers import expat

    scanner = _Scanner(records, texts, once, see)
    try:
        scanner.run(file)
    except expat.ExpatError as error:  # not the parser's own words: they may quote the document, and so a person
        raise Unsound(f"damaged: no XML any more near line {error.lineno}") from None
    except (ValueError, LookupError):
        raise Unsound("damaged: it is not in the encoding that it says") from None
    return scanner.first


class _Scanner:
    """One pass of expat, with as little work an element as can be."""

    def __init__(self, records: Collection[str], texts: Collection[str], once: Collection[str], see: See) -> None:
        from xml.parsers import expat

        self.first: dict[str, str] = {}
        self._records, self._texts, self._once, self._see = records, frozenset((*texts, *once)), once, see
        #: By qualified name: None if nobody asked, else the local name.
        self._kinds: dict[str, str | None] = {}
        self._attributes: set[str] = set()
        self._given: dict[str, str] = {}
        self._said: dict[str, str] = {}
        self._text: list[str] = []
        self._depth = self._elements = self._seen = 0
        parser: Any = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._doctype
        self._parser = parser

    def run(self, file: BinaryIO) -> None:
        fed = 0
        file.seek(0)
        while chunk := file.read(_CHUNK):
            self._parser.Parse(chunk, False)
            fed += len(chunk)
            if fed - self._parser.CurrentByteIndex > _MAX_TOKEN or len(self._text) > _MAX_TEXTS:
                raise Unsound(f"damaged: one tag or text is longer than {_MAX_TOKEN} bytes")
            if fed > FREE_BYTES + BYTES_A_RECORD * self._seen:
                raise Unsound("damaged: it is longer than any real one")
        self._parser.Parse(b"", True)

    def _begin(self, name: str, given: dict[str, str]) -> None:
        self._depth = depth = self._depth + 1
        self._elements = elements = self._elements + 1
        if depth > _MAX_DEPTH or not elements & 0xFFF or (given and not given.keys() <= self._attributes):
            self._attributes.update(given)
            self._limit()
        kind = self._kinds[name] if name in self._kinds else self._learn(name)
        if kind is None:
            return
        if kind in self._records:
            self._seen += 1
            self._given = given
        if kind in self._texts:
            self._text.clear()
            self._parser.CharacterDataHandler = self._text.append

    def _end(self, name: str) -> None:
        self._depth -= 1
        kind = self._kinds[name]
        if kind is None:
            return
        if kind in self._texts:
            self._parser.CharacterDataHandler = None
            text = "".join(self._text).strip()
            if kind in self._once:
                self.first[kind] = text
                self._kinds[name] = None
            else:
                self._said[kind] = text
        if kind in self._records:
            self._see(kind, {key.rpartition(":")[2]: value for key, value in self._given.items()}, self._said)
            self._said.clear()

    def _learn(self, name: str) -> str | None:
        local = name.rpartition(":")[2]
        kind = local if local in self._records or local in self._texts else None
        self._kinds[name] = kind
        self._limit()
        return kind

    def _limit(self) -> None:
        if self._depth > _MAX_DEPTH or max(len(self._kinds), len(self._attributes)) > _MAX_KINDS:
            raise Unsound("damaged: it is nested deeper, or has more kinds of elements, than any real one")
        if self._seen > MAX_RECORDS or self._elements > FREE_ELEMENTS + ELEMENTS_A_RECORD * self._seen:
            raise Unsound("damaged: it has more elements than any real one")

    def _doctype(self, *_: object) -> None:
        raise Unsound("damaged: it defines a document type, which it never does, and was not read")


def moment(text: str) -> str:
    """A time as the file has it, "" if it is none (ISO 8601)."""
    try:
        datetime.fromisoformat(text.strip())
    except ValueError:
        return ""
    return text.strip()


def number(text: str) -> str:
    """A number as the file has it, "" if it is none."""
    return text.strip() if re.fullmatch(r"\d{1,12}(\.\d{1,20})?", text.strip(), re.ASCII) else ""
