"""What a sweep notices, what it leaves alone, and that it never takes a missing answer for a missing file."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.unit.pipeline.conftest import Bench
from watcher import osfacts
from watcher.errors import WatchFolderError
from watcher.model import FileFacts
from watcher.pipeline.observe import Seen, Sweep


def facts(bench: Bench) -> dict[str, FileFacts]:
    return {str(file.path): file.facts for file in bench.journal.files.below(bench.root, "")}


def known(bench: Bench) -> set[str]:
    return set(facts(bench))


def sweep(bench: Bench) -> Seen:
    return bench.watching.sweep.run()


def age(folder: Path) -> None:
    """Let a folder look as if nothing had happened in it for a long time."""
    for base, _, _ in os.walk(folder):
        os.utime(base, (1_000_000_000, 1_000_000_000))


def since(bench: Bench, path: str) -> float:
    return {str(file.path): file.changed_at for file in bench.journal.files.below(bench.root, "")}[path]


def test_new_files_in_all_folders_are_noticed(bench: Bench) -> None:
    bench.write("a")
    bench.write("x/b")
    bench.write("x/y/z/c")
    seen = sweep(bench)
    assert known(bench) == {"a", "x/b", "x/y/z/c"}
    assert (seen.changed, seen.folders, seen.problems) == ({"", "x", "x/y/z"}, 4, [])


@pytest.mark.parametrize("change", ["grown", "rewritten", "touched", "replaced"])
def test_a_file_that_changes_in_any_way_is_at_rest_only_since_then(bench: Bench, change: str) -> None:
    path = bench.write("x/a", b"12345")
    sweep(bench)
    age(bench.root)
    sweep(bench)
    bench.clock.advance(50)
    if change == "grown":
        with path.open("ab") as file:
            file.write(b"6")
    elif change == "rewritten":
        path.write_bytes(b"54321")
    elif change == "touched":
        os.utime(path, (1, 1))
    else:
        stat = path.stat()
        other = bench.write("x/.new", b"54321")
        os.utime(other, ns=(stat.st_mtime_ns, stat.st_mtime_ns))
        other.replace(path)
    before = since(bench, "x/a")
    assert sweep(bench).changed == {"x"}
    assert since(bench, "x/a") == before + 50
    assert facts(bench)["x/a"] == osfacts.facts_at(path)


def test_a_renamed_file_is_known_by_its_new_name_only(bench: Bench) -> None:
    path = bench.write("x/a")
    sweep(bench)
    path.rename(path.with_name("b"))
    assert sweep(bench).changed == {"x"}
    assert known(bench) == {"x/b"}


def test_a_file_that_vanished_is_forgotten(bench: Bench) -> None:
    path = bench.write("x/a")
    bench.write("x/b")
    sweep(bench)
    path.unlink()
    assert sweep(bench).changed == {"x"}
    assert known(bench) == {"x/b"}


def test_a_folder_in_which_nothing_happened_is_not_listed_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        bench.write(f"d{number}/a")
    age(bench.root)
    assert sweep(bench).listed == 6
    listed: list[str] = []
    real = os.scandir

    def scandir(path: Any) -> Any:
        listed.append(str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    seen = sweep(bench)
    assert (seen.listed, seen.folders, seen.changed) == (0, 6, set())
    assert set(listed) == {str(bench.root)}  # only the question whether the watched folder is there and not empty


def test_a_deep_sweep_lists_all_the_same(bench: Bench) -> None:
    bench.write("d/a")
    age(bench.root)
    sweep(bench)
    assert bench.watching.sweep.run(deep=True).listed == 2


def test_a_folder_changed_moments_ago_is_listed_again_since_its_time_may_not_tell(bench: Bench) -> None:
    bench.write("a")
    assert sweep(bench).listed == 1
    assert sweep(bench).listed == 1


def test_files_at_rest_are_not_asked_again(bench: Bench) -> None:
    bench.write("a.dat")
    age(bench.root)
    bench.finish()
    age(bench.root)
    sweep(bench)
    assert sweep(bench).files == 0


def test_a_missing_watched_folder_is_told_and_nothing_is_forgotten(bench: Bench) -> None:
    bench.write("a")
    sweep(bench)
    bench.root.rename(bench.root.with_name("elsewhere"))
    with pytest.raises(WatchFolderError, match="cannot be read"):
        bench.watching.sweep.run()
    with pytest.raises(WatchFolderError, match="cannot be read"):
        bench.watching.sweep.look_at([""])
    assert known(bench) == {"a"}
    bench.root.with_name("elsewhere").rename(bench.root)
    sweep(bench)
    assert known(bench) == {"a"}


def test_an_emptied_watched_folder_is_told_and_nothing_is_forgotten(bench: Bench) -> None:
    bench.write("x/a")
    sweep(bench)
    shutil.rmtree(bench.root / "x")
    with pytest.raises(WatchFolderError, match="empty although files were seen"):
        bench.watching.sweep.run()
    with pytest.raises(WatchFolderError, match="empty although files were seen"):
        bench.watching.sweep.look_at(["x"])
    assert known(bench) == {"x/a"}


def test_an_empty_watched_folder_in_which_nothing_was_seen_is_fine(bench: Bench) -> None:
    assert sweep(bench).changed == set()


def test_a_published_set_does_not_make_an_emptied_folder_pass_unnoticed(bench: Bench) -> None:
    bench.write("a.dat")
    bench.finish()
    (bench.root / "a.dat").unlink()
    (trouble,) = bench.daemon.observe()
    assert "empty although" in trouble.what
    assert bench.states() == {"a": "published"}


def refuse(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    real = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)


def test_a_folder_that_cannot_be_read_is_told_and_nothing_in_it_is_forgotten(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write("x/a")
    bench.write("x/y/b")
    bench.write("c")
    sweep(bench)
    refuse(monkeypatch, bench.root / "x")
    seen = sweep(bench)
    assert len(seen.problems) == 1
    assert "x: the folder cannot be read (Permission denied)" in seen.problems[0]
    assert known(bench) == {"x/a", "x/y/b", "c"}


@pytest.mark.parametrize("refused", ["x/b.txt", "x"])
def test_what_cannot_be_looked_at_just_now_is_not_forgotten(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    bench.write("x/a.dat")
    bench.write("x/b.txt")
    sweep(bench)
    real = osfacts.is_link

    def is_link(entry: "os.DirEntry[str]") -> bool:
        if Path(entry.path) == bench.root / refused:
            raise OSError(5, "Input/output error")
        return real(entry)

    monkeypatch.setattr(osfacts, "is_link", is_link)
    assert "Input/output error" in sweep(bench).problems[0]
    assert known(bench) == {"x/a.dat", "x/b.txt"}


def test_a_set_is_not_judged_while_its_folder_cannot_be_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write("x/a.dat")
    bench.observe()
    refuse(monkeypatch, bench.root / "x")
    bench.observe(after=1000)
    assert bench.states() == {"a": "growing"}


@pytest.mark.parametrize("target", ["outside/secret", "outside", "data/x/a", "data/x", "nowhere", "data"])
def test_links_are_never_followed(bench: Bench, target: str) -> None:
    outside = bench.base / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    bench.write("x/a")
    (bench.root / "link").symlink_to(bench.base / target)
    for _ in range(2):
        seen = sweep(bench)
        assert known(bench) == {"x/a"}
        assert seen.problems == []


def test_a_file_that_became_a_link_is_a_file_no_more(bench: Bench) -> None:
    path = bench.write("x/a")
    bench.write("b")
    sweep(bench)
    path.unlink()
    path.symlink_to(bench.root / "b")
    sweep(bench)
    assert known(bench) == {"b"}


def test_pipes_and_the_like_are_no_files(bench: Bench) -> None:
    os.mkfifo(bench.root / "pipe")
    bench.write("a")
    assert sweep(bench).problems == []
    assert known(bench) == {"a"}


@pytest.mark.parametrize(
    "name",
    ["a.tmp", "a.TMP", "a.part", "a.partial", "a.crdownload", "a.filepart", ".a.swp", "~$a.xlsx", "a~", ".hidden",
     "Thumbs.db", "DESKTOP.INI", "a.czi.lock", "a.czi downloading", ".DS_Store"],
)  # fmt: skip
def test_what_is_unfinished_or_no_data_is_left_alone(bench: Bench, name: str) -> None:
    bench.write(name)
    bench.write("data.tif")
    sweep(bench)
    assert known(bench) == {"data.tif"}


@pytest.mark.parametrize("folder", ["run.tmp", "run.part", "run~", "run.tmp/deeper"])
def test_a_temporary_folder_is_left_alone_until_it_has_its_name(bench: Bench, folder: str) -> None:
    bench.write(f"{folder}/a")
    bench.write("b")
    sweep(bench)
    assert known(bench) == {"b"}
    (bench.root / folder.split("/")[0]).rename(bench.root / "run")
    sweep(bench)
    assert known(bench) == {
        "b",
        folder.replace("run.tmp", "run").replace("run.part", "run").replace("run~", "run") + "/a",
    }


@pytest.mark.parametrize("folder", ["run.tmp", "run.tmp/deeper"])
def test_an_event_in_a_temporary_folder_does_not_bring_its_files_in(bench: Bench, folder: str) -> None:
    bench.write(f"{folder}/a")
    bench.watching.look_at({folder})
    assert known(bench) == set()


def test_an_event_behind_a_link_does_not_bring_files_in_twice(bench: Bench) -> None:
    bench.write("x/a")
    (bench.root / "link").symlink_to(bench.root / "x")
    bench.watching.look_at({"", "x"})
    assert known(bench) == {"x/a"}


def test_folders_that_begin_with_a_dot_hold_data_as_zarr_does(bench: Bench) -> None:
    bench.write("a.zarr/.zgroup/0")
    sweep(bench)
    assert known(bench) == {"a.zarr/.zgroup/0"}


def test_only_what_is_included_and_not_excluded_is_seen(bench: Bench) -> None:
    bench.configure(watch={"include": ["**/*.{czi,tif}"], "exclude": ["**/Calibration/**", "*_test.tif"]})
    for path in (
        "a.czi",
        "x/b.TIF",
        "c.txt",
        "Calibration/d.czi",
        "x/calibration/y/e.czi",
        "f_test.tif",
        "x/g_test.tif",
    ):
        bench.write(path)
    sweep(bench)
    assert known(bench) == {"a.czi", "x/b.TIF", "x/g_test.tif"}


def test_names_that_are_no_text_are_seen_as_they_are(bench: Bench) -> None:
    bench.write(b"x\xfe/a\xff.dat")
    bench.write(" lead & 'quote'\n\t.dat")
    sweep(bench)
    assert known(bench) == {"x\udcfe/a\udcff.dat", " lead & 'quote'\n\t.dat"}
    assert sweep(bench).changed == set()


def test_a_removed_folder_is_forgotten_with_all_below_it(bench: Bench) -> None:
    for path in ("x/a", "x/y/b", "x/y/z/c", "xy/d", "e"):
        bench.write(path)
    sweep(bench)
    shutil.rmtree(bench.root / "x")
    sweep(bench)
    assert known(bench) == {"xy/d", "e"}


def test_a_folder_removed_while_the_watcher_was_off_is_forgotten_too(bench: Bench) -> None:
    for path in ("x/y/z/c", "w/x/a", "w/e"):
        bench.write(path)
    sweep(bench)
    bench.restart()
    shutil.rmtree(bench.root / "x")
    shutil.rmtree(bench.root / "w/x")
    sweep(bench)
    assert known(bench) == {"w/e"}


def test_a_folder_in_the_place_of_a_file_and_a_file_in_the_place_of_a_folder(bench: Bench) -> None:
    path = bench.write("one")
    bench.write("two/a")
    sweep(bench)
    path.unlink()
    bench.write("one/b")
    shutil.rmtree(bench.root / "two")
    bench.write("two")
    sweep(bench)
    assert known(bench) == {"one/b", "two"}


def test_looking_where_an_event_was_finds_new_folders_below(bench: Bench) -> None:
    bench.write("x/a")
    sweep(bench)
    bench.write("x/new/deep/b")
    bench.write("elsewhere/c")
    bench.watching.sweep.look_at({"x"})
    assert known(bench) == {"x/a", "x/new/deep/b"}


def test_looking_where_a_folder_was_forgets_it(bench: Bench) -> None:
    bench.write("x/y/a")
    bench.write("b")
    sweep(bench)
    shutil.rmtree(bench.root / "x")
    bench.watching.sweep.look_at({"x/y", "x"})
    assert known(bench) == {"b"}


def test_with_trust_in_times_a_file_that_lay_there_counts_as_at_rest(bench: Bench) -> None:
    bench.write("a")
    trusting = Sweep(bench.profile.watch[0], bench.journal, bench.clock, trust_times=True)
    trusting.run()
    assert since(bench, "a") < bench.clock.now() - 1000
    with (bench.root / "a").open("ab") as file:
        file.write(b"x")
    trusting.run()
    assert since(bench, "a") == bench.clock.now()


def test_without_trust_in_times_an_old_file_may_still_be_written(bench: Bench) -> None:
    os.utime(bench.write("a"), (1, 1))
    sweep(bench)
    assert since(bench, "a") == bench.clock.now()


def test_a_program_that_stops_ends_its_sweep_and_concludes_nothing_from_what_it_did_not_see(bench: Bench) -> None:
    for n in range(20):
        bench.write(f"{n}/a.dat")
    bench.observe()
    looks = iter([False] * 3)
    sweep = Sweep(bench.profile.watch[0], bench.journal, bench.clock, stopping=lambda: next(looks, True))
    seen = sweep.run(deep=True)
    assert seen.folders == 3
    assert bench.journal.files.count(bench.root) == 20
    bench.observe(after=200)
    assert len(bench.sets()) == 20
