"""The verbs that only look: `status`, `list`, `show`, `explain`, `inspect`."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from watcher import profile as profiles
from watcher.cli import handoffs, records
from watcher.cli.app import JsonOption, StateOption, files, journal_only, out, say
from watcher.cli.attributing import in_detail, in_one_line
from watcher.cli.console import PLAIN, amount, when
from watcher.cli.working import session_words
from watcher.errors import Exit
from watcher.journal import Journal, watched_by
from watcher.model import UNDER_WAY, ImageSet, Resolution, State
from watcher.pipeline.amend import in_words
from watcher.pipeline.explain import explain as find_reasons
from watcher.pipeline.inspect import inspect as look_into

#: Things of one kind that `status` tells.
_MOST = 10


def status(state: StateOption = None, json: JsonOption = False) -> int:
    """Is everything safe, and does anything need you?

    Example: irods-watcher status
    """
    with journal_only(state) as journal:
        counts = journal.sets.counts()
        watcher = watched_by(journal.state)
        store = str(journal.noted("store") or "")
        held = journal.sets.in_states(State.HELD)
        pace = journal.noted("pace") if watcher else None
        abandoned = journal.collections.abandoned()
        now = time.time()
        sessions = journal.sessions.between(now, now)
        unknown = sum(n for how, n in journal.attributions.counts().items() if how is not Resolution.RESOLVED)
        shut_out = journal.attributions.shut_out()
        untold = journal.attributions.problems()
        if json:
            records.emit(
                watcher=watcher,
                store_problem=store,
                counts={str(one): counts.get(one, 0) for one in State},
                heartbeat=journal.noted("heartbeat"),
                pace=pace,
                held=[records.of_set(one, ()) for one in held],
                abandoned=[{"collection": collection, "why": why} for collection, why in abandoned],
                sessions=[asdict(one) for one in sessions],
                unattributed=unknown,
                shut_out=[{"id": set_id, "who": who, "why": why} for set_id, who, why in shut_out],
                untold=[{"id": set_id, "why": why} for set_id, why in untold],
                handoff=handoffs.record(journal),
            )
            return Exit.OK
        say(_sentence(counts, store))
        say(f"Watcher: {'running, ' + watcher if watcher else 'not running'}")
        if isinstance(pace, dict) and (words := _pace(pace)):
            say(words)
        for one in State:
            if counts.get(one):
                say(f"{counts[one]:7d}  {PLAIN[one]}")
        for image_set in held:
            say(f"Needs attention: {image_set.name}: {image_set.reason}")
        for session in sessions:
            say(session_words(session))
        if unknown:
            say(f"Of {_sets(unknown)} it is not fully known who made them: `irods-watcher attribute --unresolved`.")
        for who, why, number in _grouped(shut_out):
            say(f"No access yet for {who} to {_sets(number)}: {why}")
        for set_id, why in untold[:_MOST]:
            say(f"The store could not be told who made {set_id[9:17]}: {why}")
        for collection, why in abandoned:
            say(f"For the iRODS administrator: {collection} is no longer used and can be removed ({why})")
        for line in (*handoffs.sink_lines(journal), *handoffs.agent_lines(journal)):
            say(line)
    return Exit.OK


def list_sets(
    only: Annotated[list[State] | None, typer.Option("--in", help="Only sets in this state.")] = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """All sets, and where each is.

    Example: irods-watcher list --in held
    """
    with journal_only(state) as journal:
        sets = journal.sets.in_states(*(only or ()))
        if json:
            records.emit(sets=[_record(one, journal) for one in sets])
            return
        table = Table(box=None, pad_edge=False)
        for title in ("id", "name", "state", "since", "where, or what is missing"):
            table.add_column(title, overflow="fold")
        for one in sets:
            detail = one.reason or "; ".join(one.waits_for) or one.collection or ""
            since = when(one.published_at or one.completed_at or one.first_seen)
            table.add_row(one.id[9:17], one.name, PLAIN[one.state], since, detail)
        out().print(table if sets else "No sets.")


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
            record = _record(one, journal)
            record["access"] = [
                {"who": who, "level": level, "problem": problem}
                for who, (level, problem) in sorted(journal.attributions.granted(one.id).items())
            ]
            record["changes"] = [asdict(change) for change in journal.attributions.changes(one.id)]
            record["history"] = [{"at": at, "state": str(to), "note": note} for at, to, note in history]
            records.emit(sets=[record])
            return
        say(f"{one.name} (version {one.version}): {PLAIN[one.state]}")
        for title, value in (
            ("identifier", one.id),
            ("here", one.root / one.folder),
            ("there", one.collection or "-"),
            ("format", one.format or "not known"),
            ("checked", one.validated_by),
            ("needs attention", one.reason),
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


def _record(one: ImageSet, journal: Journal) -> dict[str, Any]:
    made_by, handoff = journal.attributions.record(one.id), journal.handoffs.of(one)
    return records.of_set(one, journal.sets.members(one.id), made_by, handoff)


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
            say(f"  complete: {'yes' if one.complete else 'no, missing ' + _some(missing)}")
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


def _sets(number: int) -> str:
    return "1 set" if number == 1 else f"{number} sets"


def _grouped(shut_out: Sequence[tuple[str, str, str]]) -> list[tuple[str, str, int]]:
    """Who could not be let in and why, with the number of sets; the most common first."""
    counts = Counter((who, why) for _, who, why in shut_out)
    return [(who, why, number) for (who, why), number in counts.most_common(_MOST)]


def _some(names: Sequence[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _pace(pace: dict[str, Any]) -> str:
    """How the profile's limits slow the sending down at the moment, "" if they do not."""
    if pace["resting_until"] is not None:
        return f"Nothing is sent until {when(pace['resting_until'])}, as the profile's hours say."
    if pace["rate"] is None:
        return ""
    because = " while the instrument acquires" if pace["acquiring"] else ""
    return f"At most {amount(pace['rate'])} are sent in a second{because}."


def _sentence(counts: dict[State, int], store: str) -> str:
    """The one sentence that an operator reads."""
    held = counts.get(State.HELD, 0)
    open_sets = sum(counts.get(one, 0) for one in (State.GROWING, *UNDER_WAY))
    safe = counts.get(State.PUBLISHED, 0) + counts.get(State.RELEASED, 0)
    if store:
        return f"The store has a problem: {store}"
    if held:
        return f"{held} {'set needs' if held == 1 else 'sets need'} you; {safe} safe, {open_sets} on the way."
    if open_sets:
        return f"{open_sets} {'set is' if open_sets == 1 else 'sets are'} on the way; {safe} safe in the archive."
    if safe == 1:
        return "The one set is safe in the archive."
    return f"All {safe} sets are safe in the archive." if safe else "No sets yet."
