"""Where image sets go. One module a kind of store; this is the registry."""

from collections.abc import Mapping
from functools import partial

from watcher.profile import FolderStore as FolderSection
from watcher.profile import IrodsStore as IrodsSection
from watcher.profile import MountStore as MountSection
from watcher.profile import Profile
from watcher.stores.base import Store


def open_store(profile: Profile, patience: float | None = None) -> Store:
    """The store that a profile names; nothing is connected yet. Raises ConfigurationError.

    `patience` is the number of seconds without an answer after which a connection is given up; absent: as is usual.
    """
    return _open(profile.store, patience)


def open_copies(profile: Profile) -> Mapping[str, Store]:
    """The further stores that a profile names, by what they are called. Raises ConfigurationError."""
    return {section.called: _open(section) for section in profile.copies}


def workers_for(profile: Profile) -> int:
    """How many connections to the store the profile allows; a disk gains nothing from more than two."""
    section = profile.store
    return 2 if isinstance(section, FolderSection) else section.connections


def _open(section: FolderSection | IrodsSection | MountSection, patience: float | None = None) -> Store:
    if isinstance(section, FolderSection):
        from watcher.stores.folder import FolderStore

        return FolderStore(section.path)
    if isinstance(section, MountSection):
        from watcher.stores.mount import MountStore

        return MountStore(section)
    from watcher.stores.irods import IrodsStore  # python-irodsclient is loaded only for those who use it

    password = section.password.reveal() if section.password else None
    opened = partial(IrodsStore, section.environment, password=password, resource=section.resource)
    return opened() if patience is None else opened(patience=patience)
