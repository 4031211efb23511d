"""All that helps others to help, as one archive: without secrets and persons, and without names unless they are wanted.

The directory of persons, the requests and the stored login are never in it.
"""

import json
import os
import platform
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any, Final

import yaml

from watcher import __version__
from watcher.doctor.check import Result, Subject
from watcher.doctor.hiding import Hiding
from watcher.doctor.telling import in_lines, record, summary
from watcher.errors import JournalError, UsageError
from watcher.journal import FILE_NAME, Journal
from watcher.logs.files import FOLDER
from watcher.logs.reading import Event, Reader
from watcher.model import UNDER_WAY, ImageSet, State
from watcher.overview.picture import take
from watcher.profile import FolderStore, MountStore, Profile
from watcher.profile.yaml_text import YamlError, parse

#: Sets in trouble, and lines of the log, of which so many of the last are in it.
_SETS: Final = 100
_LINES: Final = 20_000
#: What may be shown of an environment file: nothing that could name an account or hold a secret.
_ENVIRONMENT: Final = (
    "irods_host", "irods_port", "irods_zone_name", "irods_authentication_scheme", "irods_client_server_negotiation",
    "irods_client_server_policy", "irods_default_resource", "irods_ssl_verify_server", "irods_encryption_algorithm",
    "irods_encryption_key_size", "irods_encryption_num_hash_rounds", "irods_encryption_salt_size",
    "irods_maximum_size_for_single_buffer_in_megabytes", "irods_connection_pool_refresh_time_in_seconds",
)  # fmt: skip
#: In whose facts there may be the name of a file.
_SPEAKS_OF_FILES: Final = "watcher"

_ABOUT: Final = """\
What `irods-watcher doctor` found, for whoever helps with it.

doctor.txt, doctor.json   the checks
profile.yaml              the profile without comments, secrets and persons; of addresses only whose they are
environment.json          a part of the iRODS environment file
versions.json             the program, Python, the system, the libraries
journal.json              how many sets are where, and what is in trouble
sets.json                 the sets that are in trouble, or on their way, with their history
log.jsonl                 the last lines of the log

Persons are [person], secrets [secret], and this computer is [computer]. {names}
"""
_HIDDEN: Final = "Names of sets and files are name-... here, the same one for the same name within this archive."


def write(path: Path, subject: Subject, results: Sequence[Result], *, with_names: bool) -> None:
    """Write the archive, readable by this account alone. Raises UsageError if that cannot be."""
    loaded = getattr(subject, "profile", None)
    hiding = Hiding(_roots(loaded, subject), with_names=with_names)
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(file, "wb") as opened, zipfile.ZipFile(opened, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in _contents(subject, results, hiding, loaded, with_names=with_names):
                archive.writestr(name, text)
    except FileExistsError:
        raise UsageError(f"{path}: it is there already", cure="choose another name, or remove it first") from None
    except OSError as error:
        raise UsageError(f"{path}: it cannot be written ({error.strerror})", cure="choose another place") from None


def _contents(
    subject: Subject, results: Sequence[Result], hiding: Hiding, profile: Profile | None, *, with_names: bool
) -> Iterator[tuple[str, str]]:
    told = [_shown(result, hiding) for result in results]
    yield "README.txt", _ABOUT.format(names="" if with_names else _HIDDEN)
    yield "doctor.txt", "\n".join([*(line for result in told for line in in_lines(result)), summary(told), ""])
    yield "doctor.json", _json(record(told))
    yield "profile.yaml", _profile(subject.path, hiding)
    yield "versions.json", _json(_versions())
    if profile and not isinstance(profile.store, FolderStore):
        yield "environment.json", _json(_environment(profile.store.environment, hiding))
    if not hasattr(subject, "state") or not (subject.state / FILE_NAME).exists():
        return
    try:
        with Journal(subject.state) as journal:
            yield "journal.json", _json(_statistics(journal, subject.now(), hiding))
            yield "sets.json", _json([_set(one, journal, hiding) for one in _troubled(journal)])
    except JournalError as error:
        yield "journal.json", _json({"problem": hiding.private(error.what)})
    with Reader(subject.state / FOLDER, lambda _: True) as reader:
        yield "log.jsonl", "".join(json.dumps(_event(one, hiding)) + "\n" for one in reader.last(_LINES))


def _roots(profile: Profile | None, subject: Subject) -> list[str]:
    """The folders and collections that the profile names."""
    found = [str(subject.path.absolute().parent), *([str(subject.state)] if hasattr(subject, "state") else [])]
    if profile:
        store = profile.store
        found += [str(watch.path) for watch in profile.watch]
        found += [str(store.path)] if isinstance(store, FolderStore) else [(store.collection or "").partition("/{")[0]]
        found += [str(store.mount_root), store.logical_root] if isinstance(store, MountStore) else []
    return found


def _shown(result: Result, hiding: Hiding) -> Result:
    hide = hiding.text if result.name == _SPEAKS_OF_FILES else hiding.private
    facts = [type(fact)(fact.verdict, hide(fact.what), hiding.private(fact.cure)) for fact in result.facts]
    return Result(result.number, result.name, result.title, tuple(facts))


def _profile(path: Path, hiding: Hiding) -> str:
    try:
        data = hiding.profile(parse(path.read_bytes()).data)
    except (OSError, YamlError):
        return "# it cannot be read; doctor.txt says why\n"
    text: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)
    return text


def _environment(file: Path, hiding: Hiding) -> dict[str, Any]:
    try:
        settings = json.loads(file.read_text(encoding="utf-8-sig"))
        return {key: hiding.private(str(settings[key])) for key in _ENVIRONMENT if key in settings}
    except (OSError, ValueError, TypeError):
        return {"problem": "it cannot be read; doctor.txt says why"}


def _versions() -> dict[str, Any]:
    libraries = {}
    with suppress(metadata.PackageNotFoundError):
        for line in metadata.requires("irods-watcher") or []:
            name = line.replace("<", " ").replace(">", " ").replace("=", " ").replace(";", " ").split()[0]
            with suppress(metadata.PackageNotFoundError):
                libraries[name] = metadata.version(name)
    return {
        "irods-watcher": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.version()}",
        "machine": platform.machine(),
        "libraries": libraries,
    }


def _statistics(journal: Journal, now: float, hiding: Hiding) -> dict[str, Any]:
    """How the instrument is, in numbers and without what persons said."""
    picture = take(journal, now)
    return {
        "version": picture.version,
        "watcher": hiding.private(picture.watcher or ""),
        "heartbeat": picture.heartbeat,
        "paused": picture.paused,
        "store_problem": hiding.text(picture.store_problem),
        "counts": {str(state): number for state, number in picture.counts.items()},
        "on_hold": picture.on_hold,
        "unattributed": picture.unattributed,
        "rate": picture.rate,
        "left": picture.left,
        "disks": [{**asdict(disk), "folder": hiding.text(disk.folder)} for disk in picture.disks],
        "last_safe": picture.last_safe,
        "oldest_open": picture.oldest_open,
        "hours": [asdict(hour) for hour in picture.hours if hour.safe or hour.held],
        "backlogs": [
            {"sink": one.sink, "waiting": one.waiting, "since": one.since, "refused": one.refused,
             "problem": hiding.text(one.problem), "refusal": hiding.text(one.refusal)} for one in picture.backlogs
        ],
        "troubles": [
            {"where": hiding.text(where), "what": hiding.text(what), "since": since}
            for where, (what, since) in journal.troubles().items()
        ],
        "abandoned": [hiding.text(why) for _, why in journal.collections.abandoned()],
    }  # fmt: skip


def _troubled(journal: Journal) -> Iterator[ImageSet]:
    """The sets that need a person, then those that are tried again, then others that are not safe yet."""
    yield from islice(journal.sets.in_states(State.HELD, limit=_SETS), _SETS)
    open_sets = journal.sets.in_states(*UNDER_WAY, State.GROWING, limit=10 * _SETS)
    yield from sorted(open_sets, key=lambda one: -one.attempts)[:_SETS]


def _set(one: ImageSet, journal: Journal, hiding: Hiding) -> dict[str, Any]:
    known = [one.name, *one.folder.parts, one.collection or ""]
    known += [part for member in journal.sets.members(one.id)[:1000] for part in (member.path, member.target)]

    def hide(text: str) -> str:
        return hiding.text(text, known)

    return {
        "id": one.id,
        "name": hiding.name(one.name),
        "folder": hiding.name(one.folder.as_posix()),
        "collection": hide(one.collection or ""),
        "format": one.format,
        "grouped_by": one.grouped_by,
        "state": str(one.state),
        "version": one.version,
        "files": one.files,
        "bytes": one.bytes,
        "whole": one.whole,
        "sound": one.sound,
        "validated_by": one.validated_by,
        "completed_by": one.completed_by,
        # What a person said is nobody else's.
        "on_hold": bool(one.on_hold),
        "reason": hide(one.reason),
        "problems": [hide(text) for text in one.problems],
        "remarks": [hide(text) for text in one.remarks],
        "waits_for": [hide(text) for text in one.waits_for],
        "attempts": one.attempts,
        "retry_at": one.retry_at,
        "first_seen": one.first_seen,
        "last_change": one.last_change,
        "completed_at": one.completed_at,
        "history": [
            {"at": at, "state": str(state), "note": "" if state is State.SKIPPED else hide(note)}
            for at, state, note in journal.sets.history(one.id)
        ],
    }


def _event(event: Event, hiding: Hiding) -> Event:
    """A line of the log."""
    known = [str(event.get("name", ""))]
    shown: Event = {}
    for key, value in event.items():
        if key == "name":
            shown[key] = hiding.name(str(value))
        elif key == "exception":
            shown[key] = hiding.traceback(str(value))
        elif key in {"timestamp", "level", "instrument", "library", "set"} or not isinstance(value, str | list):
            shown[key] = value
        elif key == "event" and "library" not in event:
            shown[key] = hiding.private(str(value))
        else:
            shown[key] = (
                [hiding.text(str(one), known) for one in value]
                if isinstance(value, list)
                else hiding.text(value, known)
            )
    return shown


def _json(content: Any) -> str:
    return json.dumps(content, indent=1, ensure_ascii=True) + "\n"
