"""Gatan, TIA and Velox, replayed while the watcher runs."""

import struct
from pathlib import Path

import pytest

from tests.e2e.replay import Append, Held, Patch, Pause, Script, Step, Waits, Whole, Write, replay
from tests.unit.formats.electron_files import synthetic_dm, synthetic_ser
from tests.unit.formats.synthetic_hdf5 import Data, synthetic_hdf5
from tests.unit.formats.test_hdf5 import VELOX
from tests.unit.formats.test_ser import EMI

# Gatan


@pytest.mark.parametrize("version", [3, 4])
def test_a_gatan_image_is_whole_when_its_tags_are_closed(tmp_path: Path, version: int) -> None:
    data = synthetic_dm(version)
    name = f"a.dm{version}"
    steps: Script = [
        Write(f"grid/{name}", data[:30]),
        Append(f"grid/{name}", data[30:-20]),
        Pause(1.5),
        Waits("a", f"{name}: "),
        Append(f"grid/{name}", data[-20:]),
        Whole("a", [name], folder="grid"),
    ]
    replay("gatan-dm", steps, tmp_path, under="ada")


def test_a_gatan_image_that_is_saved_again_becomes_a_version(tmp_path: Path) -> None:
    steps: Script = [
        Write("a.dm4", synthetic_dm(4)),
        Whole("a", ["a.dm4"]),
        Write("a.dm4", synthetic_dm(4, ">")),
        Whole("a", ["a.dm4"], version=2),
    ]
    replay("gatan-dm", steps, tmp_path, under="ada")


# TIA


def test_a_tia_series_waits_for_the_images_that_its_table_lists(tmp_path: Path) -> None:
    """The table has room for four images from the beginning; the count in the header grows with them."""
    whole = synthetic_ser(4)
    element = len(synthetic_ser(4)) - len(synthetic_ser(3)) - 16
    begun = whole[: len(whole) - 4 * element]
    steps: list[Step | Waits | Whole] = [Write("grid/scan_1.ser", begun), Patch("grid/scan_1.ser", 18, bytes(4))]
    for count in (1, 2, 3):
        place = len(begun) + (count - 1) * element
        steps += [Append("grid/scan_1.ser", whole[place : place + element])]
        steps += [Patch("grid/scan_1.ser", 18, struct.pack("<i", count)), Pause(0.3)]
    place = len(begun) + 3 * element
    steps += [
        Append("grid/scan_1.ser", whole[place : place + 30]),
        Patch("grid/scan_1.ser", 18, struct.pack("<i", 4)),
        Pause(1.6),
        Append("grid/scan_1.ser", whole[place + 30 :]),
        Pause(0.7),
        Write("grid/scan.emi", EMI),
        Whole("scan", ["scan.emi", "scan_1.ser"], folder="grid"),
    ]
    replay("tia-ser", steps, tmp_path, under="ada")


def test_a_tia_series_that_was_stopped_is_sent_with_a_remark(tmp_path: Path) -> None:
    steps: Script = [
        Write("scan.emi", EMI),
        Write("scan_1.ser", synthetic_ser(4, 2)),
        Whole("scan", ["scan.emi", "scan_1.ser"]),
    ]
    done = replay("tia-ser", steps, tmp_path, under="ada")
    assert "2 of 4 elements" in done.said("scan")["acq:remarks"]


# Velox


def test_a_velox_file_waits_for_the_description_of_its_image(tmp_path: Path) -> None:
    """The file is in order by itself after every flush."""
    begun = synthetic_hdf5({"Version": Data(), "Data": {"Image": {"0a1b": {"Data": Data((4, 4, 1))}}}})
    whole = synthetic_hdf5(VELOX)
    steps: Script = [
        Write("grid/scan.emd", begun[:96]),
        Append("grid/scan.emd", begun[96:]),
        Pause(1.5),
        Waits("scan", "no description"),
        Write("grid/scan.emd", whole),
        Whole("scan", ["scan.emd"], folder="grid"),
    ]
    replay("velox-emd", steps, tmp_path, under="ada")


def test_a_velox_file_without_any_image_is_held(tmp_path: Path) -> None:
    steps: Script = [Write("scan.emd", synthetic_hdf5({"Version": {}, "Data": {}})), Held("scan", "scan.emd: ")]
    replay("velox-emd", steps, tmp_path, under="ada", deadline=2)
