"""MRXS slides. No real sample could be had: all are synthetic, built from OpenSlide's description of the format."""

import struct
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats.base import Examination
from watcher.formats.mrxs import FORMAT

MARK = b"01.02CMU0123456789ABCDEF"
INI = """[GENERAL]
SLIDE_VERSION = 01.02
SLIDE_ID = CMU0123456789ABCDEF
SLIDE_CREATIONDATETIME = 26/05/2009 18:20:11
OBJECTIVE_NAME = Plan-Apochromat 20x/0.8
[HIERARCHICAL]
HIER_0_COUNT = 2
HIER_0_VAL_0_SECTION = LAYER_0_LEVEL_0_SECTION
NONHIER_COUNT = 1
NONHIER_0_COUNT = 1
INDEXFILE = Index.dat
[DATAFILE]
FILE_COUNT = 2
FILE_0 = Data0000.dat
FILE_1 = Data0001.dat
[LAYER_0_LEVEL_0_SECTION]
MICROMETER_PER_PIXEL_X = 0.23
MICROMETER_PER_PIXEL_Y = 0.24
[NONHIERLAYER_0_LEVEL_0_SECTION]
SCANNER_HARDWARE_ID = P250-1
SCANNER_SOFTWARE_VERSION = 1,11,49,0
"""
DATA_BYTES = 1000


def synthetic_index(ends: tuple[tuple[int, int], ...] = ((0, DATA_BYTES), (1, DATA_BYTES))) -> bytes:
    """Two zoom levels with one image each, that ends there in that data file, and one other record."""
    start = len(MARK)
    tables, lists = start + 8, start + 8 + 12
    pages = lists + 3 * 8
    out = MARK + struct.pack("<II", tables, tables + 8)
    out += struct.pack("<III", lists, lists + 8, lists + 16)
    single = pages + 2 * 24
    out += struct.pack("<6I", 0, pages, 0, pages + 24, 0, single)
    for number, end in ends:
        out += struct.pack("<6I", 1, 0, 0, end - 100, 100, number)
    return out + struct.pack("<7I", 1, 0, 0, 0, 300, 50, 0)


def synthetic_mrxs(folder: Path, name: str = "a", ini: str = INI, coding: str = "utf-8-sig") -> Path:
    inside = folder / name
    inside.mkdir()
    (inside / "Slidedat.ini").write_bytes(ini.replace("\n", "\r\n").encode(coding))
    (inside / "Index.dat").write_bytes(synthetic_index())
    for number in range(2):
        (inside / f"Data{number:04}.dat").write_bytes(MARK.ljust(DATA_BYTES, b"\x80"))
    path = folder / f"{name}.mrxs"
    path.write_bytes(b"\xff\xd8" + b"\x80" * 100 + b"\xff\xd9")
    return path


def examined(path: Path) -> Examination:
    return FORMAT.examine(path.parent, (path.name,))


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", ["a", "dí a.b [x] #1 %20"])
def test_a_whole_slide_is_claimed_with_its_folder_and_sound(tmp_path: Path, coding: str, name: str) -> None:
    path = synthetic_mrxs(tmp_path, name, coding=coding)
    assert FORMAT.recognises(path.read_bytes()[:1024], path.name)
    claim = FORMAT.claim(path)
    assert (claim.format, claim.lists, claim.title, claim.problems) == ("mrxs", (path.name, f"{name}/"), name, ())
    found = examined(path)
    assert (found.sound, found.problems, found.missing) == (True, (), ())
    assert found.metadata == {
        "acquired": "2009-05-26T18:20:11",
        "objective": "Plan-Apochromat 20x/0.8",
        "instrument": "P250-1",
        "software": "1,11,49,0",
        "pixel_size_um": "0.23x0.24",
    }
    assert set(found.sources) == set(found.metadata)


@pytest.mark.parametrize("gone", ["Data0001.dat", "Index.dat", "Slidedat.ini"])
def test_a_missing_file_is_named(tmp_path: Path, gone: str) -> None:
    path = synthetic_mrxs(tmp_path)
    (tmp_path / "a" / gone).unlink()
    found = examined(path)
    assert found.sound is False
    assert found.missing == (f"a/{gone}",)
    assert gone in found.problems[0]


def test_a_slide_without_its_folder_is_not_complete(tmp_path: Path) -> None:
    path = synthetic_mrxs(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert "Slidedat.ini" in FORMAT.claim(path).problems[0]
    assert examined(path).missing == ("a/Slidedat.ini",)


@pytest.mark.parametrize("damage", ["one byte short", "half", "header", "zeros", "empty"])
@pytest.mark.parametrize("name", ["a/Data0001.dat", "a/Data0000.dat", "a/Index.dat", "a.mrxs"])
def test_a_damaged_file_is_not_sound(tmp_path: Path, name: str, damage: str) -> None:
    path = synthetic_mrxs(tmp_path)
    file = tmp_path / name
    data = file.read_bytes()
    keep = {"one byte short": len(data) - 1, "half": len(data) // 2, "header": 24, "zeros": 0, "empty": 0}[damage]
    file.write_bytes(data[:keep].ljust(len(data) if damage == "zeros" else 0, b"\0"))
    found = examined(path)
    if damage == "zeros" and name == "a.mrxs":
        assert found.sound, "the preview may be of any kind, so zeros may be one"
    else:
        assert found.sound is False
        assert found.problems[0].startswith(name)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_a_cut_list_is_not_sound(tmp_path: Path, share: float) -> None:
    path = synthetic_mrxs(tmp_path, ini=INI[: int(len(INI) * share)])
    found = examined(path)
    assert found.sound is False
    assert found.problems[0].startswith("a/Slidedat.ini: ")


def test_a_data_file_of_another_slide_is_told(tmp_path: Path) -> None:
    path = synthetic_mrxs(tmp_path)
    (tmp_path / "a" / "Data0000.dat").write_bytes(b"01.02OTHER".ljust(DATA_BYTES))
    assert examined(path).problems == ("a/Data0000.dat: it does not belong to this slide",)


def test_a_name_outside_of_the_folder_is_told_and_not_opened(tmp_path: Path) -> None:
    path = synthetic_mrxs(tmp_path, ini=INI.replace("= Data0001.dat", "= ..\\..\\secret.dat"))
    found = examined(path)
    assert found.sound is False
    assert "outside of its folder" in found.problems[0]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("FILE_COUNT = 2", "FILE_COUNT = 999999999"),
        ("HIER_0_COUNT = 2", "HIER_0_COUNT = 99999"),
        ("= Data0001.dat", f"= {'x' * 5000}"),
        ("SLIDE_ID = ", f"SLIDE_ID = {'x' * 5000}"),
    ],
)
def test_an_absurd_list_is_a_finding(tmp_path: Path, old: str, new: str) -> None:
    path = synthetic_mrxs(tmp_path, ini=INI.replace(old, new))
    assert examined(path).sound is False


def test_thousands_of_missing_files_are_counted(tmp_path: Path) -> None:
    files = "".join(f"FILE_{number} = D{number}.dat\n" for number in range(3000))
    ini = INI[: INI.index("FILE_COUNT")] + f"FILE_COUNT = 3000\n{files}"
    found = examined(synthetic_mrxs(tmp_path, ini=ini))
    assert len(found.missing) == 3000
    assert len(found.problems) < 30


@pytest.mark.timeout(60)
def test_an_index_that_never_ends_is_a_finding(tmp_path: Path) -> None:
    path = synthetic_mrxs(tmp_path)
    index = bytearray(synthetic_index())
    page = len(MARK) + 8 + 12 + 24
    struct.pack_into("<I", index, page + 4, page)
    (tmp_path / "a" / "Index.dat").write_bytes(index)
    found = examined(path)
    assert "without end" in found.problems[0]


def test_only_what_is_named_so_and_is_no_tiff_is_recognised() -> None:
    assert not FORMAT.recognises(b"\xff\xd8", "a.jpg")
    assert not FORMAT.recognises(b"II*\0" + bytes(8), "a.mrxs")
    assert not FORMAT.recognises(b"\xff\xd8", ".mrxs")


@given(
    name=st.sampled_from(["a.mrxs", "a/Slidedat.ini", "a/Index.dat", "a/Data0001.dat"]),
    at=st.floats(0, 0.999),
    new=st.binary(max_size=40),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_change_of_a_file_is_a_finding_or_nothing(name: str, at: float, new: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = synthetic_mrxs(Path(folder))
        data = (Path(folder) / name).read_bytes()
        start = int(at * len(data))
        (Path(folder) / name).write_bytes(data[:start] + new + data[start + len(new) :])
        assert FORMAT.claim(path).lists == ("a.mrxs", "a/")
        found = examined(path)
        assert (found.sound is False) == bool(found.problems)


@given(data=st.binary(max_size=300))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_bytes_as_index_are_a_finding_or_nothing(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = synthetic_mrxs(Path(folder))
        (Path(folder) / "a" / "Index.dat").write_bytes(MARK + data)
        found = examined(path)
        assert (found.sound is False) == bool(found.problems)
        FORMAT.recognises(data, "a.mrxs")
