"""Telling the store what became known of published sets later: who made them, and who may read them.

The crate first, then the metadata, which are its searchable digest, then access; each step can be killed and repeated.
What was there before is in the journal before anything is changed, so that the audit is never lost.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from watcher.clock import Clock
from watcher.errors import Conflict, JournalError, StoreError, WatcherError
from watcher.journal import Journal
from watcher.journal.attributions import Change
from watcher.model import IDENTIFIER, Attribution, Avu, ImageSet, Member, Person
from watcher.pipeline.admit import admission, mend_after, readmit
from watcher.pipeline.announce import announce_attribution
from watcher.pipeline.attribute import Attributor
from watcher.pipeline.crew import Crew
from watcher.pipeline.deliver import collection_of
from watcher.pipeline.patience import LONGEST_WAIT, pause_after
from watcher.pipeline.publish import rewrite_imports
from watcher.profile import Profile
from watcher.provenance import crate, manifest
from watcher.provenance.credits import ATTRIBUTION, credits, is_credit
from watcher.provenance.registers import Registers
from watcher.provenance.vocabulary import CRATE, CREATED, circumstances, fitting, iso
from watcher.stores.base import Session

#: Sets that are dealt with before somebody else's errands have their turn.
AT_ONCE: Final = 200
#: How often in seconds it is asked whether somebody has said something.
_OFTEN: Final = 1.0
_MODIFIED: Final = "dcterms:modified"
#: What changes with everything else, and tells nothing of its own.
_ASIDE: Final = {(_MODIFIED, ""), (f"{ATTRIBUTION}.source", "")}


@dataclass(frozen=True, slots=True)
class _Errand:
    """One set of which the store is to be told something."""

    set_id: str
    heavy: bool = False


class Amendments:
    """Does what `journal.attributions` says is due; what fails is tried again, and blames no other set."""

    name = "amend"

    def __init__(
        self,
        profile: Profile,
        journal: Journal,
        crew: Crew,
        attribute: Attributor,
        registers: Registers,
        clock: Clock,
    ) -> None:
        self._profile = profile
        self._journal = journal
        self._crew = crew
        self._attribute = attribute
        self._registers = registers
        self._clock = clock
        zone = profile.instrument.timezone
        self._zone = ZoneInfo(zone) if zone else None
        self._pause = _OFTEN

    def round(self) -> float:
        """Deal with what is due; see `duties.Duty`. Trouble with the store is told by others."""
        try:
            if self.step():
                self._pause = _OFTEN
                return 0.0
        except JournalError:
            raise
        except WatcherError:
            self._pause = min(LONGEST_WAIT, 2 * self._pause)
        return self._pause

    def step(self) -> int:
        """Deal with so many sets at the most; how many were. Raises what concerns the whole store."""
        due = self._journal.attributions.due(self._clock.now(), AT_ONCE)
        self._crew.each(map(_Errand, due), self._deal_with)
        return len(due)

    def close(self) -> None:
        """What is under way with one set is short."""

    def _deal_with(self, session: Session, errand: _Errand) -> None:
        attributions, now = self._journal.attributions, self._clock.now()
        try:
            self._amend(session, self._journal.sets.get(errand.set_id))
        except JournalError:
            raise
        except WatcherError as error:
            if error.store_wide:
                raise
            if error.transient:
                wait = pause_after(error, attributions.attempts(errand.set_id), lambda: 0.5)
                attributions.postpone(errand.set_id, now + wait, str(error))
            else:
                attributions.give_up(errand.set_id, str(error))

    def _amend(self, session: Session, image_set: ImageSet) -> None:
        if image_set.collection is None:
            raise Conflict(f"{image_set.name}: a later version has taken its place", cure="say it of that one")
        now, attributions = self._clock.now(), self._journal.attributions
        collection, revision = collection_of(image_set), attributions.revision(image_set.id)
        members = self._journal.sets.members(image_set.id)
        attribution = self._attribute(image_set, members, patient=False)
        there = session.avus(collection)
        if Avu(IDENTIFIER, image_set.id) not in there:
            raise Conflict(f"{collection}: this collection is not that of {image_set.name} any more")
        old = sorted(avu for avu in there if is_credit(avu.attribute))
        created = next((avu.value for avu in there if avu.attribute == CREATED), "")
        about = circumstances(image_set, self._profile, created, iso(now, self._zone))
        new = sorted(fitting(credits(attribution, self._profile, about)))
        if _lasting(old) != _lasting(new):
            orders = attributions.orders(image_set.id)
            change = Change(now, orders[-1].who if orders else "", tuple(old), tuple(new))
            attributions.begin_change(image_set.id, change)
            text = self._crate(session, image_set, attribution, members, change)
            session.rewrite(collection, CRATE, text.encode("utf-8"))
            if self._profile.handoff.omero:
                listed = manifest.parse(b"".join(session.read(collection, manifest.NAME)).decode("utf-8"))
                rewrite_imports(image_set, list(listed), attribution, self._profile, session)
            session.annotate(collection, sorted(set(new) - there), sorted(set(old) - set(new)))
        else:
            new = old
        wanted = admission(self._profile, attribution)
        shut_out = readmit(wanted, image_set.id, collection, self._journal, session)
        with self._journal.database.transaction():
            changed = attributions.end_change(image_set.id, new)
            attributions.grant(image_set.id, wanted.levels, shut_out)
            again = now + mend_after(attributions.attempts(image_set.id)) if shut_out else None
            attributions.written(image_set.id, attribution, revision, again)
            if changed:
                self._journal.copies.want_anew(image_set.id)
                if self._profile.notify.mail:
                    self._journal.notices.is_safe(image_set.id, now)
                announce_attribution(image_set, attribution, self._journal, self._profile, now)

    def _crate(
        self,
        session: Session,
        image_set: ImageSet,
        attribution: Attribution,
        members: Sequence[Member],
        change: Change,
    ) -> str:
        """The crate anew; from the old one what the journal has forgotten, or never knew."""
        changes = tuple(map(self._told, self._journal.attributions.changes(image_set.id)))
        here = bool(members) and os.path.lexists(image_set.root / members[0].path)
        contents = crate.contents_of(members, image_set.root)
        if not here or self._journal.attributions.was_found(image_set.id):
            collection = collection_of(image_set)
            before = b"".join(session.read(collection, CRATE)).decode("utf-8")
            try:
                earlier = crate.changes_in(before) if self._journal.attributions.was_found(image_set.id) else ()
                known = {(int(one.at), one.what) for one in changes}
                changes = (*(one for one in earlier if (int(one.at), one.what) not in known), *changes)
                contents = contents if here else crate.contents_in(before)
            except ValueError as error:
                raise StoreError(f"{collection}/{CRATE}: {error}", cure="look who changed it") from None
        published = image_set.published_at or change.at
        changes = (*changes, self._told(change))
        return crate.text(image_set, self._profile, attribution, contents, published, self._zone, changes)

    def _told(self, change: Change) -> crate.Change:
        """A change in the words of the crate, in which no login stands."""
        found = self._registers.now.people.find(change.who)
        unnamed = "a person of the facility" if change.who else "irods-watcher"
        return crate.Change(change.at, found if isinstance(found, Person) else unnamed, in_words(change))


def in_words(change: Change) -> str:
    """What a change took away and what it brought, for people."""
    lines = []
    for key in sorted({(avu.attribute, avu.unit) for avu in (*change.before, *change.after)} - _ASIDE):
        was, now = (
            [avu.value for avu in avus if (avu.attribute, avu.unit) == key] for avus in (change.before, change.after)
        )
        if was != now:
            name = f"{key[0]} {key[1]}".strip()
            lines.append(f"{name}: {', '.join(was) or 'nothing'} -> {', '.join(now) or 'nothing'}")
    return "; ".join(lines)


def _lasting(avus: Sequence[Avu]) -> set[Avu]:
    return {avu for avu in avus if avu.attribute != _MODIFIED}
