"""What a process holds of the system: files, sockets, threads, memory."""

from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Holdings:
    """A process at one moment: its descriptors, threads, connections, and the instrument's files that it has open."""

    descriptors: int
    threads: int
    connections: int
    sources: tuple[str, ...]

    @classmethod
    def of(cls, pid: int, connections: int, data: Path) -> "Holdings":
        """Ask the system. Raises psutil.NoSuchProcess."""
        process = psutil.Process(pid)
        with process.oneshot():
            sources = tuple(file.path for file in process.open_files() if Path(file.path).is_relative_to(data))
            return cls(process.num_fds(), process.num_threads(), connections, sources)

    def within(self, before: "Holdings", most: int) -> bool:
        """Whether nothing has been added since but connections that were not used yet, up to `most` of them.

        Each of these has one descriptor and may have a thread.
        """
        unused = max(0, most - before.connections)
        return (
            self.connections <= most
            and self.descriptors <= before.descriptors + unused
            and self.threads <= before.threads + unused
            and not self.sources
        )


def resident_memory(pid: int) -> int:
    """The memory of a process that is not swapped out, in bytes (VmRSS)."""
    return int(psutil.Process(pid).memory_info().rss)
