"""Which stores hold a set at this moment, member by member, as their own catalogues say."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from watcher.errors import StoreError
from watcher.model import IDENTIFIER, Avu, ImageSet, Member
from watcher.provenance import manifest
from watcher.provenance.vocabulary import COMPLETE, MANIFEST_DIGEST
from watcher.stores.base import Session

#: The name of the store that the profile calls `store`; those of `copies` have others.
MAIN: Final = "store"

#: Asks all stores of a set: what is wanting, in words, by the store's name; nothing wanting is an empty list.
Ask = Callable[[ImageSet, Sequence[Member]], Mapping[str, Sequence[str]]]


def wanting(image_set: ImageSet, collection: str, members: Sequence[Member], session: Session) -> list[str]:
    """What keeps one store from being proof: empty if it has every member, good, with the size and SHA-256.

    A store that does not answer is no proof either, and says so.
    """
    try:
        avus, there = session.avus(collection), session.replicas(collection)
    except StoreError as error:
        return [f"{collection}: it cannot be asked ({error.what})"]
    found = []
    if COMPLETE not in avus:
        found.append(f"{collection}: it is not marked as complete there")
    if Avu(IDENTIFIER, image_set.id) not in avus:
        found.append(f"{collection}: it is not this set's there")
    if Avu(MANIFEST_DIGEST, manifest.digest(members)) not in avus:
        found.append(f"{collection}: its manifest is another one there")
    for member in members:
        replica = there.get(member.target)
        if replica is None:
            found.append(f"{collection}/{member.target}: the catalogue does not have it")
        elif not replica.good:
            found.append(f"{collection}/{member.target}: the catalogue has no good replica of it")
        elif (replica.size, replica.sha256) != (member.facts.size, member.sha256):
            found.append(f"{collection}/{member.target}: the catalogue has another size or SHA-256 than was sent")
    return found
