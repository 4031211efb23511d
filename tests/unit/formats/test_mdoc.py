"""SerialEM's mdoc: tilt series, montages, movies; what is missing, counts that do not agree, damage, random bytes."""

import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.formats.electron_files import DAMAGES, NAMES, synthetic_mrc
from watcher.formats.base import Examination
from watcher.formats.mdoc import FORMAT, MAX_BYTES, MAX_LINES, MAX_SECTIONS

#: Each sample with the stack that it names and the sections that it describes, or with its movie and no sections.
SAMPLES = {
    "tilt_series.mdoc": ("TS_01.mrc", 41),
    "test_1.mdoc": ("chrom_07_ts_010.mrc", 11),
    "montage_section.mdoc": ("LMM.mrc", 62),
    "montage_section_multiple.mdoc": ("mmm.mrc", 90),
    "LS_Metadata_reader/mdocs/TS_41.mrc.mdoc": ("TS_41.mrc", 40),
    "LS_Metadata_reader/mdocs/TS_42.mrc.mdoc": ("TS_42.mrc", 36),
    "frame_set_single.mdoc": ("s_mmm_00993_33.0_Oct08_07.39.05.tif", 0),
    "frame_set_multiple.mdoc": ("s_mmm_01013_33.0_Oct08_07.46.46.tif", 0),
    **{
        f"LS_Metadata_reader/mdocspa/{name}.mdoc": (name, 0)
        for name in (
            "2023-09-25_14.13.07_Grid9-_template_0035.tif",
            "2023-09-25_17.52.23_Grid2-_template_0025.tif",
        )
    },
}
#: Frames of the movies above.
FRAMES = {"0035": 40, "0025": 40, "00993": 12, "01013": 243}


def tilt_series(sections: int = 3, movie: str = "", head: str = "ImageFile = TS.mrc\n") -> str:
    """Synthetic, after the samples: a tilt series, with a movie for each tilt if `movie` is a pattern for its path."""
    parts = [f"PixelSpacing = 5.4\n{head}ImageSize = 10 7\n\n[T = SerialEM: Krios 3   30-Nov-15  15:14:20 ]\n"]
    for index in range(sections):
        path = f"SubFramePath = {movie.format(index)}\nNumSubFrames = 2\n" if movie else ""
        parts.append(f"[ZValue = {index}]\nTiltAngle = {index}\n{path}DateTime = 30-Nov-15  15:2{index % 10}:38\n")
    return "\n".join(parts)


def movies(folder: Path, name: str, frames: int) -> None:
    tifffile.imwrite(folder / name, np.zeros((frames, 4, 4), np.uint8), photometric="minisblack", metadata=None)


def placed(samples: Path, name: str, folder: Path) -> Path:
    """A copy of a sample with a synthetic stack or movie beside it."""
    path = folder / Path(name).name
    shutil.copyfile(samples / "mdoc" / name, path)
    path.chmod(0o644)
    other, sections = SAMPLES[name]
    if sections:
        (folder / other).write_bytes(synthetic_mrc(sections=sections))
    else:
        movies(folder, other, next(count for part, count in FRAMES.items() if part in other))
    return path


def examined(folder: Path, text: str | bytes, name: str = "TS.mrc.mdoc") -> Examination:
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return FORMAT.examine(folder, (name,))


@pytest.mark.samples
def test_no_sample_is_left_out(samples: Path) -> None:
    folder = samples / "mdoc"
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.mdoc")} == set(SAMPLES)


@pytest.mark.samples
@pytest.mark.parametrize("name", SAMPLES)
def test_a_real_text_names_its_images_and_is_sound_with_them(samples: Path, tmp_path: Path, name: str) -> None:
    path = placed(samples, name, tmp_path)
    other, _ = SAMPLES[name]
    assert FORMAT.recognises(path.read_bytes()[:1024], path.name)
    claim = FORMAT.claim(path)
    assert (claim.lists, claim.title, claim.problems) == ((path.name, other), Path(other).stem, ())
    found = FORMAT.examine(tmp_path, (path.name,))
    assert (found.sound, found.problems, found.missing) == (True, (), ())
    assert found.metadata["acquired"].startswith("20")
    assert found.metadata["software"].startswith("SerialEM")


@pytest.mark.samples
@pytest.mark.parametrize("name", SAMPLES)
def test_a_missing_stack_or_movie_is_named(samples: Path, tmp_path: Path, name: str) -> None:
    path = placed(samples, name, tmp_path)
    (tmp_path / SAMPLES[name][0]).unlink()
    found = FORMAT.examine(tmp_path, (path.name,))
    assert found.sound is False
    assert found.missing == (SAMPLES[name][0],)
    assert found.problems == (f"{SAMPLES[name][0]}: missing, the set lists it",)


@pytest.mark.samples
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", SAMPLES)
def test_a_damaged_text_is_not_sound(samples: Path, tmp_path: Path, name: str, damage: str) -> None:
    path = placed(samples, name, tmp_path)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    found = FORMAT.examine(tmp_path, (path.name,))
    assert found.sound is False
    assert path.name in found.problems[0]


@pytest.mark.samples
def test_what_a_real_text_says(samples: Path, tmp_path: Path) -> None:
    path = placed(samples, "test_1.mdoc", tmp_path)
    found = FORMAT.examine(tmp_path, (path.name,))
    assert found.metadata == {
        "instrument": "eBIC Krios 3",
        "software": "SerialEM Version 4.0.6 64-bit",
        "acquired": "2022-08-01T18:58:35",
        "size": "4096x4096x11x1x1",
        "pixel_size_um": "0.000194x0.000194",
        "objective": "64000x",
    }
    assert found.sources["acquired"] == "DateTime"


def test_a_text_that_ends_between_two_sections_is_found_out_by_its_stack(tmp_path: Path) -> None:
    (tmp_path / "TS.mrc").write_bytes(synthetic_mrc(sections=5))
    found = examined(tmp_path, tilt_series(3))
    assert found.problems == ("TS.mrc.mdoc: unfinished: it describes the sections up to 3, TS.mrc has 5",)


def test_a_stack_with_fewer_sections_than_described_is_incomplete(tmp_path: Path) -> None:
    (tmp_path / "TS.mrc").write_bytes(synthetic_mrc(sections=2))
    found = examined(tmp_path, tilt_series(3))
    assert found.problems == ("TS.mrc.mdoc: incomplete: it describes 3 sections, TS.mrc has 2",)


def test_sections_that_were_never_described_are_only_remarked(tmp_path: Path) -> None:
    (tmp_path / "TS.mrc").write_bytes(synthetic_mrc(sections=3))
    found = examined(tmp_path, tilt_series(3).replace("[ZValue = 0]", "[ZValue = 1]"))
    assert found.sound
    text = tilt_series(3).split("[ZValue = 0]")
    found = examined(tmp_path, text[0] + "[ZValue = 1]" + text[1].partition("[ZValue = 1]")[2])
    assert found.remarks == ("TS.mrc.mdoc: it describes 2 of the 3 sections of TS.mrc",)


def test_a_last_section_without_its_time_is_unfinished(tmp_path: Path) -> None:
    (tmp_path / "TS.mrc").write_bytes(synthetic_mrc(sections=3))
    found = examined(tmp_path, tilt_series(3) + "\n[ZValue = 3]\nTiltAngle = 3\n")
    assert "TS.mrc.mdoc: unfinished: its last section has no time, as all others have" in found.problems


def test_movies_beside_a_tilt_series_belong_to_it_and_are_all_needed(tmp_path: Path) -> None:
    (tmp_path / "TS.mrc").write_bytes(synthetic_mrc(sections=3))
    (tmp_path / "TS.mrc.mdoc").write_text(tilt_series(3, r"D:\DATA\Somebody\frames\TS_{}.tif"))
    claim = FORMAT.claim(tmp_path / "TS.mrc.mdoc")
    assert claim.lists == ("TS.mrc.mdoc", "TS.mrc")
    assert claim.remarks == ("TS.mrc.mdoc: its 3 movies of frames lie in another folder",)
    for index in range(3):
        movies(tmp_path, f"TS_{index}.tif", 2)
    claim = FORMAT.claim(tmp_path / "TS.mrc.mdoc")
    assert claim.lists == ("TS.mrc.mdoc", "TS.mrc", "TS_0.tif", "TS_1.tif", "TS_2.tif")
    assert FORMAT.examine(tmp_path, ("TS.mrc.mdoc",)).sound
    (tmp_path / "TS_1.tif").unlink()
    movies(tmp_path, "TS_2.tif", 1)
    found = FORMAT.examine(tmp_path, ("TS.mrc.mdoc",))
    assert found.missing == ("TS_1.tif",)
    assert "TS.mrc.mdoc: incomplete: it lists 2 frames in TS_2.tif, which has 1" in found.problems
    assert not any("Somebody" in text for text in (*found.problems, *found.remarks))


def test_many_short_movies_are_told_in_few_sentences(tmp_path: Path) -> None:
    for index in range(30):
        movies(tmp_path, f"TS_{index}.tif", 1)
    (tmp_path / "TS.mrc").write_bytes(synthetic_mrc(sections=30))
    found = examined(tmp_path, tilt_series(30, r"D:\frames\TS_{}.tif"))
    assert len(found.problems) == 21
    assert found.problems[-1] == "TS.mrc.mdoc: incomplete: 10 more movies have too few frames"


def frame_sets(*paths: str) -> str:
    """Synthetic, after the samples: movies."""
    sections = (f"[FrameSet = {index}]\nSubFramePath = {path}\n" for index, path in enumerate(paths))
    return "T = SerialEM: Krios 3\nVoltage = 300\n\n" + "\n".join(sections)


def test_many_missing_movies_are_told_in_few_sentences(tmp_path: Path) -> None:
    found = examined(tmp_path, frame_sets(*(rf"D:\frames\a{index:03}.tif" for index in range(30))), "a.mdoc")
    assert len(found.missing) == 30
    assert len(found.problems) == 21
    assert found.problems[-1] == "10 more files are missing, up to a029.tif"


@pytest.mark.parametrize("said", [r"D:\frames\..", "a\tb.tif", "long" * 1000, "D:\\"])
def test_names_that_cannot_be_in_the_folder_are_left_out(tmp_path: Path, said: str) -> None:
    (tmp_path / "a.mdoc").write_text(frame_sets(said))
    claim = FORMAT.claim(tmp_path / "a.mdoc")
    assert claim.lists == ("a.mdoc",)
    assert claim.problems == ("a.mdoc: it names a file that cannot be in its folder, which is left out",)


@pytest.mark.parametrize("said", [r"..\..\secret.tif", "/srv/frames/secret.tif", r"\\server\share\secret.tif"])
def test_only_the_last_part_of_a_path_counts(tmp_path: Path, said: str) -> None:
    (tmp_path / "a.mdoc").write_text(frame_sets(said))
    assert FORMAT.claim(tmp_path / "a.mdoc").lists == ("a.mdoc", "secret.tif")


@pytest.mark.parametrize("stem", NAMES)
def test_names_do_not_matter(tmp_path: Path, stem: str) -> None:
    (tmp_path / f"{stem}.st").write_bytes(synthetic_mrc(sections=3))
    found = examined(tmp_path, tilt_series(3, head=""), f"{stem}.st.mdoc")
    assert found.sound
    assert FORMAT.claim(tmp_path / f"{stem}.st.mdoc").lists == (f"{stem}.st.mdoc", f"{stem}.st")


@pytest.mark.parametrize(
    ("data", "name"),
    [(b"", "a.mdoc"), (b"hello\nworld\n", "a.mdoc"), (b"[ZValue = 0]\n", "a.txt"), (b"[T = x]\0", "a.mdoc")],
)
def test_what_only_looks_like_it_is_not_claimed(data: bytes, name: str) -> None:
    assert not FORMAT.recognises(data, name)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        b"[ZValue = 0]\nSubFramePath = a\n" * (MAX_SECTIONS * 5),
        b"PixelSpacing = 1\n" + b"x" * (MAX_BYTES + 10),
        b"[ZValue = 0]\n" + b"".join(b"%x = b\n" % number for number in range(MAX_LINES + 10)),
        b"ImageFile = a.mrc\n[ZValue = 99999999999999999999]\nNumSubFrames = " + b"9" * 5000 + b"\n",
    ],
)
def test_a_text_made_to_hurt_costs_little_time(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a.mdoc").write_bytes(text)
    found = FORMAT.examine(tmp_path, ("a.mdoc",))
    assert found.sound is False
    assert len(found.problems) < 30


@pytest.mark.parametrize(
    "text",
    [
        b"[ZValue = 0]\nSubFramePath = a\n" * (MAX_SECTIONS + 10),
        b"[ZValue = 0]\n" + b"".join(b"%x = b\n" % number for number in range(70_000)),
    ],
)
def test_a_long_text_costs_little_memory(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a.mdoc").write_bytes(text)
    tracemalloc.start()
    FORMAT.examine(tmp_path, ("a.mdoc",))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 << 20


GOOD = tilt_series(3, r"D:\frames\TS_{}.tif").encode()


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=600),
        st.builds(
            lambda at, raw: GOOD[:at] + raw + GOOD[at + len(raw) :], st.integers(0, len(GOOD)), st.binary(max_size=12)
        ),
    )
)
def test_no_bytes_crash_it(tmp_path: Path, data: bytes) -> None:
    FORMAT.recognises(data[:1024], "TS.mrc.mdoc")
    assert examined(tmp_path, data).sound in (True, False, None)
    assert FORMAT.claim(tmp_path / "TS.mrc.mdoc").lists[0] == "TS.mrc.mdoc"
