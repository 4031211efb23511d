"""What every source says of who made a set, gathered, and the answer from all of it. No set is kept waiting for it."""

import itertools
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from watcher import identifiers, osfacts
from watcher.journal import Journal
from watcher.journal.attributions import Order
from watcher.journal.sessions import WorkSession
from watcher.model import Attribution, ImageSet, Member
from watcher.pipeline.assemble import stem
from watcher.profile import MountStore, Profile
from watcher.profile.capture import UNKNOWN, Capture
from watcher.provenance import sidecar
from watcher.provenance.attribution import OPERATOR, PERSON, SCIENTIST, Said, Source, resolve
from watcher.provenance.bookings import P, at_work
from watcher.provenance.registers import Register, Registers

#: What the names of folders may say, by the field of `watch.capture`.
_CAPTURED = {
    "user": PERSON,
    "person": PERSON,
    **{key: key for key in (SCIENTIST, OPERATOR, "project", "group", "request")},
}


#: Seconds that the times of a disk may be coarse: FAT counts in steps of two.
_COARSE = 2.0
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Attributor:
    """Says who made a set, from the journal, the disk, and the facility's registers as they were last read.

    Without `disk` it is not asked who owns the files on a mount.
    """

    def __init__(
        self, profile: Profile, journal: Journal, registers: Registers, disk: osfacts.Disk | None = None
    ) -> None:
        self._profile = profile
        self._journal = journal
        self._registers = registers
        # A mount shows whoever looks as the owner: there iRODS itself has to say who it is.
        self._mounted = isinstance(profile.store, MountStore)
        self._disk = disk or (None if self._mounted else osfacts.LOCAL)
        self._captures = {watch.path: Capture(watch.capture) for watch in profile.watch}

    def __call__(self, image_set: ImageSet, members: Sequence[Member], *, patient: bool = True) -> Attribution:
        """The answer now. With `patient` a request that is not known yet is asked for once more, for two seconds.

        Of a set whose files are gone what was known before still holds, where nobody says it differently.
        """
        problems: list[str] = []
        said = list(self.evidence(image_set, members, problems))
        register = self._registers.now
        if patient and self._profile.people.requests and _unknown_requests(said, register):
            register = self._registers.ask()
        gone = not any(os.path.lexists(image_set.root / member.path) for member in itertools.islice(members, 1))
        before = self._journal.attributions.record(image_set.id) if gone else None
        return resolve(said, register, self._profile.people, problems, before)

    def would_be(self, image_set: ImageSet, members: Sequence[Member], said: Mapping[str, str]) -> Attribution:
        """The answer if a person said this, too."""
        problems: list[str] = []
        evidence = list(self.evidence(image_set, members, problems, said))
        return resolve(evidence, self._registers.now, self._profile.people, problems)

    def evidence(
        self, image_set: ImageSet, members: Sequence[Member], problems: list[str], ordered: Mapping[str, str] = _NOTHING
    ) -> Iterator[Said]:
        """What each source says, as it says it; what could not be read goes into `problems`, without names.

        `ordered` is what a person says on top of what they said before.
        """
        yield from self._commands(image_set, ordered)
        yield from self._sidecars(image_set, members, problems)
        periods = periods_of(image_set, members)
        for session in _during(periods, lambda begin, end: self._sessions(image_set, begin, end)):
            values = {"request": session.request, OPERATOR: session.operator}
            yield Said(Source.SESSION, values, f"number {session.id}")
        yield from self._path(image_set)
        for booking in _during(periods, lambda *_: self._registers.now.bookings):
            values = {PERSON: booking.person, "project": booking.project, "request": booking.request}
            yield Said(Source.BOOKING, values, f"row {booking.line}")
        yield Said(Source.EMBEDDED, {PERSON: image_set.embedded.get("experimenter", "")})
        owner = _owner(image_set, members, self._disk) if self._disk else ""
        yield Said(Source.OWNER, {PERSON: owner}, "in iRODS" if self._mounted else "")
        yield Said(Source.PROFILE, {key: value for key, value in self._profile.people.default if value})

    def _commands(self, image_set: ImageSet, more: Mapping[str, str]) -> Iterator[Said]:
        """What persons said later: of each thing the last word, and an empty one takes it back."""
        last: dict[str, str] = {}
        for order in self._orders(image_set):
            last |= order.values
        last |= more
        if last:
            yield Said(Source.COMMAND, {key: value for key, value in last.items() if value})

    def _orders(self, image_set: ImageSet) -> list[Order]:
        """A later version was made by whom a person said of the one before, until they say something of it."""
        orders = self._journal.attributions.orders(image_set.id)
        former = self._journal.sets.maybe(image_set.supersedes) if image_set.supersedes and not orders else None
        return self._orders(former) if former else orders

    def _sessions(self, image_set: ImageSet, begin: float, end: float) -> list[WorkSession]:
        folders = (image_set.place / image_set.name, *(image_set.place / image_set.name).parents)
        places = {"", *(str(image_set.root / folder) for folder in folders)}
        return [one for one in self._journal.sessions.between(begin, end) if one.folder in places]

    def _path(self, image_set: ImageSet) -> Iterator[Said]:
        captured = self._captures[image_set.root].match(image_set.place) if image_set.root in self._captures else {}
        values = {_CAPTURED[key]: value for key, value in captured.items() if key in _CAPTURED and value != UNKNOWN}
        if values:
            yield Said(Source.PATH, values, "folders")
        for code in identifiers.requests_in(f"{image_set.folder.as_posix()}/{image_set.name}"):
            yield Said(Source.PATH, {"request": code}, "names")

    def _sidecars(self, image_set: ImageSet, members: Sequence[Member], problems: list[str]) -> Iterator[Said]:
        """Those that are members of the set or beside it, then the nearest in the folders above."""
        inside = [member.path for member in members if sidecar.is_sidecar(PurePosixPath(member.path).name)]
        name = stem(image_set.name) if image_set.grouped_by == "file" else image_set.name
        for ending in sidecar.ENDINGS:
            path = (image_set.folder / f"{name}{ending}").as_posix()
            if path not in inside and os.path.lexists(image_set.root / path):
                inside.append(path)
        for path in inside:
            yield from self._told(image_set.root, path, Source.SIDECAR, problems)
        for folder in (image_set.folder, *image_set.folder.parents):
            for name in sidecar.NAMES:
                path = (folder / name).as_posix()
                if path not in inside and os.path.lexists(image_set.root / path):
                    yield from self._told(image_set.root, path, Source.FOLDER_SIDECAR, problems)
                    return

    def _told(self, root: Path, path: str, source: Source, problems: list[str]) -> Iterator[Said]:
        content = _content(root, path, problems)
        if content is None:
            return
        told = sidecar.understood(path, content)
        problems += (f"{source.words}: {problem}" for problem in told.problems)
        yield Said(source, told.values, PurePosixPath(path).name, told.also)


def periods_of(image_set: ImageSet, members: Sequence[Member]) -> list[tuple[float, float]]:
    """From when to when a set was acquired, in seconds since 1970; two periods if that cannot be told.

    By the watcher's own clock if it saw the set grow. What was there as a whole at the first look was made when its
    files say, if that is after the look before. If they say something else, they were brought from elsewhere, or the
    clock of their disk is wrong.
    """
    seen = (image_set.first_seen, max(image_set.first_seen, image_set.last_change))
    times = [member.facts.mtime_ns / 1e9 for member in members]
    if image_set.last_change > image_set.first_seen or not times:
        return [seen]
    written = (min(times), max(times))
    if image_set.unseen_at is None or image_set.unseen_at - _COARSE <= written[0] <= written[1] <= seen[0] + _COARSE:
        return [(min(written[0], seen[0]), min(written[1], seen[1]))]
    return [written, (image_set.unseen_at, image_set.first_seen)]


def _during(periods: Sequence[tuple[float, float]], known: Callable[[float, float], Iterable[P]]) -> list[P]:
    """Those that one of the periods belongs to; if the periods belong to different ones, all of these."""
    found = [one for begin, end in periods for one in at_work(known(begin, end), begin, end)]
    return list(dict.fromkeys(found))


def _unknown_requests(said: Sequence[Said], register: Register) -> bool:
    named = filter(None, (one.values.get("request") for one in said))
    return any(code not in register.requests for text in named for code in identifiers.requests_in(text))


def _owner(image_set: ImageSet, members: Sequence[Member], disk: osfacts.Disk) -> str:
    for member in itertools.islice(members, 1):
        try:
            return disk.owner(image_set.root / member.path)
        except OSError:
            break  # the file went away; who owned it is not known any more
    return ""


def _content(root: Path, path: str, problems: list[str]) -> bytes | None:
    """The bytes of a sidecar, which must be a plain file of a sensible size within the watched folder."""
    place = root / path
    try:
        if not place.resolve().is_relative_to(root.resolve()):
            problems.append(f"{path}: it leads out of the watched folder and is not read")
            return None
        status = place.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > sidecar.MAX_BYTES:
            what = "it is no plain file" if not stat.S_ISREG(status.st_mode) else f"{status.st_size} bytes are too many"
            problems.append(f"{path}: {what} for a sidecar, and it is not read")
            return None
        with osfacts.open_shared(place) as file:
            return file.read(sidecar.MAX_BYTES + 1)
    except OSError as error:
        problems.append(f"{path}: it cannot be read ({error.strerror})")
        return None
