"""What is written down for other programs when a set is published: the events, and that its agent was asked."""

from collections.abc import Mapping, Sequence
from typing import Any

from watcher.journal import Journal
from watcher.model import Answer, ImageSet, Member, State
from watcher.notify import events
from watcher.profile import Profile
from watcher.provenance import manifest


def announce(
    image_set: ImageSet,
    members: Sequence[Member],
    asked: Answer | None,
    journal: Journal,
    profile: Profile,
    attribution: Mapping[str, Any] | None = None,
) -> None:
    """Let all be told that a set was published, and that it replaces another one. Join the step that published it.

    `asked` is what the set's metadata say of its agent; `attribution` is told as it is, without addresses.
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
        manifest=(manifest.NAME, manifest.digest(members)), attribution=attribution,
    )  # fmt: skip
    journal.outbox.add(event, sinks, now)
    former = journal.sets.maybe(image_set.supersedes) if image_set.supersedes else None
    if former and former.state is State.SUPERSEDED:
        journal.outbox.add(events.superseded(former, image_set, instrument, now), sinks, now)
