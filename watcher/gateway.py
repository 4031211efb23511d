"""Many instruments at one gateway: a watcher for each profile in a folder, each a process of its own.

A share that hangs holds up the threads that ask it, and a crash ends a process: so no instrument shares either with
another. Profiles that come, change or go while it runs are noticed; one that is wrong leaves what runs as it is.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

from tenacity import RetryCallState, Retrying, wait_exponential

from watcher.clock import Clock
from watcher.errors import ProfileError, WatcherError
from watcher.profile import Profile, load

#: How often in seconds the folder and the watchers are looked at.
EVERY: Final = 2.0
#: One that ended is started again after a second, then ever later; one that ran so long begins anew with that.
_AGAIN: Final = wait_exponential(multiplier=1, max=300)
_STABLE: Final = 600.0
#: So long in seconds a watcher may take to end before it is ended; a share that hangs may hold it longer.
_TO_END: Final = 20.0
_PATTERNS: Final = ("*.yaml", "*.yml")

Start = Callable[[Path], BaseProcess]
Tell = Callable[[str, str], None]


@dataclass(slots=True)
class _Watcher:
    """One instrument: its profile as it was read, and its process."""

    profile: Profile
    process: BaseProcess
    started: float
    failures: int = 0
    again_at: float | None = None


@dataclass(slots=True)
class Gateway:
    """Sees to it that each profile in a folder has its watcher.

    `start` starts the watcher of a profile, `tell` is told where trouble is and what, "" if it is over. Files of the
    folder that are no profiles (people, requests) are passed by.
    """

    folder: Path
    start: Start
    clock: Clock
    stop: threading.Event
    tell: Tell
    _watchers: dict[Path, _Watcher] = field(default_factory=dict)
    _stamps: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def run(self) -> None:
        """Go on until `stop`, and end all watchers then. Raises WatcherError if the folder cannot be read at first."""
        self._profiles()
        try:
            while not self.stop.is_set():
                self.round()
                self.clock.wait(EVERY, self.stop)
        finally:
            self.end()

    def round(self) -> None:
        """Look at the folder, and at what runs."""
        try:
            found = self._profiles()
        except WatcherError as error:
            self.tell("gateway", str(error))
            found = {path: one.profile for path, one in self._watchers.items()}
        else:
            self.tell("gateway", "")
        for path in self._watchers.keys() - found.keys():
            self._end([self._watchers.pop(path)])
            self._stamps.pop(path, None)
        for path, profile in found.items():
            running = self._watchers.get(path)
            if running is not None and running.profile.digest != profile.digest:
                self._end([running])
                del self._watchers[path]
                running = None
            if running is None:
                self._watchers[path] = _Watcher(profile, self.start(path), self.clock.now())
            else:
                self._mind(path, running)

    def end(self) -> None:
        """End all watchers together."""
        self._end(list(self._watchers.values()))
        self._watchers.clear()

    @property
    def running(self) -> dict[str, int | None]:
        """The instruments that have a watcher now, and its process."""
        return {
            one.profile.instrument.name: one.process.pid for one in self._watchers.values() if one.process.is_alive()
        }

    def _mind(self, path: Path, one: _Watcher) -> None:
        """Start a watcher again that has ended, ever later if it ends again and again."""
        if one.process.is_alive():
            if self.clock.now() - one.started > _STABLE:
                one.failures = 0
            return
        where = f"watcher of {one.profile.instrument.name}"
        if one.again_at is None:
            one.failures += 1
            state = RetryCallState(Retrying(), None, (), {})
            state.attempt_number = one.failures
            one.again_at = self.clock.now() + _AGAIN(state)
            self.tell(where, f"it ended (exit code {one.process.exitcode}) and is started again; see its log")
        elif self.clock.now() >= one.again_at:
            one.process.close()
            one.process, one.started, one.again_at = self.start(path), self.clock.now(), None
            self.tell(where, "")

    def _profiles(self) -> dict[Path, Profile]:
        """The profiles in the folder; of one that is wrong what it was before, if it runs."""
        try:
            paths = sorted({path for pattern in _PATTERNS for path in self.folder.glob(pattern)})
            next(self.folder.iterdir(), None)
        except OSError as error:
            raise WatcherError(
                f"{self.folder}: the folder of the profiles cannot be read ({error.strerror})", cure="look at its path"
            ) from error
        found: dict[Path, Profile] = {}
        of: dict[str, Path] = {
            one.profile.instrument.name: path for path, one in self._watchers.items() if path in paths
        }
        for path in paths:
            if (profile := self._read(path)) is None:
                continue
            first = of.setdefault(profile.instrument.name, path)
            if first == path:
                found[path] = profile
            else:
                self.tell(f"profile {path.name}", f"{path.name}: {first.name} is of the same instrument already")
        return found

    def _read(self, path: Path) -> Profile | None:
        running = self._watchers.get(path)
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if running is not None and self._stamps.get(path) == stamp:
                return running.profile
            if not _may_be_a_profile(path):
                return None
            profile = load(path)
        except ProfileError as error:
            self.tell(f"profile {path.name}", str(error))
            return running.profile if running else None
        except OSError:
            return running.profile if running else None
        self.tell(f"profile {path.name}", "")
        self._stamps[path] = stamp
        return profile

    def _end(self, watchers: list[_Watcher]) -> None:
        for one in watchers:
            if one.process.is_alive():
                one.process.terminate()
        end = self.clock.now() + _TO_END
        for one in watchers:
            one.process.join(max(0.0, end - self.clock.now()))
            if one.process.is_alive():
                one.process.kill()
                one.process.join(1.0)


def _may_be_a_profile(path: Path) -> bool:
    """Whether a file speaks of an instrument; what else lies there is for somebody else."""
    text = path.read_bytes()[: 64 * 1024]
    return any(line.startswith((b"instrument:", b'"instrument":')) for line in text.splitlines())
