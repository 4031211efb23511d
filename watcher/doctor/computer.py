"""Checks of the program and of this computer: its libraries, disks, clock, and the port of the status page."""

import errno
import os
import platform
import re
import socket
import sys
from collections.abc import Iterator
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from watcher import __version__, osfacts
from watcher.doctor.check import Fact, Subject, Verdict, doubt, fine, wrong
from watcher.errors import Exit
from watcher.overview.language import say
from watcher.overview.words import amount, duration, when
from watcher.profile import FolderStore

_DISTRIBUTION: Final = "irods-watcher"
#: Less room than this is too little for the journal, in bytes, or worth telling; for other disks parts of them.
_JOURNAL_NEEDS: Final = 50_000_000
_JOURNAL_LIKES: Final = 1_000_000_000
_LITTLE: Final = 0.05
_NOTHING: Final = 0.01
#: A disk that can hold so few more files is full.
_FILES: Final = 1000
#: Differences of clocks in seconds that are worth telling, and that are wrong.
_SKEWED: Final = 60.0
_WRONG: Final = 3600.0
#: No clock is right that says an earlier time (2025-01-01).
_PAST: Final = 1735689600.0


def program(subject: Subject) -> Iterator[Fact]:  # noqa: ARG001 - the form of a check
    """Which program runs on what."""
    where = f"{platform.system()} {platform.release()}, {platform.machine()}"
    what = say("irods-watcher {version}, Python {python}, {where}", version=__version__,
               python=platform.python_version(), where=where)  # fmt: skip
    if sys.maxsize < 2**32:
        yield doubt(what + say("; this Python has 32 bits only"), say("install Python for 64 bits: files are large"))
    else:
        yield fine(what)


def libraries(subject: Subject) -> Iterator[Fact]:  # noqa: ARG001
    """Whether what is installed is what the program was made with."""
    try:
        wanted = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        yield fine(say("the program was not installed as a package, so it brings its own"))
        return
    found = []
    for line in wanted:
        requirement, _, condition = line.partition(";")
        name, limits = _named(requirement)
        if "extra" in condition or ("sys_platform" in condition and f'"{sys.platform}"' not in condition):
            continue
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield wrong(say("{name} is not installed", name=name), say("install irods-watcher anew"))
            continue
        found.append(f"{name} {version}")
        if not _fits(version, limits):
            what = say("{name} {version} is installed, and the program wants {limits}", name=name, version=version,
                       limits=limits)  # fmt: skip
            yield doubt(what, say("install irods-watcher into an environment of its own"))
    yield fine(", ".join(found))


def _named(requirement: str) -> tuple[str, str]:
    match = re.match(r"[A-Za-z0-9._-]+", requirement.strip())
    assert match  # noqa: S101 - the form of a requirement (packaging.python.org, dependency specifiers)
    return match[0], requirement.strip()[match.end() :].strip()


def _fits(version: str, limits: str) -> bool:
    """Whether a version keeps limits like `>=2.11,<3`, which is all that this program's own setup.cfg uses."""
    has = _numbers(version)
    for limit in filter(None, (part.strip() for part in limits.split(","))):
        sign, bound = re.fullmatch(r"([<>=!~]+)\s*(.*)", limit).groups()  # type: ignore[union-attr]
        if (sign == ">=" and has < _numbers(bound)) or (sign == "<" and has >= _numbers(bound)):
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])


# disks


def disks(subject: Subject) -> Iterator[Fact]:
    """Whether there is room for the journal, for new images, and in an archive that is a folder."""
    free = subject.usage(subject.state)[2]
    what = say("{free} are free for the journal and the log", free=amount(free))
    cure = say("free some space on the disk of {folder}, or choose another place with --state", folder=subject.state)
    if free < _JOURNAL_NEEDS or not _has_files(subject.state):
        yield wrong(what, cure)
    elif free < _JOURNAL_LIKES:
        yield doubt(what, cure)
    else:
        yield fine(what)
    store = subject.profile.store
    places = [watch.path for watch in subject.profile.watch]
    for place in (*places, *([store.path] if isinstance(store, FolderStore) and store.path.is_dir() else [])):
        total, _, free = subject.usage(place)
        what = say("{free} of {total} are free on the disk of {folder}", free=amount(free), total=amount(total),
                   folder=place)  # fmt: skip
        cure = (
            say("clear what `irods-watcher list` shows as safe in the archive")
            if place in places
            else say("make space in the archive")
        )
        if free < _NOTHING * total or not _has_files(place):
            yield wrong(what, cure)
        elif free < _LITTLE * total:
            yield doubt(what, cure)
        else:
            yield fine(what)


def _has_files(place: Path) -> bool:
    """Whether the disk can hold more files, where it says so."""
    if sys.platform == "win32":
        return True
    status = os.statvfs(place)
    return not status.f_files or status.f_favail >= _FILES


# the clock


def zone(subject: Subject) -> Iterator[Fact]:
    """Whether this computer's time can be right, and in which zone the instrument is."""
    now = subject.now()
    here = datetime.fromtimestamp(now).astimezone()
    name = subject.profile.instrument.timezone
    if now < _PAST:
        yield wrong(say("this computer says that it is {now}", now=when(now)), _set_clock())
    elif name is None:
        yield fine(say("it is {now}, in this computer's time zone {zone}", now=when(now), zone=f"{here:%Z, %z}"))
    else:
        there = datetime.fromtimestamp(now, ZoneInfo(name))
        what = say("at the instrument ({zone}) it is {there}, on this computer {here}", zone=name,
                   there=f"{there:%H:%M}", here=f"{here:%H:%M}")  # fmt: skip
        if there.utcoffset() == here.utcoffset():
            yield fine(what)
        else:
            yield doubt(what, say("check instrument.timezone in the profile, and the time zone of this computer"))


def clock(subject: Subject) -> Iterator[Fact]:
    """Whether this computer's clock and the store's say the same: what made the test set is asked when it was made."""
    before, made, after = subject.times
    # The store may tell whole seconds only.
    ahead, behind = max(0.0, before - made - 1.0), max(0.0, made - after - 1.0)
    if ahead:
        what = say("this computer's clock is {time} ahead of the store's", time=_span(ahead))
    elif behind:
        what = say("this computer's clock is {time} behind the store's", time=_span(behind))
    else:
        what = say("this computer's clock and the store's say the same")
    if max(ahead, behind) > _WRONG:
        yield wrong(what, _set_clock())
    elif max(ahead, behind) > _SKEWED:
        yield doubt(what, _set_clock())
    else:
        yield fine(what)


def _span(seconds: float) -> str:
    return say("{number} s", number=f"{seconds:.0f}") if seconds < 120 else duration(seconds)


def _set_clock() -> str:
    return say("let this computer take its time from a time server (NTP): the times of sets come from its clock")


# the port of the status page


def port(host: str, number: int, watcher: int | None) -> Fact:
    """Whether a port is free, or taken by the watcher whose process this is."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError as error:
            if error.errno == errno.EADDRINUSE and watcher is not None and osfacts.listens(watcher, number):
                return fine(say("the status page is on port {port}", port=number))
            what = say("port {port} of {host} cannot be used ({why})", port=number, host=host, why=error.strerror)
            cure = say("end the program that has it, or choose another number as web.port in the profile")
            return wrong(what, cure, Exit.CONFIGURATION)
    return fine(say("port {port} is free for the status page", port=number))


def page(subject: Subject) -> Iterator[Fact]:
    """The port of the status page, if the profile has one."""
    web = subject.profile.web
    if not web.enabled:
        yield fine(say("the profile asks for no status page"))
        return
    found = [port(web.listen, number, subject.watcher) for number in web.ports if number]
    if found and found[0].verdict is Verdict.FAIL and 0 in web.ports:
        yield fine(say("{what}; the page gets another port, which `status` names", what=found[0].what))
        return
    yield from found or [fine(say("the page gets any port that is free, which `status` names"))]
