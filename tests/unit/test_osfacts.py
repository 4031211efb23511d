"""What a file is to the operating system."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from watcher import osfacts


def test_facts_are_the_same_however_they_are_asked(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    (entry,) = os.scandir(tmp_path)
    with osfacts.open_shared(path) as file:
        answers = {osfacts.facts_at(path), osfacts.facts_at(str(path)), osfacts.facts_of(file)}
    answers.add(osfacts.facts_from(osfacts.status_of(entry)))
    (facts,) = answers
    assert (facts.size, facts.mtime_ns) == (5, path.stat().st_mtime_ns)


def test_a_renamed_file_keeps_its_identity_and_a_copied_one_has_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    before = osfacts.facts_at(path)
    (tmp_path / "copy").write_bytes(b"x")
    path.rename(tmp_path / "b")
    assert osfacts.facts_at(tmp_path / "b") == before
    assert osfacts.facts_at(tmp_path / "copy").identity != before.identity


def test_a_system_without_file_numbers_gives_no_identity(tmp_path: Path) -> None:
    values = list(tmp_path.stat())
    values[1] = 0
    assert osfacts.facts_from(os.stat_result(values)).identity == ""


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right on Windows")
def test_a_link_is_known_whether_or_not_it_leads_anywhere(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "dead").symlink_to("nowhere")
    (tmp_path / "folder link").symlink_to(tmp_path)
    with os.scandir(tmp_path) as entries:
        assert {entry.name: osfacts.is_link(entry) for entry in entries} == {
            "file": False, "dead": True, "folder link": True
        }  # fmt: skip


def test_a_file_that_is_read_can_be_renamed_written_and_removed_by_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"first")
    with osfacts.open_shared(path) as file:
        path.write_bytes(b"other")
        path.rename(tmp_path / "b")
        (tmp_path / "b").unlink()
        assert file.read() == b"other"
        osfacts.forget_cached(file)


def test_a_file_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        osfacts.open_shared(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError):
        osfacts.facts_at(tmp_path / "nothing")


def test_a_directory_can_be_made_to_last(tmp_path: Path) -> None:
    osfacts.sync_directory(tmp_path)
    if os.name == "posix":
        with pytest.raises(FileNotFoundError):
            osfacts.sync_directory(tmp_path / "nothing")


def test_the_computer_has_a_name() -> None:
    assert osfacts.host_name() == os.uname().nodename if os.name == "posix" else osfacts.host_name()


@pytest.mark.skipif(sys.platform != "linux", reason="asks the system in the words of Linux")
def test_the_watcher_gives_way_to_others() -> None:
    program = "import os; from watcher import osfacts; osfacts.lower_priority(); print(os.nice(0))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 10


@pytest.mark.skipif(sys.platform == "win32", reason="needs a program that can be given a name")
def test_a_program_is_found_by_its_name_while_it_runs(tmp_path: Path) -> None:
    program = tmp_path / "Acquire-25a.exe"
    program.write_text("#!/bin/sh\nread line\n")
    program.chmod(0o700)
    assert not osfacts.runs("acquire-25A")
    with subprocess.Popen([program], stdin=subprocess.PIPE) as process:
        try:
            assert osfacts.runs("Acquire-25a.exe")
            assert osfacts.runs("ACQUIRE-25A.EXE")
            assert osfacts.runs("acquire-25a")
            assert not osfacts.runs("acquire")
        finally:
            process.kill()
    assert not osfacts.runs("Acquire-25a.exe")


def test_if_the_system_does_not_say_a_program_is_taken_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: list[str]) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "process_iter", refuse)
    assert osfacts.runs("ZEN.exe")


def test_a_disk_is_asked_with_a_file_that_does_not_stay(tmp_path: Path) -> None:
    found = osfacts.blindness(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a").touch()
    (tmp_path / "\u00e9").touch()
    assert found == ((tmp_path / "A").exists(), (tmp_path / "e\u0301").exists())
    with pytest.raises(FileNotFoundError):
        osfacts.blindness(tmp_path / "nothing")


def test_what_a_blind_disk_sees() -> None:
    assert osfacts.Blindness(case=False, form=False).seen_as("\u00c9") == "\u00c9"
    assert osfacts.Blindness(case=True, form=False).seen_as("\u00c9A") == "\u00e9a"
    assert osfacts.Blindness(case=False, form=True).seen_as("\u00e9A") == "e\u0301A"
    both = osfacts.Blindness(case=True, form=True)
    assert both.seen_as("\u00c9.TIF") == both.seen_as("e\u0301.tif")


@pytest.mark.parametrize("name", ["a:b", "con", "CON.txt", "lpt1", "x.", "x ", "what?", "back\\slash", "a|b"])
def test_windows_has_no_files_of_some_names(name: str) -> None:
    assert not osfacts.holds(name, "win32")
    assert osfacts.holds(name, "linux")


@pytest.mark.parametrize("name", ["console", "a.tif", ".x", "50%", "é", "com", "lpt10.tif"])
def test_windows_has_files_of_all_others(name: str) -> None:
    assert osfacts.holds(name, "win32")
