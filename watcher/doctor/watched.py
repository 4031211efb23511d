"""Checks of the watched folders, to which nothing is ever written, and of the events that tell of new files."""

import os
import re
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from watcher import osfacts
from watcher.doctor.check import Fact, Subject, doubt, fine, wrong
from watcher.errors import Exit
from watcher.overview.language import say, say_many
from watcher.pipeline.hints import Hints

#: So long in seconds folders are counted, and an event is waited for.
_COUNTING: Final = 8.0
_EVENT: Final = 5.0


def folders(subject: Subject) -> Iterator[Fact]:
    """Whether the watched folders are there, can be read, and are what they are taken for. Only looks at them."""
    for watch in subject.profile.watch:
        path = watch.path
        try:
            with os.scandir(path) as entries:
                next(entries, None)
        except PermissionError:
            cure = say("let the watcher's account read it and all that is in it")
            yield wrong(say("{path}: this account may not read it", path=path), cure, Exit.CONFIGURATION)
            continue
        except (FileNotFoundError, NotADirectoryError):
            cure = say("check watch.path in the profile, and that the disk or share is there")
            yield wrong(say("{path}: there is no such folder", path=path), cure, Exit.CONFIGURATION)
            continue
        if subject.state.resolve().is_relative_to(path.resolve()):
            what = say("{path}: the journal lies in it, so that it would be delivered itself", path=path)
            yield wrong(what, say("choose another place with --state"), Exit.CONFIGURATION)
            continue
        yield from _place_of(path) or [fine(say("{path}: it is there and can be read", path=path))]


def _place_of(path: Path) -> list[Fact]:
    """What is strange with where a folder lies, or how it is written."""
    found = []
    written = [(part, osfacts.name_on_disk(part)) for part in (path, *path.parents) if part.name and _can_list(part)]
    for part, name in written:
        if name != part.name:
            what = say("{path}: on the disk it is written {name}", path=path, name=name)
            found.append(doubt(what, say("write watch.path in the profile exactly as it is on the disk")))
    volume = osfacts.volume_of(path)
    if volume and volume.remote:
        if re.match(r"[A-Za-z]:", volume.mount):
            what = say("{path}: {drive} is a drive that was mapped for a user, which a service does not have",
                       path=path, drive=volume.mount)  # fmt: skip
            cure = say("write the share itself, as in \\\\server\\share\\folder")
            found.append(wrong(what, cure, Exit.CONFIGURATION))
        else:
            what = say("{path}: it is on another computer ({kind}), which sends no events of what others write there",
                       path=path, kind=volume.kind)  # fmt: skip
            cure = say("better run the watcher on that computer; else new files are found by the sweeps alone")
            found.append(doubt(what, cure))
    return found


def _can_list(path: Path) -> bool:
    return os.access(path.parent, os.R_OK | os.X_OK)


# events


def events(subject: Subject) -> Iterator[Fact]:
    """Whether the system tells of new files: tried beside the journal, since a watched folder is only read."""
    yield from _limits(subject)
    heard = _try_events(subject.state)
    beside = say("tried beside the journal, since watched folders are only read")
    if not heard:
        cure = say("look what the system says of file events; until then new files are found by the sweeps alone")
        yield doubt(say("no event came within {seconds} s ({beside})", seconds=f"{_EVENT:g}", beside=beside), cure)
        return
    yield fine(say("events arrive within {ms} ms ({beside})", ms=f"{1000 * heard:.0f}", beside=beside))
    here = subject.state.stat().st_dev
    for watch in subject.profile.watch:
        if watch.path.stat().st_dev != here:
            yield fine(say("{path}: it is on another disk, of which that says nothing", path=watch.path))


def _limits(subject: Subject) -> Iterator[Fact]:
    """The limits that Linux sets to the number of folders that are listened to (inotify(7))."""
    try:
        allowed = int((subject.inotify / "max_user_watches").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return
    end = time.monotonic() + _COUNTING
    count = 0
    for watch in subject.profile.watch:
        for _ in os.walk(watch.path):
            count += 1
            if time.monotonic() > end:
                break
    many = say_many("at least {number} folder is watched", "at least {number} folders are watched", count)
    what = f"{many}, " + say("and the system listens to {allowed} for all programs of an account", allowed=allowed)
    if count > 0.8 * allowed:
        cure = say("raise fs.inotify.max_user_watches, as in `sysctl fs.inotify.max_user_watches={number}`",
                   number=max(524288, 4 * count))  # fmt: skip
        yield doubt(what, cure)
    else:
        yield fine(what)


def _try_events(state: Path) -> float:
    """Seconds until an event came, 0 if none did."""
    probe = state / f"doctor-{uuid.uuid4().hex}"
    probe.mkdir()
    wake = threading.Event()
    hints = Hints(probe, wake)
    try:
        hints.start()
        begin = time.monotonic()
        (probe / "probe").write_bytes(b"")
        return max(time.monotonic() - begin, 0.001) if hints.alive and wake.wait(_EVENT) else 0.0
    finally:
        hints.stop()
        shutil.rmtree(probe, ignore_errors=True)
