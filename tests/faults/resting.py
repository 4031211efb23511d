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

    def within(self, before: "Holdings") -> bool:
        """Whether nothing has been added since."""
        return (
            self.descriptors <= before.descriptors
            and self.threads <= before.threads
            and self.connections <= before.connections
            and not self.sources
        )


def resident_memory(pid: int) -> int:
    """The memory of a process that is not swapped out, in bytes (VmRSS)."""
    return int(psutil.Process(pid).memory_info().rss)
