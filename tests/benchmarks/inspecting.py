"""Time to look at one file (recognise, ask for its set, examine), for the samples and for 4 GiB sparse files."""

import shutil
import time
from pathlib import Path

from tests.benchmarks.telling import table, tell
from watcher import formats

_SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "samples"
_TIMES = 3


def run(place: Path, *, small: bool) -> None:
    """Print the slowest samples, and one sparse file for each family that has a sample of a single file."""
    if not _SAMPLES.is_dir():
        tell(f"inspect: {_SAMPLES} is not here, and there is nothing to look at")
        return
    files = [path for path in sorted(_SAMPLES.rglob("*")) if path.is_file()][:: 10 if small else 1]
    found = [(seconds, kind, path) for path in files for kind, seconds in [_look(path)] if kind]
    tell(f"inspect: {len(found)} of {len(files)} sample files are of a known format; after imports, best of {_TIMES}")
    slowest = sorted(found, reverse=True)[:5]
    rows = [[f"{path.relative_to(_SAMPLES)}", kind, f"{seconds * 1000:.1f}"] for seconds, kind, path in slowest]
    table(["the slowest", "format", "ms"], rows)
    singles = {kind: path for _, kind, path in reversed(found) if formats.look(path) and _alone(path)}
    size = 1 << (30 if small else 32)
    rows = [[kind, f"{_sparse(path, place, size) * 1000:.1f}"] for kind, path in sorted(singles.items())]
    table([f"grown to {size >> 30} GiB, sparse", "ms"], rows)


def _look(path: Path) -> tuple[str, float]:
    best = float("inf")
    kind = ""
    for _ in range(_TIMES):
        begin = time.perf_counter()
        claim = formats.look(path)
        if claim is None:
            return "", 0.0
        kind = claim.format
        formats.by_name(kind).examine(path.parent, (path.name,))
        best = min(best, time.perf_counter() - begin)
    return kind, best


def _alone(path: Path) -> bool:
    claim = formats.look(path)
    return claim is not None and claim.lists == (path.name,) and claim.tree is None


def _sparse(path: Path, place: Path, size: int) -> float:
    """The file with nothing behind it up to the size: how long the worst case of its kind of a large file takes."""
    grown = place / path.name
    shutil.copyfile(path, grown)
    with grown.open("r+b") as file:
        file.truncate(size)
    return _look(grown)[1]
