"""Publication: manifest, metadata in one atomic request, access, and the marker last."""

from zoneinfo import ZoneInfo

from watcher import osfacts
from watcher.journal import Journal
from watcher.model import IDENTIFIER, UPLOADING, Attribution, Avu, ImageSet, State
from watcher.pipeline.admit import admission, admit, mend_after
from watcher.pipeline.announce import announce
from watcher.profile import Profile
from watcher.provenance import crate, handoff, manifest
from watcher.provenance.vocabulary import COMPLETE, CRATE, SUPERSEDED, describe
from watcher.stores.base import Session
from watcher.stores.source import Source


def publish(
    image_set: ImageSet,
    journal: Journal,
    profile: Profile,
    session: Session,
    now: float,
    attribution: Attribution,
    revision: int,
) -> ImageSet:
    """Move a verified set to published. Raises StoreError or StaleSet; whatever was done before is not done twice.

    `revision` is that of the orders by which it is attributed: of later ones the store is told afterwards.
    """
    collection = image_set.collection or ""
    shut_out: dict[str, str] = {}
    members = journal.sets.members(image_set.id)
    zone = ZoneInfo(profile.instrument.timezone) if profile.instrument.timezone else None
    there = session.avus(collection)
    if COMPLETE not in there:
        _send_manifest(manifest.text(members), collection, session, journal)
        contents = crate.contents_of(members, image_set.root)
        description = crate.text(image_set, profile, attribution, contents, now, zone)
        session.rewrite(collection, CRATE, description.encode("utf-8"))
        # What a microscope's own description is called in the set (Micro-Meta App and others).
        described = contents.instrument_description
        wanted = {Avu("acq:instrument.description", described)} if described else set()
        wanted |= handoff.without_answered(describe(image_set, members, profile, zone, attribution), there)
        # An attempt that was cut off may have written values that are no longer true.
        ours = {avu.attribute for avu in wanted} - handoff.AGENTS
        outdated = {avu for avu in there if avu.attribute in ours and avu not in wanted}
        session.annotate(collection, sorted(wanted - there), sorted(outdated))
        session.open_to_readers(collection)
        access = admission(profile, attribution)
        shut_out = admit(access, collection, session)
        journal.attributions.grant(image_set.id, access.levels, shut_out)
        session.annotate(collection, [COMPLETE], [UPLOADING] if UPLOADING in there else [])
        there |= wanted
    _supersede_former(image_set, journal, session, now)
    with journal.database.transaction():
        journal.files.rest(image_set.id)
        again = now + mend_after(0) if shut_out else None
        journal.attributions.written(image_set.id, attribution, revision, again)
        note = f"{len(members)} files in {collection}"
        moved = journal.sets.advance(image_set, State.PUBLISHED, now, note, published_at=now, reason="", attempts=0)
        announce(moved, members, handoff.answer_in(there), journal, profile, attribution)
        return moved


def _send_manifest(text: str, collection: str, session: Session, journal: Journal) -> None:
    """Send the manifest like any other file."""
    with journal.scratch(manifest.NAME, text.encode("utf-8")) as path:
        session.put(Source(path, osfacts.facts_at(path)), collection, manifest.NAME, lambda _: None)


def _supersede_former(image_set: ImageSet, journal: Journal, session: Session, now: float) -> None:
    if image_set.supersedes is None:
        return
    former = journal.sets.get(image_set.supersedes)
    if former.collection and former.claimed:
        there = session.avus(former.collection)
        if Avu(IDENTIFIER, former.id) in there and SUPERSEDED not in there:
            replaced_by = Avu("dcterms:isReplacedBy", image_set.id)
            session.annotate(former.collection, [SUPERSEDED, replaced_by], [COMPLETE] if COMPLETE in there else [])
    if former.state in {State.PUBLISHED, State.RELEASED}:
        journal.sets.advance(former, State.SUPERSEDED, now, f"by version {image_set.version}")
