"""Two lanes for the bytes of a member, both without ever writing into something that is there already.

The single lane sends up to 32 MiB in one message that the server verifies before it answers. The stream lane opens,
writes in blocks of which several are under way at once, closes, and asks the catalogue. The order of the steps and the
numbers were measured (irods-wire/README.md, "Large objects").
"""

import base64
import contextlib
import functools
import hashlib
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from irods.message import FileOpenRequest, JSON_Binary_Request, OpenedDataObjRequest, StringStringMap

from watcher.errors import FixityError, StoreBusy, WatcherError
from watcher.stores.base import Progress, Receipt
from watcher.stores.irods.catalogue import Catalogue
from watcher.stores.irods.connection import Connection
from watcher.stores.irods.failures import CHECKSUM_MISMATCH, EXISTS, Dropped
from watcher.stores.source import Source

PUT, OPEN, WRITE, CLOSE, DESCRIBE = 606, 602, 676, 673, 20000

#: Blocks on their way whose reply was not read yet; each is as large as the views of `Source.blocks`.
IN_FLIGHT: Final = 4
#: What the slowest resource is trusted to checksum in a second, in bytes: the reply to a close waits for it.
SLOWEST_CHECKSUM: Final = 8 * 1024 * 1024
#: Linux's numbers, whatever system this is: O_WRONLY | O_CREAT, and never O_TRUNC.
_WRITE_CREATE: Final = 0o101
_NEW: Final = 1


class Transfer:
    """Puts members over one connection. `again` repeats a step if the connection broke or a lock was in the way."""

    def __init__(
        self,
        connection: Connection,
        catalogue: Catalogue,
        resource: str | None,
        again: Callable[[Callable[[], Any]], Any],
    ) -> None:
        self._connection = connection
        self._catalogue = catalogue
        self._resource = {"destRescName": resource} if resource else {}
        self._again = again

    def put(self, source: Source, path: str, progress: Progress) -> Receipt:
        """Deliver one member to this path, where only an earlier attempt of ours can have left something."""
        if source.facts.size <= self._connection.environment.single:
            return self._put_single(source, path, progress)
        return self._put_stream(source, path, progress)

    # single lane

    def _put_single(self, source: Source, path: str, progress: Progress) -> Receipt:
        data = source.read()
        receipt = Receipt(len(data), hashlib.sha256(data).hexdigest())
        tried = False

        def attempt() -> None:
            nonlocal tried
            # After a lost connection only the catalogue knows what became of it.
            if tried and self._is_there(path, receipt.size, lambda: receipt.sha256):
                return
            tried = True
            if self._send_single(path, data, receipt, known={EXISTS, CHECKSUM_MISMATCH}):
                return
            if not self._is_there(path, receipt.size, lambda: receipt.sha256):
                self._send_single(path, data, receipt, known={CHECKSUM_MISMATCH})

        self._again(attempt)
        progress(receipt.size)
        return receipt

    def _send_single(self, path: str, data: bytearray, receipt: Receipt, known: set[int]) -> bool:
        """False if something is there already."""
        conditions = {"dataIncluded": "", "verifyChksum": _checksum(receipt.sha256)}
        message = self._object(path, receipt.size, 0, conditions)
        reply = self._connection.call(PUT, message, path, data=data, known=known)
        if reply.code == CHECKSUM_MISMATCH:
            self._catalogue.unlink(path)
            raise FixityError(f"{path}: what arrived has another checksum than what was sent")
        return reply.code != EXISTS

    # stream lane

    def _put_stream(self, source: Source, path: str, progress: Progress) -> Receipt:
        sent: Receipt | None = None
        reported = 0
        # Read beforehand only if something of that size is there already.
        on_disk = functools.cache(lambda: Receipt(source.facts.size, source.sha256()))

        def report(count: int) -> None:
            nonlocal reported
            reported += count
            progress(count)

        def attempt() -> Receipt:
            nonlocal sent
            # Always asked before opening: opening a good object and dying makes it stale.
            if self._is_there(path, source.facts.size, lambda: (sent or on_disk()).sha256):
                return sent or on_disk()
            descriptor = self._open(path, source.facts.size)
            if reported:
                # What the lost connection carried does not count.
                report(-reported)
            try:
                sent = self._write(descriptor, path, source, report)
                self._close(descriptor, path, sent.size)
            except BaseException as error:
                self._connection.abort()
                if isinstance(error, WatcherError) and not isinstance(error, Dropped):
                    self._discard(path)
                raise
            self._compare(path, sent)
            return sent

        receipt: Receipt = self._again(attempt)
        return receipt

    def _open(self, path: str, size: int) -> int:
        message = self._object(path, size, _WRITE_CREATE, {"regChksum": "sha2:"})
        descriptor = self._connection.call(OPEN, message, path).code
        try:
            reply = self._connection.call(DESCRIBE, JSON_Binary_Request({"fd": descriptor}), path)
            if reply.json().get("open_type") == _NEW:
                return descriptor
        except BaseException:
            self._connection.abort()
            raise
        # Somebody made it since the catalogue was asked: closed unwritten, it stays as it is.
        self._connection.call(CLOSE, _opened(descriptor), path, patience=size / SLOWEST_CHECKSUM)
        raise StoreBusy(f"{path}: another program has just written there")

    def _write(self, descriptor: int, path: str, source: Source, progress: Progress) -> Receipt:
        digest, size, unread = hashlib.sha256(), 0, deque[int]()
        # Closed at once if sending fails: until then nobody on Windows could rename or remove the file.
        with contextlib.closing(source.blocks()) as blocks:
            for block in blocks:
                if len(unread) == IN_FLIGHT:
                    self._confirm(unread.popleft(), path)
                self._connection.send(WRITE, _opened(descriptor, len(block)), path, data=block)
                unread.append(len(block))
                digest.update(block)
                size += len(block)
                progress(len(block))
        for length in unread:
            self._confirm(length, path)
        return Receipt(size, digest.hexdigest())

    def _confirm(self, length: int, path: str) -> None:
        written = self._connection.receive(path).code
        if written != length:
            raise FixityError(f"{path}: {length} bytes were sent, and {written} of them written")

    def _close(self, descriptor: int, path: str, size: int) -> None:
        status = self._connection.call(CLOSE, _opened(descriptor), path, patience=size / SLOWEST_CHECKSUM).code
        # The size that was found, cut to 32 bits, and so of no further use.
        if status != 0:
            raise FixityError(f"{path}: {size} bytes were sent, and the store found another number")

    def _compare(self, path: str, sent: Receipt) -> None:
        """A registered checksum is good whatever was sent, until somebody compares."""
        if not self._is_there(path, sent.size, lambda: sent.sha256):
            raise FixityError(f"{path}: the store holds other bytes than were sent")

    # both

    def _is_there(self, path: str, size: int, sha256: Callable[[], str]) -> bool:
        """Whether the very same bytes are there and good; anything else that is there is removed. Raises StoreBusy."""
        found = self._catalogue.lookup(path)
        if found is None:
            return False
        if found.replica.good and found.replica.size == size and found.replica.sha256 == sha256():
            return True
        if found.busy:
            raise StoreBusy(f"{path}: it is locked or still being written")
        self._catalogue.unlink(path)
        return False

    def _discard(self, path: str) -> None:
        """Remove the half of an object, as well as that can be done now; the next attempt would do it too."""
        with contextlib.suppress(WatcherError):
            self._again(lambda: self._catalogue.unlink(path))

    def _object(self, path: str, size: int, flags: int, conditions: dict[str, str]) -> FileOpenRequest:
        return FileOpenRequest(
            objPath=path,
            createMode=0o644,
            openFlags=flags,
            offset=0,
            dataSize=size,
            numThreads=0,
            oprType=1,
            KeyValPair_PI=StringStringMap(
                {"dataSize": str(size), "dataType": "generic", **conditions, **self._resource}
            ),
        )


def _opened(descriptor: int, length: int = 0) -> OpenedDataObjRequest:
    return OpenedDataObjRequest(
        l1descInx=descriptor,
        len=length,
        whence=0,
        oprType=0,
        offset=0,
        bytesWritten=0,
        KeyValPair_PI=StringStringMap(),
    )


def _checksum(sha256: str) -> str:
    return "sha2:" + base64.b64encode(bytes.fromhex(sha256)).decode()
