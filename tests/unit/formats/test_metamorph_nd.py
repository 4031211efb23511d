"""MetaMorph .nd: no public file is at hand, so all are synthetic, from the keys that Bio-Formats reads."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats.base import HEAD_BYTES, Examination
from watcher.formats.metamorph_nd import FORMAT


def synthetic_nd(folder: Path, base: str = "exp", waves: int = 2, stages: int = 2, times: int = 3) -> Path:
    """An .nd of version 2 and all images that it plans. Synthetic."""
    names = ["CFP/YFP", "DIC_(2)", "w3"][:waves]
    lines = [
        '"NDInfoFile", Version 2.0',
        '"Description", File recreated from images.',
        "a second line, of what the person wrote",
        '"StartTime1", 20240506 07:08:09.123',
        f'"DoTimelapse", {"TRUE" if times else "FALSE"}',
        *([f'"NTimePoints", {times}'] if times else []),
        f'"DoStage", {"TRUE" if stages else "FALSE"}',
        *([f'"NStagePositions", {stages}'] if stages else []),
        *(f'"Stage{number}", "Position{number}"' for number in range(1, stages + 1)),
        f'"DoWave", {"TRUE" if waves else "FALSE"}',
        *([f'"NWavelengths", {waves}'] if waves else []),
        *(f'"WaveName{number}", "{name}"' for number, name in enumerate(names, 1)),
        '"DoZSeries", FALSE',
        '"WaveInFileName", TRUE',
        '"EndFile"',
    ]
    (folder / f"{base}.nd").write_text("\r\n".join(lines) + "\r\n", encoding="utf-8", newline="")
    for name in planned(base, waves, stages, times):
        (folder / name).write_bytes(b"II*\0")
    return folder / f"{base}.nd"


def planned(base: str, waves: int, stages: int, times: int) -> list[str]:
    parts = ["_w1CFP-YFP", "_w2DIC--2-", "_w3w3"][:waves] or [""]
    return [
        f"{base}{wave}{stage}{moment}.TIF"
        for wave in parts
        for stage in ([f"_s{number}" for number in range(1, stages + 1)] or [""])
        for moment in ([f"_t{number}" for number in range(1, times + 1)] or [""])
    ]


def examined(nd: Path) -> Examination:
    return FORMAT.examine(nd.parent, (nd.name,))


@pytest.mark.parametrize("base", ["exp", "Zellen (2) [ü] #1 100%", "a.b+c"])
def test_a_whole_acquisition_is_one_sound_set(tmp_path: Path, base: str) -> None:
    nd = synthetic_nd(tmp_path, base)
    (tmp_path / f"{base}_thumb_w1CFP-YFP_s1_t1.TIF").write_bytes(b"II*\0")
    (tmp_path / f"{base}_w1CFP-YFP_s1_t1_thumb.tif").write_bytes(b"II*\0")
    (tmp_path / f"{base}2_w1CFP-YFP_s1_t1.TIF").write_bytes(b"II*\0")
    (tmp_path / f"{base} notes.txt").write_text("")
    assert FORMAT.recognises(nd.read_bytes()[:HEAD_BYTES], nd.name)
    claim = FORMAT.claim(nd)
    thumbs = {f"{base}_thumb_w1CFP-YFP_s1_t1.TIF", f"{base}_w1CFP-YFP_s1_t1_thumb.tif"}
    assert _taken(nd) == {*planned(base, 2, 2, 3), *thumbs}
    assert claim.title == base
    found = examined(nd)
    assert (found.sound, found.problems, found.missing, found.remarks) == (True, (), (), ())
    assert found.metadata == {"acquired": "2024-05-06T07:08:09", "channels": "CFP/YFP, DIC_(2)"}
    assert found.sources == {"acquired": f"{nd.name}/StartTime1", "channels": f"{nd.name}/WaveName"}


@pytest.mark.parametrize(("waves", "stages", "times"), [(0, 0, 0), (1, 0, 0), (0, 3, 0), (0, 0, 3), (3, 2, 1)])
def test_what_is_switched_off_is_in_no_name(tmp_path: Path, waves: int, stages: int, times: int) -> None:
    nd = synthetic_nd(tmp_path, waves=waves, stages=stages, times=times)
    assert _taken(nd) == set(planned("exp", waves, stages, times))
    assert (examined(nd).sound, examined(nd).remarks) == (True, ())


def test_an_image_that_one_position_lacks_is_missing(tmp_path: Path) -> None:
    nd = synthetic_nd(tmp_path)
    gone = "exp_w2DIC--2-_s2_t2.TIF"
    (tmp_path / gone).unlink()
    found = examined(nd)
    assert (found.sound, found.missing) == (False, (gone,))
    assert found.problems == (f"{gone}: missing, by what exp.nd and the other files say",)


def test_a_wavelength_that_is_wholly_absent_is_missing(tmp_path: Path) -> None:
    nd = synthetic_nd(tmp_path)
    for path in tmp_path.glob("exp_w2*"):
        path.unlink()
    assert examined(nd).missing == ("exp_w2DIC--2-_s1_t3.TIF", "exp_w2DIC--2-_s2_t3.TIF")


def test_a_wavelength_of_every_second_time_is_only_told(tmp_path: Path) -> None:
    nd = synthetic_nd(tmp_path)
    for path in tmp_path.glob("exp_w2*_t2.TIF"):
        path.unlink()
    found = examined(nd)
    assert (found.sound, found.missing) == (True, ())
    assert found.remarks == ("exp.nd: there are 10 of at most 12 image files",)


def test_an_acquisition_that_runs_is_unfinished(tmp_path: Path) -> None:
    nd = synthetic_nd(tmp_path)
    for path in tmp_path.glob("exp_*_t3.TIF"):
        path.unlink()
    assert examined(nd).problems == ("exp.nd: unfinished: 3 time points were planned, the last file is of number 2",)
    for path in tmp_path.glob("exp_*.TIF"):
        path.unlink()
    assert examined(nd).problems == ("exp.nd: unfinished: no image file of it is there yet",)


def test_the_very_last_image_is_waited_for(tmp_path: Path) -> None:
    nd = synthetic_nd(tmp_path, stages=0, times=4)
    (tmp_path / "exp_w2DIC--2-_t4.TIF").unlink()
    assert examined(nd).missing == ("exp_w2DIC--2-_t4.TIF",)


def test_stacks_that_hold_all_times_are_not_called_unfinished(tmp_path: Path) -> None:
    nd = synthetic_nd(tmp_path, waves=2, stages=0, times=3)
    for path in tmp_path.glob("exp_*.TIF"):
        path.unlink()
    for name in ("exp_w1CFP-YFP.stk", "exp_w2DIC--2-.stk"):
        (tmp_path / name).write_bytes(b"II*\0")
    assert (examined(nd).sound, examined(nd).problems) == (True, ())


@pytest.mark.parametrize("end", [-12, -30, 15, 0])
def test_a_cut_text_is_found(tmp_path: Path, end: int) -> None:
    nd = synthetic_nd(tmp_path)
    nd.write_bytes(nd.read_bytes()[:end])
    assert examined(nd).problems == ('exp.nd: cut off: its last line is not "EndFile"',)


def test_a_zeroed_tail_is_found_and_a_lost_line_end_is_not(tmp_path: Path) -> None:
    nd = synthetic_nd(tmp_path)
    data = nd.read_bytes()
    nd.write_bytes(data[:-60] + bytes(60))
    assert examined(nd).sound is False
    nd.write_bytes(data[:-1])
    assert examined(nd).sound, "what is lost is the end of a line"


def test_a_text_in_the_code_page_of_the_computer_is_read(tmp_path: Path) -> None:
    nd = synthetic_nd(tmp_path)
    nd.write_bytes(nd.read_text(encoding="utf-8").replace("File recreated", "Öffnung 5 µm").encode("cp1252"))
    assert examined(nd).sound


@pytest.mark.parametrize(
    ("key", "value"),
    [("NTimePoints", "99999999999"), ("NStagePositions", "1000000"), ("NWavelengths", "-1"), ("NTimePoints", "many")],
)
def test_absurd_counts_are_a_problem(tmp_path: Path, key: str, value: str) -> None:
    nd = synthetic_nd(tmp_path)
    lines = nd.read_text().splitlines()
    nd.write_text("\n".join(f'"{key}", {value}' if line.startswith(f'"{key}"') else line for line in lines))
    assert examined(nd).problems == (f"exp.nd: damaged: {key} is {value!r}, which no acquisition has",)


@pytest.mark.timeout(60)
def test_very_many_missing_images_cost_little(tmp_path: Path) -> None:
    nd = synthetic_nd(tmp_path)
    nd.write_text(nd.read_text().replace('"NStagePositions", 2', '"NStagePositions", 10000'))
    found = examined(nd)
    assert (found.sound, len(found.missing), len(found.problems)) == (False, 1000, 21)
    assert found.problems[-1] == f"{6 * 9998 - 20} more files are missing that exp.nd tells of"
    nd.write_bytes(b'"NDInfoFile", 1\n' + b"x" * (5 << 20))
    assert "longer than" in examined(nd).problems[0]


@pytest.mark.parametrize(
    ("head", "name"), [(b'"NDInfoFile", Version 1.0', "a.txt"), (b"NDInfo", "a.nd"), (b"", "a.nd")]
)
def test_other_files_are_not_claimed(head: bytes, name: str) -> None:
    assert not FORMAT.recognises(head, name)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.binary(max_size=300), cut=st.integers(0, 600), flip=st.integers(0, 600))
def test_any_bytes_are_survived(tmp_path_factory: pytest.TempPathFactory, data: bytes, cut: int, flip: int) -> None:
    nd = synthetic_nd(tmp_path_factory.mktemp("fuzz"), times=1)
    good = bytearray(nd.read_bytes())
    good[flip % len(good)] ^= 0xFF
    for content in (data, b'"NDInfoFile"' + data, bytes(good), bytes(good[:cut]) + data):
        FORMAT.recognises(content[:HEAD_BYTES], nd.name)
        nd.write_bytes(content)
        assert (examined(nd).sound is False) == bool(examined(nd).problems)
        FORMAT.claim(nd)


def _taken(nd: Path) -> set[str]:
    """The names in the folder that belong to the set besides the .nd."""
    claim = FORMAT.claim(nd)
    assert claim.lists == (nd.name,)
    return {path.name for path in nd.parent.iterdir() if re.fullmatch(claim.takes, path.name)}
