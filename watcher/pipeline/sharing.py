"""Handing members that are being sent to the main store on to further ones, so that each is read once for all."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from watcher.clock import Clock
from watcher.errors import Paused, SourceError, WatcherError
from watcher.journal import Journal
from watcher.model import ImageSet, Member
from watcher.pipeline.crew import Crew
from watcher.pipeline.duties import Trouble
from watcher.pipeline.elsewhere import Elsewhere
from watcher.pipeline.patience import LONGEST_WAIT
from watcher.stores.base import Claimed, Session
from watcher.stores.sharing import Allowance, Fed, Feed, Shared
from watcher.stores.source import Source

#: Called with the number of bytes that have just been sent to a further store.
Spent = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class _Errand:
    """Members of one set that are handed on together; never put off, since their bytes are on the way already."""

    image_set: ImageSet
    members: Sequence[Member]
    sources: Mapping[str, Fed]
    heavy: bool = False


class Relay:
    """Takes members on to one further store while they are read for the main one.

    Whatever it cannot take now, because that store is away, slow, or busy with the same member, is brought there by
    `mirror.Mirror` when the set is published, which also tells what is wrong. What it remembers only saves work.
    """

    def __init__(
        self, there: Elsewhere, journal: Journal, crew: Crew, clock: Clock, spent: Spent, trouble: Trouble
    ) -> None:
        self._there = there
        self._journal = journal
        self._crew = crew
        self._clock = clock
        self._spent = spent
        self._trouble = trouble
        self._allowance = Allowance()
        self._lock = threading.Lock()
        self._claiming = threading.Lock()
        self._under_way: dict[str, set[str]] = {}
        self._left_alone: set[str] = set()
        self._rest_until = 0.0
        self._checked = False

    def check(self) -> None:
        """Raise if that store is not there, or not as it was when something was last brought there."""
        if not self._checked:
            self._there.store.check(self._there.base, used=self._journal.copies.is_used(self._there.name))
            self._checked = True

    def doubt(self) -> None:
        """Something is wrong with the whole store: for a while nothing is taken on, and then it is looked at first."""
        self._checked = False
        self._rest_until = self._clock.now() + LONGEST_WAIT

    def is_busy(self, set_id: str) -> bool:
        """Whether members of this set are still on their way."""
        with self._lock:
            return set_id in self._under_way

    def begin(self, image_set: ImageSet, members: Sequence[Member], sources: Mapping[str, Source]) -> dict[str, Feed]:
        """What the members' bytes are to be put into, by target, if they can be taken on now."""
        targets = {member.target for member in members}
        with self._lock:
            busy = targets & self._under_way.get(image_set.id, set())
            if busy or self._clock.now() < self._rest_until or image_set.id in self._left_alone:
                return {}
            self._under_way.setdefault(image_set.id, set()).update(targets)
        feeds = {member.target: Feed(member.facts.size, self._allowance) for member in members}
        fed = {target: Fed(sources[target].path, sources[target].facts, feed) for target, feed in feeds.items()}
        self._crew.begin(_Errand(image_set, members, fed), self._take_on)
        return feeds

    def _take_on(self, session: Session, errand: _Errand) -> None:
        try:
            self.check()
            collection = self._claim(session, errand)
            if collection is not None:
                self._send(session, errand, collection)
        except SourceError:
            pass  # it was not read to its end, or not at all because the main store has it
        except WatcherError as error:
            if error.store_wide and not isinstance(error, Paused):
                self.doubt()
        except Exception as error:
            self._left_alone.add(errand.image_set.id)
            what = f"unexpected {type(error).__name__}: {error}; this is a mistake of the program: please report it"
            self._trouble(f"copy {self._there.name}", what)
        finally:
            for source in errand.sources.values():
                source.feed.stop()
            with self._lock:
                under_way = self._under_way[errand.image_set.id]
                under_way.difference_update(errand.sources)
                if not under_way:
                    del self._under_way[errand.image_set.id]

    def _claim(self, session: Session, errand: _Errand) -> str | None:
        """The set's own collection there, if nothing can be in it that the journal does not know of."""
        image_set, name = errand.image_set, self._there.name
        with self._claiming:
            copy = self._journal.copies.one(image_set.id, name)
            if copy.claimed:
                return copy.collection
            for collection in self._there.candidates(image_set, errand.members):
                if not self._journal.copies.take(image_set.id, name, collection, self._there.store.place(collection)):
                    return None
                found = session.claim(collection, image_set.id)
                if found is Claimed.NOW:
                    self._journal.copies.claimed(image_set.id, name)
                    return collection
                if found is Claimed.BEFORE:
                    break
            self._left_alone.add(image_set.id)
            return None

    def _send(self, session: Session, errand: _Errand, collection: str) -> None:
        sources: dict[str, Fed] = dict(errand.sources)
        if len(sources) > 1:
            for target in session.put_bundle(sources, collection, lambda _, count: self._spent(count)):
                del sources[target]
        for target, source in sources.items():
            session.put(source, collection, target, self._spent)


class Sharing:
    """Who else gets what is read for the main store."""

    def __init__(self, relays: Sequence[Relay] = ()) -> None:
        self._relays = relays

    @contextlib.contextmanager
    def among(
        self, image_set: ImageSet, members: Sequence[Member], sources: Mapping[str, Source]
    ) -> Iterator[Mapping[str, Source]]:
        """The same sources, which hand on what is read of them within this; nothing is waited for at its end."""
        feeds = [relay.begin(image_set, members, sources) for relay in self._relays]
        if not any(feeds):
            yield sources
            return
        try:
            yield {
                target: Shared(source.path, source.facts, tuple(one[target] for one in feeds if one))
                for target, source in sources.items()
            }
        finally:
            for one in feeds:
                for feed in one.values():
                    feed.end(whole=False)


#: Nobody else.
ALONE: Final = Sharing()
