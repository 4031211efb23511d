"""Vendors' XML as a stream of elements: flat in memory, bounded in time, without document types or entities.

Microscope files carry XML of up to tens of megabytes; of it a watcher needs a few values and the lists of parts. No
part of the document is kept here: a Visitor keeps what it wants. What is refused, and why, is as in `safe_xml`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol
from xml.sax.handler import ContentHandler

from watcher.formats.metadata import MAX_TEXT
from watcher.formats.reading import Unsound
from watcher.formats.safe_xml import local

if TYPE_CHECKING:
    from xml.sax.xmlreader import AttributesImpl

#: Bytes, elements and lines of one document that are read: keeps the worst to about a second.
MAX_BYTES: Final = 64 << 20
MAX_ELEMENTS: Final = 500_000
MAX_LINES: Final = 2_000_000
MAX_DEPTH: Final = 100
#: Bytes without any element or text: the parser has to keep them.
MAX_TOKEN: Final = 1 << 20
_CHUNK: Final = 1 << 18


class TooLarge(Exception):
    """There is more than is looked at, and no verdict on the rest; the text says of what, without the file's name."""


class Visitor(Protocol):
    """Is told of elements as they pass; `path` holds their names from the root on, and must be copied to be kept."""

    def start(self, path: Sequence[str], attributes: Mapping[str, str]) -> None:
        """An element begins."""
        ...

    def end(self, path: Sequence[str], text: str) -> None:
        """An element ends; `text` is what stood last in it, up to MAX_TEXT characters."""
        ...


def pieces(file: BinaryIO, offset: int, length: int) -> Iterator[bytes]:
    """The bytes of a file from `offset` on, `length` of them if it has so many."""
    file.seek(offset)
    while length > 0 and (piece := file.read(min(length, _CHUNK))):
        length -= len(piece)
        yield piece


def visit(chunks: Iterable[bytes], visitor: Visitor, what: str) -> None:
    """Read a whole document. Raises Unsound, naming `what`, if it is none; TooLarge if it is more than is read.

    The visitor has seen all that stands before the trouble.
    """
    from xml.sax import SAXException

    from defusedxml import DefusedXmlException, expatreader  # not at import: many sets have no XML

    handler = _Handler(visitor, what)
    parser = expatreader.create_parser(forbid_dtd=True)
    parser.setContentHandler(handler)
    left, waiting, events = MAX_BYTES, 0, 0
    try:
        for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                raise TooLarge(f"{what} is longer than {MAX_BYTES} bytes")
            parser.feed(chunk)
            waiting = 0 if handler.events != events else waiting + len(chunk)
            events = handler.events
            if parser.getLineNumber() > MAX_LINES:
                raise TooLarge(f"{what} has more than {MAX_LINES} lines")
            if waiting > MAX_TOKEN:
                raise Unsound(f"damaged: {what} has one mark longer than any real one")
        parser.close()
    except DefusedXmlException:
        raise Unsound(f"{what} defines a document type or entities, and was not read") from None
    except (SAXException, ValueError, LookupError):  # the parser's own words may quote the document, and so a person
        raise Unsound(f"{what} is cut off or damaged near line {parser.getLineNumber()}") from None


class _Handler(ContentHandler):
    def __init__(self, visitor: Visitor, what: str) -> None:
        super().__init__()
        self.events = 0
        self._elements = 0
        self._visitor = visitor
        self._what = what
        self._path: list[str] = []
        self._text = ""

    def startElement(self, name: str, attrs: "AttributesImpl") -> None:  # noqa: N802 - SAX calls it so
        self.events += 1
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise TooLarge(f"{self._what} has more than {MAX_ELEMENTS} elements")
        if len(self._path) >= MAX_DEPTH:
            raise Unsound(f"damaged: {self._what} is nested more than {MAX_DEPTH} levels deep")
        self._path.append(name.rpartition(":")[2])
        self._text = ""
        self._visitor.start(self._path, {local(key): value for key, value in attrs.items()})

    def characters(self, content: str) -> None:
        self.events += 1
        if len(self._text) < MAX_TEXT:
            self._text += content[: MAX_TEXT - len(self._text)]

    def endElement(self, name: str) -> None:  # noqa: ARG002, N802 - SAX calls it so
        self.events += 1
        self._visitor.end(self._path, self._text.strip())
        self._path.pop()
        self._text = ""
