"""Publication: manifest, metadata in one atomic request, access, and the marker last."""

from zoneinfo import ZoneInfo

from watcher import osfacts
from watcher.journal import Journal
from watcher.model import IDENTIFIER, UPLOADING, Avu, ImageSet, State
from watcher.pipeline.announce import announce
from watcher.profile import Profile
from watcher.provenance import handoff, manifest
from watcher.provenance.vocabulary import COMPLETE, SUPERSEDED, describe
from watcher.stores.base import Session
from watcher.stores.source import Source


def publish(image_set: ImageSet, journal: Journal, profile: Profile, session: Session, now: float) -> ImageSet:
    """Move a verified set to published. Raises StoreError or StaleSet; whatever was done before is not done twice."""
    collection = image_set.collection or ""
    members = journal.sets.members(image_set.id)
    zone = profile.instrument.timezone
    there = session.avus(collection)
    if COMPLETE not in there:
        _send_manifest(manifest.text(members), collection, session, journal)
        described = describe(image_set, members, profile, ZoneInfo(zone) if zone else None)
        wanted = handoff.without_answered(described, there)
        # An attempt that was cut off may have written values that are no longer true.
        ours = {avu.attribute for avu in wanted} - handoff.AGENTS
        outdated = {avu for avu in there if avu.attribute in ours and avu not in wanted}
        session.annotate(collection, sorted(wanted - there), sorted(outdated))
        session.open_to_readers(collection)
        session.annotate(collection, [COMPLETE], [UPLOADING] if UPLOADING in there else [])
        there |= wanted
    _supersede_former(image_set, journal, session, now)
    with journal.database.transaction():
        journal.files.rest(image_set.id)
        note = f"{len(members)} files in {collection}"
        moved = journal.sets.advance(image_set, State.PUBLISHED, now, note, published_at=now, reason="", attempts=0)
        announce(moved, members, handoff.answer_in(there), journal, profile)
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
