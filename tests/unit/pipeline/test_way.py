"""The whole way of a set with a real archive: what arrives, what it says of itself, and what a change makes of it."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from tests.unit.pipeline.conftest import START, Bench
from watcher.model import State
from watcher.simulate import growing_stack, ome_tiff_series

PUBLISHED, SUPERSEDED = State.PUBLISHED, State.SUPERSEDED


def no_pause(_: float) -> None:
    """Takes no time."""


def originals(bench: Bench, *, below: str = "") -> dict[str, bytes]:
    base = bench.root / below
    return {path.relative_to(base).as_posix(): path.read_bytes() for path in base.rglob("*") if path.is_file()}


def test_what_arrives_is_byte_identical_and_the_manifest_is_accepted_by_sha256sum(bench: Bench) -> None:
    bench.configure(sets={"group": "directory"})
    for name, content in {
        "a.dat": b"a", "empty": b"", "deep/er/and/deeper/b": os.urandom(9_000_000), "with space & 'quote'.tif": b"c",
        "back\\slash": b"d", "new\nline": b"e", "manifest-sha256.txt": b"the user's own", "Ω\U0001f52c.tif": b"f",
        "irods-watcher.json": b"{}", "deep/manifest-sha256.txt": b"g", "ro-crate-metadata.json": b"{}", "50%20x": b"h",
        "*star": b"i", " lead": b"j",
    }.items():  # fmt: skip
        bench.write(f"run/{name}", content)
    bench.write(b"run/no text \xff\xfe", b"k")
    (bench.root / "run/empty folder").mkdir()
    bench.finish()
    assert bench.states() == {"run": PUBLISHED}
    arrived = bench.archived("scope/run")
    assert sorted(arrived.values()) == sorted(originals(bench, below="run").values())
    assert arrived["a.dat"] == b"a"
    assert arrived["deep/manifest-sha256.txt"] == b"g"
    assert arrived["%6Danifest-sha256.txt"] == b"the user's own"
    check = bench.sha256sum("scope/run")
    assert (check.returncode, check.stderr) == (0, b"")
    assert check.stdout.count(b": OK") == len(arrived)


def test_a_damaged_archive_is_noticed_by_sha256sum(bench: Bench) -> None:
    bench.write("a.dat", b"first")
    bench.finish()
    (bench.archive / "scope/a/a.dat").write_bytes(b"fixst")
    assert bench.sha256sum("scope/a").returncode == 1


def test_the_source_is_left_exactly_as_it_was(bench: Bench) -> None:
    paths = [bench.write("x/a.dat", b"1"), bench.write("x/b.dat", b"2")]
    before = [(path.stat().st_mtime_ns, path.stat().st_ctime_ns, path.read_bytes()) for path in paths]
    bench.finish()
    assert [(path.stat().st_mtime_ns, path.stat().st_ctime_ns, path.read_bytes()) for path in paths] == before
    assert {path.name for path in (bench.root / "x").iterdir()} == {"a.dat", "b.dat"}


def test_what_a_published_set_says_of_itself(bench: Bench) -> None:
    bench.write("x/a.dat", b"12345")
    bench.write("x/a.txt", b"678")
    bench.finish()
    avus = bench.avus("scope/x/a")
    listing = (bench.archive / "scope/x/a/manifest-sha256.txt").read_bytes()
    expected = {
        "acq:state": "complete", "acq:complete": "yes", "acq:num_files": "2", "dcat:byteSize": "8",
        "dcterms:title": "a", "dcterms:identifier": bench.only().id, "acq:instrument": "scope",
        "acq:source_path": str(bench.root / "x"), "acq:completion_rule": "quiet:120s & listed-members",
        "acq:validation": "unchecked", "acq:attribution": "unresolved",
        "acq:manifest.sha256": hashlib.sha256(listing).hexdigest(),
    }  # fmt: skip
    assert expected.items() <= avus.items()
    assert "" not in avus.values()


def test_each_step_is_told_and_written_down(bench: Bench) -> None:
    bench.write("a.dat")
    bench.finish()
    way = ["valid", "delivered", "verified", "published"]
    assert bench.told.moves == [("a", state) for state in way]
    history = [state for _, state, _ in bench.journal.sets.history(bench.only().id)]
    assert history == ["growing", "complete", *way]
    assert bench.told.failures == []
    assert bench.told.bytes_sent == {"a.dat": 6}


def test_a_real_image_is_checked_and_says_so(bench: Bench) -> None:
    ome_tiff_series(bench.root, "beads", pause=no_pause, planes=3, size=16)
    bench.observe()
    bench.observe(after=30)
    bench.finish()
    avus = bench.avus("scope/beads")
    assert (avus["acq:validation"], avus["dcterms:format"]) == ("sound", "ome-tiff")
    assert "ifd-walk" in avus["acq:validated_by"]


def test_a_damaged_image_is_not_published_until_it_is_whole(bench: Bench) -> None:
    (path,) = growing_stack(bench.root, "stack", pause=no_pause, pages=3, size=16, truncate=True)
    bench.observe()
    bench.observe(after=30)
    bench.finish()
    bench.observe(after=1)
    assert bench.only().state is State.GROWING
    assert "cut off" in bench.only().waits_for[0]
    assert bench.archived() == {}
    path.unlink()
    growing_stack(bench.root, "stack", pause=no_pause, pages=3, size=16)
    bench.observe()
    bench.observe(after=30)
    bench.finish()
    assert bench.only().state is PUBLISHED


def test_a_damaged_image_with_a_name_that_is_no_text_is_told_and_delivered_late(bench: Bench) -> None:
    bench.configure(complete={"deadline": "1h", "incomplete": "deliver"})
    (path,) = growing_stack(bench.root, "stack", pause=no_pause, pages=3, size=16, truncate=True)
    path.rename(os.fsdecode(os.path.join(os.fsencode(bench.root), b"b\xff.tif")))
    bench.observe()
    bench.observe(after=30)
    bench.finish()
    assert bench.only().state is State.GROWING
    bench.clock.advance(3600)
    bench.daemon.once()
    assert bench.only().state is PUBLISHED
    assert "cut off" in bench.avus("scope/b%FF")["acq:problems"]


def test_an_incomplete_set_is_held_at_its_deadline_with_the_reason(bench: Bench) -> None:
    ome_tiff_series(bench.root, "beads", pause=no_pause, planes=3, size=16, missing=(2,))
    bench.observe()
    bench.observe(after=30)
    bench.observe(after=START + 86399 - bench.clock.now())
    assert bench.only().state is State.GROWING
    bench.clock.advance(1)
    result = bench.daemon.once()
    held = bench.only()
    assert held.state is State.HELD
    assert held.reason == "still incomplete after 86400 s without a change: the missing file beads_Z02.ome.tif"
    assert [one.id for one in result.unsafe] == [held.id]
    assert bench.archived() == {}


def test_an_incomplete_set_that_is_to_be_delivered_is_labelled(bench: Bench) -> None:
    bench.configure(complete={"deadline": "1h", "incomplete": "deliver"})
    ome_tiff_series(bench.root, "beads", pause=no_pause, planes=3, size=16, missing=(2,))
    bench.observe()
    bench.observe(after=30)
    bench.clock.advance(3600)
    bench.finish()
    avus = bench.avus("scope/beads")
    assert (avus["acq:state"], avus["acq:complete"], avus["acq:num_files"]) == ("complete", "no", "2")
    assert "beads_Z02.ome.tif" in avus["acq:problems"]
    assert avus["acq:completion_rule"] == "deadline:3600s"


def test_the_missing_file_of_an_incomplete_delivery_makes_a_whole_second_version(bench: Bench) -> None:
    bench.configure(complete={"deadline": "1h", "incomplete": "deliver"})
    ome_tiff_series(bench.root, "beads", pause=no_pause, planes=3, size=16, missing=(2,))
    bench.observe()
    bench.clock.advance(4000)
    bench.finish()
    ome_tiff_series(bench.root, "beads", pause=no_pause, planes=3, size=16)
    bench.observe()
    bench.observe(after=30)
    bench.finish()
    assert bench.states() == {"beads": SUPERSEDED, "beads.v2": PUBLISHED}
    assert bench.avus("scope/beads.v2")["acq:complete"] == "yes"


def test_an_acquisition_that_runs_for_days_never_meets_the_deadline(bench: Bench) -> None:
    bench.configure(complete={"deadline": "1h", "quiet": "10m"})
    for hour in range(5 * 24 * 2):
        with (bench.root / "long.dat").open("ab") as file:
            file.write(b"x")
        bench.observe(after=300)
        assert bench.only().state is State.GROWING, hour
    bench.finish()
    bench.finish()
    bench.finish()
    assert bench.only().state is PUBLISHED


def test_with_no_quiet_time_a_set_goes_at_the_first_look(bench: Bench) -> None:
    bench.configure(complete={"quiet": "0s"}, watch={"settle": "0s"})
    bench.write("a.dat")
    result = bench.daemon.once()
    assert (bench.states(), result.unsafe) == ({"a": PUBLISHED}, [])


@pytest.mark.parametrize(
    ("group", "marker"), [("directory", "run/x/end.done"), ("auto", "run/a.done"), ("stem", "run/a.done")]
)
def test_a_set_goes_as_soon_as_its_marker_is_there(bench: Bench, group: str, marker: str) -> None:
    bench.configure(sets={"group": group}, complete={"marker": "*.done"})
    bench.write("run/a.dat")
    bench.finish()
    bench.finish()
    assert bench.only().state is State.GROWING
    assert bench.only().waits_for == ("the marker file *.done",)
    bench.write(marker)
    bench.observe()
    bench.clock.advance(21)
    bench.daemon.once()
    assert bench.only().state is PUBLISHED


def test_a_marker_is_found_for_a_name_that_is_no_text(bench: Bench) -> None:
    bench.configure(complete={"marker": "*.done"})
    bench.write(b"b\xff.dat")
    bench.write(b"b\xff.done")
    bench.finish()
    assert bench.only().state is PUBLISHED


def test_a_marker_named_after_the_whole_file_is_found(bench: Bench) -> None:
    bench.configure(complete={"marker": "*.done"})
    bench.write("a.dat")
    bench.write("a.dat.done")
    bench.finish()
    assert bench.states()["a"] is PUBLISHED


def test_a_set_without_the_name_of_a_finished_run_waits(bench: Bench) -> None:
    bench.configure(complete={"name": "*_final"})
    bench.write("a.dat")
    bench.write("b_final.dat")
    bench.finish()
    assert bench.states() == {"a": State.GROWING, "b_final": PUBLISHED}


def changed(bench: Bench) -> None:
    bench.write("a.dat", b"first")
    bench.finish()
    bench.write("a.dat", b"second one")
    bench.finish()


def test_a_changed_set_goes_beside_the_old_one_which_says_so(bench: Bench) -> None:
    changed(bench)
    assert bench.states() == {"a": SUPERSEDED, "a.v2": PUBLISHED}
    assert bench.archived() == {"scope/a/a.dat": b"first", "scope/a.v2/a.dat": b"second one"}
    first, second = bench.sets()
    old, new = bench.avus("scope/a"), bench.avus("scope/a.v2")
    assert (old["acq:state"], old["dcterms:isReplacedBy"]) == ("superseded", second.id)
    assert (new["acq:state"], new["dcterms:replaces"]) == ("complete", first.id)
    assert bench.sha256sum("scope/a").returncode == bench.sha256sum("scope/a.v2").returncode == 0


def test_the_third_version_replaces_the_second(bench: Bench) -> None:
    changed(bench)
    bench.write("a.dat", b"third")
    bench.finish()
    assert bench.states() == {"a": SUPERSEDED, "a.v2": SUPERSEDED, "a.v3": PUBLISHED}
    assert bench.archived() == {
        "scope/a/a.dat": b"first", "scope/a.v2/a.dat": b"second one", "scope/a.v3/a.dat": b"third"
    }  # fmt: skip


@pytest.mark.parametrize("how", ["touched", "written again", "copied back"])
def test_the_same_content_saved_again_is_no_new_version(bench: Bench, how: str) -> None:
    path = bench.write("x/a.dat", b"first")
    bench.write("b.dat")
    bench.finish()
    if how == "touched":
        os.utime(path, (9, 9))
    elif how == "written again":
        path.write_bytes(b"first")
    else:
        shutil.copytree(path.parent, bench.base / "copy")
        shutil.rmtree(path.parent)
        bench.finish()
        shutil.copytree(bench.base / "copy", path.parent)
        os.utime(path, (9, 9))
    bench.told.bytes_sent.clear()
    for _ in range(3):
        bench.finish()
    assert bench.states() == {"a": PUBLISHED, "b": PUBLISHED}
    assert bench.told.bytes_sent == {}
    assert set(bench.archived()) == {"scope/x/a/a.dat", "scope/b/b.dat"}
    assert bench.members(bench.journal.sets.find("a")) == {"x/a.dat"}


def test_content_that_changes_after_it_was_saved_again_unchanged_is_a_new_version(bench: Bench) -> None:
    path = bench.write("a.dat", b"first")
    bench.finish()
    os.utime(path, (9, 9))
    bench.finish()
    path.write_bytes(b"other")
    bench.finish()
    assert bench.states() == {"a": SUPERSEDED, "a.v2": PUBLISHED}
    assert bench.archived() == {"scope/a/a.dat": b"first", "scope/a.v2/a.dat": b"other"}


def test_two_watched_folders_with_the_same_names_do_not_share_a_collection(bench: Bench) -> None:
    second = bench.base / "second"
    second.mkdir()
    (second / "a.dat").write_bytes(b"from the second")
    bench.settings["watch"].append({"path": str(second)})
    bench.write("a.dat", b"from the first")
    bench.finish()
    one, other = bench.sets()
    assert {one.state, other.state} == {PUBLISHED}
    assert sorted(bench.archived().values()) == [b"from the first", b"from the second"]
    assert one.collection != other.collection
    assert {one.collection, other.collection} == {
        "scope/a",
        f"scope/a~{(one if one.collection != 'scope/a' else other).id[9:17]}",
    }


def test_two_sets_with_one_name_in_a_flat_archive_do_not_share_a_collection(bench: Bench) -> None:
    bench.configure(store={"collection": "{instrument}/{set}"})
    for folder in ("x", "y", "z"):
        bench.write(f"{folder}/a.dat", folder.encode())
    bench.finish()
    assert {one.state for one in bench.sets()} == {PUBLISHED}
    assert sorted(bench.archived().values()) == [b"x", b"y", b"z"]
    assert len({one.collection for one in bench.sets()}) == 3
    assert {path.split("/")[1].split("~")[0] for path in bench.archived()} == {"a"}


def test_what_somebody_else_put_there_is_left_alone(bench: Bench) -> None:
    foreign = bench.archive / "scope/a/a.dat"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"foreign")
    bench.write("a.dat", b"ours")
    bench.finish()
    assert bench.only().state is PUBLISHED
    assert foreign.read_bytes() == b"foreign"
    assert sorted(path.name for path in foreign.parent.iterdir()) == ["a.dat"]
    assert bench.archived(bench.only().collection or "") == {"a.dat": b"ours"}


@pytest.mark.parametrize(
    "paths",
    [
        ("exp1.dat", "exp1/pos1.dat"),
        ("exp/img_z001.tif", "exp/img_z002.tif", "exp/s/img_z001.tif", "exp/s/img_z002.tif"),
    ],
)
def test_sets_in_nested_folders_all_arrive(bench: Bench, paths: tuple[str, ...]) -> None:
    for path in paths:
        bench.write(path, path.encode())
    bench.finish()
    assert set(bench.states().values()) == {PUBLISHED}
    assert sorted(bench.archived().values()) == sorted(path.encode() for path in paths)


def test_captured_folders_become_fields_of_the_collection(bench: Bench) -> None:
    bench.configure(
        watch={"capture": "{group}/{user}/"}, store={"collection": "{year}/{group}/{user}/{folder}/{set}"},
        instrument={"timezone": "Europe/Amsterdam"},
    )  # fmt: skip
    path = bench.write("lab/ann/day1/a.dat")
    os.utime(path, (1735686000, 1735686000))  # 2025-01-01 00:00 in Amsterdam, still 2024 in UTC
    bench.finish()
    assert set(bench.archived()) == {"2025/lab/ann/day1/a/a.dat"}


def test_the_archive_is_closed_to_readers_until_publication(bench: Bench) -> None:
    store = bench.rigged()
    bench.archive.chmod(0o755)
    modes: list[int] = []

    def before(what: str, _: str) -> None:
        if what == "put":
            modes.append((bench.archive / "scope/a").stat().st_mode & 0o777)

    store.before = before
    bench.write("a.dat")
    bench.finish()
    assert set(modes) == {0o700}
    assert (bench.archive / "scope/a").stat().st_mode & 0o777 == 0o755


def test_the_metadata_file_is_plain_json(bench: Bench) -> None:
    bench.write("a.dat")
    bench.finish()
    record = json.loads(Path(bench.archive / "scope/a/irods-watcher.json").read_text(encoding="utf-8"))
    assert ["acq:state", "complete", ""] in record["metadata"]


def test_a_new_acquisition_under_the_name_of_one_that_was_cleared_away_replaces_nothing(bench: Bench) -> None:
    bench.write("test.dat", b"monday")
    bench.finish()
    (bench.root / "test.dat").unlink()
    bench.write("other.dat")  # so that the folder does not look like a share that went away
    bench.finish()
    bench.write("test.dat", b"tuesday")
    bench.finish()
    assert bench.states() == {"test": PUBLISHED, "other": PUBLISHED, "test.v2": PUBLISHED}
    assert "dcterms:replaces" not in bench.avus("scope/test.v2")


def test_a_marker_that_is_not_watched_itself_is_seen_at_its_event_and_not_a_sweep_later(bench: Bench) -> None:
    bench.configure(complete={"marker": "*.done"}, watch={"include": ["**/*.dat"]})
    bench.write("a.dat")
    bench.observe()
    bench.observe(after=30)
    bench.write("a.done")
    bench.clock.advance(1)
    bench.watching.look_at([""])
    bench.watching.judge()
    assert bench.only().state is State.COMPLETE
