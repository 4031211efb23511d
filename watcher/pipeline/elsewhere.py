"""The further stores of a profile: what they are called, and where a set goes there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from watcher.model import ImageSet, Member
from watcher.pipeline.destination import Destination
from watcher.profile import FolderStore as FolderSection
from watcher.profile import IrodsStore as IrodsSection
from watcher.profile import Profile
from watcher.stores import open_copies, workers_for
from watcher.stores.base import Store

#: Below its zone a set of iRODS lies in this collection, as a rule.
_HOME = "home"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """One further store. `template` says where sets go there; "" for the place that they have in the main one."""

    name: str
    store: Store
    workers: int
    profile: Profile
    template: str = ""

    @property
    def base(self) -> str:
        """The collection there that must exist already, "" if none needs to."""
        return Destination(self.profile, self.profile.watch[0], self.template).bases[0] if self.template else ""

    def candidates(self, image_set: ImageSet, members: Sequence[Member]) -> Iterator[str]:
        """The collections there for a set that has one in the main store, in the order of preference.

        The second is told by the first digits of the set's identifier, if something else has the first.
        """
        if self.template:
            watches = {watch.path: watch for watch in self.profile.watch}
            watch = watches.get(image_set.root, self.profile.watch[0])
            yield from Destination(self.profile, watch, self.template).candidates(image_set, members)
            return
        place = _below_the_zone(self.profile, image_set.collection or "")
        yield place
        yield f"{place}~{image_set.id[9:17]}"


def elsewhere(profile: Profile, stores: Mapping[str, Store] | None = None) -> list[Elsewhere]:
    """The further stores of a profile; `stores` are taken instead of those that it names.

    A folder takes as many at a time as the main store, so that each member that is sent there can be handed on at once.
    """
    opened = open_copies(profile) if stores is None else stores
    return [
        Elsewhere(
            section.called,
            opened[section.called],
            section.connections if isinstance(section, IrodsSection) else workers_for(profile),
            profile,
            section.collection,
        )
        for section in profile.copies
    ]


def _below_the_zone(profile: Profile, collection: str) -> str:
    """The place of a collection without what only a zone has; different for different collections of one profile."""
    if isinstance(profile.store, FolderSection):
        return collection
    # Not by the collection itself: a field may happen to be `home`.
    above = 2 if (profile.store.collection or "").split("/")[2:3] == [_HOME] else 1
    return "/".join(collection.strip("/").split("/")[above:])
