"""The open descriptors of one agent: open, write, read, seek, close, and what becomes of a replica when it dies."""

import os
import uuid
from dataclasses import dataclass, field
from io import FileIO

from .checksums import scheme_to_register, scheme_to_verify
from .codes import Code, RefusedError
from .entities import GOOD, INTERMEDIATE, STALE, DataObject, User, now
from .grants import apply_included_access
from .metadata import apply_included_metadata
from .permissions import WRITE
from .zone import DEFAULT_RESOURCE, Zone

# Linux numbers: python-irodsclient sends them on every platform.
O_ACCMODE, O_CREAT, O_TRUNC = 3, 64, 512
CREATED, OPEN_FOR_READ, OPEN_FOR_WRITE = 1, 2, 3


@dataclass(slots=True)
class Descriptor:
    """One open data object (iRODS l1desc_t)."""

    number: int
    item: DataObject
    file: FileIO
    open_type: int
    flags: int
    token: str | None
    secondary: bool = False
    promised: int = -1
    conditions: dict[str, str] = field(default_factory=dict)
    written: bool = False

    @property
    def writable(self) -> bool:
        """Whether it was opened for writing."""
        return self.open_type != OPEN_FOR_READ


def signed32(number: int) -> int:
    """A size as a reply's `int_info` shows it: cut to 32 bits (irods-wire/README.md)."""
    return (number + 2**31) % 2**32 - 2**31


class Transfers:
    """The descriptors of one agent. Catalogue work is done under the lock, bytes are moved and hashed outside it."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._open: dict[int, Descriptor] = {}

    def descriptor(self, number: int) -> Descriptor:
        """The descriptor that a client calls `number`."""
        if number not in self._open:
            raise RefusedError(Code.BAD_INPUT_DESC_INDEX)
        return self._open[number]

    def path_of(self, number: int) -> str:
        """The logical path behind a descriptor, empty if there is none."""
        return self._open[number].item.path if number in self._open else ""

    def open(self, user: User, path: str, flags: int, conditions: dict[str, str]) -> Descriptor:
        """`DATA_OBJ_OPEN`, which creates too."""
        writable = flags & O_ACCMODE != 0
        with self._zone.catalogue.lock:
            self._check_resource(conditions)
            item = self._zone.catalogue.find_object(path)
            if item is None:
                descriptor = self._create(user, path, flags, conditions)
            elif writable:
                descriptor = self._open_for_write(user, item, flags, conditions)
            else:
                if not self._zone.catalogue.to_be_found(user, item):
                    # What it is resolved by is a query (rsDataObjOpen.cpp, get_data_object_info_for_open).
                    raise RefusedError(Code.OBJ_PATH_DOES_NOT_EXIST)
                self._zone.catalogue.require_read(user, item)
                if item.status == INTERMEDIATE:
                    raise RefusedError(Code.HIERARCHY_ERROR)
                descriptor = self._describe(item, OPEN_FOR_READ, flags, "rb")
            descriptor.conditions = conditions
            self._open[descriptor.number] = descriptor
        return descriptor

    def _check_resource(self, conditions: dict[str, str]) -> None:
        name = conditions.get("destRescName") or DEFAULT_RESOURCE
        if name not in self._zone.catalogue.resources:
            raise RefusedError(Code.SYS_RESC_DOES_NOT_EXIST)
        if self._zone.faults.resource_is_down:
            raise RefusedError(Code.HIERARCHY_ERROR)

    def _create(self, user: User, path: str, flags: int, conditions: dict[str, str]) -> Descriptor:
        if not flags & O_CREAT:
            raise RefusedError(Code.OBJ_PATH_DOES_NOT_EXIST)
        resource = conditions.get("destRescName") or DEFAULT_RESOURCE
        item = self._zone.catalogue.create_object(user, path, resource, conditions.get("dataType", ""))
        descriptor = self._describe(item, CREATED, flags, "w+b")
        descriptor.promised = int(conditions.get("dataSize") or -1)
        return descriptor

    def _open_for_write(self, user: User, item: DataObject, flags: int, conditions: dict[str, str]) -> Descriptor:
        self._zone.catalogue.require(user, item, WRITE)
        secondary = False
        if item.status == INTERMEDIATE:
            if item.token is None or conditions.get("replicaToken") != item.token:
                raise RefusedError(Code.HIERARCHY_ERROR)
            secondary = True
        else:
            item.token = str(uuid.uuid4())
            item.status = INTERMEDIATE
        descriptor = self._describe(item, OPEN_FOR_WRITE, flags, "r+b")
        descriptor.secondary = secondary
        if flags & O_TRUNC:
            descriptor.file.truncate(0)
            descriptor.written = True
            # The catalogue is told at once (rsDataObjOpen.cpp, open_replica).
            item.size, item.checksum = 0, ""
        return descriptor

    def _describe(self, item: DataObject, open_type: int, flags: int, mode: str) -> Descriptor:
        number = next(n for n in range(3, len(self._open) + 4) if n not in self._open)
        return Descriptor(number, item, FileIO(item.location, mode), open_type, flags, item.token)

    def write(self, number: int, data: memoryview) -> int:
        """Write at the descriptor's position, as much as the resource has room for."""
        descriptor = self.descriptor(number)
        if not descriptor.writable:
            raise RefusedError(Code.UNIX_FILE_WRITE_ERR_EBADF)
        room = self._zone.faults.take_space(len(data))
        position = 0
        while position < room:
            position += descriptor.file.write(data[position:room])
        descriptor.written = True
        if room < len(data):
            raise RefusedError(Code.UNIX_FILE_WRITE_ERR_ENOSPC)
        return room

    def read(self, number: int, length: int) -> bytes:
        """Up to `length` bytes from the descriptor's position."""
        descriptor = self.descriptor(number)
        if descriptor.writable and descriptor.flags & O_ACCMODE == 1:
            raise RefusedError(Code.UNIX_FILE_READ_ERR_EBADF)
        return descriptor.file.read(length) or b""

    def seek(self, number: int, offset: int, whence: int) -> int:
        """Move the descriptor's position."""
        return self.descriptor(number).file.seek(offset, whence)

    def close(self, number: int) -> int:
        """`DATA_OBJ_CLOSE`: settle the replica; a size other than promised is the answer (15-size-mismatch)."""
        descriptor = self._take(number)
        size = self._close_file(descriptor)
        if not descriptor.writable or descriptor.secondary:
            return 0
        item = descriptor.item
        if descriptor.token != item.token or item.status != INTERMEDIATE:
            raise RefusedError(Code.SYS_INTERNAL_ERR, "a stream of this replica was lost")
        if descriptor.promised >= 0 and size != descriptor.promised:
            self._settle(item, STALE, size, "")
            return signed32(size)
        self._finish(descriptor, size)
        return 0

    def close_stream(self, number: int, *, update_size: bool, update_status: bool) -> None:
        """`REPLICA_CLOSE`: give a descriptor back with only what is asked written to the catalogue."""
        descriptor = self._take(number)
        size = self._close_file(descriptor)
        with self._zone.catalogue.lock:
            if update_size:
                descriptor.item.size = size
            if update_status and descriptor.writable:
                self._settle(descriptor.item, GOOD, size, descriptor.item.checksum)

    def _take(self, number: int) -> Descriptor:
        descriptor = self.descriptor(number)
        del self._open[number]
        return descriptor

    @staticmethod
    def _close_file(descriptor: Descriptor) -> int:
        size = os.fstat(descriptor.file.fileno()).st_size
        descriptor.file.close()
        return size

    def _finish(self, descriptor: Descriptor, size: int) -> None:
        """Checksums, then what travels with the data, then GOOD; any refusal leaves STALE (irods-wire/README.md)."""
        item, conditions = descriptor.item, descriptor.conditions
        expected = "" if "regChksum" in conditions else conditions.get("verifyChksum", "")
        digest = "" if descriptor.written else item.checksum
        if "regChksum" in conditions:
            digest = self._zone.checksum(item, scheme_to_register(conditions["regChksum"], self._zone.hash_scheme))
        elif expected:
            digest = self._zone.checksum(item, scheme_to_verify(expected))
        if expected and digest != expected:
            self._settle(item, STALE, size, digest)
            raise RefusedError(Code.USER_CHKSUM_MISMATCH)
        try:
            with self._zone.catalogue.lock:
                apply_included_metadata(self._zone.catalogue, item, conditions.get("metadataIncluded"))
                apply_included_access(self._zone.catalogue, item, conditions.get("aclIncluded"))
        except RefusedError:
            self._settle(item, STALE, size, digest)
            raise
        self._settle(item, GOOD, size, digest)

    def _settle(self, item: DataObject, status: int, size: int, digest: str) -> None:
        with self._zone.catalogue.lock:
            item.status, item.size, item.checksum = status, size, digest
            item.token = None
            item.modified = now()

    def give_up(self, descriptor: Descriptor, digest: str = "") -> None:
        """Close a descriptor whose data are not what they should be: the replica is STALE."""
        self._open.pop(descriptor.number, None)
        size = self._close_file(descriptor)
        if descriptor.writable and descriptor.token == descriptor.item.token:
            self._settle(descriptor.item, STALE, size, digest)

    def abort(self) -> None:
        """The client is gone: what it was writing is STALE, with the size written and no checksum (14-abort)."""
        for descriptor in list(self._open.values()):
            self.give_up(descriptor)

    def abandon(self) -> None:
        """The agent was killed: files are closed, and the catalogue is told nothing."""
        for descriptor in self._open.values():
            descriptor.file.close()
        self._open.clear()

    def finish_put(self, descriptor: Descriptor) -> None:
        """The end of a put, whose size was checked already."""
        self._open.pop(descriptor.number)
        self._finish(descriptor, self._close_file(descriptor))
