"""Micro-Manager and its relatives, replayed while the watcher runs: image stacks, separate images, NDTiff."""

import gzip
import re
import struct
from pathlib import Path

import pytest
import tifffile

from tests.e2e.replay import (
    Append,
    Held,
    Patch,
    Pause,
    Preallocate,
    Script,
    Step,
    Truncate,
    Waits,
    Whole,
    Write,
    replay,
)  # fmt: skip
from tests.unit.formats.test_micromanager_planes import synthetic_mm_planes
from tests.unit.formats.test_micromanager_stack import synthetic_mm_stack
from tests.unit.formats.test_ndtiff import synthetic_ndtiff
from watcher.formats.ndtiff import RESERVED
from watcher.simulate import plane

#: Longer than the quiet time of a replay: a set whose files do not tell that they are unfinished would be sent.
LONG = 1.5
FLAGS = slice(16, 32)


def begun(name: str, data: bytes, size: int) -> list[Step]:
    """A stack while it is written: reserved at its full size, without the flags and what comes after the images."""
    end = settings_at(data)
    open_header = data[:16] + bytes(16) + data[32:]
    return [
        Preallocate(name, size),
        Patch(name, 0, open_header[:500]),
        Pause(0.1),
        Patch(name, 500, open_header[500:end]),
    ]


def closed(name: str, data: bytes) -> list[Step]:
    """The stack is cut to its images, and gets its settings, comments and OME-XML, and then the flags."""
    end = settings_at(data)
    return [Truncate(name, end), Append(name, data[end:]), Patch(name, 16, data[FLAGS])]


def settings_at(data: bytes) -> int:
    return int(struct.unpack_from("<I", data, 20)[0])


@pytest.mark.samples
def test_a_dataset_of_stacks_is_whole_when_the_last_one_is_closed(samples: Path, tmp_path: Path) -> None:
    folder = samples / "mm-imagestack"
    stacks = {path.stem: gzip.decompress(path.read_bytes()) for path in sorted(folder.glob("*.gz"))}
    texts = {path.name: path.read_bytes() for path in sorted(folder.glob("*_metadata.txt"))}
    steps: Script = [
        *(step for name, data in stacks.items() for step in begun(f"run/{name}", data, len(data) + 2_000_000)),
        *(Write(f"run/{name}", data[:-200]) for name, data in texts.items()),
        Pause(LONG),
        Waits("1.4compatTest_3", "Micro-Manager has not closed it"),
        *(step for name, data in list(stacks.items())[:-1] for step in closed(f"run/{name}", data)),
        *(Append(f"run/{name}", data[-200:]) for name, data in texts.items()),
        Write("run/comments.txt", (folder / "comments.txt").read_bytes()),
        Pause(LONG),
        Waits("1.4compatTest_3", "Micro-Manager has not closed it"),
        *(step for name, data in list(stacks.items())[-1:] for step in closed(f"run/{name}", data)),
        Whole("1.4compatTest_3", [*stacks, *texts, "comments.txt"], folder="run"),
    ]
    replay("micromanager-stack", steps, tmp_path, under="ada")


def test_a_stack_to_which_comments_are_written_later_is_a_new_version(tmp_path: Path) -> None:
    data = synthetic_mm_stack(tmp_path / "made.tif", 4).read_bytes()
    name, text = "run_MMStack_Pos0.ome.tif", "run_MMStack_Pos0_metadata.txt"
    comments = struct.unpack_from("<I", data, 28)[0]
    longer = data[:comments] + struct.pack("<2I", 84720485, 20) + b'{"Summary": "good"} ' + bytes(8)
    steps: Script = [
        *begun(f"run/{name}", data, 3_000_000),
        Write(f"run/{text}", b"{\n"),
        *closed(f"run/{name}", data),
        Append(f"run/{text}", b'"Summary": {\n}\n}\n'),
        Whole("run", [name, text], folder="run"),
        # A person writes a comment in the viewer.
        Truncate(f"run/{name}", comments),
        Append(f"run/{name}", longer[comments:]),
        Whole("run", [name, text], folder="run", version=2),
    ]
    replay("micromanager-stack", steps, tmp_path, under="ada")


def test_a_stack_of_a_program_that_died_is_sent_as_incomplete(tmp_path: Path) -> None:
    data = synthetic_mm_stack(tmp_path / "made.tif", 4).read_bytes()
    name, text = "run_MMStack_Pos0.ome.tif", "run_MMStack_Pos0_metadata.txt"
    steps: Script = [
        Write(f"run/{text}", b'{\n"Summary": {\n},\n'),
        *begun(f"run/{name}", data, 300_000),
        Pause(LONG),
        Waits("run", "Micro-Manager has not closed it"),
        Whole("run", [name, text], folder="run", validation="unsound", complete="no"),
    ]
    replay("micromanager-stack", steps, tmp_path, under="ada", deadline=3.0)


def planes(folder: Path, images: int, planned: int, *, closed: bool = True) -> tuple[dict[str, bytes], list[bytes]]:
    """The images of one position (real TIFF files), and the text in the pieces in which it is written."""
    synthetic_mm_planes(folder, images, planned=planned, closed=closed)
    text = (folder / "metadata.txt").read_bytes()
    places = [found.start() for found in re.finditer(rb',\n"Coords-', text)]
    ends = [*places, len(text) - 2 * closed]
    pieces = [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]
    return {path.name: tiff(path) for path in sorted(folder.glob("*.tif"))}, pieces


def tiff(path: Path) -> bytes:
    tifffile.imwrite(path, plane(1, 1, 1, 16), metadata=None)
    return path.read_bytes()


def test_separate_images_of_two_positions_are_one_set(tmp_path: Path) -> None:
    images, pieces = planes(tmp_path / "made", 4, 4)
    both = ("Pos0", "Pos1")
    rounds: list[Step] = []
    for number, (image, data) in enumerate(images.items(), 1):
        for position in both:
            rounds += [
                Write(f"run 1/{position}/{image}", data),
                Append(f"run 1/{position}/metadata.txt", (pieces[0] if number == 1 else b"") + pieces[number]),
                Pause(0.1),
            ]
    last = f"run 1/Pos1/{list(images)[-1]}"
    steps: Script = [
        *(step for step in rounds if getattr(step, "name", "") != last),
        *(Append(f"run 1/{position}/metadata.txt", pieces[-1]) for position in both),
        Pause(LONG),
        Waits("run 1", list(images)[-1]),
        Write(last, images[last.rpartition("/")[2]]),
        Whole("run 1", [f"{p}/{name}" for p in both for name in (*images, "metadata.txt")], folder="run 1"),
    ]
    replay("micromanager-planes", steps, tmp_path, under="ada")


def test_separate_images_of_a_run_that_was_broken_off_are_told_to_be_so(tmp_path: Path) -> None:
    images, pieces = planes(tmp_path / "made", 3, 9, closed=False)
    steps: Script = [
        Write("run 1/Pos0/metadata.txt", pieces[0]),
        *(
            step
            for (image, data), piece in zip(images.items(), pieces[1:], strict=False)
            for step in (Write(f"run 1/Pos0/{image}", data), Append("run 1/Pos0/metadata.txt", piece), Pause(0.3))
        ),
        Whole("run 1", [f"Pos0/{name}" for name in (*images, "metadata.txt")], folder="run 1", validation="unchecked"),
    ]
    said = replay("micromanager-planes", steps, tmp_path, under="ada").said("run 1")
    assert said["acq:validated_by"].startswith("unchecked: metadata.txt: it was never closed")
    assert "3 of 9 planned images" in said["acq:remarks"]


def ndtiff(tmp_path: Path) -> tuple[bytes, bytes, str]:
    folder = synthetic_ndtiff(tmp_path / "made", 6, name="run_NDTiffStack.tif", MicroManagerVersion="2.0.3")
    return (folder / "NDTiff.index").read_bytes(), (folder / "run_NDTiffStack.tif").read_bytes(), "run_NDTiffStack.tif"


def running(index: bytes, stack: bytes, name: str) -> list[Step]:
    """The first images of a dataset whose files are reserved at their greatest size."""
    half, third = len(stack) // 2, len(index) // 3
    return [
        Preallocate("run_1/NDTiff.index", 26_214_400),
        Preallocate(f"run_1/{name}", RESERVED),
        Patch(f"run_1/{name}", 0, stack[:half]),
        Patch("run_1/NDTiff.index", 0, index[:third]),
        Write("run_1/display_settings.txt", b"{}"),
    ]


def test_an_ndtiff_dataset_is_whole_when_its_files_are_cut(tmp_path: Path) -> None:
    index, stack, name = ndtiff(tmp_path)
    half, third = len(stack) // 2, len(index) // 3
    steps: Script = [
        *running(index, stack, name),
        Pause(LONG),
        Waits("run_1", "reserved"),
        Patch(f"run_1/{name}", half, stack[half:]),
        Patch("run_1/NDTiff.index", third, index[third:]),
        Truncate(f"run_1/{name}", len(stack)),
        Pause(LONG),
        Waits("run_1", "NDTiff.index: unfinished"),
        Truncate("run_1/NDTiff.index", len(index)),
        Whole("run_1", ["NDTiff.index", name, "display_settings.txt"], folder="run_1"),
    ]
    said = replay("ndtiff", steps, tmp_path, under="ada").said("run_1")
    assert said["acq:embedded.size"] == "4x2x1x1x6"


def test_an_ndtiff_dataset_of_a_program_that_died_is_held(tmp_path: Path) -> None:
    index, stack, name = ndtiff(tmp_path)
    replay("ndtiff", [*running(index, stack, name), Held("run_1", "reserved")], tmp_path, under="ada", deadline=2.0)
