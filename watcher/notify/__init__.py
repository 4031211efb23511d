"""What tells other programs of published sets, and people what needs them. One module a way; this is the registry."""

from dataclasses import dataclass

from watcher import osfacts
from watcher.notify.base import Channel, Sink
from watcher.notify.fleet import FleetView
from watcher.notify.ping import Switch
from watcher.notify.webhook import WebhookSink
from watcher.profile import Profile


def open_sinks(profile: Profile) -> list[Sink]:
    """The ways that a profile names; nothing is connected yet. Raises ConfigurationError."""
    sinks: list[Sink] = []
    if profile.handoff.webhook:
        sinks.append(WebhookSink(profile.handoff.webhook))
    if profile.handoff.amqp:
        from watcher.notify.amqp import AmqpSink  # its library is loaded only for those who use it

        sinks.append(AmqpSink(profile.handoff.amqp, profile.instrument.name, osfacts.host_name()))
    return sinks


@dataclass(frozen=True, slots=True)
class Channels:
    """The ways to people that a profile names: those to the facility, the one to persons, and what watches over us."""

    facility: tuple[Channel, ...] = ()
    persons: Channel | None = None
    switch: Switch | None = None
    fleet: FleetView | None = None


def open_channels(profile: Profile) -> Channels:
    """The ways to people; nothing is sent yet. Raises ConfigurationError."""
    section = profile.notify
    switch = Switch(section.ping, section.unencrypted) if section.ping else None
    fleet = FleetView(profile.fleet, profile.instrument.name) if profile.fleet else None
    if not section.apprise and not section.mail:
        return Channels(switch=switch, fleet=fleet)
    from watcher.notify.apprise import AppriseChannel  # its library is loaded only for those who use it

    facility = [
        AppriseChannel(secret, f"notify.apprise[{number}]", section.unencrypted)
        for number, secret in enumerate(section.apprise)
    ]
    persons = AppriseChannel(section.mail, "notify.mail", section.unencrypted, personal=True) if section.mail else None
    return Channels(tuple(facility), persons, switch, fleet)
