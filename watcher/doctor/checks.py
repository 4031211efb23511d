"""All checks, in their order: what others rest on comes first."""

from typing import Final

from watcher.doctor import archive, computer, installation, watched
from watcher.doctor.check import Check

_BASIC: Final = ("profile", "state")
_STORE: Final = ("store", "tls", "login", "target", "create")

CHECKS: Final = (
    Check("program", "Program", computer.program),
    Check("libraries", "Libraries", computer.libraries),
    Check("profile", "Profile", installation.profile),
    Check("state", "Folder of the journal", installation.state, ("profile",)),
    Check("journal", "Journal", installation.journal, _BASIC, 120.0),
    Check("watcher", "Watcher", installation.watcher, (*_BASIC, "journal")),
    Check("log", "Log", installation.log, _BASIC),
    Check("folders", "Watched folders", watched.folders, _BASIC),
    Check("events", "File events", watched.events, (*_BASIC, "folders"), 30.0),
    Check("disks", "Disks", computer.disks, (*_BASIC, "folders")),
    Check("zone", "Time zone", computer.zone, ("profile",)),
    Check("people", "People, requests, bookings", installation.people, ("profile",)),
    Check("handoff", "Hand-off", installation.handoff, _BASIC),
    Check("page", "Status page", computer.page, (*_BASIC, "watcher")),
    Check("store", "Store", archive.reach, ("profile",)),
    Check("tls", "Encryption", archive.line, ("store",), 30.0),
    Check("login", "Login", archive.login, _STORE[:2], 30.0),
    Check("target", "Where sets go", archive.target, (*_BASIC, *_STORE[:3]), 30.0),
    Check("create", "Making a collection", archive.create, _STORE[:4], 60.0, archive.idle),
    Check("deliver", "Delivering a file", archive.deliver, _STORE, 60.0, archive.idle),
    Check("annotate", "Metadata", archive.annotate, _STORE, 30.0, archive.idle),
    Check("grant", "Access", archive.grant, _STORE, 60.0, archive.idle),
    Check("remove", "Removing the test set", archive.remove, _STORE, 60.0, archive.idle),
    Check("clock", "Clock", computer.clock, _STORE, idle=archive.idle),
)
