"""What a profile's facility knows: its persons, its requests, and whether what somebody says of them can be."""

from collections.abc import Mapping
from typing import Final

from watcher.errors import UsageError
from watcher.model import Person
from watcher.profile import Profile
from watcher.provenance.people import People, read_people
from watcher.provenance.request import Request
from watcher.provenance.requests import Requests, ready

#: What may be said later of who made a set.
SAYABLE: Final = ("request", "scientist", "operator", "project")


def requests_of(profile: Profile) -> Requests:
    """The folder of requests that a profile names. Raises UsageError if it names none."""
    if profile.people.requests is None:
        raise UsageError(
            f"{profile.source}: this profile names no folder of requests",
            cure="write for example `people: {requests: requests}` into it",
        )
    return Requests(profile.people.requests)


def people_of(profile: Profile) -> People | None:
    """The directory of persons that a profile names, None if it names none. Raises PeopleError."""
    section = profile.people
    return read_people(section.directory, section.columns, section.generic_logins) if section.directory else None


def known_people(profile: Profile) -> People:
    """The same. Raises UsageError if it names none, and PeopleError."""
    people = people_of(profile)
    if people is None:
        raise UsageError(
            f"{profile.source}: this profile names no directory of persons",
            cure="write for example `people: {directory: people.yaml}` into it",
        )
    return people


def lacks(request: Request, people: People | None) -> list[str]:
    """What keeps an operator from beginning with a request, in words."""

    def unknown(word: str) -> str:
        found = people.find(word) if people else None
        return "" if found is None or isinstance(found, Person) else str(found)

    return ready(request, unknown)


def checked(said: Mapping[str, str], profile: Profile) -> dict[str, str]:
    """What is said of who made a set, if the facility knows the request and the persons. Raises UsageError."""
    found = dict(said)
    if said.get("request"):
        found["request"] = requests_of(profile).get(said["request"]).id
    for key in ("scientist", "operator"):
        if (word := said.get(key)) and not isinstance(known := known_people(profile).find(word), Person):
            raise UsageError(f"{key} {word}: {known}", cure="give a login, ORCID, e-mail address or name")
    return found
