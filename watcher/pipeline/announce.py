"""What is written down for other programs when a set is published: the events, and that its agent was asked."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from watcher.journal import Journal
from watcher.model import Answer, Attribution, ImageSet, Member, Organisation, Person, State
from watcher.notify import events
from watcher.profile import Profile
from watcher.provenance import manifest

#: What is told of the request besides persons; null if it is not known.
_TOLD: Final = ("request", "title", "project", "group", "sample", "source", "licence", "omero")


def announce(
    image_set: ImageSet,
    members: Sequence[Member],
    asked: Answer | None,
    journal: Journal,
    profile: Profile,
    attribution: Attribution,
) -> None:
    """Let all be told that a set was published, and that it replaces another one. Join the step that published it.

    `asked` is what the set's metadata say of its agent.
    """
    now = image_set.published_at or 0.0
    if asked:
        journal.handoffs.begin(image_set, asked.agent, now)
    sinks, instrument = profile.handoff.sinks, profile.instrument.name
    if not sinks:
        return
    event = events.published(
        image_set, instrument,
        files=len(members), size=sum(member.facts.size for member in members),
        manifest=(manifest.NAME, manifest.digest(members)), attribution=in_fields(attribution),
    )  # fmt: skip
    journal.outbox.add(event, sinks, now)
    former = journal.sets.maybe(image_set.supersedes) if image_set.supersedes else None
    if former and former.state is State.SUPERSEDED:
        # Where the new one has taken its place, that was its place.
        placed = replace(former, collection=former.collection or image_set.collection)
        journal.outbox.add(events.superseded(placed, image_set, instrument, now), sinks, now)


def announce_attribution(
    image_set: ImageSet, attribution: Attribution, journal: Journal, profile: Profile, now: float
) -> None:
    """Let all be told that it is known otherwise who made a published set. Join the step that wrote that down."""
    if sinks := profile.handoff.sinks:
        number = len(journal.attributions.changes(image_set.id))
        event = events.attributed(image_set, profile.instrument.name, now, number, in_fields(attribution))
        journal.outbox.add(event, sinks, now)


def in_fields(attribution: Attribution) -> dict[str, Any]:
    """Who made a set, as events tell it (HANDOFF.md); nothing that is not known, and no e-mail address."""
    contributors = [
        {**_somebody(one.who), "role": one.role, **({"credit": one.credit} if one.credit else {})}
        for one in attribution.contributors
    ]
    return {
        "state": str(attribution.state),
        "creators": [_somebody(person) for person in attribution.creators],
        "operator": _somebody(attribution.operator) if attribution.operator else None,
        "contributors": contributors,
        "facility": _somebody(attribution.facility) if attribution.facility else None,
        **{key: attribution.facts.get(key) for key in _TOLD},
    }


def _somebody(who: Person | Organisation) -> dict[str, str]:
    if isinstance(who, Organisation):
        known = {"name": who.name, "ror": who.ror}
    else:
        known = {"name": who.name, "orcid": who.orcid, "user": who.user}
    return {key: value for key, value in known.items() if value}
