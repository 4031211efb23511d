"""Harmony and Columbus measurements: the index, and the files that it names."""

import os
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats.harmony import FORMAT

# Version, index, planes that it names
INDEXES = [("Version1", "Index.idx.xml", 6), ("Version5", "Index.idx.xml", 6), ("Version7", "Index.xml", 7)]
ODD = ["a b.tiff", "[x] #1 100%.tiff", "µ é 漢.tiff", "a&b.tiff"]

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda data: data[: len(data) // 2],
    "only the header": lambda data: data[:400],
    "tail of zeros": lambda data: data[: len(data) * 3 // 4].ljust(len(data), b"\0"),
    "empty": lambda _: b"",
    "two bytes short": lambda data: data[:-2],
    "followed by zeros": lambda data: data + bytes(512),
    "zeros inside": lambda data: data[:5000] + bytes(3000) + data[8000:],
}


def synthetic_harmony(
    folder: Path, urls: Iterable[str], namespace: str = "http://www.perkinelmer.com/Columbus"
) -> Path:
    """An index in the shape of the samples, with these planes; labelled synthetic: no real file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "Index.idx.xml"
    with path.open("w", encoding="utf-8") as file:
        file.write(
            f'\ufeff<?xml version="1.0" encoding="utf-8"?>\n<EvaluationInputData Version="1" xmlns="{namespace}">'
        )
        file.write("<User>someone</User><Plates><Plate><Well id='0101'/></Plate></Plates>")
        file.write("<Wells><Well><Image id='0101K1F1P1R1' /></Well></Wells><Images>")
        for number, url in enumerate(urls):
            file.write(
                f'<Image Version="1">\n<id>{number}</id><State>Ok</State><URL BufferNo="0">{escape(url)}</URL>'
                "<Row>1</Row><Col>1</Col><FieldID>1</FieldID><PlaneID>1</PlaneID><TimepointID>0</TimepointID>"
                '<ChannelID>1</ChannelID><PositionX Unit="m">0</PositionX><PositionY Unit="m">0</PositionY>'
                "<AbsTime>2024-01-01</AbsTime></Image>\n"
            )
        file.write("</Images></EvaluationInputData>")
    return path


def real(samples: Path, tmp_path: Path, version: str, index: str) -> Path:
    """A sample's index in a folder of its own, with empty files for the planes that the sample has left out."""
    images = tmp_path / "Plate__2024-Measurement 1" / "Images"
    images.mkdir(parents=True)
    path = images / index
    path.write_bytes((samples / "harmony" / version / "Images" / index).read_bytes())
    for channel in range(1, 8):
        (images / f"r01c01f01p01-ch{channel}sk1fk1fl1.tiff").touch()
    return path


@pytest.mark.samples
@pytest.mark.parametrize(("version", "index", "planes"), INDEXES)
def test_a_real_measurement_is_whole_with_its_planes(
    samples: Path, tmp_path: Path, version: str, index: str, planes: int
) -> None:
    path = real(samples, tmp_path, version, index)
    assert FORMAT.recognises(path.read_bytes()[:1024], index)
    claim = FORMAT.claim(path)
    assert (claim.lists, claim.tree, claim.problems) == ((index,), "..", ())
    found = FORMAT.examine(path.parents[1], (f"Images/{index}",))
    assert (found.sound, found.problems, found.missing, found.remarks) == (True, (), (), ())
    assert found.metadata["size"].endswith(f"x1x{planes}x1")
    assert len(found.metadata["channels"].split(", ")) >= planes
    assert found.metadata["instrument"] == "Phenix"
    assert found.metadata["objective"] == "20x NA 1"
    assert found.metadata.keys() == found.sources.keys()


@pytest.mark.samples
def test_what_an_index_says_of_itself(samples: Path) -> None:
    found = FORMAT.examine(samples / "harmony/Version7/Images", ("Index.xml",))
    assert found.metadata["acquired"] == "2024-06-24T11:48:44.5462111-04:00"
    assert found.metadata["pixel_size_um"] == "0.296688x0.296688"
    assert found.metadata["size"] == "2160x2160x1x7x1"
    assert found.metadata["experimenter"] == "dboone"
    assert not any("dboone" in text for text in (*found.problems, *found.remarks))


@pytest.mark.samples
@pytest.mark.parametrize(("version", "index", "planes"), INDEXES)
def test_planes_that_are_not_there_are_missing(samples: Path, version: str, index: str, planes: int) -> None:
    folder = samples / "harmony" / version
    found = FORMAT.examine(folder, (f"Images/{index}",))
    there = {file.name for file in (folder / "Images").iterdir()}
    expected = {f"r01c01f01p01-ch{channel}sk1fk1fl1.tiff" for channel in range(1, planes + 1)} - there
    assert found.sound is False
    assert set(found.missing) == {f"Images/{name}" for name in expected}
    assert f"{found.missing[0]}: missing, Images/{index} lists it" in found.problems


@pytest.mark.samples
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(("version", "index", "planes"), INDEXES)
def test_a_damaged_index_is_not_sound(
    samples: Path, tmp_path: Path, version: str, index: str, planes: int, damage: str
) -> None:
    path = real(samples, tmp_path, version, index)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    found = FORMAT.examine(path.parent, (index,))
    assert found.sound is False
    assert found.problems[0].startswith(f"{index}: {'damaged' if damage == 'zeros inside' else 'unfinished'}: ")
    assert found.missing == ()


@pytest.mark.samples
def test_the_line_end_after_the_last_tag_may_be_lost(samples: Path, tmp_path: Path) -> None:
    """One byte short of a real index is the line end that an editor added; nothing of the index is lost with it."""
    path = real(samples, tmp_path, "Version5", "Index.idx.xml")
    path.write_bytes(path.read_bytes()[:-1])
    assert FORMAT.examine(path.parent, (path.name,)).sound


def test_an_index_beside_its_images_is_its_folder(tmp_path: Path) -> None:
    path = synthetic_harmony(tmp_path, ["a.tiff"])
    assert FORMAT.claim(path).tree == "."


def test_names_of_any_kind(tmp_path: Path) -> None:
    path = synthetic_harmony(tmp_path, [*ODD, ODD[0], r"sub\c.tiff"])
    (tmp_path / "sub").mkdir()
    for name in (*ODD, "sub/c.tiff"):
        (tmp_path / name).touch()
    found = FORMAT.examine(tmp_path, (path.name,))
    assert (found.sound, found.problems) == (True, ())
    for name in (*ODD, "sub/c.tiff"):
        (tmp_path / name).unlink()
        assert FORMAT.examine(tmp_path, (path.name,)).missing == (name,)
        (tmp_path / name).touch()
    (tmp_path / ODD[0]).rename(tmp_path / ODD[0].upper())
    assert FORMAT.examine(tmp_path, (path.name,)).sound


def test_a_folder_in_place_of_a_plane_is_no_plane(tmp_path: Path) -> None:
    path = synthetic_harmony(tmp_path, ["a.tiff"])
    (tmp_path / "a.tiff").mkdir()
    assert FORMAT.examine(tmp_path, (path.name,)).missing == ("a.tiff",)


def test_names_outside_of_the_folder_are_a_problem_and_not_quoted(tmp_path: Path) -> None:
    path = synthetic_harmony(tmp_path, ["../secret.tiff", "C:\\Users\\jane\\a.tiff", "http://host/jane", "/etc/passwd"])
    found = FORMAT.examine(tmp_path, (path.name,))
    assert found.problems == ("Index.idx.xml: names 4 files outside of its folder, which are left out",)
    assert found.missing == ()


def test_planes_without_an_image_are_only_told(tmp_path: Path) -> None:
    path = synthetic_harmony(tmp_path, ["a.tiff", "", ""])
    (tmp_path / "a.tiff").touch()
    found = FORMAT.examine(tmp_path, (path.name,))
    assert found.sound
    assert found.remarks == ("Index.idx.xml: 2 of 3 planes were recorded without an image",)


def test_a_state_that_is_not_ok_is_only_told(tmp_path: Path) -> None:
    path = synthetic_harmony(tmp_path, ["a.tiff", "b.tiff"])
    (tmp_path / "a.tiff").touch()
    (tmp_path / "b.tiff").touch()
    path.write_bytes(path.read_bytes().replace(b"<State>Ok", b"<State>Lost", 1))
    found = FORMAT.examine(tmp_path, (path.name,))
    assert found.sound
    assert found.remarks == ("Index.idx.xml: 1 of 2 planes have a state that is not Ok",)


def test_an_index_without_planes_is_incomplete(tmp_path: Path) -> None:
    path = synthetic_harmony(tmp_path, [])
    assert FORMAT.examine(tmp_path, (path.name,)).problems == ("Index.idx.xml: incomplete: it lists no plane",)


def test_a_member_that_went_away_is_missing(tmp_path: Path) -> None:
    assert FORMAT.examine(tmp_path, ("Index.xml",)).missing == ("Index.xml",)
    with pytest.raises(FileNotFoundError):
        FORMAT.examine(tmp_path / "gone", ("Index.xml",))


@pytest.mark.timeout(60)
def test_a_plate_of_a_hundred_thousand_planes(tmp_path: Path) -> None:
    names = [f"r01c01f{number:06}.tiff" for number in range(100_000)]
    path = synthetic_harmony(tmp_path, names)
    for name in names[:10_000]:
        os.close(os.open(f"{tmp_path}/{name}", os.O_CREAT | os.O_WRONLY))
    assert FORMAT.claim(path).lists == (path.name,)
    found = FORMAT.examine(tmp_path, (path.name,))
    assert found.missing == tuple(names[10_000:])


def test_memory_is_that_of_the_names_and_not_of_the_index(tmp_path: Path) -> None:
    path = synthetic_harmony(tmp_path, (f"a{number}.tiff" for number in range(10_000)))
    tracemalloc.start()
    found = FORMAT.examine(tmp_path, (path.name,))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.missing) == 10_000
    assert len(found.problems) == 21
    assert found.problems[-1] == "9980 more files are missing, up to a9999.tiff"
    assert peak < 10 << 20


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("opening", "filler", "count"),
    [
        (BOMB, "<User>&b;</User>", 1),
        ("", "<a>", 100_000),
        ("", "<a/>", 2_000_000),
        ("", "<User>" + "x" * (6 << 20), 1),
        ("", "<!--" + "x" * (6 << 20) + "-->", 1),
        ("", "<!-- -->", 10_000_000),
    ],
    ids=["entities", "depth", "elements", "text", "comment", "length"],
)
def test_what_is_made_to_harm_is_a_quick_finding(tmp_path: Path, opening: str, filler: str, count: int) -> None:
    path = tmp_path / "Index.xml"
    path.write_text(f"{opening}<EvaluationInputData>{filler * count}</EvaluationInputData>")
    tracemalloc.start()
    found = FORMAT.examine(tmp_path, (path.name,))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.sound is False
    assert "Index.xml: damaged: " in found.problems[0]
    assert peak < 20 << 20


def test_many_kinds_of_elements_and_folders_are_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "Index.xml"
    path.write_text(f"<EvaluationInputData>{''.join(f'<a{n}/>' for n in range(5000))}</EvaluationInputData>")
    assert "kinds" in FORMAT.examine(tmp_path, (path.name,)).problems[0]
    path = synthetic_harmony(tmp_path, (f"{number}/a.tiff" for number in range(5000)))
    assert "folders" in FORMAT.examine(tmp_path, (path.name,)).problems[0]


def test_other_xml_is_not_recognised() -> None:
    for head in (b"", b"<OME>", b"<EvaluationInputDatas>", b"EvaluationInputData", b"<a><EvaluationInputData>"):
        assert not FORMAT.recognises(head, "Index.xml")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.binary(max_size=2000), at=st.integers(0, 700), insert=st.binary(min_size=1, max_size=20))
def test_nothing_that_a_file_holds_raises(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, at: int, insert: bytes
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    path = synthetic_harmony(folder, ["a.tiff", "b.tiff"])
    good = path.read_bytes()
    wrapped = b"<EvaluationInputData>" + data + b"</EvaluationInputData>"
    for content in (data, wrapped, good[:at] + insert + good[at + len(insert) :]):
        path.write_bytes(content)
        FORMAT.recognises(content[:1024], path.name)
        assert FORMAT.claim(path).tree == "."
        found = FORMAT.examine(folder, (path.name,))
        assert found.sound is not bool(found.problems)
