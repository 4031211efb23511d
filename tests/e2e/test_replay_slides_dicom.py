"""DICOM and scanning electron microscopes, replayed while the watcher runs."""

import struct
from pathlib import Path

import pytest

from tests.e2e.replay import Append, Held, Pause, Remove, Rename, Script, Waits, Whole, Write, replay
from tests.unit.formats.test_dicom import image, part, slide, text
from tests.unit.formats.test_sem_tiff import synthetic_sem_tiff

# DICOM


def test_the_files_of_a_dicom_series_are_one_set(tmp_path: Path) -> None:
    """Two series come into one folder, image by image."""
    first, second = (image(text(0x20, 0x13, b"IS", "1"), series=series) for series in ("1.2.3", "1.2.4"))
    steps: Script = [
        Write("ct/1.dcm", first[:200]),
        Append("ct/1.dcm", first[200:]),
        Pause(0.6),
        Write("ct/2.dcm.part", first),
        Rename("ct/2.dcm.part", "ct/2.dcm"),
        Write("ct/3.dcm", first),
        Whole("1", ["1.dcm", "2.dcm", "3.dcm"], folder="ct"),
        Write("ct/4.dcm", second),
        Write("ct/5.dcm", second),
        Whole("4", ["4.dcm", "5.dcm"], folder="ct"),
    ]
    replay("dicom", steps, tmp_path, under="study 1")


def test_a_dicom_file_without_all_its_pixels_is_waited_for(tmp_path: Path) -> None:
    data = image(frames=4)
    steps: Script = [
        Write("us/1.dcm", data[:-50]),
        Pause(1.4),
        Waits("1", "1.dcm: "),
        Append("us/1.dcm", data[-50:]),
        Whole("1", ["1.dcm"], folder="us"),
    ]
    replay("dicom", steps, tmp_path, under="study 1")


def test_all_parts_of_a_dicom_slide_that_was_split_are_waited_for(tmp_path: Path) -> None:
    parts = [slide(2, *part(number, 2)) for number in (1, 2)]
    steps: Script = [
        Write("wsi/1.dcm", parts[0]),
        Pause(1.4),
        Waits("1", "part"),
        Write("wsi/2.dcm", parts[1]),
        Whole("1", ["1.dcm", "2.dcm"], folder="wsi"),
    ]
    replay("dicom", steps, tmp_path, under="study 1")


@pytest.mark.samples
def test_real_dicom_files_arrive_and_the_truncated_one_is_held(tmp_path: Path, samples: Path) -> None:
    names = ["CT_small", "MR_small", "MR_truncated"]
    ct, mr, cut = ((samples / "dicom" / f"{name}.dcm").read_bytes() for name in names)
    steps: Script = [
        Write("1/CT_small.dcm", ct[:20_000]),
        Append("1/CT_small.dcm", ct[20_000:]),
        Whole("CT_small", ["CT_small.dcm"], folder="1"),
        Write("2/MR_small.dcm", mr),
        Whole("MR_small", ["MR_small.dcm"], folder="2"),
        Write("3/MR_truncated.dcm", cut),
        Held("MR_truncated", "MR_truncated.dcm: "),
    ]
    replay("dicom", steps, tmp_path, under="study 1", deadline=2)


# Scanning electron microscopes


@pytest.mark.parametrize("maker", ["FEI", "Zeiss", "TESCAN", "JEOL"])
def test_an_sem_picture_that_is_saved_again_becomes_a_version(tmp_path: Path, maker: str) -> None:
    data = synthetic_sem_tiff(maker)
    again = data.replace(b"\x80" * 16, b"\x81" * 16)
    steps: Script = [
        Write("grid/a.tif", data[:8]),
        Append("grid/a.tif", data[8:]),
        *([Write("grid/a.hdr", b"[MAIN]")] if maker == "TESCAN" else []),
        Whole("a", ["a.tif", *(["a.hdr"] if maker == "TESCAN" else [])], folder="grid"),
        Write("grid/a.tif", again),
        Whole("a", ["a.tif", *(["a.hdr"] if maker == "TESCAN" else [])], folder="grid", version=2),
    ]
    replay("sem-tiff", steps, tmp_path, under="lab/ada")


def test_the_header_file_of_tescan_belongs_to_its_picture(tmp_path: Path) -> None:
    data = synthetic_sem_tiff("TESCAN")
    steps: Script = [
        Write("a.tif", data),
        Write("a-tif.hdr", b"[MAIN]\r\nDevice=TESCAN\r\n"),
        Write("b.tif.tmp", data),
        Remove("b.tif.tmp"),
        Whole("a", ["a.tif", "a-tif.hdr"]),
    ]
    replay("sem-tiff", steps, tmp_path, under="lab/ada")


def test_an_sem_picture_that_is_cut_off_waits(tmp_path: Path) -> None:
    data = synthetic_sem_tiff("Zeiss")
    steps: Script = [
        Write("a.tif", data[:4] + struct.pack("<I", 0) + data[8:200]),
        Pause(1.4),
        Waits("a", "a.tif: "),
        Write("a.tif", data),
        Whole("a", ["a.tif"]),
    ]
    replay("sem-tiff", steps, tmp_path, under="lab/ada")
