"""What an RO-Crate says of the files of a set, and how that is read back from a crate that this program wrote.

A crate need not list every file (RO-Crate 1.2, Data Entities): above `MOST` it names the manifest, which does, and says
how many they are. So it stays small whatever the set is, and a late attribution can write it anew from itself alone,
when the journal has long forgotten the members.
"""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from watcher import names
from watcher.model import Member
from watcher.provenance import manifest, micro_meta
from watcher.provenance.crate.graph import Graph, Reference, path_of
from watcher.provenance.vocabulary import iso

#: The most files that are listed one by one.
MOST: Final = 1000
ACQUISITION: Final = "#acquisition"
INSTRUMENT: Final = "#instrument"
_NUMBER: Final = "#number-of-files"
_BYTES: Final = "#number-of-bytes"

#: Media types registered at IANA, by the ending of a name; those of makers' formats are not.
_MEDIA: Final = {
    ".csv": "text/csv", ".gif": "image/gif", ".jpeg": "image/jpeg", ".jpg": "image/jpeg", ".json": "application/json",
    ".log": "text/plain", ".pdf": "application/pdf", ".png": "image/png", ".tif": "image/tiff", ".tiff": "image/tiff",
    ".txt": "text/plain", ".xml": "application/xml", ".zip": "application/zip",
}  # fmt: skip


class Listed(NamedTuple):
    """One file: its name in the set, bytes, SHA-256 (hex), last change (whole seconds since 1970), and what it is."""

    target: str
    size: int
    sha256: str
    modified: int
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of a set: all of them up to `MOST`, else only those that describe instrument and settings.

    size is the sum in bytes; first and last are when the first and the last of them was changed, in whole seconds since
    1970; manifest is the SHA-256 of the manifest.
    """

    files: tuple[Listed, ...]
    count: int
    size: int
    first: int
    last: int
    manifest: str

    @property
    def instrument_description(self) -> str | None:
        """The name of the file that describes the instrument, None if there is none: `acq:instrument.description`."""
        return next((file.target for file in self.files if file.kind == micro_meta.INSTRUMENT), None)


def contents_of(members: Iterable[Member], root: Path, look: Callable[[Member], str] | None = None) -> Contents:
    """What is said of members that have all been sent; `root` is the watched folder, where sidecars are looked into.

    `look` says instead what a sidecar is (`micro_meta.kind_of`).
    """
    look = look or (lambda member: micro_meta.kind_of(root / member.path))
    known = sorted(members, key=lambda member: member.target)
    changed = [member.facts.mtime_ns // 10**9 for member in known]
    few = len(known) <= MOST
    kinds = {member.target: look(member) for member in known if micro_meta.may_be(member.target)}
    return Contents(
        files=tuple(
            Listed(member.target, member.facts.size, member.sha256 or "", when, kinds.get(member.target, ""))
            for member, when in zip(known, changed, strict=True)
            if few or kinds.get(member.target)
        ),
        count=len(known),
        size=sum(member.facts.size for member in known),
        first=min(changed, default=0),
        last=max(changed, default=0),
        manifest=manifest.digest(known),
    )


def contents_in(text: str) -> Contents:
    """What a crate says of its files. Raises ValueError if this program did not write it."""
    with ours():
        entities = entities_in(text)
        own = entities[manifest.NAME]
        return Contents(
            files=tuple(_listed(one) for one in entities.values() if one["@type"] == "File" and one is not own),
            count=int(entities[_NUMBER]["value"]),
            size=int(entities[_BYTES]["value"]),
            first=_seconds(entities[ACQUISITION]["startTime"]),
            last=_seconds(entities[ACQUISITION]["endTime"]),
            manifest=own["sha256"],
        )


@contextlib.contextmanager
def ours() -> Iterator[None]:
    """Say in words that a crate lacks what this program writes into each, or is no crate at all."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"this crate was not written by irods-watcher ({type(error).__name__}: {error})") from None


def entities_in(text: str) -> Mapping[str, Mapping[str, Any]]:
    """The entities of a crate by their identifier."""
    return {entity["@id"]: entity for entity in json.loads(text)["@graph"]}


def add_files(graph: Graph, contents: Contents, zone: tzinfo | None) -> tuple[Reference | None, ...]:
    """Add the files and the manifest; the answer is how many they are, for the whole set."""
    graph.add_file(
        manifest.NAME,
        description="Every file of the set with its SHA-256, to be checked with `sha256sum -c`.",
        encodingFormat="text/plain",
        sha256=contents.manifest,
    )
    for file in contents.files:
        true_name = names.original_path(file.target)
        graph.add_file(
            file.target,
            alternateName=names.in_shell(true_name) if true_name != file.target else None,
            contentSize=str(file.size),
            dateModified=iso(file.modified, zone),
            encodingFormat=_MEDIA.get(PurePosixPath(file.target).suffix.lower()),
            sha256=file.sha256,
            **dict(_said_of(file.kind)),
        )
    return (
        graph.add_value(_NUMBER, "number of files", contents.count),
        graph.add_value(_BYTES, "number of bytes in all files", contents.size, unitText="bytes"),
    )


def described_by(contents: Contents, kind: str) -> tuple[Reference, ...]:
    """The files that describe the instrument or the settings."""
    return tuple({"@id": path_of(file.target)} for file in contents.files if file.kind == kind)


def _said_of(kind: str) -> Iterator[tuple[str, object]]:
    if kind:
        yield "additionalType", kind
        yield "description", f"A {kind} file of the Micro-Meta App."


def _listed(entity: Mapping[str, Any]) -> Listed:
    modified = _seconds(entity["dateModified"])
    target, size = unquote(entity["@id"]), int(entity["contentSize"])
    return Listed(target, size, entity["sha256"], modified, entity.get("additionalType", ""))


def _seconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp())
