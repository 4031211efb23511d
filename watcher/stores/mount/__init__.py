"""The mount store: image sets that are in iRODS already, because they were written through an NFSRODS mount.

    disk          how the mount is looked at, and what of it is believed
    questions     what the catalogue knows of what others have written
    session       the Session protocol, in which nothing is sent, removed or overwritten

All that goes over the API is the iRODS store's. How NFSRODS behaves: requirements-and-metadata.md, section 6.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from watcher import names, osfacts
from watcher.errors import ConfigurationError, NameRefused
from watcher.model import Member
from watcher.profile import MountStore as Section
from watcher.stores.base import Lanes, Session
from watcher.stores.irods import IrodsStore
from watcher.stores.mount.disk import MountedDisk
from watcher.stores.source import Source

if TYPE_CHECKING:
    from watcher.stores.mount.session import MountSession


class MountStore:
    """See `watcher.stores.base.Store`. What lies in it is somebody's only copy, so that it can only be labelled.

    `beneath` is how the system sees the mount; `more` goes to the iRODS store. Raises ConfigurationError for root,
    whom NFSRODS takes for the administrator of the zone, and if the environment file is wrong.
    """

    def __init__(
        self,
        section: Section,
        *,
        beneath: osfacts.Disk = osfacts.LOCAL,
        is_root: Callable[[], bool] = osfacts.is_root,
        **more: Any,
    ) -> None:
        if is_root():
            raise ConfigurationError(
                f"{section.mount_root}: NFSRODS takes root for the administrator of the zone, who may read everything",
                cure="run the watcher as a user of its own that NFSRODS knows",
            )
        self._section = section
        self._irods = IrodsStore(
            section.environment, password=section.password.reveal() if section.password else None, **more
        )
        self._mount = MountedDisk(section, self._irods, beneath)

    @property
    def disk(self) -> osfacts.Disk:
        """The mount, of which the catalogue is asked what it is to be believed in."""
        return self._mount

    def session(self) -> "MountSession":
        """A new session; it connects at its first use."""
        from watcher.stores.mount.session import MountSession

        return MountSession(self._irods.session(), self._irods.account, compare=self._section.compare)

    @property
    def fixity(self) -> str:
        """How the digests of members are come by, for `acq:fixity`."""
        return "compared" if self._section.compare else "server-only"

    def move(self, collection: str, to: str, set_id: str, session: Session) -> bool:
        """Rename a set's collection, never over something; see `MountSession.move`."""
        from watcher.stores.mount.session import MountSession

        assert isinstance(session, MountSession)  # noqa: S101 - it is one of this store
        return session.move(collection, to, set_id)

    def confirm(self, collection: str, proven: Sequence[tuple[Source, Member]], session: Session) -> None:
        """Raise if the catalogue does not say any more what was proven; see `MountSession.confirm`."""
        from watcher.stores.mount.session import MountSession

        assert isinstance(session, MountSession)  # noqa: S101 - it is one of this store
        session.confirm(collection, proven)

    def lanes(self) -> Lanes:
        """Nothing is sent."""
        return Lanes(in_place=True)

    def target_name(self, path: str) -> str:
        """The name that it has in iRODS already."""
        return path

    def check_names(self, targets: Iterable[str]) -> None:
        """Raise NameRefused for a name that no manifest can hold, or that is one of the watcher's own."""
        for target in targets:
            if names.legal_path(target) != target:
                raise NameRefused(
                    f"{target}: files of such a name cannot be listed, or would be taken for the watcher's"
                )

    def place(self, collection: str) -> str:
        """The collection itself, which begins with its zone."""
        return collection

    def check(self, base: str, *, used: bool = False) -> None:  # noqa: ARG002 - the known file is the better hint
        """Prove that the mount shows what it should, and look for `base`. Raises WrongMount and as the iRODS store."""
        self._mount.prove()
        self._irods.check(base)
