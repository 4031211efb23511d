"""Olympus/Evident VSI. No real file is at hand: `synthetic_vsi` follows the published layout (reference 2.5)."""

import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats.vsi import FORMAT

ETS = "_slide_/stack1/frame_t_0.ets"

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one byte short": lambda data: data[:-1],
    "half": lambda data: data[: len(data) // 2],
    "only the header": lambda data: data[:64],
    "tail of zeros": lambda data: data[: len(data) * 3 // 4].ljust(len(data), b"\0"),
    "empty": lambda _: b"",
}
GROWING: dict[str, Callable[[bytes], bytes]] = {
    "no table yet": lambda data: data[:32] + bytes(12) + data[44:400],
    "preallocated": lambda data: bytes(len(data)),
}


def volume(*records: bytes) -> bytes:
    """A set of records; each is its 16 bytes of header, with the link still open, and its value."""
    data, at = b"", 24
    for number, record in enumerate(records):
        kind, tag, _, size = struct.unpack_from("<4I", record)
        link = at + len(record) if number < len(records) - 1 else 0
        data += struct.pack("<4I", kind, tag, link, size) + record[16:]
        at += len(record)
    return b"\x18\0IS" + struct.pack("<5I", 0x192, 24 if records else 0, 0, len(records), 0) + data


def record(tag: int, value: bytes, kind: int = 0x1) -> bytes:
    return struct.pack("<4I", kind, tag, 0, len(value)) + value


def below(tag: int, *records: bytes) -> bytes:
    return struct.pack("<4I", 0x80000000, tag, 0, 0) + volume(*records)


def synthetic_vsi(external: int = 1, more: bytes = b"") -> bytes:
    """The header of a TIFF, the tree of records, and one page of one strip behind them."""
    stack = below(
        2001,
        below(2005, record(2015, struct.pack("<q", 1_600_000_000), 0x7), record(2021, b"DAPI\0")),
        record(120063, "UPLXAPO 20X".encode("utf-16-le"), 0x2000),
        struct.pack("<4I", 0x40000005, 20005, 0, external),
    )
    info = below(2004, below(2109, record(34, b"VS200 ASW"), record(35, b"3.4")))
    tree = volume(below(2000, stack, info)) + more
    strip = 8 + len(tree)
    tags = ((256, 4), (257, 2), (258, 8), (273, strip), (278, 2), (279, 8))
    page = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<I", strip + 8) + tree + bytes(8) + page + bytes(4)


def synthetic_ets(tiles: int = 3) -> bytes:
    """Headers, tiles of 100 bytes, and the table of them at the end."""
    place = 64 + 228
    table = b"".join(struct.pack("<5IQII", 4, n, 0, 0, 0, place + 100 * n, 100, n) for n in range(tiles))
    header = b"SIS\0" + struct.pack("<IIIQIIQI", 64, 3, 4, 64, 228, 0, place + 100 * tiles, tiles)
    return header.ljust(64, b"\0") + b"ETS\0".ljust(228, b"\0") + bytes(100 * tiles) + table


def synthetic_slide(folder: Path, name: str = "slide") -> None:
    (folder / f"{name}.vsi").write_bytes(synthetic_vsi())
    (folder / f"_{name}_" / "stack1").mkdir(parents=True)
    (folder / f"_{name}_" / "stack1" / "frame_t_0.ets").write_bytes(synthetic_ets())
    (folder / f"_{name}_" / "stack1" / "blob_1.ets").write_bytes(b"focus")


@pytest.mark.parametrize("name", ["slide", "a b [1] #2 100% é"])
def test_a_whole_slide_is_sound_and_describes_itself(tmp_path: Path, name: str) -> None:
    synthetic_slide(tmp_path, name)
    assert FORMAT.recognises(synthetic_vsi()[:1024], f"{name}.vsi")
    claim = FORMAT.claim(tmp_path / f"{name}.vsi")
    assert (claim.lists, claim.title) == ((f"{name}.vsi", f"_{name}_/"), name)
    found = FORMAT.examine(tmp_path, (f"{name}.vsi",))
    assert (found.sound, found.problems, found.missing, found.remarks) == (True, (), (), ())
    assert found.metadata == {
        "acquired": "2020-09-13T12:26:40+00:00",
        "objective": "UPLXAPO 20X",
        "channels": "DAPI",
        "software": "VS200 ASW 3.4",
    }
    assert found.sources.keys() == found.metadata.keys()


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("part", ["slide.vsi", ETS])
def test_a_damaged_part_is_found(tmp_path: Path, part: str, damage: str) -> None:
    synthetic_slide(tmp_path)
    (tmp_path / part).write_bytes(DAMAGES[damage]((tmp_path / part).read_bytes()))
    found = FORMAT.examine(tmp_path, ("slide.vsi",))
    assert found.sound is False
    assert found.problems[0].startswith(f"{part}: ")


@pytest.mark.parametrize("state", GROWING)
def test_an_image_that_is_still_written_is_unfinished(tmp_path: Path, state: str) -> None:
    synthetic_slide(tmp_path)
    (tmp_path / ETS).write_bytes(GROWING[state](synthetic_ets()))
    (problem,) = FORMAT.examine(tmp_path, ("slide.vsi",)).problems
    assert problem.startswith(f"{ETS}: unfinished")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "slide.vsi").write_bytes(synthetic_vsi())
    assert FORMAT.claim(tmp_path / "slide.vsi").lists == ("slide.vsi", "_slide_/")
    found = FORMAT.examine(tmp_path, ("slide.vsi",))
    assert (found.sound, found.missing) == (False, ("_slide_/",))
    assert found.problems == ("_slide_: missing, slide.vsi says that its images are in that folder",)


def test_a_file_that_keeps_its_image_in_itself_needs_no_folder(tmp_path: Path) -> None:
    (tmp_path / "slide.vsi").write_bytes(synthetic_vsi(external=0))
    assert FORMAT.claim(tmp_path / "slide.vsi").lists == ("slide.vsi",)
    assert FORMAT.examine(tmp_path, ("slide.vsi",)).sound


def test_tiles_name_the_vsi_that_is_to_come(tmp_path: Path) -> None:
    synthetic_slide(tmp_path, "a b.1")
    stack = tmp_path / "_a b.1_" / "stack1"
    assert FORMAT.recognises(synthetic_ets()[:1024], "frame_t_0.ets")
    claim = FORMAT.claim(stack / "frame_t_0.ets")
    assert (claim.lists, claim.title) == (("frame_t_0.ets", "../../a b.1.vsi"), "a b.1")


def test_tiles_elsewhere_are_a_set_of_their_own_and_checked(tmp_path: Path) -> None:
    (tmp_path / "copy.ets").write_bytes(synthetic_ets())
    assert FORMAT.claim(tmp_path / "copy.ets").lists == ("copy.ets",)
    assert FORMAT.examine(tmp_path, ("copy.ets",)).sound
    (tmp_path / "copy.ets").write_bytes(synthetic_ets()[:-40])
    assert FORMAT.examine(tmp_path, ("copy.ets",)).sound is False


def test_a_missing_vsi_is_named_and_its_images_are_checked(tmp_path: Path) -> None:
    synthetic_slide(tmp_path)
    (tmp_path / "slide.vsi").unlink()
    (tmp_path / ETS).write_bytes(b"")
    found = FORMAT.examine(tmp_path, ("slide.vsi",))
    assert found.missing == ("slide.vsi",)
    assert len(found.problems) == 2


def test_a_plain_tiff_is_not_claimed() -> None:
    assert not FORMAT.recognises(b"II*\0\x08\0\0\0\x01\0" + bytes(100), "photo.vsi")


def deep() -> bytes:
    tree = record(1, b"")
    for tag in range(500):
        tree = below(tag, tree)
    return b"II*\0\0\0\0\0" + volume(tree)


def circle() -> bytes:
    return b"II*\0\0\0\0\0\x18\0IS" + struct.pack("<5I", 1, 24, 0, 0x0FFFFFFF, 0) + struct.pack("<4I", 1, 1, 24, 0)


def absurd_ets() -> bytes:
    return synthetic_ets()[:40] + b"\xff\xff\xff\xff" + synthetic_ets()[44:]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("part", "data"),
    [
        ("slide.vsi", deep()),
        ("slide.vsi", circle()),
        (ETS, absurd_ets()),
        (ETS, synthetic_ets(1).ljust(1 << 24, b"\0")),
    ],
    ids=["deep", "circle", "tiles", "padding"],
)
def test_malicious_files_cost_little(tmp_path: Path, part: str, data: bytes) -> None:
    synthetic_slide(tmp_path)
    (tmp_path / part).write_bytes(data)
    tracemalloc.start()
    found = FORMAT.examine(tmp_path, ("slide.vsi",))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50 << 20
    assert len((*found.problems, *found.remarks)) == 1


def test_a_file_with_more_records_than_are_checked_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watcher.formats.vsi.MAX_RECORDS", 5)
    synthetic_slide(tmp_path)
    found = FORMAT.examine(tmp_path, ("slide.vsi",))
    assert found.sound is None
    assert found.checked == "unchecked: slide.vsi: it has more than 5 records"


WHOLE = synthetic_vsi()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.binary(max_size=200), st.integers(0, len(WHOLE) - 1), st.booleans(), st.booleans())
def test_no_content_crashes(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int, whole: bool, tiles: bool
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    synthetic_slide(folder)
    path = folder / (ETS if tiles else "slide.vsi")
    good = path.read_bytes()
    data = good[:at] + junk + good[at + len(junk) :] if whole else junk
    path.write_bytes(data)
    FORMAT.recognises(data[:1024], path.name)
    assert "slide.vsi" in FORMAT.claim(folder / "slide.vsi").lists
    assert FORMAT.examine(folder, ("slide.vsi",)).sound in (True, False, None)
