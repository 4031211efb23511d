"""Everything that can go wrong, as one tree: what it costs, whether it may pass, and what to do.

    WatcherError                    1
    ├── UsageError                  2   the command was called wrongly
    │   └── SetNotFound             2   no such set in the journal
    ├── ConfigurationError         78   the profile or its surroundings are wrong
    │   ├── DocumentError               one or more places in a YAML or CSV file, each with file:line:column
    │   │   ├── ProfileError                the profile of an instrument
    │   │   ├── PeopleError                 the directory of persons, or the bookings
    │   │   ├── RequestError                what a scientist asked to be acquired
    │   │   └── FleetError                  the instruments of a facility view
    │   ├── WatchFolderError            the watched folder is missing or may not be read
    │   │   └── WrongMount                  the mount does not show the collection that the profile names
    │   ├── LoginRefused                the store knows neither this name nor this password
    │   └── TargetMissing               the collection that sets go below is not there
    ├── Paused                      5   a person has paused the sending
    ├── Unforeseen                  1   a mistake of the program, met while it worked on one set
    ├── JournalError                1   the journal cannot be used
    │   ├── JournalInUse            5   another watcher has it
    │   ├── JournalFull             5   the disk or quota that holds it is full
    │   ├── JournalTooNew          78   written by a later version
    │   └── StaleSet                5   the set was changed meanwhile, by a sweep or a person
    ├── SourceError                 5   one file on the acquisition disk
    │   ├── SourceChanged           5   it changed while it was read
    │   ├── SourceGone              5   it is no longer there
    │   └── SourceUnreadable        5   it is there and cannot be read
    ├── HandoffError                1   another program could not be told of a set, which is safe all the same
    │   ├── SinkAway                5   it does not answer, or can take nothing now
    │   └── SinkRefused             3   it does not want this event
    ├── NotifierAway                5   people could not be told something, or what watches over us does not answer
    └── StoreError                  1   the store answered with something that no other class describes
        ├── StoreUnreachable        5   no answer
        ├── StoreBusy               5   a replica is locked or still being written
        ├── StoreFull               5   the resource is full or down
        ├── FixityError             5   the store holds other bytes than were sent
        ├── NotAllowed              3   the service account lacks a permission
        ├── NameRefused             3   the store cannot hold such a name
        └── Conflict                3   something that is not ours is there already

`transient` says whether waiting may mend it: such a failure keeps a set in its state with a time for the next attempt;
any other one holds the set for a person. `store_wide` says that it concerns every set alike, so that none is blamed.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """The exit codes of the program; README.md has the same table, and a test compares them."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    PARTLY = 3
    TRY_LATER = 5
    CONFIGURATION = 78
    INTERRUPTED = 130


class WatcherError(Exception):
    """Base of everything this program raises on purpose: catch it to show a message instead of a traceback.

    `what` names the file or place and what is wrong with it; `cure` overrides the class's own advice.
    """

    exit_code: ClassVar[Exit] = Exit.UNEXPECTED
    transient: ClassVar[bool] = False
    store_wide: ClassVar[bool] = False
    cure: str = "look at the log, and report this if it makes no sense there"

    def __init__(self, what: str, *, cure: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        if cure is not None:
            self.cure = cure

    def __str__(self) -> str:
        return f"{self.what}; {self.cure}" if self.cure else self.what


class UsageError(WatcherError):
    """The command was called wrongly."""

    exit_code = Exit.USAGE
    cure = "see --help"


class SetNotFound(UsageError):
    """No set in the journal has this name or identifier."""

    cure = "`irods-watcher list` shows the sets"


class ConfigurationError(WatcherError):
    """The profile, or what it points to, is wrong: a restart does not help, a person must mend it."""

    exit_code = Exit.CONFIGURATION
    cure = "mend the profile and start again"


class DocumentError(ConfigurationError):
    """One or more places in a file are wrong; each line is `file:line:column: key: what is wrong`."""

    cure = ""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class ProfileError(DocumentError):
    """The profile of an instrument is wrong."""


class PeopleError(DocumentError):
    """The directory of persons, or the export of the bookings, is wrong."""


class RequestError(DocumentError):
    """A request, or what a sidecar beside the images says, is wrong."""


class FleetError(DocumentError):
    """The list of instruments of a facility view is wrong."""


class WatchFolderError(ConfigurationError):
    """The watched folder is missing or may not be read."""

    transient = True
    cure = "check watch.path in the profile, that the disk or share is there, and that this account may read it"


class WrongMount(WatchFolderError):
    """The mount does not show the collection that the profile names."""

    cure = "mend store.mount_root or store.logical_root in the profile"


class LoginRefused(ConfigurationError):
    """The store knows neither this name nor this password."""

    transient = True
    store_wide = True
    cure = (
        "check irods_user_name and the zone in the environment file, and log in again with `iinit`, "
        "or mend store.password if the profile has it"
    )


class TargetMissing(ConfigurationError):
    """The collection that sets go below is not there, or this account cannot see it."""

    transient = True
    store_wide = True
    cure = "ask the iRODS administrator to create it and to let the service account write there"


class Paused(WatcherError):
    """A person has paused the sending."""

    exit_code = Exit.TRY_LATER
    transient = True
    store_wide = True
    cure = "`irods-watcher resume` lets it go on"


class Unforeseen(WatcherError):
    """A mistake of the program, met while it worked on one set: that set is held, and the others go on."""

    cure = "this is a mistake of the program: please report it with the log, then `irods-watcher retry`"


class JournalError(WatcherError):
    """The journal cannot be used."""

    cure = "choose another place with --state, or mend this one"


class JournalInUse(JournalError):
    """Another watcher has the journal open."""

    exit_code = Exit.TRY_LATER
    cure = "stop that one first, or give this one its own --state"


class JournalFull(JournalError):
    """The disk or the quota that holds the journal is full."""

    exit_code = Exit.TRY_LATER
    transient = True
    store_wide = True
    cure = "free some space on that disk; nothing is lost, the watcher goes on from where it was"


class JournalTooNew(JournalError):
    """The journal was written by a later version of this program."""

    exit_code = Exit.CONFIGURATION
    cure = "install that version again; a journal is never taken back to an older form"


class StaleSet(JournalError):
    """The set was changed meanwhile, by a sweep or a person, so that a step taken on its old form does not count."""

    exit_code = Exit.TRY_LATER
    transient = True
    cure = "it is looked at again by itself"


class SourceError(WatcherError):
    """One file on the acquisition disk cannot be delivered as it is now."""

    exit_code = Exit.TRY_LATER
    transient = True


class SourceChanged(SourceError):
    """The file changed after its set was found complete."""

    cure = "its set waits until the file has come to rest again"


class SourceGone(SourceError):
    """The file is no longer there."""

    cure = "its set is looked at again at the next sweep"


class SourceUnreadable(SourceError):
    """The file is there and cannot be read."""

    cure = "let the watcher's account read it; it is tried again"


class HandoffError(WatcherError):
    """Another program could not be told of a set; the set is safe all the same, and the event is kept."""


class SinkAway(HandoffError):
    """The other program does not answer, or can take nothing now; `not_before` is the pause in seconds it asks for."""

    exit_code = Exit.TRY_LATER
    transient = True
    cure = "it is tried again by itself, and nothing is lost"
    not_before: float = 0.0


class SinkRefused(HandoffError):
    """The other program does not want this event."""

    exit_code = Exit.PARTLY
    cure = "ask whoever runs it; it is tried again every hour"


class NotifierAway(WatcherError):
    """People could not be told something, or the dead man's switch does not answer; the sets are as safe as before."""

    exit_code = Exit.TRY_LATER
    transient = True
    cure = "it is tried again by itself, and what must be told is kept; `irods-watcher notify test` tries it now"


class StoreError(WatcherError):
    """The store answered with something that no other class describes."""


class StoreUnreachable(StoreError):
    """The store does not answer."""

    exit_code = Exit.TRY_LATER
    transient = True
    store_wide = True
    cure = "check the network and irods_host and irods_port in the environment file; it is tried again by itself"


class StoreBusy(StoreError):
    """A replica is locked or still being written, perhaps by an attempt that was cut off.

    `path` names the data object if the catalogue itself says so of its replica: then it may be stuck for ever.
    """

    exit_code = Exit.TRY_LATER
    transient = True
    cure = "it is tried again; if this stays, ask the iRODS administrator about stuck intermediate replicas"
    path: str | None = None


class StoreFull(StoreError):
    """The resource is full or down."""

    exit_code = Exit.TRY_LATER
    transient = True
    store_wide = True
    cure = "ask the iRODS administrator for space on that resource; it is tried again by itself"


class FixityError(StoreError):
    """The store holds other bytes than were sent."""

    exit_code = Exit.TRY_LATER
    transient = True
    cure = "it is sent again; if this stays, a disk, memory or network between here and the store is bad"


class NotAllowed(StoreError):
    """The service account lacks a permission."""

    exit_code = Exit.PARTLY
    cure = "ask the iRODS administrator to let the service account write there, then `irods-watcher retry`"


class NameRefused(StoreError):
    """The store cannot hold such a name."""

    exit_code = Exit.PARTLY
    cure = "rename it, or shorten the collection in the profile, then `irods-watcher retry`"


class Conflict(StoreError):
    """Something that is not ours is there already; nothing in the store is ever overwritten."""

    exit_code = Exit.PARTLY
    cure = "move it away or change the collection in the profile, then `irods-watcher retry`"
