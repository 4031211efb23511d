"""The Store protocol: where image sets go, and what every such place must be able to answer."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple, Protocol, Self

from watcher.model import Avu
from watcher.osfacts import Disk
from watcher.stores.source import Source

#: Called with the number of bytes that have just been sent; with a negative one before a `put` sends them again after
#: a lost connection, so that the sum is right. What is there already is not sent, so the sum may be less than the size.
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Replica:
    """What the store's own catalogue says of one data object.

    size in bytes; sha256 as lower-case hex, None if the catalogue holds none; good only if the catalogue says so.
    `copies` counts the good replicas that this is, all of which are the same, and `stale` those that are out of date;
    two that differ only in these are equal, because they are the same bytes.
    """

    size: int
    sha256: str | None
    good: bool
    copies: int = field(default=1, compare=False)
    stale: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was read from the source and handed over: the size in bytes and the SHA-256 (hex) of exactly those bytes."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Lanes:
    """Which ways a store has for the bytes of a member, by its size.

    Up to `single` bytes a member goes in one message, larger ones as a stream of blocks. Up to `bundle` bytes it may go
    together with others; 0: never. `copy`: there is one way only, whatever the size. `in_place`: nothing is sent, since
    what is watched is in the store already; members come together in `put_bundle`, which answers for all of them.
    """

    single: int = 0
    bundle: int = 0
    copy: bool = False
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What the store's own catalogue says of one collection when it is asked about many together.

    `avus` are its metadata of the attributes that were asked for, `replicas` what lies in it by target. `access` says
    who has more than the collection above hands down, this account apart: the level (one of `LEVELS`) by `name#zone`.
    `digests`: the catalogue has them; a disk has none until its bytes are read.
    """

    avus: frozenset[Avu] = frozenset()
    replicas: Mapping[str, Replica] = field(default_factory=dict)
    access: Mapping[str, str] = field(default_factory=dict)
    digests: bool = True


class Claimed(IntEnum):
    """Whether a collection is a set's own: never, since now, or since an earlier attempt that may have left members."""

    NOT = 0
    NOW = 1
    BEFORE = 2


#: The levels of access, each of which holds those before it.
LEVELS: Final = ("read", "annotate", "write", "own")


class Grant(NamedTuple):
    """Who is to have access to a set, and how much.

    `who` is a user or group of the zone, perhaps with `#zone`. `level` is `read`, `annotate` (add and remove metadata),
    `write` or `own`; each holds those before it. `above` says that they may also read every collection that the set
    lies in, and nothing else there: what a mount needs to find the way to it.
    """

    who: str
    level: str
    above: bool = False


class Session(Protocol):
    """One worker's own way into a store; never shared between threads.

    A collection is an absolute logical path, a target a path below it with forward slashes. Each method may be killed
    at any instruction and called again with the same result. All raise a `StoreError`, `LoginRefused` or
    `TargetMissing`, and `put` also a `SourceError`.
    """

    def claim(self, collection: str, set_id: str) -> Claimed:
        """Make the collection this set's own: create it, readable by the service alone, and label it with the set's id.

        Nothing was changed if it belongs to something else.
        Nobody else can read it by then, whatever its parent hands down, unless it is published already; what an
        attempt that was cut off has left readable is closed. Raises NotAllowed if the service may not close it.
        """
        ...

    def put(self, source: Source, collection: str, target: str, progress: Progress) -> Receipt:
        """Deliver one member below a claimed collection, hashing on the same read.

        An object of that name left by an earlier attempt is kept if it holds the same bytes, and replaced if not.
        """
        ...

    def put_bundle(
        self, sources: Mapping[str, Source], collection: str, progress: Callable[[str, int], None]
    ) -> Mapping[str, Receipt]:
        """Deliver small members together below a claimed collection; their sources come by target.

        The answer holds those that are there now, good and with their SHA-256; the others are to be `put` one by one,
        for whatever reason: no reason harms them. `progress` is called with a target and its size. Raises SourceError
        for the first source that is no longer what was frozen; nothing was sent then.
        """
        ...

    def replicas(self, collection: str) -> Mapping[str, Replica]:
        """Everything below the collection, by target, as the store's own catalogue has it now; {} if there is none."""
        ...

    def survey(self, wanted: Mapping[str, Collection[str]], attributes: Collection[str]) -> Mapping[str, Surveyed]:
        """What the catalogue has now of these collections, in a few questions for all of them; no bytes are read.

        `wanted` has the targets that each should hold: what lies elsewhere below it may be left out of the answer.
        """
        ...

    def reread(self, collection: str, target: str, replica: Replica) -> str:
        """Have the stored bytes of one object read again where they are: "" if all its good replicas are like this one.

        Else what is wrong, in words. It takes as long as reading them, and changes nothing, whatever is found.
        """
        ...

    def checksums(self, collection: str, sizes: Mapping[str, int]) -> Mapping[str, str | None]:
        """The SHA-256 (hex) of these objects, of which the catalogue has none yet, as the store itself computes it.

        By target; None where it cannot, or has a checksum of another kind. The catalogue may keep what it has computed.
        """
        ...

    def remove(self, collection: str, target: str) -> None:
        """Remove one object of an unpublished set (a member that is no longer part of it)."""
        ...

    def avus(self, collection: str) -> frozenset[Avu]:
        """The metadata on the collection."""
        ...

    def annotate(self, collection: str, add: Iterable[Avu], remove: Iterable[Avu] = ()) -> None:
        """Change the metadata on the collection: all of it or nothing."""
        ...

    def open_to_readers(self, collection: str) -> None:
        """Give the readers of this store access to the collection; called at publication, before the marker.

        They are those whom its parent lets in to whatever is made there, with the same access and never more.
        """
        ...

    def grant(self, collection: str, grants: Sequence[Grant]) -> Mapping[str, str]:
        """Give this access to the collection, to all below it, and to what will be made in it; see `Grant`.

        A holder of more keeps that. The answer says, by `who`, why somebody did not get all of theirs, and what has to
        be typed where an administrator must help; the others have theirs. It names people: for the operator to see,
        not for the log.
        """
        ...

    def revoke(self, collection: str, who: Sequence[str]) -> None:
        """Take away all their access to the collection and to all below it, but not to what it lies in.

        Somebody unknown is no error, and this account keeps its own. Raises NotAllowed.
        """
        ...

    def rewrite(self, collection: str, name: str, content: bytes) -> None:
        """Put one of `names.SIDECARS` into a collection that may be published, in place of what has that name there.

        Its access stays as it was. Never for members: raises Unforeseen for any other name.
        """
        ...

    def read(self, collection: str, name: str, offset: int = 0) -> Iterator[bytes]:
        """The bytes of one object, as they are there, in blocks of at most 4 MiB; the caller compares digests.

        With `offset` from that byte on: to go on with what was cut off. Nothing comes if it is not that long.
        To be read to its end, or closed, before the session is used for something else. Raises NotAllowed at the first
        block if it is not there.
        """
        ...

    def made_at(self, collection: str) -> float:
        """When a collection was claimed, in seconds since 1970 by the store's own clock; asked just after the claim."""
        ...

    def withdraw(self, collection: str, set_id: str) -> None:
        """Remove an unpublished collection of this set with everything below it, the label last, and no trash.

        Anything else is left alone: nothing there, another set's, one that is published or was. Raises StoreBusy if a
        replica in it is stuck; what can be removed is gone then, and the label is still there.
        """
        ...

    def interrupt(self) -> None:
        """Called from another thread: end what takes long with a StoreUnreachable; the session may be used no more."""
        ...

    def close(self) -> None:
        """Give up the connection; the session may be used no more."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


class Store(Protocol):
    """A place for image sets. Adding one: a module with this Protocol, and a line in `stores/__init__.py`."""

    @property
    def disk(self) -> Disk:
        """How watched folders are looked at: as the disks that they are, unless it is this store that they show."""
        ...

    def session(self) -> Session:
        """A new session; it connects at its first use."""
        ...

    def lanes(self) -> Lanes:
        """The ways that this store has for the bytes, as far as that is known without asking it."""
        ...

    def target_name(self, path: str) -> str:
        """The name below the collection for a member's path, legal here and different for different paths."""
        ...

    def check_names(self, targets: Iterable[str]) -> None:
        """Raise NameRefused, naming both, if the store would make one of two of these targets of a set."""
        ...

    def place(self, collection: str) -> str:
        """Where a collection is, for people and for other programs: a path on a disk, or in a zone."""
        ...

    def check(self, base: str, *, used: bool = False) -> None:
        """Raise if the store cannot be reached, refuses the login, or `base`, where all sets go below, is missing.

        `used` says that sets were delivered there before: then a place that looks unused is not the right one.
        """
        ...
