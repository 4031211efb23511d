"""What anything on a disk is, and why a file is not in the store yet: without a watcher and without a trace."""

from pathlib import Path

import pytest

from tests.unit.pipeline.conftest import Bench
from watcher.errors import SourceGone, UsageError
from watcher.pipeline.explain import explain
from watcher.pipeline.inspect import inspect
from watcher.simulate import growing_stack, ome_tiff_series


def no_pause(_: float) -> None:
    """Takes no time."""


def files_of(path: Path) -> list[set[str]]:
    return [{file.name for file in found.group.files} for found in inspect(path)]


def test_a_folder_shows_its_sets_with_their_state(tmp_path: Path) -> None:
    ome_tiff_series(tmp_path, "beads", pause=no_pause, planes=2, size=16, missing=(2,))
    growing_stack(tmp_path / "sub", "cut", pause=no_pause, pages=2, size=16, truncate=True)
    (tmp_path / "notes.txt").write_text("x")
    found = {one.group.name: one for one in inspect(tmp_path)}
    assert set(found) == {"beads", "cut", "notes"}
    assert (found["beads"].complete, found["beads"].group.missing) == (False, ("beads_Z02.ome.tif",))
    assert (found["cut"].complete, found["cut"].validation.sound) == (True, False)
    assert (found["notes"].complete, found["notes"].validation.sound) == (True, None)


def test_a_file_shows_only_the_set_that_it_belongs_to(tmp_path: Path) -> None:
    files = ome_tiff_series(tmp_path, "beads", pause=no_pause, planes=3, size=16)
    ome_tiff_series(tmp_path, "other", pause=no_pause, planes=2, size=16)
    assert files_of(files[1]) == [{path.name for path in files}]


def test_a_file_is_shown_with_what_shares_its_stem(tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_text("x")
    (tmp_path / "a.txt").write_text("x")
    assert files_of(tmp_path / "a.dat") == files_of(tmp_path) == [{"a.dat", "a.txt"}]


def test_looking_changes_nothing(tmp_path: Path) -> None:
    files = ome_tiff_series(tmp_path, "beads", pause=no_pause, planes=2, size=16)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path, *tmp_path.iterdir())}
    list(inspect(tmp_path))
    list(inspect(files[0]))
    assert {path: path.stat().st_mtime_ns for path in (tmp_path, *tmp_path.iterdir())} == before


@pytest.mark.parametrize("name", ["nothing", "nothing.tif", "no/such/folder/a.tif"])
def test_what_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceGone, match="no such file"):
        list(inspect(tmp_path / name))


def test_a_waiting_file_is_explained_with_its_set_its_place_and_what_is_missing(bench: Bench) -> None:
    bench.configure(watch={"settle": "0s"})
    files = ome_tiff_series(bench.root / "x", "beads", pause=no_pause, planes=2, size=16, missing=(2,))
    lines = explain(files[0], bench.profile).lines()
    assert "belongs to the set beads (1 files" in lines[0]
    assert "  goes to: scope/x/beads" in lines
    assert "  waits for the missing file beads_Z02.ome.tif" in lines


def test_a_finished_file_is_explained_by_the_rule_that_finished_it(bench: Bench) -> None:
    bench.configure(complete={"quiet": "0s"}, watch={"settle": "0s"})
    explanation = explain(bench.write("a.dat"), bench.profile)
    assert "  finished by quiet:0s & listed-members" in explanation.lines()
    assert explanation.record()["complete"] is True


@pytest.mark.parametrize("name", ["a.tmp", "x.tmp/a.dat", ".hidden", "link"])
def test_a_file_that_is_not_watched_is_explained_so(bench: Bench, name: str) -> None:
    bench.write("b.dat")
    path = bench.root / name
    if name == "link":
        path.symlink_to(bench.root / "b.dat")
    else:
        bench.write(name)
    assert "it is not watched" in explain(path, bench.profile).lines()[0]


def test_a_file_that_is_not_there_is_explained_so(bench: Bench) -> None:
    assert "there is no such file" in explain(bench.root / "nothing", bench.profile).lines()[0]
    assert "there is no such file" in explain(bench.root / "no/thing", bench.profile).lines()[0]


def test_a_file_outside_of_the_watched_folders_is_explained_so(bench: Bench) -> None:
    with pytest.raises(UsageError, match=r"not in a folder that this profile watches .*data"):
        explain(bench.base / "elsewhere", bench.profile)


def test_explaining_does_not_disturb_the_watcher(bench: Bench) -> None:
    path = bench.write("a.dat")
    bench.observe()
    before = bench.sets()
    explain(path, bench.profile)
    assert bench.sets() == before
