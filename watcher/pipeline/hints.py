"""Native events as hints: which folders to look at sooner. Losing them costs seconds, never a file."""

import os
import threading
import warnings
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

#: More folders than this are not worth telling apart: the next sweep is made at once instead.
_MANY = 1000
_SILENT = {"opened", "closed_no_write"}


class Hints(FileSystemEventHandler):
    """Collects the folders of one watched root in which something happened, and wakes whoever waits.

    Where the system offers no events, or no more of them, there are simply no hints; `trouble` then says why. With
    `silent` none are asked for: a mount tells only of what is done through it on this computer.
    """

    def __init__(self, root: Path, wake: threading.Event, *, silent: bool = False) -> None:
        self._root = root
        self._silent = silent
        self._wake = wake
        self._lock = threading.Lock()
        self._folders: set[str] = set()
        self._overflow = False
        self._events = 0
        self._observer: BaseObserver | None = None
        self.trouble = ""

    def start(self) -> None:
        """Begin to listen, if the folder is there and the system can."""
        if self._silent:
            return
        # watchdog 7.1 says so of folders that are made quickly one in the other; no event is lost by it.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)
        try:
            self._root.stat()  # asked first, because making an observer costs a thread and an inotify instance
            observer = Observer()
            try:
                observer.schedule(self, str(self._root), recursive=True)
                observer.start()
            except OSError:
                observer.stop()
                raise
        except OSError as error:
            self.trouble = error.strerror or str(error)
            return
        self.trouble = ""
        self._observer = observer

    def stop(self) -> None:
        """Stop listening."""
        if self._observer:
            self._observer.stop()
            self._observer.join()
            self._observer = None

    @property
    def alive(self) -> bool:
        """Whether no more can be done for events to come: an observer dies with the folder that it watches."""
        if self._silent:
            return True
        observer = self._observer
        return observer is not None and observer.is_alive() and all(one.is_alive() for one in observer.emitters)

    def take(self) -> tuple[set[str], bool]:
        """The folders since the last time, relative to the root, and whether everything should be looked at instead."""
        with self._lock:
            folders, self._folders = self._folders, set()
            overflow, self._overflow = self._overflow, False
        return folders, overflow

    def counted(self) -> int:
        """How many events came since this was last asked."""
        with self._lock:
            events, self._events = self._events, 0
        return events

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Called by watchdog, in its own thread."""
        if event.event_type in _SILENT:
            return
        with self._lock:
            self._events += 1
            for path in (event.src_path, event.dest_path):
                if path:
                    self._add(os.fsdecode(path), event.is_directory)
        self._wake.set()

    def _add(self, path: str, is_directory: bool) -> None:
        folders = [Path(path).parent, *([Path(path)] if is_directory else [])]
        for folder in folders:
            if folder == self._root or self._root in folder.parents:
                relative = folder.relative_to(self._root).as_posix()
                self._folders.add("" if relative == "." else relative)
        if len(self._folders) > _MANY:
            self._folders.clear()
            self._overflow = True
