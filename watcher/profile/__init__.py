"""The profile of an instrument: what is watched, when a set is finished, and where it goes."""

from watcher.profile.handoff import Amqp, Handoff, Webhook
from watcher.profile.limits import Limits
from watcher.profile.loader import load
from watcher.profile.models import Complete, FolderStore, Instrument, IrodsStore, Profile, Sets, Watch
from watcher.profile.mount import MountStore
from watcher.profile.secret import Secret
from watcher.profile.web import Web

__all__ = [
    "Amqp",
    "Complete",
    "FolderStore",
    "Handoff",
    "Instrument",
    "IrodsStore",
    "Limits",
    "MountStore",
    "Profile",
    "Secret",
    "Sets",
    "Watch",
    "Web",
    "Webhook",
    "load",
]
