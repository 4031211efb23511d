"""Publication: manifest, metadata in one atomic request, access, and the marker last."""

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from watcher import osfacts
from watcher.journal import Journal
from watcher.model import IDENTIFIER, REPLACES, UPLOADING, Attribution, Avu, ImageSet, Member, State
from watcher.pipeline.admit import admission, admit, mend_after
from watcher.pipeline.announce import announce
from watcher.profile import Profile
from watcher.provenance import crate, handoff, import_files, manifest
from watcher.provenance.credits import credited_in
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
    contents: crate.Contents,
) -> ImageSet:
    """Move a verified set to published. Raises StoreError or StaleSet; whatever was done before is not done twice.

    `revision` is that of the orders by which it is attributed: of later ones the store is told afterwards. `contents`
    are those of its members.
    """
    members = journal.sets.members(image_set.id)
    there = session.avus(image_set.collection or "")
    found = credited_in(there) if COMPLETE in there else None
    shut_out: Mapping[str, str] = {}
    if not found:
        there, shut_out = _describe(image_set, members, journal, profile, session, now, attribution, contents, there)
    _supersede_former(image_set, journal, profile, session, now)
    with journal.database.transaction():
        journal.files.rest(image_set.id)
        if found:
            journal.attributions.found(image_set.id, found)
        else:
            again = now + mend_after(0) if shut_out else None
            journal.attributions.written(image_set.id, attribution, revision, again)
            if profile.notify.mail:
                journal.notices.is_safe(image_set.id, now)
        note = f"{len(members)} files in {image_set.collection}"
        journal.copies.want(image_set.id, [copy.called for copy in profile.copies])
        moved = journal.sets.advance(
            image_set, State.PUBLISHED, now, note, published_at=now, reason="", attempts=0, claimed=True
        )  # fmt: skip
        announce(moved, members, handoff.answer_in(there), journal, profile, found or attribution)
        return moved


def _describe(
    image_set: ImageSet,
    members: Sequence[Member],
    journal: Journal,
    profile: Profile,
    session: Session,
    now: float,
    attribution: Attribution,
    contents: crate.Contents,
    there: frozenset[Avu],
) -> tuple[frozenset[Avu], Mapping[str, str]]:
    """Sidecars, metadata, access, and the marker last: what is there then, and who could not be let in."""
    collection = image_set.collection or ""
    zone = ZoneInfo(profile.instrument.timezone) if profile.instrument.timezone else None
    _send_manifest(manifest.text(members), collection, session, journal)
    description = crate.text(image_set, profile, attribution, contents, now, zone)
    session.rewrite(collection, CRATE, description.encode("utf-8"))
    rewrite_imports(image_set, [member.target for member in members], attribution, profile, session)
    # What a microscope's own description is called in the set (Micro-Meta App and others).
    described = contents.instrument_description
    wanted = {Avu("acq:instrument.description", described)} if described else set()
    wanted |= handoff.without_answered(describe(image_set, members, profile, zone, attribution), there)
    # An attempt that was cut off may have written values that are no longer true.
    # Which sets it came instead of stays true where several lay in the same collection one after the other.
    ours = {avu.attribute for avu in wanted} - {*handoff.AGENTS, REPLACES}
    outdated = {avu for avu in there if avu.attribute in ours and avu not in wanted}
    session.annotate(collection, sorted(wanted - there), sorted(outdated))
    session.open_to_readers(collection)
    access = admission(profile, attribution)
    shut_out = admit(access, collection, session)
    journal.attributions.grant(image_set.id, access.levels, shut_out)
    session.annotate(collection, [COMPLETE], [UPLOADING] if UPLOADING in there else [])
    return there | wanted, shut_out


def rewrite_imports(
    image_set: ImageSet, targets: Sequence[str], attribution: Attribution, profile: Profile, session: Session
) -> None:
    """Write the files for an import into OMERO that the profile asks for; `targets` are the members' names."""
    section = profile.handoff.omero
    if section is None:
        return
    texts = dict(import_files.omero_bulk(image_set, targets, attribution, section))
    if section.quay:
        texts |= import_files.quay_manifest(image_set, targets, attribution)
    for name, text in texts.items():
        session.rewrite(image_set.collection or "", name, text.encode("utf-8"))


def _send_manifest(text: str, collection: str, session: Session, journal: Journal) -> None:
    """Send the manifest like any other file."""
    with journal.scratch(manifest.NAME, text.encode("utf-8")) as path:
        session.put(Source(path, osfacts.facts_at(path)), collection, manifest.NAME, lambda _: None)


def _supersede_former(image_set: ImageSet, journal: Journal, profile: Profile, session: Session, now: float) -> None:
    if image_set.supersedes is None:
        return
    former = journal.sets.get(image_set.supersedes)
    if former.collection and former.claimed:
        there = session.avus(former.collection)
        if Avu(IDENTIFIER, former.id) in there and SUPERSEDED not in there:
            replaced_by = Avu("dcterms:isReplacedBy", image_set.id)
            session.annotate(former.collection, [SUPERSEDED, replaced_by], [COMPLETE] if COMPLETE in there else [])
    with journal.database.transaction():
        journal.copies.want(former.id, [copy.called for copy in profile.copies])
        if former.state in {State.PUBLISHED, State.RELEASED}:
            journal.sets.advance(former, State.SUPERSEDED, now, f"by version {image_set.version}")
