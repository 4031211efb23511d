"""What NFSRODS does with a zone: writes that leave the catalogue as it is between two of them, and caches by user."""

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from irods.exception import iRODSException

from tests.irods_server import IrodsServer
from tests.irods_server.dialogue import ask, connect, descriptor_message, open_message
from tests.irods_server.entities import Collection, DataObject, Entity, User
from tests.irods_server.permissions import READ, WRITE, may

#: Seconds that NFSRODS keeps what it has asked (server.json: file_information_refresh_time and list_operation).
STAT: Final = 1.0
LIST: Final = 30.0
#: What a Linux client sends in one WRITE (rsize, wsize up to 1 MiB).
WSIZE: Final = 1024 * 1024
NOBODY: Final = 65534
_OPEN, _SEEK, _WRITE, _CLOSE, _RENAME = 602, 674, 676, 673, 627
_WRITE_ONLY, _CREATE = 1, 64


@dataclass(frozen=True, slots=True)
class Attributes:
    """What NFSRODS says of a file or directory (IrodsVirtualFileSystem.statPath); times in whole seconds."""

    mode: int
    inode: int
    uid: int
    size: int
    modified: int
    created: int

    @property
    def is_dir(self) -> bool:
        return stat.S_ISDIR(self.mode)

    def as_stat(self, device: int) -> os.stat_result:
        """As a program sees it: access is the modification, change is the creation, nothing has a second link."""
        times = (self.modified, self.modified, self.created)
        nanoseconds = tuple(time * 10**9 for time in times)
        fields = (
            self.mode,
            self.inode,
            device,
            1,
            self.uid,
            NOBODY,
            self.size,
            *times,
            *map(float, times),
            *nanoseconds,
        )
        return os.stat_result(fields)


@dataclass(frozen=True, slots=True)
class _Listed:
    at: float
    collection_modified: str
    inside: dict[str, Attributes]


@dataclass
class Nfsrods:
    """One NFSRODS server. Users are those of the zone, with their name as password; uid 0 is its administrator.

    `clock` is that of all caches, and of the times that the catalogue gets for what is written here.
    """

    zone: IrodsServer
    clock: Callable[[], float]
    uids: dict[int, str] = field(default_factory=lambda: {0: "rods"})
    wsize: int = WSIZE
    rpcs: int = 0
    #: Called with a path between the write and the close of each WRITE, when the replica is intermediate.
    in_write: Callable[[str], None] = lambda _path: None

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._stats: dict[tuple[str, str], tuple[float, Attributes]] = {}
        self._lists: dict[tuple[str, str], _Listed] = {}
        self._sessions: dict[str, Any] = {}

    def close(self) -> None:
        """Give up the connections."""
        for session in self._sessions.values():
            session.cleanup()
        self._sessions.clear()

    def forget(self) -> None:
        """Restart: the caches are empty."""
        with self._lock:
            self._stats.clear()
            self._lists.clear()

    def user_of(self, uid: int) -> str:
        """The user of iRODS for a uid: root is the proxy administrator (IRODSIdMapper.initProxyAccount)."""
        if uid not in self.uids:
            raise OSError(errno.EACCES, "no such user in passwd")
        return self.uids[uid]

    # reading

    def attributes(self, uid: int, path: str) -> Attributes:
        """GETATTR: perhaps from the last listing of its directory, or what was asked a second ago."""
        user = self.user_of(uid)
        with self._lock:
            above, _, name = path.rpartition("/")
            listed = self._lists.get((user, above))
            if listed and self.clock() - listed.at < LIST and name in listed.inside:
                return listed.inside[name]
            at, known = self._stats.get((user, path), (0.0, None))
            if known is None or self.clock() - at >= STAT:
                known = self._asked(uid, user, path)
                self._stats[user, path] = (self.clock(), known)
            return known

    def listing(self, uid: int, path: str) -> dict[str, Attributes]:
        """READDIR with attributes: of up to 30 seconds ago, unless something was added or removed."""
        user = self.user_of(uid)
        with self._lock, self.zone.catalogue.lock:
            collection = self.zone.catalogue.collections.get(path)
            if collection is None or not self._sees(user, collection):
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            cached = self._lists.get((user, path))
            if cached is None or self.clock() - cached.at >= LIST or cached.collection_modified != collection.modified:
                there: list[tuple[str, Entity]] = [*collection.children.items(), *collection.objects.items()]
                seen = {name: self._attributes(uid, user, item) for name, item in there if self._sees(user, item)}
                cached = self._lists[user, path] = _Listed(self.clock(), collection.modified, seen)
            return dict(cached.inside)

    def read(self, uid: int, path: str, offset: int, length: int) -> bytes:
        """READ: an open, a seek, a read and a close."""
        self._count()
        user = self.user_of(uid)
        with self.zone.catalogue.lock:
            item = self.zone.catalogue.find_object(path)
            if item is None or not self._sees(user, item):
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            with open(item.location, "rb") as body:
                body.seek(offset)
                return body.read(length)

    def _asked(self, uid: int, user: str, path: str) -> Attributes:
        with self.zone.catalogue.lock:
            item = self.zone.catalogue.entity(path)
            if item is None or not self._sees(user, item):
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            return self._attributes(uid, user, item)

    def _sees(self, user: str, item: Entity) -> bool:
        return self.zone.catalogue.to_be_found(self.zone.catalogue.user(user), item)

    def _attributes(self, uid: int, user: str, item: Entity) -> Attributes:
        who: User = self.zone.catalogue.user(user)
        groups = {self.zone.catalogue.users[group].id for group in who.groups}
        may_read, may_write = (may(who, groups, item, level) for level in (READ, WRITE))
        mode = 0o600 if may_write else 0o400 if may_read else 0
        if isinstance(item, Collection):
            mode = stat.S_IFDIR | mode | 0o100
        else:
            mode |= stat.S_IFREG
        size = item.size if isinstance(item, DataObject) else 0
        # Whoever asks is shown as the owner, if they may do anything.
        owner = uid if may_read or may_write else NOBODY
        return Attributes(mode, item.id & 0xFFFFFFFF, owner, size, int(item.modified), int(item.created))

    # writing

    def mkdir(self, uid: int, path: str) -> None:
        """MKDIR."""
        self._session(uid).collections.create(path, recurse=False)
        self._touched(path, new=True)
        self._evict(uid, path)

    def create(self, uid: int, path: str) -> None:
        """CREATE: a data object of no bytes, good at once."""
        self._count()
        with self._connection(uid) as connection:
            number = ask(connection, _OPEN, open_message(path, _WRITE_ONLY | _CREATE)).int_info
            ask(connection, _CLOSE, descriptor_message(number))
        self._touched(path, new=True)
        self._evict(uid, path)

    def write(self, uid: int, path: str, data: bytes, offset: int) -> None:
        """As many WRITEs as it takes: each is an open, a seek, a write and a close, and wipes the checksum."""
        for start in range(0, len(data), self.wsize):
            self._count()
            block = data[start : start + self.wsize]
            with self._connection(uid) as connection:
                number = ask(connection, _OPEN, open_message(path, _WRITE_ONLY)).int_info
                ask(connection, _SEEK, descriptor_message(number, offset=offset + start))
                ask(connection, _WRITE, descriptor_message(number, len=len(block)), block)
                self.in_write(path)
                ask(connection, _CLOSE, descriptor_message(number))
            self._touched(path)
            self._evict(uid, path)

    @contextmanager
    def writing(self, uid: int, path: str) -> Iterator[None]:
        """In the midst of one WRITE: the replica is intermediate until its end."""
        with self._connection(uid) as connection:
            number = ask(connection, _OPEN, open_message(path, _WRITE_ONLY)).int_info
            yield
            ask(connection, _CLOSE, descriptor_message(number))

    def rename(self, uid: int, path: str, to: str) -> None:
        """RENAME: an operation of the catalogue."""
        session = self._session(uid)
        is_directory = path in self.zone.collections()
        (session.collections if is_directory else session.data_objects).move(path, to)
        self._touched(to, new=True, times=False)
        self._evict(uid, path)
        self._evict(uid, to)

    def remove(self, uid: int, path: str) -> None:
        """REMOVE."""
        session = self._session(uid)
        if path in self.zone.collections():
            session.collections.remove(path, recurse=False, force=True)
        else:
            session.data_objects.unlink(path, force=True)
        self._touched(path.rpartition("/")[0])
        self._evict(uid, path)

    def truncate(self, uid: int, path: str, size: int) -> None:
        """SETATTR of the size; of the mode and of times nothing is set, and nothing said."""
        with self.zone.catalogue.lock:
            item = self.zone.catalogue.object(path)
            os.truncate(item.location, size)
            item.size, item.checksum = size, ""
        self._touched(path)
        self._evict(uid, path)

    def link(self, uid: int, path: str) -> None:
        """SYMLINK and LINK."""
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), path)

    def _touched(self, path: str, *, new: bool = False, times: bool = True) -> None:
        """The catalogue's times by this server's clock: of what was changed, and of what it is in if that is new."""
        at = f"{int(self.clock()):011d}"
        with self.zone.catalogue.lock:
            item = self.zone.catalogue.entity(path)
            if item is not None and times:
                item.modified = at
                item.created = at if new else item.created
            above = self.zone.catalogue.collections.get(path.rpartition("/")[0])
            if above is not None and new:
                above.modified = at

    def _evict(self, uid: int, path: str) -> None:
        """A writer takes out of the caches what they have of it themselves; others keep theirs."""
        user = self.user_of(uid)
        with self._lock:
            self._stats.pop((user, path), None)
            for place in (path, path.rpartition("/")[0]):
                self._lists.pop((user, place), None)

    def _count(self) -> None:
        self.rpcs += 1

    def _session(self, uid: int) -> Any:
        user = self.user_of(uid)
        with self._lock:
            if user not in self._sessions:
                self._sessions[user] = connect(self.zone, user)
            return self._sessions[user]

    @contextmanager
    def _connection(self, uid: int) -> Iterator[Any]:
        try:
            with self._session(uid).pool.get_connection() as connection:
                yield connection
        except iRODSException as error:
            raise OSError(errno.EIO, f"{type(error).__name__}: {error}") from error
