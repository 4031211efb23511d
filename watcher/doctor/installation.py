"""Checks of what the profile names and of what the watcher keeps: persons, hand-off, journal, watcher, log."""

import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from watcher import __version__, formats, osfacts
from watcher import profile as profiles
from watcher.doctor.check import Fact, Subject, doubt, fine, wrong
from watcher.errors import Exit, JournalError, JournalFull, JournalTooNew
from watcher.journal import FILE_NAME, SWEPT, Journal, holder, watched_by
from watcher.logs.files import FOLDER, numbered
from watcher.model import State
from watcher.notify import open_sinks
from watcher.overview import handoffs
from watcher.overview.attention import HANGS
from watcher.overview.language import say, say_many
from watcher.overview.words import amount, plain, sets, some, when
from watcher.pipeline.orders import paused
from watcher.provenance.registers import Registers

_SET_ASIDE: Final = f"{FILE_NAME}.broken-*"


def profile(subject: Subject) -> Iterator[Fact]:
    """Whether the profile can be read and names nothing that is not known."""
    subject.profile = profiles.load(subject.path)
    formats.checked(subject.profile.sets.formats)
    instrument = subject.profile.instrument.name
    yield fine(say("{path}: the profile of {instrument}", path=subject.path, instrument=instrument))


def state(subject: Subject) -> Iterator[Fact]:
    """Whether the folder of the journal can be written, and only by this account. Makes it for the other checks."""
    folder = subject.state = subject.state_of(subject.profile)
    cure = say("let this account write there, or choose another place with --state")
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The last ones first: what was made here goes again if nobody else has put anything there.
        subject.at_end += [partial(_remove_empty, place) for place in reversed(missing)]
        probe = folder / f"doctor-{uuid.uuid4().hex}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        what = say("{folder}: the journal's folder cannot be written ({why})", folder=folder, why=error.strerror)
        yield wrong(what, cure)
        return
    volume = osfacts.volume_of(folder)
    if volume and volume.remote:
        what = say("{folder}: it is on another computer ({kind}), where a journal is not safe", folder=folder,
                   kind=volume.kind)  # fmt: skip
        yield doubt(what, say("choose a place on a disk of this computer with --state"))
    if sys.platform != "win32" and not missing and folder.stat().st_mode & 0o077:
        what = say("{folder}: other accounts of this computer can look into it", folder=folder)
        yield doubt(what, say("close it, as in `chmod 700 {folder}`", folder=folder))
    yield fine(say("{folder}: the journal's folder can be written", folder=folder))


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def journal(subject: Subject) -> Iterator[Fact]:
    """Whether the journal is sound and this account's, and what it says of the sets."""
    path = subject.state / FILE_NAME
    for aside in sorted(subject.state.glob(_SET_ASIDE)):
        if not aside.name.endswith(("-wal", "-shm")):
            what = say("{path}: a journal that was broken was set aside", path=aside)
            yield doubt(what, say("look at the disk; when all sets are safe again, remove it"))
    if not path.exists():
        yield fine(say("there is no journal yet; the watcher makes it at its first start"))
        return
    if sys.platform != "win32" and path.stat().st_uid != os.geteuid():
        what = say("{path}: it belongs to {owner}", path=path, owner=osfacts.owner_of(path) or path.stat().st_uid)
        yield doubt(what, say("run `irods-watcher doctor` as the account that the watcher has"))
    try:
        with Journal(subject.state) as opened:
            if broken := opened.database.verdict():
                raise JournalError(broken)
            counts = opened.sets.counts()
    except (JournalFull, JournalTooNew):
        raise
    except JournalError as error:
        what = say("{path}: the journal is broken ({why})", path=path, why=error.what)
        cure = say("start the watcher anew: it sets this one aside, and finds all again on the disk and in the store")
        yield wrong(what, cure)
        return
    told = ", ".join(f"{number} {plain(one)}" for one, number in counts.items()) or say("no sets yet")
    yield fine(say("{path}: it is sound ({size}): {sets}", path=path, size=amount(path.stat().st_size), sets=told))
    if held := counts.get(State.HELD):
        what = say("{sets} need attention", sets=sets(held)) if held > 1 else say("1 set needs attention")
        yield doubt(what, say("see `irods-watcher status`"))


def watcher(subject: Subject) -> Iterator[Fact]:
    """Which process is the watcher, whether it works, and what it is in trouble with."""
    subject.watcher = None
    who = watched_by(subject.state)
    if who is None:
        yield fine(say("no watcher works with this journal now"))
        return
    found = holder(subject.state)
    if found and found["host"] == osfacts.host_name():
        subject.watcher = int(found["pid"])
    else:
        yield doubt(
            say("the watcher is on another computer: {who}", who=who),
            say("give each computer its own journal with --state"),
        )
    with Journal(subject.state) as opened:
        heartbeat, watching, read = opened.noted("heartbeat"), opened.noted("watching"), opened.noted("profile")
        troubles, is_paused = opened.troubles(), paused(opened)
        swept = opened.all_noted(SWEPT)
    yield fine(say("the watcher runs: {who}", who=who))
    if isinstance(heartbeat, float) and subject.now() - heartbeat > HANGS:
        what = say("the watcher has not looked at its folders since {when}", when=when(heartbeat))
        yield wrong(what, say("stop it and start it anew, and report this with the log"))
    if isinstance(read, str) and Path(read) != subject.profile.source:
        yield doubt(say("it has read another profile: {path}", path=read), say("examine that one, or start it anew"))
    if isinstance(watching, dict) and watching.get("version") != __version__:
        what = say("it is of version {version}", version=watching.get("version"))
        yield doubt(what, say("start it anew, so that it is of this version"))
    if is_paused:
        yield doubt(is_paused.what, is_paused.cure)
    for where, (what, since) in troubles.items():
        yield doubt(say("since {when}: {what}", when=when(since), what=f"{where}: {what}" if where != what else what),
                    say("see what the other checks say of it"))  # fmt: skip
    for name, noted in swept.items():
        if isinstance(noted, dict) and noted["problems"]:
            what = f"{name.removeprefix(SWEPT)}: {some(noted['problems'], 3)}"
            yield doubt(what, say("let the watcher's account read it"))


def log(subject: Subject) -> Iterator[Fact]:
    """Whether the log can be kept beside the journal."""
    folder = subject.state / FOLDER
    made = not folder.exists()
    cure = say("remove what is in its place, or let this account write there; the watcher works without a log, too")
    try:
        folder.mkdir(exist_ok=True, mode=0o700)
        probe = folder / f"doctor-{uuid.uuid4().hex}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        yield doubt(say("{folder}: the log cannot be kept ({why})", folder=folder, why=error.strerror), cure)
        return
    if made:
        folder.rmdir()
    there = numbered(folder)
    size = amount(sum(path.stat().st_size for path in there.values()))
    yield fine(say("{folder}: the log can be kept ({size})", folder=folder, size=size))


def people(subject: Subject) -> Iterator[Fact]:
    """Whether persons, requests and bookings can be read."""
    section = subject.profile.people
    if not (section.directory or section.requests or section.bookings):
        yield fine(say("the profile names no persons, requests or bookings: nobody is credited"))
        return
    register = Registers(subject.profile).refresh()
    for problem in register.problems.values():
        for line in problem.splitlines():
            yield wrong(line, say("mend that line: what was read before still holds"), Exit.CONFIGURATION)
    if register.problems:
        return
    persons = say_many("{number} person", "{number} persons", len(register.people.persons))
    requests = say_many("{number} request", "{number} requests", len(register.requests))
    bookings = say_many("{number} booking", "{number} bookings", len(register.bookings))
    yield fine(f"{persons}, {requests}, {bookings}")


def handoff(subject: Subject) -> Iterator[Fact]:
    """Whether others can be told of published sets, and what still waits for them."""
    sinks = open_sinks(subject.profile)
    agent = subject.profile.handoff.agent
    told = [f"{sink.name}: {sink.place}" for sink in sinks] + ([say("agent {name}", name=agent)] if agent else [])
    yield fine(", ".join(told) or say("the profile names nobody who is to be told"))
    if (subject.state / FILE_NAME).exists():
        with Journal(subject.state) as opened:
            backlogs = [one for one in opened.outbox.backlogs() if one.problem or one.refused]
        for line in handoffs.sink_lines(backlogs):
            yield doubt(line, say("ask whoever runs it"))
