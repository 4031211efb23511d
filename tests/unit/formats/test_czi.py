"""Zeiss CZI: the real file and what damage to it is seen; multi-file documents and odd ones, made here (synthetic)."""

import struct
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats.base import Examination
from watcher.formats.czi import FORMAT, MAX_SEGMENTS

SAMPLE = "czi/xyz__multiple_images.czi"
DOCUMENT = b"one document----"
XML = (
    b"<ImageDocument><Metadata><Information><Image><SizeX>4</SizeX><SizeY>4</SizeY><SizeZ>3</SizeZ>"
    b"<AcquisitionDateAndTime>2024-05-06T07:08:09.5+02:00</AcquisitionDateAndTime></Image>"
    b"<Document><UserName>ada</UserName></Document></Information></Metadata></ImageDocument>"
)


def segment(mark: bytes, data: bytes) -> bytes:
    used = len(data)
    data = data.ljust(-(-used // 32) * 32, b"\0")
    return struct.pack("<16sqq", mark, len(data), used) + data


def entry(where: int, part: int = 0, compression: int = 0, z: int = 0) -> bytes:
    axes = b"".join(struct.pack("<4siifi", *axis, 0.0, axis[2]) for axis in ((b"X", 0, 4), (b"Y", 0, 4), (b"Z", z, 1)))
    return struct.pack("<2siqiiB5xi", b"DV", 1, where, part, compression, 0, 3) + axes


def synthetic_czi(
    *,
    images: int = 3,
    part: int = 0,
    document: bytes = DOCUMENT,
    elsewhere: Sequence[tuple[int, int]] = (),
    compression: int = 0,
    xml: bytes = XML,
    update_pending: int = 0,
) -> bytes:
    """A document as in libCZI's CziStructs.h; `elsewhere` are images in other files, as (part, place)."""
    out = bytearray(544)
    entries = [entry(where, of, compression) for of, where in elsewhere]
    for z in range(images):
        entries.append(entry(len(out), part, compression, z))
        out += segment(b"ZISRAWSUBBLOCK", struct.pack("<iiq", 0, 0, 32) + entries[-1].ljust(240, b"\0") + bytes(32))
    metadata = attachments = directory = 0
    if not part:
        metadata = len(out)
        out += segment(b"ZISRAWMETADATA", struct.pack("<ii", len(xml), 0).ljust(256, b"\0") + xml)
        attachment = len(out)
        out += segment(b"ZISRAWATTACH", struct.pack("<i", 5).ljust(256, b"\0") + b"thumb")
        attachments = len(out)
        listed = struct.pack("<2s10xqi", b"A1", attachment, 0).ljust(128, b"\0")
        out += segment(b"ZISRAWATTDIR", struct.pack("<i", 1).ljust(256, b"\0") + listed)
        directory = len(out)
        out += segment(b"ZISRAWDIRECTORY", struct.pack("<i", len(entries)).ljust(128, b"\0") + b"".join(entries))
    numbers = (part, directory, metadata, update_pending, attachments)
    header = struct.pack("<ii8x16s16siqqiq", 1, 0, document, b"this very file--", *numbers)
    out[:544] = struct.pack("<16sqq", b"ZISRAWFILE", 512, 512) + header.ljust(512, b"\0")
    return bytes(out)


def examined(path: Path, data: bytes) -> Examination:
    path.write_bytes(data)
    return FORMAT.examine(path.parent, (path.name,))


@pytest.mark.samples
def test_the_real_file_is_known_claimed_and_sound(samples: Path) -> None:
    path = samples / SAMPLE
    assert FORMAT.recognises(path.read_bytes()[:1024], path.name)
    assert FORMAT.claim(path).lists == (path.name,)
    found = FORMAT.examine(path.parent, (path.name,))
    assert (found.sound, found.problems, found.missing, found.remarks) == (True, (), (), ())
    assert found.metadata == {
        "acquired": "2020-09-06T11:30:42",
        "instrument": "LSM 880, AxioObserver",
        "objective": "Plan-Apochromat 40x/1.4 Oil DIC M27 40x/1.4",
        "channels": "ChA",
        "size": "251x251x2x1x1",
        "pixel_size_um": "0.195644x0.195644x0.3",
        "software": "AIMApplication 14.0.12.201",
        "experimenter": "LSM User",
    }
    assert found.sources["acquired"] == "Information/Document/CreationDate"
    assert found.sources.keys() == found.metadata.keys()


@pytest.mark.samples
@pytest.mark.parametrize(
    ("keep", "zeros", "says"),
    [
        (572287, 0, "cut off: the segment ZISRAWDIRECTORY should end at byte 572288, the file has 572287"),
        (286144, 0, "cut off: the segment ZISRAWSUBBLOCK should end at byte 317856, the file has 286144"),
        (112, 0, "cut off: the segment ZISRAWFILE should end at byte 544, the file has 112"),
        (8, 0, "cut off: the file header should end at byte 112, the file has 8"),
        (0, 0, "cut off: the file header should end at byte 112, the file has 0"),
        (429216, 143072, "unfinished: from byte 444160 on nothing has been written yet"),
        (572288, 4096, "unfinished: from byte 572288 on nothing has been written yet"),
    ],
)
def test_damage_to_the_real_file_is_found(samples: Path, tmp_path: Path, keep: int, zeros: int, says: str) -> None:
    found = examined(tmp_path / "a.czi", (samples / SAMPLE).read_bytes()[:keep] + bytes(zeros))
    assert (found.sound, found.problems) == (False, (f"a.czi: {says}",))


@pytest.mark.parametrize("name", ["a b.czi", "über [1] #5 100%.czi", "scan (1).czi", "noextension"])
def test_a_single_file_is_its_own_set_whatever_its_name(tmp_path: Path, name: str) -> None:
    found = examined(tmp_path / name, synthetic_czi())
    assert (found.sound, found.problems) == (True, ())
    assert FORMAT.claim(tmp_path / name).lists == (name,)
    assert found.metadata["acquired"] == "2024-05-06T07:08:09.5+02:00"


def test_a_tiff_that_is_named_czi_is_not_one() -> None:
    assert not FORMAT.recognises(b"II*\0\x08\0\0\0" + bytes(100), "a.czi")
    assert not FORMAT.recognises(b"ZISRAWDIRECTORY\0" + bytes(100), "a.czi")
    assert FORMAT.recognises(synthetic_czi()[:1024], "a.tif")


def test_a_file_whose_directory_is_not_written_yet_is_unfinished(tmp_path: Path) -> None:
    whole = synthetic_czi()
    found = examined(tmp_path / "a.czi", whole[:84] + bytes(16) + whole[100:])
    assert found.problems == ("a.czi: unfinished: the directory of its images has not been written yet",)
    grown = examined(tmp_path / "a.czi", whole[: whole.index(b"ZISRAWMETADATA")])
    assert found.sound is grown.sound is False


def test_a_directory_at_the_start_does_not_hide_that_the_end_is_gone(tmp_path: Path) -> None:
    whole = synthetic_czi(images=1)
    at = len(whole)
    moved = whole + segment(b"ZISRAWSUBBLOCK", bytes(400))
    assert examined(tmp_path / "a.czi", moved).remarks[0] == "a.czi: 1 images in it are not listed in its directory"
    assert "ZISRAWSUBBLOCK should end" in examined(tmp_path / "a.czi", moved[: at + 100]).problems[0]


def test_update_pending_says_nothing(tmp_path: Path) -> None:
    assert examined(tmp_path / "a.czi", synthetic_czi(update_pending=1)).sound


def test_raw_high_speed_images_and_an_early_stop_are_remarks(tmp_path: Path) -> None:
    found = examined(tmp_path / "a.czi", synthetic_czi(images=2, compression=1001))
    assert found.sound
    assert found.remarks == (
        "a.czi: its images are in a raw high-speed format (1001), which only ZEN reads",
        "a.czi: it was set up for 3 along Z and has 2: stopped early, or an extract",
    )


@pytest.mark.parametrize("spelling", ["scan ({}).czi", "scan({}).czi"])
def test_the_files_of_one_document_are_one_set(tmp_path: Path, spelling: str) -> None:
    elsewhere = [(1, 544), (2, 544)]
    names = ("scan.czi", spelling.format(1), spelling.format(2))
    for part, name in enumerate(names):
        (tmp_path / name).write_bytes(synthetic_czi(part=part, elsewhere=() if part else elsewhere))
    first = FORMAT.claim(tmp_path / "scan.czi")
    assert (first.lists, first.title) == (names, "scan")
    second = FORMAT.claim(tmp_path / names[2])
    assert (second.lists, second.title) == ((names[2], "scan.czi"), "scan")
    assert FORMAT.examine(tmp_path, names).problems == ()
    (tmp_path / names[1]).unlink()
    found = FORMAT.examine(tmp_path, (names[0], names[2]))
    assert (found.sound, found.missing) == (False, ("scan (1).czi",))
    assert found.problems == ("scan (1).czi: missing, and its document is not whole without it",)
    (tmp_path / "scan.czi").unlink()
    assert FORMAT.examine(tmp_path, (names[2],)).missing == ("scan.czi",)
    assert FORMAT.examine(tmp_path, ("scan.czi", names[2])).missing == ("scan.czi",)


def test_parts_whose_names_would_be_too_long_are_missing(tmp_path: Path) -> None:
    name = "long" * 62 + ".czi"
    found = examined(tmp_path / name, synthetic_czi(elsewhere=[(1, 544)]))
    assert FORMAT.claim(tmp_path / name).lists == (name,)
    assert found.missing == ("long" * 62 + " (1).czi",)


def test_files_of_other_documents_are_not_taken_for_parts(tmp_path: Path) -> None:
    (tmp_path / "scan.czi").write_bytes(synthetic_czi(elsewhere=[(1, 544)]))
    (tmp_path / "scan(1).czi").write_bytes(synthetic_czi(part=1, document=b"another document"))
    assert FORMAT.claim(tmp_path / "scan.czi").lists == ("scan.czi",)
    found = FORMAT.examine(tmp_path, ("scan.czi",))
    assert found.problems == ("scan(1).czi: it is not part 1 of the document scan.czi",)


def test_a_part_that_ends_before_a_listed_image_and_one_that_was_renamed_are_found(tmp_path: Path) -> None:
    (tmp_path / "scan.czi").write_bytes(synthetic_czi(elsewhere=[(1, 9000)]))
    (tmp_path / "scan (1).czi").write_bytes(synthetic_czi(part=1))
    found = FORMAT.examine(tmp_path, ("scan.czi", "scan (1).czi"))
    assert found.problems == (
        "scan (1).czi: cut off: an image that its document lists should end at byte 9032, the file has 1504",
    )
    (tmp_path / "renamed.czi").write_bytes(synthetic_czi(part=1))
    assert "part 1 of a document" in FORMAT.claim(tmp_path / "renamed.czi").problems[0]


@pytest.mark.parametrize(
    ("at", "form", "value", "says"),
    [
        (84, "<q", 1 << 60, "cut off: the directory of its images"),
        (84, "<q", 544, "damaged: the directory of its images is not at byte 544"),
        (560, "<q", -1, "damaged: at byte 544 no segment begins"),
        (92, "<q", 0, "unfinished: its description (XML)"),
    ],
)
def test_numbers_that_make_no_sense_are_named(tmp_path: Path, at: int, form: str, value: int, says: str) -> None:
    data = bytearray(synthetic_czi())
    struct.pack_into(form, data, at, value)
    found = examined(tmp_path / "a.czi", bytes(data))
    assert found.sound is False
    assert found.problems[0].startswith(f"a.czi: {says}")


def test_an_absurd_count_is_refused(tmp_path: Path) -> None:
    data = bytearray(synthetic_czi())
    struct.pack_into("<i", data, data.rindex(b"ZISRAWDIRECTORY") + 32, 2_000_000_000)
    assert "claims 2000000000 images" in examined(tmp_path / "a.czi", bytes(data)).problems[0]


@pytest.mark.parametrize(
    ("xml", "says"),
    [
        (XML[:-3], "its description (XML) is cut off or damaged"),
        (b'<!DOCTYPE a [<!ENTITY b "x">]><a>&b;</a>', "defines a document type"),
        (b"<a>" * 200, "nested more than"),
        (b"<a " + b"x" * (2 << 20), "longer than any real one"),
    ],
)
def test_bad_xml_is_a_sentence_that_names_nobody(tmp_path: Path, xml: bytes, says: str) -> None:
    found = examined(tmp_path / "a.czi", synthetic_czi(xml=xml))
    assert found.sound is False
    assert says in found.problems[0]
    assert "ada" not in found.problems[0]


@pytest.mark.timeout(60)
def test_the_largest_file_that_is_walked_costs_little(tmp_path: Path) -> None:
    """More segments than are walked, all of them listed, and no end to the XML's elements."""
    count = MAX_SEGMENTS + 1000
    out = bytearray(synthetic_czi(images=0, xml=b"<a>" + b"<b/>" * 600_000 + b"</a>"))
    first = len(out)
    out += struct.pack("<16sqq", b"ZISRAWSUBBLOCK", 0, 0) * count
    struct.pack_into("<q", out, 84, len(out))
    entries = b"".join(entry(first + 32 * number) for number in range(count))
    out += segment(b"ZISRAWDIRECTORY", struct.pack("<i", count).ljust(128, b"\0") + entries)
    path = tmp_path / "a.czi"
    path.write_bytes(out)
    del out, entries
    found = FORMAT.examine(tmp_path, ("a.czi",))
    assert found.sound is None
    assert found.checked == "unchecked: a.czi: its description (XML) has more than 500000 elements"
    tracemalloc.start()
    FORMAT.claim(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_missing_folder_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FORMAT.examine(tmp_path / "gone", ("a.czi",))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.binary(max_size=400), changes=st.dictionaries(st.integers(0, 2500), st.integers(0, 255), max_size=8))
def test_no_content_raises(data: bytes, changes: dict[int, int], tmp_path_factory: pytest.TempPathFactory) -> None:
    whole = bytearray(synthetic_czi())
    for at, value in changes.items():
        whole[at % len(whole)] = value
    path = tmp_path_factory.mktemp("fuzz") / "a.czi"
    for content in (data, b"ZISRAWFILE".ljust(16, b"\0") + data, bytes(whole)):
        path.write_bytes(content)
        FORMAT.recognises(content[:1024], "a.czi")
        assert path.name in FORMAT.claim(path).lists
        found = FORMAT.examine(path.parent, (path.name,))
        assert found.sound or found.problems or found.checked.startswith("unchecked: ")
