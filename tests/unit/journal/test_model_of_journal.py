"""The journal against a plain model of it: any orders by two processes, kills and power cuts between and within them.

`HYPOTHESIS_EXAMPLES=2000 pytest --timeout=0 tests/unit/journal/test_model_of_journal.py` looks for longer than CI does.
"""

import copy
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from watcher.cli import orders
from watcher.errors import SetNotFound, StaleSet, UsageError, WatcherError
from watcher.journal import FILE_NAME, Journal
from watcher.model import MOVES, UNDER_WAY, FileFacts, ImageSet, Member, State

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "0"))
ROOT = Path("/data")
#: A file as it was, written to, written to within one tick of its clock, and replaced by one of the same size and time.
FACTS = [FileFacts(1, 10, "1"), FileFacts(1, 20, "1"), FileFacts(2, 10, "1"), FileFacts(1, 10, "2")]
COLLECTIONS = ["/z", "/z/a", "/z/a/b", "/z/a/b/c", "/z/ab", "/z/a.v2", "/z/A", "/z/a%", "/z/\u00e4/it's"]
FOLDERS = ["", "x", "x/y", "x\udcff"]
NAMES = ["a", "b\udcfe"]
NOTES = ["heartbeat", "store"]
UNFINISHED = {State.GROWING, *UNDER_WAY}

hands = st.integers(0, 1)
names = st.sampled_from(NAMES)
folders = st.sampled_from(FOLDERS)
facts = st.sampled_from(FACTS)
#: Whole thousands, in any order: the clock of an acquisition PC is set back and forth.
times = st.integers(0, 12).map(lambda number: number * 1000.0)
digests = st.sampled_from(["d1", "d2", None])


class Killed(BaseException):
    """The process ends here, at once."""


class Form(NamedTuple):
    """A set as somebody has seen it; `born` tells it from a forgotten one that had the same identifier."""

    image_set: ImageSet
    born: int


@dataclass
class KnownSet:
    """What the journal must know of a set. `sendable`: each target that was a member while there was a collection."""

    now: ImageSet
    born: int
    members: dict[str, Member] = field(default_factory=dict)
    sendable: set[str] = field(default_factory=set)
    history: list[tuple[State, str]] = field(default_factory=list)

    def note_sendable(self) -> None:
        """What is a member of a claimed set now may be in the store from now on."""
        if self.now.claimed:
            self.sendable |= {member.target for member in self.members.values()}


@dataclass
class KnownFile:
    """What the journal must know of a file."""

    facts: FileFacts
    changed_at: float
    set_id: str | None = None
    claim: str | None = None
    stale: bool = True
    live: bool = True


@dataclass
class KnownFolder:
    """What the journal must know of a folder."""

    dirty: bool = False
    role: str | None = None


@dataclass
class Model:
    """What the journal must know."""

    sets: dict[str, KnownSet] = field(default_factory=dict)
    files: dict[tuple[str, str], KnownFile] = field(default_factory=dict)
    folders: dict[str, KnownFolder] = field(default_factory=dict)
    notes: dict[str, object] = field(default_factory=dict)

    def told(self) -> dict[str, object]:
        """What a journal that knows this answers to `ask`."""
        return {
            "sets": {one.now.id: one.now for one in self.sets.values()},
            "members": {key: [one.members[path] for path in sorted(one.members)] for key, one in self.sets.items()},
            "leftovers": {
                key: one.sendable - {member.target for member in one.members.values()} for key, one in self.sets.items()
            },
            "history": {key: one.history for key, one in self.sets.items()},
            "files": {
                key: (one.facts, one.changed_at, one.set_id, one.claim, one.stale) for key, one in self.files.items()
            },
            "live": {(*key, one.facts.size, one.facts.mtime_ns) for key, one in self.files.items() if one.live},
            "dirty": {path for path, one in self.folders.items() if one.dirty},
            "roles": {path: one.role for path, one in self.folders.items() if one.role},
            "folders": set(self.folders) - {""},
            "notes": {name: self.notes.get(name) for name in NOTES},
        }

    def versions(self, name: str) -> list[ImageSet]:
        """The versions of the set of this name, the oldest first."""
        return sorted((one.now for one in self.sets.values() if one.now.name == name), key=lambda one: one.version)

    def files_of(self, set_id: str) -> list[tuple[str, str]]:
        """The files of a set."""
        return [key for key, file in self.files.items() if file.set_id == set_id]


def ask(journal: Journal) -> dict[str, object]:
    """All that the journal knows, asked as the program asks."""
    sets = {one.id: one for one in journal.sets.in_states()}
    below = journal.files.below(ROOT, "")
    return {
        "sets": sets,
        "members": {key: journal.sets.members(key) for key in sets},
        "leftovers": {key: set(journal.sets.leftovers(key)) for key in sets},
        "history": {key: [(state, note) for _, state, note in journal.sets.history(key)] for key in sets},
        "files": {
            (file.folder, file.name): (file.facts, file.changed_at, file.set_id, file.claim, bool(file.stale))
            for file in below
        },
        "live": {
            (folder, os.fsdecode(name), size, mtime)
            for folder in journal.files.live_folders(ROOT)
            for name, size, mtime in journal.files.live_in(ROOT, folder)
        },
        "dirty": journal.files.dirty(ROOT),
        "roles": journal.files.roles(ROOT),
        "folders": journal.files.subfolders(ROOT, ""),
        "notes": {name: journal.noted(name) for name in NOTES},
    }


def _nested(one: str, other: str) -> bool:
    """Whether two collections are the same, or one lies inside the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _place(image_set: ImageSet) -> tuple[object, ...]:
    return image_set.state, image_set.collection, image_set.claimed


def _same(one: Member, other: Member) -> bool:
    return (one.facts, one.target) == (other.facts, other.target)


class JournalAndModel(RuleBasedStateMachine):
    """The watcher (hand 0) and another process (hand 1) give orders on forms of sets that may be out of date."""

    forms: Bundle[Form] = Bundle("forms")

    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp())
        self.number = itertools.count()
        self.model = Model()
        # What a power cut may bring back: the model after each change since everything was in the one file.
        self.past = [Model()]
        self.open(self.base / "state")

    def open(self, state: Path) -> None:
        """The watcher opens the journal, and another process looks into it."""
        self.state = state
        self.hands = [Journal(state, owned=True), Journal(state)]
        assert self.hands[0].set_aside is None

    def close(self) -> None:
        """Both end as they should."""
        for hand in self.hands:
            hand.close()

    # The sets

    @rule(target=forms, name=names, hand=hands, now=times)
    def create(self, name: str, hand: int, now: float) -> Form:
        name = name.encode("utf-8", "backslashreplace").decode()
        made = self.hands[hand].sets.create(
            ROOT, PurePosixPath("x\udcff"), name, grouped_by="stem", format="", now=now, last_change=now
        )
        before = self.model.versions(name)
        assert made.id not in self.model.sets
        assert made.version == (before[-1].version + 1 if before else 1)
        assert made.supersedes == (before[-1].id if before and not before[-1].cleared else None)
        known = KnownSet(made, next(self.number), history=[(State.GROWING, "first seen")])
        self.model.sets[made.id] = known
        return Form(made, known.born)

    @rule(target=forms, form=forms)
    def get(self, form: Form) -> Form:
        """Somebody looks again."""
        known = self.model.sets.get(form.image_set.id)
        return Form(known.now, known.born) if known else form

    def changed(self, form: Form, work: Callable[[], ImageSet | None], **changes: object) -> Form:
        """A change to a set counts exactly if nobody changed it since it was seen."""
        known = self.fresh(form)
        try:
            done = work()
        except StaleSet:
            assert known is None
            return form
        assert known is not None, "a change to an older form of a set was taken"
        assert done is not None
        assert done.revision == known.now.revision + 1
        known.now = replace(known.now, revision=done.revision, **changes)  # type: ignore[arg-type]
        known.note_sendable()
        return Form(known.now, known.born)

    def fresh(self, form: Form) -> KnownSet | None:
        """The set, if it is still as the form says."""
        known = self.model.sets.get(form.image_set.id)
        if known and known.born == form.born and known.now.revision == form.image_set.revision:
            return known
        return None

    @rule(target=forms, form=forms, hand=hands, now=times, number=st.integers(0, 9))
    def advance(self, form: Form, hand: int, now: float, number: int) -> Form:
        """A move that is allowed, if there is one."""
        allowed = sorted(MOVES[form.image_set.state])
        return self.move(form, allowed[number % len(allowed)], hand, now) if allowed else form

    @rule(target=forms, form=forms, to=st.sampled_from(State), hand=hands, now=times)
    def advance_anywhere(self, form: Form, to: State, hand: int, now: float) -> Form:
        """Any move, allowed or not."""
        return self.move(form, to, hand, now)

    def move(self, form: Form, to: State, hand: int, now: float) -> Form:
        """Exactly what `MOVES` allows is done."""
        sets = self.hands[hand].sets
        if to not in MOVES[form.image_set.state]:
            with pytest.raises(WatcherError, match="cannot go from") as refused:
                sets.advance(form.image_set, to, now)
            assert not isinstance(refused.value, StaleSet)
            return form
        fresh = self.fresh(form)
        after = self.changed(form, lambda: sets.advance(form.image_set, to, now, "why \udcff", reason="r"),
                             state=to, reason="r")  # fmt: skip
        if fresh:
            fresh.history.append((to, "why \\udcff"))
        return after

    @rule(target=forms, form=forms, hand=hands, at=times, what=st.sampled_from(["claimed", "times", "words"]))
    def change(self, form: Form, hand: int, at: float, what: str) -> Form:
        possible: dict[str, dict[str, Any]] = {
            "claimed": {"claimed": True},
            "times": {"retry_at": at, "last_change": at, "attempts": form.image_set.attempts + 1},
            "words": {"waits_for": ("b\udcff", "c"), "embedded": {"\u00b5": "\u2603"}, "whole": True, "sound": False},
        }
        changes = possible[what]
        return self.changed(form, lambda: self.hands[hand].sets.change(form.image_set, **changes), **changes)

    @rule(target=forms, form=forms, hand=hands, collection=st.sampled_from(COLLECTIONS))
    def take_collection(self, form: Form, hand: int, collection: str) -> Form:
        """It counts unless more has happened to the set than another look at it."""
        others = [one.now.collection for key, one in self.model.sets.items() if key != form.image_set.id]
        in_the_way = [other for other in others if other and _nested(other, collection)]
        collections = self.hands[hand].collections
        if in_the_way:
            assert collections.take(form.image_set, collection) is None
            return form
        known = self.model.sets.get(form.image_set.id)
        if known is None:
            with pytest.raises(SetNotFound):
                collections.take(form.image_set, collection)
            return form
        if _place(known.now) == _place(form.image_set):
            form = Form(known.now, known.born)
        return self.changed(form, lambda: collections.take(form.image_set, collection), collection=collection)

    @rule(form=forms, hand=hands, chosen=st.dictionaries(st.sampled_from("abc"), st.tuples(facts, st.booleans())),
          send=st.booleans())  # fmt: skip
    def freeze(self, form: Form, hand: int, chosen: dict[str, tuple[FileFacts, bool]], send: bool) -> None:
        """The members are written down, and perhaps sent."""
        known = self.model.sets.get(form.image_set.id)
        if known is None:
            return
        members = [Member(f"x/{path}\udcff", facts, f"y/{path}" if deep else path)
                   for path, (facts, deep) in chosen.items()]  # fmt: skip
        before = known.members
        self.hands[hand].sets.freeze(known.now, members)
        known.members = {
            one.path: replace(one, sha256=before[one.path].sha256)
            if one.path in before and _same(before[one.path], one) else one
            for one in members
        }  # fmt: skip
        size = sum(member.facts.size for member in members)
        known.now = replace(known.now, files=len(members), bytes=size)
        known.note_sendable()
        for one in members if send else ():
            self.remember()
            digest = f"of {one.facts}"
            self.hands[hand].sets.sent(known.now, one, digest)
            known.members[one.path] = replace(one, sha256=digest)

    @rule(form=forms, hand=hands, path=st.sampled_from("abc"), facts=facts, digest=digests)
    def sent(self, form: Form, hand: int, path: str, facts: FileFacts, digest: str | None) -> None:
        """The conveyor has sent a member as it was when it began; meanwhile the set may have been frozen anew."""
        member = Member(f"x/{path}\udcff", facts, path)
        known = self.model.sets.get(form.image_set.id)
        now = known.members.get(member.path) if known else None
        self.hands[hand].sets.sent(form.image_set, member, digest)
        if known and now and _same(now, member):
            known.members[member.path] = replace(now, sha256=digest)

    @rule(form=forms, hand=hands)
    def forget(self, form: Form, hand: int) -> None:
        self.hands[hand].sets.forget(form.image_set)
        for collection, _ in self.hands[hand].collections.withdrawals():
            self.hands[hand].collections.withdrawn(collection)
        self.model.sets.pop(form.image_set.id, None)
        for key in self.model.files_of(form.image_set.id):
            self.model.files[key].set_id, self.model.files[key].live = None, True

    # The files

    def directory(self, folder: str) -> KnownFolder:
        """A folder that is known from now on."""
        return self.model.folders.setdefault(folder, KnownFolder())

    def lost(self, keys: set[tuple[str, str]], now: float) -> None:
        """Files are gone: a growing set changed by that; a published one without any file is cleared."""
        gone = [self.model.files.pop(key) for key in keys & self.model.files.keys()]
        for known in [self.model.sets[key] for key in {file.set_id for file in gone if file.set_id}]:
            one = known.now
            if one.state is State.GROWING:
                last_change = max(one.last_change, now)
                known.now = replace(one, last_change=last_change, retry_at=0.0, revision=one.revision + 1)
            elif one.state in {State.PUBLISHED, State.RELEASED} and not self.model.files_of(one.id):
                known.now = replace(one, cleared=True)

    @rule(hand=hands, folder=folders, now=times, since=times, gone=st.sets(names),
          found=st.dictionaries(names, facts))  # fmt: skip
    def record(
        self, hand: int, folder: str, now: float, since: float, gone: set[str], found: dict[str, FileFacts]
    ) -> None:
        gone = gone - found.keys()
        since = min(since, now)
        changed = {name: (one, since) for name, one in found.items()}
        self.hands[hand].files.record_since(ROOT, folder, changed, gone, now)
        self.directory(folder).dirty = True
        for name, one in found.items():
            before = self.model.files.get((folder, name), KnownFile(one, since))
            self.model.files[folder, name] = replace(before, facts=one, changed_at=since, live=True, stale=True)
        self.lost({(folder, name) for name in gone}, now)

    @rule(hand=hands, folder=folders, now=times)
    def forget_folder(self, hand: int, folder: str, now: float) -> None:
        self.hands[hand].files.forget_folder(ROOT, folder, now)
        below = [path for path in self.model.folders if not folder or f"{path}/".startswith(f"{folder}/")]
        for path in below:
            self.model.folders[path] = KnownFolder(dirty=True)
        self.lost({key for key in self.model.files if key[0] in below}, now)

    @rule(hand=hands, some=st.sets(folders))
    def taken_in(self, hand: int, some: set[str]) -> None:
        self.hands[hand].files.taken_in(ROOT, some)
        for path in some & self.model.folders.keys():
            self.model.folders[path].dirty = False
            if not self.model.folders[path].role and not any(folder == path for folder, _ in self.model.files):
                del self.model.folders[path]

    @rule(hand=hands, folder=folders, role=st.sampled_from(["tree", "part"]))
    def give_role(self, hand: int, folder: str, role: str) -> None:
        self.hands[hand].files.give_role(ROOT, folder, role)
        self.model.folders[folder] = KnownFolder(dirty=True, role=role)

    @rule(hand=hands, folder=folders, claims=st.dictionaries(names, st.sampled_from(["", "{}"])))
    def remember_claims(self, hand: int, folder: str, claims: dict[str, str]) -> None:
        self.hands[hand].files.remember_claims(ROOT, folder, claims)
        self.directory(folder)
        for name, claim in claims.items():
            if (folder, name) in self.model.files:
                self.model.files[folder, name].claim = claim
                self.model.files[folder, name].stale = False

    @rule(hand=hands, form=forms, some=st.sets(folders), rest=st.booleans())
    def assign(self, hand: int, form: Form, some: set[str], rest: bool) -> None:
        """The files of some folders belong to a set, of which perhaps nothing is left to do."""
        if form.image_set.id not in self.model.sets:
            return
        files = [file for folder in sorted(some) for file in self.hands[hand].files.in_folder(ROOT, folder)]
        self.hands[hand].files.assign(ROOT, files, form.image_set.id)
        for file in files:
            self.model.files[file.folder, file.name].set_id = form.image_set.id
        if rest:
            self.remember()
            self.hands[hand].files.rest(form.image_set.id)
            for key in self.model.files_of(form.image_set.id):
                self.model.files[key].live = False

    # A person, the clock, notes

    @rule(form=forms, skip=st.booleans())
    def order(self, form: Form, skip: bool) -> None:
        """`retry` and `skip` from another process."""
        known = self.model.sets.get(form.image_set.id)
        if known is None:
            return
        state = known.now.state
        possible = {State.HELD, *UNFINISHED} | (set() if skip else {State.SKIPPED})
        before = known.now.revision
        try:
            if skip:
                orders.skip(form.image_set.id, "focus", self.state)
            else:
                orders.retry(form.image_set.id, False, self.state)
        except UsageError:
            assert state not in possible
            return
        assert state in possible
        to = State.SKIPPED if skip else State.GROWING
        known.now = replace(known.now, revision=before + 1, retry_at=0.0, attempts=0)
        if skip or state in {State.HELD, State.SKIPPED}:
            known.now = replace(known.now, state=to, reason="focus" if skip else "", problems=())
            known.history.append((to, "focus" if skip else "retry was ordered"))

    @rule(hand=hands, now=times)
    def believe(self, hand: int, now: float) -> None:
        self.hands[hand].believe(now)
        for file in self.model.files.values():
            file.changed_at = min(file.changed_at, now)
        for known in self.model.sets.values():
            one = known.now
            if one.state not in {State.PUBLISHED, State.SUPERSEDED}:
                retry_at = one.retry_at if one.retry_at <= now + 3600 else 0.0
                known.now = replace(one, last_change=min(one.last_change, now), retry_at=retry_at)

    @rule(hand=hands, name=st.sampled_from(NOTES), value=st.sampled_from([1, "\udcff", None, {"a": [1.5]}]))
    def note(self, hand: int, name: str, value: object) -> None:
        self.hands[hand].note(name, value)
        self.model.notes[name] = value

    # How a process ends

    @rule(hand=hands)
    def restart(self, hand: int) -> None:
        """One of the two ends and begins again, while the other goes on."""
        self.hands[hand].close()
        self.hands[hand] = Journal(self.state, owned=not hand)

    @rule()
    def rest_a_while(self) -> None:
        """Both end, so that everything is in the one file, and begin again."""
        self.close()
        self.open(self.state)
        self.past = [copy.deepcopy(self.model)]

    @rule(hand=hands, form=forms, to=st.sampled_from(State), found=st.dictionaries(names, facts, min_size=1))
    def killed_within_a_change(self, hand: int, form: Form, to: State, found: dict[str, FileFacts]) -> None:
        """The disk holds what a killed process leaves in the middle of a transaction: nothing of it may count."""
        journal = self.hands[hand]
        copied = self.base / f"state{next(self.number)}"
        try:
            with journal.database.transaction():
                journal.files.record(ROOT, "x", found, NAMES, 0.0)
                journal.note("store", "half done")
                if self.fresh(form) and to in MOVES[form.image_set.state]:
                    journal.sets.freeze(form.image_set, [])
                    journal.sets.advance(form.image_set, to, 0.0)
                shutil.copytree(self.state, copied)
                raise Killed
        except Killed:
            pass
        for one in self.hands:
            assert ask(one) == self.model.told()
        self.go_on_with(copied)

    @rule(lost=st.floats(0, 1))
    def power_cut(self, lost: float) -> None:
        """What was not yet on the disk is gone: the journal is as it was after one of the last changes, and sound."""
        copied = self.base / f"state{next(self.number)}"
        shutil.copytree(self.state, copied)
        written = copied / f"{FILE_NAME}-wal"
        if written.exists():
            os.truncate(written, int(written.stat().st_size * (1 - lost)))
        self.go_on_with(copied)
        found = ask(self.hands[0])
        possible = [model for model in self.past if model.told() == found]
        assert possible, f"the journal was never like this: {found}"
        self.model = copy.deepcopy(possible[-1])
        self.past = self.past[: self.past.index(possible[-1]) + 1]

    def go_on_with(self, state: Path) -> None:
        """Both processes were killed; new ones find these files."""
        self.close()
        shutil.rmtree(self.state)
        self.open(state)

    # What always holds

    def remember(self) -> None:
        """A power cut may bring back what is so now: called after each change."""
        if self.past[-1].told() != self.model.told():
            self.past.append(copy.deepcopy(self.model))

    @initialize(target=forms)
    def begin(self) -> Form:
        """There is a set with a collection from the beginning."""
        made = self.hands[0].sets.create(
            ROOT, PurePosixPath("x\udcff"), "a", grouped_by="stem", format="", now=0.0, last_change=0.0
        )
        known = KnownSet(made, next(self.number), history=[(State.GROWING, "first seen")])
        self.model.sets[made.id] = known
        self.remember()
        known.now = self.hands[0].sets.change(made, claimed=True)
        return Form(known.now, known.born)

    @invariant()
    def knows_what_the_model_knows(self) -> None:
        for hand in self.hands:
            assert ask(hand) == self.model.told()
        self.remember()

    @invariant()
    def answers_as_documented(self) -> None:
        sets = self.hands[0].sets
        known = [one.now for one in self.model.sets.values()]
        assert sets.counts() == {
            state: count for state in State if (count := sum(one.state is state for one in known))
        }  # fmt: skip
        growing = [one for one in known if one.state is State.GROWING]
        assert sets.next_due(ROOT) == min((one.retry_at for one in growing), default=None)
        order = sorted(growing, key=lambda one: (one.first_seen, one.id))
        assert sets.due(ROOT, 5000.0) == [one for one in order if one.retry_at <= 5000.0]
        assert {one.id for one in sets.without_files(ROOT)} == {
            one.id for one in known if one.state in UNFINISHED and not self.model.files_of(one.id)
        }
        for one in known:
            assert sets.newest(ROOT, one.folder, one.name) == self.model.versions(one.name)[-1]
            assert sets.former(one) == next(
                (two for two in self.model.versions(one.name) if two.version == one.version - 1), None
            )
            assert {(file.folder, file.name) for file in self.hands[0].files.of_set(one.id)} == {
                *self.model.files_of(one.id)
            }
            assert self.hands[0].files.size_of_set(one.id) == len(self.model.files_of(one.id))

    @invariant()
    def moves_are_legal_and_collections_are_apart(self) -> None:
        for one in self.model.sets.values():
            states = [state for state, _ in one.history]
            assert states[-1] is one.now.state
            assert all(after in MOVES[before] for before, after in itertools.pairwise(states))
        taken = [one.now.collection for one in self.model.sets.values() if one.now.collection]
        assert not any(_nested(*pair) for pair in itertools.combinations(taken, 2))

    def teardown(self) -> None:
        try:
            for hand in self.hands:
                assert [row[0] for row in hand.database.rows("PRAGMA integrity_check")] == ["ok"]
                assert hand.database.rows("PRAGMA foreign_key_check") == []
        finally:
            self.close()
            shutil.rmtree(self.base)


TestJournalAndModel = pytest.mark.timeout(180)(JournalAndModel.TestCase)
TestJournalAndModel.settings = settings(
    max_examples=EXAMPLES or 40,
    stateful_step_count=30,
    derandomize=not EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def test_a_form_of_a_forgotten_set_does_not_change_the_one_that_has_its_identifier_now(tmp_path: Path) -> None:
    def create() -> ImageSet:
        return journal.sets.create(ROOT, PurePosixPath(), "a", grouped_by="stem", format="", now=1.0)

    with Journal(tmp_path / "state") as journal:
        old = create()
        journal.sets.forget(old)
        create()
        with pytest.raises(StaleSet):
            journal.sets.advance(old, State.COMPLETE, 2.0)


def test_the_digest_of_a_file_that_was_replaced_by_one_of_its_size_and_time_is_not_written_down(tmp_path: Path) -> None:
    with Journal(tmp_path / "state") as journal:
        made = journal.sets.create(ROOT, PurePosixPath(), "a", grouped_by="stem", format="", now=1.0)
        old = Member("a", FileFacts(1, 10, "1"), "a")
        journal.sets.freeze(made, [replace(old, facts=FileFacts(1, 10, "2"))])
        journal.sets.sent(made, old, "digest of the old bytes")
        assert [one.sha256 for one in journal.sets.members(made.id)] == [None]
