"""The words of this program as types: files, members, image sets and the states of their way. No I/O here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Final, NamedTuple


class State(StrEnum):
    """Where an image set is on its way, and what that guarantees.

    | state      | what is guaranteed                                                             |
    | growing    | its files are known to the journal                                             |
    | complete   | nothing more is expected; the member list is frozen (size, mtime, identity)    |
    | valid      | the structure was checked, or is recorded as unchecked                         |
    | delivered  | every member is in the store, sent from the frozen bytes                       |
    | verified   | the store's own catalogue confirms size and SHA-256 of every member            |
    | published  | metadata, manifest, and the marker `acq:state = complete`, written last        |
    | released   | the local copy was removed under promise 4                                     |
    | held       | needs a person: reason, since when, what to do                                 |
    | skipped    | a person said that it is not to be delivered; its files stay                   |
    | superseded | a later version exists                                                         |

    `MOVES` is the only list of what may follow what; the journal refuses everything else.
    """

    GROWING = "growing"
    COMPLETE = "complete"
    VALID = "valid"
    DELIVERED = "delivered"
    VERIFIED = "verified"
    PUBLISHED = "published"
    RELEASED = "released"
    HELD = "held"
    SKIPPED = "skipped"
    SUPERSEDED = "superseded"


# Before publication every state may fall back to growing (its files changed), wait for a person, or be given up.
_OPEN: Final = {State.GROWING, State.HELD, State.SKIPPED}

MOVES: Final[Mapping[State, frozenset[State]]] = MappingProxyType(
    {
        State.GROWING: frozenset({State.COMPLETE, *_OPEN}),
        State.COMPLETE: frozenset({State.VALID, *_OPEN}),
        # A rebuilt journal may find an earlier version of the set published already.
        State.VALID: frozenset({State.DELIVERED, State.SUPERSEDED, *_OPEN}),
        # Verification may find a member wanting, so that it must be sent again.
        State.DELIVERED: frozenset({State.VERIFIED, State.VALID, *_OPEN}),
        State.VERIFIED: frozenset({State.PUBLISHED, State.VALID, *_OPEN}),
        State.PUBLISHED: frozenset({State.RELEASED, State.SUPERSEDED}),
        State.RELEASED: frozenset({State.SUPERSEDED}),
        State.HELD: frozenset({State.GROWING, State.SKIPPED}),
        State.SKIPPED: frozenset({State.GROWING}),
        State.SUPERSEDED: frozenset(),
    }
)

#: The states in which the watcher itself has something to do, in the order of the way.
UNDER_WAY: Final = (State.COMPLETE, State.VALID, State.DELIVERED, State.VERIFIED)


#: The keys of what files say of themselves that may name a person: never logged, published only by the profile's word.
PERSONAL: Final = frozenset({"experimenter", "computer"})


class FileFacts(NamedTuple):
    """What a stat says of one file: enough to notice any change to it.

    size in bytes; mtime in nanoseconds since 1970; identity is the file's number on its volume, "" where there is none.
    A tuple, because a sweep makes one for each of perhaps a million files.
    """

    size: int
    mtime_ns: int
    identity: str


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an image set.

    path is relative to the watched folder, with forward slashes; target is its name below the set's collection.
    sha256 is the lower-case hex digest of the bytes that were read for delivery, None before.
    """

    path: str
    facts: FileFacts
    target: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class ImageSet:
    """The files that together are one acquisition, and how far they have come.

    Times are seconds since 1970 by this machine's clock. `root` is the watched folder, `folder` the place below it
    that its members share, and `grouped_by` how they were found to belong together (a format, directory, stem, file).
    `collection` is where the set goes, None until that is decided; `claimed` whether the store let us have it;
    `cleared` whether all its files were removed from the disk after publication, or moved for it. `unseen_at` is when
    its folder was looked at before it was first seen, None if never. `on_hold` is why a person holds it back, "" if
    nobody does; `files` and `bytes` are what its member list has, frozen or so far. `replicas` is how many good ones
    of each member the store's catalogue had at least, as its metadata say; 0 before it was verified. `fixity` is how
    its digests were come by, if the files were not read for them and sent: `server-only` or `compared`.
    `revision` grows with each change, so that a decision taken on an older one is refused.
    """

    id: str
    root: Path
    folder: PurePosixPath
    name: str
    format: str
    grouped_by: str
    state: State
    version: int = 1
    revision: int = 0
    collection: str | None = None
    claimed: bool = False
    whole: bool | None = None
    sound: bool | None = None
    validated_by: str = "unchecked"
    completed_by: str = ""
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()
    reason: str = ""
    attempts: int = 0
    retry_at: float = 0.0
    first_seen: float = 0.0
    last_change: float = 0.0
    completed_at: float | None = None
    published_at: float | None = None
    supersedes: str | None = None
    cleared: bool = False
    unseen_at: float | None = None
    on_hold: str = ""
    files: int = 0
    bytes: int = 0
    replicas: int = 0
    fixity: str = ""
    embedded: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> PurePosixPath:
        """The folders below the watched one in which a person finds the set."""
        return self.folder.parent if self.grouped_by == "directory" else self.folder


@dataclass(frozen=True, slots=True)
class Organisation:
    """An institution; `ror` is its URL in the Research Organization Registry, "" if it is not known."""

    name: str
    ror: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """One person as the facility's directory knows them; what is not known is "".

    name is as in `Doe, Jane`, or one that cannot be divided; orcid is a URL; user is the user in iRODS, with #zone if
    that is another zone than the set's; staff operate instruments for others.
    """

    name: str
    orcid: str = ""
    email: str = ""
    affiliation: Organisation | None = None
    user: str = ""
    staff: bool = False

    @property
    def family(self) -> str:
        """The family name, the whole name if it cannot be divided."""
        return self.name.partition(",")[0].strip()

    @property
    def given(self) -> str:
        """The given names, "" if they cannot be told."""
        return self.name.partition(",")[2].strip()

    @property
    def natural(self) -> str:
        """The name as it is spoken: `Jane Doe`."""
        return f"{self.given} {self.family}".strip()


@dataclass(frozen=True, slots=True)
class Contributor:
    """Who took part and is no author: role from DataCite's contributorType, credit the name of a CRediT role, or ""."""

    who: Person | Organisation
    role: str
    credit: str = ""


class Resolution(StrEnum):
    """How much is known of who made a set.

    | resolved   | whose images these are, who operated where that is wanted, and no sources contradict each other |
    | partial    | somebody is known, or a request, but not all that is wanted                                     |
    | unresolved | nobody                                                                                         |
    """

    RESOLVED = "resolved"
    PARTIAL = "partial"
    UNRESOLVED = "unresolved"


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who made a set, for whom and for what, and how that is known.

    creators are the authors in their order, the scientist first; operator is who worked at the instrument, who may be
    one of them. facts are what is known besides, by the names of `FACTS`. sources say where each came from (also
    `scientist` and `operator`); conflicts name what sources contradict each other about and which; problems are what
    could not be used. None of these three holds a name of a person.
    """

    state: Resolution = Resolution.UNRESOLVED
    creators: tuple[Person, ...] = ()
    operator: Person | None = None
    contributors: tuple[Contributor, ...] = ()
    facility: Organisation | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    conflicts: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


#: What an attribution may know besides persons: the request and what stands in it, all as text.
FACTS: Final = (
    "request", "title", "project", "group", "funding", "sample", "instructions", "channels", "objective", "positions",
    "repeats", "source", "licence", "retention", "omero", "authorship", "readers",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that other programs are told of a set.

    id is the same however often it is told, and after a lost journal too; body is the whole CloudEvent as JSON.
    """

    id: str
    set_id: str
    type: str
    body: str


@dataclass(frozen=True, slots=True)
class Answer:
    """How far the agent that was asked to take a set on has come, in its own words as far as they can be shown.

    state is `requested` until it answers, then accepted, done or failed, or whatever it says; results are identifiers
    of what it made.
    """

    agent: str
    state: str
    message: str = ""
    results: tuple[str, ...] = ()


class Avu(NamedTuple):
    """One attribute, value and unit in the catalogue; each value is at most 2700 bytes and never empty."""

    attribute: str
    value: str
    unit: str = ""


#: What a claim writes on a collection: whose it is, and that nobody is to count on it yet.
IDENTIFIER: Final = "dcterms:identifier"
#: The set that this one came instead of.
REPLACES: Final = "dcterms:replaces"
STATE: Final = "acq:state"
UPLOADING: Final = Avu(STATE, "uploading")
