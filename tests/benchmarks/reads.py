"""Bytes read from the disk for a byte delivered, by the whole way from the watched folder to publication."""

import io
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO, cast
from unittest import mock

import watcher.formats
from tests.benchmarks.common import (
    HOME,
    MIB,
    Figures,
    environment_file,
    forget_cached,
    fresh,
    server,
    store,
    table,
    tell,
    write_file,
)  # fmt: skip
from watcher import osfacts, profile, simulate
from watcher.daemon import Daemon
from watcher.errors import WatcherError
from watcher.formats import reading
from watcher.journal import Journal
from watcher.model import ImageSet, Member
from watcher.provenance import manifest

_PROFILE = """\
instrument: {{name: benchmark}}
watch: [{{path: data, settle: 0s}}]
complete: {{quiet: 0s}}
store: {{kind: irods, environment: {environment}, collection: "{home}/{{set}}"}}
"""


def run(place: Path, *, small: bool) -> None:
    """Tell the figures for single lane, stream lane and TIFFs, and for all together."""
    tell("reads: bytes read for a byte delivered, once over the whole way")
    kinds = {
        "20 KB files (single lane)": {"files": 50 if small else 500},
        "40 MiB files (stream lane)": {"large": 2 if small else 8},
        "OME-TIFF z-stacks": {"stacks": 2 if small else 20},
    }
    rows: list[tuple[str, ...]] = []
    for name, content in kinds.items():
        found = measure(place / str(len(rows)), **content)
        delivered = found["delivered"]
        rows.append(
            (
                name,
                f"{found['files']:.0f}",
                f"{delivered / MIB:.1f}",
                f"{found['source'] / delivered:.4f}",
                f"{found['formats'] / delivered:.4f}",
                f"{found['formats'] / found['files']:.0f}",
                f"{found['disk'] / delivered:.3f}",
            )
        )
        if found["uncounted"]:
            tell(f"  {name}: {found['uncounted']:.0f} openings of source files that were not counted")
    table(("", "files", "MiB", "delivery", "formats", "formats, bytes/file", "disk"), rows)
    tell("  delivery, formats: what read() returned, for a byte delivered; disk: what the kernel fetched for it all")


def measure(place: Path, *, files: int = 0, large: int = 0, stacks: int = 0) -> Figures:
    """Bytes that were delivered, and read by the delivery, by the formats, and by the kernel from the disk."""
    data = place / "data"
    data.mkdir(parents=True)
    for number in range(files):
        write_file(data / f"{number:04d}.bin", 20_000)
    for number in range(large):
        write_file(data / f"large-{number:04d}.bin", 40 * MIB)
    for number in range(stacks):
        simulate.ome_tiff_series(data / f"stack-{number}", f"stack-{number}", pause=lambda _: None, seed=number)
    with server(place) as running:
        text = _PROFILE.format(environment=environment_file(place), home=HOME)
        (place / "profile.yaml").write_text(text, encoding="utf-8")
        found: Figures = fresh(deliver, str(place))
        stored = running.ask("objects", prefix=HOME)
    members = [item for path, item in stored.items() if not path.endswith(f"/{manifest.NAME}")]
    found["delivered"] = sum(item["size"] for item in members if item["status"] == 1)
    found["files"] = len(members)
    return found


def deliver(place: str) -> Figures:
    """Deliver everything below `place`/data once, and count what is read of it."""
    data = Path(place, "data")
    loaded = profile.load(Path(place, "profile.yaml"))
    counted = _Counted(data)
    source, formats = counted.opener("source"), counted.opener("formats")
    for path in data.rglob("*.*"):
        forget_cached(path)
    before = _fetched()
    counted.watch_openings()
    with (
        mock.patch.object(osfacts, "open_shared", source),
        mock.patch.object(watcher.formats, "open_shared", formats),
        mock.patch.object(reading, "open_shared", formats),
        Journal(Path(place, "state"), owned=True) as journal,
    ):
        unsafe = Daemon(loaded, journal, _Silent(), store=store(Path(place)), trust_times=True).once().unsafe
    if unsafe:
        raise RuntimeError(f"{unsafe[0].name}: {unsafe[0].state}: {unsafe[0].reason}")
    bytes_read = counted.bytes
    return {
        "source": bytes_read["source"],
        "formats": bytes_read["formats"],
        "uncounted": counted.openings - counted.counted_openings,
        "disk": _fetched() - before,
    }


class _Counted:
    """Counts the bytes read from files below a folder, and all openings of such files, also those by other ways."""

    def __init__(self, folder: Path) -> None:
        self.bytes: Counter[str] = Counter()
        self.openings = 0
        self.counted_openings = 0
        self._folder = str(folder)
        self._lock = threading.Lock()

    def opener(self, who: str) -> Any:
        """What stands in for `osfacts.open_shared` where `who` opens files."""

        def open_counted(path: Path) -> BinaryIO:
            with self._lock:
                self.counted_openings += str(path).startswith(self._folder)
            return cast(BinaryIO, _File(str(path), self, who if str(path).startswith(self._folder) else "other"))

        return open_counted

    def add(self, who: str, count: int) -> None:
        """Some bytes were read."""
        with self._lock:
            self.bytes[who] += count

    def watch_openings(self) -> None:
        """Count every opening of a file from now on, by whatever part of the program."""

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            if event == "open" and str(arguments[0]).startswith(self._folder):
                with self._lock:
                    self.openings += 1

        sys.addaudithook(hook)


class _File(io.FileIO):
    """An unbuffered file that counts what the system returned."""

    def __init__(self, path: str, counted: _Counted, who: str) -> None:
        super().__init__(path, "rb")
        self._counted = counted
        self._who = who

    def readinto(self, buffer: Any, /) -> int:
        count = super().readinto(buffer) or 0
        self._counted.add(self._who, count)
        return count

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(-1 if size is None else size) or b""
        self._counted.add(self._who, len(data))
        return data

    def readall(self) -> bytes:
        data = super().readall() or b""
        self._counted.add(self._who, len(data))
        return data


class _Silent:
    """A listener that says nothing but failures."""

    def moved(self, image_set: ImageSet) -> None: ...

    def sent(self, image_set: ImageSet, member: Member, count: int) -> None: ...

    def failed(self, image_set: ImageSet, error: WatcherError) -> None:
        raise error

    def trouble(self, where: str, what: str) -> None:
        if what:
            raise RuntimeError(what)


def _fetched() -> int:
    """The bytes that the disks have given to this process so far, in whole pages; 0 where the system does not say."""
    counters = Path("/proc/self/io")
    if not counters.exists():
        return 0
    lines = dict(line.split(": ") for line in counters.read_text(encoding="ascii").splitlines())
    return int(lines["read_bytes"])
