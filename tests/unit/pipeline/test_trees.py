"""Folders that are sets as a whole, and folders that belong to a file beside them."""

from pathlib import Path

from tests.unit.pipeline.conftest import Bench
from watcher.formats.base import Claim
from watcher.pipeline.assemble import Assembly
from watcher.profile import Sets


def _look(path: Path) -> Claim | None:
    """A plate's index makes its folder a set, `X.vol` owns `X.vol.files/`, and `slab` is a file of a tree above."""
    if path.name == "plate.index":
        return Claim("plate", (path.name, "a_1.dat", "b_2.dat"), tree=".")
    if path.suffix == ".vol":
        return Claim("vol", (path.name, f"{path.name}.files/"), title=path.stem)
    if path.suffix == ".run":
        return Claim("run", (path.name,), path.stem, takes=path.stem + r"_t\d+\.dat")
    if path.name == "slab":
        return Claim("slab", (path.name,), tree="..")
    return None


def _groups(bench: Bench) -> dict[str, set[str]]:
    bench.watching.assembly = Assembly(bench.watching.watch, Sets(), bench.journal, _look)
    bench.observe()
    bench.observe(after=30)
    return bench.groups()


def test_a_folder_with_an_index_is_one_set_with_everything_below_it(bench: Bench) -> None:
    for name in ("plate.index", "a_1.dat", "deep/er/x.dat"):
        bench.write(f"exp/{name}")
    bench.write("other/y.dat")
    assert _groups(bench) == {
        "exp": {"exp/plate.index", "exp/a_1.dat", "exp/deep/er/x.dat"},
        "y": {"other/y.dat"},
    }
    (one,) = [one for one in bench.sets() if one.name == "exp"]
    assert (one.format, one.grouped_by) == ("plate", "directory")
    assert any("b_2.dat" in text for text in one.waits_for)


def test_a_file_may_say_that_the_folder_above_is_the_set(bench: Bench) -> None:
    bench.write("exp/low/slab")
    bench.write("exp/full/slab")
    bench.write("exp/note.txt")
    assert _groups(bench) == {"exp": {"exp/low/slab", "exp/full/slab", "exp/note.txt"}}


def test_the_watched_folder_itself_is_never_a_set(bench: Bench) -> None:
    bench.write("plate.index")
    bench.write("z.dat")
    assert "z" in _groups(bench)


def test_a_folder_that_a_file_owns_belongs_to_its_set(bench: Bench) -> None:
    bench.write("a.vol")
    bench.write("a.vol.files/1/x")
    bench.write("b.vol")
    bench.write("b.vol.files/x")
    assert _groups(bench) == {"a": {"a.vol", "a.vol.files/1/x"}, "b": {"b.vol", "b.vol.files/x"}}


def test_a_folder_that_a_file_owns_must_be_there(bench: Bench) -> None:
    bench.write("a.vol")
    _groups(bench)
    assert any("a.vol.files" in text for text in bench.sets()[0].waits_for)


def test_a_zarr_folder_is_a_set_before_anything_in_it_was_asked(bench: Bench) -> None:
    for index in range(60):
        bench.write(f"scan.zarr/0/{index}")
    bench.observe()
    assert [(one.name, one.grouped_by) for one in bench.sets()] in ([], [("scan.zarr", "directory")])
    bench.observe(after=30)
    assert set(bench.groups()) == {"scan.zarr"}


def test_many_new_files_become_sets_only_when_they_have_been_asked(bench: Bench) -> None:
    for index in range(80):
        bench.write(f"exp/x{index}.dat")
    bench.write("exp/plate.index")
    bench.watching.assembly = Assembly(bench.watching.watch, Sets(), bench.journal, _look)
    bench.observe()
    assert bench.sets() == []
    bench.observe(after=30)
    assert set(bench.groups()) == {"exp"}


def test_new_files_beside_many_that_wait_are_not_forgotten_after_a_restart(bench: Bench) -> None:
    for index in range(80):
        bench.write(f"exp/x{index}.dat")
    bench.observe()
    bench.restart()
    bench.observe(after=30)
    assert len(bench.sets()) == 80


def test_files_that_come_after_the_one_that_takes_them_belong_to_its_set(bench: Bench) -> None:
    bench.write("a.run")
    assert _groups(bench) == {"a": {"a.run"}}
    bench.write("a_t1.dat")
    bench.write("a_t2.dat")
    bench.write("a_2_t1.dat")
    bench.observe(after=1)
    bench.observe(after=30)
    assert bench.groups() == {"a": {"a.run", "a_t1.dat", "a_t2.dat"}, "a_2_t1": {"a_2_t1.dat"}}


def test_a_name_that_promises_a_wanted_format_is_waited_for_until_it_is_one(bench: Bench) -> None:
    bench.configure(sets={"formats": ["czi"]})
    bench.write("scan.czi", b"ZISRAW and not yet more")
    bench.write("notes.txt")
    bench.finish()
    assert bench.states() == {"notes": "published", "scan": "growing"}
    (waiting,) = [one for one in bench.sets() if one.name == "scan"]
    assert any("it is not the Zeiss CZI that its name says" in text for text in waiting.waits_for)
