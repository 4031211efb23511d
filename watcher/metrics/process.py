"""The watcher's own process, by the names that all exporters have for it; prometheus_client knows only Linux."""

from collections.abc import Iterator

import psutil
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class Process(Collector):
    """Collects what the system says of this process: Windows, macOS and Linux alike."""

    def __init__(self) -> None:
        self._process = psutil.Process()

    def collect(self) -> Iterator[Metric]:
        """CPU, memory, threads and the start, as they are now."""
        cpu, memory = self._process.cpu_times(), self._process.memory_info()
        yield CounterMetricFamily("process_cpu_seconds", "CPU time that was used.", value=cpu.user + cpu.system)
        for name, what, value in (
            ("resident_memory_bytes", "Memory that is in use.", memory.rss),
            ("virtual_memory_bytes", "Address space that is in use.", memory.vms),
            ("threads", "Threads of the process.", self._process.num_threads()),
            ("start_time_seconds", "When the process began.", self._process.create_time()),
        ):
            yield GaugeMetricFamily(f"process_{name}", what, value=value)
