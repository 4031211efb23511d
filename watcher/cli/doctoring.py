"""The verb `doctor`: what may keep images from becoming safe, each with its cure."""

from pathlib import Path
from typing import Annotated

import typer

from watcher.cli.app import JsonOption, ProfileArgument, StateOption, complain_plainly, say, state_of
from watcher.errors import UsageError
from watcher.logs.lines import set_up
from watcher.overview import records


def doctor(
    profile: ProfileArgument,
    bundle: Annotated[
        Path | None,
        typer.Option(help="Also write all that helps others to help, without secrets.", show_default=False),
    ] = None,
    with_names: Annotated[bool, typer.Option("--with-names", help="In the bundle sets and files have names.")] = False,
    state: StateOption = None,
    json: JsonOption = False,
) -> int:
    """Look for whatever may keep images from becoming safe.

    Delivers a test set below the profile's collection and removes it again; watched folders are only read.
    Exit code 3: something needs a person. 78: the profile, the login or the collection is wrong.

    Example: irods-watcher doctor lsm980.yaml --bundle support.zip
    """
    # Imported here: only this verb needs all that, and the others start sooner without.
    from watcher.doctor import bundle as support
    from watcher.doctor.check import Subject, examine, exit_code
    from watcher.doctor.checks import CHECKS
    from watcher.doctor.telling import in_lines, record, summary

    set_up(verbose=False)
    if bundle and bundle.exists():
        raise UsageError(f"{bundle}: it is there already", cure="choose another name, or remove it first")
    subject, results = Subject(profile, lambda loaded: state_of(loaded, state)), []
    for result in examine(subject, CHECKS):
        results.append(result)
        for line in [] if json else in_lines(result):
            say(line)
    if json:
        records.emit(**record(results))
    else:
        say(summary(results))
    if bundle:
        support.write(bundle, subject, results, with_names=with_names)
        complain_plainly(f"{bundle} is written. Look into it before you give it to others.")
    return exit_code(results)
