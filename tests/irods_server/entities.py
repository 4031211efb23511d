"""What the catalogue holds: users, collections, data objects with their replicas, AVUs."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

STALE: Final = 0
GOOD: Final = 1
INTERMEDIATE: Final = 2
READ_LOCKED: Final = 3
WRITE_LOCKED: Final = 4

Triple = tuple[str, str, str]


def now() -> str:
    """This moment as the catalogue writes it: eleven digits of seconds."""
    return f"{int(time.time()):011d}"


@dataclass(frozen=True, slots=True)
class Avu:
    """Attribute, value and unit; equal triples share one id (iRODS R_META_MAIN)."""

    id: int
    name: str
    value: str
    units: str
    created: str


@dataclass(slots=True)
class User:
    """A user or a group; `key` is the name by which they are known here, with `#zone` if that is another one."""

    id: int
    name: str
    type: str
    password: str | None = None
    zone: str = ""
    key: str = ""
    groups: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)
    created: str = field(default_factory=now)


@dataclass(frozen=True, slots=True)
class Resource:
    """A storage resource."""

    id: int
    name: str
    created: str


@dataclass(slots=True)
class Collection:
    """A collection with what lies in it."""

    id: int
    path: str
    owner: str
    inherit: bool = False
    access: dict[int, int] = field(default_factory=dict)
    avus: dict[Triple, Avu] = field(default_factory=dict)
    objects: "dict[str, DataObject]" = field(default_factory=dict)
    children: "dict[str, Collection]" = field(default_factory=dict)
    created: str = field(default_factory=now)
    modified: str = field(default_factory=now)


@dataclass(slots=True, eq=False)
class DataObject:
    """A data object and its replica; `token` is set while somebody has it open for writing.

    `further` are replicas that were made of it, each with a number, resource, status, checksum and body of its own.
    """

    id: int
    name: str
    collection: Collection
    owner: str
    resource: str
    location: Path
    type: str = "generic"
    size: int = 0
    checksum: str = ""
    status: int = INTERMEDIATE
    token: str | None = None
    access: dict[int, int] = field(default_factory=dict)
    avus: dict[Triple, Avu] = field(default_factory=dict)
    created: str = field(default_factory=now)
    modified: str = field(default_factory=now)
    number: int = 0
    further: "list[DataObject]" = field(default_factory=list)

    @property
    def replicas(self) -> "list[DataObject]":
        """All replicas, each as the data object with what is its own."""
        return [self, *self.further]

    @property
    def path(self) -> str:
        """The logical path."""
        return f"{self.collection.path.rstrip('/')}/{self.name}"


Entity = Collection | DataObject


@dataclass(frozen=True)
class Replica:
    """A replica as a test sees it: a copy of the catalogue's row, and where the bytes are."""

    path: str
    size: int
    checksum: str
    status: int
    resource: str
    location: Path

    def read(self) -> bytes:
        """The bytes in the vault now."""
        return self.location.read_bytes()
