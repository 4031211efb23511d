"""OME-Zarr: real trees (most of them without their chunks), and synthetic ones of version 0.4 and 0.5."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats import ome_zarr
from watcher.formats.base import Examination
from watcher.formats.ome_zarr import FORMAT
from watcher.formats.zarr_array import Budget

WHOLE = {
    "v1": "16x16x1x2x1",
    "v2": "16x16x1x2x1",
    "viv/fixtures/bioformats-zarr/data.zarr": "439x167x1x3x1",
    "ome-zarr-models/examples/v04/hcs_example.ome.zarr": "5120x2160x2x1x1",
}
AXES = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]


def synthetic_image(folder: Path, version: int, *, levels: int = 2, sharded: bool = False, extra: Any = None) -> None:
    """A group of levels of 1 x 8 x 8 pixels and smaller, in four chunks each, uncompressed or in shards."""
    scale = {
        "axes": AXES,
        "datasets": [
            {"path": str(at), "coordinateTransformations": [{"type": "scale", "scale": [2, 0.5 * 2**at, 0.5 * 2**at]}]}
            for at in range(levels)
        ],
    }
    write_group(folder, version, {"multiscales": [scale], "omero": {"channels": [{"label": "GFP"}]}, **(extra or {})})
    for at in range(levels):
        side = 8 >> at
        level = folder / str(at)
        level.mkdir()
        names = [(0, y, x) for y in (0, 1) for x in (0, 1)]
        chunk = [1, side // 2, side // 2]
        if version == 2:
            (level / ".zarray").write_text(
                json.dumps({"zarr_format": 2, "shape": [1, side, side], "chunks": chunk, "dtype": "<u2", "order": "C",
                            "compressor": None, "filters": None, "fill_value": 0, "dimension_separator": "."})
            )  # fmt: skip
            for name in names:
                (level / ".".join(map(str, name))).write_bytes(b"ab" * (side // 2) ** 2)
            continue
        inner = [{"name": "bytes", "configuration": {"endian": "little"}}]
        shard = {"chunk_shape": [1, 1, side // 2], "codecs": inner, "index_codecs": [*inner, {"name": "crc32c"}]}
        codecs = [{"name": "sharding_indexed", "configuration": shard}] if sharded else inner
        (level / "zarr.json").write_text(
            json.dumps({"zarr_format": 3, "node_type": "array", "shape": [1, side, side], "data_type": "uint16",
                        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
                        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
                        "codecs": codecs, "fill_value": 0})
        )  # fmt: skip
        for _, y, x in names:
            (level / "c" / "0" / str(y)).mkdir(parents=True, exist_ok=True)
            (level / "c" / "0" / str(y) / str(x)).write_bytes(
                synthetic_shard(side // 2) if sharded else b"ab" * (side // 2) ** 2
            )


def synthetic_shard(inner: int) -> bytes:
    """Inner chunks one behind the other, the last one absent, and their index (Zarr sharding codec)."""
    index = b"".join(struct.pack("<2Q", 5 * at, 5) for at in range(inner - 1)) + b"\xff" * 16
    return b"pixel" * (inner - 1) + index + b"crc_"


def write_group(folder: Path, version: int, attributes: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if version == 2:
        (folder / ".zgroup").write_text('{"zarr_format": 2}')
        (folder / ".zattrs").write_text(json.dumps(attributes))
    else:
        ome = {"attributes": {"ome": {"version": "0.5", **attributes}}, "zarr_format": 3, "node_type": "group"}
        (folder / "zarr.json").write_text(json.dumps(ome))


def synthetic_plate(folder: Path, version: int) -> None:
    write_group(folder, version, {"plate": {"wells": [{"path": "A/1"}, {"path": "B/2"}], "name": "p"}})
    for well in ("A/1", "B/2"):
        write_group(folder / Path(well).parent, version, {})
        write_group(folder / well, version, {"well": {"images": [{"path": "0"}, {"path": "1"}]}})
        for field in "01":
            synthetic_image(folder / well / field, version)


@pytest.mark.samples
@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_real_tree_is_sound_and_one_set(samples: Path, name: str) -> None:
    top = samples / "ome-zarr" / name
    markers = [path for path in top.rglob(".z*") if FORMAT.recognises(path.read_bytes()[:1024], path.name)]
    assert markers
    for path in markers:
        claim = FORMAT.claim(path)
        assert (path.parent / str(claim.tree)).resolve() == top.resolve()
        assert claim.title == top.name
    found = FORMAT.examine(top, (".zgroup",))
    assert (found.sound, found.problems, found.missing) == (True, (), ())
    assert found.metadata["size"] == WHOLE[name]


@pytest.mark.samples
def test_real_trees_of_which_parts_were_left_out_are_incomplete(samples: Path) -> None:
    tops = sorted((samples / "ome-zarr" / "yaozarrs" / "v05").iterdir())
    assert len(tops) == 15
    for top in tops:
        found = FORMAT.examine(top, ("zarr.json",))
        assert (found.sound, bool(found.missing)) == (False, True), top.name
        assert len(found.problems) <= 21
    broken = FORMAT.examine(samples / "ome-zarr" / "yaozarrs" / "broken" / "broken_v05.ome.zarr", ("zarr.json",))
    assert broken.sound is False
    assert "C/1/1" in broken.missing


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one byte short": lambda data: data[:-1],
    "half": lambda data: data[: len(data) // 2],
    "only the header": lambda data: data[:8],
    "tail of zeros": lambda data: data[: len(data) * 3 // 4].ljust(len(data), b"\0"),
    "empty": lambda _: b"",
}
CANNOT_TELL = {"tail of zeros": "the tail of the chunk is compressed pixels, which are not read"}


@pytest.mark.samples
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", ["0/.zarray", "0/0.0.0.0.0", ".zattrs", ".zgroup"])
def test_a_damaged_file_of_a_real_tree_is_found(samples: Path, tmp_path: Path, file: str, damage: str) -> None:
    top = tmp_path / "v1"
    shutil.copytree(samples / "ome-zarr" / "v1", top, copy_function=shutil.copyfile)
    for path in (top, top / "0"):
        path.chmod(0o755)
    data = (top / file).read_bytes()
    (top / file).write_bytes(DAMAGES[damage](data.rstrip()))
    found = FORMAT.examine(top, (".zgroup",))
    blind = damage in CANNOT_TELL and file == "0/0.0.0.0.0"
    assert found.sound is blind
    assert blind or file.split("/")[0] in found.problems[0]


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("name", ["x.ome.zarr", "a b [1].zarr", "100%#.zarr", "Zelle µ", "plain"])
def test_a_synthetic_image(tmp_path: Path, version: int, name: str) -> None:
    top = tmp_path / name
    synthetic_image(top, version)
    found = FORMAT.examine(top, ())
    assert (found.sound, found.problems, found.remarks) == (True, (), ())
    assert dict(found.metadata) == {"size": "8x8x1x1x1", "pixel_size_um": "0.5x0.5x2", "channels": "GFP"}
    assert found.sources["channels"] == "omero/channels/label"
    marker = next(path for path in (top / "1").iterdir() if path.name in ome_zarr.MARKERS)
    claim = FORMAT.claim(marker)
    assert (claim.format, claim.tree, claim.title) == ("ome-zarr", "..", name)
    # A folder within the tree is only asked for its own metadata: the top looks at the whole
    assert FORMAT.examine(top / "1", (marker.name,)).checked == "ome-zarr:json"
    marker.write_text("{")
    assert FORMAT.examine(top / "1", (marker.name,)).sound is False


@pytest.mark.parametrize("version", [2, 3])
def test_a_missing_chunk_is_legal_and_remarked(tmp_path: Path, version: int) -> None:
    synthetic_image(tmp_path / "x", version)
    (tmp_path / "x" / ("0/0.1.1" if version == 2 else "0/c/0/1/1")).unlink()
    found = FORMAT.examine(tmp_path / "x", ())
    assert (found.sound, found.missing) == (True, ())
    assert found.remarks == ("7 of 8 chunks are stored; those left out stand for an empty image",)


@pytest.mark.parametrize("version", [2, 3])
def test_chunks_that_are_not_whole_are_named(tmp_path: Path, version: int) -> None:
    synthetic_image(tmp_path / "x", version)
    one, two = ("0.0.0", "0.1.1") if version == 2 else ("c/0/0/0", "c/0/1/1")
    level = tmp_path / "x" / "0"
    (level / one).write_bytes(b"x" * 31)
    (level / two).write_bytes(b"")
    beside = level / ("9.0.0" if version == 2 else "c/9/0/0")
    beside.parent.mkdir(parents=True, exist_ok=True)
    beside.write_bytes(b"ab" * 16)
    (level / f"{two}.0123456789abcdef.partial").write_bytes(b"x")
    assert sorted(FORMAT.examine(tmp_path / "x", ()).problems) == [
        "0: cut off: chunk 0.0.0 should have 32 bytes, the file has 31",
        "0: damaged: chunk 9.0.0 lies outside of the image, which has 1x2x2 chunks",
        f"0: unfinished: {Path(two).name}.0123456789abcdef.partial is a chunk that is still being written",
        "0: unfinished: chunk 0.1.1 is empty",
    ]


def test_shards(tmp_path: Path) -> None:
    synthetic_image(tmp_path / "x", 3, sharded=True)
    assert FORMAT.examine(tmp_path / "x", ()).sound
    shard = tmp_path / "x" / "0" / "c" / "0" / "1" / "0"
    good = shard.read_bytes()
    for damage in DAMAGES.values():
        shard.write_bytes(damage(good))
        found = FORMAT.examine(tmp_path / "x", ())
        assert found.sound is False
        assert "chunk 0.1.0" in found.problems[0]


@pytest.mark.parametrize("version", [2, 3])
def test_a_plate_is_followed_to_its_images(tmp_path: Path, version: int) -> None:
    top = tmp_path / "plate.zarr"
    synthetic_plate(top, version)
    assert FORMAT.examine(top, ()).sound
    shutil.rmtree(top / "B" / "2" / "1" / "1")
    shutil.rmtree(top / "A" / "1" / "0")
    found = FORMAT.examine(top, ())
    assert found.sound is False
    assert set(found.missing) == {"B/2/1/1", "A/1/0"}
    assert "A/1/0: missing, the well A/1 lists it" in found.problems
    assert "B/2/1/1: missing, the image B/2/1 lists it" in found.problems


@pytest.mark.parametrize("version", [2, 3])
def test_the_layout_of_bioformats2raw(tmp_path: Path, version: int) -> None:
    top = tmp_path / "x.zarr"
    write_group(top, version, {"bioformats2raw.layout": 3})
    write_group(top / "OME", version, {"series": ["0", "1"]})
    synthetic_image(top / "0", version)
    found = FORMAT.examine(top, ())
    assert set(found.missing) == {"1", "OME/METADATA.ome.xml"}
    synthetic_image(top / "1", version, levels=1)
    (top / "OME" / "METADATA.ome.xml").write_text(
        '<OME Creator="c 1"><Image><AcquisitionDate>2020-01-02T03:04:05</AcquisitionDate><Pixels/></Image></OME>'
    )
    found = FORMAT.examine(top, ())
    assert (found.sound, found.missing) == (True, ())
    assert found.metadata["acquired"] == "2020-01-02T03:04:05"
    assert found.sources["acquired"] == "OME/METADATA.ome.xml"


@pytest.mark.parametrize("version", [2, 3])
def test_labels_are_part_of_the_image(tmp_path: Path, version: int) -> None:
    top = tmp_path / "x.zarr"
    synthetic_image(top, version)
    write_group(top / "labels", version, {"labels": ["cells"]})
    assert FORMAT.examine(top, ()).missing == ("labels/cells",)
    synthetic_image(top / "labels" / "cells", version)
    assert FORMAT.examine(top, ()).sound


def test_levels_that_make_no_sense_are_found(tmp_path: Path) -> None:
    synthetic_image(tmp_path / "x", 2)
    for shape, chunks, words in (
        ([1, 99, 99], [1, 2, 2], "1: damaged: this level of the image the top is larger than the one before"),
        ([8, 8], [2, 2], "1: damaged: it has 2 axes, the image the top 3"),
        ([1, 0, 8], [1, 2, 2], "1: unfinished: it has no size yet"),
        ([1, -8, 8], [1, 2, 2], "1/.zarray: damaged: its size makes no sense"),
        ([1, 8, 8], [1, 0, 2], "1/.zarray: damaged: its chunk size makes no sense"),
        ([1, 8, 8], [1, 8], "1/.zarray: damaged: it has 3 axes, its chunks 2"),
        (None, [1, 8], "1/.zarray: damaged: it does not state its size"),
    ):
        (tmp_path / "x" / "1" / ".zarray").write_text(json.dumps({"shape": shape, "chunks": chunks, "zarr_format": 2}))
        assert words in FORMAT.examine(tmp_path / "x", ()).problems


def test_a_tree_that_has_just_begun_is_unfinished(tmp_path: Path) -> None:
    (tmp_path / "x.zarr").mkdir()
    assert FORMAT.examine(tmp_path / "x.zarr", ()).problems == ("x.zarr: unfinished: it has no metadata yet",)
    (tmp_path / "x.zarr" / "zarr.json").write_text("")
    assert FORMAT.examine(tmp_path / "x.zarr", ()).problems == ("zarr.json: unfinished: the file is empty",)


def test_names_that_leave_the_tree_are_not_followed(tmp_path: Path) -> None:
    for path in ("../other", "/etc", "..\\x", "", 7, None, "n" * 999, "\ud800", "a\0b"):
        write_group(tmp_path / "x", 2, {"plate": {"wells": [{"path": path}]}})
        found = FORMAT.examine(tmp_path / "x", ())
        assert found.sound is False
        assert "which is no folder inside of it" in found.problems[0]
        assert found.missing == ()
        write_group(tmp_path / "x", 2, {"multiscales": [{"datasets": [{"path": path}]}]})
        assert "which is no folder inside of it" in FORMAT.examine(tmp_path / "x", ()).problems[0]


def test_a_folder_that_is_gone_is_an_os_error(tmp_path: Path) -> None:
    for ask in (lambda: FORMAT.claim(tmp_path / "x" / ".zgroup"), lambda: FORMAT.examine(tmp_path / "x", (".zgroup",))):
        with pytest.raises(FileNotFoundError):
            ask()


def test_other_files_are_not_recognised() -> None:
    assert not FORMAT.recognises(b"{}", "other.json")
    assert not FORMAT.recognises(b"<x/>", "zarr.json")
    assert not FORMAT.recognises(b"", ".zattrs")
    assert FORMAT.recognises(b'\n {"a"', "zarr.json")


@pytest.mark.timeout(60)
def test_absurd_metadata_are_bounded(tmp_path: Path) -> None:
    bombs = (
        b"[" * 2_000_000,
        b'{"a":' * 100_000,
        b'{"plate": {"wells": [' + b",".join(b'{"path":"A/%d"}' % at for at in range(120_000)) + b"]}}",
        b'{"multiscales": [{"datasets": [' + b"[]," * 400_000 + b"[]]}]}",
        b'{"a": ' + b"9" * 10_000 + b"}",
    )
    (tmp_path / ".zgroup").write_text("{}")
    for bomb in bombs:
        (tmp_path / ".zattrs").write_bytes(bomb)
        found = FORMAT.examine(tmp_path, ())
        assert found.sound is not True
        assert len(found.problems) <= 21


def test_a_shape_of_many_chunks_costs_nothing(tmp_path: Path) -> None:
    synthetic_image(tmp_path / "x", 2)
    huge = {"shape": [1, 1 << 50, 1 << 50], "chunks": [1, 4, 4], "dtype": "<u2", "compressor": None, "filters": None}
    (tmp_path / "x" / "0" / ".zarray").write_text(json.dumps(huge))
    assert "stand for an empty image" in FORMAT.examine(tmp_path / "x", ()).remarks[0]


def test_more_files_than_are_looked_at_leave_it_unchecked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthetic_image(tmp_path / "x", 2)
    monkeypatch.setattr(ome_zarr, "Budget", lambda: Budget(entries=6))
    found = FORMAT.examine(tmp_path / "x", ())
    assert found.sound is None
    assert found.checked.startswith("unchecked: ")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 1 << 70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data(), value=json_values, noise=st.binary(max_size=100), version=st.sampled_from([2, 3]))
def test_no_content_makes_it_crash(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, value: Any, noise: bytes, version: int
) -> None:
    top = tmp_path_factory.mktemp("fuzz") / "x.zarr"
    synthetic_plate(top, version)
    files = sorted(path for path in top.rglob("*") if path.name in ome_zarr.MARKERS)
    FORMAT.recognises(noise, "zarr.json")
    for file in (files[0], data.draw(st.sampled_from(files))):
        good = file.read_text()
        changed = json.loads(good)
        place = changed
        while isinstance(place, dict) and place:
            key = data.draw(st.sampled_from(sorted(place)))
            if not isinstance(place[key], dict) or data.draw(st.booleans()):
                place[key] = value
                break
            place = place[key]
        for text in (json.dumps(changed).encode(), noise, good.encode()[: data.draw(st.integers(0, len(good)))]):
            file.write_bytes(text)
            claim = FORMAT.claim(file)
            assert claim.tree is not None
            assert examined(top).sound in (True, False, None)
            assert FORMAT.examine(file.parent, (file.name,)).checked
        file.write_text(good)


def examined(top: Path) -> Examination:
    return FORMAT.examine(top, ())
