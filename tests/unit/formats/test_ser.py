"""TIA series, synthetic after the published layout: versions, stopped and growing series, the .emi, damage."""

import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.formats.electron_files import DAMAGES, NAMES, synthetic_ser
from watcher.formats.base import Examination
from watcher.formats.ser import FORMAT

GOOD = synthetic_ser()
EMI = (
    b"JK\0\2 binary \xff <ObjectInfo><ExperimentalDescription><Root>"
    b"<Data><Label>Microscope</Label><Value>Tecnai 200 kV</Value></Data>"
    b"<Data><Label>User</Label><Value>somebody</Value></Data>"
    b"<Data><Label>Magnification</Label><Value>25000</Value></Data></Root></ExperimentalDescription>"
    b"<AcquireDate>Tue Apr 05 14:20:17 2016</AcquireDate><Manufacturer>FEI Company</Manufacturer>"
    b"</ObjectInfo> more \0"
)


def examined(tmp_path: Path, data: bytes, name: str = "scan_1.ser") -> Examination:
    (tmp_path / name).write_bytes(data)
    return FORMAT.examine(tmp_path, (name,))


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("version", [0x210, 0x220])
def test_every_version_is_sound(tmp_path: Path, version: int, axes: int) -> None:
    data = synthetic_ser(version=version, axes=axes)
    assert FORMAT.recognises(data[:1024], "x")
    found = examined(tmp_path, data)
    assert (found.sound, found.problems, found.checked) == (True, (), "ser:offset-table")
    assert found.metadata == {"size": "4x3x1x1x3" if axes == 2 else "5x1x1x1x3"}
    assert found.remarks == ("scan_1.ser: its .emi, which describes it, is not beside it",)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("version", [0x210, 0x220])
def test_a_damaged_series_is_not_sound(tmp_path: Path, version: int, damage: str) -> None:
    found = examined(tmp_path, DAMAGES[damage](synthetic_ser(version=version)))
    if damage == "tail of zeros":
        assert found.sound is False, "here the tail holds the beginning of an element"
    assert found.sound is False
    assert found.problems[0].startswith("scan_1.ser: ")


def test_zeroed_pixels_cannot_be_told_from_black_ones(tmp_path: Path) -> None:
    data = synthetic_ser(1)
    assert examined(tmp_path, data[:-20].ljust(len(data), b"\0")).sound, "if it is detectable now, say so here"


def test_a_cut_names_the_element(tmp_path: Path) -> None:
    size = len(GOOD)
    assert examined(tmp_path, GOOD[:-1]).problems == (
        f"scan_1.ser: cut off: the time of element 3 should end at byte {size}, the file has {size - 1}",
    )
    assert examined(tmp_path, GOOD[:-12]).problems[0].startswith("scan_1.ser: cut off: element 3 of 3 should end")


def test_a_stopped_series_is_remarked_and_one_without_elements_unfinished(tmp_path: Path) -> None:
    found = examined(tmp_path, synthetic_ser(5, written=2))
    assert found.sound
    assert "scan_1.ser: 2 of 5 elements were recorded" in found.remarks
    assert examined(tmp_path, synthetic_ser(5, written=0)).problems == (
        "scan_1.ser: unfinished: no element has been written yet",
    )


def test_a_preallocated_table_is_unfinished(tmp_path: Path) -> None:
    data = bytearray(GOOD)
    data[34 + 8 : 34 + 16] = bytes(8)
    assert examined(tmp_path, bytes(data)).problems[0].startswith("scan_1.ser: unfinished: the table of its elements")


@pytest.mark.parametrize("emi", ["scan.emi", "scan.EMI"])
def test_all_series_of_one_emi_are_one_set_that_it_describes(tmp_path: Path, emi: str) -> None:
    (tmp_path / emi).write_bytes(EMI)
    for name in ("scan_1.ser", "scan_2.ser"):
        (tmp_path / name).write_bytes(GOOD)
        claim = FORMAT.claim(tmp_path / name)
        assert (claim.lists, claim.title) == ((name, emi), "scan")
    found = FORMAT.examine(tmp_path, ("scan_1.ser", "scan_2.ser"))
    assert (found.sound, found.remarks) == (True, ())
    assert found.metadata == {
        "size": "4x3x1x1x3",
        "acquired": "2016-04-05T14:20:17",
        "instrument": "FEI Company Tecnai 200 kV",
        "experimenter": "somebody",
        "objective": "25000x",
    }
    assert found.sources["acquired"] == "emi/ObjectInfo/AcquireDate"


@pytest.mark.parametrize(
    "emi",
    [
        b"",
        b"binary only",
        b"<ObjectInfo>" + b"<a>" * 50 + b"</ObjectInfo>",
        b"<ObjectInfo>" + b" " * (2 << 20) + b"</ObjectInfo>",
    ],
)
def test_an_emi_that_cannot_be_read_is_remarked(tmp_path: Path, emi: bytes) -> None:
    (tmp_path / "scan.emi").write_bytes(emi)
    found = examined(tmp_path, GOOD)
    assert found.sound
    assert found.remarks[0].startswith("scan_1.ser: scan.emi holds ")


@pytest.mark.parametrize("stem", NAMES)
def test_names_do_not_matter(tmp_path: Path, stem: str) -> None:
    name = f"{stem}.ser"
    assert examined(tmp_path, GOOD, name).sound
    assert (FORMAT.claim(tmp_path / name).lists, FORMAT.claim(tmp_path / name).title) == ((name,), stem)


@pytest.mark.parametrize("data", [b"", b"II*\0\x08\0\0\0", b"II\x97\x01\x30\x02", bytes(100)])
def test_what_only_looks_like_it_is_not_claimed(data: bytes) -> None:
    assert not FORMAT.recognises(data, "scan_1.ser")


def many(number: int) -> bytes:
    """So many elements that all are the same one."""
    head = struct.pack("<4sH4iqi", b"II\x97\x01", 0x220, 0x4122, 0x4152, number, number, 34, 0)
    place = len(head) + 16 * number
    element = struct.pack("<ddi", 0.0, 1.0, 0) * 2 + struct.pack("<h2i", 1, 1, 1) + bytes(20)
    return head + struct.pack("<q", place) * 2 * number + element


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (synthetic_ser(3, written=4), "4 of 3 elements"),
        (GOOD[:14] + struct.pack("<2i", 2**31 - 1, 2**31 - 1) + GOOD[22:], "the table of its elements should end"),
        (GOOD[:6] + b"xxxx" + GOOD[10:], "a kind of series"),
        (GOOD[:22] + struct.pack("<q", -5) + GOOD[30:], "the place of the table"),
        (GOOD[:34] + struct.pack("<q", 2**62) + GOOD[42:], "element 1 of 3 should end"),
    ],
)
def test_absurd_numbers_are_a_finding(tmp_path: Path, data: bytes, says: str) -> None:
    found = examined(tmp_path, data)
    assert found.sound is False
    assert says in found.problems[0]


@pytest.mark.timeout(60)
def test_a_series_of_millions_costs_little(tmp_path: Path) -> None:
    (tmp_path / "scan_1.ser").write_bytes(many(500_000))
    found = FORMAT.examine(tmp_path, ("scan_1.ser",))
    assert found.sound


def test_a_long_table_costs_little_memory(tmp_path: Path) -> None:
    (tmp_path / "scan_1.ser").write_bytes(many(60_000))
    tracemalloc.start()
    FORMAT.examine(tmp_path, ("scan_1.ser",))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 << 20


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=300),
        st.builds(
            lambda at, raw: GOOD[:at] + raw + GOOD[at + len(raw) :],
            st.integers(0, len(GOOD)),
            st.binary(min_size=1, max_size=9),
        ),
    )
)
def test_no_bytes_crash_it(tmp_path: Path, data: bytes) -> None:
    FORMAT.recognises(data[:1024], "scan_1.ser")
    assert examined(tmp_path, data).sound in (True, False, None)
    assert FORMAT.claim(tmp_path / "scan_1.ser").lists == ("scan_1.ser",)
