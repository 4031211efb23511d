"""Transmission electron microscopes, replayed while the watcher runs: SerialEM, EPU, MRC."""

from pathlib import Path

import pytest

from tests.e2e.replay import Append, Held, Patch, Pause, Rename, Script, Step, Waits, Whole, Write, replay
from tests.unit.formats.electron_files import synthetic_mrc
from tests.unit.formats.test_epu import STEM, synthetic_epu
from tests.unit.formats.test_mdoc import tilt_series
from tests.unit.formats.test_slides import synthetic_eer, tiff

SECTION = 10 * 7 * 2


def tilts(name: str, count: int, begin: int = 0) -> list[Step]:
    """A stack as SerialEM writes it: a section is appended, then the header is written again."""
    steps: list[Step] = [] if begin else [Write(name, synthetic_mrc(sections=1)[:-SECTION])]
    for section in range(begin, count):
        header = synthetic_mrc(sections=section + 1)[:1024]
        steps += [Append(name, bytes(range(SECTION))), Patch(name, 0, header)]
    return steps


# SerialEM


def test_a_tilt_series_is_sent_when_no_tilt_comes_any_more(tmp_path: Path) -> None:
    """After every tilt the stack grows and the .mdoc is written anew, with the older one beside it for a moment."""
    steps: list[Step] = []
    for count in (1, 2, 3, 4):
        steps += tilts("grid/TS_01.mrc", count, count - 1)
        steps += [Rename("grid/TS_01.mrc.mdoc", "grid/TS_01.mrc.mdoc~")] if count > 1 else []
        steps += [Write("grid/TS_01.mrc.mdoc", tilt_series(count, head="ImageFile = TS_01.mrc\n").encode()), Pause(0.7)]
    replay(
        "serialem-mdoc",
        [*steps, Whole("TS_01", ["TS_01.mrc", "TS_01.mrc.mdoc"], folder="grid")],
        tmp_path, under="covid/2024-01-31", quiet=1.3,
    )  # fmt: skip


def test_a_tilt_series_waits_for_the_sections_that_its_mdoc_describes(tmp_path: Path) -> None:
    steps: Script = [
        *tilts("TS.mrc", 2),
        Write("TS.mrc.mdoc", tilt_series(3).encode()),
        Pause(1.5),
        Waits("TS", "it describes 3 sections"),
        *tilts("TS.mrc", 3, 2),
        Whole("TS", ["TS.mrc", "TS.mrc.mdoc"]),
    ]
    replay("serialem-mdoc", steps, tmp_path, under="covid/2024-01-31")


def test_an_mdoc_that_is_written_again_late_stays_with_its_stack(tmp_path: Path) -> None:
    """The stack is at rest for nearly as long as is asked when the .mdoc gets its last lines."""
    steps: Script = [
        *tilts("TS.mrc", 3),
        Write("TS.mrc.mdoc", tilt_series(3).encode()),
        Pause(1.0),
        Append("TS.mrc.mdoc", b"TargetDefocus = -4\n"),
        Pause(0.9),
        Whole("TS", ["TS.mrc", "TS.mrc.mdoc"]),
    ]
    replay("serialem-mdoc", steps, tmp_path, under="covid/2024-01-31", quiet=1.6)


def test_a_tilt_series_that_was_stopped_is_sent_with_a_label(tmp_path: Path) -> None:
    steps: Script = [
        *tilts("TS.mrc", 2),
        Write("TS.mrc.mdoc", tilt_series(3).encode()),
        Whole("TS", ["TS.mrc", "TS.mrc.mdoc"], validation="unsound", complete="no"),
    ]
    done = replay("serialem-mdoc", steps, tmp_path, under="covid/2024-01-31", deadline=2)
    assert "it describes 3 sections" in done.said("TS")["acq:problems"]


def test_the_movies_of_a_tilt_series_travel_with_it(tmp_path: Path) -> None:
    """Each movie is written under a name of its own before the .mdoc names it."""
    steps: list[Step | Whole] = []
    for count in (1, 2, 3):
        movie = tiff([{}, {}])
        name = f"TS_{count - 1}.tif"
        steps += [Write(name, movie[:99]), Append(name, movie[99:]), *tilts("TS.mrc", count, count - 1)]
        steps += [Write("TS.mrc.mdoc", tilt_series(count, r"D:\frames\TS_{}.tif").encode()), Pause(0.5)]
    steps.append(Whole("TS", ["TS.mrc", "TS.mrc.mdoc", "TS_0.tif", "TS_1.tif", "TS_2.tif"]))
    replay("serialem-mdoc", steps, tmp_path, under="covid/2024-01-31", quiet=1.3)


def test_a_movie_waits_for_the_frames_that_its_mdoc_lists(tmp_path: Path) -> None:
    text = "[FrameSet = 0]\nSubFramePath = X:\\frames\\a_001.tif\nNumSubFrames = 3\nDateTime = 31-Jan-24  10:33:01\n"
    steps: Script = [
        Write("frames/a_001.tif", tiff([{}, {}])),
        Write("frames/a_001.tif.mdoc", text.encode()),
        Pause(1.5),
        Waits("a_001", "3 frames"),
        Write("frames/a_001.tif", tiff([{}, {}, {}])),
        Whole("a_001", ["a_001.tif", "a_001.tif.mdoc"], folder="frames"),
    ]
    replay("serialem-mdoc", steps, tmp_path, under="covid/2024-01-31")


# EPU

DATA = "Images-Disc1/GridSquare_31928973/Data"
MOVIES = {"_Fractions.mrc": synthetic_mrc(sections=6), "_Fractions.tiff": tiff([{}, {}]), "_EER.eer": synthetic_eer()}


def micrograph(stem: str) -> dict[str, bytes]:
    plain = {".jpg": b"\xff\xd8\xff\xd9", ".mrc": synthetic_mrc(sections=1), ".xml": synthetic_epu()}
    return {stem + ending: data for ending, data in plain.items()}


@pytest.mark.parametrize("kind", MOVIES)
def test_a_micrograph_waits_for_its_movie_to_be_copied(tmp_path: Path, kind: str) -> None:
    """The movie comes last, and the copy stands still for a while."""
    movie = MOVIES[kind]
    steps: Script = [
        *[Write(f"{DATA}/{name}", data) for name, data in micrograph(STEM).items()],
        Pause(0.4),
        Write(f"{DATA}/{STEM}{kind}", movie[: len(movie) // 2]),
        Pause(1.5),
        Waits(STEM, f"{STEM}{kind}: "),
        Append(f"{DATA}/{STEM}{kind}", movie[len(movie) // 2 :]),
        Whole(STEM, [*micrograph(STEM), f"{STEM}{kind}"], folder=DATA),
    ]
    replay("epu-session", steps, tmp_path, under="20240901_grid1")


def test_micrographs_leave_while_the_session_runs(tmp_path: Path) -> None:
    """The movie of each is renamed when it is whole; a gain reference is a set of its own."""
    steps: list[Step | Whole] = [
        Write(f"{DATA}/gain.mrc", synthetic_mrc(sections=1)),
        Whole("gain", ["gain.mrc"], folder=DATA),
        Write("EpuSession.dm", b"<EpuSessionXml/>"),
        Whole("EpuSession", ["EpuSession.dm"], validation="unchecked"),
    ]
    for number in (1, 2):
        stem = f"FoilHole_3193345{number}_Data_31923934_31923936_20240901_06011{number}"
        movie = f"{DATA}/{stem}_Fractions.mrc"
        steps += [
            Write(f"{movie}.tmp", MOVIES["_Fractions.mrc"]),
            *[Write(f"{DATA}/{name}", data) for name, data in micrograph(stem).items()],
            Rename(f"{movie}.tmp", movie),
            Whole(stem, [*micrograph(stem), f"{stem}_Fractions.mrc"], folder=DATA),
        ]
    replay("epu-session", steps, tmp_path, under="20240901_grid1")


def test_a_movie_that_was_cut_off_is_sent_with_a_label(tmp_path: Path) -> None:
    movie = f"{STEM}_Fractions.mrc"
    steps: Script = [
        *[Write(f"{DATA}/{name}", data) for name, data in micrograph(STEM).items()],
        Write(f"{DATA}/{movie}", MOVIES["_Fractions.mrc"][:-50]),
        Whole(STEM, [*micrograph(STEM), movie], folder=DATA, validation="unsound", complete="no"),
    ]
    replay("epu-session", steps, tmp_path, under="20240901_grid1", deadline=2)


# MRC


def test_a_stack_grows_section_by_section_until_nothing_more_comes(tmp_path: Path) -> None:
    """It is in order after every section; the list of its angles is written at the end."""
    steps: Script = [
        *[step for count in (1, 2) for step in (*tilts("tomo/lamella.st", count, count - 1), Pause(0.8))],
        Append("tomo/lamella.st", bytes(SECTION - 20)),
        Pause(1.6),
        Waits("lamella", "lamella.st: "),
        Append("tomo/lamella.st", bytes(20)),
        Patch("tomo/lamella.st", 0, synthetic_mrc(sections=3)[:1024]),
        Write("tomo/lamella.rawtlt", b"-60\n-57\n-54\n"),
        Whole("lamella", ["lamella.st", "lamella.rawtlt"], folder="tomo"),
    ]
    replay("mrc-tilt-series", steps, tmp_path, under="ada", quiet=1.3)


def test_a_stack_whose_header_promises_more_than_there_is_is_held(tmp_path: Path) -> None:
    steps: Script = [Write("lamella.mrc", synthetic_mrc(sections=4)[:-SECTION]), Held("lamella", "lamella.mrc: ")]
    replay("mrc-tilt-series", steps, tmp_path, under="ada", deadline=2)
