"""Real files: whole ones are sound, damaged ones are not, and where a format cannot tell is listed with the reason."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from watcher.formats import by_name, look
from watcher.formats.base import Examination

pytestmark = pytest.mark.samples

TIFFS = [
    *(f"tiff/cellprofiler/{name}.tif" for name in ("MetamorphImage", "NikonTIF")),
    *(f"tiff/imagej/gray{kind}-3x2-sub{n}.tif" for kind in ("8", "16", "24", "32float") for n in (1, 2)),
    *(f"tiff/imagej/{n}.tif" for n in ("gray16signedA", "gray16signedB", "gray8-3x2-stack", "head", "head8bit")),
    "ome-tiff/multi-channel.ome.tif",
    "ome-tiff/ome-types_ome.tiff",
    *(f"ome-tiff/multifile-Z{z}.ome.tiff" for z in range(1, 6)),
]
COMPANION = "ome-tiff/multifile.companion.ome"

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one byte short": lambda data: data[:-1],
    "half": lambda data: data[: len(data) // 2],
    "only the header": lambda data: data[:8],
    "tail of zeros": lambda data: data[: len(data) * 3 // 4].ljust(len(data), b"\0"),
    "empty": lambda _: b"",
}

# Why the format cannot tell, by the damage. Whoever makes one of these detectable is told to take it off the list.
CANNOT_TELL = {
    "one byte short": {
        "tiff/cellprofiler/NikonTIF.tif": "no page uses the last byte of this file",
    },
    "tail of zeros": {
        **dict.fromkeys(
            ("tiff/imagej/gray16signedA.tif", "tiff/imagej/gray16signedB.tif", "tiff/cellprofiler/NikonTIF.tif"),
            "its tail is compressed pixels, which the walk does not decompress",
        ),
        **dict.fromkeys(
            (
                *(f"tiff/imagej/gray{kind}-3x2-sub{n}.tif" for kind in ("8", "16", "24", "32float") for n in (1, 2)),
                "tiff/imagej/head.tif",
                "tiff/imagej/head8bit.tif",
                "ome-tiff/multi-channel.ome.tif",
            ),
            "its tail is uncompressed pixels, of which black ones are legal, or text that may be empty",
        ),
    },
}


def test_no_sample_is_left_out(samples: Path) -> None:
    names = (path for part in ("tiff", "ome-tiff") for path in (samples / part).rglob("*.*"))
    assert {path.relative_to(samples).as_posix() for path in names} == {*TIFFS, COMPANION}


@pytest.mark.parametrize("name", [*TIFFS, COMPANION])
def test_a_whole_file_is_sound(samples: Path, name: str) -> None:
    found = examined(samples / name)
    assert (found.sound, found.problems, found.missing) == (True, (), ())


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", TIFFS)
def test_a_damaged_file_is_not_sound(samples: Path, tmp_path: Path, name: str, damage: str) -> None:
    form = by_name("tiff" if name.startswith("tiff/") else "ome-tiff")
    for sibling in (samples / name).parent.glob("multifile*"):
        shutil.copyfile(sibling, tmp_path / sibling.name)
    path = tmp_path / Path(name).name
    path.write_bytes(DAMAGES[damage]((samples / name).read_bytes()))
    found = form.examine(tmp_path, (path.name,))
    if name in CANNOT_TELL.get(damage, {}):
        assert found.sound, "no longer an exception: take it off the list"
    else:
        assert found.sound is False
        assert path.name in found.problems[0]


def test_a_companion_and_its_planes_are_one_set(samples: Path) -> None:
    folder = samples / "ome-tiff"
    claim = look(folder / "multifile.companion.ome")
    assert claim is not None
    assert claim.lists == ("multifile.companion.ome", *(f"multifile-Z{z}.ome.tiff" for z in range(1, 6)))
    assert claim.title == "multifile"
    plane = look(folder / "multifile-Z3.ome.tiff")
    assert plane is not None
    assert (plane.lists, plane.title) == (("multifile-Z3.ome.tiff", "multifile.companion.ome"), "multifile")
    found = by_name("ome-tiff").examine(folder, claim.lists)
    assert found.metadata["acquired"] == "2010-03-02T15:08:59"
    assert found.metadata["size"] == "18x24x5x1x1"


@pytest.mark.parametrize("gone", ["multifile-Z3.ome.tiff", "multifile.companion.ome"])
def test_a_missing_member_of_a_companion_set_is_named(samples: Path, tmp_path: Path, gone: str) -> None:
    for file in (samples / "ome-tiff").glob("multifile*"):
        shutil.copyfile(file, tmp_path / file.name)
    (tmp_path / gone).unlink()
    there = tuple(sorted(file.name for file in tmp_path.iterdir()))
    found = by_name("ome-tiff").examine(tmp_path, there)
    assert found.sound is False
    assert found.missing == (gone,)
    assert any(problem.startswith(f"{gone}: missing") for problem in found.problems)


@pytest.mark.parametrize("damage", ["half", "one byte short", "only the header", "empty"])
def test_a_damaged_companion_is_found(samples: Path, tmp_path: Path, damage: str) -> None:
    for file in (samples / "ome-tiff").glob("multifile*"):
        shutil.copyfile(file, tmp_path / file.name)
    companion = tmp_path / "multifile.companion.ome"
    companion.write_bytes(DAMAGES[damage](companion.read_bytes()))
    found = by_name("ome-tiff").examine(tmp_path, tuple(sorted(file.name for file in tmp_path.iterdir())))
    assert found.sound is False
    assert any(companion.name in problem for problem in found.problems)


def test_a_micro_manager_stack_is_one_set_whose_files_carry_no_identifier(samples: Path, tmp_path: Path) -> None:
    packed = sorted((samples / "mm-imagestack").glob("*.ome.tif.gz"))
    for file in packed:
        (tmp_path / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    names = [file.stem for file in packed]
    claim = look(tmp_path / names[0])
    assert claim is not None
    assert (sorted(claim.lists), claim.title) == (names, "1.4compatTest_3")
    for first in names:  # whichever file is looked at first, the same is found
        found = by_name("ome-tiff").examine(tmp_path, (first, *(name for name in names if name != first)))
        assert (found.sound, found.problems, found.missing) == (True, (), ())
        assert found.metadata["channels"] == "Cy5, DAPI"
        assert found.metadata["pixel_size_um"] == "1x1x5"


@pytest.mark.parametrize(
    "pattern", ["ndtiff/**/*.tif", "imagexpress/**/*.[tT][iI][fF]", "cv8000/**/*.tif", "oif/**/*.tif"]
)
def test_the_planes_of_other_families_pass_the_walk(samples: Path, pattern: str) -> None:
    files = sorted(samples.glob(pattern))
    assert files
    assert {file.name: found.problems for file in files if not (found := examined(file)).sound} == {}


def test_a_dicom_file_that_begins_like_a_tiff_is_not_called_damaged(samples: Path) -> None:
    found = by_name("tiff").examine(samples / "dicom", ("CT_small.dcm",))
    assert found.sound is None
    assert "DICOM" in found.checked


def examined(path: Path) -> Examination:
    """What looking at one file, and then at the set that it names, finds."""
    claim = look(path)
    assert claim is not None
    assert claim.problems == ()
    return by_name(claim.format).examine(path.parent, claim.lists)
