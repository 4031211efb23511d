"""TIFFs of electron microscopes. No real sample could be had: all are synthetic, with the fields' published layouts."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.formats.test_slides import Value, examined, tiff, written
from watcher.formats.sem_tiff import FORMAT

FEI = (
    "[User]\r\nDate=11/27/2018\r\nTime=04:31:16 PM\r\nUser=supervisor\r\n\r\n[System]\r\nSystemType=Helios G4 CX\r\n"
    "Software=13.0.0.3102\r\n\r\n[Scan]\r\nPixelWidth=1.35e-009\r\nPixelHeight=1.35e-009\r\n"
)
ZEISS = (
    "\r\n0\r\n1.2e-8\r\nDP_DETECTOR_TYPE\r\nSignal A = InLens\r\nAP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = 11.63 nm\r\n"
    "AP_DATE\r\nDate :26 Jun 2019\r\nAP_TIME\r\nTime :13:47:16\r\nSV_VERSION\r\nVersion = V05.07\r\n"
    "SV_SERIAL_NUMBER\r\nSerial No. = SUPRA 55VP-25-43\r\nSV_USER_NAME\r\nUser Name = LAB\r\n"
)
TESCAN = (
    b"\x01\0\x04\0\0\0\xff\xd8\xff\xd9\x02\0AccFrames=1\r\nDate=2021-03-04\r\nDevice=TESCAN AMBER X\r\n"
    b"PixelSizeX=5e-09\r\nPixelSizeY=5e-09\r\nSoftwareVersion=1.2\r\nTime=10:11:12\r\nUserName=eva\r\n\0\0"
)
SIZE = {"size": "16x16x1x1x1"}
MAKERS: dict[str, tuple[Mapping[int, Value], dict[str, str]]] = {
    "FEI": (
        {34682: FEI},
        {
            "acquired": "2018-11-27T16:31:16",
            "instrument": "Helios G4 CX",
            "software": "13.0.0.3102",
            "experimenter": "supervisor",
            "pixel_size_um": "0.00135x0.00135",
        },
    ),
    "Zeiss": (
        {34118: ZEISS},
        {
            "acquired": "2019-06-26T13:47:16",
            "instrument": "Zeiss SUPRA 55VP-25-43",
            "software": "V05.07",
            "experimenter": "LAB",
            "pixel_size_um": "0.01163x0.01163",
        },
    ),
    "TESCAN": (
        {50431: TESCAN},
        {
            "acquired": "2021-03-04T10:11:12",
            "instrument": "TESCAN AMBER X",
            "software": "1.2",
            "experimenter": "eva",
            "pixel_size_um": "0.005x0.005",
        },
    ),
    "JEOL": (
        {271: "JEOL", 272: "JSM-7800F", 306: "2020:01:02 03:04:05"},
        {"acquired": "2020-01-02T03:04:05", "instrument": "JEOL JSM-7800F"},
    ),
}


def synthetic_sem_tiff(maker: str) -> bytes:
    return tiff([MAKERS[maker][0]])


@pytest.mark.parametrize("maker", MAKERS)
def test_a_whole_image_is_recognised_claimed_sound_and_says_what_it_is(tmp_path: Path, maker: str) -> None:
    path = written(tmp_path, "mřížka [1] #2 %.tif", synthetic_sem_tiff(maker))
    assert FORMAT.recognises(path.read_bytes()[:1024], path.name)
    claim = FORMAT.claim(path)
    assert (claim.format, claim.lists, claim.title) == ("sem-tiff", (path.name,), path.stem)
    found = examined(FORMAT, path)
    assert (found.sound, found.problems) == (True, ())
    assert found.metadata == {**MAKERS[maker][1], **SIZE}


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("left", [-1, 200, 8, 0])
def test_a_cut_image_is_not_sound(tmp_path: Path, maker: str, left: int) -> None:
    path = written(tmp_path, "a.tif", synthetic_sem_tiff(maker)[:left])
    assert examined(FORMAT, path).sound is False


@pytest.mark.parametrize("maker", MAKERS)
def test_an_image_with_zeros_at_its_end_is_not_sound(tmp_path: Path, maker: str) -> None:
    data = synthetic_sem_tiff(maker)
    path = written(tmp_path, "a.tif", data[: len(data) - 150] + bytes(150))
    assert examined(FORMAT, path).sound is False


def test_the_header_file_of_tescan_belongs_to_the_image(tmp_path: Path) -> None:
    path = written(tmp_path, "a b.tif", synthetic_sem_tiff("TESCAN"))
    written(tmp_path, "a b-tif.hdr", b"[MAIN]\r\n")
    claim = FORMAT.claim(path)
    assert claim.lists == ("a b.tif", "a b-tif.hdr")
    assert FORMAT.examine(tmp_path, claim.lists).sound is True


def test_a_date_that_can_be_read_in_two_ways_is_not_told(tmp_path: Path) -> None:
    text = FEI.replace("04:31:16 PM", "16:31:16")
    assert "acquired" not in examined(FORMAT, written(tmp_path, "a.tif", tiff([{34682: text}]))).metadata


def test_a_plain_tiff_is_not_claimed(tmp_path: Path) -> None:
    assert FORMAT.claim(written(tmp_path, "a.tif", tiff([{271: "Nikon"}]))).format == "tiff"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("tag", [34118, 34680, 50431])
def test_a_text_made_to_hurt_costs_little(tmp_path: Path, tag: int) -> None:
    text = b" " * 400_000 + b"a" * 400_000 + b"=" * 400_000 + b"[" * 400_000 + b"\n=" * 200_000
    path = written(tmp_path, "a.tif", tiff([{tag: text}]))
    assert examined(FORMAT, path).sound is True


@given(maker=st.sampled_from(sorted(MAKERS)), at=st.floats(0, 0.999), new=st.binary(max_size=40))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_change_of_a_file_is_a_finding_or_nothing(maker: str, at: float, new: bytes) -> None:
    data = synthetic_sem_tiff(maker)
    start = int(at * len(data))
    changed = data[:start] + new + data[start + len(new) :]
    FORMAT.recognises(changed[:1024], "a.tif")
    with TemporaryDirectory() as folder:
        path = written(Path(folder), "a.tif", changed)
        assert path.name in FORMAT.claim(path).lists
        found = examined(FORMAT, path)
        assert (found.sound is False) == bool(found.problems)
