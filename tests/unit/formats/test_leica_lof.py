"""Leica LOF. There is no real file to test with: these are synthetic, built from the published layout."""

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats.base import Examination
from watcher.formats.leica import LeicaXml
from watcher.formats.lof import FORMAT

XML = (
    '<LMSDataContainerHeader Version="2"><Element Name="Series001"><Data><Image><ImageDescription><Dimensions>'
    '<DimensionDescription DimID="1" NumberOfElements="6"/><DimensionDescription DimID="2" NumberOfElements="5"/>'
    '</Dimensions></ImageDescription></Image></Data><Memory Size="30" MemoryBlockID="MemBlock_1"/></Element>'
    "</LMSDataContainerHeader>"
)
OLD = "<Data><Image><ImageDescription/></Image></Data>"


def text_block(text: str) -> bytes:
    data = text.encode("utf-16-le")
    return struct.pack("<IIBI", 0x70, len(data) + 5, 0x2A, len(data) // 2) + data


def synthetic_lof(*, length: int = 30, said: int | None = None, xml: str = XML) -> bytes:
    """One image, as in openreadout's docs/formats/lif.md."""
    numbers = struct.pack("<BIBIBQ", 0x2A, 2, 0x2A, 0, 0x2A, length if said is None else said)
    return text_block("LMS_Object_File") + numbers + b"\x01" * length + text_block(xml)


def examined(path: Path, data: bytes) -> Examination:
    path.write_bytes(data)
    return FORMAT.examine(path.parent, (path.name,))


@pytest.mark.parametrize("xml", [XML, OLD])
@pytest.mark.parametrize("name", ["a.lof", "my scan [2] #5 100%.lof", "überblick.LOF", "noextension"])
def test_a_file_is_known_claimed_and_sound(tmp_path: Path, name: str, xml: str) -> None:
    data = synthetic_lof(xml=xml)
    found = examined(tmp_path / name, data)
    assert FORMAT.recognises(data[:1024], name)
    assert FORMAT.claim(tmp_path / name).lists == (name,)
    assert (found.sound, found.problems, found.remarks) == (True, (), ())


def test_it_says_what_was_imaged(tmp_path: Path) -> None:
    found = examined(tmp_path / "a.lof", synthetic_lof())
    assert found.metadata == {"size": "6x5x1x1x1"}
    assert found.sources == {"size": "DimensionDescription@NumberOfElements"}


@pytest.mark.parametrize("size", range(0, len(synthetic_lof()), 41))
def test_a_file_that_was_cut_anywhere_is_not_sound(tmp_path: Path, size: int) -> None:
    found = examined(tmp_path / "a.lof", synthetic_lof()[:size])
    assert found.sound is False
    assert found.problems[0].startswith(("a.lof: cut off: ", "a.lof: unfinished: "))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (synthetic_lof()[:-1], "cut off: its description (XML) should end at byte 787, the file has 786"),
        (synthetic_lof()[:60], "cut off: its header should end at byte 62, the file has 60"),
        (synthetic_lof()[:70], "cut off: its image data should end at byte 92, the file has 70"),
        (synthetic_lof()[:92], "unfinished: its description (XML), which is written last, is not there yet"),
        (synthetic_lof()[:92] + bytes(500), "unfinished: its description (XML) has not been written yet"),
        (synthetic_lof()[:300].ljust(787, b"\0"), "its description (XML) is cut off or damaged near line 1"),
        (synthetic_lof(said=29), "damaged: its description (XML) does not begin as it should"),
        (synthetic_lof(said=2**64 - 1), f"cut off: its image data should end at byte {2**64 + 61}, the file has 787"),
        (synthetic_lof(length=20), "incomplete: its description (XML) speaks of 30 bytes of image data, it has 20"),
        (synthetic_lof(xml="<OME/>"), "damaged: its description (XML) is of another kind of document"),
        (synthetic_lof(xml="<Data>" * 200), "damaged: its description (XML) is nested more than 100 levels deep"),
        (synthetic_lof(xml='<!DOCTYPE a [<!ENTITY b "c">]><a/>'), "defines a document type or entities"),
    ],
)
def test_damage_is_told_in_words(tmp_path: Path, data: bytes, says: str) -> None:
    found = examined(tmp_path / "a.lof", data)
    assert found.sound is False
    assert says in found.problems[0]
    assert found.problems[0].startswith("a.lof: ")


def test_what_follows_the_description_is_remarked_on(tmp_path: Path) -> None:
    found = examined(tmp_path / "a.lof", synthetic_lof() + bytes(9))
    assert found.sound
    assert found.remarks == ("a.lof: 9 bytes follow its description, and were not looked at",)


def test_a_member_that_is_gone_is_missing_and_a_folder_that_is_gone_an_os_error(tmp_path: Path) -> None:
    assert FORMAT.examine(tmp_path, ("a.lof",)).missing == ("a.lof",)
    with pytest.raises(FileNotFoundError):
        FORMAT.examine(tmp_path / "gone", ("a.lof",))


def test_old_and_new_kinds_of_times_and_lenses_are_read() -> None:
    """LAS AF keeps them elsewhere than LAS X (openreadout, lif.md, "Acquisition metadata")."""
    xml = LeicaXml()
    ticks = 116444736000000000 + 1_700_000_000 * 10_000_000
    halves = {"HighInteger": str(ticks >> 32), "LowInteger": str(ticks & 0xFFFFFFFF)}
    xml.start(["TimeStamp"], halves)
    xml.start(["FilterSettingRecord"], {"Attribute": "Objective", "Variant": "HCX PL APO 63.0x1.40 OIL"})
    xml.start(["ScannerSettingRecord"], {"Identifier": "SystemType", "Variant": "TCS SP5"})
    xml.start(["A"], {"UserManagementUserName": "UserManagementFeatureInactive"})
    assert xml.metadata() == {
        "acquired": "2023-11-14T22:13:20.000+00:00",
        "objective": "HCX PL APO 63.0x1.40 OIL",
        "instrument": "TCS SP5",
    }


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.binary(max_size=300), changes=st.dictionaries(st.integers(0, 900), st.integers(0, 255), max_size=8))
def test_no_content_raises(data: bytes, changes: dict[int, int], tmp_path_factory: pytest.TempPathFactory) -> None:
    whole = bytearray(synthetic_lof())
    for at, value in changes.items():
        whole[at % len(whole)] = value
    path = tmp_path_factory.mktemp("fuzz") / "a.lof"
    for content in (data, synthetic_lof()[:62] + data, bytes(whole)):
        path.write_bytes(content)
        FORMAT.recognises(content[:1024], "a.lof")
        assert FORMAT.claim(path).lists == ("a.lof",)
        found = FORMAT.examine(path.parent, ("a.lof",))
        assert found.sound or found.problems or found.checked.startswith("unchecked: ")
