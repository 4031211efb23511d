"""MetaXpress plates: what the HTD tells and what not, on real plates and damaged ones."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.formats import htd, reading
from watcher.formats.htd import FORMAT

PLATES = ("9987_Plate_3420", "9987_Plate_3434", "9987_Plate_3435")
ODD = "a [b] #1 100% µ"

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda data: data[: len(data) // 2],
    "only the header": lambda data: data[:20],
    "tail of zeros": lambda data: data[: len(data) * 3 // 4].ljust(len(data), b"\0"),
    "empty": lambda _: b"",
    "without its last line": lambda data: data[: data.rindex(b'"EndFile"')],
    "two bytes and a line end short": lambda data: data[:-4],
}


def synthetic_htd(folder: Path, wells: int = 1, time_points: str = "1", name: str = "plate") -> Path:
    """A plate as the samples have it, labelled synthetic: no real file."""
    folder.mkdir(parents=True)
    lines = ['"HTSInfoFile", Version 1.0', '"Description", "synthetic"', f'"TimePoints", {time_points}']
    lines += ['"ZSeries", FALSE', '"ZSteps", 0', '"XWells", 12', '"YWells", 8']
    lines += [f'"WellsSelection1", {", ".join(["TRUE"] * wells)}', '"Sites", FALSE', '"NWavelengths", 2']
    lines += ['"WaveName1", "DAPI"', '"WaveName2", "Cy5"', '"WaveCollect1", 1', '"WaveCollect2", 1', '"EndFile"', ""]
    path = folder / f"{name}.HTD"
    path.write_bytes("\r\n".join(lines).encode())
    return path


@pytest.mark.samples
@pytest.mark.parametrize("plate", PLATES)
def test_a_real_plate_is_one_whole_set(samples: Path, plate: str) -> None:
    folder = samples / "imagexpress/ImageXpress_exported" / plate
    copies = sorted(folder.rglob("*.HTD"))
    assert len(copies) > 1
    for copy in copies:
        assert FORMAT.recognises(copy.read_bytes()[:1024], copy.name)
        claim = FORMAT.claim(copy)
        assert (claim.lists, claim.problems) == (("9987.HTD",), ())
        assert claim.tree == ("." if copy.parent == folder else "..")
    found = FORMAT.examine(folder, tuple(copy.relative_to(folder).as_posix() for copy in copies))
    assert (found.sound, found.problems, found.missing) == (True, (), ())
    assert found.metadata["objective"] == "40X Plan Apo Lambda NA 0.95"
    assert found.metadata["pixel_size_um"] == "1.3672x1.3672"
    assert not any("another text" in remark for remark in found.remarks)


@pytest.mark.samples
def test_announced_counts_are_only_told(samples: Path) -> None:
    folder = samples / "imagexpress/ImageXpress_exported"
    stack = FORMAT.examine(folder / "9987_Plate_3434", ("9987.HTD",))
    assert stack.sound
    assert stack.remarks[0].startswith("9987.HTD: 36 images are there, 64 are the most that it announces (2 wells x 2")
    movie = FORMAT.examine(folder / "9987_Plate_3435", ("9987.HTD",))
    assert movie.sound
    assert movie.remarks[0].startswith("9987.HTD: 16 images are there, 96 are the most")
    assert movie.remarks[1] == "9987.HTD: 2 of 6 time points have a folder"
    assert movie.metadata["acquired"] == "2024-07-09T13:15:50.916"
    assert movie.metadata["channels"] == "DAPI, FITC, Texas Red, Cy5"
    assert movie.metadata["size"] == "256x256x1x4x2"
    assert movie.sources.keys() == movie.metadata.keys()
    one = FORMAT.examine(folder / "9987_Plate_3420", ("9987.HTD",))
    assert one.remarks == ()


@pytest.mark.samples
def test_a_copy_does_not_count_the_plate_again(samples: Path) -> None:
    for folder in ("TimePoint_1", "TimePoint_1/ZStep_1"):
        found = FORMAT.examine(samples / "imagexpress/ImageXpress_exported/9987_Plate_3434" / folder, ("9987.HTD",))
        assert (found.sound, found.remarks) == (True, ())


def test_a_copy_without_the_plates_own_speaks_for_its_folder(tmp_path: Path) -> None:
    path = synthetic_htd(tmp_path / "plate" / "TimePoint_1")
    assert FORMAT.examine(path.parent, (path.name,)).sound is False
    (path.parent / "ZStep_1").mkdir()
    (path.parent / "ZStep_1" / "plate_A01_w1.TIF").touch()
    assert FORMAT.examine(path.parent, (path.name,)).sound


@pytest.mark.samples
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_htd_is_not_sound(samples: Path, tmp_path: Path, damage: str) -> None:
    plate = tmp_path / "plate"
    shutil.copytree(samples / "imagexpress/ImageXpress_exported/9987_Plate_3420", plate, copy_function=shutil.copyfile)
    plate.chmod(0o755)
    path = plate / "9987.HTD"
    data = path.read_bytes()
    path.write_bytes(DAMAGES[damage](data))
    found = FORMAT.examine(plate, ("9987.HTD", "TimePoint_1/9987.HTD"))
    assert found.sound is False
    assert found.problems[0].startswith("9987.HTD: ")
    if damage != "empty":
        assert "unfinished: it does not end" in found.problems[0]


@pytest.mark.samples
def test_the_last_line_may_have_any_end(samples: Path, tmp_path: Path) -> None:
    """One byte short is half of the last line's end: other programs write HTDs without any, so it cannot be told."""
    (tmp_path / "a_A01.tif").touch()
    data = (samples / "imagexpress/ImageXpress_exported/9987_Plate_3420/9987.HTD").read_bytes()
    for end in (1, 2):
        (tmp_path / "a.HTD").write_bytes(data[:-end])
        assert FORMAT.examine(tmp_path, ("a.HTD",)).sound


def test_a_plate_without_an_image_is_unfinished(tmp_path: Path) -> None:
    path = synthetic_htd(tmp_path / "plate")
    found = FORMAT.examine(path.parent, (path.name,))
    assert (found.sound, found.problems) == (False, ("plate.HTD: unfinished: there is no image of the plate yet",))
    (path.parent / "plate_A01_w1_thumb1234.tif").touch()
    assert not FORMAT.examine(path.parent, (path.name,)).sound
    (path.parent / "plate_A01_w11234.tif").touch()
    found = FORMAT.examine(path.parent, (path.name,))
    assert found.sound
    assert "1 images are there, 2 are the most" in found.remarks[0]


def test_a_copy_with_another_text_is_remarked_on(tmp_path: Path) -> None:
    path = synthetic_htd(tmp_path / ODD)
    copy = synthetic_htd(tmp_path / ODD / "TimePoint_1", wells=3)
    (copy.parent / "plate_A01_w1.tif").touch()
    found = FORMAT.examine(path.parent, ("TimePoint_1/plate.HTD", "plate.HTD"))
    assert found.sound
    remark = "plate.HTD: this copy is another text than that of the plate"
    assert f"TimePoint_1/{remark}" in found.remarks
    assert FORMAT.examine(copy.parent, (copy.name,)).remarks == (remark,)


def test_names_of_any_kind(tmp_path: Path) -> None:
    path = synthetic_htd(tmp_path / ODD, name=ODD)
    for wave in (1, 2):
        (path.parent / f"{ODD}_A01_w{wave}.TIF").touch()
    assert FORMAT.claim(path).lists == (f"{ODD}.HTD",)
    found = FORMAT.examine(path.parent, (path.name,))
    assert (found.sound, found.remarks) == (True, ())
    assert found.metadata == {"channels": "DAPI, Cy5"}


def test_a_member_that_went_away_is_missing(tmp_path: Path) -> None:
    found = FORMAT.examine(tmp_path, ("gone.HTD",))
    assert (found.sound, found.missing) == (False, ("gone.HTD",))
    with pytest.raises(FileNotFoundError):
        FORMAT.examine(tmp_path / "gone", ("gone.HTD",))


@pytest.mark.parametrize("number", ["999999999999999999999", "-1", "x", "1e9"])
def test_absurd_numbers_are_a_finding(tmp_path: Path, number: str) -> None:
    path = synthetic_htd(tmp_path / "plate", time_points=number)
    found = FORMAT.examine(path.parent, (path.name,))
    assert found.problems == ("plate.HTD: damaged: TimePoints is no sensible number",)


def test_a_huge_htd_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.HTD"
    path.write_bytes(b'"HTSInfoFile", Version 1.0\r\n')
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    assert "damaged" in FORMAT.examine(tmp_path, ("a.HTD",)).problems[0]


def test_of_ten_thousand_images_a_time_point_all_are_counted_and_one_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = synthetic_htd(tmp_path / "plate", time_points="2")
    for time_point in (1, 2):
        folder = os.path.join(path.parent, f"TimePoint_{time_point}")
        os.mkdir(folder)
        for number in range(10_000):
            os.close(os.open(f"{folder}/plate_A01_w{number}.TIF", os.O_CREAT | os.O_WRONLY))
    opened: list[str] = []

    def open_file(path: Path) -> BinaryIO:
        opened.append(path.name)
        return reading.open_file(path)

    monkeypatch.setattr(htd, "open_file", open_file)
    found = FORMAT.examine(path.parent, (path.name,))
    assert opened == ["plate.HTD", "plate_A01_w0.TIF"]
    assert "20000 images are there" in found.remarks[0]


def test_other_texts_are_not_recognised() -> None:
    for head in (b"", b"HTSInfoFile", b'"Description", "a"', b"II*\0", b' "HTSInfoFile"'):
        assert not FORMAT.recognises(head, "a.htd")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.binary(max_size=2000), at=st.integers(0, 300), insert=st.binary(max_size=20))
def test_nothing_that_a_file_holds_raises(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, at: int, insert: bytes
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    good = synthetic_htd(folder / "plate").read_bytes()
    (folder / "plate" / "plate_A01.tif").write_bytes(data)
    for content in (data, b'"HTSInfoFile"' + data, good[:at] + insert + good[at + len(insert) :]):
        (folder / "plate" / "plate.HTD").write_bytes(content)
        FORMAT.recognises(content[:1024], "plate.HTD")
        assert FORMAT.claim(folder / "plate" / "plate.HTD").tree == "."
        found = FORMAT.examine(folder / "plate", ("plate.HTD",))
        assert found.sound is not bool(found.problems)
