"""Slide scanners, replayed while the watcher runs: SVS, SCN, NDPI, MRXS."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.replay import Append, Held, Patch, Pause, Preallocate, Script, Waits, Whole, Write, replay
from tests.unit.formats.test_mrxs import INI, synthetic_mrxs
from tests.unit.formats.test_slides import synthetic_ndpi, synthetic_scn, synthetic_svs

# Slides in one file

SCANNERS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "aperio-svs": (".svs", synthetic_svs),
    "leica-scn": (".scn", synthetic_scn),
    "hamamatsu-ndpi": (".ndpi", synthetic_ndpi),
}


@pytest.mark.parametrize("profile", SCANNERS)
def test_a_slide_is_whole_when_its_directories_are_written(tmp_path: Path, profile: str) -> None:
    """The header names no directory while tiles are written; it is patched when the slide is done."""
    ending, made = SCANNERS[profile]
    data = made()
    name = f"study/slide 1{ending}"
    head, link = (16, 8) if data[2:4] == b"+\0" else (8, 4)
    steps: Script = [
        Write(name, data[:link] + bytes(head - link)),
        Append(name, data[head:150]),
        Append(name, data[150:240]),
        Pause(1.4),
        Waits("slide 1", f"slide 1{ending}: "),
        Append(name, data[240:]),
        Pause(1.4),
        Waits("slide 1", f"slide 1{ending}: "),
        Patch(name, link, data[link:head]),
        Whole("slide 1", [f"slide 1{ending}"], folder="study"),
    ]
    replay(profile, steps, tmp_path, under="malaria")


@pytest.mark.parametrize("profile", SCANNERS)
def test_a_slide_of_which_the_scan_was_stopped_is_held(tmp_path: Path, profile: str) -> None:
    """Its place was reserved, and the scanner lost its power when half was written."""
    ending, made = SCANNERS[profile]
    data = made()
    steps: Script = [
        Write(f"slide{ending}", data[: len(data) // 2]),
        Preallocate(f"slide{ending}", len(data)),
        Held("slide", f"slide{ending}: "),
    ]
    replay(profile, steps, tmp_path, under="malaria", deadline=2)


def test_a_slide_of_zeros_is_not_sent(tmp_path: Path) -> None:
    data = synthetic_svs()
    steps: Script = [Preallocate("a.svs", len(data)), Pause(1.8), Patch("a.svs", 0, data), Whole("a", ["a.svs"])]
    replay("aperio-svs", steps, tmp_path, under="malaria")


def test_annotations_travel_with_their_slide(tmp_path: Path) -> None:
    steps: Script = [
        Write("a.svs", synthetic_svs()),
        Pause(0.4),
        Write("a.xml", b"<Annotations/>"),
        Whole("a", ["a.svs", "a.xml"]),
        Write("a.xml", b"<Annotations><Annotation/></Annotations>"),
        Whole("a", ["a.svs", "a.xml"], version=2),
    ]
    replay("aperio-svs", steps, tmp_path, under="malaria")


# 3DHISTECH


def mrxs(tmp_path: Path, ini: str = INI) -> dict[str, bytes]:
    """The files of one slide, by their names."""
    folder = tmp_path / "made"
    folder.mkdir()
    synthetic_mrxs(folder, "a", ini)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_data_files_of_a_mirax_slide_are_never_sent_alone(tmp_path: Path) -> None:
    files = mrxs(tmp_path)
    steps: Script = [
        Write("a/Data0000.dat", files["a/Data0000.dat"][:100]),
        Append("a/Data0000.dat", files["a/Data0000.dat"][100:]),
        Pause(1.4),
        Write("a/Data0001.dat", files["a/Data0001.dat"]),
        Write("a/Index.dat", files["a/Index.dat"]),
        Pause(1.0),
        Write("a/Slidedat.ini", files["a/Slidedat.ini"]),
        Pause(1.0),
        Write("a.mrxs", files["a.mrxs"]),
        Whole("a", files),
    ]
    replay("3dhistech-mrxs", steps, tmp_path, under="malaria")


def test_a_mirax_slide_waits_for_the_data_files_that_it_lists(tmp_path: Path) -> None:
    """Here the preview comes first, and Slidedat.ini before the last data file."""
    files = mrxs(tmp_path)
    steps: Script = [
        Write("a.mrxs", files["a.mrxs"]),
        Write("a/Slidedat.ini", files["a/Slidedat.ini"]),
        Write("a/Data0000.dat", files["a/Data0000.dat"]),
        Write("a/Index.dat", files["a/Index.dat"]),
        Pause(1.4),
        Waits("a", "Data0001.dat"),
        Write("a/Data0001.dat", files["a/Data0001.dat"]),
        Whole("a", files),
    ]
    replay("3dhistech-mrxs", steps, tmp_path, under="malaria")


def test_a_mirax_scan_that_was_stopped_is_held(tmp_path: Path) -> None:
    files = mrxs(tmp_path)
    steps: Script = [
        Write("a/Data0000.dat", files["a/Data0000.dat"]),
        Write("a/Data0001.dat", files["a/Data0001.dat"]),
        Held("Data0000", "*.mrxs"),
        Held("Data0001", "*.mrxs"),
    ]
    replay("3dhistech-mrxs", steps, tmp_path, under="malaria", deadline=2)
