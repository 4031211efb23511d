"""The walk of TIFF directories: kinds of TIFF, damage, files made to hurt, and random bytes."""

import io
import struct
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats import by_name
from watcher.formats.base import Examination
from watcher.formats.tiff import MAX_IFDS, Facts, walk

Field = tuple[int, int, int, int]

#: Tag, type, number of values and value of a one-strip page of 8 by 8 bytes.
PAGE: tuple[Field, ...] = ((256, 4, 1, 8), (257, 4, 1, 8), (273, 4, 1, 8), (278, 4, 1, 8), (279, 4, 1, 64))
IMAGE = np.arange(3 * 64 * 96, dtype=np.uint16).reshape(3, 64, 96)

KINDS: dict[str, dict[str, Any]] = {
    "classic": {},
    "big-endian": {"byteorder": ">"},
    "BigTIFF": {"bigtiff": True},
    "big-endian BigTIFF": {"bigtiff": True, "byteorder": ">"},
    "tiled": {"tile": (32, 32)},
    "strips": {"rowsperstrip": 5},
    "compressed": {"compression": "zlib"},
    "ImageJ": {"imagej": True},
    "planar colour": {"photometric": "rgb", "planarconfig": "separate"},
}


def with_pages(*pages: Sequence[Field], behind: bytes = b"", last_link: int = 0) -> bytes:
    """A little-endian classic TIFF with 64 bytes of pixels at byte 8 and these directories after them."""
    out = bytearray(b"II*\0" + struct.pack("<I", 72) + bytes(64))
    for number, fields in enumerate(pages, 1):
        body = b"".join(struct.pack("<HHII", *field) for field in fields)
        link = last_link if number == len(pages) else len(out) + len(body) + 6
        out += struct.pack("<H", len(fields)) + body + struct.pack("<I", link)
    return bytes(out) + behind


def replaced(*fields: Field) -> tuple[Field, ...]:
    return tuple({field[0]: field for field in (*PAGE, *fields)}.values())


def found_in(data: bytes, name: str = "") -> Facts:
    return walk(io.BytesIO(data), name)


def examined(path: Path) -> Examination:
    return by_name("tiff").examine(path.parent, (path.name,))


@pytest.fixture(params=KINDS)
def whole(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "plane.tif"
    options = {"photometric": "minisblack", **KINDS[request.param]}
    if not options.get("imagej"):
        options["metadata"] = None
    tifffile.imwrite(path, IMAGE, **options)
    return path


def test_every_kind_is_sound_when_whole(whole: Path) -> None:
    found = examined(whole)
    assert (found.sound, found.problems, found.checked) == (True, (), "tiff:ifd-walk")


@pytest.mark.parametrize("keep", [0, 4, 8, 0.25, 0.5, 0.75, -1])
def test_every_kind_is_unsound_when_cut(whole: Path, keep: float) -> None:
    data = whole.read_bytes()
    used = found_in(data).end  # tifffile may leave some bytes unused behind that
    whole.write_bytes(data[: int(keep * used) if 0 < keep < 1 else int(keep) % used])
    found = examined(whole)
    assert found.sound is False
    assert found.problems[0].startswith("plane.tif: ")


def test_byte_order_size_and_pages_are_told(tmp_path: Path) -> None:
    path = tmp_path / "big.tif"
    tifffile.imwrite(path, IMAGE, bigtiff=True, byteorder=">", photometric="minisblack", description="beads")
    facts = found_in(path.read_bytes())
    assert (facts.order, facts.big, facts.pages, facts.end) == (">", True, 3, path.stat().st_size)
    assert facts.opening.rstrip(b"\0") == b"beads"


def test_a_cut_names_the_page_and_both_sizes(tmp_path: Path) -> None:
    path = tmp_path / "plane.tif"
    data = with_pages(PAGE, PAGE, replaced((273, 4, 1, 300)))
    path.write_bytes(data)
    assert examined(path).problems == (
        "plane.tif: cut off: the image data of page 3 should end at byte 364, the file has 270",
    )


def test_a_file_of_which_only_the_header_is_written_is_unfinished() -> None:
    assert found_in(b"II*\0\0\0\0\0").problems == (
        "unfinished: only the header of the file has been written, no page yet",
    )


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"hello, world", "not a TIFF file"),
        (b"II*\0\x08\0", "cut off: the file header"),
        (with_pages(PAGE, last_link=72), "never ends"),
        (with_pages(PAGE, PAGE, last_link=72), "never ends"),
        (with_pages(()), "0 fields"),
        (with_pages(PAGE, last_link=10), "0 fields"),
        (with_pages(PAGE * 1000), "5000 fields"),
        (with_pages(PAGE, last_link=5_000), "page 2 should end at byte 5002"),
        (with_pages(replaced((700, 1, 4_000_000_000, 8))), "field 700 of the header of page 1"),
        (with_pages(replaced((273, 16, 500_000_000, 8))), "field 273"),
        (with_pages(replaced((256, 4, 1, 0))), "no width or no height"),
        (with_pages(replaced((278, 4, 1, 2))), "lists 1 of its 4 strips"),
        (with_pages(replaced((278, 4, 1, 4), (279, 4, 1, 32))), "lists 1 of its 2 strips"),
        (with_pages(replaced((277, 3, 1, 2), (284, 3, 1, 2))), "lists 1 of its 2 strips"),
        (with_pages((*replaced((324, 4, 1, 8), (325, 4, 1, 64)), (322, 4, 1, 4), (323, 4, 1, 4))), "1 of its 4 tiles"),
        (with_pages(PAGE[:2]), "does not say where its image data is"),
        (with_pages(replaced((279, 4, 1, 0))), "1 of the 1 strips of page 1 hold no data"),
        (with_pages(replaced((273, 4, 1, 0))), "without a place"),
        (with_pages(replaced((279, 2, 1, 64))), "not a whole number"),
        (with_pages(replaced((330, 4, 1, 72))), "never ends"),
        (with_pages(replaced((330, 4, 1, 8_000))), "a smaller copy of page 1"),
    ],
)
def test_what_contradicts_itself_is_said_in_words(data: bytes, says: str) -> None:
    facts = found_in(data)
    assert facts.sound is False
    assert says in facts.problems[0]


def test_a_pyramid_is_followed_into_its_smaller_copies(tmp_path: Path) -> None:
    path = tmp_path / "pyramid.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(IMAGE[0], subifds=2, metadata=None, photometric="minisblack")
        writer.write(IMAGE[0, ::2, ::2], subfiletype=1, metadata=None, photometric="minisblack")
        writer.write(IMAGE[0, ::4, ::4], subfiletype=1, metadata=None, photometric="minisblack")
    facts = found_in(path.read_bytes())
    assert (facts.sound, facts.pages) == (True, 1)
    cut = found_in(path.read_bytes()[:-1])
    assert "a smaller copy of page 1" in cut.problems[0]


def slide(empty: int, tiles: int = 100) -> bytes:
    """A tiled page, of whose tiles so many were never written."""
    lists = 72 + 2 + 6 * 12 + 4
    sizes = ((256, 4, 1, tiles), (257, 4, 1, 1), (322, 4, 1, 1), (323, 4, 1, 1))
    fields = (*sizes, (324, 4, tiles, lists), (325, 4, tiles, lists + 4 * tiles))
    offsets = [0] * empty + [8] * (tiles - empty)
    counts = [0] * empty + [1] * (tiles - empty)
    return with_pages(fields, behind=struct.pack(f"<{2 * tiles}I", *offsets, *counts))


def test_a_slide_may_leave_out_background_but_not_nearly_everything() -> None:
    assert found_in(slide(empty=40)).sound
    assert found_in(slide(empty=99)).problems == ("incomplete: 99 of the 100 tiles of page 1 hold no data",)


def test_an_imagej_stack_with_one_page_needs_all_its_planes(tmp_path: Path) -> None:
    path = tmp_path / "hyperstack.tif"
    tifffile.imwrite(path, IMAGE, imagej=True)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        first = tiff.pages.first
        link, pixels = first.offset + 2 + 12 * len(first.tags), first.dataoffsets[0]
    data[link : link + 4] = bytes(4)  # as ImageJ writes it over 4 GiB: one directory, all planes behind it
    end = pixels + IMAGE.nbytes
    whole, cut = found_in(bytes(data[:end])), found_in(bytes(data[: end - 1]))
    assert (whole.sound, whole.pages, whole.end) == (True, 1, end)
    assert cut.problems == (
        f"cut off: the image data of plane 3 of this ImageJ stack should end at byte {end}, the file has {end - 1}",
    )


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (with_pages(PAGE, last_link=4_000_000_000), "slide.NDPI", "NDPI"),
        (with_pages((*PAGE, (65420, 4, 1, 1)), last_link=4_000_000_000), "slide.tif", "NDPI"),
        (with_pages((*PAGE, (33629, 5, 6, 8))), "movie.stk", "MetaMorph"),
        (with_pages(PAGE[:4]), "old.tif", "does not say how many bytes"),
    ],
)
def test_relatives_that_the_walk_cannot_follow_are_unchecked_and_not_unsound(
    tmp_path: Path, data: bytes, name: str, reason: str
) -> None:
    (tmp_path / name).write_bytes(data)
    found = examined(tmp_path / name)
    assert (found.sound, found.problems) == (None, ())
    assert found.checked.startswith(f"unchecked: {name}: ")
    assert reason in found.checked


class Claimed(io.BytesIO):
    """A file that was 5 GiB when it was asked, and holds less when it is read."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return 5 << 30 if whence == 2 else super().seek(offset)


def test_a_large_lsm_file_is_unchecked() -> None:
    facts = walk(Claimed(with_pages((*PAGE, (34412, 7, 500, 8)), last_link=8)))
    assert (facts.sound, facts.problems) == (None, ())
    assert "LSM" in facts.unsure
    assert found_in(with_pages((*PAGE, (34412, 7, 4, 8)), last_link=8)).sound is False


def test_a_file_that_becomes_shorter_while_it_is_read_is_cut_off() -> None:
    facts = walk(Claimed(with_pages(PAGE, last_link=1_000_000)))
    assert facts.problems[0].startswith("cut off: the header of page 2")


def many_pages() -> bytes:
    return with_pages(*[PAGE] * (MAX_IFDS + 10))


def many_fields() -> bytes:
    """Directories of 4000 fields each, more than anyone needs."""
    return with_pages(*[(*PAGE, *[(40_000, 4, 1, 1)] * 4000)] * 300)


def many_strips() -> bytes:
    """Pages that share one long list of strips."""
    number, pages = 200_000, 100
    lists = 72 + pages * (2 + 5 * 12 + 4)
    fields = ((256, 4, 1, 8), (257, 4, 1, number), (273, 4, number, lists), (278, 4, 1, 1), (279, 4, number, lists))
    return with_pages(*[fields] * pages, behind=struct.pack("<I", 16) * number)


class Counting(io.BytesIO):
    """A file that knows how many bytes were read of it."""

    given = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.given += len(data)
        return data


@pytest.mark.timeout(60)
@pytest.mark.parametrize("make", [many_pages, many_fields, many_strips])
def test_a_file_made_to_hurt_costs_little_and_is_left_unchecked(make: Callable[[], bytes]) -> None:
    data = Counting(make())
    facts = walk(data)
    assert facts.sound is None
    assert "checked" in facts.unsure
    assert data.given < 40 << 20
    tracemalloc.start()
    walk(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 << 20


def test_no_pixels_are_read(tmp_path: Path) -> None:
    class Counting(io.BytesIO):
        bytes_read = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            self.bytes_read += len(data)
            return data

    path = tmp_path / "large.tif"
    tifffile.imwrite(path, np.zeros((4, 512, 512), np.uint16), photometric="minisblack", metadata=None)
    file = Counting(path.read_bytes())
    assert walk(file).sound
    assert file.bytes_read < 5_000


HEADS = st.sampled_from([b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"II+\0\x08\0\0\0\x10" + bytes(7)])


@settings(max_examples=200, derandomize=True, deadline=None)
@given(HEADS, st.binary(max_size=400))
def test_random_bytes_never_crash_the_walk(head: bytes, rest: bytes) -> None:
    assert found_in(head + rest).sound in (True, False, None)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 170), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_whole_file_with_wrong_bytes_never_crashes_the_walk(changes: list[tuple[int, int]]) -> None:
    data = bytearray(with_pages((*PAGE, (270, 2, 8, 8)), PAGE))
    for offset, value in changes:
        data[offset] = value
    facts = found_in(bytes(data))
    assert facts.sound in (True, False, None)
    assert facts.sound is not True or facts.end <= len(data)
