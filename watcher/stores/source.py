"""Reading one member exactly once, and noticing if it is no longer what was frozen."""

import hashlib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from watcher import osfacts
from watcher.errors import SourceChanged, SourceGone, SourceUnreadable
from watcher.model import FileFacts

BLOCK = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """A member on the acquisition disk together with the facts that were frozen at completion.

    Reading compares with these facts before, during and after, so that bytes of two generations are never mixed.
    Raises SourceChanged, SourceGone or SourceUnreadable, naming the file.
    """

    path: Path
    facts: FileFacts

    def open(self) -> BinaryIO:
        """Open for reading in a way that the acquisition program cannot notice, if the facts still hold."""
        try:
            file = osfacts.open_shared(self.path)
        except FileNotFoundError:
            raise SourceGone(f"{self.path}: it is no longer there") from None
        except OSError as error:
            raise SourceUnreadable(f"{self.path}: it cannot be read ({error.strerror or error})") from error
        try:
            self._compare(osfacts.facts_of(file))
        except BaseException:
            file.close()
            raise
        return file

    def blocks(self, block: int = BLOCK) -> Generator[memoryview]:
        """The bytes in order, in views of at most `block` bytes on one buffer: use each before asking for the next.

        The last view is given only after the file was found unchanged, so whoever uses all of them has one generation.
        Use it in `with contextlib.closing(...)`: the file is open until the last view was used, or until it is closed.
        """
        buffer = bytearray(min(block, max(self.facts.size, 1)))
        left = self.facts.size
        with self.open() as file:
            while left:
                view = memoryview(buffer)[: min(len(buffer), left)]
                self._fill(file, view)
                left -= len(view)
                if not left:
                    self._check_end(file)
                yield view
            if not self.facts.size:
                self._check_end(file)

    def read(self) -> bytearray:
        """The whole member in memory; for small ones."""
        data = bytearray(self.facts.size)
        with self.open() as file:
            self._fill(file, memoryview(data))
            self._check_end(file)
        return data

    def sha256(self) -> str:
        """The SHA-256 of the member as hex, read in blocks."""
        digest = hashlib.sha256()
        for view in self.blocks():
            digest.update(view)
        return digest.hexdigest()

    def _fill(self, file: BinaryIO, view: memoryview) -> None:
        filled = 0
        while filled < len(view):
            try:
                count = file.readinto(view[filled:])  # type: ignore[attr-defined]
            except OSError as error:
                raise SourceUnreadable(f"{self.path}: reading failed ({error.strerror or error})") from error
            if not count:
                raise SourceChanged(f"{self.path}: it became shorter while it was read")
            filled += count

    def _check_end(self, file: BinaryIO) -> None:
        self._compare(osfacts.facts_of(file))
        try:
            self._compare(osfacts.facts_at(self.path))
        except FileNotFoundError:
            raise SourceGone(f"{self.path}: it was removed while it was read") from None
        except OSError as error:
            raise SourceUnreadable(f"{self.path}: it cannot be looked at ({error.strerror or error})") from error

    def _compare(self, now: FileFacts) -> None:
        if now != self.facts:
            difference = _difference(self.facts, now)
            raise SourceChanged(f"{self.path}: it changed after its set was found complete ({difference})")


def _difference(then: FileFacts, now: FileFacts) -> str:
    if then.size != now.size:
        return f"{then.size} bytes then, {now.size} now"
    if then.identity != now.identity:
        return "another file has taken its name"
    return "it was written to again"
