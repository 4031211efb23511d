"""Sets that are folders, replayed while the watcher runs: OME-Zarr, Luxendo, UltraMicroscope."""

import random
from pathlib import Path

import pytest

from tests.e2e.replay import Append, Patch, Pause, Rename, Script, Step, Waits, Whole, Write, replay
from tests.unit.formats.synthetic_hdf5 import synthetic_hdf5
from tests.unit.formats.test_hdf5 import LUXENDO
from tests.unit.formats.test_ome_zarr import synthetic_image, synthetic_plate
from tests.unit.formats.test_slides import tiff


def on_disk(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# OME-Zarr


def written_as_zarr_does(top: str, files: dict[str, bytes]) -> list[Step]:
    """The metadata of the whole, then all other files in no order, each under a temporary name first."""
    names = [name for name in files if "/" in name]
    random.Random(7).shuffle(names)
    names = [*(name for name in files if "/" not in name), *names]
    steps: list[Step] = []
    for name in names:
        steps += [
            Write(f"{top}/{name}.9f86.partial", files[name]),
            Rename(f"{top}/{name}.9f86.partial", f"{top}/{name}"),
        ]
    return steps


@pytest.mark.parametrize(("version", "sharded"), [(2, False), (3, False), (3, True)])
def test_an_ome_zarr_is_sent_with_all_its_chunks_and_dot_files(tmp_path: Path, version: int, sharded: bool) -> None:
    synthetic_image(tmp_path / "made", version, sharded=sharded)
    files = on_disk(tmp_path / "made")
    assert (".zattrs" in files) is (version == 2)
    written = written_as_zarr_does("scan.ome.zarr", files)
    steps: Script = [
        *written[:6],
        Pause(0.8),
        *written[6:14],
        Pause(0.8),
        *written[14:],
        Whole("scan.ome.zarr", files, folder="scan.ome.zarr"),
    ]
    replay("ome-zarr", steps, tmp_path, under="ada", quiet=1.5)


@pytest.mark.parametrize("version", [2, 3])
def test_an_ome_zarr_is_named_after_its_folder_in_whatever_order_it_comes(tmp_path: Path, version: int) -> None:
    """Its levels, with their metadata, come before the metadata of the whole, as some writers do."""
    synthetic_image(tmp_path / "made", version)
    files = on_disk(tmp_path / "made")
    levels = [Write(f"scan.ome.zarr/{name}", data) for name, data in files.items() if "/" in name]
    top = [Write(f"scan.ome.zarr/{name}", data) for name, data in files.items() if "/" not in name]
    steps: Script = [*levels, Pause(0.8), *top, Whole("scan.ome.zarr", files, folder="scan.ome.zarr")]
    replay("ome-zarr", steps, tmp_path, under="ada", quiet=1.5)


def test_an_ome_zarr_waits_for_the_levels_that_it_lists(tmp_path: Path) -> None:
    """The metadata come first; the smaller level is made when the acquisition is over."""
    synthetic_image(tmp_path / "made", 3)
    files = on_disk(tmp_path / "made")
    level = {name: data for name, data in files.items() if name.startswith("1/")}
    steps: Script = [
        *[Write(f"scan.zarr/{name}", data) for name, data in files.items() if name not in level],
        Pause(1.6),
        Waits("scan.zarr", "1: missing"),
        *[Write(f"scan.zarr/{name}", data) for name, data in level.items()],
        Whole("scan.zarr", files, folder="scan.zarr"),
    ]
    replay("ome-zarr", steps, tmp_path, under="ada")


@pytest.mark.parametrize("version", [2, 3])
def test_a_plate_in_ome_zarr_is_one_set(tmp_path: Path, version: int) -> None:
    """Its last well comes long after the others."""
    synthetic_plate(tmp_path / "made", version)
    files = on_disk(tmp_path / "made")
    last = {name: data for name, data in files.items() if name.startswith("B/2/")}
    written = [Write(f"plate.zarr/{name}", data) for name, data in files.items() if name not in last]
    steps: Script = [
        *written,
        Pause(1.5),
        Waits("plate.zarr", "B/2"),
        *written_as_zarr_does("plate.zarr", last),
        Whole("plate.zarr", files, folder="plate.zarr"),
    ]
    replay("ome-zarr", steps, tmp_path, under="ada")


def test_an_ome_zarr_that_is_renamed_when_it_is_finished_is_not_seen_before(tmp_path: Path) -> None:
    synthetic_image(tmp_path / "made", 2)
    files = on_disk(tmp_path / "made")
    steps: Script = [
        *[Write(f"scan.zarr.tmp/{name}", data) for name, data in files.items()],
        Pause(1.6),
        Rename("scan.zarr.tmp", "scan.zarr"),
        Whole("scan.zarr", files, folder="scan.zarr"),
    ]
    replay("ome-zarr", steps, tmp_path, under="ada")


@pytest.mark.samples
def test_a_real_ome_zarr_arrives_whole(tmp_path: Path, samples: Path) -> None:
    files = on_disk(samples / "ome-zarr" / "v2")
    steps: Script = [*written_as_zarr_does("embryo.zarr", files), Whole("embryo.zarr", files, folder="embryo.zarr")]
    replay("ome-zarr", steps, tmp_path, under="ada")


# Luxendo

RUN = "2024-01-31_142233"


def test_a_luxendo_run_is_sent_when_no_time_point_comes_any_more(tmp_path: Path) -> None:
    """Each file is marked as open while it is written; the settings lie beside the images."""
    opened, closed = (synthetic_hdf5(LUXENDO, 3, flags=flags) for flags in (1, 0))
    names = [f"raw/stack_0_channel_{channel}/Cam_left_{at:05}.lux.h5" for at in (0, 1, 2) for channel in (0, 1)]
    taken = [
        step
        for name in names
        for step in (Write(f"{RUN}/{name}", opened[:200]), Append(f"{RUN}/{name}", opened[200:]), Pause(0.3),
                     Patch(f"{RUN}/{name}", 0, closed))
    ]  # fmt: skip
    steps: Script = [
        Write(f"{RUN}/settings.json", b"{}"),
        *taken[:8],
        Pause(1.0),
        *taken[8:],
        Whole(RUN, ["settings.json", *names], folder=RUN),
    ]
    replay("luxendo", steps, tmp_path, under="ada", quiet=1.8)


def test_a_luxendo_file_that_is_still_open_keeps_its_run_waiting(tmp_path: Path) -> None:
    opened, closed = (synthetic_hdf5(LUXENDO, 3, flags=flags) for flags in (1, 0))
    name = "raw/stack_0_channel_0/Cam_left_00000.lux.h5"
    steps: Script = [
        Write(f"{RUN}/{name}", opened),
        Pause(1.5),
        Waits(RUN, "open for writing"),
        Patch(f"{RUN}/{name}", 0, closed),
        Whole(RUN, [name], folder=RUN),
    ]
    replay("luxendo", steps, tmp_path, under="ada")


# UltraMicroscope

OME = (
    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image><Pixels SizeX="16" SizeY="16" SizeZ="1" '
    'SizeC="1" SizeT="1" Type="uint8" DimensionOrder="XYZCT"><TiffData IFD="0" PlaneCount="1"/></Pixels></Image></OME>'
)


def test_an_ultramicroscope_scan_is_its_folder(tmp_path: Path) -> None:
    """Two tiles, two channels; between them the stage moves; planes are planes of one image only by their names."""
    plane = tiff([{270: OME}])
    names = [
        f"10-33-01_brain_UltraII[{tile:02} x 00]_C{channel:02}_xyz-Table Z{z:04}.ome.tif"
        for tile in (0, 1)
        for channel in (0, 1)
        for z in (0, 1, 2)
    ]
    taken = [
        step for name in names for step in (Write(f"brain/{name}", plane[:99]), Append(f"brain/{name}", plane[99:]))
    ]
    steps: Script = [
        *taken[:6],
        Pause(0.9),
        *taken[6:12],
        Pause(0.9),
        *taken[12:],
        Whole("brain", names, folder="brain"),
    ]
    replay("ultramicroscope", steps, tmp_path, under="ada", quiet=1.6)
