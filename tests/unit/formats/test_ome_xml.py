"""Reading OME-XML: what it says of files and images, what is refused, and that no text can break it."""

import tracemalloc
from collections.abc import Iterator
from itertools import repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats.ome_xml import Ome, looks_like, read

RICH = """<?xml version="1.0" encoding="UTF-8"?>
<ome:OME xmlns:ome="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:1" Creator="Scope 5.1">
  <ome:Experimenter ID="E:0" FirstName="Marie" LastName="Muster"/>
  <ome:Instrument ID="I:0"><ome:Microscope Manufacturer="Zeiss" Model="LSM 980"/>
    <ome:Objective ID="O:0" Manufacturer="Zeiss" Model="Plan-Apochromat" NominalMagnification="63" LensNA="1.4"/>
  </ome:Instrument>
  <ome:Image ID="Image:0"><ome:AcquisitionDate>2026-02-03T04:05:06</ome:AcquisitionDate>
    <ome:Pixels SizeX="512" SizeY="256" SizeZ="5" SizeC="2" SizeT="1"
        PhysicalSizeX="100" PhysicalSizeXUnit="nm" PhysicalSizeY="0.1" PhysicalSizeZ="0.0005" PhysicalSizeZUnit="mm">
      <ome:Channel Name="DAPI"/><ome:Channel Fluor="GFP"/>
      <ome:TiffData IFD="0" PlaneCount="6"><ome:UUID FileName="a.ome.tif">urn:uuid:1</ome:UUID></ome:TiffData>
      <ome:TiffData IFD="2" PlaneCount="4"><ome:UUID FileName="b.ome.tif">urn:uuid:2</ome:UUID></ome:TiffData>
    </ome:Pixels></ome:Image></ome:OME>"""


def said(text: str | bytes) -> Ome:
    return read([text.encode() if isinstance(text, str) else text])


def pixels(inside: str, sizes: str = 'SizeZ="3" SizeC="1" SizeT="1"') -> Ome:
    return said(f"<OME><Image><Pixels {sizes}>{inside}</Pixels></Image></OME>")


def test_files_and_their_pages_are_told() -> None:
    found = said(RICH)
    assert found.problems == ()
    assert found.uuid == "urn:uuid:1"
    assert {name: (file.uuid, file.pages) for name, file in found.files.items()} == {
        "a.ome.tif": ("urn:uuid:1", 6),
        "b.ome.tif": ("urn:uuid:2", 6),
    }


def test_what_was_imaged_is_told() -> None:
    assert said(RICH).metadata == {
        "acquired": "2026-02-03T04:05:06",
        "instrument": "Zeiss LSM 980",
        "objective": "Zeiss Plan-Apochromat 63x/1.4",
        "channels": "DAPI, GFP",
        "size": "512x256x5x2x1",
        "pixel_size_um": "0.1x0.1x0.5",
        "software": "Scope 5.1",
        "experimenter": "Marie Muster",
    }


def test_only_what_is_there_is_told() -> None:
    assert said("<OME/>").metadata == {}
    assert "pixel_size_um" not in pixels("", 'PhysicalSizeX="3" PhysicalSizeXUnit="pixel"').metadata


def test_it_may_come_in_any_pieces() -> None:
    data = RICH.encode()
    assert read(data[at : at + 1] for at in range(len(data))) == said(RICH)


@pytest.mark.parametrize(
    ("blocks", "pages"),
    [
        ("<TiffData/>", 3),
        ('<TiffData PlaneCount="3"/>', 3),
        ('<TiffData IFD="0"/><TiffData IFD="1"/><TiffData IFD="2"/>', 3),
        ('<TiffData IFD="4" PlaneCount="3"/>', 7),
    ],
)
def test_planes_are_counted_with_the_defaults_of_the_specification(blocks: str, pages: int) -> None:
    found = pixels(blocks)
    assert found.problems == ()
    assert found.files[""].pages == pages


def test_the_samples_of_a_colour_channel_share_a_plane() -> None:
    colour = 'SizeZ="1" SizeC="3" SizeT="2"'
    found = pixels('<Channel SamplesPerPixel="3"/><TiffData/>', colour)
    assert (found.files[""].pages, found.problems) == (2, ())


def test_planes_that_no_file_holds_are_a_problem() -> None:
    assert pixels('<TiffData IFD="0" PlaneCount="2"/>').problems == ("the OME-XML lists 2 of the 3 planes of image 1",)


@pytest.mark.parametrize("number", ["-1", "many", "9" * 5000, "1e3", "²"])
def test_a_senseless_number_is_a_problem(number: str) -> None:
    assert "PlaneCount" in pixels(f'<TiffData PlaneCount="{number}"/>').problems[0]


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "text",
    [
        f'<!DOCTYPE OME [<!ENTITY l0 "ha">{LAUGHS}]><OME Creator="&l9;"/>',
        '<!DOCTYPE OME [<!ENTITY x SYSTEM "file:///etc/passwd">]><OME><Image>&x;</Image></OME>',
        '<!DOCTYPE OME SYSTEM "http://127.0.0.1:1/evil.dtd"><OME/>',
        '<!DOCTYPE OME [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]><OME/>',
    ],
)
def test_entities_and_document_types_are_refused_and_said(text: str) -> None:
    found = said(text)
    assert "entities" in found.problems[0]
    assert found.metadata == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (RICH[:-10], "cut off or damaged"),
        ("", "cut off or damaged"),
        ("<OME><Image></OME>", "cut off or damaged"),
        ('<?xml version="1.0" encoding="klingon"?><OME/>', "cut off or damaged"),
        ("<html/>", "not OME-XML"),
        ("<OME>" + "<a>" * 100, "nested"),
    ],
)
def test_what_is_no_ome_xml_is_said(text: str, says: str) -> None:
    assert says in said(text).problems[0]


def test_a_person_is_in_no_problem_text() -> None:
    cut = said(RICH.replace("Muster", "Muster<")[:-200])
    assert cut.problems
    assert "Must" not in "".join(cut.problems)
    doubled = RICH.replace("PlaneCount", 'Experimenter="Muster" PlaneCount').replace('"6"', '"five"')
    assert said(doubled).problems
    assert "Must" not in "".join(said(doubled).problems)


@pytest.mark.parametrize(
    ("piece", "says"), [(b"<Image/>" * 1000, "more than 1000000 elements"), (b"x" * (1 << 20), "longer than")]
)
def test_a_document_without_end_is_read_in_bounds(piece: bytes, says: str) -> None:
    def endless() -> Iterator[bytes]:
        yield b"<OME>"
        yield from repeat(piece)

    tracemalloc.start()
    found = read(endless())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert says in found.problems[0]
    assert peak < 50 << 20


def test_a_list_of_too_many_files_is_refused() -> None:
    blocks = "".join(f'<TiffData IFD="0"><UUID FileName="{n}.tif">u</UUID></TiffData>' for n in range(100_001))
    assert "more than 100000 files" in pixels(blocks).problems[0]


def test_the_identifier_alone_can_be_asked_for() -> None:
    def first_line_only() -> Iterator[bytes]:
        yield b'<OME UUID="urn:uuid:7"><Image ID="0">'
        raise AssertionError("read further than needed")

    assert read(first_line_only(), only_uuid=True).uuid == "urn:uuid:7"
    binary = read([b'<OME UUID="a"><BinaryOnly MetadataFile="x.companion.ome" UUID="b"/></OME>'], only_uuid=True)
    assert (binary.uuid, binary.companion, binary.companion_uuid) == ("a", "x.companion.ome", "b")


@pytest.mark.parametrize(
    ("opening", "is_ome"),
    [
        (RICH.encode(), True),
        (b"\xef\xbb\xbf<OME>", True),
        (b"<?xml version='1.0'?><!-- Warning: this comment is an OME-XML metadata block, which", True),
        (b"<MetaData></MetaData>", False),
        (b"ImageJ=1.53 <OME>", False),
        (b"<HOME>", False),
        (b"", False),
    ],
)
def test_ome_xml_is_told_from_other_texts(opening: bytes, is_ome: bool) -> None:
    assert looks_like(opening) is is_ome


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_never_crash_the_reader(data: bytes) -> None:
    assert said(data).problems


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(RICH) - 1), st.characters()), min_size=1, max_size=5))
def test_a_document_with_wrong_letters_never_crashes_the_reader(changes: list[tuple[int, str]]) -> None:
    text = list(RICH)
    for at, letter in changes:
        text[at] = letter
    found = said("".join(text).encode("utf-8", "replace"))
    assert all(isinstance(problem, str) for problem in found.problems)
    assert all(len(value) <= 500 for value in found.metadata.values())
