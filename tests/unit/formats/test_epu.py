"""EPU sessions, synthetic after the names and elements of real ones: sets, movies, damage, bombs, random bytes."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.formats.electron_files import NAMES, synthetic_mrc
from watcher import formats
from watcher.formats import families
from watcher.formats.base import Examination
from watcher.formats.epu import FORMAT, MAX_BYTES
from watcher.formats.family import Family

STEM = "FoilHole_31933450_Data_31923934_31923936_20240901_060117"


def synthetic_epu(movie: bool = True) -> bytes:
    """Synthetic, after a document of SwissOpenEM/LS_Metadata_reader: the XML of one image, shortened."""
    key = "<a:KeyValueOfstringanyType><a:Key>FractionationSettings</a:Key><a:Value/></a:KeyValueOfstringanyType>"
    length = "<{0}><numericValue>4.15E-11</numericValue></{0}>"
    arrays = "http://schemas.microsoft.com/2003/10/Serialization/Arrays"
    return (
        '<MicroscopeImage xmlns="http://schemas.datacontract.org/2004/07/Fei.SharedObjects"><name>Empty</name>'
        f"<SpatialScale><pixelSize>{length.format('x')}{length.format('y')}</pixelSize></SpatialScale>"
        "<microscopeData><acquisition><acquisitionDateTime>2024-09-01T06:01:19.0039293+02:00</acquisitionDateTime>"
        f'<camera><CameraSpecificInput xmlns:a="{arrays}">{key if movie else ""}</CameraSpecificInput></camera>'
        "</acquisition><core><ApplicationSoftware>EPU</ApplicationSoftware>"
        "<ApplicationSoftwareVersion>3.8.1.7603</ApplicationSoftwareVersion></core>"
        "<instrument><ComputerName>TITAN-PC</ComputerName><InstrumentModel>TITAN52339260</InstrumentModel></instrument>"
        "<optics><TemMagnification><NominalMagnification>270000</NominalMagnification></TemMagnification></optics>"
        "</microscopeData></MicroscopeImage>"
    ).encode()


GOOD = synthetic_epu()


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one micrograph and what else lies in a session."""
    # As the registry has it, whether or not the entry is there yet.
    known = (Family("mrc", "mrc", "MRC", magic=((208, b"MAP "),)), *families.FAMILIES)
    monkeypatch.setattr(families, "FAMILIES", known)
    monkeypatch.setattr(formats, "FAMILIES", known)
    (tmp_path / f"{STEM}.xml").write_bytes(GOOD)
    (tmp_path / f"{STEM}.jpg").write_bytes(b"\xff\xd8\xff\xd9")
    (tmp_path / f"{STEM}.mrc").write_bytes(synthetic_mrc())
    (tmp_path / f"{STEM}_Fractions.mrc").write_bytes(synthetic_mrc())
    (tmp_path / "FoilHole_31933450_Data_31923934_31923936_20240901_060117_gain.mrc").write_bytes(synthetic_mrc())
    (tmp_path / "FoilHole_31933450_Data_31923934_31923936_20240901_060218.xml").write_bytes(GOOD)
    return tmp_path


def examined(folder: Path, data: bytes, name: str = f"{STEM}.xml") -> Examination:
    (folder / name).write_bytes(data)
    return FORMAT.examine(folder, (name,))


def test_a_micrograph_is_its_xml_and_what_shares_its_stem(session: Path) -> None:
    path = session / f"{STEM}.xml"
    assert FORMAT.recognises(path.read_bytes()[:1024], path.name)
    claim = FORMAT.claim(path)
    assert claim.lists == (f"{STEM}.xml", f"{STEM}.jpg", f"{STEM}.mrc", f"{STEM}_Fractions.mrc")
    assert claim.title == STEM
    found = FORMAT.examine(session, (f"{STEM}.xml",))
    assert (found.sound, found.problems, found.remarks) == (True, (), ())
    assert found.metadata == {
        "acquired": "2024-09-01T06:01:19.0039293+02:00",
        "software": "EPU 3.8.1.7603",
        "instrument": "TITAN52339260",
        "computer": "TITAN-PC",
        "objective": "270000x",
        "pixel_size_um": "4.15e-05x4.15e-05",
    }
    assert found.sources["objective"] == "microscopeData/optics/TemMagnification/NominalMagnification"


def test_a_movie_that_comes_later_joins_its_micrograph_and_is_checked_as_mrc(session: Path) -> None:
    path = session / f"{STEM}_Fractions.mrc"
    assert FORMAT.recognises(path.read_bytes()[:1024], path.name)
    claim = FORMAT.claim(path)
    assert (claim.format, claim.lists, claim.title) == ("mrc", (path.name, f"{STEM}.xml"), STEM)
    (session / f"{STEM}.xml").unlink()
    assert FORMAT.claim(path).lists == (path.name,)


@pytest.mark.parametrize("suffix", ["_Fractions.tiff", "_fractions.tif", "_EER.eer"])
def test_movies_that_are_tiff_belong_too(session: Path, suffix: str) -> None:
    path = session / f"{STEM}{suffix}"
    with path.open("wb") as file:
        tifffile.imwrite(file, np.zeros((2, 4, 4), np.uint8), photometric="minisblack", metadata=None)
    assert FORMAT.recognises(path.read_bytes()[:1024], path.name)
    assert FORMAT.claim(path).lists == (path.name, f"{STEM}.xml")
    assert path.name in FORMAT.claim(session / f"{STEM}.xml").lists


def test_a_gain_reference_is_no_movie(session: Path) -> None:
    head = synthetic_mrc()[:1024]
    assert not FORMAT.recognises(head, f"{STEM}_gain.mrc")
    assert not FORMAT.recognises(head, f"{STEM}_gain_Fractions.mrc")
    assert not FORMAT.recognises(head, "20240830_103455_EER_GainReference.gain")


def test_a_name_alone_makes_no_movie(session: Path) -> None:
    assert not FORMAT.recognises(b"nothing in particular", f"{STEM}_Fractions.mrc")


def test_a_grid_square_takes_only_itself(session: Path) -> None:
    path = session / "GridSquare_20240901_060001.xml"
    path.write_bytes(GOOD)
    assert FORMAT.claim(path).lists == (path.name,)


def test_what_may_lie_elsewhere_is_remarked_and_not_missing(session: Path) -> None:
    (session / f"{STEM}_Fractions.mrc").unlink()
    found = FORMAT.examine(session, (f"{STEM}.xml",))
    assert (found.sound, found.missing) == (True, ())
    assert found.remarks == (f"{STEM}.xml: it was recorded as a movie, and none lies beside it",)
    (session / f"{STEM}.mrc").unlink()
    found = FORMAT.examine(session, (f"{STEM}.xml",))
    assert found.remarks == (f"{STEM}.xml: no image and no movie lies beside it",)


@pytest.mark.parametrize(
    "data",
    [
        GOOD[:-1],
        GOOD[: len(GOOD) // 2],
        GOOD[:40],
        GOOD[: len(GOOD) * 3 // 4].ljust(len(GOOD), b"\0"),
        b"",
        b"<Other/>",
    ],
)
def test_a_damaged_xml_is_not_sound(tmp_path: Path, data: bytes) -> None:
    found = examined(tmp_path, data)
    assert found.sound is False
    assert found.problems[0].startswith(f"{STEM}.xml: ")
    assert "TITAN-PC" not in found.problems[0]


@pytest.mark.parametrize("stem", NAMES)
def test_names_do_not_matter(tmp_path: Path, stem: str) -> None:
    name = f"FoilHole_{stem}_Data_1_2_20240901_060117"
    (tmp_path / f"{name}_Fractions.mrc").write_bytes(synthetic_mrc())
    assert examined(tmp_path, GOOD, f"{name}.xml").sound
    assert FORMAT.claim(tmp_path / f"{name}.xml").lists == (f"{name}.xml", f"{name}_Fractions.mrc")


BOMB = b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><MicroscopeImage>&c;</MicroscopeImage>'
MANY = b"<MicroscopeImage>" + b"<a/>" * ((MAX_BYTES - 40) // 4) + b"</MicroscopeImage>"
DEEP = b"<MicroscopeImage>" + b"<a>" * 100_000


@pytest.mark.timeout(60)
@pytest.mark.parametrize("data", [BOMB, MANY, DEEP, MANY * 3, GOOD.replace(b"4.15E-11", b"1e999")])
def test_an_xml_made_to_hurt_costs_little_time(tmp_path: Path, data: bytes) -> None:
    (tmp_path / f"{STEM}.xml").write_bytes(data)
    found = FORMAT.examine(tmp_path, (f"{STEM}.xml",))
    assert len(found.problems) <= 1
    assert "pixel_size_um" not in found.metadata


def test_an_xml_of_many_elements_costs_little_memory(tmp_path: Path) -> None:
    (tmp_path / f"{STEM}.xml").write_bytes(MANY)
    tracemalloc.start()
    FORMAT.examine(tmp_path, (f"{STEM}.xml",))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 << 20


def test_other_xml_is_not_claimed() -> None:
    assert not FORMAT.recognises(b"<?xml version='1.0'?><OME/>", "a.xml")
    assert not FORMAT.recognises(b"", "a.xml")
    assert not FORMAT.recognises(b"see <MicroscopeImage", "a.xml")


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=400),
        st.builds(
            lambda at, raw: GOOD[:at] + raw + GOOD[at + len(raw) :], st.integers(0, len(GOOD)), st.binary(max_size=12)
        ),
    )
)
def test_no_bytes_crash_it(tmp_path: Path, data: bytes) -> None:
    FORMAT.recognises(data[:1024], f"{STEM}.xml")
    FORMAT.recognises(data[:1024], f"{STEM}_Fractions.mrc")
    assert examined(tmp_path, data).sound in (True, False, None)
    assert FORMAT.claim(tmp_path / f"{STEM}.xml").lists[0] == f"{STEM}.xml"
