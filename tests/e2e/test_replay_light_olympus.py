"""Olympus and Evident microscopes, replayed while the watcher runs: OIB, OIF, OIR, VSI."""

from pathlib import Path

import pytest

from tests.e2e.replay import Append, Held, Patch, Pause, Rename, Script, Truncate, Waits, Whole, Write, replay
from tests.unit.formats.test_olympus_oir import properties, synthetic_oir
from tests.unit.formats.test_olympus_vsi import synthetic_ets, synthetic_vsi

#: Longer than the quiet time of a replay: a set whose files do not tell that they are unfinished would be sent.
LONG = 1.5
OIF = "Cell 1 mitoEGFP.oif"


@pytest.mark.samples
def test_an_oib_is_whole_when_its_last_sector_is_there(samples: Path, tmp_path: Path) -> None:
    data = (samples / "oib" / "test.oib").read_bytes()
    half = len(data) // 2
    steps: Script = [
        # FluoView writes it under another name, in steps, with the table of its parts last.
        Write("cells.oib.tmp", data[:8] + bytes(504) + data[512:half]),
        Rename("cells.oib.tmp", "cells.oib"),
        Pause(LONG),
        Append("cells.oib", data[half:-600]),
        Patch("cells.oib", 0, data[:512]),
        Pause(LONG),
        Waits("cells", "cells.oib: "),
        Append("cells.oib", data[-600:]),
        Whole("cells", ["cells.oib"]),
    ]
    replay("olympus-oib", steps, tmp_path, under="ada")


def oif_files(samples: Path) -> dict[str, bytes]:
    folder = samples / "oif" / f"{OIF}.files"
    return {f"{folder.name}/{path.name}": path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.samples
def test_an_oif_waits_for_every_plane_that_it_lists(samples: Path, tmp_path: Path) -> None:
    files, settings = oif_files(samples), (samples / "oif" / OIF).read_bytes()
    late = f"{OIF}.files/s_C003.tif"
    steps: Script = [
        *(step for name, data in files.items() if name != late for step in (Write(name, data), Pause(0.05))),
        Write(OIF, settings[:-400]),
        Append(OIF, settings[-400:]),
        Pause(LONG),
        Waits("Cell 1 mitoEGFP", "s_C003.tif"),
        Write(late, files[late][:500]),
        Pause(LONG),
        Append(late, files[late][500:]),
        Whole("Cell 1 mitoEGFP", [OIF, *files]),
    ]
    replay("olympus-oif", steps, tmp_path, under="ada")


@pytest.mark.samples
def test_an_oif_whose_settings_are_written_again_stays_one_set(samples: Path, tmp_path: Path) -> None:
    files, settings = oif_files(samples), (samples / "oif" / OIF).read_bytes()
    late = f"{OIF}.files/s_C003.pty"
    steps: Script = [
        Write(OIF, settings),
        *(Write(name, data) for name, data in files.items() if name != late),
        Pause(LONG),
        Waits("Cell 1 mitoEGFP", "s_C003.pty"),
        # The planes have been at rest for long when the settings are written again.
        Write(OIF, settings[:-400]),
        Append(OIF, settings[-400:]),
        Pause(0.6),
        Write(late, files[late]),
        Whole("Cell 1 mitoEGFP", [OIF, *files]),
    ]
    replay("olympus-oif", steps, tmp_path, under="ada")


def test_an_oir_and_its_continuations_are_one_set(tmp_path: Path) -> None:
    main = synthetic_oir(range(1, 3), properties(5))
    parts = {"scan_00001": synthetic_oir(range(3, 4), None), "scan_00002": synthetic_oir(range(4, 6), None)}
    open_header = main[:32] + bytes(20) + main[52:]
    steps: Script = [
        # The size, the place and the length of the index stand in the header when the file is closed.
        Write("scan.oir", open_header[:300]),
        Append("scan.oir", open_header[300:700]),
        Pause(LONG),
        Waits("scan", "scan.oir: unfinished"),
        Append("scan.oir", open_header[700:]),
        Patch("scan.oir", 32, main[32:52]),
        Write("scan_00001", parts["scan_00001"]),
        Pause(LONG),
        Waits("scan", "it has 10 planes"),
        Write("scan_00002", parts["scan_00002"][:-30]),
        Append("scan_00002", parts["scan_00002"][-30:]),
        Whole("scan", ["scan.oir", *parts]),
    ]
    replay("olympus-oir", steps, tmp_path, under="ada")


def test_an_oir_of_which_a_continuation_never_comes_is_held(tmp_path: Path) -> None:
    steps: Script = [
        Write("scan.oir", synthetic_oir(range(1, 3), properties(5))),
        Write("scan_00001", synthetic_oir(range(3, 4), None)),
        Held("scan", "it has 10 planes"),
    ]
    replay("olympus-oir", steps, tmp_path, under="ada", deadline=2.0)


def test_a_slide_is_whole_when_the_table_of_its_tiles_is_there(tmp_path: Path) -> None:
    ets, vsi = synthetic_ets(40), synthetic_vsi()
    tiles = "_slide 1_/stack1/frame_t_0.ets"
    end = 292 + 40 * 100
    steps: Script = [
        # While it is scanned the header does not say where the table is, and the .vsi is only begun.
        Write(tiles, ets[:32] + bytes(12) + ets[44:600]),
        *(step for at in range(600, end, 800) for step in (Append(tiles, ets[at : min(at + 800, end)]), Pause(0.1))),
        Pause(LONG),
        Waits("slide 1", "the missing file study/slide 1.vsi"),
        Write("slide 1.vsi", vsi[:60]),
        Append("slide 1.vsi", vsi[60:]),
        Pause(LONG),
        Waits("slide 1", "frame_t_0.ets: unfinished"),
        Append(tiles, ets[end:]),
        Patch(tiles, 0, ets[:44]),
        Write("_slide 1_/stack1/blob_1.ets", b"focus"),
        Whole("slide 1", ["slide 1.vsi", tiles, "_slide 1_/stack1/blob_1.ets"]),
    ]
    replay("olympus-vsi", steps, tmp_path, under="study")


def test_finished_tiles_wait_for_their_vsi_however_late_it_comes(tmp_path: Path) -> None:
    """Also when it was begun long after them and is still being written."""
    ets, vsi = synthetic_ets(10), synthetic_vsi()
    tiles = "_slide_/stack1/frame_t_0.ets"
    steps: Script = [
        Write(tiles, ets),
        Pause(LONG),
        Waits("slide", "the missing file study/slide.vsi"),
        Write("slide.vsi", vsi[:60]),
        Pause(0.2),
        Append("slide.vsi", vsi[60:]),
        Whole("slide", ["slide.vsi", tiles]),
    ]
    replay("olympus-vsi", steps, tmp_path, under="study")


def test_tiles_whose_place_is_reserved_are_no_sign(tmp_path: Path) -> None:
    ets = synthetic_ets(10)
    tiles = "_slide_/stack1/frame_t_0.ets"
    steps: Script = [
        Write("slide.vsi", synthetic_vsi()),
        Write(tiles, ets[:44]),
        Append(tiles, bytes(100_000)),
        Pause(LONG),
        Waits("slide", "frame_t_0.ets: "),
        Patch(tiles, 44, ets[44:]),
        Truncate(tiles, len(ets)),
        Whole("slide", ["slide.vsi", tiles]),
    ]
    replay("olympus-vsi", steps, tmp_path, under="study")
