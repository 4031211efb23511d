"""Slides and detectors that are TIFF in structure: SVS, SCN, QPTIFF, EER and NDPI.

No real sample of these could be had: every file here is synthetic, built from the layouts that the modules name.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats.base import Examination, Format
from watcher.formats.eer import FORMAT as EER
from watcher.formats.ndpi import FORMAT as NDPI
from watcher.formats.qptiff import FORMAT as QPTIFF
from watcher.formats.scn import FORMAT as SCN
from watcher.formats.svs import FORMAT as SVS

#: Text, whole number, raw bytes, fraction, float.
Value = str | int | bytes | tuple[int, int] | float

APERIO = (
    "Aperio Image Library v10.0.51\r\n16x16 (16x16) JPEG/RGB Q=30|AppMag = 20|ScanScope ID = CPAPERIOCS|"
    "Filename = CMU-1|Date = 12/29/09|Time = 09:59:15|User = Jan Novák|MPP = 0.4990|Time Zone = GMT-07:00"
)
LEICA = """<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01"><collection>
<image><pixels sizeX="10" sizeY="10"><dimension sizeX="10" sizeY="10" r="0" ifd="0"/></pixels>
<view sizeX="26000000" sizeY="76000000"/></image>
<image><creationDate>2011-03-08T13:41:52Z</creationDate><device model="Leica SCN400" version="1.4.0"/>
<pixels sizeX="16" sizeY="16"><dimension sizeX="16" sizeY="16" r="0" ifd="1"/></pixels>
<view sizeX="8000" sizeY="8000"/><scanSettings><objectiveSettings><objective>20</objective></objectiveSettings>
<illuminationSettings><numericalAperture>0.4</numericalAperture></illuminationSettings></scanSettings></image>
</collection></scn>"""
AKOYA = """<?xml version="1.0" encoding="utf-16"?><PerkinElmer-QPI-ImageDescription>
<AcquisitionSoftware>VectraScan</AcquisitionSoftware><Objective>20x</Objective><OperatorName>Eva</OperatorName>
</PerkinElmer-QPI-ImageDescription>"""
FALCON = """<metadata><item name="timestamp">2022-08-29T15:08:13+02:00</item>
<item name="commercialName">Falcon 4i</item><item name="numberOfFrames">3</item></metadata>"""


def tiff(pages: Sequence[Mapping[int, Value]], *, big: bool = False) -> bytes:
    """A little-endian TIFF, each page 16 x 16 bytes of image data, then its long values, then its directory."""
    number, inline = ("Q", 8) if big else ("I", 4)
    out = bytearray(b"II+\0\x08\0\0\0" + bytes(8) if big else b"II*\0" + bytes(4))
    link_at = 8 if big else 4
    for own in pages:
        at = len(out)
        out += b"\x80" * 256
        fields = {256: 16, 257: 16, 273: at, 278: 16, 279: 256, **own}
        entries = b""
        for tag in sorted(fields):
            kind, count, raw = packed(fields[tag])
            if len(raw) > inline:
                out += bytes(len(out) % 2)
                entries += struct.pack(f"<HH{number}{number}", tag, kind, count, len(out))
                out += raw
            else:
                entries += struct.pack(f"<HH{number}", tag, kind, count) + raw.ljust(inline, b"\0")
        struct.pack_into(f"<{number}", out, link_at, len(out))
        out += struct.pack("<Q" if big else "<H", len(fields)) + entries
        link_at = len(out)
        out += bytes(inline)
    return bytes(out)


def packed(value: Value) -> tuple[int, int, bytes]:
    if isinstance(value, str):
        raw = value.encode() + b"\0"
        return 2, len(raw), raw
    if isinstance(value, bytes):
        return 7, len(value), value
    if isinstance(value, tuple):
        return 5, 1, struct.pack("<II", *value)
    if isinstance(value, float):
        return 11, 1, struct.pack("<f", value)
    return 4, 1, struct.pack("<I", value)


def synthetic_svs() -> bytes:
    return tiff([{270: APERIO}, {270: "Aperio Image Library v10.0.51\r\nlabel"}])


def synthetic_scn() -> bytes:
    return tiff([{270: LEICA}, {}], big=True)


def synthetic_qptiff() -> bytes:
    page: dict[int, Value] = {270: AKOYA, 305: "PerkinElmer-QPI", 306: "2019:02:03 04:05:06"}
    return tiff([{**page, 282: (20000, 1), 283: (20000, 1), 296: 3}, page])


def synthetic_eer() -> bytes:
    return tiff([{65001: FALCON.encode()}, {}, {}], big=True)


def synthetic_ndpi(*, size: int = 0) -> bytes:
    """One page with the layout of a file above 4 GiB; if `size` is given, the image data ends where the file will."""
    texts = {271: b"Hamamatsu\0", 272: b"C9600-12\0", 305: b"NDP.scan\0", 306: b"2011:06:24 08:14:38\0"}
    data_at = size - 256 if size else 12
    head = bytearray(b"II*\0" + struct.pack("<Q", 0))
    if not size:
        head += b"\x80" * 256
    entries, upper = b"", b""
    fields = sorted([*texts, 256, 257, 273, 279, 282, 283, 296, 65420, 65421])
    for tag in fields:
        high = 0
        if tag in texts:
            entries += struct.pack("<HHII", tag, 2, len(texts[tag]), len(head))
            head += texts[tag]
        elif tag in (282, 283):
            entries += struct.pack("<HHII", tag, 5, 1, len(head))
            head += struct.pack("<II", 43478, 1)
        elif tag == 65421:
            entries += struct.pack("<HHIf", tag, 11, 1, 20.0)
        else:
            value = {256: 16, 257: 16, 273: data_at, 279: 256, 296: 3, 65420: 1}[tag]
            entries += struct.pack("<HHII", tag, 4, 1, value % (1 << 32))
            high = value >> 32
        upper += struct.pack("<I", high)
    struct.pack_into("<Q", head, 4, len(head))
    return bytes(head) + struct.pack("<H", len(fields)) + entries + bytes(8) + upper


FAMILIES: dict[str, tuple[Format, Callable[[], bytes], dict[str, str]]] = {
    "svs": (
        SVS,
        synthetic_svs,
        {
            "acquired": "2009-12-29T09:59:15-07:00",
            "instrument": "Aperio ScanScope CPAPERIOCS",
            "objective": "20x",
            "size": "16x16x1x1x1",
            "pixel_size_um": "0.4990x0.4990",
            "software": "Aperio Image Library v10.0.51",
            "experimenter": "Jan Novák",
        },
    ),
    "scn": (
        SCN,
        synthetic_scn,
        {
            "acquired": "2011-03-08T13:41:52Z",
            "instrument": "Leica SCN400",
            "software": "1.4.0",
            "objective": "20x/0.4",
            "pixel_size_um": "0.5x0.5",
        },
    ),
    "qptiff": (
        QPTIFF,
        synthetic_qptiff,
        {
            "software": "VectraScan",
            "objective": "20x",
            "experimenter": "Eva",
            "acquired": "2019-02-03T04:05:06",
            "pixel_size_um": "0.5x0.5",
        },
    ),
    "eer": (
        EER,
        synthetic_eer,
        {"acquired": "2022-08-29T15:08:13+02:00", "instrument": "Falcon 4i", "size": "16x16x1x1x3"},
    ),
    "ndpi": (
        NDPI,
        synthetic_ndpi,
        {
            "acquired": "2011-06-24T08:14:38",
            "instrument": "Hamamatsu C9600-12",
            "objective": "20x",
            "software": "NDP.scan",
            "pixel_size_um": "0.230001x0.230001",
        },
    ),
}
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one byte short": lambda data: data[:-1],
    "half": lambda data: data[: len(data) // 2],
    "only the header": lambda data: data[:16],
    "tail of zeros": lambda data: data[: len(data) * 3 // 4].ljust(len(data), b"\0"),
    "preallocated": lambda data: data[:4] + bytes(len(data)),
    "empty": lambda _: b"",
}
#: Why the format cannot tell.
CANNOT_TELL = {
    ("ndpi", "one byte short"): "below 4 GiB the upper halves of the offsets are not read, and they come last",
}


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def examined(form: Format, path: Path) -> Examination:
    return form.examine(path.parent, (path.name,))


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize("name", ["slide.{}", "dí a [x] #1 %20.tif"])
def test_a_whole_file_is_recognised_claimed_sound_and_says_what_it_is(tmp_path: Path, kind: str, name: str) -> None:
    form, make, metadata = FAMILIES[kind]
    path = written(tmp_path, name.format(kind), make())
    assert form.recognises(path.read_bytes()[:1024], path.name)
    claim = form.claim(path)
    assert (claim.format, claim.lists, claim.title, claim.problems) == (kind, (path.name,), path.stem, ())
    found = examined(form, path)
    assert (found.sound, found.problems, found.missing) == (True, (), ())
    assert found.metadata == metadata
    assert set(found.sources) == set(metadata)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", FAMILIES)
def test_a_damaged_file_is_not_sound(tmp_path: Path, kind: str, damage: str) -> None:
    form, make, _ = FAMILIES[kind]
    path = written(tmp_path, f"slide.{kind}", DAMAGES[damage](make()))
    found = examined(form, path)
    if (kind, damage) in CANNOT_TELL:
        assert found.sound, "no longer an exception: take it off the list"
    else:
        assert found.sound is False
        assert found.problems[0].startswith(f"{path.name}: ")
    claim = form.claim(path)
    assert claim.lists == (path.name,)
    assert kind != "ndpi" or claim.format == "ndpi"  # the walk of a plain TIFF would not judge it


def test_whichever_kind_is_asked_the_file_is_claimed_by_its_own(tmp_path: Path) -> None:
    for kind, (_, make, _) in FAMILIES.items():
        path = written(tmp_path, "slide.tif", make())
        assert {form.claim(path).format for form, _, _ in FAMILIES.values()} == {kind}


def test_what_is_none_of_them_stays_a_plain_tiff(tmp_path: Path) -> None:
    short, long = tiff([{270: "a plain text"}]), tiff([{}] * 40)
    for data in (short, long):
        path = written(tmp_path, "plain.svs", data)
        assert {form.claim(path).format for form, _, _ in FAMILIES.values()} == {"tiff"}
    assert not any(form.recognises(short[:1024], "plain.tif") for form, _, _ in FAMILIES.values())
    dicom = short[:128].ljust(128, b"\0") + b"DICM" + bytes(100)
    assert not any(form.recognises(dicom, "plain.tif") for form, _, _ in FAMILIES.values())


def test_an_ome_tiff_that_mentions_a_scanner_stays_one(tmp_path: Path) -> None:
    ome = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"/></OME>'
    path = written(tmp_path, "a.ome.tif", tiff([{270: ome, 305: "PerkinElmer-QPI"}]))
    assert QPTIFF.claim(path).format == "ome-tiff"


def test_a_slide_whose_tiles_were_not_written_is_not_sound(tmp_path: Path) -> None:
    tiles = 400
    page: dict[int, Value] = {270: APERIO, 256: 320, 257: 320, 322: 16, 323: 16}
    data = tiff([page])
    offsets, counts = struct.pack(f"<{tiles}I", *[8] * tiles), struct.pack(f"<{tiles}I", 256, *[0] * (tiles - 1))
    # the lists are appended, and the two fields of the strip become those of the tiles
    at = len(data)
    entries = {273: (324, at), 279: (325, at + len(offsets))}
    fixed = bytearray(data)
    for start in range(len(data) - 12):
        tag, kind, count = struct.unpack_from("<HHI", data, start)
        if tag in entries and (kind, count) == (4, 1) and start > 256:
            struct.pack_into("<HHII", fixed, start, entries[tag][0], 4, tiles, entries[tag][1])
    path = written(tmp_path, "corrupted.svs", bytes(fixed) + offsets + counts)
    found = examined(SVS, path)
    assert found.sound is False
    assert "399 of the 400 tiles" in found.problems[0]


def test_a_page_that_the_leica_xml_lists_and_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, "a.scn", tiff([{270: LEICA}], big=True))
    found = examined(SCN, path)
    assert found.sound is False
    assert found.problems == ("a.scn: incomplete: its XML lists page 2, the file has 1",)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("gift", ["<!DOCTYPE scn [<!ENTITY a 'aaaa'>]>", "<a>" * 200_000])
def test_xml_made_to_hurt_is_a_finding(tmp_path: Path, gift: str) -> None:
    xml = f"{gift}<scn xmlns='http://www.leica-microsystems.com/scn/2010/10/01'/>"
    path = written(tmp_path, "a.scn", tiff([{270: xml if len(gift) < 100 else LEICA + gift}], big=True))
    found = examined(SCN, path)
    assert found.sound is False
    assert "XML description" in found.problems[0]


def test_fewer_frames_than_meant_are_only_remarked_on(tmp_path: Path) -> None:
    path = written(tmp_path, "a.eer", tiff([{65001: FALCON.encode()}, {}], big=True))
    found = examined(EER, path)
    assert found.sound is True
    assert found.remarks == ("a.eer: it was to have 3 frames and has 2",)


def test_an_ndpi_slide_above_4_gib_is_followed_to_its_end(tmp_path: Path) -> None:
    size = (5 << 30) + 7
    path = written(tmp_path, "large.ndpi", synthetic_ndpi(size=size))
    with path.open("r+b") as file:
        file.truncate(size)  # sparse: takes no space
    assert NDPI.claim(path).format == "ndpi"
    assert examined(NDPI, path).sound is True
    with path.open("r+b") as file:
        file.truncate(size - 1)
    found = examined(NDPI, path)
    assert found.problems == (
        f"large.ndpi: cut off: the image data of page 1 should end at byte {size}, the file has {size - 1}",
    )


def test_an_ndpi_whose_pages_never_end_is_told(tmp_path: Path) -> None:
    data = bytearray(synthetic_ndpi())
    (first,) = struct.unpack_from("<Q", data, 4)
    struct.pack_into("<I", data, first + 2 + 13 * 12, first)
    found = examined(NDPI, written(tmp_path, "a.ndpi", bytes(data)))
    assert found.sound is False
    assert "never ends" in found.problems[0]


@given(kind=st.sampled_from(sorted(FAMILIES)), at=st.floats(0, 0.999), new=st.binary(max_size=40))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_change_of_a_file_is_a_finding_or_nothing(kind: str, at: float, new: bytes) -> None:
    form, make, _ = FAMILIES[kind]
    data = make()
    start = int(at * len(data))
    everything_asked(form, data[:start] + new + data[start + len(new) :])


@given(kind=st.sampled_from(sorted(FAMILIES)), data=st.binary(max_size=300))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_bytes_are_a_finding(kind: str, data: bytes) -> None:
    everything_asked(FAMILIES[kind][0], b"II*\0" + data)


def everything_asked(form: Format, data: bytes) -> None:
    form.recognises(data[:1024], "a.ndpi")
    with TemporaryDirectory() as folder:
        path = written(Path(folder), "a.ndpi", data)
        assert path.name in form.claim(path).lists
        assert (examined(form, path).sound is False) == bool(examined(form, path).problems)
