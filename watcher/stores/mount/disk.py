"""How a mount is looked at. It says where something may have changed; what has changed, the catalogue says.

What a mount shows may be 90 seconds old, is the same whatever is written meanwhile, and looks empty when it is not
mounted (requirements-and-metadata.md, 6.2 and 6.3). So nothing is taken for new, different or gone by its word alone,
and nothing is looked at before a known file has shown that it is there.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from watcher import names, osfacts
from watcher.errors import NotAllowed, StoreError, WatcherError, WatchFolderError, WrongMount
from watcher.model import IDENTIFIER, REPLACES, STATE, FileFacts
from watcher.profile import MountStore as Section
from watcher.stores.irods import IrodsStore

if TYPE_CHECKING:
    from watcher.stores.irods.catalogue import Catalogue
    from watcher.stores.irods.session import IrodsSession

#: The most bytes of the known file that are compared.
_MOST: Final = 1024 * 1024

T = TypeVar("T")


class MountedDisk(osfacts.Disk):
    """The mount of a profile; `beneath` is how the system sees it. Of one thread, but for `owner`."""

    trusted = False

    def __init__(self, section: Section, irods: IrodsStore, beneath: osfacts.Disk = osfacts.LOCAL) -> None:
        self._section = section
        self._irods = irods
        self._beneath = beneath
        self._session: IrodsSession | None = None
        # The device, and size and time of the known file, when they were last proven to be those of the zone.
        self._proven: tuple[int, int, int] | None = None

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """One connection for what is asked meanwhile. Raises WatchFolderError, WrongMount, or a StoreError.

        Nothing is looked at before the mount has shown the known file, on the device where it was found to be the
        zone's; on another one, it is compared anew.
        """
        try:
            self.prove()
            yield
        finally:
            if self._session is not None:
                self._session.close()
                self._session = None

    def prove(self) -> None:
        """Look at the known file both ways. Raises WrongMount, WatchFolderError if nothing is mounted or answers."""
        known = self._section.mount_root / self._section.known
        try:
            status = self._beneath.stat(known)
            now = (self._beneath.stat(self._section.mount_root).st_dev, status.st_size, status.st_mtime_ns)
            if now == self._proven:
                return
            with osfacts.open_shared(known) as file:
                seen = file.read(_MOST)
        except FileNotFoundError:
            raise WatchFolderError(
                f"{known}: the mount does not show the known file",
                cure="mount it, or mend store.mount_root or store.known; nothing is forgotten meanwhile",
            ) from None
        except OSError as error:
            what = f"{known}: the mount does not answer ({error.strerror or error})"
            raise WatchFolderError(what, cure="mount it again; nothing is forgotten meanwhile") from error
        self._compare(known, seen)
        self._proven = now

    def _compare(self, known: Path, seen: bytes) -> None:
        path = f"{self._section.logical_root}/{self._section.known}"
        collection, _, name = path.rpartition("/")
        try:
            with self._irods.session() as session:
                there = b"".join(session.read(collection, name))[:_MOST]
        except NotAllowed as error:
            cure = f"put it there (`iput`), let this account read it, or mend store.logical_root: {known} is there"
            raise WrongMount(
                f"{path}: the known file is not in iRODS, or this account cannot see it", cure=cure
            ) from error
        except StoreError as error:
            if error.transient:
                raise
            raise WatchFolderError(f"{path}: the known file cannot be read in iRODS ({error.what})") from error
        if not seen:
            raise WrongMount(f"{known}: an empty file proves nothing", cure="write something into it")
        if seen != there:
            raise WrongMount(f"{known}: this is not {path} in iRODS")

    def entries(self, folder: Path) -> AbstractContextManager[Iterator[osfacts.Entry]]:
        """What the mount lists."""
        return self._beneath.entries(folder)

    def stat(self, path: Path) -> os.stat_result:
        """What the mount says."""
        return self._beneath.stat(path)

    def facts(self, status: os.stat_result) -> FileFacts:
        """Without the file's number, which is cut, and without parts of a second, which iRODS does not know."""
        return FileFacts(status.st_size, status.st_mtime_ns // 10**9 * 10**9, "")

    def confirmed(self, folder: Path) -> Mapping[str, FileFacts]:
        """The files in a folder as the catalogue has them, without what the watcher itself says of a set."""
        from watcher.stores.mount.questions import objects_in

        collection = self._section.logical(folder)
        held = self._ask(lambda catalogue: objects_in(catalogue, collection))
        if names.SIDECARS & held.keys():
            labels = {avu.attribute for avu in self._ask(lambda catalogue: catalogue.avus(collection))}
            if {IDENTIFIER, STATE} <= labels or REPLACES in labels:
                held = {name: one for name, one in held.items() if name not in names.SIDECARS}
        return {name: one.facts for name, one in held.items()}

    def gone(self, folder: Path) -> bool:
        """Whether the catalogue does not have it any more; while it does not answer, nothing is gone."""
        collection = self._section.logical(folder)
        try:
            return not self._ask(lambda catalogue: catalogue.exists(collection))
        except OSError:
            return False

    def owner(self, path: Path) -> str:
        """Who wrote it, as iRODS has it; the mount shows whoever looks as the owner (section 6.3)."""
        from watcher.stores.mount.questions import objects_at

        logical = self._section.logical(path)
        try:
            with self._irods.session() as session:
                held = session.ask(lambda catalogue: objects_at(catalogue, [logical]))
        except WatcherError as error:
            raise _as_system_error(error) from error
        return held[logical].owner if logical in held else ""

    def _ask(self, question: "Callable[[Catalogue], T]") -> T:
        """Raises OSError, as a disk does, if the catalogue does not answer."""
        if self._session is None:
            self._session = self._irods.session()
        try:
            return self._session.ask(question)
        except WatcherError as error:
            raise _as_system_error(error) from error


def _as_system_error(error: WatcherError) -> OSError:
    return OSError(errno.EAGAIN, f"iRODS does not say what is there: {error.what}")
