"""HDF5 and its relatives EMD and Luxendo. All files are synthetic: no real one of these is at hand."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.formats.synthetic_hdf5 import NOWHERE, SIGNATURE, Data, Tree, synthetic_hdf5
from watcher.formats import emd, luxendo
from watcher.formats.base import Examination
from watcher.formats.hdf5 import FORMAT, Hdf5, kind_of
from watcher.formats.reading import Unsound

PLAIN: Tree = {"group": {"inner": {"cells": Data(), "chunked": Data(chunks=5)}}, "elsewhere": None, "z": Data()}
VELOX: Tree = {"Version": Data(), "Data": {"Image": {"0a1b": {"Data": Data((4, 4, 1)), "Metadata": Data((9, 1))}}}}
NCEM: Tree = {"@version_major": "0", "data": {"raw": {"@emd_group_type": "1", "data": Data()}}}
LUXENDO: Tree = {"Data": Data(chunks=3), "Data_2_2_2": Data(), "metadata": Data((1,))}
FORMS = {"v0": (0, False), "v1": (1, False), "v2": (2, False), "v3": (3, False), "dense": (3, True)}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("user_block", [0, 512, 2048])
def test_a_whole_file_is_sound_in_every_form(tmp_path: Path, form: str, user_block: int) -> None:
    version, dense = FORMS[form]
    data = synthetic_hdf5(PLAIN, version, dense=dense, user_block=user_block)
    found = examined(tmp_path, "a [1] #%ä.h5", data)
    assert (found.sound, found.problems, found.checked) == (True, (), "hdf5:objects")
    # Behind a longer user block only the extension or another registry entry could tell it
    assert FORMAT.recognises(data[:1024], "a") is (user_block < 1024)


@pytest.mark.parametrize("form", FORMS)
def test_it_finds_every_group_and_dataset(tmp_path: Path, form: str) -> None:
    version, dense = FORMS[form]
    many = {f"TimePoint {at}": {"Data": Data()} for at in range(150)}
    (tmp_path / "a.h5").write_bytes(synthetic_hdf5(many, version, dense=dense))
    with (tmp_path / "a.h5").open("rb") as file:
        one = Hdf5(file)
        assert one.links(one.superblock.root).keys() == many.keys()
        assert one.everything() == 150
        place = one.child(one.superblock.root, "TimePoint 149", "Data")
        assert place is not None
        assert one.dataset(place, "it") == (2, 4, 4)
        assert one.child(one.superblock.root, "TimePoint 150") is None


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one byte short": lambda data: data[:-1],
    "half": lambda data: data[: len(data) // 2],
    "only the header": lambda data: data[:48],
    "tail of zeros": lambda data: data[: len(data) * 3 // 4].ljust(len(data), b"\0"),
    "empty": lambda _: b"",
    "one byte more": lambda data: data + b"x",
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_file_is_not_sound(tmp_path: Path, form: str, damage: str) -> None:
    version, dense = FORMS[form]
    found = examined(tmp_path, "a.h5", DAMAGES[damage](synthetic_hdf5(PLAIN, version, dense=dense)))
    assert found.sound is False
    assert found.problems[0].startswith("a.h5: ")


def test_a_file_that_somebody_writes_is_unfinished(tmp_path: Path) -> None:
    for flags in (1, 5):
        found = examined(tmp_path, "a.h5", synthetic_hdf5(PLAIN, 3, flags=flags))
        assert found.problems == (
            "a.h5: unfinished: it is marked as open for writing (or the program that wrote it crashed)",
        )
    grown = examined(tmp_path, "a.h5", synthetic_hdf5(PLAIN, 0) + bytes(4096))
    assert grown.problems[0].startswith("a.h5: unfinished: ")


def test_the_end_of_the_file_is_named(tmp_path: Path) -> None:
    data = synthetic_hdf5(PLAIN)
    assert examined(tmp_path, "a.h5", data[:-7]).problems == (
        f"a.h5: cut off: its data should end at byte {len(data)}, the file has {len(data) - 7}",
    )


def test_an_unknown_version_is_unchecked(tmp_path: Path) -> None:
    data = bytearray(synthetic_hdf5(PLAIN, 3))
    data[8] = 9
    found = examined(tmp_path, "a.h5", bytes(data))
    assert found.sound is None
    assert found.checked == "unchecked: a.h5: HDF5 with a superblock of version 9"


def test_what_is_in_the_file_tells_the_family(tmp_path: Path) -> None:
    kinds: dict[str, tuple[str, Tree]] = {
        "a.h5": ("hdf5", PLAIN),
        "b.ims": ("hdf5", PLAIN),
        "c.h5": ("ims", {"@ImarisDataSet": "ImarisDataSet", "DataSet": {}}),
        "d.ims": ("ims", {"DataSet": {}}),
        "e.h5": ("bdv", {"s00": {}, "t00000": {}}),
        "f.dat": ("emd", VELOX),
        "g.emd": ("emd", NCEM),
        "h.lux.h5": ("luxendo", LUXENDO),
    }
    for name, (kind, tree) in kinds.items():
        (tmp_path / name).write_bytes(synthetic_hdf5(tree, 3))
        assert kind_of(tmp_path / name) == kind, name
    (tmp_path / "new.ims").write_bytes(SIGNATURE)  # nothing but its name is known yet
    assert FORMAT.claim(tmp_path / "new.ims").format == "ims"


@pytest.mark.parametrize("tree", [VELOX, NCEM])
def test_emd(tmp_path: Path, tree: Tree) -> None:
    path = tmp_path / "a.emd"
    data = synthetic_hdf5(tree, 2)
    path.write_bytes(data)
    assert emd.FORMAT.recognises(data[:1024], "a.emd")
    assert (emd.FORMAT.claim(path).format, emd.FORMAT.examine(tmp_path, ("a.emd",)).sound) == ("emd", True)
    for name, damage in DAMAGES.items():
        path.write_bytes(damage(data))
        assert emd.FORMAT.examine(tmp_path, ("a.emd",)).sound is False, name


def test_an_emd_image_without_its_data_is_unfinished(tmp_path: Path) -> None:
    (tmp_path / "a.emd").write_bytes(synthetic_hdf5({"Version": Data(), "Data": {"Image": {"0a": {}}}}))
    (tmp_path / "b.emd").write_bytes(synthetic_hdf5({"@version_major": "0", "data": {}}))
    found = emd.FORMAT.examine(tmp_path, ("a.emd", "b.emd"))
    assert found.problems == (
        "a.emd: unfinished: Image 0a has no data or no description",
        "b.emd: unfinished: it holds no data yet",
    )


def test_the_folder_of_a_luxendo_run_is_the_set(tmp_path: Path) -> None:
    stack = tmp_path / "2024-01-31_120000" / "raw" / "stack_0_channel_0"
    stack.mkdir(parents=True)
    names = tuple(f"Cam_left_{at:05d}.lux.h5" for at in (0, 1, 3))
    for name in names:
        (stack / name).write_bytes(synthetic_hdf5(LUXENDO, 2))
    claim = luxendo.FORMAT.claim(stack / names[0])
    assert (claim.format, claim.title, claim.tree) == ("luxendo", "2024-01-31_120000", "../..")
    found = luxendo.FORMAT.examine(stack, names)
    assert (found.sound, found.remarks) == (True, ("Cam_left: 1 time points below 3 have no file",))
    (stack / names[1]).write_bytes(synthetic_hdf5({"metadata": Data((1,))}, 2))
    assert luxendo.FORMAT.examine(stack, names).problems == (
        f"{names[1]}: unfinished: it holds no image yet (dataset Data)",
    )
    (tmp_path / "x_00000.lux.h5").write_bytes(synthetic_hdf5(LUXENDO))
    assert luxendo.FORMAT.claim(tmp_path / "x_00000.lux.h5").tree is None


@pytest.mark.timeout(60)
def test_a_list_that_leads_back_to_itself_ends(tmp_path: Path) -> None:
    data = bytearray(synthetic_hdf5({"a": {"b": Data()}}, 0))
    root = data.rfind(b"TREE\0\1")
    data[root + 32 : root + 40] = struct.pack("<Q", root)  # its only child is itself
    found = examined(tmp_path, "a.h5", bytes(data))
    assert found.sound is False
    header = synthetic_hdf5({}, 3)
    at = header.rfind(struct.pack("<B", 16) + struct.pack("<H", 16))
    loop = bytearray(header)
    block = loop.find(b"OCHK")
    loop[block + 4 : block + 8] = struct.pack("<BHB", 16, 16, 0)
    loop[block + 8 : block + 24] = struct.pack("<2Q", block, 28)
    assert at > 0
    assert examined(tmp_path, "b.h5", bytes(loop)).sound is False


@pytest.mark.timeout(60)
def test_absurd_counts_cost_nothing(tmp_path: Path) -> None:
    data = bytearray(synthetic_hdf5({"a": Data(chunks=3)}, 2))
    leaf = data.find(b"TREE\1\0")
    data[leaf + 6 : leaf + 8] = b"\xff\xff"
    wide = bytearray(synthetic_hdf5({"a": Data()}, 2))
    place = wide.find(b"\3\1")
    wide[place + 10 : place + 18] = struct.pack("<Q", NOWHERE)
    for raw in (data, wide):
        found = examined(tmp_path, "a.h5", bytes(raw))
        assert found.sound is False
        assert "cut off" in found.problems[0]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(noise=st.binary(max_size=300), form=st.sampled_from(sorted(FORMS)), at=st.integers(0, 10_000), cut=st.booleans())
def test_no_content_makes_it_crash(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, form: str, at: int, cut: bool
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    good = synthetic_hdf5({f"g{n}": VELOX for n in range(12)}, FORMS[form][0], dense=FORMS[form][1])
    at %= len(good)
    (folder / "mutated.emd").write_bytes(good[:at] + noise[:9] + (b"" if cut else good[at + len(noise[:9]) :]))
    (folder / "noise.emd").write_bytes(SIGNATURE + noise)
    for name in ("mutated.emd", "noise.emd"):
        for form_ in (FORMAT, emd.FORMAT, luxendo.FORMAT):
            form_.recognises(noise, name)
            form_.claim(folder / name)
            assert form_.examine(folder, (name,)).checked


def test_a_place_outside_of_the_file_is_damage(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(synthetic_hdf5(PLAIN))
    with (tmp_path / "a.h5").open("rb") as file:
        one = Hdf5(file)
        for place in (one.size - 3, NOWHERE):
            with pytest.raises(Unsound):
                one.links(place)


def examined(folder: Path, name: str, data: bytes) -> Examination:
    (folder / name).write_bytes(data)
    return FORMAT.examine(folder, (name,))
