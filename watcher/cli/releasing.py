"""The verbs of the local copy: `release` lets it go, `restore` brings it back while it is put aside."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from watcher.cli.app import JsonOption, StateOption, known_profile, say, state_of
from watcher.cli.carrying_out import carry_out
from watcher.cli.console import LogListener
from watcher.cli.requesting import ProfileOption
from watcher.daemon import Daemon
from watcher.errors import Exit, UsageError
from watcher.journal import Journal
from watcher.journal.releases import Phase
from watcher.logs.lines import set_up
from watcher.model import ImageSet, State
from watcher.overview import records
from watcher.overview.words import amount, files, when
from watcher.pipeline.release.duty import WANTED_BACK
from watcher.profile import MountStore, Profile
from watcher.profile.release import Release

_UNDER_WAY: Final = (Phase.ORDERED, Phase.MOVING, Phase.BACK, Phase.REMOVING)
_COMES_BACK: Final = {Phase.ORDERED, Phase.MOVING, Phase.ASIDE, Phase.BACK, Phase.STUCK}


def release(
    which: Annotated[
        list[str] | None, typer.Argument(help="Sets: name, identifier or collection.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All published sets that have files here.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what could go, and why the rest stays.")] = False,
    log: Annotated[
        bool, typer.Option("--log", help="Show what was removed, and whether its lines are genuine.")
    ] = False,
    profile: ProfileOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> int:
    """Let the local files of published sets go, if all that the profile demands is proven at this moment.

    They wait on the same disk for the grace period, where `restore` brings them back from, and are removed then. Exit
    code 3 if one has to stay.

    Example: irods-watcher release --all --dry-run
    """
    set_up(verbose=False)
    loaded = known_profile(profile, state)
    place = state_of(loaded, state)
    if log:
        with Journal(place) as journal:
            return _log(journal, json=json)
    if isinstance(loaded.store, MountStore):
        raise UsageError(f"{loaded.source}: what lies on a mount is the set itself and no copy of it", cure="")
    demanded = loaded.release or (Release() if dry_run else None)
    if demanded is None:
        cure = "write for example `release: {grace: 24h}` into it; without more it releases only what you order"
        raise UsageError(f"{loaded.source}: this profile lets no local copy go", cure=cure)
    with Journal(place) as journal:
        if bool(which) == everything:
            raise UsageError("say which sets", cure="name them, or give --all")
        published = (one for one in journal.sets.in_states(State.PUBLISHED) if not one.cleared)
        chosen = [journal.sets.find(word) for word in which] if which else list(published)
        if dry_run:
            daemon = Daemon(loaded, journal, LogListener())
            return _report(list(daemon.why_not_released(chosen, demanded)), json=json)
        for one in chosen:
            journal.releases.enter(one.id, Phase.ORDERED, time.time())
    _carry_out(place, loaded, "looks whether they can go")
    with Journal(place) as journal:
        return _report([(one, _why(journal, one)) for one in chosen], journal, json=json)


def restore(
    which: Annotated[list[str], typer.Argument(help="Sets: name, identifier or collection.", show_default=False)],
    profile: ProfileOption = None,
    state: StateOption = None,
) -> int:
    """Bring local files back that are put aside. What was removed comes back with `fetch`.

    Example: irods-watcher restore 20260304_Actin_plate3
    """
    set_up(verbose=False)
    loaded = known_profile(profile, state)
    place = state_of(loaded, state)
    with Journal(place) as journal:
        chosen = [journal.sets.find(word) for word in which]
        for one in chosen:
            aside = journal.releases.of(one.id)
            if aside is None or aside.phase not in _COMES_BACK:
                gone = one.state is State.RELEASED
                cure = f"`irods-watcher fetch {one.id[9:17]}` gets them from the archive" if gone else "see `show`"
                raise UsageError(f"{one.name}: no files of it are put aside", cure=cure)
        for one in chosen:
            journal.releases.enter(one.id, Phase.BACK, time.time(), why=WANTED_BACK)
    _carry_out(place, loaded, "brings them back")
    with Journal(place) as journal:
        stuck = [(one, _why(journal, one)) for one in chosen if _phase(journal, one) is Phase.STUCK]
        for one, why in stuck:
            say(f"{one.name}: {'; '.join(why)}")
        for one in chosen:
            if one not in [other for other, _ in stuck]:
                say(f"{one.name}: its files are back in {one.root / one.folder}")
    return Exit.PARTLY if stuck else Exit.OK


def _carry_out(place: Path, profile: Profile, what: str) -> None:
    carry_out(
        place, profile, what, lambda journal: not journal.releases.in_phases(*_UNDER_WAY), Daemon.carry_out_releases
    )


def _phase(journal: Journal, one: ImageSet) -> Phase | None:
    aside = journal.releases.of(one.id)
    return aside.phase if aside else None


def _why(journal: Journal, one: ImageSet) -> list[str]:
    aside = journal.releases.of(one.id)
    return [aside.why] if aside and aside.phase in {Phase.REFUSED, Phase.STUCK} else []


def _report(found: Sequence[tuple[ImageSet, list[str]]], journal: Journal | None = None, *, json: bool) -> int:
    """What each could do or did; without a journal it was only asked."""
    if json:
        records.emit(sets=[{"id": one.id, "name": one.name, "stays": why} for one, why in found])
    else:
        for one, why in found:
            aside = journal.releases.of(one.id) if journal else None
            until = f"put aside until {when(aside.until)}" if aside and aside.phase is Phase.ASIDE else "it could go"
            say(f"{one.name}: " + (f"its files stay: {'; '.join(why)}" if why else until))
        if not found:
            say("No published set has files here.")
    return Exit.PARTLY if any(why for _, why in found) else Exit.OK


def _log(journal: Journal, *, json: bool) -> int:
    last, shown = 0, []
    while lines := journal.releases.removals(after=last):
        last = lines[-1].number
        for one in lines:
            if json:
                shown.append({"id": one.set_id, "path": one.path, "bytes": one.size, "sha256": one.sha256,
                              "copies": list(one.copies), "at": one.at})  # fmt: skip
            else:
                say(f"{when(one.at)}  {one.sha256}  {one.path} ({amount(one.size)}), in {', '.join(one.copies)}")
    false = journal.releases.first_false()
    if json:
        records.emit(removals=shown, first_false=false)
    elif false is not None:
        say(f"Line {false} is not as it was signed: somebody has changed it, or taken one out before it.")
    else:
        say(f"{files(last)} removed; every line is as it was signed." if last else "Nothing was removed yet.")
    return Exit.OK if false is None else Exit.PARTLY
