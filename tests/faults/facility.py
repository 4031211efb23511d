"""A microscope's folder, the real program that watches it, and a zone: what the tests of faults are made with."""

import ctypes
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tifffile import imwrite

from tests.e2e.conftest import BASE, Program
from tests.faults.resting import Holdings
from tests.faults.soundness import Markers, OnDisk, on_disk
from tests.irods_server import IrodsServer
from watcher import osfacts, simulate
from watcher.journal import FILE_NAME, Journal
from watcher.model import ImageSet, State

#: Seconds without an answer after which the program gives a connection up here; its own is a minute.
PATIENCE = 1.0
#: How many of its seconds between attempts pass in one.
HASTE = 4
#: What goes by the stream lane: the environment file says that one message holds 1 MiB.
LARGE = 3 << 20
READERS = "readers"
CONNECTIONS = 4

_LAUNCHER = Path(__file__).with_name("strange_program.py")
_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 24, 1, 2


class Facility(Program):
    """A `Program` whose process can be asked about, with the server that it sends to."""

    server: IrodsServer
    markers: Markers
    _told: set[tuple[str, str]]
    process: "subprocess.Popen[str] | None" = None
    haste: float = HASTE
    #: Those that the profile allows, and that of the conveyor.
    most_connections = CONNECTIONS + 1
    #: What the program holds at rest once all its connections and threads have come to life.
    full: Holdings | None = None

    def launch(self, *words: str | Path, **faults: str) -> "subprocess.Popen[str]":
        """Start a verb with the shifted patience and other faults of `strange_program`; file access is a user's."""
        environment = {**self._env(), "FAULTS_PATIENCE": str(PATIENCE), "FAULTS_HASTE": str(self.haste), **faults}
        with (self.home / "run.log").open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, str(_LAUNCHER), *map(str, words)],
                cwd=self.home, env=environment, stdout=log, stderr=log, text=True, preexec_fn=_obey_permissions,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def run(self, **faults: str) -> "subprocess.Popen[str]":
        """Start to watch, or start anew if the program is dead."""
        if self.process is None or self.process.poll() is not None:
            self.process = self.launch("run", "profile.yaml", **faults)
        return self.process

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(20)

    def warm_up(self) -> None:
        """Start, and let every connection and thread come to life."""
        self.run()
        self.server.faults.slow(0.02)
        warm = self.tree("warm-up", 12)
        self.wait_published(warm)
        self.server.faults.clear()
        self.full = self.holdings()

    # what the instrument writes

    def single(self, name: str, seed: int = 0) -> Path:
        """One small TIFF, a set of its own."""
        path = self.data / f"{name}.tif"
        beside = path.with_name(f".{name}.tmp")
        imwrite(beside, simulate.plane(seed, 1, 1, 32), metadata=None, photometric="minisblack")
        beside.replace(path)
        return path

    def large(self, name: str, size: int = LARGE) -> Path:
        """One file that goes by the stream lane."""
        path = self.data / f"{name}.dat"
        with path.with_name(f".{path.name}.tmp").open("wb") as file:
            file.write(os.urandom(1 << 16))
            file.truncate(size - 5)
            file.seek(size - 5)
            file.write(b"\0last")
        path.with_name(f".{path.name}.tmp").replace(path)
        return path

    def tree(self, name: str, chunks: int, large: int = LARGE) -> Path:
        """An OME-Zarr with chunks and one large chunk: small and large members, in collections below the set's."""
        beside = self.data / f".{name}.tmp"
        (beside / "0").mkdir(parents=True)
        axes = [{"name": axis, "type": "space"} for axis in "yx"]
        scales = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1.0, 1.0]}]}]
        about = {"multiscales": [{"version": "0.4", "axes": axes, "datasets": scales}]}
        side = 1 << 10
        array = {"zarr_format": 2, "shape": [side * (chunks + 1), side], "chunks": [side, side], "dtype": "|u1"}
        array |= {"compressor": {"id": "zlib", "level": 1}, "fill_value": 0, "filters": None, "order": "C"}
        texts = {".zgroup": {"zarr_format": 2}, ".zattrs": about, "0/.zarray": array}
        for file, text in texts.items():
            (beside / file).write_text(json.dumps(text), encoding="utf-8")
        for number in range(chunks):
            (beside / "0" / f"{number}.0").write_bytes(os.urandom(1000))
        if large:
            (beside / "0" / f"{chunks}.0").write_bytes(os.urandom(1 << 16) * (large >> 16))
        beside.rename(self.data / f"{name}.zarr")
        return self.data / f"{name}.zarr"

    # what is known of it

    @property
    def state(self) -> Path:
        return self.home / "state"

    def sets_of(self, *paths: Path) -> list[ImageSet]:
        """The newest version of the sets to which these files or directories belong, by their names."""
        relative = [path.relative_to(self.data) for path in paths]
        wanted = {form.as_posix() for path in relative for form in (path, path.with_suffix(""))}
        newest: dict[str, ImageSet] = {}
        for one in self.all_sets():
            place = (one.folder.parent if one.grouped_by == "directory" else one.folder) / one.name
            if place.as_posix() in wanted and one.version >= getattr(newest.get(place.as_posix()), "version", 0):
                newest[place.as_posix()] = one
        return list(newest.values())

    def all_sets(self, *states: State) -> list[ImageSet]:
        """The sets in the journal."""
        if not (self.state / FILE_NAME).exists():
            return []
        with Journal(self.state) as journal:
            return journal.sets.in_states(*states)

    def noted(self, name: str) -> object:
        """A fact that the program noted in the journal."""
        with Journal(self.state) as journal:
            return journal.noted(name)

    def store_trouble(self) -> str:
        """What the program says of the store now; "" if nothing."""
        return str(self.noted("store") or "") if (self.state / FILE_NAME).exists() else ""

    def news(self, what: str, found: Collection[str]) -> set[str]:
        """What has not been said before: a facility that tests share tells of each trouble in one of them only."""
        new = {one for one in found if (what, one) not in self._told}
        self._told.update((what, one) for one in new)
        return new

    def is_published(self, path: Path) -> bool:
        """Whether a file, or each file below a directory, is in a published set as it is now on the disk."""
        files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
        facts = {file.relative_to(self.data).as_posix(): osfacts.facts_at(file) for file in files}
        with Journal(self.state) as journal:
            for one in journal.sets.in_states(State.PUBLISHED):
                for member in journal.sets.members(one.id):
                    if facts.get(member.path) == member.facts:
                        del facts[member.path]
        return not facts

    def wait_published(self, *paths: Path, seconds: float = 40) -> None:
        """Wait until these files are in published sets as they are now on the disk."""
        self.wait_until(lambda: all(self.is_published(path) for path in paths), f"{paths} published", seconds)

    def wait_published_with_help(self, *paths: Path, seconds: float = 40) -> list[str]:
        """The same with a person who orders `retry` for what is held; why it was held."""
        reasons: list[str] = []

        def done_or_helped() -> bool:
            held = self.all_sets(State.HELD)
            for one in held:
                reasons.append(one.reason)
                result = self("retry", one.id)
                assert result.returncode in {0, 5}, result.stderr
            return not held and all(self.is_published(path) for path in paths)

        self.wait_until(done_or_helped, f"{paths} published, with help", seconds)
        return reasons

    def wait_until(self, what: Callable[[], bool], words: str = "", seconds: float = 40) -> None:
        """Wait until something is true; what the journal, the server and the log say tells why it did not come."""
        end = time.monotonic() + seconds
        while not what():
            if time.monotonic() > end:
                sets = [(one.name, one.version, str(one.state), one.reason, one.waits_for) for one in self.all_sets()]
                waiting = [one for one in sets if one[2] != "published"]
                log = (self.home / "run.log").read_text(encoding="utf-8")[-4000:]
                struck = self.server.faults.struck[-10:]
                pytest.fail(f"not within {seconds:g} s: {words}\nsets: {waiting}\nstruck: {struck}\nlog:\n{log}")
            time.sleep(0.03)

    def holdings(self) -> Holdings:
        """What the running program holds of the system now."""
        assert self.process is not None
        return Holdings.of(self.process.pid, self.server.connections, self.data)

    def expected(self, *paths: Path) -> dict[str, OnDisk]:
        """What is to be in the zone: these files as they are now on the disk."""
        return on_disk(self.data, *paths)


def _obey_permissions() -> None:
    """In the child: root is held to the permissions of files like everybody (capabilities(7), prctl(2))."""
    if os.geteuid() == 0 and sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


@contextmanager
def facility(home: Path, *, sweep: str = "1s") -> Iterator[Facility]:
    """A facility in this directory; at the end its program is dead, and its server closed."""
    vault = home / "vault"
    vault.mkdir()
    with IrodsServer(users={"rods": "rods"}, vault=vault) as server:
        server.add_group(READERS, [])
        server.make_collection(BASE, owner="rods")
        server.set_inheritance(BASE, READERS)
        environment = server.environment() | {"irods_maximum_size_for_single_buffer_in_megabytes": 1}
        (home / "irods_environment.json").write_text(json.dumps(environment), encoding="utf-8")
        store = (
            "{kind: irods, environment: irods_environment.json, password: {env: TEST_IRODS_PASSWORD}, "
            f"connections: {CONNECTIONS}, collection: '{BASE}/{{instrument}}/{{folder}}/{{set}}'}}"
        )
        made = Facility(home, store, {"TEST_IRODS_PASSWORD": "rods"})
        made._told = set()
        made.server, made.markers = server, Markers(server, READERS)
        made.data.mkdir()
        made.write_profile(
            f"instrument: {{name: Scope-1}}\nwatch: [{{path: data, settle: 0s, sweep: {sweep}}}]\n"
            f"complete: {{quiet: 0s, deadline: 1h}}\nstore: {store}\nweb: {{port: 0}}\n"
        )
        try:
            yield made
        finally:
            for process in made.processes:
                if process.poll() is None:
                    process.kill()
                process.wait()


_numbers = itertools.count(1)


def fresh_name(stem: str) -> str:
    """A name that no other test of this run uses."""
    return f"{stem}-{next(_numbers):03d}"
