"""Programs that write TIFF files, replayed while the watcher runs: MetaMorph, OME-TIFF, plain TIFF and ImageJ."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.e2e.replay import (
    Append,
    Patch,
    Pause,
    Preallocate,
    Rename,
    Script,
    Step,
    Truncate,
    Waits,
    Whole,
    Write,
    replay,
)
from tests.unit.formats.test_metamorph_nd import planned, synthetic_nd
from tests.unit.formats.test_metamorph_stk import synthetic_stk
from watcher.simulate import ome_tiff_series, plane

#: Longer than the quiet time of a replay: a set whose files do not tell that they are unfinished would be sent.
LONG = 1.5


def tiff(tmp_path: Path, number: int = 1, **more: bool) -> bytes:
    path = tmp_path / "made.tif"
    tifffile.imwrite(path, plane(number, 1, 1, 16), metadata=None, **more)
    return path.read_bytes()


def nd(tmp_path: Path, waves: int, stages: int, times: int) -> tuple[bytes, list[str]]:
    (tmp_path / "made").mkdir()
    text = synthetic_nd(tmp_path / "made", "exp 1", waves, stages, times).read_bytes()
    # In the order of the microscope: all wavelengths of all positions of a time point, then the next.
    return text, sorted(planned("exp 1", waves, stages, times), key=lambda name: name.rpartition("_t")[2])


def test_a_metamorph_run_waits_for_its_last_time_point(tmp_path: Path) -> None:
    text, names = nd(tmp_path, 2, 2, 3)
    images = {name: tiff(tmp_path, number) for number, name in enumerate(names)}
    shots: list[list[Step]] = [
        [Write(name, data[:100]), Append(name, data[100:]), Pause(0.05)] for name, data in images.items()
    ]
    steps: Script = [
        Write("exp 1.nd", text[:150]),
        Append("exp 1.nd", text[150:]),
        *(step for shot in shots[:8] for step in shot),
        Pause(LONG),
        Waits("exp 1", "3 time points were planned"),
        *(step for shot in shots[8:11] for step in shot),
        Pause(LONG),
        Waits("exp 1", names[-1]),
        *shots[11],
        Whole("exp 1", ["exp 1.nd", *names]),
    ]
    replay("metamorph", steps, tmp_path, under="ada")


def test_metamorph_stacks_grow_plane_by_plane(tmp_path: Path) -> None:
    text, _ = nd(tmp_path, 2, 0, 0)
    stack = synthetic_stk(tmp_path / "made.stk", 6).read_bytes()
    names = ["exp 1_w1CFP-YFP.stk", "exp 1_w2DIC--2-.stk"]
    steps: Script = [
        Write("exp 1.nd", text),
        Write(names[0], stack[:-20]),
        *(Append(names[0], stack[at : at + 5 or None]) for at in (-20, -15, -10, -5)),
        Write(names[1], stack[:-9]),
        Pause(LONG),
        Waits("exp 1", "exp 1_w2DIC--2-.stk: "),
        Append(names[1], stack[-9:]),
        Whole("exp 1", ["exp 1.nd", *names]),
    ]
    replay("metamorph", steps, tmp_path, under="ada")


def test_a_metamorph_run_that_was_stopped_is_sent_as_incomplete(tmp_path: Path) -> None:
    text, names = nd(tmp_path, 1, 0, 4)
    steps: Script = [
        Write("exp 1.nd", text),
        *(Write(name, tiff(tmp_path, number)) for number, name in enumerate(names[:3])),
        Whole("exp 1", ["exp 1.nd", *names[:3]], complete="no", validation="unsound"),
    ]
    done = replay("metamorph", steps, tmp_path, under="ada", deadline=2.5)
    assert "4 time points were planned" in done.said("exp 1")["acq:problems"]


@pytest.mark.samples
def test_a_companion_waits_for_every_file_that_it_names(samples: Path, tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in sorted((samples / "ome-tiff").glob("multifile*"))}
    companion = files.pop("multifile.companion.ome")
    *names, last = files
    steps: Script = [
        *(
            step
            for name in names
            for step in (Write(f"{name}.tmp", files[name]), Rename(f"{name}.tmp", name), Pause(0.1))
        ),
        Write("multifile.companion.ome", companion[:700]),
        Append("multifile.companion.ome", companion[700:]),
        Pause(LONG),
        Waits("multifile", last),
        # Its description is written again, as programs do after every file.
        Write("multifile.companion.ome", companion),
        Pause(0.6),
        Write(last, files[last][:900]),
        Append(last, files[last][900:]),
        Whole("multifile", ["multifile.companion.ome", *files]),
    ]
    replay("ome-tiff", steps, tmp_path, under="2026-11-23_ada")


def series(tmp_path: Path, planes: int = 5) -> dict[str, bytes]:
    (tmp_path / "made").mkdir()
    paths = ome_tiff_series(tmp_path / "made", "beads", pause=lambda _: None, planes=planes, size=64)
    return {path.name: path.read_bytes() for path in paths}


def test_files_that_name_each_other_are_one_set_when_the_last_is_there(tmp_path: Path) -> None:
    files = series(tmp_path)
    *names, last = files
    steps: Script = [
        *(
            step
            for name in names
            for step in (Preallocate(name, 20_000), Patch(name, 0, files[name]), Truncate(name, len(files[name])))
        ),
        Pause(LONG),
        Waits("beads", last),
        Write(f"{last}.part", files[last][:3000]),
        Append(f"{last}.part", files[last][3000:]),
        Pause(LONG),
        Rename(f"{last}.part", last),
        Whole("beads", list(files)),
    ]
    replay("ome-tiff", steps, tmp_path, under="2026-11-23_ada")


def test_a_series_that_was_stopped_is_sent_as_incomplete(tmp_path: Path) -> None:
    files = series(tmp_path)
    names = list(files)[:3]
    steps: Script = [
        *(step for name in names for step in (Write(name, files[name]), Pause(0.3))),
        Whole("beads", names, complete="no", validation="unsound"),
    ]
    replay("ome-tiff", steps, tmp_path, under="2026-11-23_ada", deadline=2.5)


def test_an_imagej_stack_is_not_sent_before_its_last_plane(tmp_path: Path) -> None:
    path = tmp_path / "made.tif"
    tifffile.imwrite(path, np.stack([plane(1, z, 4, 64) for z in range(1, 5)]), imagej=True)
    data = path.read_bytes()
    # ImageJ writes one page first, with the number of planes, and then all planes behind it.
    steps: Script = [
        Write("cells.tif", data[: len(data) - 9000]),
        Pause(LONG),
        Waits("cells.tif", "cells.tif"),
        Append("cells.tif", data[-9000:]),
        Write("cells_preview.tif", tiff(tmp_path)),
        Whole("cells.tif", ["cells.tif"]),
    ]
    replay("generic-tiff", steps, tmp_path, under="lab/ada")


def test_each_plain_tiff_goes_as_soon_as_it_is_whole(tmp_path: Path) -> None:
    data = tiff(tmp_path, bigtiff=True)
    steps: Script = [
        Write("a_t01.tif", data),
        Write("a_t02.tif", data[:-100]),
        Whole("a_t01.tif", ["a_t01.tif"]),
        Waits("a_t02.tif", "cut off"),
        Write("a_t03.tif.tmp", data),
        Append("a_t02.tif", data[-100:]),
        Whole("a_t02.tif", ["a_t02.tif"]),
        Rename("a_t03.tif.tmp", "a_t03.tif"),
        Whole("a_t03.tif", ["a_t03.tif"]),
    ]
    replay("generic-tiff", steps, tmp_path, under="lab/ada")


def test_a_folder_of_planes_is_one_set_when_it_rests(tmp_path: Path) -> None:
    names = [f"W{well:02}F001T0001Z{z:02}C1.tif" for well in (1, 2) for z in (1, 2, 3)]
    steps: Script = [
        *(step for name in names for step in (Write(f"plate 7/well/{name}", tiff(tmp_path)), Pause(0.4))),
        Write("plate 7/well/notes.tmp", b"not yet"),
        Whole("plate 7", [f"well/{name}" for name in names], folder="plate 7"),
    ]
    replay("plate-directory", steps, tmp_path, under="screen")
