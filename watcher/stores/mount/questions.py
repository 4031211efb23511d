"""What the catalogue knows of data objects that others write: its word counts where a mount shows something else."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from watcher.model import IDENTIFIER, FileFacts
from watcher.stores.irods.catalogue import (
    AVU_NAME,
    CHECKSUM,
    COLL_NAME,
    DATA_NAME,
    REPLICA_NUMBER,
    SIZE,
    STATUS,
    Catalogue,
    among,
    combine,
)

#: Columns of GenQuery (irods/models.py).
_OWNER, _OWNER_ZONE, _MODIFIED = 411, 412, 420
_GOOD: Final = "1"
#: Names that are asked for in one question.
_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class Held:
    """One data object now: its facts as a mount shows them when its caches are over, which is in whole seconds.

    sha256 as hex, None if no checksum of that kind is registered; good if all good replicas are the same; busy while
    one of them is being written, read or locked; `bare` are the numbers of good ones without a checksum.
    """

    facts: FileFacts
    sha256: str | None
    good: bool
    busy: bool
    bare: tuple[int, ...]
    owner: str


def objects_in(catalogue: Catalogue, collection: str, names: Collection[str] | None = None) -> dict[str, Held]:
    """The data objects directly in a collection, all or those of these names, by name."""
    columns = (DATA_NAME, REPLICA_NUMBER, SIZE, CHECKSUM, STATUS, _MODIFIED, _OWNER, _OWNER_ZONE)
    rows: dict[str, list[tuple[str, ...]]] = {}
    for condition in _conditions(names):
        where = {COLL_NAME: f"= '{collection}'", **condition}
        for name, *row in catalogue.query(columns, where, collection):
            rows.setdefault(name, []).append(tuple(row))
    return {name: _held(sorted(found, key=lambda row: int(row[0])), collection) for name, found in rows.items()}


def objects_at(catalogue: Catalogue, paths: Iterable[str]) -> dict[str, Held]:
    """These data objects, by path; what is not there is left out."""
    by_collection: dict[str, list[str]] = {}
    for path in paths:
        collection, _, name = path.rpartition("/")
        by_collection.setdefault(collection, []).append(name)
    return {
        f"{collection}/{name}": held
        for collection, names in by_collection.items()
        for name, held in objects_in(catalogue, collection, names).items()
    }


def labelled_below(catalogue: Catalogue, collection: str) -> bool:
    """Whether a set is labelled somewhere in this collection."""
    # A backslash may or may not escape in `like`, so that the pattern asks for more than it wants.
    where = {COLL_NAME: f"like '{collection.replace(chr(92), '_')}/%'", AVU_NAME: f"= '{IDENTIFIER}'"}
    found = catalogue.query((COLL_NAME,), where, collection)
    return any(path.startswith(f"{collection}/") for (path,) in found)


def _conditions(names: Collection[str] | None) -> Iterator[dict[int, str]]:
    if names is None:
        yield {}
        return
    listed = list(names)
    for start in range(0, len(listed), _AT_ONCE):
        yield from ({DATA_NAME: condition} for condition in among(listed[start : start + _AT_ONCE]))


def _held(rows: Sequence[tuple[str, ...]], about: str) -> Held:
    found = combine([(size, checksum, status) for _, size, checksum, status, *_ in rows])
    # A replica that was made later has a time of its own: that of the first good one stays.
    good = [row for row in rows if row[3] == _GOOD] or list(rows)
    *_, modified, owner, zone = good[0]
    return Held(
        FileFacts(found.replica.size, int(modified) * 10**9, ""),
        found.replica.sha256,
        found.replica.good,
        found.busy,
        tuple(int(number) for number, _, checksum, status, *_ in rows if status == _GOOD and not checksum),
        owner if zone in ("", about.split("/")[1]) else f"{owner}#{zone}",
    )
