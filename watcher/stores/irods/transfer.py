"""Two lanes for the bytes of a member, both without ever writing into something that is there already; and one for
what the watcher itself says of a set, which may be said anew.

The single lane sends up to 32 MiB in one message that the server verifies before it answers. The stream lane opens,
writes in blocks of which several are under way at once, closes, and asks the catalogue. The order of the steps and the
numbers were measured (irods-wire/README.md, "Large objects"). A stream that was cut off goes on where the catalogue
says that it stopped, and the object is compared as a whole either way.
"""

import base64
import contextlib
import functools
import hashlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from irods.message import (
    FileOpenRequest,
    FileSeekResponse,
    JSON_Binary_Request,
    OpenedDataObjRequest,
    StringStringMap,
)

from watcher.errors import FixityError, StoreBusy, StoreError, WatcherError
from watcher.stores.base import Progress, Receipt, Replica
from watcher.stores.irods.catalogue import SLOWEST_CHECKSUM, Catalogue, Found
from watcher.stores.irods.connection import Connection
from watcher.stores.irods.failures import CHECKSUM_MISMATCH, EXISTS, Dropped
from watcher.stores.source import BLOCK, Source

PUT, OPEN, WRITE, CLOSE, SEEK, DESCRIBE = 606, 602, 676, 673, 674, 20000

#: Blocks on their way whose reply was not read yet; each is as large as the views of `Source.blocks`.
IN_FLIGHT: Final = 4
#: Linux's numbers, whatever system this is: O_WRONLY | O_CREAT, and never O_TRUNC.
_WRITE_CREATE: Final = 0o101
_NEW: Final = 1


class Transfer:
    """Puts members over one connection. `again` repeats a step if the connection broke or a lock was in the way.

    `resume_from` is the least size in bytes of what a cut-off stream left for the next one to go on behind it.
    """

    def __init__(
        self,
        connection: Connection,
        catalogue: Catalogue,
        resource: str | None,
        again: Callable[[Callable[[], Any]], Any],
        resume_from: int,
    ) -> None:
        self._connection = connection
        self._catalogue = catalogue
        self._resource = {"destRescName": resource} if resource else {}
        self._again = again
        self._resume_from = resume_from

    def put(self, source: Source, path: str, progress: Progress) -> Receipt:
        """Deliver one member to this path, where only an earlier attempt of ours can have left something."""
        if source.facts.size > self._connection.environment.single:
            return self._put_stream(source, path, progress)
        data = source.read()
        receipt = Receipt(len(data), hashlib.sha256(data).hexdigest())
        self.send(data, receipt, path)
        progress(receipt.size)
        return receipt

    # single lane

    def send(self, data: bytes | bytearray | memoryview, receipt: Receipt, path: str, kind: str = "generic") -> None:
        """Put these bytes, whose receipt this is, in one message; `kind` is what iRODS calls their data type."""
        tried = False

        def attempt() -> None:
            nonlocal tried
            # After a lost connection only the catalogue knows what became of it.
            if tried and self.holds(path, receipt):
                return
            tried = True
            if self._send(data, receipt, path, kind, known={EXISTS, CHECKSUM_MISMATCH}):
                return
            if not self.holds(path, receipt):
                self._send(data, receipt, path, kind, known={CHECKSUM_MISMATCH})

        self._again(attempt)

    def replace(self, data: bytes, path: str) -> None:
        """Put these bytes in one message in place of what is there, which keeps its id and its access.

        Of the server (rsDataObjPut.cpp, rsDataObjOpen.cpp; 05-put606): a forced put writes into the replica that is
        there, which is intermediate meanwhile; it is refused for another resource than the object is on, so none is
        named. The catalogue is asked first, since nothing should be forced over bytes that are right already.
        """
        receipt = Receipt(len(data), hashlib.sha256(data).hexdigest())

        def attempt() -> None:
            found = self._catalogue.lookup(path)
            if found is not None and found.busy:
                raise _busy(path)
            if found is None and not self._send(data, receipt, path, "generic", known={EXISTS}):
                raise StoreBusy(f"{path}: it was not there, and now it is")
            if found is not None and found.replica != Replica(receipt.size, receipt.sha256, good=True):
                self._send(data, receipt, path, "generic", known=set(), force=True)

        try:
            self._again(attempt)
        except FixityError:
            # Until it succeeds readers find what arrived wrong.
            self._again(attempt)

    def holds(self, path: str, receipt: Receipt) -> bool:
        """Whether just these bytes are there and good; anything else that is there is removed. Raises StoreBusy."""
        return self._is_there(path, self._catalogue.lookup(path), receipt.size, lambda: receipt.sha256)

    def _send(
        self,
        data: bytes | bytearray | memoryview,
        receipt: Receipt,
        path: str,
        kind: str,
        known: set[int],
        *,
        force: bool = False,
    ) -> bool:
        """False if something is there already, and is not to be overwritten."""
        conditions = {"dataIncluded": "", "dataType": kind, "verifyChksum": _checksum(receipt.sha256)}
        message = self._object(path, receipt.size, 0, conditions | ({"forceFlag": ""} if force else self._resource))
        reply = self._connection.call(PUT, message, path, data=data, known=known)
        if reply.code == CHECKSUM_MISMATCH:
            self._catalogue.unlink(path)
            raise FixityError(f"{path}: what arrived has another checksum than what was sent")
        return reply.code != EXISTS

    # stream lane

    def _put_stream(self, source: Source, path: str, progress: Progress) -> Receipt:
        sent: Receipt | None = None
        meter = _Meter(progress)
        # Read beforehand only if something of that size is there already.
        on_disk = functools.cache(lambda: Receipt(source.facts.size, source.sha256()))

        def attempt() -> Receipt:
            nonlocal sent
            # Always asked before opening: opening a good object and dying makes it stale.
            found = self._catalogue.lookup(path)
            start = self._half(found, source.facts.size)
            if not start and self._is_there(path, found, source.facts.size, lambda: (sent or on_disk()).sha256):
                return sent or on_disk()
            try:
                sent = self._stream(source, path, start, meter)
                self._compare(path, sent)
            except FixityError:
                if not start:
                    raise
                # What was there was not the beginning of this, and is gone now.
                sent = self._stream(source, path, 0, meter)
                self._compare(path, sent)
            return sent

        receipt: Receipt = self._again(attempt)
        return receipt

    def _half(self, found: Found | None, size: int) -> int:
        """Where to go on: where a block begins, and before the end, since a close without a write changes nothing."""
        if found is None or not self._resume_from <= found.half <= size:
            return 0
        return min(found.half, size - 1) // BLOCK * BLOCK

    def _stream(self, source: Source, path: str, start: int, meter: "_Meter") -> Receipt:
        """Read the whole source and send it from `start` on. Whatever is wrong, nothing of it stays for good."""
        descriptor, start = self._open(path, source.facts.size, start)
        meter.begin(start)
        try:
            sent = self._write(descriptor, path, source, start, meter)
            self._close(descriptor, path, sent.size)
        except BaseException as error:
            self._connection.abort()
            if isinstance(error, WatcherError) and not isinstance(error, Dropped):
                self._discard(path)
            raise
        return sent

    def _open(self, path: str, size: int, start: int) -> tuple[int, int]:
        """A descriptor, and where it stands: at `start` if what was to be there is there, else at the beginning."""
        message = self._object(path, size, _WRITE_CREATE, {"regChksum": "sha2:", **self._resource})
        descriptor = self._connection.call(OPEN, message, path).code
        try:
            reply = self._connection.call(DESCRIBE, JSON_Binary_Request({"fd": descriptor}), path)
            if reply.json().get("open_type") == _NEW:
                return descriptor, 0
            if start:
                seek(self._connection, descriptor, path, start)
                return descriptor, start
        except BaseException:
            self._connection.abort()
            raise
        # Somebody made it since the catalogue was asked: closed unwritten, it stays as it is.
        self._connection.call(CLOSE, opened(descriptor), path, patience=size / SLOWEST_CHECKSUM)
        raise StoreBusy(f"{path}: another program has just written there")

    def _write(self, descriptor: int, path: str, source: Source, start: int, progress: Progress) -> Receipt:
        digest, size, unread = hashlib.sha256(), 0, deque[int]()
        # Closed at once if sending fails: until then nobody on Windows could rename or remove the file.
        with contextlib.closing(source.blocks()) as blocks, ThreadPoolExecutor(1, "hash") as beside:
            for block in blocks:
                # Beside the sending: a fifth less time where the server keeps up. Both let other threads run.
                hashed = beside.submit(digest.update, block)
                if size >= start:
                    if len(unread) == IN_FLIGHT:
                        self._confirm(unread.popleft(), path)
                    self._connection.send(WRITE, opened(descriptor, len(block)), path, data=block)
                    unread.append(len(block))
                    progress(len(block))
                size += len(block)
                hashed.result()
        for length in unread:
            self._confirm(length, path)
        return Receipt(size, digest.hexdigest())

    def _confirm(self, length: int, path: str) -> None:
        written = self._connection.receive(path).code
        if written != length:
            raise FixityError(f"{path}: {length} bytes were sent, and {written} of them written")

    def _close(self, descriptor: int, path: str, size: int) -> None:
        status = self._connection.call(CLOSE, opened(descriptor), path, patience=size / SLOWEST_CHECKSUM).code
        # The size that was found, cut to 32 bits, and so of no further use.
        if status != 0:
            raise FixityError(f"{path}: {size} bytes were sent, and the store found another number")

    def _compare(self, path: str, sent: Receipt) -> None:
        """A registered checksum is good whatever was sent, until somebody compares."""
        if not self.holds(path, sent):
            raise FixityError(f"{path}: the store holds other bytes than were sent")

    # both

    def _is_there(self, path: str, found: Found | None, size: int, sha256: Callable[[], str]) -> bool:
        if found is None:
            return False
        replica = found.replica
        if replica.good and replica.size == size:
            # An extraction leaves good replicas without a checksum.
            held = replica.sha256 or next(self._catalogue.checksums([(path, size)]))
            if held is not None and held == sha256():
                return True
        if found.busy:
            raise _busy(path)
        self._catalogue.unlink(path)
        return False

    def _discard(self, path: str) -> None:
        """Remove the half of an object, as well as that can be done now; the next attempt would do it too."""
        with contextlib.suppress(WatcherError):
            self._again(lambda: self._catalogue.unlink(path))

    @staticmethod
    def _object(path: str, size: int, flags: int, conditions: dict[str, str]) -> FileOpenRequest:
        return FileOpenRequest(
            objPath=path,
            createMode=0o644,
            openFlags=flags,
            offset=0,
            dataSize=size,
            numThreads=0,
            oprType=1,
            KeyValPair_PI=StringStringMap({"dataSize": str(size), "dataType": "generic", **conditions}),
        )


class _Meter:
    """Progress in which bytes that are sent again count once, and those of earlier attempts that stay are kept."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._first: int | None = None
        self._counted = 0

    def begin(self, start: int) -> None:
        """Sending begins at this byte; what was counted behind it was lost."""
        first = start if self._first is None else min(self._first, start)
        kept = min(self._counted, start - first)
        if kept != self._counted:
            self._progress(kept - self._counted)
        self._first, self._counted = first, kept

    def __call__(self, count: int) -> None:
        self._counted += count
        self._progress(count)


def seek(connection: Connection, descriptor: int, path: str, start: int) -> None:
    """Go to a byte of an open data object. Raises StoreError if the server does not."""
    reached = connection.call(SEEK, opened(descriptor, offset=start), path).body(FileSeekResponse).offset
    if reached != start:
        raise StoreError(f"{path}: byte {start} was to be next, and the server stands at {reached}")


def opened(descriptor: int, length: int = 0, offset: int = 0) -> OpenedDataObjRequest:
    """The message about an open data object."""
    return OpenedDataObjRequest(
        l1descInx=descriptor,
        len=length,
        whence=0,
        oprType=0,
        offset=offset,
        bytesWritten=0,
        KeyValPair_PI=StringStringMap(),
    )


def _busy(path: str) -> StoreBusy:
    busy = StoreBusy(f"{path}: it is locked or still being written")
    busy.path = path
    return busy


def _checksum(sha256: str) -> str:
    return "sha2:" + base64.b64encode(bytes.fromhex(sha256)).decode()
