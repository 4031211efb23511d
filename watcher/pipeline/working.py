"""Work at the instrument: which request it is for, and who operates, from when to when."""

import getpass
from pathlib import Path

from watcher.errors import UsageError
from watcher.journal import Journal
from watcher.journal.sessions import WorkSession
from watcher.model import Person
from watcher.profile import Profile
from watcher.provenance.facility import known_people, lacks, people_of, requests_of
from watcher.provenance.request import Request


def begin(
    journal: Journal,
    profile: Profile,
    request: str,
    operator: str | None,
    now: float,
    *,
    folder: Path | None = None,
    anyway: bool = False,
) -> tuple[WorkSession, Request]:
    """Start a session; without an operator, of who is logged in.

    Raises UsageError if the request, the operator or the folder will not do, and says why.
    """
    wanted = requests_of(profile).get(request)
    wanting = lacks(wanted, people_of(profile))
    if wanting and (wanted.closed or not anyway):
        cure = "complete it, or say --anyway" if not wanted.closed else "make a new one"
        raise UsageError(f"{wanted.id}: an operator cannot begin: {'; '.join(wanting)}", cure=cure)
    who = getpass.getuser() if operator is None else operator
    if not isinstance(found := known_people(profile).find(who), Person):
        begins = f"{who}: " if operator is not None else f"you are logged in as {who}, but "
        raise UsageError(f"{begins}{found}", cure="say who you are with --operator, by a login, ORCID or name")
    place = _place(folder, profile)
    return journal.sessions.start(wanted.id, who, place, now, profile.people.sessions.longest), wanted


def end(journal: Journal, number: int | None, now: float) -> WorkSession:
    """Stop a session, the open one if no number is given. Raises UsageError if it is not open, or several are."""
    found = [one for one in journal.sessions.between(now, now) if number in (None, one.id)]
    if not found:
        raise UsageError("no session is open" if number is None else f"session {number} is not open", cure="")
    if len(found) > 1:
        listed = ", ".join(f"{one.id} ({one.request}, {one.folder or 'everywhere'})" for one in found)
        raise UsageError(f"several sessions are open: {listed}", cure="say which")
    journal.sessions.stop(found[0].id, now, "the operator")
    return found[0]


def _place(folder: Path | None, profile: Profile) -> str:
    if folder is None:
        return ""
    for watch in profile.watch:
        for path in (folder.absolute(), watch.path / folder):
            if path.is_relative_to(watch.path):
                return str(path)
    raise UsageError(f"{folder}: it lies in no watched folder", cure="give a folder below watch.path")
