"""The duties that tell people, as a profile has them: one for each address of the facility, one for all persons."""

import random
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from watcher.clock import Clock
from watcher.journal import Journal
from watcher.model import ImageSet
from watcher.notify import Channels
from watcher.notify.base import Channel
from watcher.overview.addressees import Audience, Facility, Persons
from watcher.overview.letters import Desk
from watcher.overview.messages import Hours, Messages
from watcher.overview.pulse import Pulse
from watcher.overview.reporting import Reporting
from watcher.pipeline.attribute import Attributor
from watcher.pipeline.duties import Duty, Trouble
from watcher.profile import FolderStore, Profile
from watcher.provenance.registers import Registers


def duties(
    profile: Profile,
    channels: Channels,
    journal: Journal,
    clock: Clock,
    registers: Registers,
    attribute: Attributor,
    *,
    stirred_at: Callable[[], float] | None,
    stopping: Callable[[], bool],
    trouble: Trouble,
    wall: Callable[[], float],
) -> list[Duty]:
    """The duties of a watcher; `stirred_at` as in `pulse.Pulse`, None if the process ends by itself."""
    audiences: list[tuple[Channel, Audience]] = [(channel, Facility(channel.name)) for channel in channels.facility]
    if channels.persons:
        audiences.append((channels.persons, Persons(journal, registers, attribute, clock)))
    found: list[Duty] = [
        Messages(
            channel, audience, hours_of(profile), desk_of(profile, journal.sets.maybe), journal, clock,
            watched=stirred_at is not None, stopping=stopping, trouble=trouble, jitter=random.random, wall=wall,
        )
        for channel, audience in audiences
    ]  # fmt: skip
    if channels.switch and profile.notify.ping:
        every = profile.notify.ping.every
        found.append(
            Pulse(channels.switch, every, journal, clock, stirred_at=stirred_at, stopping=stopping, trouble=trouble)
        )
    if channels.fleet and profile.fleet:
        every = profile.fleet.every
        found.append(Reporting(channels.fleet, every, journal, clock, stopping=stopping, trouble=trouble))
    return found


def hours_of(profile: Profile) -> Hours:
    """When people are told anything."""
    section, zone = profile.notify, profile.instrument.timezone
    return Hours(section.quiet or (), section.urgent_in_quiet, section.every, ZoneInfo(zone) if zone else None)


def desk_of(profile: Profile, maybe: Callable[[str], ImageSet | None]) -> Desk:
    """From where messages are written; `maybe` finds a set by its identifier."""
    store = profile.store
    base = store.path if isinstance(store, FolderStore) else Path()

    def place(one: ImageSet) -> str:
        collection = one.collection or ""
        return str(base / collection) if isinstance(store, FolderStore) else collection

    return Desk(profile.instrument.name, profile.notify.page or "", place, maybe)
