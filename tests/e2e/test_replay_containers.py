"""Single containers, replayed while the watcher runs: Imaris, DeltaVision, BigDataViewer, any HDF5."""

from pathlib import Path

import pytest

from tests.e2e.replay import (
    Append,
    Held,
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
from tests.unit.formats.synthetic_hdf5 import synthetic_hdf5
from tests.unit.formats.test_bdv import synthetic_views, synthetic_xml
from tests.unit.formats.test_deltavision import synthetic_dv
from tests.unit.formats.test_hdf5 import PLAIN
from tests.unit.formats.test_ims import synthetic_ims


def in_pieces(name: str, data: bytes, count: int, pause: float = 0.0) -> list[Step]:
    """A file as a program appends to it."""
    size = -(-len(data) // count)
    pieces: list[Step] = []
    for at in range(0, len(data), size):
        pieces += [Append(name, data[at : at + size]), *([Pause(pause)] if pause else [])]
    return pieces


# Imaris


def test_an_imaris_file_is_whole_when_its_description_is_written(tmp_path: Path) -> None:
    """Image blocks, written out so that the file is in order by itself; much later the description."""
    tree = synthetic_ims()
    info = tree.pop("DataSetInfo")
    blocks = synthetic_hdf5(tree, 2)
    whole = synthetic_hdf5({**tree, "DataSetInfo": info}, 2)
    steps: Script = [
        Write("cells/scan.ims", blocks[:96]),
        Append("cells/scan.ims", blocks[96:]),
        Pause(1.6),
        Waits("scan", "DataSetInfo"),
        Preallocate("cells/scan.ims", len(whole)),
        Patch("cells/scan.ims", 0, whole),
        Whole("scan", ["scan.ims"], folder="cells"),
    ]
    replay("imaris-ims", steps, tmp_path, under="lab/ada")


def test_an_imaris_file_that_is_saved_again_becomes_a_version(tmp_path: Path) -> None:
    """Imaris itself writes to a new file and gives it the name of the old one."""
    steps: Script = [
        Write("scan.ims", synthetic_hdf5(synthetic_ims(), 2)),
        Whole("scan", ["scan.ims"]),
        Write("scan.ims.tmp", synthetic_hdf5(synthetic_ims(channels=3), 2)),
        Rename("scan.ims.tmp", "scan.ims"),
        Whole("scan", ["scan.ims"], version=2),
    ]
    replay("imaris-ims", steps, tmp_path, under="lab/ada")


def test_an_imaris_file_that_a_crash_left_behind_is_held(tmp_path: Path) -> None:
    whole = synthetic_hdf5(synthetic_ims(), 2)
    steps: Script = [Write("scan.ims", whole[: len(whole) // 2]), Held("scan", "scan.ims: ")]
    replay("imaris-ims", steps, tmp_path, under="lab/ada", deadline=2)


@pytest.mark.samples
def test_a_real_imaris_file_arrives_whole(tmp_path: Path, samples: Path) -> None:
    data = (samples / "ims" / "Minimal_IMS_File.ims").read_bytes()
    steps: Script = [*in_pieces("minimal.ims", data[:-4000], 20), Pause(1.4), Append("minimal.ims", data[-4000:])]
    replay("imaris-ims", [*steps, Whole("minimal", ["minimal.ims"])], tmp_path, under="lab/ada")


# DeltaVision


def test_a_deltavision_image_is_whole_when_it_has_all_planes_of_its_header(tmp_path: Path) -> None:
    data = synthetic_dv(planes=6)
    head, plane = data[: 1024 + 256], data[1024 + 256 :][:64]
    steps: Script = [
        Write("run/embryo_R3D.dv", head),
        *[Append("run/embryo_R3D.dv", plane) for _ in range(4)],
        Pause(1.5),
        Waits("embryo_R3D", "4 of its 6 planes"),
        Append("run/embryo_R3D.dv", plane),
        Append("run/embryo_R3D.dv", plane),
        Pause(0.4),
        Write("run/embryo_R3D.dv.log", b"Image: 1\r\n"),
        Append("run/embryo_R3D.dv.log", b"Image: 2\r\n"),
        Whole("embryo_R3D", ["embryo_R3D.dv", "embryo_R3D.dv.log"], folder="run"),
        Write("run/embryo_R3D_D3D.dv", data[:-10]),
        Append("run/embryo_R3D_D3D.dv", data[-10:]),
        Whole("embryo_R3D_D3D", ["embryo_R3D_D3D.dv"], folder="run"),
    ]
    replay("deltavision", steps, tmp_path, under="ada")


def test_a_deltavision_run_that_was_stopped_is_held(tmp_path: Path) -> None:
    data = synthetic_dv(planes=6)
    steps: Script = [*in_pieces("embryo.dv", data[:-64], 5), Held("embryo", "5 of its 6 planes")]
    replay("deltavision", steps, tmp_path, under="ada", deadline=2)


@pytest.mark.samples
def test_a_real_deltavision_image_arrives_whole(tmp_path: Path, samples: Path) -> None:
    data = (samples / "dv" / "toxo.dv").read_bytes()
    steps: Script = [*in_pieces("toxo.dv", data[:-1000], 30), Pause(1.4), Append("toxo.dv", data[-1000:])]
    replay("deltavision", [*steps, Whole("toxo", ["toxo.dv"])], tmp_path, under="ada")


# BigDataViewer


def test_a_bigdataviewer_export_writes_its_xml_last(tmp_path: Path) -> None:
    views = synthetic_hdf5(synthetic_views())
    steps: Script = [
        *in_pieces("fused/a.h5", views, 5),
        Pause(0.7),
        Write("fused/a.xml", synthetic_xml().encode()[:200]),
        Append("fused/a.xml", synthetic_xml().encode()[200:]),
        Whole("a", ["a.xml", "a.h5"], folder="fused"),
    ]
    replay("bigdataviewer", steps, tmp_path, under="ada", quiet=1.5)


def test_a_light_sheet_that_writes_bigdataviewers_xml_first_is_waited_for(tmp_path: Path) -> None:
    """The file, then a view of the last time point, are missing for a long time."""
    part = synthetic_hdf5(synthetic_views(gone=(2, 1)))
    steps: Script = [
        Write("run/a.xml", synthetic_xml().encode()),
        Pause(1.4),
        Waits("a", "a.h5"),
        Write("run/a.h5", part),
        Pause(1.4),
        Waits("a", "a.h5: "),
        Write("run/a.h5", synthetic_hdf5(synthetic_views())),
        Write("run/a.xml~1", b"<SpimData/>"),
        Whole("a", ["a.xml", "a.h5"], folder="run"),
    ]
    replay("bigdataviewer", steps, tmp_path, under="ada")


# Any HDF5


def test_hdf5_of_a_newer_program_says_that_it_is_open(tmp_path: Path) -> None:
    opened, closed = (synthetic_hdf5(PLAIN, 3, flags=flags) for flags in (1, 0))
    steps: Script = [
        Write("run/data.h5", opened),
        Pause(1.5),
        Waits("data", "open for writing"),
        Patch("run/data.h5", 0, closed),
        Write("run/data.json", b"{}"),
        Whole("data", ["data.h5", "data.json"], folder="run"),
    ]
    replay("generic-hdf5", steps, tmp_path, under="ada")


def test_hdf5_of_an_older_program_has_the_end_that_its_header_says(tmp_path: Path) -> None:
    data = synthetic_hdf5(PLAIN, 0)
    steps: Script = [
        Preallocate("data.h5", 4 << 20),
        Patch("data.h5", 0, data),
        Pause(1.4),
        Waits("data", "data.h5: "),
        Truncate("data.h5", len(data)),
        Whole("data", ["data.h5"]),
    ]
    replay("generic-hdf5", steps, tmp_path, under="ada")


def test_hdf5_that_a_crash_left_open_is_held(tmp_path: Path) -> None:
    steps: Script = [Write("data.h5", synthetic_hdf5(PLAIN, 3, flags=1)), Held("data", "open for writing")]
    replay("generic-hdf5", steps, tmp_path, under="ada", deadline=2)
