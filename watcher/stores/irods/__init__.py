"""The iRODS store: image sets as collections of a zone, over one connection for each worker.

    environment   irods_environment.json and what is wrong with it
    connection    one socket: login, requests, replies, abort
    failures      codes and exceptions as this program's errors
    catalogue     replicas, metadata, collections
    access        who may read a set, before publication and after
    grants        access for those whom a site names
    transfer      the bytes
    reading       the bytes again
    bundle        the bytes of many small members together; workshop: what all sessions know of that
    survey        what the catalogue says of many sets together, and of stored bytes that are read again
    session       the Session protocol, and quick second attempts

The client library is imported when the first session is made, so that other stores do not pay for it.
"""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from watcher.names import legal_path
from watcher.osfacts import LOCAL
from watcher.stores.base import Lanes
from watcher.stores.irods.environment import MIB, read_environment
from watcher.stores.irods.workshop import Workshop

if TYPE_CHECKING:
    from watcher.stores.irods.session import IrodsSession


#: The least that must be there of a large member for the rest to be sent behind it: less is soon sent again.
RESUME_FROM = 64 * MIB
#: A member of this size gains nothing any more from going together with others.
_LARGEST_BUNDLED = MIB
#: A bundle of 16 MiB with the headers of a tar must go in one message.
_LARGEST_TAR = 20 * MIB


class IrodsStore:
    """See `watcher.stores.base.Store`.

    `environment` is an `irods_environment.json`; `password` goes before its stored login and is kept in memory only;
    `resource` goes before its default resource. `patience` is the number of seconds without an answer after which a
    connection is given up (more for large messages). `resume_from` is the least size in bytes of a part of a large
    member for the rest to be sent behind it. Raises ConfigurationError if the file is wrong.
    """

    disk = LOCAL

    def __init__(
        self,
        environment: Path,
        *,
        password: str | None = None,
        resource: str | None = None,
        patience: float = 60.0,
        resume_from: int = RESUME_FROM,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._environment = read_environment(environment, password)
        self._resource = resource or self._environment.resource
        self._patience = patience
        self._resume_from = resume_from
        self._sleep = sleep
        self._clock = clock
        self._workshop = Workshop()

    @property
    def account(self) -> str:
        """The user that this store is asked as, without its zone."""
        return self._environment.user

    def session(self) -> "IrodsSession":
        """A new session; it connects at its first use."""
        from watcher.stores.irods.connection import Connection
        from watcher.stores.irods.session import IrodsSession

        connection = Connection(self._environment, self._patience, self._clock)
        return IrodsSession(connection, self._resource, self._sleep, self._workshop, self._resume_from)

    def lanes(self) -> Lanes:
        """One message up to what the environment file says; bundles until this resource has refused one."""
        bundles = self._environment.single >= _LARGEST_TAR and not self._workshop.closed
        return Lanes(single=self._environment.single, bundle=_LARGEST_BUNDLED if bundles else 0)

    def target_name(self, path: str) -> str:
        """The name below the collection for a member's path. Raises NameRefused."""
        return legal_path(path)

    def check_names(self, targets: Iterable[str]) -> None:
        """Nothing to refuse: the catalogue tells all names apart."""

    def place(self, collection: str) -> str:
        """The collection itself, which begins with its zone."""
        return collection

    def check(self, base: str, *, used: bool = False) -> None:  # noqa: ARG002 - the catalogue needs no such hint
        """Connect, log in, and look for `base`. Raises StoreUnreachable, LoginRefused or TargetMissing."""
        with self.session() as session:
            session.check(base)
