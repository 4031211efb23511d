"""MRC files: the size equation in all modes and both byte orders, growing stacks, damage, and random bytes."""

import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.formats.electron_files import DAMAGES, NAMES, synthetic_mrc
from watcher.formats.base import Examination
from watcher.formats.mrc import BITS, FORMAT

SAMPLES = ["EMD-3001.map", "EMD-3197.map"]
GOOD = synthetic_mrc(titles=(b"SerialEM: Krios 3   01-Aug-2022  18:58:31",), extended=bytes(80))


def examined(tmp_path: Path, data: bytes, name: str = "stack.mrc") -> Examination:
    (tmp_path / name).write_bytes(data)
    return FORMAT.examine(tmp_path, (name,))


@pytest.mark.samples
@pytest.mark.parametrize("name", SAMPLES)
def test_a_real_map_is_sound(samples: Path, name: str) -> None:
    path = samples / "mrc" / name
    assert FORMAT.recognises(path.read_bytes()[:1024], name)
    assert FORMAT.claim(path).lists == (name,)
    found = FORMAT.examine(path.parent, (name,))
    assert (found.sound, found.problems, found.checked) == (True, (), "mrc:size-equation")


@pytest.mark.samples
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", SAMPLES)
def test_a_damaged_map_is_not_sound(samples: Path, tmp_path: Path, name: str, damage: str) -> None:
    found = examined(tmp_path, DAMAGES[damage]((samples / "mrc" / name).read_bytes()), name)
    if damage == "tail of zeros":
        assert found.sound, "its tail is voxels, which may all be zero; if it is detectable now, say so here"
    else:
        assert found.sound is False
        assert found.problems[0].startswith(f"{name}: ")


@pytest.mark.samples
def test_packed_maps_are_not_claimed(samples: Path) -> None:
    for path in [*(samples / "mrc").glob("*.gz"), *(samples / "mrc").glob("*.bz2")]:
        assert not FORMAT.recognises(path.read_bytes()[:1024], path.name)


@pytest.mark.parametrize("mark", [b"MAP ", b"\0\0\0\0"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("mode", BITS)
def test_every_mode_and_byte_order_is_known(tmp_path: Path, mode: int, order: str, mark: bytes) -> None:
    data = synthetic_mrc(9, 5, 2, mode, order=order, mark=mark, extended=bytes(160))
    assert FORMAT.recognises(data[:1024], "old.st")
    assert examined(tmp_path, data).sound
    assert examined(tmp_path, data[:-1]).sound is False


def test_packed_rows_of_odd_width_end_at_a_whole_byte(tmp_path: Path) -> None:
    data = synthetic_mrc(9, 5, 2, 101)
    assert len(data) == 1024 + 5 * 5 * 2
    assert examined(tmp_path, data).sound


def test_a_cut_says_how_many_sections_are_whole(tmp_path: Path) -> None:
    data = synthetic_mrc(10, 7, 3, 1)
    assert examined(tmp_path, data[:-1]).problems == (
        "stack.mrc: cut off: the last of 3 sections (2 are whole) should end at byte 1444, the file has 1443",
    )


@pytest.mark.parametrize("more", [140, 139, 20])
def test_a_stack_that_is_longer_than_its_header_says_is_growing(tmp_path: Path, more: int) -> None:
    found = examined(tmp_path, synthetic_mrc() + bytes(more))
    assert found.sound is False
    assert found.problems[0].startswith("stack.mrc: unfinished: its header tells of 3 sections")


def test_a_few_bytes_behind_the_end_are_only_remarked(tmp_path: Path) -> None:
    found = examined(tmp_path, synthetic_mrc() + b"\n")
    assert found.sound
    assert found.remarks == ("stack.mrc: 1 bytes follow the last section",)


def test_a_header_without_sections_is_unfinished(tmp_path: Path) -> None:
    found = examined(tmp_path, synthetic_mrc(sections=0))
    assert found.problems == ("stack.mrc: unfinished: its header speaks of no section yet",)


def test_an_unknown_mode_is_unchecked(tmp_path: Path) -> None:
    found = examined(tmp_path, synthetic_mrc(mode=17))
    assert found.sound is None
    assert found.checked.startswith("unchecked: stack.mrc: pixels of mode 17")


def test_what_the_file_says_is_kept_with_its_source(tmp_path: Path) -> None:
    found = examined(tmp_path, GOOD)
    assert found.metadata == {
        "size": "10x7x3x1x1",
        "pixel_size_um": "0.0002x0.0002",
        "instrument": "Krios 3",
        "software": "SerialEM",
        "acquired": "2022-08-01T18:58:31",
    }
    assert found.sources["instrument"] == "header/title 1"


def test_a_pixel_of_one_angstrom_is_nobodys_statement(tmp_path: Path) -> None:
    assert "pixel_size_um" not in examined(tmp_path, synthetic_mrc(cell=(10.0, 7.0, 3.0))).metadata


def test_two_pixels_in_a_byte_count_twice(tmp_path: Path) -> None:
    data = bytearray(synthetic_mrc(10, 7, 3, 0))
    struct.pack_into("<2i", data, 152, 1146047817, 16)
    found = examined(tmp_path, bytes(data))
    assert (found.sound, found.metadata["size"]) == (True, "20x7x3x1x1")


def test_fei_headers_name_microscope_and_program(tmp_path: Path) -> None:
    names = b"".join(text.ljust(16, b"\0") for text in (b"TITAN", b"3926", b"EPU", b"2.9.0"))
    first = struct.pack("<2iId", 768, 0, 0b11111, 43000.5) + names
    found = examined(tmp_path, synthetic_mrc(kind=b"FEI1", extended=first.ljust(768, b"\0")))
    assert (found.metadata["instrument"], found.metadata["software"]) == ("TITAN 3926", "EPU 2.9.0")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "empty.mrc"),
        (b"hello " * 300, "text.mrc"),
        (bytes(1024), "zeros.mrc"),
        (synthetic_mrc(mark=b"\0" * 4), "old.dat"),
        (synthetic_mrc()[:96] + b"\xa0\xc0" + synthetic_mrc()[98:], "deltavision.mrc"),
        (b"M" * 208 + b"MAP " + b"x" * 812, "text.map"),
        (bytes(range(256)) * 4, "noise.mrc"),
    ],
)
def test_what_only_looks_like_it_is_not_claimed(data: bytes, name: str) -> None:
    assert not FORMAT.recognises(data[:1024], name)


@pytest.mark.parametrize("stem", NAMES)
def test_names_do_not_matter(tmp_path: Path, stem: str) -> None:
    name = f"{stem}.mrc"
    assert examined(tmp_path, GOOD, name).sound
    claim = FORMAT.claim(tmp_path / name)
    assert (claim.lists, claim.title) == ((name,), stem)


@pytest.mark.parametrize("field", [0, 4, 8, 92])
@pytest.mark.parametrize("value", [-1, 2**31 - 1])
def test_absurd_numbers_are_a_finding(tmp_path: Path, field: int, value: int) -> None:
    data = bytearray(GOOD)
    struct.pack_into("<i", data, field, value)
    found = examined(tmp_path, bytes(data))
    assert found.sound is False
    assert len(found.problems) == 1


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=1200),
        st.builds(lambda at, byte: _changed(at, byte), st.integers(0, 1023), st.binary(min_size=1, max_size=8)),
    )
)
def test_no_bytes_crash_it(tmp_path: Path, data: bytes) -> None:
    FORMAT.recognises(data[:1024], "stack.mrc")
    assert examined(tmp_path, data).sound in (True, False, None)
    assert FORMAT.claim(tmp_path / "stack.mrc").lists == ("stack.mrc",)


def _changed(at: int, raw: bytes) -> bytes:
    return GOOD[:at] + raw + GOOD[at + len(raw) :]
