"""Leica LIF and LIFEXT. There is no real file to test with: these are synthetic, built from the published layout."""

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats.base import Examination
from watcher.formats.leica import MAX_LISTED
from watcher.formats.lif import FORMAT, MAX_BLOCKS

IMAGES = {"MemBlock_1": ("Series001", 24), "MemBlock_2": ("Series 002 (γ)", 60)}
DESCRIPTION = """<Data><Image><ImageDescription><Channels>
<ChannelDescription Resolution="8" LUTName="Green"/><ChannelDescription Resolution="8" LUTName="Red"/></Channels>
<Dimensions><DimensionDescription DimID="1" NumberOfElements="5" Length="4e-06" Unit="m"/>
<DimensionDescription DimID="2" NumberOfElements="3" Length="2e-06" Unit="m"/>
<DimensionDescription DimID="3" NumberOfElements="2" Length="-1e-06" Unit="m"/></Dimensions></ImageDescription>
<TimeStampList NumberOfTimeStamps="2">1da1747c66d0000 1da1747c7059680</TimeStampList>
<Attachment Name="HardwareSetting" Software="LAS X 3.5.7.23225" SystemTypeName="TCS SP8">
<ATLConfocalSettingDefinition ObjectiveName="HC PL APO CS2  10x/0.40 DRY " Magnification="10"
 NumericalAperture="0.4" UserManagementUserName="ada" IsSavedFlag="0"/></Attachment></Image></Data>"""


def text_block(text: str) -> bytes:
    data = text.encode("utf-16-le")
    return struct.pack("<IIBI", 0x70, len(data) + 5, 0x2A, len(data) // 2) + data


def listing(images: dict[str, tuple[str, int]], root: str = "LMSDataContainerHeader") -> str:
    elements = "".join(
        f'<Element Name="{name}">{DESCRIPTION}<Memory Size="{size}" MemoryBlockID="{block}"/></Element>'
        for block, (name, size) in images.items()
    )
    folder = f'<Element Name="Project"><Memory Size="0" MemoryBlockID="MemBlock_0"/><Children>{elements}</Children>'
    return f'<{root} Version="2">{folder}</Element></{root}>'


def memory_block(identifier: str, size: int, *, version: int = 2) -> bytes:
    name = identifier.encode("utf-16-le")
    fixed = struct.pack("<BQBI" if version == 2 else "<BIBI", 0x2A, size, 0x2A, len(name) // 2)
    return struct.pack("<II", 0x70, len(fixed) + len(name)) + fixed + name + b"\x01" * size


def synthetic_lif(*, version: int = 2, xml: str = "", root: str = "LMSDataContainerHeader") -> bytes:
    """A project of two images, as in openreadout's docs/formats/lif.md."""
    blocks = {"MemBlock_0": 0} | {block: size for block, (_, size) in IMAGES.items()}
    data = b"".join(memory_block(block, size, version=version) for block, size in blocks.items())
    return text_block(xml or listing(IMAGES, root)) + data


def examined(path: Path, data: bytes) -> Examination:
    path.write_bytes(data)
    return FORMAT.examine(path.parent, (path.name,))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    "name", ["a.lif", "my scan [2] #5 100%.lif", "überblick.lif", "noextension", "long" * 62 + ".lif"]
)
def test_a_project_is_known_claimed_and_sound(tmp_path: Path, name: str, version: int) -> None:
    data = synthetic_lif(version=version)
    found = examined(tmp_path / name, data)
    assert FORMAT.recognises(data[:1024], name)
    assert (FORMAT.claim(tmp_path / name).lists, FORMAT.claim(tmp_path / name).title) == ((name,), Path(name).stem)
    assert (found.sound, found.problems, found.checked) == (True, (), "lif:blocks+list")


def test_it_says_what_was_imaged(tmp_path: Path) -> None:
    found = examined(tmp_path / "a.lif", synthetic_lif())
    assert found.metadata == {
        "acquired": "2023-11-14T22:13:20.000+00:00",
        "instrument": "TCS SP8",
        "objective": "HC PL APO CS2 10x/0.40 DRY 10x/0.4",
        "channels": "Green, Red",
        "size": "5x3x2x2x1",
        "pixel_size_um": "1x1x1",
        "software": "LAS X 3.5.7.23225",
        "experimenter": "ada",
    }
    assert found.sources.keys() == found.metadata.keys()


@pytest.mark.parametrize("size", [0, 8, 14, 400, *range(500, len(synthetic_lif()), 173)])
def test_a_project_that_was_cut_anywhere_is_not_sound(tmp_path: Path, size: int) -> None:
    found = examined(tmp_path / "a.lif", synthetic_lif()[:size])
    assert found.sound is False
    assert found.problems[0].startswith(("a.lif: cut off: ", "a.lif: unfinished: "))
    assert "ada" not in found.problems[0]


def test_damage_is_told_in_words(tmp_path: Path) -> None:
    whole = synthetic_lif()
    size = len(whole)
    assert examined(tmp_path / "a.lif", whole[:-1]).problems == (
        f"a.lif: cut off: the data of image 'Series 002 (γ)' should end at byte {size}, the file has {size - 1}",
    )
    last = len(memory_block("MemBlock_2", 60))
    assert examined(tmp_path / "a.lif", whole[:-last]).problems == (
        "a.lif: unfinished: 1 of the 2 images that it lists are not in the file yet, the first is 'Series 002 (γ)'",
    )
    zeros = whole[:-last].ljust(size, b"\0")
    assert examined(tmp_path / "a.lif", zeros).problems == (
        f"a.lif: unfinished: from byte {size - last} on nothing has been written yet",
    )
    wrong = whole[:-last] + memory_block("MemBlock_2", 59)
    assert examined(tmp_path / "a.lif", wrong).problems == (
        "a.lif: damaged: image 'Series 002 (γ)' should have 60 bytes, and has 59",
    )
    garbled = whole[:-last] + b"garbage that is no block at all"
    assert examined(tmp_path / "a.lif", garbled).problems == (
        f"a.lif: damaged: at byte {size - last} no block begins, as one should",
    )


def test_a_zeroed_tail_inside_the_pixels_of_the_last_image_cannot_be_told(tmp_path: Path) -> None:
    """Black pixels are legal. Whoever makes this detectable removes this test."""
    assert examined(tmp_path / "a.lif", synthetic_lif()[:-50] + bytes(50)).sound


def test_a_project_that_is_saved_again_is_unfinished_and_then_sound(tmp_path: Path) -> None:
    more = {**IMAGES, "MemBlock_3": ("Series003", 10)}
    blocks = {"MemBlock_0": 0} | {block: size for block, (_, size) in more.items()}
    whole = text_block(listing(more)) + b"".join(memory_block(*block) for block in blocks.items())
    assert examined(tmp_path / "a.lif", synthetic_lif()).sound
    assert examined(tmp_path / "a.lif", whole[: len(whole) // 2]).sound is False
    assert examined(tmp_path / "a.lif", whole).sound


def test_a_sidecar_and_its_project_are_one_set(tmp_path: Path) -> None:
    sidecar = synthetic_lif(root="LMSDataContainerEnhancedHeader")
    (tmp_path / "a b.lifext").write_bytes(sidecar)
    assert FORMAT.recognises(sidecar[:1024], "a b.lifext")
    alone = FORMAT.claim(tmp_path / "a b.lifext")
    assert alone.remarks == ("a b.lifext: the project that it belongs to is not beside it",)
    (tmp_path / "a b.lif").write_bytes(synthetic_lif())
    names = ("a b.lif", "a b.lifext")
    for name in names:
        claim = FORMAT.claim(tmp_path / name)
        assert (sorted(claim.lists), claim.title, claim.remarks) == (list(names), "a b", ())
    assert FORMAT.examine(tmp_path, names).sound
    (tmp_path / "a b.lifext").write_bytes(sidecar[:-1])
    assert FORMAT.examine(tmp_path, names).problems[0].startswith("a b.lifext: cut off")


def test_a_member_that_is_gone_is_missing_and_a_folder_that_is_gone_an_os_error(tmp_path: Path) -> None:
    assert FORMAT.examine(tmp_path, ("a.lif",)).missing == ("a.lif",)
    with pytest.raises(FileNotFoundError):
        FORMAT.examine(tmp_path / "gone", ("a.lif",))


@pytest.mark.parametrize("data", [b"", b"p\0\0\0", text_block("LMS_Object_File"), text_block("<OME/>"), b"<LMSData"])
def test_other_files_are_not_projects(data: bytes) -> None:
    assert not FORMAT.recognises(data, "a.lif")


@pytest.mark.parametrize(
    ("xml", "says"),
    [
        ('<!DOCTYPE a [<!ENTITY b "ada">]><LMSDataContainerHeader>&b;</LMSDataContainerHeader>', "document type"),
        ("<LMSDataContainerHeader>" + "<Element>" * 200, "nested more than"),
        ("<LMSDataContainerHeader><Element Name='ada'", "cut off or damaged near line 1"),
        ("<Other/>", "another kind of document"),
    ],
)
def test_bad_xml_is_a_sentence_that_names_nobody(tmp_path: Path, xml: str, says: str) -> None:
    found = examined(tmp_path / "a.lif", synthetic_lif(xml=xml))
    assert found.sound is False
    assert says in found.problems[0]
    assert "ada" not in found.problems[0]


@pytest.mark.timeout(60)
def test_absurd_numbers_of_blocks_cost_little_and_are_not_vouched_for(tmp_path: Path) -> None:
    many = "".join(f'<Memory Size="1" MemoryBlockID="{number}"/>' for number in range(MAX_LISTED + 1))
    blocks = memory_block("", 0) * (MAX_BLOCKS + 1)
    found = examined(tmp_path / "a.lif", text_block(listing(IMAGES)) + blocks)
    assert found.sound is None
    assert "more than 100000 blocks" in found.checked
    xml = f"<LMSDataContainerHeader>{many}</LMSDataContainerHeader>"
    found = examined(tmp_path / "a.lif", synthetic_lif(xml=xml))
    assert found.sound is None
    assert "lists more than 100000 parts" in found.checked


def test_an_absurd_length_is_only_compared_with_the_file(tmp_path: Path) -> None:
    data = text_block(listing(IMAGES)) + memory_block("MemBlock_1", 0).replace(bytes(8), b"\xff" * 8, 1)
    assert f"should end at byte {len(data) + 2**64 - 1}" in examined(tmp_path / "a.lif", data).problems[0]
    data = struct.pack("<IIBI", 0x70, 0xFFFFFFFF, 0x2A, 0x7FFFFFFD) + b"<\0L\0"
    assert "cut off: the list of its images" in examined(tmp_path / "a.lif", data).problems[0]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.binary(max_size=300), changes=st.dictionaries(st.integers(0, 9000), st.integers(0, 255), max_size=8))
def test_no_content_raises(data: bytes, changes: dict[int, int], tmp_path_factory: pytest.TempPathFactory) -> None:
    whole = bytearray(synthetic_lif())
    for at, value in changes.items():
        whole[at % len(whole)] = value
    path = tmp_path_factory.mktemp("fuzz") / "a.lif"
    for content in (data, text_block(listing(IMAGES)) + data, bytes(whole)):
        path.write_bytes(content)
        FORMAT.recognises(content[:1024], "a.lif")
        assert FORMAT.claim(path).lists == ("a.lif",)
        found = FORMAT.examine(path.parent, ("a.lif",))
        assert found.sound or found.problems or found.checked.startswith("unchecked: ")
