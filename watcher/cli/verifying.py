"""The verbs that compare with the stores: `verify` what was published, `adopt` what was uploaded by other means."""

import contextlib
import math
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from watcher.cli.app import JsonOption, StateOption, complain, known_profile, say, state_of
from watcher.cli.console import LogListener
from watcher.cli.requesting import ProfileOption
from watcher.daemon import Daemon
from watcher.errors import Exit, UsageError
from watcher.journal import Journal
from watcher.logs.lines import set_up
from watcher.model import ImageSet, State
from watcher.overview import records
from watcher.overview.words import plain, sets
from watcher.pipeline.audit import Auditor, Found
from watcher.pipeline.auditing import batches
from watcher.profile import MountStore
from watcher.signals import ended_by_signals

_STORED: Final = {State.PUBLISHED, State.RELEASED, State.SUPERSEDED}
#: Up to so many sets each is told of, also if all is well with it.
_EACH: Final = 20


def verify(
    which: Annotated[
        list[str] | None, typer.Argument(help="Sets: name, identifier or collection.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All published sets.")] = False,
    sample: Annotated[int, typer.Option("--sample", min=0, help="So many published sets, taken at random.")] = 0,
    deep: Annotated[bool, typer.Option("--deep", help="Have the stores read all stored bytes again.")] = False,
    profile: ProfileOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> int:
    """Compare published sets with what their stores hold now. Nothing is sent again, and no file is changed.

    Exit code 3: something is not as it was published. 5: a copy could not be asked.

    Example: irods-watcher verify --sample 100 --deep
    """
    set_up(verbose=False)
    if sum((bool(which), everything, bool(sample))) != 1:
        raise UsageError("say which sets", cure="name them, or give --all or --sample N")
    loaded = known_profile(profile, state)
    away: dict[str, str] = {}
    found: list[tuple[ImageSet, Found, Sequence[str]]] = []
    with Journal(state_of(loaded, state)) as journal:
        ids = [_named(word, journal).id for word in which] if which else journal.looks.stored()
        if sample and sample < len(ids):
            ids = random.sample(ids, sample)
        asked = 0
        with contextlib.closing(Daemon(loaded, journal, LogListener()).auditor(away.__setitem__)) as auditor:
            rate = (loaded.audit.rate if loaded.audit else math.inf) if deep else None
            for one, what, drift in _verified(ids, journal, auditor, rate):
                asked += 1
                if drift or len(ids) <= _EACH:
                    found.append((one, what, drift))
    troubles = [f"{name}: it could not be asked: {what}" for name, what in away.items() if what]
    changed = sum(bool(drift) for _, _, drift in found)
    if json:
        shown = [{"id": one.id, "name": one.name, "drift": list(drift)} for one, _, drift in found]
        records.emit(sets=shown, verified=asked, changed=changed, deep=deep, problems=troubles)
    else:
        for one, what, drift in found:
            say(f"{one.name}: " + ("; ".join(drift) if drift else f"as it was published, in {_places(what)}"))
        how = "; all stored bytes were read again" if deep else ""
        say(f"{sets(asked)} verified: {asked - changed} as published, {changed} not{how}.")
        for trouble in troubles:
            complain(trouble)
    return Exit.PARTLY if changed else Exit.TRY_LATER if troubles else Exit.OK


def adopt(
    folder: Annotated[Path, typer.Argument(help="A watched folder, or one in it.", show_default=False)],
    profile: ProfileOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> int:
    """Take over sets that were uploaded by other means: what is in the store at its place, the same in every byte.

    Such a set is described and published where it is; what is not the same is told and not touched. Not while the
    watcher runs. Exit code 3: not every set was adopted.

    Example: irods-watcher adopt D:/Data/2024
    """
    set_up(verbose=False)
    loaded = known_profile(profile, state)
    if isinstance(loaded.store, MountStore):
        raise UsageError(f"{folder}: what lies on a mount is published there by `run`", cure="start that")
    place = folder.resolve()
    if not any(place.is_relative_to(watch.path.resolve()) for watch in loaded.watch):
        raise UsageError(f"{folder}: it is not in a folder that this profile watches", cure="give one that is")
    done: list[tuple[ImageSet, str]] = []
    with Journal(state_of(loaded, state), owned=True) as journal:
        daemon = Daemon(loaded, journal, LogListener(), trust_times=True)
        with ended_by_signals(daemon.stop) as signals:
            for one, why in daemon.adopt(place):
                now = journal.sets.maybe(one.id) or one
                done.append((now, why))
                if not json:
                    say(f"{one.name}: " + (f"not adopted: {why}" if why else f"adopted in {now.collection}"))
    if json:
        shown = [{"id": one.id, "name": one.name, "collection": one.collection, "why_not": why} for one, why in done]
        records.emit(sets=shown)
    else:
        adopted = sum(not why for _, why in done)
        say(f"{sets(len(done))} looked at: {adopted} adopted, {len(done) - adopted} not.")
    if signals:
        return Exit.INTERRUPTED
    return Exit.PARTLY if any(why for _, why in done) else Exit.OK


def _named(word: str, journal: Journal) -> ImageSet:
    one = journal.sets.find(word)
    if one.state not in _STORED:
        raise UsageError(f"{one.name}: it is {plain(one.state)}", cure="a set can be verified once it is published")
    return one


def _verified(
    ids: Sequence[str], journal: Journal, auditor: Auditor, rate: float | None
) -> Iterator[tuple[ImageSet, Found, Sequence[str]]]:
    """Each set with what was found and all that is known to be wrong; `rate` in bytes/s: all bytes are read again."""
    for some in batches(journal, ids):
        if rate is None:
            for found in auditor.look(some):
                yield found.image_set, found, auditor.record(found)[1]
            continue
        for one in some:
            damaged = list(_damaged(one, auditor, rate))
            (found,) = auditor.look([one])
            yield one, found, auditor.record(found, damaged)[1]


def _damaged(one: ImageSet, auditor: Auditor, rate: float) -> Iterator[str]:
    begin = time.monotonic()
    for size, problem in auditor.read_again(one):
        time.sleep(max(0.0, begin + size / rate - time.monotonic()))
        begin = time.monotonic()
        if problem:
            yield problem


def _places(found: Found) -> str:
    collection = found.image_set.collection or ""
    return ", ".join([collection, *sorted(found.asked)])
