"""The verbs that only look: `status`, `list`, `show`, `explain`, `inspect`."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live
from rich.table import Table

from watcher import profile as profiles
from watcher.cli.app import JsonOption, StateOption, journal_only, out, printable, say
from watcher.errors import Exit
from watcher.journal import Journal
from watcher.model import ImageSet, State
from watcher.overview import handoffs, picture, records
from watcher.overview.attention import Kind
from watcher.overview.people import in_detail, in_one_line, session_words
from watcher.overview.words import amount, detail, duration, files, plain, sets, some, when
from watcher.pipeline.amend import in_words
from watcher.pipeline.explain import explain as find_reasons
from watcher.pipeline.inspect import inspect as look_into
from watcher.pipeline.orders import paused

#: Things of one kind that `status` tells, and how often in seconds it is shown anew.
_MOST = 10
_ANEW = 2.0


def status(
    state: StateOption = None,
    json: JsonOption = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it anew every two seconds, until Ctrl-C.")] = False,
) -> int:
    """Is everything safe, and does anything need you?

    Example: irods-watcher status --watch
    """
    with journal_only(state) as journal:
        if json:
            records.emit(**records.of_overview(picture.take(journal, time.time()), journal))
            return Exit.OK
        if not watch:
            for line in _status(journal):
                say(line)
            return Exit.OK
        with Live(console=out(), auto_refresh=False) as live:
            while True:
                live.update("\n".join(map(printable, _status(journal))), refresh=True)
                time.sleep(_ANEW)


def _status(journal: Journal) -> Iterator[str]:
    """The picture, a line each."""
    now = picture.take(journal, time.time())
    yield picture.sentence(now)
    yield f"Watcher: {'running, ' + now.watcher if now.watcher else 'not running'}"
    if now.page:
        yield f"Page: {now.page}"
    if now.paused:
        yield str(paused(journal))
    if now.pace and (pace := picture.pace_words(now.pace)):
        yield pace
    for one in State:
        if now.counts.get(one):
            yield f"{now.counts[one]:7d}  {plain(one)}"
    if now.on_hold:
        yield f"{now.on_hold:7d}  on hold, because a person said so"
    for bar in now.sending[:_MOST]:
        percent = 100 * bar.done // bar.total
        yield f"{bar.image_set.name}: {percent} % of {amount(bar.total)}, {plain(bar.image_set.state)}"
    if now.rate:
        left = f", {duration(now.seconds_left)} left" if now.seconds_left else ""
        yield f"{amount(now.rate)} are sent in a second{left}."
    for disk in now.disks:
        yield f"{amount(disk.free)} of {amount(disk.total)} are free on the disk of {disk.folder}."
    for need in now.attention:
        yield f"Needs attention: {need.what}" if need.kind is Kind.SET else need.what
    for session in now.sessions:
        yield session_words(session)
    if now.unattributed:
        unknown = f"Of {sets(now.unattributed)} it is not fully known who made them"
        yield f"{unknown}: `irods-watcher attribute --unresolved`."
    quiet = [backlog for backlog in now.backlogs if not backlog.problem and not backlog.refused]
    yield from (*handoffs.sink_lines(quiet), *handoffs.agent_lines(journal))


def list_sets(
    only: Annotated[list[State] | None, typer.Option("--in", help="Only sets in this state.")] = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """All sets, and where each is.

    Example: irods-watcher list --in held
    """
    with journal_only(state) as journal:
        found = journal.sets.in_states(*(only or ()))
        if json:
            records.emit(sets=[records.in_brief(one, journal.sets.members(one.id), journal) for one in found])
            return
        table = Table(box=None, pad_edge=False)
        for title in ("id", "name", "state", "since", "where, or what is missing"):
            table.add_column(title, overflow="fold")
        for one in found:
            since = when(one.published_at or one.completed_at or one.first_seen)
            table.add_row(one.id[9:17], one.name, plain(one.state), since, detail(one) or one.collection or "")
        out().print(table if found else "No sets.")


def show(
    which: Annotated[str, typer.Argument(help="Name, identifier or collection of a set.", show_default=False)],
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """One set: its files, digests and history.

    Example: irods-watcher show 20260304_Actin_plate3
    """
    with journal_only(state) as journal:
        one = journal.sets.find(which)
        answer = journal.handoffs.of(one)
        members = journal.sets.members(one.id)
        history = journal.sets.history(one.id)
        if json:
            records.emit(sets=[records.in_full(one, members, journal)])
            return
        say(f"{one.name} (version {one.version}): {plain(one.state)}")
        for title, value in (
            ("identifier", one.id),
            ("here", one.root / one.folder),
            ("there", one.collection or "-"),
            ("format", one.format or "not known"),
            ("checked", one.validated_by),
            ("needs attention", one.reason),
            ("on hold", one.on_hold),
            ("waits for", "; ".join(one.waits_for)),
            ("problems", "; ".join(one.problems)),
            ("remarks", "; ".join(one.remarks)),
            ("handed on", handoffs.words(answer)),
        ):
            if value:
                say(f"  {title}: {value}")
        for line in _who(one, journal):
            say(f"  {line}")
        total = sum(member.facts.size for member in members)
        say(f"  {files(len(members))}, {amount(total)}")
        for member in members:
            say(f"    {member.sha256 or 'not sent yet':64}  {member.target}")
        for at, to, note in history:
            say(f"  {when(at)}  {to}: {note}")


def _who(one: ImageSet, journal: Journal) -> Iterator[str]:
    """Who made a set and who may read it, and what was changed of that later."""
    if what := journal.attributions.record(one.id):
        yield f"made by: {in_one_line(what)}"
        yield from (f"  {line}" for line in in_detail(what))
    for who, (level, problem) in sorted(journal.attributions.granted(one.id).items()):
        yield f"access: {who}: {(problem and f'not yet, {problem}') or level}"
    for change in journal.attributions.changes(one.id):
        yield f"changed: {when(change.at)} by {change.who or 'the registers'}: {in_words(change)}"


def explain(
    path: Annotated[Path, typer.Argument(help="A file in the watched folder.", show_default=False)],
    profile: Annotated[Path, typer.Option("--profile", "-p", help="The instrument's profile.", show_default=False)],
    json: JsonOption = False,
) -> int:
    """Why a file is not in the archive yet.

    Its set, which rule is not met, and where it would go.

    Example: irods-watcher explain D:/Data/jdoe/scan.tif --profile lsm980.yaml
    """
    found = find_reasons(path.absolute(), profiles.load(profile))
    if json:
        records.emit(sets=[found.record()])
    else:
        say("\n".join(found.lines()))
    return Exit.OK


def inspect(
    path: Annotated[Path, typer.Argument(help="A file or folder, anywhere.", show_default=False)],
    json: JsonOption = False,
) -> int:
    """What a file or folder is: complete? sound?

    Also what the sets in it say of themselves. Needs no profile. Exit code 3 if a set is incomplete or not sound.

    Example: irods-watcher inspect plate3/
    """
    found = list(look_into(path.absolute()))
    if json:
        records.emit(sets=[records.of_inspection(one) for one in found])
    else:
        for one in found:
            say(f"{one.group.name}: {one.group.format or 'format not known'}, {files(len(one.group.files))}")
            missing = one.group.missing or one.validation.missing
            say(f"  complete: {'yes' if one.complete else 'no, missing ' + some(missing)}")
            sound = {True: "yes", False: "no", None: "cannot be told"}[one.validation.sound]
            say(f"  sound: {sound} ({one.validation.checked})")
            for problem in one.validation.problems:
                say(f"  problem: {problem}")
            for remark in one.validation.remarks:
                say(f"  remark: {remark}")
            for key, value in one.validation.embedded.items():
                source = one.validation.sources.get(key, "")
                say(f"  {key}: {value}" + (f"  ({source})" if source else ""))
        if not found:
            say(f"{path}: there are no image sets in it")
    return Exit.PARTLY if any(not one.complete or one.validation.sound is False for one in found) else Exit.OK
