"""The duty: pictures of published sets, from files that are what was delivered, when there is time for it."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.unit.pipeline.conftest import Bench, bench
from watcher.clock import SystemClock
from watcher.daemon import Daemon
from watcher.model import State
from watcher.thumbnails import Cache, thumbnail
from watcher.thumbnails.child import Outcome
from watcher.thumbnails.duty import PATIENCE, Thumbnails

__all__ = ["bench"]

PNG = b"\x89PNG\r\n\x1a\n..."


class Maker:
    """Makes a picture of nothing, and remembers of which files it was asked for one."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        self.outcome = outcome or Outcome(PNG)
        self.asked: list[list[tuple[Path, str]]] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def __call__(self, files: list[tuple[Path, str]], wait: Callable[[float], bool]) -> Outcome:
        self.asked.append(files)
        self.meanwhile()
        return self.outcome


@pytest.fixture
def quick(bench: Bench) -> Bench:
    """A bench on which sets are finished at once."""
    bench.configure(watch={"settle": "0s"}, complete={"quiet": "0s"}, sets={"group": "file"})
    return bench


def duty(bench: Bench, maker: Maker, *, busy: Callable[[], bool] = lambda: False, kept: int = 100) -> Thumbnails:
    return Thumbnails(bench.journal, bench.clock, busy, kept=kept, make_one=maker)


def image(bench: Bench, name: str) -> Path:
    path = bench.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.add.outer(np.arange(300), np.arange(400)).astype("u2"), metadata=None)
    return path


def all_rounds(one: Thumbnails) -> int:
    """Rounds until there is nothing to do."""
    for number in range(100):
        if one.round() >= 60:
            return number
    raise AssertionError("it never comes to rest")


def test_a_published_set_gets_its_picture_and_no_other_does(quick: Bench) -> None:
    image(quick, "a.tif")
    quick.finish()
    image(quick, "grows.tif")
    quick.configure(complete={"quiet": "1h"})
    quick.observe()
    maker = Maker()
    assert all_rounds(duty(quick, maker)) == 1
    assert maker.asked == [[(quick.root / "a.tif", "tiff")]]
    (safe,) = (one for one in quick.sets() if one.state is State.PUBLISHED)
    path = thumbnail(quick.state, safe.id)
    assert path is not None
    assert path.read_bytes() == PNG


def test_the_newest_set_comes_first_and_only_so_many_pictures_are_kept(quick: Bench) -> None:
    for name in ("a.tif", "b.tif", "c.tif"):
        image(quick, name)
        quick.finish()
    maker = Maker()
    one = duty(quick, maker, kept=2)
    assert all_rounds(one) == 2
    assert [files[0][0].name for files in maker.asked] == ["c.tif", "b.tif"]
    image(quick, "d.tif")
    quick.finish()
    assert all_rounds(one) == 1
    names = {one.name: one.id for one in quick.sets()}
    assert Cache(quick.state).known() == {names["c.tif"], names["d.tif"]}


def test_what_cannot_be_made_is_remembered_and_not_tried_again(quick: Bench) -> None:
    image(quick, "a.tif")
    quick.write("b.txt", b"no image")
    quick.finish()
    maker = Maker(Outcome(why="it takes more than 20 s of CPU"))
    assert all_rounds(duty(quick, maker)) == 2
    assert len(maker.asked) == 1, "of a text nobody is asked"
    quick.restart()
    assert all_rounds(duty(quick, maker)) == 0
    reasons = {path.read_text() for path in (quick.state / "thumbnails").glob("*.none")}
    assert "it takes more than 20 s of CPU\n" in reasons
    assert "none of its files is as it was delivered, or of a kind that can be shown\n" in reasons


def test_what_may_pass_is_tried_again_after_a_start(quick: Bench) -> None:
    image(quick, "a.tif")
    quick.finish()
    maker = Maker(Outcome(why="it takes more than 300 s", final=False))
    one = duty(quick, maker)
    assert all_rounds(one) == 1
    assert all_rounds(one) == 0
    quick.restart()
    assert all_rounds(duty(quick, Maker())) == 1


def test_a_file_that_is_no_longer_what_was_delivered_is_never_opened(quick: Bench) -> None:
    path = image(quick, "a.tif")
    quick.finish()
    with path.open("ab") as file:
        file.write(b"it grows again")
    maker = Maker()
    all_rounds(duty(quick, maker))
    assert maker.asked == []


def test_a_picture_of_a_file_that_changed_meanwhile_is_not_shown(quick: Bench) -> None:
    path = image(quick, "a.tif")
    quick.finish()
    maker = Maker()
    maker.meanwhile = lambda: path.write_bytes(b"another")  # type: ignore[assignment]
    all_rounds(duty(quick, maker))
    assert len(maker.asked) == 1
    assert thumbnail(quick.state, quick.only().id) is None


def test_sets_whose_files_are_gone_are_left_alone_and_keep_their_pictures(quick: Bench) -> None:
    image(quick, "before.tif")
    image(quick, "stays.tif")
    quick.finish()
    all_rounds(duty(quick, Maker()))
    image(quick, "after.tif")
    quick.finish()
    for name in ("before.tif", "after.tif"):
        (quick.root / name).unlink()
    quick.observe()
    maker = Maker()
    assert all_rounds(duty(quick, maker)) == 0
    assert maker.asked == []
    shown = {one.name: thumbnail(quick.state, one.id) is not None for one in quick.sets()}
    assert shown == {"before.tif": True, "stays.tif": True, "after.tif": False}


def test_it_gives_way_while_something_is_sent_but_not_for_ever(quick: Bench) -> None:
    for name in ("a.tif", "b.tif"):
        image(quick, name)
    quick.finish()
    maker, busy = Maker(), [True]
    one = duty(quick, maker, busy=lambda: busy[0])
    assert 0 < one.round() < PATIENCE
    assert maker.asked == []
    quick.clock.advance(PATIENCE + 1)
    one.round()
    one.round()
    assert len(maker.asked) == 1
    busy[0] = False
    assert all_rounds(one) == 1


def test_of_a_plate_of_many_images_one_in_the_middle_is_tried_first(quick: Bench) -> None:
    for number in range(9):
        image(quick, f"plate/im_{number}.tif")
    quick.configure(sets={"group": "directory"})
    quick.finish()
    maker = Maker()
    all_rounds(duty(quick, maker))
    assert [path.name for path, _ in maker.asked[0]] == ["im_4.tif", "im_0.tif", "im_8.tif"]


def test_a_running_watcher_makes_them_in_a_process_of_their_own(quick: Bench) -> None:
    image(quick, "a.tif")
    quick.configure(watch={"sweep": "1s"})
    opened: list[str] = []
    daemon = Daemon(quick.profile, quick.journal, quick.told, clock=SystemClock())
    thread = threading.Thread(target=daemon.run)
    thread.start()
    try:
        end = time.monotonic() + 40
        while time.monotonic() < end and not opened:
            opened = [path.name for path in (quick.state / "thumbnails").glob("*.png")]
            time.sleep(0.05)
    finally:
        daemon.stop()
        thread.join()
    assert opened == [f"{quick.only().id.removeprefix('urn:uuid:')}.png"]
    assert not [what for what in quick.told.troubles if what]


def test_without_the_page_that_shows_them_none_are_made(quick: Bench) -> None:
    assert quick.daemon._pictures()
    quick.configure(web={"enabled": False})
    assert quick.daemon._pictures() == []
