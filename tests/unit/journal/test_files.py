"""The files in the journal: every name comes back as it was, and folders are told apart to the letter."""

import os
from pathlib import Path, PurePosixPath

from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.journal import Journal
from watcher.model import FileFacts

ROOT = Path("/data")
ONE = FileFacts(1, 10, "1:1")
TWO = FileFacts(2, 20, "1:1")

#: What a Linux disk can hold as a name: any bytes but `/` and NUL, which Python shows with lone surrogates.
NAMES = st.binary(min_size=1, max_size=40).map(
    lambda data: data.replace(b"/", b"_").replace(b"\0", b"_").decode("utf-8", "surrogateescape")
)


def live(journal: Journal) -> set[tuple[str, str]]:
    """The files that a sweep still looks at one by one."""
    folders = journal.files.live_folders(ROOT)
    return {(folder, os.fsdecode(name)) for folder in folders for name, *_ in journal.files.live_in(ROOT, folder)}


def record(journal: Journal, folder: str, *names: str, facts: FileFacts = ONE, now: float = 1.0) -> None:
    journal.files.record(ROOT, folder, dict.fromkeys(names, facts), (), now)


@settings(max_examples=30, deadline=None)
@given(folder=NAMES, names=st.sets(NAMES, min_size=1, max_size=5))
def test_every_name_that_a_disk_can_hold_comes_back(tmp_path_factory: object, folder: str, names: set[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as state, Journal(Path(state)) as journal:
        record(journal, folder, *names)
        assert journal.files.known(ROOT, folder).keys() == names
        assert {(file.folder, file.name) for file in journal.files.below(ROOT, "")} == {(folder, n) for n in names}
        assert live(journal) == {(folder, name) for name in names}


def test_a_changed_file_is_at_rest_only_since_its_change_and_is_asked_again(journal: Journal) -> None:
    record(journal, "", "a", "b", now=1.0)
    journal.files.remember_claims(ROOT, "", {"a": "{}", "b": "{}"})
    record(journal, "", "a", facts=TWO, now=9.0)
    a, b = journal.files.in_folder(ROOT, "")
    # Until it is asked again it belongs where it belonged.
    assert (a.facts, a.changed_at, a.claim, bool(a.stale)) == (TWO, 9.0, "{}", True)
    assert (b.facts, b.changed_at, b.claim, bool(b.stale)) == (ONE, 1.0, "{}", False)


def test_files_that_are_gone_are_known_no_more(journal: Journal) -> None:
    record(journal, "", "a", "b")
    journal.files.record(ROOT, "", {}, ["a", "never there"], 2.0)
    assert set(journal.files.known(ROOT, "")) == {"b"}


def test_a_lost_folder_takes_along_what_is_below_it_and_nothing_else(journal: Journal) -> None:
    for folder in ("a", "a/b", "a/b/c", "ab", "a0", "a-b", "A", ""):
        record(journal, folder, "file")
    assert journal.files.subfolders(ROOT, "a") == {"a/b", "a/b/c"}
    journal.files.forget_folder(ROOT, "a", 0.0)
    assert {file.folder for file in journal.files.below(ROOT, "")} == {"ab", "a0", "a-b", "A", ""}


def test_below_a_folder_are_its_own_files_and_those_of_its_folders(journal: Journal) -> None:
    for folder in ("a", "a/b", "a!", "a0/b", ""):
        record(journal, folder, "file")
    assert [file.path for file in journal.files.below(ROOT, "a")] == [
        "a/file",
        "a/b/file",
    ]
    assert journal.files.count(ROOT) == 5


def test_two_watched_folders_do_not_see_each_others_files(journal: Journal) -> None:
    record(journal, "", "a")
    other = Path("/data2")
    assert journal.files.count(other) == 0
    journal.files.forget_folder(other, "", 0.0)
    assert journal.files.count(ROOT) == 1


def test_a_file_at_rest_is_live_again_when_it_changes(journal: Journal) -> None:
    made = journal.sets.create(ROOT, PurePosixPath(), "s", grouped_by="stem", format="", now=1.0, last_change=1.0)
    record(journal, "", "a", "b")
    journal.files.assign(ROOT, journal.files.in_folder(ROOT, ""), made.id)
    journal.files.rest(made.id)
    assert live(journal) == set()
    record(journal, "", "a", facts=TWO)
    assert live(journal) == {("", "a")}
    assert {file.name for file in journal.files.of_set(made.id)} == {"a", "b"}
