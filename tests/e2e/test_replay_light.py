"""Microscopes that write one file an acquisition, replayed while the watcher runs: Zeiss CZI and LSM, Nikon ND2."""

import struct
from pathlib import Path

from tests.e2e.replay import Append, Held, Patch, Pause, Preallocate, Rename, Script, Step, Waits, Whole, Write, replay
from tests.unit.formats.test_czi import synthetic_czi
from tests.unit.formats.test_lsm import synthetic_lsm
from tests.unit.formats.test_nd2 import synthetic_nd2

#: Longer than the quiet time of a replay: a set whose files do not tell that they are unfinished would be sent.
LONG = 1.5


def czi_steps(name: str, data: bytes) -> tuple[list[Step], list[Step]]:
    """A CZI as libCZI and ZEN stream it: images first, directory and metadata then, and the header again at the end."""
    begin = data[:80] + struct.pack("<iqqiq", struct.unpack_from("<i", data, 80)[0], 0, 0, 0, 0) + data[112:1504]
    begun: list[Step] = [Write(name, begin[:544]), Append(name, begin[544:900]), Pause(0.4), Append(name, begin[900:])]
    return begun, [Append(name, data[1504:]), Patch(name, 80, data[80:112])]


def test_a_czi_is_whole_when_its_header_is_written_again(tmp_path: Path) -> None:
    begun, ended = czi_steps("scan.czi", synthetic_czi(images=5))
    steps: Script = [*begun, Pause(LONG), Waits("scan", "directory of its images"), *ended, Whole("scan", ["scan.czi"])]
    said = replay("zeiss-czi", steps, tmp_path, under="lab/ada").said("scan")
    assert said["acq:embedded.acquired"].startswith("2024-05-06T07:08:09")


def test_a_czi_of_several_files_waits_for_the_last_of_them(tmp_path: Path) -> None:
    parts = ("scan.czi", "scan (1).czi", "scan (2).czi")
    main = synthetic_czi(elsewhere=[(1, 544), (2, 544)])
    begun, ended = czi_steps(parts[0], main)
    steps: Script = [
        *begun,
        Write(parts[1], synthetic_czi(part=1)),
        Pause(0.5),
        *ended,
        Pause(LONG),
        Waits("scan", "scan (2).czi"),
        Write(parts[2], synthetic_czi(part=2)[:700]),
        Pause(LONG),
        Append(parts[2], synthetic_czi(part=2)[700:]),
        Whole("scan", parts),
    ]
    replay("zeiss-czi", steps, tmp_path, under="lab/ada")


def test_a_czi_of_a_run_that_was_broken_off_is_held(tmp_path: Path) -> None:
    begun, _ = czi_steps("scan.czi", synthetic_czi(images=5))
    replay("zeiss-czi", [*begun, Held("scan", "directory of its images")], tmp_path, under="lab/ada", deadline=2.0)


def test_a_czi_that_is_saved_again_is_a_new_version(tmp_path: Path) -> None:
    more = synthetic_czi(images=5)
    steps: Script = [
        Write("scan.czi", synthetic_czi()),
        Whole("scan", ["scan.czi"]),
        Write("scan.czi.tmp", more[:800]),
        Append("scan.czi.tmp", more[800:]),
        Pause(LONG),
        Rename("scan.czi.tmp", "scan.czi"),
        Whole("scan", ["scan.czi"], version=2),
    ]
    replay("zeiss-czi", steps, tmp_path, under="lab/ada")


def test_an_lsm_is_whole_when_its_time_stamps_are_there(tmp_path: Path) -> None:
    data = synthetic_lsm(tmp_path / "made.lsm", 6).read_bytes()
    end = len(data)
    steps: Script = [
        Write("stack.lsm", data[:200]),
        *(Append("stack.lsm", data[at : min(at + 100, end - 20)]) for at in range(200, end - 20, 100)),
        Write("stack.mdb", b"the old database"),
        Pause(LONG),
        Waits("stack", "stack.lsm"),
        Append("stack.lsm", data[end - 20 :]),
        Whole("stack", ["stack.lsm", "stack.mdb"]),
    ]
    replay("zeiss-lsm", steps, tmp_path, under="ada")


def test_an_nd2_is_whole_when_its_chunk_map_is_written(tmp_path: Path) -> None:
    data = synthetic_nd2(tuple(range(20)))
    end = data.rindex(b"\xda\xce\xbe\x0a")
    steps: Script = [
        Write("day 1/scan.nd2", data[:112]),
        *(Append("day 1/scan.nd2", data[at : min(at + 300, end)]) for at in range(112, end, 300)),
        Pause(LONG),
        Waits("scan", "map of its chunks"),
        Append("day 1/scan.nd2", data[end:]),
        Whole("scan", ["scan.nd2"], folder="day 1"),
    ]
    said = replay("nikon-nd2", steps, tmp_path, under="lab/ada").said("scan")
    assert said["acq:embedded.size"].endswith("x20x2x1")


def test_an_nd2_of_a_run_that_was_broken_off_is_held(tmp_path: Path) -> None:
    whole, broken = synthetic_nd2(), synthetic_nd2()
    steps: Script = [
        Write("broken.nd2", broken[: broken.rindex(b"\xda\xce\xbe\x0a")]),
        Write("next.nd2", whole),
        Whole("next", ["next.nd2"]),
        Held("broken", "broken.nd2: unfinished"),
    ]
    replay("nikon-nd2", steps, tmp_path, under="lab/ada", deadline=2.0)


def test_a_file_of_which_only_the_place_is_reserved(tmp_path: Path) -> None:
    data = synthetic_nd2()
    steps: Script = [
        Preallocate("scan.nd2", 100_000),
        Pause(LONG),
        Waits("scan", "scan.nd2: "),
        Write("scan.nd2", data),
        Whole("scan", ["scan.nd2"]),
    ]
    replay("nikon-nd2", steps, tmp_path, under="lab/ada")
