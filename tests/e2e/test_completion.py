"""Completion in real shells, with Tab pressed at a terminal; what no file could tell comes from the journal."""

import os
import re
import select
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Program
from watcher import simulate

if sys.platform == "win32":
    pytest.skip("bash, zsh and fish are not the shells of Windows", allow_module_level=True)

import pty

pytestmark = pytest.mark.timeout(120)

PROFILE = """\
instrument: {name: Scope-1}
watch: [{path: data, settle: 0s, sweep: 1s}]
complete: {quiet: 0s, deadline: 1h}
people: {requests: requests}
store: {kind: folder, path: archive}
"""
PROGRAM = Path(sys.executable).parent / "irods-watcher"
#: How a shell is started without the habits of whoever runs the test, and what takes our completion in.
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'bind "set enable-bracketed-paste off"; eval "$({show})"'),
    "zsh": (["zsh", "-f", "-i"], 'autoload -U compinit; compinit -u -d {home}/.dump; eval "$({show})"'),
    "fish": (["fish", "--no-config", "-i"], "{show} | source"),
}


@pytest.fixture
def installation(archive_program: Program) -> Program:
    program = archive_program
    program.write_profile(PROFILE)
    (program.home / "requests").mkdir()
    (program.home / "requests" / "RQ4F7K2MT.yaml").write_text("", encoding="utf-8")
    for name in ("20260304_Actin_plate3", "kidney of a zebrafish"):
        simulate.KINDS["ome-tiff-series"](program.data, name, pause=lambda _: None)
    assert program("once", "profile.yaml").returncode == 0
    return program


class Terminal:
    """A shell at a terminal, with somebody who types."""

    def __init__(self, shell: str, program: Program) -> None:
        words, prepare = SHELLS[shell]
        state = str(program.home / "state")
        self._pid, self._end = pty.fork()
        if self._pid == 0:
            os.chdir(program.home)
            path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
            kept = {"PATH": path, "HOME": str(program.home), "TERM": "dumb", "IRODS_WATCHER_STATE": state}
            os.execvpe(words[0], words, kept)  # noqa: S606 - this is the terminal's shell
        show = f"env _IRODS_WATCHER_COMPLETE=source_{shell} irods-watcher"
        self.type(prepare.format(show=show, home=program.home) + "; echo rea''dy\n")
        self.see("ready\r")

    def type(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    def see(self, text: str, seconds: float = 30) -> None:
        """Wait until this is on the screen."""
        seen = ""
        end = time.monotonic() + seconds
        while text not in seen:
            if time.monotonic() > end:
                pytest.fail(f"{text!r} did not come; this did: {seen!r}")
            if select.select([self._end], [], [], 0.1)[0]:
                seen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", os.read(self._end, 65536).decode("utf-8", "replace"))

    def close(self) -> None:
        os.close(self._end)
        os.waitpid(self._pid, 0)


@pytest.fixture(params=SHELLS)
def terminal(request: pytest.FixtureRequest, installation: Program) -> Iterator[Terminal]:
    if shutil.which(request.param) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{request.param} is not installed, and it is required in CI")
        pytest.skip(f"{request.param} is not installed here")
    terminal = Terminal(request.param, installation)
    yield terminal
    terminal.close()


def test_tab_completes_verbs_sets_requests_and_options(terminal: Terminal) -> None:
    for typed, completed in (
        ("irods-watcher doct", "irods-watcher doctor "),
        ("irods-watcher show 2026", "irods-watcher show 20260304_Actin_plate3 "),
        ("irods-watcher request show RQ", "irods-watcher request show RQ4F7K2MT "),
        ("irods-watcher list --per", "irods-watcher list --person "),
        ("irods-watcher list --in pub", "irods-watcher list --in published "),
        ("irods-watcher run prof", "irods-watcher run profile.yaml "),
    ):
        terminal.type(f"{typed}\t")
        terminal.see(completed)
        terminal.type("\x15\n")  # away with the line
