"""Which format a file is of: its content decides."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from watcher.formats import FAMILIES, Claim, by_name, look

XML = '<OME><Image><Pixels SizeZ="1"><TiffData/></Pixels></Image></OME>'


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [
        ("a.tif", "", "tiff"),
        ("a.ome.tif", "no XML at all", "tiff"),
        ("a.tif", "<MetaData/>", "tiff"),
        ("a.tif", XML, "ome-tiff"),
        ("a.dat", XML, "ome-tiff"),
        ("a", "", "tiff"),
    ],
)
def test_the_content_decides_and_not_the_extension(tmp_path: Path, name: str, text: str, form: str) -> None:
    path = tmp_path / name
    tifffile.imwrite(path, np.zeros((4, 4), np.uint8), description=text or None, metadata=None)
    claim = look(path)
    assert claim is not None
    assert (claim.format, claim.lists, claim.problems) == (form, (name,), ())


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.tif", b""),
        ("a.tif", b"hello"),
        ("a.txt", b"<OME/>"),
        ("a.companion.ome", b""),
        ("a.companion.ome", b"hello"),
    ],
)
def test_other_files_are_of_no_format(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    assert look(tmp_path / name) is None


def test_an_unfinished_tiff_claims_itself(tmp_path: Path) -> None:
    path = tmp_path / "growing.ome.tif"
    path.write_bytes(b"II*\0\0\0\0\0")
    assert look(path) == Claim("tiff", ("growing.ome.tif",), "growing.ome")
    assert by_name("tiff").examine(tmp_path, (path.name,)).sound is False


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        look(tmp_path / "gone.tif")


@pytest.mark.parametrize("family", [family.name for family in FAMILIES])
def test_nothing_is_sound_on_a_share_that_went_away(tmp_path: Path, family: str) -> None:
    try:
        found = by_name(family).examine(tmp_path / "share that went away", ("gone.tif",))
    except FileNotFoundError:
        return
    assert found.sound is not True
    assert found.missing or found.problems


def test_each_format_is_found_by_its_name() -> None:
    for family in FAMILIES:
        assert by_name(family.name).name == family.name
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    with pytest.raises(KeyError):
        by_name("png")


def test_a_name_that_such_files_do_not_have_is_remarked_on(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "scan.czi", np.zeros((4, 4), np.uint8))
    claim = look(tmp_path / "scan.czi")
    assert claim is not None
    assert claim.remarks == ("scan.czi: it is TIFF, BigTIFF, ImageJ, which is not usually named so",)


def test_no_family_is_imported_before_a_file_of_it_is_seen() -> None:
    code = """
import sys, watcher.formats
loaded = {name for name in sys.modules if name.startswith("watcher.formats.")}
heavy = {"defusedxml", "numpy", "pyexpat"} & set(sys.modules)
light = {f"watcher.formats.{name}" for name in ("base", "families", "family")}
print(loaded - light | heavy)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(("name", "told"), [("scan.czi", True), ("notes.txt", False), ("scan.dat", False)])
def test_zeros_are_unfinished_where_files_of_that_name_begin_otherwise(tmp_path: Path, name: str, told: bool) -> None:
    (tmp_path / name).write_bytes(bytes(10))
    claim = look(tmp_path / name)
    assert (claim is not None and "begins with zeros" in claim.problems[0]) is told
