"""XML from strangers: no document types, no entities, nothing fetched, bounded in size and depth."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, BinaryIO, Final

from watcher.formats.reading import Unsound

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

#: Bytes of a document that is read as a whole, and elements of one that is read as a stream.
MAX_BYTES: Final = 32 << 20
MAX_ELEMENTS: Final = 5_000_000
MAX_DEPTH: Final = 100


def root_of(data: bytes | str, what: str) -> "Element":
    """The root element of a whole document. Raises Unsound, naming `what`, if it is none or not harmless."""
    if len(data) > MAX_BYTES:
        raise Unsound(f"{what} is longer than {MAX_BYTES} bytes")
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except DefusedXmlException:
        raise Unsound(f"{what} defines a document type or entities, and was not read") from None
    except (ParseError, ValueError, LookupError, RecursionError):
        # Not the parser's own words: they may quote the document, and so a person.
        raise Unsound(f"{what} is cut off or damaged") from None
    return root


def stream(file: BinaryIO, wanted: Collection[str], what: str) -> Iterator["Element"]:
    """The elements with these local names, one at a time, each complete with its children and then forgotten.

    For documents of any size: memory holds one wanted element. Raises Unsound, also after elements were given.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    depth = count = 0
    path: list[Element] = []
    try:
        for event, element in iterparse(file, events=("start", "end"), forbid_dtd=True):
            if event == "start":
                count += 1
                depth += 1
                path.append(element)
                if count > MAX_ELEMENTS or depth > MAX_DEPTH:
                    raise Unsound(f"{what} is larger or deeper than any real one")
                continue
            depth -= 1
            path.pop()
            if local(element.tag) in wanted:
                yield element
            if not any(local(above.tag) in wanted for above in path):
                element.clear()
                if path:
                    path[-1].remove(element)
    except DefusedXmlException:
        raise Unsound(f"{what} defines a document type or entities, and was not read") from None
    except (ParseError, ValueError, LookupError):
        raise Unsound(f"{what} is cut off or damaged") from None


def local(tag: str) -> str:
    """An element's or attribute's name without its namespace."""
    return tag.rpartition("}")[2]
