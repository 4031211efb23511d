"""BigDataViewer. All files are synthetic: no real one is at hand."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.formats.synthetic_hdf5 import Data, synthetic_hdf5
from watcher.formats.base import Examination
from watcher.formats.bdv import FORMAT

TIMES = '<Timepoints type="range"><first>0</first><last>2</last></Timepoints>'


def synthetic_xml(
    loader: str = '<hdf5 type="relative">a.h5</hdf5>', times: str = TIMES, base: str = ".", missing: str = ""
) -> str:
    """The XML of two views, as bigdataviewer's spimdata writes it."""
    setups = "".join(
        f"<ViewSetup><id>{at}</id><name>v</name><size>30 20 10</size><voxelSize><unit>µm</unit><size>0.5 0.5 2.0</size>"
        f"</voxelSize><attributes><channel>{at}</channel><angle>0</angle></attributes></ViewSetup>"
        for at in (0, 1)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<SpimData version="0.2">\n'
        f'<BasePath type="relative">{base}</BasePath><SequenceDescription><ImageLoader format="bdv.hdf5">{loader}'
        f"</ImageLoader><ViewSetups>{setups}</ViewSetups>{times}{missing}</SequenceDescription><ViewRegistrations>"
        '<ViewRegistration timepoint="0" setup="0"/></ViewRegistrations></SpimData>\n'
    )


def synthetic_views(times: int = 3, gone: tuple[int, int] | None = None, cells: object = Data()) -> dict[str, object]:
    """Groups of an HDF5 file: t00000/s00/0/cells."""
    return {
        "__DATA_TYPES__": {},
        "s00": {},
        **{
            f"t{time:05d}": {f"s{at:02d}": {"0": {"cells": cells}} for at in (0, 1) if (time, at) != gone}
            for time in range(times)
        },
    }


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one byte short": lambda data: data[:-1],
    "half": lambda data: data[: len(data) // 2],
    "only the header": lambda data: data[:48],
    "tail of zeros": lambda data: data[: len(data) * 3 // 4].ljust(len(data), b"\0"),
    "empty": lambda _: b"",
}


@pytest.mark.parametrize(("version", "dense"), [(0, False), (2, False), (3, True)])
def test_the_xml_and_its_file_are_one_sound_set(tmp_path: Path, version: int, dense: bool) -> None:
    xml = synthetic_xml().encode()
    assert FORMAT.recognises(xml[:1024], "a.xml")
    found = examined(tmp_path, xml, synthetic_hdf5(synthetic_views(), version, dense=dense))
    assert (found.sound, found.problems, found.missing) == (True, (), ())
    assert dict(found.metadata) == {"size": "30x20x10x2x3", "pixel_size_um": "0.5x0.5x2"}
    claim = FORMAT.claim(tmp_path / "a.xml")
    assert (claim.format, claim.lists, claim.title, claim.problems) == ("bdv", ("a.xml", "a.h5"), "a", ())
    assert FORMAT.claim(tmp_path / "a.h5").format == "bdv"


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("part", ["a.xml", "a.h5"])
def test_a_damaged_part_is_found(tmp_path: Path, part: str, damage: str) -> None:
    files = {"a.xml": synthetic_xml().strip().encode(), "a.h5": synthetic_hdf5(synthetic_views(), 2)}
    files[part] = DAMAGES[damage](files[part])
    found = examined(tmp_path, files["a.xml"], files["a.h5"])
    assert found.sound is False
    assert found.problems[0].startswith(f"{part}: ")


def test_a_file_that_is_gone_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(synthetic_xml(), "utf-8")
    found = FORMAT.examine(tmp_path, ("a.h5", "a.xml"))
    assert (found.sound, found.missing, found.problems) == (False, ("a.h5",), ("a.h5: missing, a.xml lists it",))


def test_partitions_belong_to_the_set(tmp_path: Path) -> None:
    loader = '<hdf5 type="relative">a.h5</hdf5>' + "".join(
        f'<partition><path type="relative">a-{at:02d}-00.h5</path><timepoints>{at}</timepoints></partition>'
        for at in (0, 1)
    )
    (tmp_path / "a-00-00.h5").write_bytes(synthetic_hdf5(synthetic_views(1)))
    found = examined(tmp_path, synthetic_xml(loader).encode(), synthetic_hdf5(synthetic_views(cells=None), 2))
    assert (found.sound, found.missing) == (False, ("a-01-00.h5",))
    assert found.problems == ("a-01-00.h5: missing, a.xml lists it",)
    (tmp_path / "a-01-00.h5").write_bytes(synthetic_hdf5(synthetic_views(1))[:-1])
    found = FORMAT.examine(tmp_path, ("a.xml", "a.h5", "a-00-00.h5", "a-01-00.h5"))
    assert [problem[:10] for problem in found.problems] == ["a-01-00.h5"]


def test_a_view_that_is_listed_and_not_there_is_unfinished(tmp_path: Path) -> None:
    xml = synthetic_xml().encode()
    found = examined(tmp_path, xml, synthetic_hdf5(synthetic_views(gone=(1, 0)), 2))
    assert found.problems == ("a.h5: unfinished: time point 1, view 0 is listed and not in it",)
    known = synthetic_xml(missing='<MissingViews><MissingView timepoint="1" setup="0"/></MissingViews>').encode()
    assert examined(tmp_path, known, synthetic_hdf5(synthetic_views(gone=(1, 0)), 2)).sound
    found = examined(tmp_path, xml, synthetic_hdf5(synthetic_views(times=2), 2))
    assert len(found.problems) == 2
    found = examined(tmp_path, xml, synthetic_hdf5(synthetic_views(cells=Data((0, 4, 4))), 2))
    assert "time point 0, view 0 has no size yet" in found.problems[0]


def test_time_points_by_pattern(tmp_path: Path) -> None:
    times = '<Timepoints type="pattern"><integerpattern>0, 1-2</integerpattern></Timepoints>'
    found = examined(tmp_path, synthetic_xml(times=times).encode(), synthetic_hdf5(synthetic_views()))
    assert (found.sound, found.metadata["size"]) == (True, "30x20x10x2x3")


def test_a_folder_of_n5_or_zarr_is_part_of_the_set(tmp_path: Path) -> None:
    for tag in ("n5", "zarr"):
        (tmp_path / "a.xml").write_text(synthetic_xml(f'<{tag} type="relative">a.{tag}</{tag}>'), "utf-8")
        assert FORMAT.claim(tmp_path / "a.xml").lists == ("a.xml", f"a.{tag}/")
        assert FORMAT.examine(tmp_path, ("a.xml",)).missing == (f"a.{tag}/",)
        (tmp_path / f"a.{tag}").mkdir()
        assert FORMAT.examine(tmp_path, ("a.xml",)).sound


@pytest.mark.parametrize("name", ["../b.h5", "/data/b.h5", "C:\\b.h5", "", "n" * 999])
def test_names_outside_of_the_folder_are_problems(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.xml").write_text(synthetic_xml(f'<hdf5 type="relative">{name}</hdf5>'), "utf-8")
    claim = FORMAT.claim(tmp_path / "a.xml")
    assert claim.lists == ("a.xml",)
    assert claim.problems


@pytest.mark.parametrize("name", ["a b [1]", "100%#", "Zelle µ"])
def test_names_of_any_kind(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.xml").write_text(synthetic_xml(f'<hdf5 type="relative">{name}.h5</hdf5>'), "utf-8")
    (tmp_path / f"{name}.h5").write_bytes(synthetic_hdf5(synthetic_views()))
    claim = FORMAT.claim(tmp_path / f"{name}.xml")
    assert claim.lists == (f"{name}.xml", f"{name}.h5")
    assert FORMAT.examine(tmp_path, claim.lists).sound


def test_hdf5_without_its_xml_is_remarked(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(synthetic_hdf5(synthetic_views()))
    found = FORMAT.examine(tmp_path, ("a.h5",))
    assert (found.sound, found.remarks) == (True, ("the XML that describes it is not beside it",))


def test_other_files_are_not_recognised() -> None:
    assert not FORMAT.recognises(b"<OME/>", "a.xml")
    assert not FORMAT.recognises(b"about <SpimData>", "a.xml")
    assert not FORMAT.recognises(b"<SpimData/>", "a.txt")
    assert not FORMAT.recognises(b"", "a.xml")


@pytest.mark.timeout(60)
def test_bombs_are_bounded(tmp_path: Path) -> None:
    entities = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><SpimData>&b;'
    many = synthetic_xml(times='<Timepoints type="range"><first>0</first><last>999999999</last></Timepoints>')
    pattern = f"<Timepoints><integerpattern>{'0-999999999,' * 100_000}</integerpattern></Timepoints>"
    deep = "<SpimData>" + "<a>" * 500_000
    for text in (entities, many, synthetic_xml(times=pattern), deep):
        found = examined(tmp_path, text.encode(), synthetic_hdf5(synthetic_views()))
        assert found.sound is False
        assert len(found.problems) <= 21


@pytest.mark.timeout(60)
def test_a_list_of_views_that_is_longer_than_is_read_is_unchecked(tmp_path: Path) -> None:
    xml = synthetic_xml(times="<ViewSetup/>" * 900_000 + TIMES).encode()
    found = examined(tmp_path, xml, synthetic_hdf5(synthetic_views()))
    assert (found.sound, found.checked) == (None, "unchecked: a.xml: its list of views is longer than is read")
    assert FORMAT.claim(tmp_path / "a.xml").lists == ("a.xml", "a.h5")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(noise=st.binary(max_size=100), at=st.integers(0, 10_000), text=st.text(max_size=20))
def test_no_content_makes_it_crash(tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int, text: str) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    views, xml = synthetic_hdf5(synthetic_views(), 2), synthetic_xml().encode()
    FORMAT.recognises(noise, "a.xml")
    for wrong in (noise, text.encode("utf-8", "replace"), b"<SpimData" + noise):
        for data in (wrong, xml[: at % len(xml)] + wrong + xml[at % len(xml) :]):
            (folder / "a.xml").write_bytes(data)
            FORMAT.claim(folder / "a.xml")
            assert examined(folder, data, views[: at % len(views)] + wrong + views[at % len(views) :]).checked


def examined(folder: Path, xml: bytes, views: bytes) -> Examination:
    (folder / "a.xml").write_bytes(xml)
    (folder / "a.h5").write_bytes(views)
    return FORMAT.examine(folder, ("a.xml", "a.h5"))
