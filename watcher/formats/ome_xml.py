"""OME-XML, as far as a watcher needs it: which files the set has, how many planes each holds, and what was imaged.

Read as a stream with defusedxml: a set of a hundred thousand planes costs no more memory than its list of files.
Document types and entities are refused: OME-XML has none, and others use them to fill the memory or to reach out.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from watcher.formats.ome_handler import Handler, Listed, Stop

#: Bytes of one document that are read; Micro-Manager writes about 600 a plane.
MAX_BYTES: Final = 64 << 20
# The root element, or the warning that Bio-Formats puts before it, so that a text damaged after that is still known
_MARKS = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?OME[\s/>]|OME-XML metadata block")


@dataclass(frozen=True, slots=True)
class Ome:
    """What one OME-XML document says.

    uuid: the document's own, "" if it has none. companion and companion_uuid: where a BinaryOnly document says that the
    real one is. files: by the name in the document ("" = the file that holds it), what it lists of each file. problems:
    sentences without the file's name. metadata: acquired, instrument, objective, channels, size (XYZCT), pixel_size_um,
    software and experimenter, as far as they are there; experimenter is personal data and is in no problem text.
    """

    uuid: str = ""
    companion: str = ""
    companion_uuid: str = ""
    files: dict[str, Listed] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)


def looks_like(opening: bytes) -> bool:
    """Whether a text that begins so is OME-XML: XML with the element OME, under any prefix (OME-TIFF specification)."""
    return opening.lstrip(b"\xef\xbb\xbf\t\r\n ").startswith(b"<") and _MARKS.search(opening) is not None


def read(chunks: Iterable[bytes], *, only_uuid: bool = False) -> Ome:
    """Read a document from pieces of any size; `only_uuid` stops after the identifiers.

    Never raises for what the document holds; the iteration's own errors pass through.
    """
    from xml.sax import SAXException

    from defusedxml import DefusedXmlException, expatreader  # not at import: most sets have no OME-XML

    handler = Handler(only_uuid=only_uuid)
    parser = expatreader.create_parser(forbid_dtd=True)
    parser.setContentHandler(handler)
    problem = ""
    try:
        for chunk in _limited(chunks):
            parser.feed(chunk)
        parser.close()
    except Stop as reason:
        problem = str(reason)
    except DefusedXmlException:
        problem = "the OME-XML defines a document type or entities, which OME-XML never does; it was not read further"
    except (SAXException, ValueError, LookupError):  # the parser's texts may quote the document, and so a person
        problem = f"the OME-XML is cut off or damaged near line {parser.getLineNumber()}"
    return Ome(
        uuid=handler.uuid,
        companion=handler.companion,
        companion_uuid=handler.companion_uuid,
        files=handler.files,
        problems=(problem, *handler.problems) if problem else tuple(handler.problems),
        metadata=handler.metadata(),
    )


def _limited(chunks: Iterable[bytes]) -> Iterator[bytes]:
    left = MAX_BYTES
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise Stop(f"the OME-XML is longer than {MAX_BYTES} bytes")
        yield chunk
