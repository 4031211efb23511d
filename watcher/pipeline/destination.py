"""Where a set goes: the profile's template filled with what is known of the set."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from zoneinfo import ZoneInfo

from watcher import names, osfacts
from watcher.errors import NameRefused
from watcher.journal.files import SeenFile
from watcher.model import ImageSet, Member
from watcher.profile import MountStore, Profile, Watch
from watcher.profile.capture import Capture
from watcher.profile.target import FIELDS, Template
from watcher.provenance.vocabulary import acquired_at
from watcher.stores.base import Store


def members_in(folder: PurePosixPath, files: Iterable[SeenFile], store: Store) -> list[Member]:
    """The files as members of a set that lies in this folder, each with its name below the set's collection."""
    above = len(folder.as_posix()) + 1 if folder.parts else 0
    return [Member(file.path, file.facts, store.target_name(file.path[above:])) for file in files]


class Destination:
    """The collections that a profile gives to sets of one watched folder, in its store or by another template."""

    def __init__(self, profile: Profile, watch: Watch, template: str = "") -> None:
        self._profile = profile
        self._capture = Capture(watch.capture)
        # Of a profile without a template sets stay where they are: see `Landing`.
        self._template = Template(template or profile.store.collection or "{set}", (*FIELDS, *self._capture.names))

    @property
    def bases(self) -> tuple[str, ...]:
        """The fixed parts of where sets go, which must exist already."""
        return (self._template.base,)

    def candidates(self, image_set: ImageSet, members: Sequence[Member]) -> Iterator[str]:
        """The collections for a set in the order of preference: its own, then ones that cannot be another set's.

        A later version is told by `.v2`; a name that something else has already by the first digits of the set's
        identifier. If the folder of the set has the name of another set, which has that collection for itself, it
        becomes `name~folder` beside it. Raises NameRefused.
        """
        name = image_set.name + (f".v{image_set.version}" if image_set.version > 1 else "")
        other_name = f"{name}~{image_set.id[9:17]}"
        for folder in ("", "~folder"):
            yield self._fill(image_set, members, name, folder)
            yield self._fill(image_set, members, other_name, folder)

    def _fill(self, image_set: ImageSet, members: Sequence[Member], name: str, mark: str) -> str:
        zone = self._profile.instrument.timezone
        at = datetime.fromtimestamp(acquired_at(members), ZoneInfo(zone) if zone else None)
        captured = self._capture.match(image_set.place)
        # Folders whose names the template uses as fields already are not repeated.
        used = self._capture.depth if self._template.names.intersection(self._capture.names) else 0
        parts = image_set.place.parts[used:]
        folder = PurePosixPath(parts[0] + mark, *parts[1:]) if parts else PurePosixPath()
        values = {
            "year": f"{at:%Y}",
            "month": f"{at:%m}",
            "day": f"{at:%d}",
            "date": f"{at:%Y-%m-%d}",
            "instrument": names.legal(self._profile.instrument.name),
            "host": names.legal(osfacts.host_name()),
            "set": name,
            "folder": names.legal_path(folder.as_posix()) if folder.parts else "",
        }
        collection = self._template.fill(values | {key: names.legal(value) for key, value in captured.items()})
        if any(part in {"", ".", ".."} for part in collection.removeprefix("/").split("/")):
            raise NameRefused(f"{collection}: this is no name for a collection")
        return collection


class Landing(Destination):
    """Where sets of a mount lie, and where they are moved when they are published, if the profile says so."""

    def __init__(self, profile: Profile, store: MountStore, watch: Watch) -> None:
        super().__init__(profile, watch)
        self._store = store
        self._watched = [store.logical(one.path) for one in profile.watch]
        self._here = store.logical(watch.path)

    @property
    def bases(self) -> tuple[str, ...]:
        """The collection that is watched, and the one below which sets are moved."""
        return (self._here, *(super().bases if self._store.collection else ()))

    def place(self, image_set: ImageSet) -> str:
        """The collection that a set's folder is."""
        return self._store.logical(image_set.root / image_set.folder)

    def why_not_moved(self, image_set: ImageSet) -> str:
        """What is to be told of a set that is too large to be moved, "" of all others."""
        if self._store.collection is None or image_set.files <= self._store.move_up_to:
            return ""
        most = self._store.move_up_to
        return f"it stays where it was written: it has {image_set.files} files, and is moved with up to {most}"

    def moves(self, members: Sequence[Member]) -> bool:
        """Whether a set of these members is moved."""
        return self._store.collection is not None and len(members) <= self._store.move_up_to

    def candidates(self, image_set: ImageSet, members: Sequence[Member]) -> Iterator[str]:
        """Where it is moved, in the order of preference, and never into what is watched; or where it lies."""
        if not self.moves(members):
            yield self.place(image_set)
            return
        for collection in super().candidates(image_set, members):
            if not any(f"{collection}/".startswith(f"{watched}/") for watched in self._watched):
                yield collection


def destination_of(profile: Profile, watch: Watch) -> Destination:
    """Where sets of a watched folder go."""
    if isinstance(profile.store, MountStore):
        return Landing(profile, profile.store, watch)
    return Destination(profile, watch)
