"""Imaris: one real file (small, without channel descriptions), the rest synthetic."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.formats.synthetic_hdf5 import Data, Tree, synthetic_hdf5
from watcher.formats.base import Examination
from watcher.formats.ims import FORMAT

REAL = "ims/Minimal_IMS_File.ims"
IMAGE: Tree = {
    "@X": "40", "@Y": "20", "@Z": "10", "@Unit": "um", "@RecordingDate": "2021-03-04 05:06:07.250",
    "@ExtMin0": "0", "@ExtMax0": "20", "@ExtMin1": "-5", "@ExtMax1": "5", "@ExtMin2": "0", "@ExtMax2": "30",
    "@LensPower": "20", "@NumericalAperture": "0.8",
}  # fmt: skip


def synthetic_ims(times: int = 2, channels: int = 2, levels: int = 2, **changes: object) -> dict[str, object]:
    """The groups of an Imaris file, as in "Imaris file format 5.5"."""
    data = {
        f"ResolutionLevel {level}": {
            f"TimePoint {at}": {f"Channel {one}": {"Data": Data((10, 20, 40), chunks=2)} for one in range(channels)}
            for at in range(times)
        }
        for level in range(levels)
    }
    info = {
        "Image": IMAGE,
        "TimeInfo": {"@FileTimePoints": str(times)},
        "Imaris": {"@Version": "9.9"},
        **{f"Channel {one}": {"@Name": f"Dye {one}"} for one in range(channels)},
    }
    return {"@ImarisDataSet": "ImarisDataSet", "DataSet": data, "DataSetInfo": info, **changes}


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one byte short": lambda data: data[:-1],
    "half": lambda data: data[: len(data) // 2],
    "only the header": lambda data: data[:96],
    "tail of zeros": lambda data: data[: len(data) * 3 // 4].ljust(len(data), b"\0"),
    "empty": lambda _: b"",
    "grown": lambda data: data + bytes(100),
}
CANNOT_TELL = {"tail of zeros": "the last quarter of the real file is compressed pixels, which are not read"}


@pytest.mark.samples
def test_the_real_file_is_recognised_claimed_and_sound(samples: Path) -> None:
    path = samples / REAL
    assert FORMAT.recognises(path.read_bytes()[:1024], path.name)
    claim = FORMAT.claim(path)
    assert (claim.format, claim.lists, claim.title) == ("ims", (path.name,), "Minimal_IMS_File")
    found = FORMAT.examine(path.parent, (path.name,))
    assert (found.sound, found.problems, found.checked) == (True, (), "ims:hdf5-groups")


@pytest.mark.samples
@pytest.mark.parametrize("damage", DAMAGES)
def test_the_real_file_damaged_is_not_sound(samples: Path, tmp_path: Path, damage: str) -> None:
    found = examined(tmp_path, DAMAGES[damage]((samples / REAL).read_bytes()))
    assert found.sound is (damage in CANNOT_TELL)
    assert all(problem.startswith("a.ims: ") for problem in found.problems)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(("version", "dense"), [(0, False), (2, False), (3, True)])
def test_a_synthetic_file_damaged_is_not_sound(tmp_path: Path, version: int, dense: bool, damage: str) -> None:
    good = synthetic_hdf5(synthetic_ims(), version, dense=dense)
    assert examined(tmp_path, good).sound
    assert examined(tmp_path, DAMAGES[damage](good)).sound is False


def test_it_tells_what_the_file_says_of_itself(tmp_path: Path) -> None:
    found = examined(tmp_path, synthetic_hdf5(synthetic_ims(), 2))
    assert found.metadata == {
        "acquired": "2021-03-04T05:06:07.25",
        "objective": "20x/0.8",
        "size": "40x20x10x2x2",
        "pixel_size_um": "0.5x0.5x3",
        "channels": "Dye 0, Dye 1",
        "software": "Imaris 9.9",
    }
    assert found.sources["acquired"] == "DataSetInfo/Image/RecordingDate"
    assert found.sources.keys() == found.metadata.keys()


def test_a_time_lapse_of_many_points_is_followed_to_its_end(tmp_path: Path) -> None:
    assert examined(tmp_path, synthetic_hdf5(synthetic_ims(times=120, levels=1), 3, dense=True)).sound


def test_the_description_is_written_last(tmp_path: Path) -> None:
    whole = synthetic_ims()
    del whole["DataSetInfo"]
    assert examined(tmp_path, synthetic_hdf5(whole)).problems == (
        "a.ims: unfinished: its description, which Imaris writes last, is not there (group DataSetInfo)",
    )
    assert "unfinished" in examined(tmp_path, synthetic_hdf5(synthetic_ims(DataSetInfo={}))).problems[0]
    assert "unfinished" in examined(tmp_path, synthetic_hdf5(synthetic_ims(DataSet={}))).problems[0]
    lacks = examined(tmp_path, synthetic_hdf5(synthetic_ims(DataSetInfo={"Image": IMAGE, "Channel 0": {}})))
    assert "describes 1 of its 2 channels" in lacks.problems[0]


def test_what_is_missing_in_the_image_is_named(tmp_path: Path) -> None:
    point = {"Channel 0": {"Data": Data()}, "Channel 1": {"Data": Data()}}
    cases: dict[str, Tree] = {
        "has no TimePoint 1, but a later one": {"ResolutionLevel 0": {"TimePoint 0": point, "TimePoint 2": point}},
        "1 of 2 channels at time point 1": {
            "ResolutionLevel 0": {"TimePoint 0": point, "TimePoint 1": {"Channel 0": {"Data": Data()}}}
        },
        "channel 1 are not there": {
            "ResolutionLevel 0": {"TimePoint 0": {**point, "Channel 1": {}}, "TimePoint 1": point}
        },
        "resolution level 1 has 1 time points": {
            "ResolutionLevel 0": {"TimePoint 0": point, "TimePoint 1": point},
            "ResolutionLevel 1": {"TimePoint 0": point},
        },
        "1 of the 2 time points": {"ResolutionLevel 0": {"TimePoint 0": point}},
        "have no three sizes": {"ResolutionLevel 0": {"TimePoint 0": {"Channel 0": {"Data": Data((4,))}}}},
    }
    for words, data in cases.items():
        found = examined(tmp_path, synthetic_hdf5(synthetic_ims(DataSet=data), 2))
        assert found.sound is False
        assert any(words in problem for problem in found.problems), (words, found.problems)


def test_a_chunk_outside_of_the_file_is_found(tmp_path: Path) -> None:
    data = bytearray(synthetic_hdf5(synthetic_ims(), 0))
    leaf = data.find(b"TREE\1\0")
    data[leaf + 24 : leaf + 28] = struct.pack("<I", 1 << 30)
    found = examined(tmp_path, bytes(data))
    assert found.problems[0].startswith("a.ims: cut off: the data of resolution level 0, time point 0, channel 0 ")


def test_other_hdf5_with_its_name_is_not_claimed(tmp_path: Path) -> None:
    (tmp_path / "a.ims").write_bytes(synthetic_hdf5({"other": Data()}))
    assert FORMAT.claim(tmp_path / "a.ims").format == "hdf5"


@pytest.mark.parametrize("name", ["a b [1].ims", "100%#1.ims", "Zellkörper µ.ims"])
def test_names_of_any_kind(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(synthetic_hdf5(synthetic_ims(levels=1)))
    assert FORMAT.claim(tmp_path / name).lists == (name,)
    assert FORMAT.examine(tmp_path, (name,)).sound


@pytest.mark.timeout(60)
def test_more_than_any_real_file_holds_is_bounded(tmp_path: Path) -> None:
    shared = {f"Channel {one}": {"Data": Data()} for one in range(60)}
    data = synthetic_hdf5(synthetic_ims(DataSet={"ResolutionLevel 0": {f"TimePoint {at}": shared for at in range(40)}}))
    assert examined(tmp_path, data).sound is False  # fewer channels are described
    bomb = bytearray(data)
    for at in range(len(bomb)):
        if bomb[at : at + 4] == b"SNOD":
            bomb[at + 6 : at + 8] = b"\xff\xff"
    assert examined(tmp_path, bytes(bomb)).sound is False


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    noise=st.binary(max_size=200), at=st.integers(0, 40_000), form=st.sampled_from([(0, False), (3, False), (3, True)])
)
def test_no_content_makes_it_crash(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int, form: tuple[int, bool]
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    good = synthetic_hdf5(synthetic_ims(times=10, levels=1), form[0], dense=form[1])
    at %= len(good)
    FORMAT.recognises(noise, "a.ims")
    for data in (noise, good[:at] + noise[:8] + good[at + len(noise[:8]) :]):
        (folder / "a.ims").write_bytes(data)
        assert FORMAT.claim(folder / "a.ims").lists == ("a.ims",)
        assert FORMAT.examine(folder, ("a.ims",)).sound in (True, False, None)


def examined(folder: Path, data: bytes) -> Examination:
    (folder / "a.ims").write_bytes(data)
    return FORMAT.examine(folder, ("a.ims",))
