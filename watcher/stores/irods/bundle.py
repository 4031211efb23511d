"""The third lane: small members together, as a tar that the server extracts and registers.

The tar goes to the service's own work collection in one message, is extracted there into the set's collection, and is
removed; then the server is asked for the checksum of every member, since an extraction registers none
(irods-wire/README.md, 13-struct-file-extract). Whatever is refused is left to the single lane.

Facts of the server (rsStructFileExtAndReg.cpp): the collections between are made; a place that is taken is left as it
is, and the others are registered all the same; a tar must have been put with the data type `tar file`. Names stand in
the tar as they are, in GNU's form: of a PAX header whose UTF-8 its locale does not know libarchive makes a warning, at
which the server (libstructfile.cpp) leaves off without a word.
"""

import contextlib
import functools
import hashlib
import io
import tarfile
from collections.abc import Callable, Mapping
from typing import Any, Final

from irods.message import IntegerProperty, Message, StringProperty, StringStringMap, SubmessageProperty

from watcher.errors import Conflict, LoginRefused, NotAllowed, StoreBusy, StoreUnreachable, WatcherError
from watcher.stores.base import Receipt
from watcher.stores.irods.access import Access
from watcher.stores.irods.catalogue import SLOWEST_CHECKSUM, Catalogue
from watcher.stores.irods.connection import Connection
from watcher.stores.irods.failures import ALREADY_EXTRACTED, ITEM_EXISTS, Dropped
from watcher.stores.irods.transfer import Transfer
from watcher.stores.irods.workshop import Workshop
from watcher.stores.source import Source

EXTRACT = 665
#: Where tars lie until they are extracted, below the home of the account.
WORK: Final = ".irods-watcher"
#: What the slowest server is trusted to need for registering one member, in seconds; measured: 0.001 to 0.002.
SLOWEST_MEMBER: Final = 0.25
#: How long an extraction whose connection was lost is given to come to its end: seconds, and seconds a member.
_LAST_WORDS: Final = (0.5, 0.002)


class Bundles:
    """Puts bundles over one connection; see `watcher.stores.base.Session.put_bundle`."""

    def __init__(
        self,
        connection: Connection,
        catalogue: Catalogue,
        transfer: Transfer,
        resource: str | None,
        again: Callable[[Callable[[], Any]], Any],
        sleep: Callable[[float], None],
        workshop: Workshop,
    ) -> None:
        self._connection = connection
        self._catalogue = catalogue
        self._transfer = transfer
        self._resource = {"rescName": resource, "destRescName": resource} if resource else {}
        self._again = again
        self._sleep = sleep
        self._workshop = workshop
        self._work = f"/{connection.environment.zone}/home/{connection.environment.user}/{WORK}"

    def put(
        self, sources: Mapping[str, Source], collection: str, progress: Callable[[str, int], None]
    ) -> Mapping[str, Receipt]:
        """See `watcher.stores.base.Session.put_bundle`."""
        if self._workshop.closed or not sources:
            return {}
        tar, receipts = _pack(sources)
        try:
            arrived = self._deliver(tar, receipts, collection)
        except (StoreUnreachable, LoginRefused):
            # Nor could a single member go now.
            raise
        except WatcherError as error:
            self._connection.abort()
            if not error.transient and not isinstance(error, Conflict):
                # That is how it is here, until somebody changes it.
                self._workshop.closed = True
            return {}
        for target, receipt in arrived.items():
            progress(target, receipt.size)
        return arrived

    def finish(self, collection: str, *, always: bool = False) -> None:
        """No more bundles come for this set: remove what is left of those of this process, or `always` of any.

        No request if there were none. A tar that is stuck stays.
        """
        if always or self._workshop.knows(collection):
            self._tidy(collection)
            self._workshop.forget(collection)

    def _deliver(self, tar: memoryview, receipts: dict[str, Receipt], collection: str) -> dict[str, Receipt]:
        self._again(lambda: self._workshop.prepare(collection, self._make, lambda: self._tidy(collection)))
        digest = hashlib.sha256(tar).hexdigest()
        path = f"{self._work}/{_prefix(collection)}{digest[:16]}.tar"
        try:
            self._transfer.send(tar, Receipt(len(tar), digest), path, "tar file")
            whole = self._extract(path, len(tar), collection, len(receipts))
        finally:
            # One that stays is found when the set is finished, or at its first bundle in the next process.
            with contextlib.suppress(WatcherError):
                self._again(lambda: self._catalogue.unlink(path))
        return self._compared(collection, receipts) if whole else self._found(collection, receipts)

    def _tidy(self, collection: str) -> None:
        """Remove the tars of this set, none of which is in use."""
        for name in list(self._catalogue.names(self._work, _prefix(collection))):
            with contextlib.suppress(StoreBusy, NotAllowed):
                self._catalogue.unlink(f"{self._work}/{name}")

    def _make(self) -> None:
        new = self._catalogue.make(self._work)
        Access(self._connection, self._catalogue).close(self._work, new=new)

    def _extract(self, path: str, size: int, collection: str, members: int) -> bool:
        """Whether all of it was done. If not, some members may be there from this extraction or an earlier one."""
        message = _ExtractRequest(path, collection, {"dataType": "tar file", **self._resource, "bulkOpr": ""})
        patience = size / SLOWEST_CHECKSUM + members * SLOWEST_MEMBER
        known = {ALREADY_EXTRACTED, ITEM_EXISTS}
        try:
            return self._connection.call(EXTRACT, message, collection, known=known, patience=patience).code == 0
        except Dropped:
            # The server may still be at it.
            pause, more = _LAST_WORDS
            self._sleep(pause + members * more)
            return False

    def _compared(self, collection: str, receipts: dict[str, Receipt]) -> dict[str, Receipt]:
        """What was extracted with the right bytes; the rest is removed, for `put` to send it."""
        sums: dict[str, str | None] = {}

        def attempt() -> None:
            left = [target for target in receipts if target not in sums]
            objects = ((f"{collection}/{target}", receipts[target].size) for target in left)
            sums.update(zip(left, self._catalogue.checksums(objects), strict=True))

        self._again(attempt)
        arrived = {target: receipt for target, receipt in receipts.items() if sums[target] == receipt.sha256}
        # All wrong: checksums here are of another kind, or its tar has no such names as ours.
        self._workshop.closed = self._workshop.closed or not arrived
        for target in receipts.keys() - arrived.keys():
            with contextlib.suppress(StoreBusy):
                self._again(functools.partial(self._catalogue.unlink, f"{collection}/{target}"))
        return arrived

    def _found(self, collection: str, receipts: dict[str, Receipt]) -> dict[str, Receipt]:
        """What is there with the right bytes, after an extraction of which nothing more is known."""
        arrived = {}
        for target, receipt in receipts.items():
            with contextlib.suppress(StoreBusy):
                if self._again(functools.partial(self._transfer.holds, f"{collection}/{target}", receipt)):
                    arrived[target] = receipt
        return arrived


class _ExtractRequest(Message):  # type: ignore[misc]
    """The message that python-irodsclient lacks (13-struct-file-extract)."""

    _name = "StructFileExtAndRegInp_PI"
    objPath = StringProperty()  # noqa: N815
    collection = StringProperty()
    oprType = IntegerProperty()  # noqa: N815
    flags = IntegerProperty()
    KeyValPair_PI = SubmessageProperty(StringStringMap)

    def __init__(self, path: str, collection: str, conditions: dict[str, str]) -> None:
        super().__init__()
        self.objPath, self.collection, self.oprType, self.flags = path, collection, 0, 0
        self.KeyValPair_PI = StringStringMap(conditions)


def _pack(sources: Mapping[str, Source]) -> tuple[memoryview, dict[str, Receipt]]:
    """Read every source once into a tar. Raises SourceError."""
    buffer = io.BytesIO()
    receipts = {}
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8") as tar:
        for target, source in sources.items():
            data = source.read()
            receipts[target] = Receipt(len(data), hashlib.sha256(data).hexdigest())
            entry = tarfile.TarInfo(target)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getbuffer(), receipts


def _prefix(collection: str) -> str:
    return hashlib.sha256(collection.encode()).hexdigest()[:16] + "-"
