"""Olympus/Evident OIR. No real file can be reached: `synthetic_oir` follows the published layout (reference 2.5)."""

import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats.oir import FORMAT

CHANNELS = {"11111111-aaaa": "CH1", "22222222-bbbb": "CH2"}

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "one byte short": lambda data: data[:-1],
    "half": lambda data: data[: len(data) // 2],
    "only the header": lambda data: data[:96],
    "tail of zeros": lambda data: data[: len(data) * 3 // 4].ljust(len(data), b"\0"),
    "empty": lambda _: b"",
    "index not written": lambda data: data[:32] + bytes(20) + data[52:],
    "preallocated": lambda data: data[:32] + bytes(20) + data[52:200].ljust(1 << 20, b"\0"),
}


def properties(z: int, channels: dict[str, str] = CHANNELS) -> bytes:
    named = "".join(
        f'<p:channel id="{uid}" order="1"><p:name>{name}</p:name></p:channel>' for uid, name in channels.items()
    )
    return f"""<?xml version="1.0" encoding="ASCII"?>
<lsmimage:imageProperties xmlns:lsmimage="l" xmlns:c="c" xmlns:p="p" xmlns:b="b">
<c:general><b:creationDateTime>2020-12-23T14:44:50.939+13:00</b:creationDateTime></c:general>
<c:systemName>FV3000</c:systemName><c:systemVersion>2.5.1</c:systemVersion>
<c:objectiveLens><b:name>UPLSAPO30XS</b:name></c:objectiveLens>
<c:imageInfo><c:width>8</c:width><c:height>4</c:height>
<p:axis enable="true"><p:axis>ZSTACK</p:axis><p:step>0.5</p:step><p:maxSize>{z}</p:maxSize></p:axis>
{named}<p:length><p:x>0.2</p:x><p:y>0.2</p:y></p:length>
<p:pixelUnit><p:x>MICRO_METER</p:x><p:y>MICRO_METER</p:y></p:pixelUnit></c:imageInfo>
</lsmimage:imageProperties>""".encode()


def block(kind: int, payload: bytes) -> bytes:
    return struct.pack("<II", len(payload), kind) + payload


def plane(z: int, channel: str) -> list[bytes]:
    blocks = []
    for part in (0, 1):
        name = f"z{z:03}_0_1_{channel}_{part}".encode()
        blocks += [block(3, struct.pack("<III", part * 32, 32, len(name)) + name), block(4, bytes(32))]
    return blocks


def synthetic_oir(planes: range = range(1, 4), document: bytes | None = properties(3)) -> bytes:
    """A file with its planes of two channels in two parts each; a continuation has no document."""
    blocks = [one for z in planes for channel in CHANNELS for one in plane(z, channel)]
    if document is not None:
        blocks.append(block(0, bytes(36) + struct.pack("<I", len(document)) + document))
    offsets, at = [], 96
    for one in blocks:
        offsets.append(at)
        at += len(one)
    index = b"\xff\xff\xff\xff" + struct.pack(f"<{len(offsets)}Q", *offsets)
    header = b"OLYMPUSRAWFORMAT" + struct.pack("<4IQQI", 12, 0, 1, 2, at + len(index), at, len(offsets))
    return header.ljust(96, b"\0") + b"".join(blocks) + index


def written(folder: Path, **files: bytes) -> None:
    for name, data in files.items():
        (folder / name.replace("_oir", ".oir")).write_bytes(data)


@pytest.mark.parametrize("name", ["scan.oir", "a b [1] #2 100% é.oir"])
def test_a_whole_file_is_sound_and_describes_itself(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(synthetic_oir())
    assert FORMAT.recognises(synthetic_oir()[:1024], name)
    assert FORMAT.claim(tmp_path / name).lists == (name,)
    found = FORMAT.examine(tmp_path, (name,))
    assert (found.sound, found.problems, found.remarks) == (True, (), ())
    assert found.metadata == {
        "acquired": "2020-12-23T14:44:50.939+13:00",
        "instrument": "FV3000",
        "objective": "UPLSAPO30XS",
        "channels": "CH1, CH2",
        "size": "8x4x3x2x1",
        "pixel_size_um": "0.2x0.2x0.5",
        "software": "FV3000 2.5.1",
    }
    assert found.sources.keys() == found.metadata.keys()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_growing_file_is_not_sound(tmp_path: Path, damage: str) -> None:
    written(tmp_path, scan_oir=DAMAGES[damage](synthetic_oir()))
    found = FORMAT.examine(tmp_path, ("scan.oir",))
    assert found.sound is False
    assert found.problems[0].startswith("scan.oir: ")
    if damage in ("index not written", "preallocated"):
        assert found.problems[0].startswith("scan.oir: unfinished: ")


def test_a_file_and_its_continuations_are_one_set(tmp_path: Path) -> None:
    rest = {"scan_00001": synthetic_oir(range(3, 4), None), "scan_00002": synthetic_oir(range(4, 6), None)}
    written(tmp_path, scan_oir=synthetic_oir(range(1, 3), properties(5)), **rest)
    claim = FORMAT.claim(tmp_path / "scan_00002")
    assert (claim.lists, claim.title) == (("scan.oir", "scan_00002"), "scan")
    assert FORMAT.examine(tmp_path, ("scan.oir", *rest)).problems == ()
    (tmp_path / "scan_00001").unlink()
    found = FORMAT.examine(tmp_path, ("scan.oir", "scan_00002"))
    assert found.missing == ("scan_00001",)
    assert found.problems == ("scan_00001: missing, scan_00002 is there",)
    found = FORMAT.examine(tmp_path, ("scan.oir",))
    assert found.problems == (
        "scan.oir: incomplete: it says that it has 10 planes, its files hold 4; scan_00001 may be missing",
    )


def test_a_continuation_without_its_main_file_misses_it(tmp_path: Path) -> None:
    written(tmp_path, scan_00001=synthetic_oir(document=None))
    found = FORMAT.examine(tmp_path, ("scan_00001",))
    assert (found.sound, found.missing) == (False, ("scan.oir",))
    assert found.problems == ("scan.oir: missing, scan_00001 continues it",)


def test_a_file_without_its_last_document_is_unfinished(tmp_path: Path) -> None:
    written(tmp_path, scan_oir=synthetic_oir(document=None))
    (problem,) = FORMAT.examine(tmp_path, ("scan.oir",)).problems
    assert problem.startswith("scan.oir: unfinished: what the image is")


def test_bytes_of_an_older_index_behind_the_end_are_only_told(tmp_path: Path) -> None:
    written(tmp_path, scan_oir=synthetic_oir() + bytes(237))
    found = FORMAT.examine(tmp_path, ("scan.oir",))
    assert (found.sound, found.remarks) == (True, ("scan.oir: 237 bytes follow the end of the image",))


def test_a_part_that_was_overwritten_is_found(tmp_path: Path) -> None:
    data = bytearray(synthetic_oir())
    data[96:104] = bytes(8)
    written(tmp_path, scan_oir=bytes(data))
    (problem,) = FORMAT.examine(tmp_path, ("scan.oir",)).problems
    assert problem.startswith("scan.oir: damaged: part 2 should begin at byte 104")


def test_a_long_file_is_visited_at_both_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watcher.formats.oir.MAX_BLOCKS", 10)
    monkeypatch.setattr("watcher.formats.oir.LAST_BLOCKS", 5)
    written(tmp_path, scan_oir=synthetic_oir())
    found = FORMAT.examine(tmp_path, ("scan.oir",))
    assert found.sound
    assert found.remarks == ("scan.oir: it has 25 parts, of which the first 10 and the last 5 were visited",)
    assert found.metadata["size"] == "8x4x3x2x1"
    data = synthetic_oir()
    at = data.rindex(b"z003_0_1_22222222-bbbb_1") - 20
    written(tmp_path, scan_oir=data[:at] + bytes(8) + data[at + 8 :])
    assert FORMAT.examine(tmp_path, ("scan.oir",)).sound is False


BOMB = properties(1).replace(b"<lsmimage", b'<!DOCTYPE a [<!ENTITY b "' + b"c" * 1000 + b'">]><lsmimage', 1)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "data",
    [
        synthetic_oir(document=BOMB),
        synthetic_oir(document=properties(9_999_999)),
        synthetic_oir()[:48] + b"\xff\xff\xff\xff" + synthetic_oir()[52:],
        synthetic_oir()[:40] + b"\xfe" + b"\xff" * 7 + synthetic_oir()[48:],
    ],
    ids=["entities", "planes", "parts", "index"],
)
def test_malicious_files_are_a_problem_and_cost_little(tmp_path: Path, data: bytes) -> None:
    written(tmp_path, scan_oir=data, scan_99999=synthetic_oir())
    tracemalloc.start()
    found = FORMAT.examine(tmp_path, ("scan.oir", "scan_99999"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50 << 20
    assert found.sound is False
    assert len(found.problems) <= 23


WHOLE = synthetic_oir()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.binary(max_size=300), st.integers(0, len(WHOLE) - 1), st.booleans())
def test_no_content_crashes(tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int, whole: bool) -> None:
    data = WHOLE[:at] + junk + WHOLE[at + len(junk) :] if whole else junk
    folder = tmp_path_factory.mktemp("fuzz")
    written(folder, scan_oir=data)
    FORMAT.recognises(data[:1024], "scan.oir")
    assert FORMAT.claim(folder / "scan.oir").lists == ("scan.oir",)
    assert FORMAT.examine(folder, ("scan.oir",)).sound in (True, False, None)
