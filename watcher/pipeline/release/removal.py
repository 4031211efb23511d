"""The end of a local copy: everything is proven once more, each file gets its signed line, and only then it goes."""

import itertools
from collections.abc import Mapping, Sequence

from watcher.errors import SourceError, SourceUnreadable
from watcher.journal import Journal
from watcher.model import ImageSet, Member, State
from watcher.pipeline.release import aside
from watcher.pipeline.release.checks import same_files
from watcher.pipeline.release.evidence import MAIN
from watcher.stores.source import Source

#: Files that get their lines in one transaction.
_AT_ONCE = 500


def too_few(answers: Mapping[str, Sequence[str]], demanded: int) -> list[str]:
    """Why what the stores say is no proof of so many copies; empty if it is."""
    wanting = [what for some in answers.values() for what in some]
    good = sum(not some for some in answers.values())
    enough = good >= demanded and not answers.get(MAIN, ["the store was not asked"])
    return [] if enough else [f"{good} of {demanded} copies are there and whole", *wanting[:3]]


def doubts(image_set: ImageSet, members: Sequence[Member]) -> list[str]:
    """What is not as it was in the files that were put aside; empty if nothing is. Each file is read again."""
    if found := list(itertools.islice(same_files(members, lambda one: aside.place_of(image_set, one)), 3)):
        return found
    for member in members:
        place = aside.place_of(image_set, member)
        try:
            if Source(place, member.facts).sha256() != member.sha256:
                return [f"{place}: its bytes are not those that were sent"]
        except SourceError as error:
            return [error.what]
    return []


def remove(image_set: ImageSet, members: Sequence[Member], copies: Sequence[str], journal: Journal, now: float) -> None:
    """Remove the files that were put aside, after `doubts` had none; may be cut off and called again.

    Raises SourceUnreadable, and JournalError before the first file is touched that has no line.
    """
    for start in range(0, len(members), _AT_ONCE):
        some = members[start : start + _AT_ONCE]
        journal.releases.sign(image_set, some, copies, now)
        for member in some:
            place = aside.place_of(image_set, member)
            try:
                place.unlink(missing_ok=True)
            except OSError as error:
                raise SourceUnreadable(f"{place}: it cannot be removed ({error.strerror})") from error
    aside.clear(image_set)
    aside.remove_empty_folders(image_set, members)
    with journal.database.transaction():
        journal.releases.over(image_set.id)
        note = f"{len(members)} files removed here; they are in {', '.join(copies)}"
        journal.sets.advance(image_set, State.RELEASED, now, note, cleared=True)
