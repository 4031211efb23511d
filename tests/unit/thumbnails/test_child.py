"""The process that makes a picture: whatever is in a file, it costs neither memory nor time, nor the watcher."""

import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile
from PIL import Image

from tests.unit.thumbnails import hostile
from tests.unit.thumbnails.hostile import MIB
from watcher.thumbnails.child import Outcome, make


class Waiting:
    """Sleeps, and remembers the most memory that a child of this process has had."""

    def __init__(self) -> None:
        self.most = 0
        self.stop = threading.Event()
        self.looks = 0

    def __call__(self, seconds: float) -> bool:
        self.looks += 1
        for child in psutil.Process().children():
            try:
                self.most = max(self.most, child.memory_info().rss)
            except psutil.Error:
                continue
        return self.stop.wait(seconds)


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    """And afterwards no process is left that was not there before."""
    before = psutil.Process().children()
    yield Waiting()
    assert set(psutil.Process().children()) <= set(before)


def tried(path: Path, waiting: Callable[[float], bool], **limits: float) -> Outcome:
    return make([(path, "")], waiting, **limits)  # type: ignore[arg-type]


def opened(outcome: Outcome) -> Image.Image:
    assert outcome.why == ""
    return Image.open(io.BytesIO(outcome.picture))


def test_a_picture_is_small_and_of_the_first_file_in_which_there_is_something_to_see(
    tmp_path: Path, waiting: Waiting
) -> None:
    ramp = np.add.outer(np.arange(400), np.arange(600)).astype("u2")
    tifffile.imwrite(tmp_path / "black.tif", np.zeros((400, 600), "u2"))
    tifffile.imwrite(tmp_path / "ramp.tif", ramp, compression="zlib")
    (tmp_path / "broken.tif").write_bytes(b"II*\0nonsense")
    names = ("broken.tif", "gone.tif", "black.tif", "ramp.tif")
    with opened(make([(tmp_path / name, "") for name in names], waiting)) as picture:
        assert picture.size == (256, 171)
        assert picture.getpixel((0, 0)) < picture.getpixel((255, 170))  # type: ignore[operator]


def test_a_set_of_which_nothing_can_be_seen_has_no_picture_and_that_stays_so(tmp_path: Path, waiting: Waiting) -> None:
    tifffile.imwrite(tmp_path / "black.tif", np.zeros((40, 60), "u2"))
    (tmp_path / "notes.txt").write_text("nothing to see")
    outcome = make([(tmp_path / "black.tif", ""), (tmp_path / "notes.txt", "")], waiting)
    assert outcome == Outcome(why="nothing in it can be shown", final=True)


def test_a_bomb_is_ended_long_before_it_has_unpacked(tmp_path: Path, waiting: Waiting) -> None:
    path = hostile.bomb(tmp_path / "bomb.tif", 1024 * MIB)
    assert path.stat().st_size < 5 * MIB
    outcome = tried(path, waiting, memory=128 * MIB)
    assert not outcome.picture
    assert outcome.final
    assert waiting.most < 400 * MIB, "the limit of its address space holds whatever the watching misses"


def test_where_the_system_has_no_limits_the_watching_ends_it(tmp_path: Path, waiting: Waiting) -> None:
    """As on Windows: here the limit of the address space leaves room, and the libraries alone are more than 20 MiB."""
    path = hostile.endless(tmp_path / "a.tif", 2_000_000)
    assert tried(path, waiting, memory=20 * MIB) == Outcome(why="it takes more than 20 MiB of memory")


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (4_000_000_000, 4_000_000_000), (0, 0)])
def test_pixels_that_are_only_said_to_be_there_cost_nothing(
    tmp_path: Path, waiting: Waiting, width: int, height: int
) -> None:
    for compression in (1, 5):
        path = hostile.tiff(tmp_path / "a.tif", width, height, b"x" * 1000, compression=compression)
        begin = time.monotonic()
        assert not tried(path, waiting).picture
        assert time.monotonic() - begin < 10
    assert waiting.most < 200 * MIB


def test_very_many_pages_are_given_up_in_time(tmp_path: Path, waiting: Waiting) -> None:
    path = hostile.endless(tmp_path / "a.tif", 2_000_000)
    outcome = tried(path, waiting, seconds=1)
    assert not outcome.picture
    assert outcome.final


def test_an_image_of_very_many_pixels_is_not_unpacked(tmp_path: Path, waiting: Waiting) -> None:
    Image.new("L", (20_000, 20_000)).save(tmp_path / "a.png")
    assert not tried(tmp_path / "a.png", waiting).picture
    assert waiting.most < 200 * MIB


def test_what_takes_too_long_by_the_clock_may_be_tried_another_time(tmp_path: Path, waiting: Waiting) -> None:
    path = hostile.endless(tmp_path / "a.tif", 2_000_000)
    outcome = tried(path, waiting, patience=0.2)
    assert outcome == Outcome(why="it takes more than 0.2 s", final=False)


def test_it_is_ended_with_the_watcher(tmp_path: Path, waiting: Waiting) -> None:
    path = hostile.endless(tmp_path / "a.tif", 2_000_000)
    waiting.stop.set()
    begin = time.monotonic()
    assert tried(path, waiting) == Outcome(why="the watcher stops", final=False)
    assert time.monotonic() - begin < 2


def test_a_pipe_in_the_place_of_a_file_does_not_hold_it_up(tmp_path: Path, waiting: Waiting) -> None:
    os.mkfifo(tmp_path / "a.tif")
    assert tried(tmp_path / "a.tif", waiting, patience=20).why == "nothing in it can be shown"


@pytest.mark.parametrize("name", ["with space.tif", "größe 日本.tif", b"not-text-\xff.tif", "-rf.tif", "$(id).tif"])
def test_names_of_any_kind_reach_it(tmp_path: Path, waiting: Waiting, name: str | bytes) -> None:
    path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), os.fsencode(name))))
    tifffile.imwrite(tmp_path / "a.tif", np.arange(100, dtype="u1").reshape(10, 10))
    (tmp_path / "a.tif").rename(path)
    assert opened(tried(path, waiting)).size == (10, 10)
