"""Real files: which of the samples get a picture, and of the others why not."""

import fnmatch
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from watcher.pipeline.inspect import inspect
from watcher.thumbnails.__main__ import picture
from watcher.thumbnails.candidates import candidates

pytestmark = pytest.mark.samples

#: Sets of which there is no picture.
WITHOUT = {
    "cv8000/*": "all its images are black: they are thinned",
    "harmony/Version1*": "an index without its images",
    "harmony/Version7*": "an index without its images",
    "mdoc/*": "a text without its stack or movies",
    "ome-tiff/ome-types_ome": "it is black",
    "ome-zarr/v1": "its chunks are Blosc, for which imagecodecs is needed",
    "ome-zarr/v2": "its chunks are Blosc, for which imagecodecs is needed",
    "ome-zarr/data.zarr": "its chunks are Blosc, for which imagecodecs is needed",
    "ome-zarr/*": "metadata of large arrays, without them",
}


def test_every_sample_with_pixels_has_a_picture(samples: Path) -> None:
    without, seen = set(), {}
    for folder in sorted(path for path in samples.iterdir() if path.is_dir()):
        for found in inspect(folder):
            if not found.group.format:
                continue
            files = found.group.files
            kinds = (json.loads(file.claim)[0] if file.claim else "" for file in files)
            rows = [(file.path, kind, file.facts.size) for file, kind in zip(files, kinds, strict=True)]
            made = picture([(folder / path, kind) for path, kind in candidates(rows)])
            name = f"{folder.name}/{found.group.name}"
            if made is None:
                without.add(name)
            else:
                seen[name] = made
    assert [name for name in without if not any(fnmatch.fnmatchcase(name, one) for one in WITHOUT)] == []
    assert [one for one in WITHOUT if not any(fnmatch.fnmatchcase(name, one) for name in without)] == []
    families = {name.partition("/")[0] for name in seen}
    assert families == {
        "czi", "dicom", "dv", "harmony", "imagexpress", "ims", "mm-singleplane", "mrc", "ndtiff", "oib", "oif",
        "ome-tiff", "seq", "tiff",
    }  # fmt: skip
    for name, made in seen.items():
        with Image.open(io.BytesIO(made)) as image:
            assert max(image.size) <= 256
            assert np.asarray(image).std() > 10, f"{name}: there is something to be seen in it"
