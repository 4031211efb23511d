"""Where a set goes: the profile's template filled with what is known of the set."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import PurePosixPath
from zoneinfo import ZoneInfo

from watcher import names, osfacts
from watcher.errors import NameRefused
from watcher.journal.files import SeenFile
from watcher.model import ImageSet, Member
from watcher.profile import Profile, Watch
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
        self._template = Template(template or profile.store.collection, (*FIELDS, *self._capture.names))

    @property
    def base(self) -> str:
        """The fixed part of the template, which must exist already."""
        return self._template.base

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
