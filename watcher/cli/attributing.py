"""The verb that says later who made sets: `attribute`. It goes through the journal, whether the watcher runs or not."""

import getpass
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from watcher.cli.app import JsonOption, StateOption, known_profile, say, state_of
from watcher.cli.carrying_out import carry_out
from watcher.cli.console import set_up_logs
from watcher.cli.requesting import ProfileOption
from watcher.daemon import Daemon
from watcher.errors import Exit, UsageError
from watcher.journal import Journal
from watcher.journal.attributions import Order
from watcher.model import ImageSet, Resolution
from watcher.overview import records
from watcher.overview.people import in_detail, in_one_line
from watcher.pipeline.attribute import Attributor
from watcher.profile import Profile
from watcher.provenance import facility
from watcher.provenance.registers import Registers

#: Sets that are told of one by one.
_MOST = 20


def attribute(
    which: Annotated[
        list[str] | None, typer.Argument(help="Sets: name, identifier or collection.", show_default=False)
    ] = None,
    request: Annotated[str | None, typer.Option(help="The request that they are for.", show_default=False)] = None,
    scientist: Annotated[str | None, typer.Option(help="Whose images they are.", show_default=False)] = None,
    operator: Annotated[str | None, typer.Option(help="Who operated the instrument.", show_default=False)] = None,
    project: Annotated[str | None, typer.Option(help="The project.", show_default=False)] = None,
    folder: Annotated[Path | None, typer.Option(help="All sets in this folder.", show_default=False)] = None,
    name: Annotated[
        str | None, typer.Option(help="All sets whose name matches, as in 'actin*'.", show_default=False)
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only what was acquired since, as in 2026-11-27T09:00.", show_default=False)
    ] = None,
    until: Annotated[str | None, typer.Option(help="Only what was acquired until then.", show_default=False)] = None,
    unresolved: Annotated[bool, typer.Option("--unresolved", help="Only where it is not known who made them.")] = False,
    by: Annotated[str | None, typer.Option(help="Who says so; absent: who is logged in.", show_default=False)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be known, and whence.")] = False,
    profile: ProfileOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> int:
    """Say who made sets, also long after they were published.

    Their metadata, crate and access follow. Without anything said it is found out anew from all that is known now; an
    empty value takes back what was said before.

    Example: irods-watcher attribute --folder D:/Data/monday --request RQ4F7K2MT
    """
    set_up_logs(verbose=False)
    loaded = known_profile(profile, state)
    options = {"request": request, "scientist": scientist, "operator": operator, "project": project}
    said = facility.checked({key: value for key, value in options.items() if value is not None}, loaded)
    place = state_of(loaded, state)
    zone = ZoneInfo(loaded.instrument.timezone) if loaded.instrument.timezone else None
    with Journal(place) as journal:
        if which:
            chosen = [journal.sets.find(word) for word in which]
        elif folder or name or since or until or unresolved:
            limits = (_moment(since, zone, "since", last=False), _moment(until, zone, "until", last=True))
            chosen = journal.sets.matching(folder and folder.absolute(), name, limits, unresolved=unresolved)
        else:
            raise UsageError("say which sets", cure="name them, or give --folder, --name, --since or --unresolved")
        if not chosen:
            raise UsageError("no set fits", cure="`irods-watcher list` shows the sets")
        if dry_run:
            return _would_be(chosen, said, loaded, journal, json=json)
        ids = [one.id for one in chosen]
        if said:
            journal.attributions.order(ids, Order(time.time(), by or getpass.getuser(), said))
        else:
            journal.attributions.look_again(ids)
    carry_out(place, loaded, "tells the store", _is_told, Daemon.amend)
    with Journal(place) as journal:
        return _report(chosen, journal, json=json)


def _moment(text: str | None, zone: ZoneInfo | None, option: str, *, last: bool) -> float | None:
    """Seconds since 1970; a day alone is its beginning, or its end. Raises UsageError."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--{option} {text}: this is no time", cure="write one like 2026-11-27T09:00") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return (moment + timedelta(days=1) if last and len(text) <= len("2026-11-27") else moment).timestamp()


def _would_be(
    chosen: Sequence[ImageSet], said: Mapping[str, str], profile: Profile, journal: Journal, *, json: bool
) -> int:
    registers = Registers(profile)
    registers.refresh()
    attributor = Attributor(profile, journal, registers)
    found = [(one, attributor.would_be(one, journal.sets.members(one.id), said)) for one in chosen]
    if json:
        records.emit(sets=[{"id": one.id, "name": one.name, **records.of_attribution(what)} for one, what in found])
        return Exit.OK
    for one, what in found:
        say(f"{one.name}: {in_one_line(what)}")
        for line in in_detail(what):
            say(f"  {line}")
    return Exit.OK


def _is_told(journal: Journal) -> bool:
    """Whether the store knows of all that was said, as far as it can be told now."""
    due = journal.attributions.next_due()
    return due is None or due > time.time()


def _report(chosen: Sequence[ImageSet], journal: Journal, *, json: bool) -> int:
    known = {one.id: journal.attributions.record(one.id) for one in chosen}
    problems = {set_id: what for set_id, what in journal.attributions.problems() if set_id in known}
    shut_out = [entry for entry in journal.attributions.shut_out() if entry[0] in known]
    if json:
        records.emit(
            sets=[
                {"id": one.id, "name": one.name, "problem": problems.get(one.id, ""),
                 **records.of_attribution(known[one.id])} for one in chosen
            ],
            shut_out=[{"id": set_id, "who": who, "why": why} for set_id, who, why in shut_out],
        )  # fmt: skip
    else:
        for one in chosen[:_MOST]:
            what = known[one.id]
            words = problems.get(one.id) or (in_one_line(what) if what else "it counts when the set is published")
            say(f"{one.name}: {words}")
        if len(chosen) > _MOST:
            resolved = sum(bool(what and what.state is Resolution.RESOLVED) for what in known.values())
            say(f"and {len(chosen) - _MOST} more; of all {len(chosen)} sets {resolved} are resolved")
        for _, who, why in shut_out[:_MOST]:
            say(f"No access yet for {who}: {why}")
    return Exit.PARTLY if problems or shut_out else Exit.OK
