"""DM3 and DM4, synthetic after the published layout: versions, byte orders, damage, absurd tags, random bytes."""

import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.formats.electron_files import DAMAGES, NAMES, Tree, dm_data, dm_file, dm_text, synthetic_dm
from watcher.formats.base import Examination
from watcher.formats.dm import FORMAT, MAX_TAGS

KINDS = [(3, "<"), (3, ">"), (4, "<"), (4, ">")]
GOOD = synthetic_dm()


def examined(tmp_path: Path, data: bytes, name: str = "image.dm4") -> Examination:
    (tmp_path / name).write_bytes(data)
    return FORMAT.examine(tmp_path, (name,))


@pytest.mark.parametrize(("version", "order"), KINDS)
def test_every_version_and_byte_order_is_sound_and_says_the_same(tmp_path: Path, version: int, order: str) -> None:
    data = synthetic_dm(version, order)
    assert FORMAT.recognises(data[:1024], "x")
    found = examined(tmp_path, data)
    assert (found.sound, found.problems, found.checked) == (True, (), "dm:tag-walk")
    assert found.metadata == {
        "size": "6x4x1x1x1",
        "pixel_size_um": "0.0005x0.0005",
        "instrument": "Titan Ø",
        "objective": "81000x",
        "software": "DigitalMicrograph 3.22.1461.0",
        "acquired": "2022-10-11T16:40:37+00:00",
    }
    assert found.sources["size"] == "ImageList/1/ImageData/Dimensions"


@pytest.mark.parametrize("behind", [4, 8])
def test_both_ways_to_tell_the_length_are_known(tmp_path: Path, behind: int) -> None:
    assert examined(tmp_path, dm_file({"a": dm_data((3,), bytes(4))}, behind=behind)).sound


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(("version", "order"), KINDS)
def test_a_damaged_file_is_not_sound(tmp_path: Path, version: int, order: str, damage: str) -> None:
    found = examined(tmp_path, DAMAGES[damage](synthetic_dm(version, order)))
    assert found.sound is False
    assert found.problems[0].startswith("image.dm4: ")


def test_zeroed_pixels_cannot_be_told_from_black_ones(tmp_path: Path) -> None:
    pixels = dm_data((20, 4, 5000), b"\x01" * 10_000)
    data = dm_file({"Data": pixels})
    half = len(data) // 2
    assert examined(tmp_path, data[:half].ljust(len(data), b"\0")).sound, "if it is detectable now, say so here"


def test_a_file_that_goes_on_is_unfinished(tmp_path: Path) -> None:
    found = examined(tmp_path, GOOD + bytes(500))
    assert found.problems[0].startswith("image.dm4: unfinished: its header tells of an end at byte ")


def test_a_cut_names_both_sizes(tmp_path: Path) -> None:
    size = len(GOOD)
    assert examined(tmp_path, GOOD[:-1]).problems == (
        f"image.dm4: cut off: the zero bytes that close the file should end at byte {size}, the file has {size - 1}",
    )


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"hello world, this is no image", "not a DM3 or DM4"),
        (dm_file({"a": dm_data((99,), b"")}), "of a kind (99)"),
        (dm_file({"a": dm_data((20,), b"")}), "ends too early"),
        (dm_file({"a": dm_data((20,) * 900, b"")}), "lists of lists"),
        (dm_file({"a": dm_data((20, 4, 2**60), b"")}), "the data of a tag should end"),
        (dm_file({"a": dm_data((15, 0, 2**60), b"")}), "ends too early"),
        (dm_file({"a": b"%%%%" + struct.pack(">Q", 2**62)}), "numbers describe"),
        (dm_file({"a": b"????" + bytes(20)}), "do not begin"),
    ],
)
def test_what_contradicts_itself_is_said_in_words(tmp_path: Path, data: bytes, says: str) -> None:
    found = examined(tmp_path, data)
    assert found.sound is False
    assert says in found.problems[0]


def deep() -> bytes:
    tree: Tree = {"a": dm_data((3,), bytes(4))}
    for _ in range(200):
        tree = {"a": tree}
    return dm_file(tree)


def wide() -> bytes:
    return dm_file({f"#{index}": dm_data((3,), bytes(4)) for index in range(MAX_TAGS + 100)})


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("make", "sound"), [(deep, False), (wide, None)])
def test_a_file_made_to_hurt_costs_little_time(tmp_path: Path, make: Callable[[], bytes], sound: bool | None) -> None:
    (tmp_path / "image.dm4").write_bytes(make())
    found = FORMAT.examine(tmp_path, ("image.dm4",))
    assert found.sound is sound


def test_many_images_that_say_much_cost_little_memory(tmp_path: Path) -> None:
    image: Tree = {"ImageTags": {"GMS Version": {"Created": dm_text("x" * 490)}}}
    (tmp_path / "image.dm4").write_bytes(dm_file({"ImageList": {f"#{index}": image for index in range(4000)}}))
    tracemalloc.start()
    assert FORMAT.examine(tmp_path, ("image.dm4",)).sound
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 << 20


@pytest.mark.parametrize("stem", NAMES)
def test_names_do_not_matter(tmp_path: Path, stem: str) -> None:
    name = f"{stem}.dm4"
    assert examined(tmp_path, GOOD, name).sound
    assert (FORMAT.claim(tmp_path / name).lists, FORMAT.claim(tmp_path / name).title) == ((name,), stem)


@pytest.mark.parametrize("data", [b"", bytes(1024), b"\0\0\0\3" + b"x" * 100, b"\0\0\0\4" + bytes(11) + b"\2" * 50])
def test_what_only_looks_like_it_is_not_claimed(data: bytes) -> None:
    assert not FORMAT.recognises(data, "image.dm3")


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=400),
        st.builds(
            lambda at, raw: GOOD[:at] + raw + GOOD[at + len(raw) :],
            st.integers(0, len(GOOD)),
            st.binary(min_size=1, max_size=9),
        ),
    )
)
def test_no_bytes_crash_it(tmp_path: Path, data: bytes) -> None:
    FORMAT.recognises(data[:1024], "image.dm4")
    assert examined(tmp_path, data).sound in (True, False, None)
    assert FORMAT.claim(tmp_path / "image.dm4").lists == ("image.dm4",)
