"""The verbs that do the work: `run` watches until it is stopped, `once` takes what is finished now."""

import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import structlog
import typer

from watcher import osfacts
from watcher import profile as profiles
from watcher.cli.app import (
    JsonOption,
    LogFormatOption,
    ProfileArgument,
    StateOption,
    VerboseOption,
    say,
    state_of,
)
from watcher.cli.console import LogListener, listening
from watcher.daemon import Daemon, Round
from watcher.errors import Exit
from watcher.journal import Journal
from watcher.logs.lines import kept, set_up
from watcher.model import ImageSet, State
from watcher.overview import handoffs, records
from watcher.overview.words import plain
from watcher.profile import Profile
from watcher.signals import ended_by_signals
from watcher.thumbnails import thumbnail
from watcher.web.server import PageServer
from watcher.web.site import Beside

#: Of very many folders so many are named in the log.
_NAMED = 10


def run(
    profile: ProfileArgument,
    state: StateOption = None,
    verbose: VerboseOption = False,
    log_format: LogFormatOption = None,
) -> int:
    """Watch, and deliver every finished set, until stopped.

    Example: irods-watcher run lsm980.yaml
    """
    set_up(verbose=verbose, style=log_format)
    loaded = profiles.load(profile)
    osfacts.lower_priority()
    from watcher.metrics import Metrics  # imported here: only a program that stays is measured
    from watcher.metrics.app import metrics_app

    with _journal(loaded, state) as journal, listening(journal.sets.members) as listener:
        metrics = Metrics(journal, loaded.instrument.name)
        daemon = Daemon(loaded, journal, metrics.counters.listening(listener), heard=metrics.counters.heard)
        beside = Beside(thumbnail, {"/metrics": metrics_app(metrics)})
        with ended_by_signals(daemon.stop) as signals:
            log = structlog.get_logger()
            folders = [str(watch.path) for watch in loaded.watch[:_NAMED]]
            log.info("watching", instrument=loaded.instrument.name, folders=folders, of=len(loaded.watch))
            daemon.run(PageServer(loaded, journal.state, daemon.registers, daemon.trouble, beside=beside))
            log.info("stopped")
    return Exit.INTERRUPTED if signal.SIGINT in signals else Exit.OK


def once(
    profile: ProfileArgument,
    state: StateOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    json: JsonOption = False,
    verbose: VerboseOption = False,
    log_format: LogFormatOption = None,
) -> int:
    """Deliver every set that is finished now, and end.

    Exit code 0: everything in the watched folders is safe. 5: not yet everything, run it again later. 3: a set needs a
    person.

    Example: irods-watcher once lsm980.yaml --dry-run
    """
    set_up(verbose=verbose, style=log_format)
    loaded = profiles.load(profile)
    if dry_run:
        return _dry_run(loaded, json=json)
    with _journal(loaded, state) as journal, listening(journal.sets.members) as listener:
        before = {one.id for one in journal.sets.in_states(State.PUBLISHED)}
        daemon = Daemon(loaded, journal, listener, trust_times=True)
        with ended_by_signals(daemon.stop) as signals:
            result = daemon.once()
        published = [one for one in journal.sets.in_states(State.PUBLISHED) if one.id not in before]
        if json:
            shown = [records.of_set(one, journal.sets.members(one.id)) for one in [*published, *result.unsafe]]
            records.emit(sets=shown, problems=_troubles(result), handoff=handoffs.record(journal))
        else:
            _report(published, result)
            for line in handoffs.sink_lines(journal.outbox.backlogs()):
                print(f"irods-watcher: {line}", file=sys.stderr)  # noqa: T201
    return Exit.INTERRUPTED if signals else _exit_code(result)


def _dry_run(profile: Profile, *, json: bool) -> int:
    """Everything up to the decision, in a journal that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="irods-watcher-") as folder, Journal(Path(folder)) as journal:
        daemon = Daemon(profile, journal, LogListener(), trust_times=True)
        troubles = daemon.observe()
        for trouble in troubles:
            structlog.get_logger().error(str(trouble))
        shown = []
        for image_set in journal.sets.in_states():
            members = journal.sets.members(image_set.id)
            finished = image_set.state is State.COMPLETE
            target = next(daemon.destinations[image_set.root].candidates(image_set, members)) if finished else None
            shown.append({**records.of_set(image_set, members), "collection": target})
            if not json:
                why = f"would go to {target}" if finished else f"not yet: {'; '.join(image_set.waits_for)}"
                say(f"{image_set.name}: {why}")
        if json:
            records.emit(sets=shown)
        elif not shown:
            say("There is nothing to deliver.")
    return Exit.CONFIGURATION if troubles else Exit.OK


def _report(published: list[ImageSet], result: Round) -> None:
    for one in published:
        say(f"{one.name}: safe in {one.collection}")
    for one in result.unsafe:
        reason = one.reason or "; ".join(one.waits_for)
        say(f"{one.name}: {plain(one.state)}" + (f": {reason}" if reason else ""))
    for trouble in _troubles(result):
        print(f"irods-watcher: {trouble}", file=sys.stderr)  # noqa: T201
    if not (published or result.unsafe or _troubles(result)):
        say("There is nothing new to deliver.")


def _troubles(result: Round) -> list[str]:
    found = [*result.folder_trouble, *([result.store_trouble] if result.store_trouble else [])]
    return [str(trouble) for trouble in found]


def _exit_code(result: Round) -> Exit:
    if result.folder_trouble:
        return result.folder_trouble[0].exit_code
    if result.store_trouble:
        return result.store_trouble.exit_code
    if any(one.state is State.HELD for one in result.unsafe):
        return Exit.PARTLY
    return Exit.TRY_LATER if result.unsafe else Exit.OK


@contextmanager
def _journal(profile: Profile, state: Path | None) -> Iterator[Journal]:
    with Journal(state_of(profile, state), owned=True) as journal, kept(journal.state, profile.instrument.name):
        if journal.set_aside:
            structlog.get_logger().warning(
                "the journal was broken; it was set aside and is rebuilt from the disk and the store",
                kept_as=str(journal.set_aside),
            )
        yield journal
