"""What is wrong with a computer, as the doctor tells it: made so in truth, but for what no computer has twice."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.unit.doctor.conftest import Patient
from watcher import osfacts
from watcher.doctor import computer
from watcher.errors import Exit
from watcher.osfacts import Volume

GIB = 1 << 30


def test_the_program_and_its_libraries_are_named(patient: Patient) -> None:
    ((verdict, what, _),) = patient.told("program")
    assert (verdict, what.startswith("irods-watcher ")) == ("ok", True)
    assert f"Python {sys.version_info.major}.{sys.version_info.minor}." in what
    told = patient.told("libraries")
    assert [verdict for verdict, *_ in told] == ["ok"]
    assert "python-irodsclient 3.3" in told[0][1]


def test_a_library_that_is_missing_or_of_another_version(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["rich<14,>=13", "no-such-library>=1", 'pywin32; sys_platform == "nowhere"', 'pika>=9; extra == "amqp"']
    monkeypatch.setattr("importlib.metadata.requires", lambda _: wanted)
    told = patient.told("libraries")
    assert [verdict for verdict, *_ in told] == ["warning", "fail", "ok"]
    assert told[0][1].endswith("is installed, and the program wants <14,>=13")
    assert told[0][2] == "install irods-watcher into an environment of its own"
    assert told[1][1:] == ("no-such-library is not installed", "install irods-watcher anew")


# the watched folders


def test_watched_folders_that_are_missing_closed_or_hold_the_journal(
    patient: Patient, as_nobody: Callable[[], Any]
) -> None:
    (patient.home / "file").write_text("")
    patient.write(watch="[{path: data}, {path: nowhere}, {path: file}, {path: state/data}]")
    told = patient.told("folders")
    missing = "check watch.path in the profile, and that the disk or share is there"
    assert told[:3] == [
        ("ok", f"{patient.data}: it is there and can be read", ""),
        ("fail", f"{patient.home / 'nowhere'}: there is no such folder", missing),
        ("fail", f"{patient.home / 'file'}: there is no such folder", missing),
    ]
    patient.write(watch="[{path: data}]")
    patient.state = patient.data / "journal"
    ((verdict, what, cure),) = patient.told("folders")
    assert (verdict, what) == ("fail", f"{patient.data}: the journal lies in it, so that it would be delivered itself")
    assert cure == "choose another place with --state"
    assert patient.codes() == {Exit.CONFIGURATION}
    assert list(patient.data.iterdir()) == []
    patient.state = patient.home / "state"
    patient.state.mkdir(mode=0o700)
    if os.name == "posix" and os.geteuid() == 0:
        os.chown(patient.state, 65534, 65534)
    patient.data.chmod(0o700)
    with as_nobody():
        ((verdict, what, cure),) = patient.told("folders")
    assert (verdict, what) == ("fail", f"{patient.data}: this account may not read it")
    assert cure == "let the watcher's account read it and all that is in it"


@pytest.mark.parametrize(
    ("volume", "verdict", "what", "cure"),
    [
        (
            Volume("/mnt/share", "nfs4", remote=True),
            "warning",
            ": it is on another computer (nfs4), which sends no events of what others write there",
            "better run the watcher on that computer",
        ),
        (
            Volume("Z:\\", "NTFS", remote=True),
            "fail",
            ": Z:\\ is a drive that was mapped for a user, which a service does not have",
            "write the share itself, as in \\\\server\\share\\folder",
        ),
    ],
    ids=["share", "mapped drive"],
)
def test_a_folder_on_another_computer(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, volume: Volume, verdict: str, what: str, cure: str
) -> None:
    monkeypatch.setattr(osfacts, "volume_of", lambda path: volume if path == patient.data else None)
    ((found, said, mend),) = patient.told("folders")
    assert (found, said) == (verdict, f"{patient.data}{what}")
    assert mend.startswith(cure)


def test_a_journal_on_another_computer(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(osfacts, "volume_of", lambda path: Volume("/mnt", "cifs", remote=path == patient.state))
    verdict, what, cure = patient.told("state")[0]
    assert (verdict, what) == (
        "warning", f"{patient.state}: it is on another computer (cifs), where a journal is not safe",
    )  # fmt: skip
    assert cure == "choose a place on a disk of this computer with --state"


def test_a_folder_that_is_written_otherwise_than_on_its_disk(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    (patient.home / "Caf\u00e9").mkdir()
    assert osfacts.name_on_disk(patient.home / "cafe\u0301") == "Caf\u00e9", "only the list of the folder is read"
    assert osfacts.name_on_disk(patient.home / "data") == "data"
    listed = os.listdir
    monkeypatch.setattr(os, "listdir", lambda place: ["Data" if name == "data" else name for name in listed(place)])
    ((verdict, what, cure),) = patient.told("folders")
    assert (verdict, what) == ("warning", f"{patient.data}: on the disk it is written Data")
    assert cure == "write watch.path in the profile exactly as it is on the disk"


# events


def test_events_arrive_and_the_folders_are_counted(patient: Patient) -> None:
    for number in range(5):
        (patient.data / f"{number}").mkdir()
    told = patient.told("events")
    assert {verdict for verdict, *_ in told} == {"ok"}
    if sys.platform == "linux":
        assert told[0][1].startswith("at least 6 folders are watched, and the system listens to ")
    assert told[-1][1].startswith("events arrive within ")
    assert told[-1][1].endswith(" ms (tried beside the journal, since watched folders are only read)")
    assert len(list(patient.data.iterdir())) == 5


def test_more_folders_than_the_system_listens_to(patient: Patient) -> None:
    for number in range(20):
        (patient.data / f"{number}").mkdir()
    limits = patient.home / "inotify"
    limits.mkdir()
    (limits / "max_user_watches").write_text("16\n")
    verdict, what, cure = patient.told("events", inotify=limits)[0]
    assert (verdict, what.startswith("at least 21 folders are watched, and the system listens to 16")) == (
        "warning", True,
    )  # fmt: skip
    assert "raise fs.inotify.max_user_watches, as in `sysctl fs.inotify.max_user_watches=524288`" in cure


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a limit that can be used up so")
def test_a_system_that_has_no_room_for_another_listener(patient: Patient, as_nobody: Callable[[], Any]) -> None:
    """Another process has all instances of inotify that an account may have: one that nobody else uses here."""
    if os.geteuid():
        pytest.skip("only root can be another account")
    patient.state.mkdir(mode=0o700)
    os.chown(patient.state, 65534, 65534)
    assert patient.told("events")[-1][0] == "ok"
    what = "import ctypes, os; c = ctypes.CDLL(None); os.setuid(65534)\n"
    what += "while c.inotify_init() >= 0: pass\nprint('none left', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", what], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as hog:
        assert hog.stdout
        assert hog.stdout.readline() == b"none left\n"
        with as_nobody():
            verdict, said, cure = patient.told("events")[-1]
        hog.communicate(b"\n")
    assert (verdict, said.startswith("no event came within 5 s")) == ("warning", True)
    assert cure.endswith("until then new files are found by the sweeps alone")


def test_a_watched_folder_on_another_disk_is_not_vouched_for(patient: Patient) -> None:
    with mounted(patient.home / "other") as other:
        patient.write(watch=f"[{{path: '{other}'}}]")
        assert patient.told("events")[-1] == ("ok", f"{other}: it is on another disk, of which that says nothing", "")


# disks


@pytest.mark.parametrize(
    ("free", "verdicts"),
    [
        (500 * GIB, ["ok", "ok", "ok"]),
        (40 * GIB, ["ok", "warning", "warning"]),
        (GIB // 2, ["warning", "fail", "fail"]),
        (10_000_000, ["fail", "fail", "fail"]),
    ],
)
def test_little_room_is_told_before_there_is_none(patient: Patient, free: int, verdicts: list[str]) -> None:
    told = patient.told("disks", usage=lambda _: (1000 * GIB, 1000 * GIB - free, free))
    assert [verdict for verdict, *_ in told] == verdicts
    if verdicts[0] != "ok":
        assert told[0][2] == f"free some space on the disk of {patient.state}, or choose another place with --state"
    if verdicts[1] != "ok":
        assert told[1][2] == "clear what `irods-watcher list` shows as safe in the archive"
        assert told[2][2] == "make space in the archive"


def test_a_disk_that_is_full_in_truth(patient: Patient) -> None:
    with mounted(patient.home / "full", "-o", "size=4m") as disk:
        (disk / "filler").write_bytes(bytes(4_100_000))
        patient.state = disk / "state"
        patient.state.mkdir(mode=0o700)
        verdict, what, _ = patient.told("disks")[0]
    assert (verdict, what.endswith("are free for the journal and the log")) == ("fail", True)


# the clock


def test_clocks_and_zones(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Amsterdam")
    time.tzset()
    try:
        ((verdict, what, _),) = patient.told("zone")
        assert (verdict, "in this computer's time zone CE" in what) == ("ok", True)
        patient.write(instrument="{name: Scope-1, timezone: Europe/Berlin}")
        assert patient.told("zone")[0][0] == "ok"
        patient.write(instrument="{name: Scope-1, timezone: America/New_York}")
        ((verdict, what, cure),) = patient.told("zone")
        assert (verdict, what.startswith("at the instrument (America/New_York) it is ")) == ("warning", True)
        assert cure == "check instrument.timezone in the profile, and the time zone of this computer"
        ((verdict, what, cure),) = patient.told("zone", now=lambda: 86400.0)
        assert (verdict, what) == ("fail", "this computer says that it is 1970-01-02 01:00:00")
        assert "NTP" in cure
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("shift", "verdict", "what"),
    [
        (0.0, "ok", "this computer's clock and the store's say the same"),
        (30.0, "ok", "this computer's clock is 29 s ahead of the store's"),
        (120.0, "warning", "this computer's clock is 119 s ahead of the store's"),
        (-120.0, "warning", "this computer's clock is 119 s behind the store's"),
        (7200.0, "fail", "this computer's clock is 2 hours ahead of the store's"),
        (-400 * 86400.0, "fail", "this computer's clock is 400 days behind the store's"),
    ],
)
def test_a_clock_that_differs_from_that_of_the_archives_disk(
    patient: Patient, shift: float, verdict: str, what: str
) -> None:
    ((found, said, cure),) = patient.told("clock", now=lambda: time.time() + shift)
    assert found == verdict
    assert said in {what, what.replace("29 s", "28 s").replace("119 s", "118 s")}
    assert (cure == "") == (verdict == "ok")


# the port


def test_a_port_that_is_free_taken_or_ours() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        number = listener.getsockname()[1]
        listener.listen()
        taken = computer.port("127.0.0.1", number, None)
        assert taken.what == f"port {number} of 127.0.0.1 cannot be used (Address already in use)"
        assert (taken.verdict, taken.exit_code) == ("fail", Exit.CONFIGURATION)
        assert taken.cure == "end the program that has it, or choose another number as web.port in the profile"
        assert computer.port("127.0.0.1", number, os.getpid()).what == f"the status page is on port {number}"
        assert computer.port("127.0.0.1", number, os.getppid()).verdict == "fail", "another process has it"
    assert computer.port("127.0.0.1", number, None).what == f"port {number} is free for the status page"


def test_a_taken_port_is_no_trouble_unless_the_profile_names_it(patient: Patient) -> None:
    with ExitStack() as stack:
        with suppress(OSError):  # then somebody else has it already
            stack.enter_context(socket.create_server(("127.0.0.1", 8765)))
        patient.write("web: {port: 8765}\n")
        ((found, _, cure),) = patient.told("page")
        assert (found, "web.port" in cure) == ("fail", True)
        patient.write()
        ((found, said, _),) = patient.told("page")
        assert (found, "the page gets another port" in said) == ("ok", True)
    patient.write("web: {enabled: false}\n")
    assert patient.told("page") == [("ok", "the profile asks for no status page", "")]
    patient.write("web: {port: 0}\n")
    ((found, _, _),) = patient.told("page")
    assert found == "ok"


# real disks


@contextmanager
def mounted(place: Path, *options: str) -> Iterator[Path]:
    """A disk of its own; a system that does not allow that says so, as a skip that is listed."""
    place.mkdir()
    if sys.platform != "linux":
        pytest.skip("mounting is tried on Linux only")
    result = subprocess.run(["mount", "-t", "tmpfs", *options, "doctor", str(place)], capture_output=True, text=True)
    if result.returncode:
        pytest.skip(f"this account may not mount here: {result.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)
