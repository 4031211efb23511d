"""The profile of an instrument: what is watched, when a set is finished, and where it goes."""

from watcher.profile.handoff import Amqp, Handoff, Webhook
from watcher.profile.limits import Limits
from watcher.profile.loader import load
from watcher.profile.models import (
    MAIN,
    Complete,
    FolderCopy,
    FolderStore,
    Instrument,
    IrodsCopy,
    IrodsStore,
    Profile,
    Sets,
    Watch,
)
from watcher.profile.mount import MountStore
from watcher.profile.notify import Notify, Ping
from watcher.profile.secret import Secret
from watcher.profile.web import Web

__all__ = [
    "MAIN",
    "Amqp",
    "Complete",
    "FolderCopy",
    "FolderStore",
    "Handoff",
    "Instrument",
    "IrodsCopy",
    "IrodsStore",
    "Limits",
    "MountStore",
    "Notify",
    "Ping",
    "Profile",
    "Secret",
    "Sets",
    "Watch",
    "Web",
    "Webhook",
    "load",
]
