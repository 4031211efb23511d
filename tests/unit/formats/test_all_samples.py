"""Every real file of the samples: told what it is, and sound, or listed here by name with the reason."""

import fnmatch
import shutil
from pathlib import Path

import pytest

from watcher import formats
from watcher.pipeline.inspect import Inspection, inspect

pytestmark = pytest.mark.samples

#: Files that are of no format by themselves: what they belong to takes them along, or they are no images at all.
NOT_IMAGES = {
    "cv8000/*.wpp": "settings, named by the measurement",
    "cv8000/*.mes": "settings, named by the measurement",
    "cv8000/*_parameter.xml": "settings",
    "cv8000/*.log": "log",
    "mm-imagestack/*.gz": "packed: what is in it is tested unpacked",
    "mm-imagestack/*.txt": "notes beside the stacks",
    "mrc/*.bz2": "packed",
    "mrc/*.gz": "packed",
    "ndtiff/*display_settings.txt": "settings",
    "oif/*.oif.files/*": "parts that the .oif names",
    "ome-zarr/ome-zarr-models/*": "examples of JSON, no arrays",
    "ome-zarr/*.zip": "packed",
    "ome-zarr/v[12]/0/*": "chunks",
    "ome-zarr/viv/*": "chunks, and XML of a layout",
    "ome-zarr/yaozarrs/*.py": "a script",
}
#: Sets that are not whole here, because whoever made the samples left out what is large.
THINNED = {
    "harmony/*": "an index without its images",
    "mdoc/*": "a text without its stack or movies",
    "ome-zarr/yaozarrs/*": "metadata of large arrays, without them; some are broken on purpose",
    "ome-zarr/*": "metadata without all of its arrays",
}
#: Sets that are found unsound or cannot be told, rightly.
NOT_SOUND = {
    "dicom/MR_*": "MR_truncated.dcm lacks 62 bytes, and is of the same series as MR_small.dcm",
    "mm-singleplane/*": "the alpha version that wrote it never closed metadata.txt, so that nothing says it is whole",
}


def _listed(path: str, names: dict[str, str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in names)


def test_every_file_is_of_a_format_or_listed(samples: Path) -> None:
    files = [path for path in samples.rglob("*") if path.is_file() and path.name != "SOURCES.tsv"]
    assert len(files) == 492
    unknown = {path.relative_to(samples).as_posix() for path in files if formats.look(path) is None}
    assert {path for path in unknown if not _listed(path, NOT_IMAGES)} == set()
    unused = [pattern for pattern in NOT_IMAGES if not any(fnmatch.fnmatchcase(path, pattern) for path in unknown)]
    assert unused == []


def test_every_set_is_complete_and_sound_or_listed(samples: Path, tmp_path: Path) -> None:
    wrong = []
    for folder in sorted(path for path in samples.iterdir() if path.is_dir()):
        for found in inspect(folder):
            path = f"{folder.name}/{found.group.files[0].path}"
            if found.group.format and not _listed(path, THINNED) and not _fine(found):
                wrong.append(path)
    assert [path for path in wrong if not _listed(path, NOT_SOUND)] == []
    assert len(wrong) == len(NOT_SOUND)


def test_samples_that_are_one_set_are_one_set_whatever_is_beside_them(samples: Path, tmp_path: Path) -> None:
    for name in ("cv8000", "ndtiff", "oif", "ome-tiff"):
        shutil.copytree(samples / name, tmp_path / name, copy_function=shutil.copyfile)
    found: dict[str, list[str]] = {}
    for one in inspect(tmp_path):
        found.setdefault(one.group.format, []).append(one.group.name)
    assert len(found["yokogawa"]) == 1
    assert len(found["ndtiff"]) == 8
    assert len(found["oif"]) == 1
    assert "multifile" in found["ome-tiff"]


def _fine(found: Inspection) -> bool:
    return found.complete and found.validation.sound is True
