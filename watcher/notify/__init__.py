"""What tells other programs of published sets. One module a way; this is the registry."""

from watcher import osfacts
from watcher.notify.base import Sink
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
