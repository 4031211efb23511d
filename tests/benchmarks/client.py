"""python-irodsclient's `put()` of every file in a folder, as it comes, for comparison. Called in fresh processes."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.benchmarks.processes import Figures, elapsed
from tests.benchmarks.zones import reached


def put_all(where: Sequence[str | None], folder: str, run: str, sessions: int) -> Figures:
    """Seconds, connecting included, for so many sessions side by side, each in a thread; no checksum, no question."""
    zone = reached(where)
    files = sorted(Path(folder).iterdir())
    with zone.client() as session:
        session.collections.create(f"{zone.base}/{run}")

    def share(number: int) -> None:
        with zone.client() as session:
            for file in files[number::sessions]:
                session.data_objects.put(str(file), f"{zone.base}/{run}/{file.name}")

    def work() -> None:
        with ThreadPoolExecutor(sessions) as pool:
            list(pool.map(share, range(sessions)))

    cpu = time.process_time()
    return {"s": elapsed(work), "cpu": time.process_time() - cpu}
