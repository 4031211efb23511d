"""Plates, replayed while the watcher runs: ImageXpress, Harmony (Opera, Operetta), CellVoyager."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.e2e.replay import (
    Append,
    Held,
    Patch,
    Pause,
    Remove,
    Rename,
    Script,
    Step,
    Truncate,
    Waits,
    Whole,
    Write,
    replay,
)
from tests.unit.formats.test_harmony import synthetic_harmony
from tests.unit.formats.test_htd import synthetic_htd
from tests.unit.formats.test_slides import tiff
from tests.unit.formats.test_yokogawa import synthetic_yokogawa

PLANE = tiff([{}])


def at_speed(names: Iterable[str]) -> list[Step]:
    """Planes as a camera gives them: begun, and ended a moment later."""
    halves = (Write, 0, 100), (Append, 100, None)
    return [kind(name, PLANE[begin:end]) for name in names for kind, begin, end in halves]


def below(folder: str, members: Iterable[str]) -> list[str]:
    return [f"{folder}/{name}" for name in members]


def on_disk(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ImageXpress


def htd(tmp_path: Path, **given: object) -> bytes:
    return synthetic_htd(tmp_path / "made", **given).read_bytes()  # type: ignore[arg-type]


def test_an_imagexpress_plate_is_sent_when_nothing_more_comes(tmp_path: Path) -> None:
    """Four wells are announced and two are taken; between two time points the plate rests for a while."""
    text = htd(tmp_path, wells=4, time_points="2")
    first = [
        f"TimePoint_1/3420_{well}_w{wave}{kind}.TIF" for well in "AB" for wave in (1, 2) for kind in ("", "_thumb")
    ]
    second = [name.replace("TimePoint_1", "TimePoint_2") for name in first]
    steps: Script = [
        Write("3420/3420.HTD", text[:60]),
        Pause(0.4),
        Append("3420/3420.HTD", text[60:]),
        Write("3420/TimePoint_1/3420.HTD", text),
        *at_speed(below("3420", first)),
        Pause(0.8),
        *at_speed(below("3420", second[:4])),
        Pause(0.8),
        Write("3420/TimePoint_2/3420_A_w1.TIF.tmp", PLANE),
        *at_speed(below("3420", second[4:])),
        Remove("3420/TimePoint_2/3420_A_w1.TIF.tmp"),
        Whole("3420", ["3420.HTD", "TimePoint_1/3420.HTD", *first, *second], folder="3420"),
    ]
    done = replay("molecular-devices-imagexpress", steps, tmp_path, under="ada", quiet=1.5)
    assert "images" in done.said("3420")["acq:remarks"]


def test_an_imagexpress_plate_waits_for_the_end_of_its_htd(tmp_path: Path) -> None:
    text = htd(tmp_path)
    names = ["3420_A01_w1.TIF", "3420_A01_w2.TIF"]
    steps: Script = [
        Write("3420/3420.HTD", text[: text.index(b'"NWavelengths"')]),
        *at_speed(below("3420", names)),
        Pause(1.6),
        Waits("3420", "EndFile"),
        Write("3420/3420.HTD", text),
        Whole("3420", ["3420.HTD", *names], folder="3420"),
    ]
    replay("molecular-devices-imagexpress", steps, tmp_path, under="ada")


def test_two_imagexpress_plates_of_one_user_are_two_sets(tmp_path: Path) -> None:
    text = htd(tmp_path)
    names = [f"TimePoint_1/3420_A01_w{wave}.TIF" for wave in (1, 2)]
    steps: Script = [
        Write("3420/3420.HTD", text),
        *at_speed(below("3420", names[:1])),
        Write("3421/3420.HTD", text),
        *at_speed(below("3421", names)),
        Pause(0.9),
        *at_speed(below("3420", names[1:])),
        Whole("3421", ["3420.HTD", *names], folder="3421"),
        Whole("3420", ["3420.HTD", *names], folder="3420"),
    ]
    replay("molecular-devices-imagexpress", steps, tmp_path, under="ada", quiet=1.5)


@pytest.mark.samples
def test_a_real_imagexpress_plate_arrives_whole(tmp_path: Path, samples: Path) -> None:
    name = "9987_Plate_3434"
    files = on_disk(samples / "imagexpress" / "ImageXpress_exported" / name)
    images = sorted(path for path in files if path.endswith(".TIF"))
    steps: list[Step] = [Write(f"{name}/9987.HTD", files["9987.HTD"])]
    steps += [Write(f"{name}/{path}", files[path]) for path in images]
    steps += [
        Write(f"{name}/{path}", data) for path, data in files.items() if path.count("/") and path.endswith(".HTD")
    ]
    replay(
        "molecular-devices-imagexpress", [*steps, Whole(name, sorted(files), folder=name)], tmp_path, under="ada"
    )  # fmt: skip


# Harmony

MEASUREMENT = "brain__2024-01-31T10_00_00-Measurement 1"
IMAGES = [f"r01c01f{field:02}p01-ch{channel}sk1fk1fl1.tiff" for field in (1, 2, 3) for channel in (1, 2)]


def test_a_harmony_export_is_never_sent_without_its_index(tmp_path: Path) -> None:
    """All images are there and at rest for longer than is asked; then the index is written, which takes long."""
    index = synthetic_harmony(tmp_path / "made", IMAGES).read_bytes()
    steps: Script = [
        *at_speed(below(f"{MEASUREMENT}/Images", IMAGES)),
        Pause(1.6),
        Write(f"{MEASUREMENT}/Images/Index.idx.xml.tmp", index[:300]),
        Append(f"{MEASUREMENT}/Images/Index.idx.xml.tmp", index[300:700]),
        Rename(f"{MEASUREMENT}/Images/Index.idx.xml.tmp", f"{MEASUREMENT}/Images/Index.idx.xml"),
        Pause(1.2),
        Waits(MEASUREMENT, "EvaluationInputData"),
        Append(f"{MEASUREMENT}/Images/Index.idx.xml", index[700:]),
        Whole(MEASUREMENT, below("Images", [*IMAGES, "Index.idx.xml"]), folder=MEASUREMENT),
    ]
    replay("perkinelmer-harmony", steps, tmp_path, under="ada")


def test_a_harmony_measurement_waits_for_every_image_that_its_index_names(tmp_path: Path) -> None:
    index = synthetic_harmony(tmp_path / "made", IMAGES).read_bytes()
    steps: Script = [
        Write(f"{MEASUREMENT}/Images/Index.xml", index),
        *at_speed(below(f"{MEASUREMENT}/Images", IMAGES[:-1])),
        Pause(1.2),
        Waits(MEASUREMENT, IMAGES[-1]),
        *at_speed(below(f"{MEASUREMENT}/Images", IMAGES[-1:])),
        Whole(MEASUREMENT, below("Images", [*IMAGES, "Index.xml"]), folder=MEASUREMENT),
    ]
    replay("perkinelmer-harmony", steps, tmp_path, under="ada")


def test_a_columbus_export_has_its_index_beside_its_images(tmp_path: Path) -> None:
    index = synthetic_harmony(tmp_path / "made", IMAGES).read_bytes()
    steps: Script = [
        *at_speed(below("export", IMAGES)),
        Pause(1.2),
        Write("export/ImageIndex.ColumbusIDX.xml", index),
        Whole("export", [*IMAGES, "ImageIndex.ColumbusIDX.xml"], folder="export"),
    ]
    replay("perkinelmer-harmony", steps, tmp_path, under="ada")


def test_a_harmony_export_that_was_stopped_is_held(tmp_path: Path) -> None:
    steps: Script = [*at_speed(below(f"{MEASUREMENT}/Images", IMAGES)), Pause(1), Held("Images", "Index.idx.xml")]
    replay("perkinelmer-harmony", steps, tmp_path, under="ada", deadline=2)


def test_a_harmony_measurement_at_the_speed_of_its_camera_is_one_set(tmp_path: Path) -> None:
    """After the first row come more files at once than are looked at one by one."""
    names = [f"r{row:02}c{column:02}f01p01-ch1sk1fk1fl1.tiff" for row in range(1, 17) for column in range(1, 25)]
    index = synthetic_harmony(tmp_path / "made", names).read_bytes()
    steps: Script = [
        *at_speed(below(f"{MEASUREMENT}/Images", names[:24])),
        Pause(1.4),
        *at_speed(below(f"{MEASUREMENT}/Images", names[24:])),
        Write(f"{MEASUREMENT}/Images/Index.idx.xml", index),
        Pause(0.8),
        Whole(MEASUREMENT, below("Images", [*names, "Index.idx.xml"]), folder=MEASUREMENT),
    ]
    replay("perkinelmer-harmony", steps, tmp_path, under="ada", settle=1.0)


@pytest.mark.samples
def test_a_real_harmony_index_names_its_images(tmp_path: Path, samples: Path) -> None:
    files = on_disk(samples / "harmony" / "Version5" / "Images")
    index = files.pop("Index.idx.xml")
    others = [f"r01c01f01p01-ch{channel}sk1fk1fl1.tiff" for channel in (2, 3, 4, 5)]
    steps: Script = [
        *[Write(f"{MEASUREMENT}/Images/{name}", data) for name, data in files.items()],
        *at_speed(below(f"{MEASUREMENT}/Images", others)),
        Pause(0.5),
        Write(f"{MEASUREMENT}/Images/Index.idx.xml", index),
        Whole(MEASUREMENT, below("Images", [*files, *others, "Index.idx.xml"]), folder=MEASUREMENT),
    ]
    replay("perkinelmer-harmony", steps, tmp_path, under="ada")


# CellVoyager

LIST, DETAIL = "MeasurementData.mlf", "MeasurementDetail.mrf"
PLANES = [f"run_C08_T0001F{field:03}L01A01Z01C01.tif" for field in (1, 2, 3)]


def yokogawa(tmp_path: Path, name: str, names: Iterable[str], detail: str = "") -> tuple[bytes, bytes]:
    """The list and the detail as they are at one moment of a measurement."""
    folder = tmp_path / name
    folder.mkdir()
    more = {"detail": detail} if detail else {}
    synthetic_yokogawa(folder, names, **more)
    return (folder / LIST).read_bytes(), (folder / DETAIL).read_bytes()


def test_a_cellvoyager_measurement_is_over_when_its_detail_has_an_end_time(tmp_path: Path) -> None:
    """The list grows in place with the images, and is whole after each; the end time is patched in at the very end."""
    running = 'bts:EndTime=""' + " " * 19
    lists = [yokogawa(tmp_path, f"made{count}", PLANES[:count], running)[0] for count in (1, 2, 3)]
    begun = yokogawa(tmp_path, "begun", PLANES, running)[1]
    over = yokogawa(tmp_path, "over", PLANES)[1]
    place = begun.index(b"bts:EndTime")
    steps: Script = [
        Write(f"run/{DETAIL}", begun),
        *at_speed(["run/DC_sony_CH01.tif"]),
        *[
            step
            for at, name in enumerate(PLANES)
            for step in (*at_speed([f"run/{name}"]), Write(f"run/{LIST}", lists[at]))
        ],
        Pause(1.6),
        Waits("run", "no end time"),
        Patch(f"run/{DETAIL}", place, b'bts:EndTime="2023-09-18T13:59:15"'),
        Whole("run", [LIST, DETAIL, *PLANES, "DC_sony_CH01.tif"], folder="run"),
    ]
    assert len(begun) == len(over)
    replay("yokogawa-cv8000", steps, tmp_path, under="malaria")


def test_a_cellvoyager_list_without_its_last_tag_is_waited_for(tmp_path: Path) -> None:
    listed, over = yokogawa(tmp_path, "made", PLANES)
    steps: Script = [
        *at_speed(below("run", PLANES[:-1])),
        Write(f"run/{LIST}", listed),
        Truncate(f"run/{LIST}", len(listed) - 40),
        Write(f"run/{DETAIL}", over),
        Pause(1.4),
        Waits("run", "MeasurementData"),
        Write(f"run/{LIST}", listed),
        Pause(1.4),
        Waits("run", PLANES[-1]),
        *at_speed(below("run", PLANES[-1:])),
        Whole("run", [LIST, DETAIL, *PLANES], folder="run"),
    ]
    replay("yokogawa-cv8000", steps, tmp_path, under="malaria")


def test_a_cellvoyager_measurement_that_was_stopped_is_held(tmp_path: Path) -> None:
    listed, begun = yokogawa(tmp_path, "made", PLANES, 'bts:BeginTime="2023-09-18T13:58:39"')
    steps: Script = [
        Write(f"run/{DETAIL}", begun),
        *at_speed(below("run", PLANES)),
        Write(f"run/{LIST}", listed),
        Held("run", "no end time"),
    ]
    replay("yokogawa-cv8000", steps, tmp_path, under="malaria", deadline=2)


@pytest.mark.samples
def test_a_real_cellvoyager_measurement_arrives_whole(tmp_path: Path, samples: Path) -> None:
    """Settings, then the detail without an end time, then the images at speed, then the list, then the end time."""
    run = "CV8000-Minimal-DataSet-2C-3W-4S-FP2-stack"
    files = on_disk(samples / "cv8000" / f"{run}_20230918_135839" / run)
    listed, detail = files.pop(LIST), files.pop(DETAIL)
    at = detail.index(b"bts:EndTime=")
    begun = detail[:at] + detail[detail.index(b"bts:MeasurementSettingFileName") :]
    images = sorted(name for name in files if name.endswith(".tif"))
    assert f"{run}_D08_T0001F001L01A01Z01C01.tif" in images
    steps: Script = [
        *[Write(f"{run}/{name}", data) for name, data in files.items() if name not in images],
        Write(f"{run}/{DETAIL}", begun),
        *[Write(f"{run}/{name}", files[name]) for name in images],
        Pause(1.4),
        Write(f"{run}/{LIST}", listed),
        Pause(1.4),
        Waits(run, "no end time"),
        Write(f"{run}/{DETAIL}", detail),
        Whole(run, [*files, LIST, DETAIL], folder=run),
    ]
    replay("yokogawa-cv8000", steps, tmp_path, under="malaria")
