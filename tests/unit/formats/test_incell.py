"""IN Cell Analyzer plates. No real file could be had: all here are synthetic, after Bio-Formats' InCellReader."""

from collections.abc import Callable, Iterable
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats.incell import FORMAT

ODD = ["A - 1(fld 1 wv DAPI).tif", "[x] #1 100%.tif", "é µ.tif", 'a&"b.tif']

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one byte short": lambda data: data[:-1],
    "half": lambda data: data[: len(data) // 2],
    "only the header": lambda data: data[:60],
    "tail of zeros": lambda data: data[: len(data) * 3 // 4].ljust(len(data), b"\0"),
    "empty": lambda _: b"",
}


def synthetic_incell(folder: Path, names: Iterable[str]) -> Path:
    """A list as Bio-Formats reads it, in the encoding that these have; labelled synthetic."""
    path = folder / "plate.xdce"
    text = '<?xml version="1.0" encoding="ISO-8859-1" standalone="no"?>\n<ImageStack>\n'
    text += '<Application name="IN Cell Analyzer 2000" software_version="3.0.0.5"/><Creation date="2010-11-17" '
    text += 'time="20:23:53"/><Operator login="jane"/><Computer name="PC-7"/><AutoLeadAcquisitionProtocol>'
    text += '<ObjectiveCalibration magnification="20.0" numerical_aperture="0.45" objective_name="Nikon 20X/0.45" '
    text += 'pixel_width="0.37" pixel_height="0.37"/></AutoLeadAcquisitionProtocol><Images>'
    images = (
        f"<Image acquisition_time_ms='3' filename={quoteattr(name)}><Identifier z_index='0'/></Image>" for name in names
    )
    path.write_bytes(f"{text}{''.join(images)}</Images></ImageStack>".encode("latin-1"))
    return path


def test_a_plate_is_its_folder_and_says_what_it_is(tmp_path: Path) -> None:
    path = synthetic_incell(tmp_path, ODD)
    for name in ODD:
        (tmp_path / name).touch()
    assert FORMAT.recognises(path.read_bytes()[:1024], path.name)
    assert (FORMAT.claim(path).lists, FORMAT.claim(path).tree) == ((path.name,), ".")
    found = FORMAT.examine(tmp_path, (path.name,))
    assert (found.sound, found.problems, found.missing) == (True, (), ())
    assert found.metadata == {
        "acquired": "2010-11-17T20:23:53",
        "instrument": "IN Cell Analyzer 2000",
        "software": "3.0.0.5",
        "objective": "Nikon 20X/0.45",
        "pixel_size_um": "0.37x0.37",
        "experimenter": "jane",
        "computer": "PC-7",
    }
    assert found.sources.keys() == found.metadata.keys()


def test_an_image_that_is_not_there_is_missing(tmp_path: Path) -> None:
    path = synthetic_incell(tmp_path, ["a.tif", "b.tif", "../c.tif"])
    (tmp_path / "a.tif").touch()
    found = FORMAT.examine(tmp_path, (path.name,))
    assert (found.sound, found.missing) == (False, ("b.tif",))
    assert found.problems == (
        "b.tif: missing, plate.xdce lists it",
        "plate.xdce: names 1 files outside of its folder, which are left out",
    )


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_list_is_not_sound(tmp_path: Path, damage: str) -> None:
    path = synthetic_incell(tmp_path, ["a.tif"])
    (tmp_path / "a.tif").touch()
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    found = FORMAT.examine(tmp_path, (path.name,))
    assert found.sound is False
    assert found.problems[0].startswith("plate.xdce: unfinished: ")


def test_a_list_without_images_or_with_entities_is_a_finding(tmp_path: Path) -> None:
    path = synthetic_incell(tmp_path, [])
    assert FORMAT.examine(tmp_path, (path.name,)).problems == ("plate.xdce: incomplete: it lists no image",)
    path.write_text('<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">]><ImageStack>&a;</ImageStack>')
    assert "document type" in FORMAT.examine(tmp_path, (path.name,)).problems[0]


def test_what_went_away(tmp_path: Path) -> None:
    assert FORMAT.examine(tmp_path, ("plate.xdce",)).missing == ("plate.xdce",)
    with pytest.raises(FileNotFoundError):
        FORMAT.examine(tmp_path / "gone", ("plate.xdce",))


def test_other_files_are_not_recognised() -> None:
    for head, name in ((b"", "a.xdce"), (b"<ImageStacks>", "a.xdce"), (b"<ImageStack>", "a.xml")):
        assert not FORMAT.recognises(head, name)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.binary(max_size=2000), at=st.integers(0, 700), insert=st.binary(min_size=1, max_size=20))
def test_nothing_that_a_file_holds_raises(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, at: int, insert: bytes
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    path = synthetic_incell(folder, ["a.tif"])
    good = path.read_bytes()
    for content in (data, b"<ImageStack>" + data + b"</ImageStack>", good[:at] + insert + good[at + len(insert) :]):
        path.write_bytes(content)
        FORMAT.recognises(content[:1024], path.name)
        found = FORMAT.examine(folder, (path.name,))
        assert found.sound is not bool(found.problems)
