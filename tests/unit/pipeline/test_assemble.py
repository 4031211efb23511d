"""Which files become one set, whatever the order in which they come."""

from collections.abc import Iterator, Mapping
from itertools import permutations
from pathlib import Path

import pytest

from tests.unit.pipeline.conftest import Bench
from watcher.formats.base import Claim
from watcher.pipeline.assemble import Assembly, Group, stem
from watcher.simulate import ome_tiff_series, plane_directory


def no_pause(_: float) -> None:
    """Takes no time."""


def series(
    bench: Bench, into: str = "", name: str = "beads", planes: int = 3, **options: tuple[int, ...]
) -> list[Path]:
    files = ome_tiff_series(bench.root / into, name, pause=no_pause, planes=planes, size=16, **options)  # type: ignore[arg-type]
    return list(files)


def settled(bench: Bench) -> dict[str, set[str]]:
    """The sets once all files have been at rest."""
    bench.observe()
    bench.observe(after=30)
    return bench.groups()


def groups(bench: Bench, claims: Mapping[str, Claim], area: str = "") -> list[Group]:
    """The groups in an area if the files say of themselves what `claims` says."""
    bench.watching.sweep.run()
    assembly = Assembly(bench.profile.watch[0], bench.profile.sets, bench.journal, lambda path: claims.get(path.name))
    return known(assembly, area, bench.clock.now() + 1000)


def known(assembly: Assembly, area: str, now: float) -> list[Group]:
    assembly.learn(area, now)
    return assembly.groups(area)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.tif", "a"), ("a.ome.tif", "a"), ("a.OME.TIFF", "a"), ("a.companion.ome", "a"), ("a.b.tif", "a.b"),
        ("a.tar.gz", "a"), ("a", "a"), ("a.", "a."), ("b\udcff.ome.tif", "b\udcff"), ("ome.tif", "ome"),
    ],
)  # fmt: skip
def test_the_stem_of_a_name_is_what_a_person_would_call_the_image(name: str, expected: str) -> None:
    assert stem(name) == expected


def test_what_says_who_made_the_images_of_a_folder_is_no_image_set_itself(bench: Bench) -> None:
    for name in ("a.dat", "a.acquisition.yaml", "b.dat", "acquisition.yaml", "sub/Acquisition.yml", "sub/c.dat"):
        bench.write(name)
    assert settled(bench) == {"a": {"a.dat", "a.acquisition.yaml"}, "b": {"b.dat"}, "c": {"sub/c.dat"}}


def test_where_each_file_is_a_set_what_speaks_for_one_of_them_is_none(bench: Bench) -> None:
    bench.configure(sets={"group": "file"})
    for name in ("a.dat", "a.acquisition.yaml"):
        bench.write(name)
    assert settled(bench) == {"a.dat": {"a.dat"}}


def test_a_folder_that_is_one_set_keeps_what_is_said_in_it(bench: Bench) -> None:
    bench.configure(sets={"group": "directory"})
    for name in ("run/a.dat", "run/acquisition.yaml"):
        bench.write(name)
    assert settled(bench) == {"run": {"run/a.dat", "run/acquisition.yaml"}}


def test_files_that_differ_only_in_their_ending_travel_together(bench: Bench) -> None:
    for name in ("a.dat", "a.txt", "a.ome.xml", "ab.dat", "sub/a.dat"):
        bench.write(name)
    bench.observe()
    assert bench.members(bench.sets()[0]) == {"a.dat", "a.txt", "a.ome.xml"}
    assert [(str(one.folder), one.name) for one in bench.sets()] == [(".", "a"), (".", "ab"), ("sub", "a")]


def test_with_file_each_file_is_a_set(bench: Bench) -> None:
    bench.configure(sets={"group": "file"})
    for name in ("a.dat", "a.txt", "x/a.dat"):
        bench.write(name)
    bench.observe()
    assert [bench.members(one) for one in bench.sets()] == [{"a.dat"}, {"a.txt"}, {"x/a.dat"}]


def test_with_directory_each_first_folder_is_a_set_with_all_below_it(bench: Bench) -> None:
    bench.configure(sets={"group": "directory"})
    for name in ("run1/a", "run1/x/y/b", "run2/a", "loose.dat", "loose.txt"):
        bench.write(name)
    bench.observe()
    assert bench.groups() == {
        "run1": {"run1/a", "run1/x/y/b"}, "run2": {"run2/a"}, "loose": {"loose.dat", "loose.txt"}
    }  # fmt: skip


def test_with_directory_the_captured_folders_are_above_the_sets(bench: Bench) -> None:
    bench.configure(sets={"group": "directory"}, watch={"capture": "{group}/{user}/"})
    for name in ("g/u/run/a", "g/u/run/x/b", "g/u/other/a", "g/u/loose.dat", "g/early.dat"):
        bench.write(name)
    bench.observe()
    assert bench.groups() == {
        "run": {"g/u/run/a", "g/u/run/x/b"}, "other": {"g/u/other/a"}, "loose": {"g/u/loose.dat"},
        "early": {"g/early.dat"},
    }  # fmt: skip


def test_planes_in_a_folder_are_one_set_named_like_the_folder(bench: Bench) -> None:
    files = plane_directory(bench.root, "Pos0", pause=no_pause, size=16)
    bench.write("Pos0/notes.txt")
    bench.write("Pos1/image.dat")
    assert settled(bench) == {
        "Pos0": {path.relative_to(bench.root).as_posix() for path in files} | {"Pos0/notes.txt"},
        "image": {"Pos1/image.dat"},
    }
    assert {one.name: one.grouped_by for one in bench.sets()} == {"Pos0": "directory", "image": "stem"}


def test_planes_in_the_watched_folder_itself_are_not_one_set(bench: Bench) -> None:
    bench.write("img_z001.dat")
    bench.write("img_z002.dat")
    bench.observe()
    assert set(bench.groups()) == {"img_z001", "img_z002"}


def test_planes_in_a_captured_folder_are_not_one_set(bench: Bench) -> None:
    bench.configure(watch={"capture": "{user}/"})
    for name in ("ann/img_z001.dat", "ann/img_z002.dat", "ann/run/img_z001.dat", "ann/run/img_z002.dat"):
        bench.write(name)
    bench.observe()
    assert set(bench.groups()) == {"img_z001", "img_z002", "run"}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_files_that_name_each_other_are_one_set_in_whatever_order_they_come(
    bench: Bench, order: tuple[int, ...]
) -> None:
    files = series(bench)
    waiting = bench.base / "waiting"
    waiting.mkdir()
    for path in files:
        path.rename(waiting / path.name)
    for number in order:
        (waiting / files[number].name).rename(files[number])
        bench.observe(after=25)
    bench.observe(after=25)
    (only,) = bench.sets()
    assert (only.name, only.format) == ("beads", "ome-tiff")
    assert bench.members(only) == {path.name for path in files}


def test_a_set_waits_for_the_file_that_it_names_and_that_is_not_there(bench: Bench) -> None:
    files = series(bench, missing=(2,))
    settled(bench)
    bench.observe(after=3600)
    (only,) = bench.sets()
    assert only.state == "growing"
    assert only.waits_for == ("the missing file beads_Z02.ome.tif",)
    assert bench.members(only) == {path.name for path in files}


def test_sidecars_travel_with_the_images_that_they_are_named_after(bench: Bench) -> None:
    files = series(bench)
    for name in ("beads.txt", "beads_Z01.json", "beads2.txt"):
        bench.write(name)
    assert settled(bench) == {
        "beads": {*(path.name for path in files), "beads.txt", "beads_Z01.json"}, "beads2": {"beads2.txt"},
    }  # fmt: skip


def test_two_series_whose_names_begin_alike_stay_two(bench: Bench) -> None:
    one, other = series(bench, name="run1"), series(bench, name="run10")
    assert settled(bench) == {"run1": {path.name for path in one}, "run10": {path.name for path in other}}


def test_names_that_are_no_text_have_a_set_that_can_be_named(bench: Bench) -> None:
    bench.write(b"b\xff.dat")
    bench.write(b"b\xff.txt")
    bench.write(b"b\xfe.dat")
    bench.observe()
    assert bench.groups() == {"b%FF": {"b\udcff.dat", "b\udcff.txt"}, "b%FE": {"b\udcfe.dat"}}


def test_a_format_that_the_profile_leaves_out_does_not_join_files(bench: Bench) -> None:
    bench.configure(sets={"formats": ["tiff"]})
    series(bench, planes=2)
    assert set(settled(bench)) == {"beads_Z01", "beads_Z02"}
    assert {one.format for one in bench.sets()} == {""}


def test_a_file_is_not_opened_before_it_has_settled_nor_again_until_it_changes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    path = bench.write("a.dat")
    bench.watching.sweep.run()
    watch, sets = bench.profile.watch[0], bench.profile.sets
    assembly = Assembly(watch, sets, bench.journal, lambda file: asked.append(file.name))
    known(assembly, "", bench.clock.now() + 19)
    assert asked == []
    for _ in range(3):
        known(assembly, "", bench.clock.now() + 20)
    assert asked == ["a.dat"]
    path.write_bytes(b"longer than before")
    bench.watching.sweep.run()
    known(assembly, "", bench.clock.now() + 20)
    assert asked == ["a.dat", "a.dat"]


def test_a_file_that_cannot_be_opened_now_is_asked_again(bench: Bench) -> None:
    answers: Iterator[OSError | Claim] = iter([OSError(13, "no permission"), Claim("x", ("a.dat",))])

    def look(_: Path) -> Claim:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    bench.write("a.dat")
    bench.watching.sweep.run()
    assembly = Assembly(bench.profile.watch[0], bench.profile.sets, bench.journal, look)
    assert [group.format for _ in range(2) for group in known(assembly, "", bench.clock.now() + 99)] == ["", "x"]


def test_what_one_file_lists_joins_what_another_lists(bench: Bench) -> None:
    claims = {
        "a": Claim("x", ("a", "b")), "b": Claim("x", ("b", "c")), "c": Claim("x", ("c",)), "d": Claim("x", ("d", "e")),
        "e": Claim("x", ("e",)),
    }  # fmt: skip
    for name in claims:
        bench.write(name)
    found = groups(bench, claims)
    assert [{file.name for file in group.files} for group in found] == [{"a", "b", "c"}, {"d", "e"}]


def test_each_file_is_in_exactly_one_group(bench: Bench) -> None:
    names = ["s_Z1.ome.tif", "s_Z2.ome.tif", "s.txt", "s_Z1.txt", "t.dat", "t.txt", "s2.dat"]
    listed = Claim("ome-tiff", tuple(names[:2]), "s")
    for name in names:
        bench.write(name)
    found = groups(bench, dict.fromkeys(names[:2], listed))
    assert sorted(file.name for group in found for file in group.files) == sorted(names)


def test_two_series_with_one_title_are_told_apart(bench: Bench) -> None:
    claims = {
        name: Claim("x", listed, "run") for listed in (("run_T1", "run_T2"), ("run_Z1", "run_Z2")) for name in listed
    }
    for name in claims:
        bench.write(name)
    assert len({group.name for group in groups(bench, claims)}) == 2


def test_a_series_in_a_folder_of_its_name_and_planes_beside_it_are_told_apart(bench: Bench) -> None:
    series(bench, into="beads")
    bench.write("beads/snap_ch01.dat")
    settled(bench)
    assert {one.version for one in bench.sets()} == {1}


@pytest.mark.parametrize("title", ["..", ".", "a/b"])
def test_a_title_that_can_be_no_name_does_not_stop_the_watcher(bench: Bench, title: str) -> None:
    bench.write("a")
    bench.write("b")
    (group,) = groups(bench, {"a": Claim("x", ("a", "b"), title)})
    assert {file.name for file in group.files} == {"a", "b"}


def test_listed_files_in_a_folder_below_belong_to_the_set(bench: Bench) -> None:
    bench.write("a.x")
    bench.write("data/b.x")
    (group,) = groups(bench, {"a.x": Claim("x", ("a.x", "data/b.x"))})
    assert group.missing == ()
