"""Where image sets go. One module a kind of store; this is the registry."""

from watcher.profile import FolderStore as FolderSection
from watcher.profile import MountStore as MountSection
from watcher.profile import Profile
from watcher.stores.base import Store


def open_store(profile: Profile) -> Store:
    """The store that a profile names; nothing is connected yet. Raises ConfigurationError."""
    section = profile.store
    if isinstance(section, FolderSection):
        from watcher.stores.folder import FolderStore

        return FolderStore(section.path)
    if isinstance(section, MountSection):
        from watcher.stores.mount import MountStore

        return MountStore(section)
    from watcher.stores.irods import IrodsStore  # python-irodsclient is loaded only for those who use it

    password = section.password.reveal() if section.password else None
    return IrodsStore(section.environment, password=password, resource=section.resource)


def workers_for(profile: Profile) -> int:
    """How many connections to the store the profile allows; a disk gains nothing from more than two."""
    section = profile.store
    return 2 if isinstance(section, FolderSection) else section.connections
