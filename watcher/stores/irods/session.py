"""One worker's session with iRODS: the Session protocol over one connection, and quick second attempts."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, Self, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential, wait_random

from watcher.errors import NotAllowed, StoreBusy, TargetMissing
from watcher.model import IDENTIFIER, STATE, UPLOADING, Avu
from watcher.names import check_length, check_sidecar
from watcher.stores.base import Claimed, Grant, Progress, Receipt, Replica, Surveyed
from watcher.stores.irods.access import Access
from watcher.stores.irods.bundle import Bundles
from watcher.stores.irods.catalogue import Catalogue
from watcher.stores.irods.connection import Connection, Line
from watcher.stores.irods.failures import Dropped
from watcher.stores.irods.grants import Grants
from watcher.stores.irods.reading import read
from watcher.stores.irods.survey import Surveys
from watcher.stores.irods.transfer import Transfer
from watcher.stores.irods.workshop import Workshop
from watcher.stores.source import Source

#: Attempts in place, with pauses of about 0.1, 0.2, 0.4 s: enough for an agent to notice that its client is gone.
_ATTEMPTS: Final = 4

T = TypeVar("T")


class IrodsSession:
    """See `watcher.stores.base.Session`; not shared between threads."""

    def __init__(
        self,
        connection: Connection,
        resource: str | None,
        sleep: Callable[[float], None],
        workshop: Workshop,
        resume_from: int,
    ) -> None:
        self._connection = connection
        self._sleep = sleep
        self._catalogue = Catalogue(connection)
        self._access = Access(connection, self._catalogue)
        self._grants = Grants(connection, self._catalogue)
        self._surveys = Surveys(connection, self._catalogue)
        self._transfer = Transfer(connection, self._catalogue, resource, self._again, resume_from)
        self._bundles = Bundles(connection, self._catalogue, self._transfer, resource, self._again, sleep, workshop)
        self._made: set[str] = set()

    def claim(self, collection: str, set_id: str) -> Claimed:
        """Five requests for a new collection: is it inside a set, make it, who may read it, label it, did others too.

        Where its parent hands access down, two more and one for each user or group that is taken off. Raises
        NotAllowed if this account may not do that.
        """
        return self._operation(lambda: self._claim(collection, set_id))

    def put(self, source: Source, collection: str, target: str, progress: Progress) -> Receipt:
        """One request up to 32 MiB; one more for each collection below the set's that this session has not seen yet."""
        path = f"{collection}/{target}"
        check_length(path)
        self._connection.refresh()
        if "/" in target:
            self._again(lambda: self._make_between(collection, target))
        try:
            return self._transfer.put(source, path, progress)
        except NotAllowed:
            # Perhaps somebody removed a collection that was made here.
            self._made.clear()
            raise

    def put_bundle(
        self, sources: Mapping[str, Source], collection: str, progress: Callable[[str, int], None]
    ) -> Mapping[str, Receipt]:
        """One request a member and three for all; a few more for the first bundle of this store and of each set."""
        for target in sources:
            check_length(f"{collection}/{target}")
        self._connection.refresh()
        arrived = self._bundles.put(sources, collection, progress)
        self._made.update(place for target in arrived for place in _between(collection, target))
        return arrived

    def replicas(self, collection: str) -> Mapping[str, Replica]:
        """Two requests for each 256 to 500 rows or part of them."""
        return self._operation(lambda: self._catalogue.replicas(collection))

    def survey(self, wanted: Mapping[str, Collection[str]], attributes: Collection[str]) -> Mapping[str, Surveyed]:
        """Three requests for some thirty collections, and one for each 256 to 500 rows more; see `survey`."""
        return self._operation(lambda: self._surveys.survey(wanted, attributes))

    def reread(self, collection: str, target: str, replica: Replica) -> str:
        """One request, which the server answers when it has read all good replicas."""
        return self._operation(lambda: self._surveys.reread(f"{collection}/{target}", replica))

    def checksums(self, collection: str, sizes: Mapping[str, int]) -> Mapping[str, str | None]:
        """One request each."""
        objects = [(f"{collection}/{target}", size) for target, size in sizes.items()]
        return self._operation(lambda: dict(zip(sizes, self._catalogue.checksums(objects), strict=True)))

    def remove(self, collection: str, target: str) -> None:
        """One request, and no trash."""
        self._operation(lambda: self._catalogue.unlink(f"{collection}/{target}"))

    def avus(self, collection: str) -> frozenset[Avu]:
        """One request for each 256 to 500 AVUs or part of them."""
        return self._operation(lambda: self._catalogue.avus(collection))

    def annotate(self, collection: str, add: Iterable[Avu], remove: Iterable[Avu] = ()) -> None:
        """One request. Raises StoreError for a value that is empty or too long, naming it."""
        added, removed = tuple(add), tuple(remove)
        self._operation(lambda: self._catalogue.annotate(collection, added, removed))

    def open_to_readers(self, collection: str) -> None:
        """One request; where the parent hands access down, two more and one for each of its users and groups.

        They get what the parent gives at this moment, on all that lies below, and never more. One more request if the
        set went in bundles, of which nothing stays.
        """
        self._operation(lambda: self._bundles.finish(collection))
        self._operation(lambda: self._access.open(collection))

    def grant(self, collection: str, grants: Sequence[Grant]) -> Mapping[str, str]:
        """Five requests for three grants: who has what, one for each, and inheritance unless that is on.

        One more for those whom this session has not met; and for a way that it has not seen open yet two more, and one
        for each collection above that has to be opened. Where one of these stays closed, the two are spent each time.
        """
        return self._operation(lambda: self._grants.grant(collection, grants))

    def revoke(self, collection: str, who: Sequence[str]) -> None:
        """One request for each."""
        self._operation(lambda: self._grants.revoke(collection, who))

    def rewrite(self, collection: str, name: str, content: bytes) -> None:
        """Two requests; one if it is there already with these bytes.

        The server writes in place. While it does, some milliseconds, opening it is refused as locked. If the resource
        is full in that moment, it is cut short until the next attempt.
        """
        check_sidecar(name)
        path = f"{collection}/{name}"
        check_length(path)
        self._connection.refresh()
        self._transfer.replace(content, path)

    def read(self, collection: str, name: str, offset: int = 0) -> Iterator[bytes]:
        """Four requests for a small object; for others one for each 4 MiB, several under way, and up to seven more.

        Raises StoreUnreachable if the connection is lost on the way: then it is to be read from its beginning again.
        """
        self._connection.refresh()
        yield from read(self._connection, f"{collection}/{name}", self._again, offset)

    def made_at(self, collection: str) -> float:
        """One request; whole seconds."""
        return self._operation(lambda: self._catalogue.made_at(collection))

    def withdraw(self, collection: str, set_id: str) -> None:
        """Three requests, and one for every ten objects. Raises StoreBusy if something in it cannot be removed."""
        self._made.clear()
        self._operation(lambda: self._withdraw(collection, set_id))

    def check(self, base: str) -> None:
        """Three requests. Raises TargetMissing if the account cannot see this collection, or not deliver there."""
        me = self._connection.environment
        if not self._operation(lambda: self._catalogue.exists(base)):
            raise TargetMissing(f"{base}: this collection is not there, or {me} cannot see it")
        shortfall = self._operation(lambda: self._access.shortfall(base))
        if shortfall:
            cure = f"ask the iRODS administrator for `ichmod own {me.user} {base}`"
            raise TargetMissing(f"{base}: {me} {shortfall}", cure=cure)

    def line(self) -> Line:
        """How the connection is protected, and what speaks at its other end; connects if it has not yet."""
        return self._operation(self._connection.line)

    def interrupt(self) -> None:
        """Break the connection, for good."""
        self._connection.interrupt()

    def ask(self, question: Callable[[Catalogue], T]) -> T:
        """A question, or an order that can be repeated, to the catalogue that is not in the Session protocol."""
        return self._operation(lambda: question(self._catalogue))

    def close(self) -> None:
        """Take leave of the server."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _claim(self, collection: str, set_id: str) -> Claimed:
        if self._catalogue.labelled_above(collection, IDENTIFIER):
            return Claimed.NOT  # inside another set
        new = self._catalogue.make_with_parents(collection)
        avus = frozenset() if new else self._catalogue.avus(collection)
        owners = _owners(avus)
        if owners - {set_id} or not (new or owners or self._catalogue.empty(collection)):
            return Claimed.NOT
        if not (owners and _published(avus)):
            # Also if it is ours already: an earlier claim may have been cut off before this.
            self._access.close(collection, new=new)
        if owners:
            return Claimed.BEFORE
        label = Avu(IDENTIFIER, set_id)
        self._catalogue.annotate(collection, (label, UPLOADING), ())
        if _owners(self._catalogue.avus(collection)) == {set_id}:
            return Claimed.NOW
        # Two watchers found it free at the same moment: neither keeps it.
        self._catalogue.annotate(collection, (), (label,))
        return Claimed.NOT

    def _withdraw(self, collection: str, set_id: str) -> None:
        avus = self._catalogue.avus(collection)
        if _owners(avus) == {set_id} and UPLOADING in avus and not _published(avus):
            self._bundles.finish(collection, always=True)
            self._catalogue.remove_collection(collection)

    def _make_between(self, collection: str, target: str) -> None:
        """The collections between the set's own, which must be there, and the target."""
        for place in _between(collection, target):
            if place not in self._made:
                self._catalogue.make(place)
                self._made.add(place)

    def _operation(self, step: Callable[[], T]) -> T:
        self._connection.refresh()
        return self._again(step)

    def _again(self, step: Callable[[], T]) -> T:
        """Run the step, and again if the connection was lost in it or a lock was in its way."""
        attempts = Retrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_exponential(multiplier=0.1, max=2) + wait_random(0, 0.1),
            retry=retry_if_exception_type((Dropped, StoreBusy)),
            sleep=self._sleep,
            reraise=True,
        )
        return attempts(step)


def _between(collection: str, target: str) -> list[str]:
    """The collections between the set's own and the target, from the top."""
    return [f"{collection}/{target[:end]}" for end, sign in enumerate(target) if sign == "/"]


def _owners(avus: frozenset[Avu]) -> set[str]:
    return {avu.value for avu in avus if avu.attribute == IDENTIFIER}


def _published(avus: frozenset[Avu]) -> bool:
    return any(avu.attribute == STATE and avu != UPLOADING for avu in avus)
