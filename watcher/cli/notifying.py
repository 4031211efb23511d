"""The verbs for messages to people: `notify test`."""

from typing import Annotated

import typer

from watcher.cli.app import StateOption, complain, known_profile, say
from watcher.cli.requesting import ProfileOption
from watcher.errors import Exit, NotifierAway, UsageError
from watcher.model import Person
from watcher.notify import open_channels
from watcher.notify.base import Channel
from watcher.overview import letters
from watcher.overview.telling import desk_of
from watcher.profile import Profile
from watcher.provenance.facility import people_of

app = typer.Typer(help="Messages to people: test.", no_args_is_help=True, rich_markup_mode=None)


@app.command(name="test")
def try_ways(
    to: Annotated[
        str | None, typer.Option(help="A person of the directory who gets a letter, too.", show_default=False)
    ] = None,
    profile: ProfileOption = None,
    state: StateOption = None,
) -> int:
    """Send a test message to each address of the facility.

    Exit code 5 if one of them could not be told.

    Example: irods-watcher notify test --profile lsm980.yaml --to jdoe
    """
    loaded = known_profile(profile, state)
    channels = open_channels(loaded)
    ways: list[tuple[Channel, str]] = [(channel, "") for channel in channels.facility]
    if to is not None:
        ways.append((_mail(channels.persons, loaded), _address(to, loaded)))
    if not ways:
        raise UsageError(
            f"{loaded.source}: this profile tells the facility nothing",
            cure="write for example `notify: {apprise: [{env: NOTIFY_FACILITY}]}` into it, or give --to",
        )
    message, failed = letters.trial(desk_of(loaded, lambda _: None)), False
    for channel, address in ways:
        try:
            channel.send(message, address)
            say(f"{channel.name}: sent")
        except NotifierAway as error:
            failed = True
            complain(error.what)
    return Exit.TRY_LATER if failed else Exit.OK


def _mail(channel: Channel | None, profile: Profile) -> Channel:
    if channel is None:
        cure = "write for example `notify: {mail: {env: NOTIFY_MAIL}}` into it"
        raise UsageError(f"{profile.source}: this profile names no mail server", cure=cure)
    return channel


def _address(word: str, profile: Profile) -> str:
    people = people_of(profile)
    found = people.find(word) if people else None
    if not isinstance(found, Person) or not found.email:
        why = "the directory has no e-mail address of this person" if isinstance(found, Person) else str(found or "")
        raise UsageError(f"{word}: {why or 'the profile names no directory of persons'}", cure="see people.directory")
    return found.email
