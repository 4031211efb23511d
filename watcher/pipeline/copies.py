"""Which stores hold a set, by what their own catalogues say at this moment: the main one, and those of the copies."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from functools import partial

from watcher.errors import JournalError, WatcherError
from watcher.journal import Journal
from watcher.model import IDENTIFIER, Avu, ImageSet, Member, State
from watcher.pipeline.verify import wanting
from watcher.profile import MAIN
from watcher.provenance import manifest
from watcher.provenance.vocabulary import COMPLETE, COPY_OF, MANIFEST_DIGEST, SUPERSEDED
from watcher.stores.base import Replica, Session

#: Asks all stores of a set: what is wanting, in words, by the store's name; nothing wanting is an empty list.
Ask = Callable[[ImageSet, Sequence[Member]], Mapping[str, Sequence[str]]]
#: Has one store asked: what the work says, with a session there.
Do = Callable[[Callable[[Session], list[str]]], list[str]]


def evidence(image_set: ImageSet, members: Sequence[Member], session: Session, copy: str = "") -> list[str]:
    """What is wanting of a published set where this session goes, asked now, in words; [] if nothing is.

    Nothing is wanting if `image_set.collection` is labelled with this set's id, marked as published, and names the
    manifest that these members make, and if that manifest and every member are there, good, with their size and
    SHA-256. `copy` is the name of the copy that it must say to be: one place with two names is not two copies. A disk
    is read again for it. Raises what a session raises.
    """
    collection = image_set.collection or ""
    return wanting_in(image_set, members, session.avus(collection), session.replicas(collection), copy)


def wanting_in(
    image_set: ImageSet, members: Sequence[Member], avus: Set[Avu], there: Mapping[str, Replica], copy: str = ""
) -> list[str]:
    """The same by what a catalogue has said: the metadata of the collection, and what lies in it."""
    unsent = [f"{member.target}: it is not known what was sent of it" for member in members if member.sha256 is None]
    if unsent or not members:
        return unsent or ["it is not known which files the set has"]
    collection, digest = image_set.collection, manifest.digest(members)
    found = []
    if Avu(IDENTIFIER, image_set.id) not in avus:
        return [f"{collection}: it is not labelled as this set's"]
    if {avu.unit for avu in avus if avu.attribute == COPY_OF} != ({copy} if copy else set()):
        found.append(f"{collection}: " + (f"it is not the copy {copy}" if copy else "it is only a copy"))
    if not avus & _markers(image_set):
        found.append(f"{collection}: it is not marked as published")
    if Avu(MANIFEST_DIGEST, digest) not in avus:
        found.append(f"{collection}: it was published with other files")
    found += (f"{target}: {problem}" for target, problem in wanting(members, there).items())
    listed = there.get(manifest.NAME)
    if listed is None or not listed.good or listed.sha256 != digest:
        found.append(f"{manifest.NAME}: it is not the manifest of these files")
    return found


def evidence_everywhere(
    image_set: ImageSet, members: Sequence[Member], journal: Journal, stores: Mapping[str, Do]
) -> dict[str, list[str]]:
    """What is wanting in each of these stores, by their names (`MAIN`, and those of the profile's copies), asked now.

    A store that cannot be asked wants that. Raises JournalError.
    """
    places = {MAIN: image_set.collection} | {copy.name: copy.collection for copy in journal.copies.of(image_set.id)}
    found = {}
    for name, do in stores.items():
        there = replace(image_set, collection=places.get(name))
        try:
            found[name] = (
                do(partial(evidence, there, members, copy="" if name == MAIN else name))
                if there.collection
                else ["it was not sent there"]
            )
        except JournalError:
            raise
        except WatcherError as error:
            found[name] = [str(error)]
    return found


def _markers(image_set: ImageSet) -> set[Avu]:
    """What may stand there: a copy of what was replaced is told so later than the set itself."""
    return {COMPLETE, SUPERSEDED} if image_set.state is State.SUPERSEDED else {COMPLETE}
