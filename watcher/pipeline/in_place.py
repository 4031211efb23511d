"""Sets that are in the store already, because a mount of it is what is watched: labelled where they lie, and moved.

A set needs a collection of its own, since only a collection can say what belongs together: its folder, if nothing else
is watched in that. Its files are changed where they lie, if they are: then the next version takes the place of the one
before, of which nothing is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Final

from watcher.clock import Clock
from watcher.errors import Conflict, StaleSet
from watcher.model import IDENTIFIER, REPLACES, STATE, Avu, ImageSet, Member, State
from watcher.pipeline.deliver import Sending, begin_version, collection_of, source_of
from watcher.pipeline.destination import Landing
from watcher.pipeline.plan import Errand, plan
from watcher.provenance import crate, micro_meta
from watcher.provenance.credits import is_credit
from watcher.provenance.handoff import is_handoff
from watcher.stores.base import Session
from watcher.stores.mount import MountStore

#: The states of a set that another one may come instead of where it lies.
_DONE: Final = frozenset({State.PUBLISHED, State.RELEASED, State.SUPERSEDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class InPlace(Sending):
    """What it takes to let the store prove what lies in it. `mount` is the store, `landing` the destination."""

    mount: MountStore
    landing: Landing
    clock: Clock

    def begin(self, image_set: ImageSet) -> ImageSet:
        """What was proven in another way, before the profile was changed, is proven anew."""
        remark = self.landing.why_not_moved(image_set)
        if remark and remark not in image_set.remarks:
            image_set = self.journal.sets.change(image_set, remarks=(*image_set.remarks, remark))
        return self.journal.sets.prove_by(image_set, self.mount.fixity)

    def claim(self, image_set: ImageSet, members: Sequence[Member]) -> ImageSet:  # noqa: ARG002 - its place is given
        """The set with the collection in which it lies. Raises Conflict, StoreError, SourceError or StaleSet."""
        place = self.landing.place(image_set)
        self._check_folder(image_set, place)
        image_set = self._free(image_set, place)
        taken = self.journal.collections.take(image_set, place)
        if taken is None:
            raise Conflict(f"{place}: another set lies in it, or around it")
        if not self.crew.do(lambda session: session.claim(place, image_set.id)):
            self._look_for_a_later_one(taken, place)
            raise Conflict(f"{place}: it is labelled as something else, or a set lies in it or around it")
        return self.journal.collections.claimed(taken)

    def digests(self, image_set: ImageSet, members: Sequence[Member]) -> dict[str, str]:
        """As the server computes them, where the set lies."""
        place = self.landing.place(image_set)
        found: dict[str, str] = {}

        def ask(session: Session, errand: Errand) -> None:
            sources = {member.target: source_of(image_set, member) for member in errand.members}
            receipts = session.put_bundle(sources, place, lambda *_: None)
            found.update({target: receipt.sha256 for target, receipt in receipts.items()})

        self.crew.each(plan(members, self.mount.lanes(), self.crew.workers), ask)
        return found

    def confirm(self, image_set: ImageSet, members: Sequence[Member]) -> ImageSet:
        """Let the catalogue say once more what was proven, since others may write there all the time.

        Raises SourceChanged, SourceGone or StoreBusy. Of a set that was moved already nobody knows the new place yet.
        """
        place = self.landing.place(image_set)
        if image_set.cleared:
            if Avu(IDENTIFIER, image_set.id) not in self.crew.do(lambda session: session.avus(place)):
                return image_set
            image_set = self.journal.sets.change(image_set, cleared=False)
        self.crew.do(partial(self.mount.confirm, place, [(source_of(image_set, one), one) for one in members]))
        return image_set

    def contents(self, image_set: ImageSet, members: Sequence[Member]) -> crate.Contents:
        """What the crate says of the members, read where the set lies now."""

        def look(member: Member) -> str:
            def read(session: Session) -> bytes:
                return b"".join(session.read(collection_of(image_set), member.target))

            return micro_meta.kind_in(self.crew.do(read)) if member.facts.size <= micro_meta.MOST_BYTES else ""

        return crate.contents_of(members, image_set.root, look)

    def move(self, image_set: ImageSet, members: Sequence[Member]) -> ImageSet:
        """Rename its collection to where the profile wants sets; again after a kill. Raises Conflict or a StoreError.

        The journal knows of it before it is done. The files are gone from the folder that is watched by then.
        """
        place = self.landing.place(image_set)
        for collection in self.landing.candidates(image_set, members):
            taken = self.journal.collections.take(image_set, collection)
            if taken is None:
                continue
            image_set = self.journal.sets.change(taken, cleared=True)
            if self.crew.do(partial(self.mount.move, place, collection, image_set.id)):
                return image_set
        # It stays where it is, and is what it was before.
        taken = self.journal.collections.take(image_set, place) or image_set
        self.journal.sets.change(taken, claimed=True, cleared=False)
        raise Conflict(f"{image_set.collection}: something else is there already")

    def _check_folder(self, image_set: ImageSet, place: str) -> None:
        if image_set.folder != PurePosixPath() and self.journal.files.is_alone(
            image_set.root, image_set.folder.as_posix(), image_set.id
        ):
            return
        raise Conflict(
            f"{place}: other files than those of {image_set.name} lie there, and only a folder that is all of a set "
            "can be labelled in iRODS",
            cure="let the instrument write each acquisition into a folder of its own, say `sets: {group: directory}`, "
            "or leave others out with watch.exclude; then `irods-watcher retry`",
        )

    def _free(self, image_set: ImageSet, place: str) -> ImageSet:
        """Take the place of the set that was published there before its files were changed."""
        holder = self.journal.collections.holder(place)
        if holder is None or holder.id == image_set.id:
            return image_set
        if holder.state not in _DONE:
            raise Conflict(f"{place}: the set {holder.name} lies there, too")
        self.crew.do(partial(_relinquish, place, holder.id))
        return self.journal.collections.take_over(image_set, holder, self.clock.now())

    def _look_for_a_later_one(self, image_set: ImageSet, place: str) -> None:
        """After a journal was lost: the files may be those of a later version, which the label names."""
        if Avu(REPLACES, image_set.id) in self.crew.do(lambda session: session.avus(place)):
            begin_version(image_set, self.journal, self.clock.now(), "found in the store with a later version")
            raise StaleSet(f"{image_set.name}: a later version of it lies there")


def _relinquish(place: str, set_id: str, session: Session) -> None:
    """Take back what a collection says of a set whose files were changed: label, marker, credits, hand-off."""
    there = session.avus(place)
    if Avu(IDENTIFIER, set_id) in there:
        gone = [avu for avu in there if avu == Avu(IDENTIFIER, set_id) or _is_of_one_version(avu.attribute)]
        session.annotate(place, {Avu(REPLACES, set_id)} - there, sorted(gone))


def _is_of_one_version(attribute: str) -> bool:
    return attribute == STATE or is_credit(attribute) or is_handoff(attribute)
