"""Yokogawa CellVoyager measurements: over, whole, and with every image that their list names."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats.yokogawa import FORMAT

DATA, DETAIL = "MeasurementData.mlf", "MeasurementDetail.mrf"
PLATE = "CV8000-Minimal-DataSet-2C-3W-4S-FP2-stack"
OWN = (DATA, DETAIL, f"{PLATE}.wpi")
SCHEMA = 'xmlns:bts="http://www.yokogawa.co.jp/BTS/BTSSchema/1.0"'
ODD = ["a b.tif", "[x] #1 100%.tif", "µ é 漢.tif", "a&b.tif"]

# Why the format cannot tell
CANNOT_TELL = {(name, "one byte short"): "its last byte is a line end after the last tag" for name in OWN}

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one byte short": lambda data: data[:-1],
    "last tag cut": lambda data: data.rstrip()[:-1],
    "half": lambda data: data[: len(data) // 2],
    "only the header": lambda data: data[:60],
    "tail of zeros": lambda data: data[: len(data) * 3 // 4].ljust(len(data), b"\0"),
    "empty": lambda _: b"",
}


@pytest.fixture
def plate(samples: Path, tmp_path: Path) -> Path:
    """A copy of the real measurement."""
    folder = tmp_path / "plate"
    shutil.copytree(samples / "cv8000" / f"{PLATE}_20230918_135839" / PLATE, folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    return folder


def synthetic_yokogawa(folder: Path, names: Iterable[str], detail: str = 'bts:EndTime="2023-09-18T13:59:15"') -> Path:
    """A measurement in the shape of the sample, with these images; labelled synthetic: no real file."""
    with (folder / DATA).open("w", encoding="utf-8") as file:
        file.write(f'\ufeff<?xml version="1.0" encoding="utf-8"?>\n<bts:MeasurementData bts:Version="1.0" {SCHEMA}>\n')
        for name in names:
            file.write(
                '<bts:MeasurementRecord bts:Type="IMG" bts:Time="2023-09-18T13:58:44.438+02:00" bts:Column="8" '
                'bts:Row="4" bts:TimePoint="1" bts:FieldIndex="1" bts:ZIndex="1" bts:TimelineIndex="1" '
                'bts:ActionIndex="1" bts:X="-5" bts:Y="4" bts:Z="0.0" '
                f'bts:Ch="1">{escape(name)}</bts:MeasurementRecord>\n'
            )
        file.write("</bts:MeasurementData>")
    (folder / DETAIL).write_text(f"<bts:MeasurementDetail {detail} {SCHEMA}></bts:MeasurementDetail>")
    return folder / DATA


def members(folder: Path) -> tuple[str, ...]:
    """What the format recognises in a folder."""
    files = sorted(file for file in folder.iterdir() if file.is_file())
    return tuple(file.name for file in files if FORMAT.recognises(file.read_bytes()[:1024], file.name))


@pytest.mark.samples
def test_a_real_measurement_is_one_whole_set(plate: Path) -> None:
    assert sorted(members(plate)) == sorted(OWN)
    for name in OWN:
        claim = FORMAT.claim(plate / name)
        assert set(claim.lists) == {name, DATA, DETAIL}
        assert (claim.tree, claim.problems) == (".", ())
    found = FORMAT.examine(plate, OWN)
    assert (found.sound, found.problems, found.missing, found.remarks) == (True, (), (), ())
    assert found.metadata == {
        "acquired": "2023-09-18T13:58:39.4014935+02:00",
        "instrument": "CV8000",
        "software": "R2.06.03",
        "experimenter": "reitsabi",
        "pixel_size_um": "0.325x0.325",
        "size": "2000x2000x4x2x1",
        "channels": "405, 488",
        "objective": "20x v2 20x",
    }
    assert found.sources.keys() == found.metadata.keys()


@pytest.mark.samples
def test_each_image_and_each_named_file_is_asked_for(plate: Path) -> None:
    image = f"{PLATE}_E03_T0001F002L01A01Z03C01.tif"
    named = (image, "Minimal-3C3W2S-FP2-stack.mes", "1009680001_Cellvis_#P96-1.5H-N.wpp")
    for name in named:
        (plate / name).rename(plate / "elsewhere")
        found = FORMAT.examine(plate, OWN)
        assert (found.sound, found.missing) == (False, (name,))
        assert found.problems == (f"{name}: missing, {DATA if name == image else DETAIL} lists it",)
        (plate / "elsewhere").rename(plate / name)


@pytest.mark.samples
def test_a_correction_that_is_not_there_is_only_told(plate: Path) -> None:
    name = "SC_BP525-50_20x v2_M01_CH02.tif"
    (plate / name).unlink()
    found = FORMAT.examine(plate, OWN)
    assert found.sound
    assert found.remarks == (f"{name}: missing, {DETAIL} names it as a correction",)


@pytest.mark.samples
@pytest.mark.parametrize("gone", [DATA, DETAIL])
def test_a_measurement_without_its_list_or_times_is_incomplete(plate: Path, gone: str) -> None:
    (plate / gone).unlink()
    found = FORMAT.examine(plate, members(plate))
    assert (found.sound, found.missing) == (False, (gone,))
    assert found.problems == (f"{gone}: missing, and the set is not whole without it",)


@pytest.mark.samples
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", OWN)
def test_a_damaged_file_is_not_sound(plate: Path, name: str, damage: str) -> None:
    (plate / name).write_bytes(DAMAGES[damage]((plate / name).read_bytes()))
    found = FORMAT.examine(plate, OWN)
    if (name, damage) in CANNOT_TELL:
        assert found.sound, "no longer an exception: take it off the list"
        return
    assert found.sound is False
    assert any(problem.startswith(f"{name}: ") for problem in found.problems)
    assert found.missing == ()
    assert not any("reitsabi" in problem for problem in found.problems)


@pytest.mark.samples
@pytest.mark.parametrize("end", [b"", b'bts:EndTime=""'])
def test_a_measurement_without_an_end_time_is_unfinished(plate: Path, end: bytes) -> None:
    path = plate / DETAIL
    path.write_bytes(path.read_bytes().replace(b'bts:EndTime="2023-09-18T13:59:15.9664907+02:00"', end))
    found = FORMAT.examine(plate, OWN)
    assert (found.sound, found.problems) == (False, (f"{DETAIL}: unfinished: the measurement has no end time yet",))


@pytest.mark.samples
def test_other_records_and_another_status_are_only_told(plate: Path) -> None:
    path = plate / DATA
    error = f'<bts:MeasurementRecord bts:Type="ERR" bts:Column="1">{"x" * 10}.tif</bts:MeasurementRecord>'.encode()
    path.write_bytes(path.read_bytes().replace(b"</bts:MeasurementData>", error * 2 + b"</bts:MeasurementData>"))
    path = plate / DETAIL
    path.write_bytes(path.read_bytes().replace(b'bts:Status="0"', b'bts:Status="2"'))
    found = FORMAT.examine(plate, OWN)
    assert found.sound
    assert f"{DATA}: 2 records of type ERR have no image" in found.remarks
    assert f"{DETAIL}: the measurement ended with status 2" in found.remarks


def test_names_of_any_kind(tmp_path: Path) -> None:
    synthetic_yokogawa(tmp_path, [*ODD, r"Image\c.tif"])
    (tmp_path / "Image").mkdir()
    for name in (*ODD, "Image/c.tif"):
        (tmp_path / name).touch()
    assert FORMAT.examine(tmp_path, (DATA,)).sound
    for name in (*ODD, "Image/c.tif"):
        (tmp_path / name).unlink()
        assert FORMAT.examine(tmp_path, (DATA, DETAIL)).missing == (name,)
        (tmp_path / name).touch()


def test_two_measurements_below_one_directory_are_told_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        synthetic_yokogawa(tmp_path / name, ["x.tif"])
    (tmp_path / "a" / "x.tif").touch()
    found = FORMAT.examine(tmp_path, ("a/" + DATA, "b/" + DATA))
    assert found.missing == ("b/x.tif",)
    assert found.problems == (f"b/x.tif: missing, b/{DATA} lists it",)


def test_settings_are_sought_beside_the_list(tmp_path: Path) -> None:
    detail = r'bts:EndTime="2023-09-18T13:59:15" bts:MeasurementSettingFileName="C:\Users\jane\a.mes"'
    synthetic_yokogawa(tmp_path, ["x.tif"], detail)
    (tmp_path / "x.tif").touch()
    found = FORMAT.examine(tmp_path, (DATA, DETAIL))
    assert found.problems == (f"a.mes: missing, {DETAIL} lists it",)
    (tmp_path / "a.mes").touch()
    assert FORMAT.examine(tmp_path, (DATA, DETAIL)).sound


def test_names_outside_of_the_folder_are_a_problem_and_not_quoted(tmp_path: Path) -> None:
    synthetic_yokogawa(tmp_path, ["../a.tif", r"C:\Users\jane\a.tif"])
    found = FORMAT.examine(tmp_path, (DATA, DETAIL))
    assert found.problems == (f"{DATA}: names 2 files outside of its folder, which are left out",)


def test_a_list_without_images_is_incomplete(tmp_path: Path) -> None:
    synthetic_yokogawa(tmp_path, [])
    assert FORMAT.examine(tmp_path, (DATA, DETAIL)).problems == (f"{DATA}: incomplete: it lists no image",)


def test_a_directory_that_went_away_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FORMAT.examine(tmp_path / "gone", (DATA,))


@pytest.mark.timeout(60)
def test_a_plate_of_a_hundred_thousand_images_that_are_not_there(tmp_path: Path) -> None:
    synthetic_yokogawa(tmp_path, (f"plate_A01_T{number:06}.tif" for number in range(100_000)))
    FORMAT.claim(tmp_path / DATA)
    found = FORMAT.examine(tmp_path, (DATA, DETAIL))
    assert len(found.missing) == 100_000
    assert len(found.problems) == 21


def test_a_bomb_is_a_finding(tmp_path: Path) -> None:
    synthetic_yokogawa(tmp_path, ["x.tif"])
    bomb = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    for name in (DATA, DETAIL):
        path = tmp_path / name
        text = path.read_text(encoding="utf-8-sig").partition("?>\n")[2] or path.read_text()
        path.write_text(f"{bomb}{text}")
        assert not FORMAT.recognises(path.read_bytes()[:1024], name)
        path.write_text(text.replace(">", ">&b;", 1))
    found = FORMAT.examine(tmp_path, (DATA, DETAIL))
    assert len([problem for problem in found.problems if "damaged" in problem]) == 2


def test_other_files_are_not_recognised() -> None:
    settings_file = f"<bts:MeasurementSetting {SCHEMA}>".encode()
    for head in (b"", b"<OME>", b"<MeasurementData>", settings_file, b"<WellPlate xmlns='http://elsewhere'>"):
        assert not FORMAT.recognises(head, DATA)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.binary(max_size=2000), at=st.integers(0, 500), insert=st.binary(min_size=1, max_size=20))
def test_nothing_that_a_file_holds_raises(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, at: int, insert: bytes
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    synthetic_yokogawa(folder, ["a.tif", "b.tif"])
    for name in (DATA, DETAIL):
        path = folder / name
        good = path.read_bytes()
        for content in (data, good[:200] + data, good[:at] + insert + good[at + len(insert) :]):
            path.write_bytes(content)
            FORMAT.recognises(content[:1024], name)
            assert FORMAT.claim(path).tree == "."
            found = FORMAT.examine(folder, (DATA, DETAIL))
            assert found.sound is not bool(found.problems)
        path.write_bytes(good)
