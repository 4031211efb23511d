"""`python -m tests.benchmarks [NAME] [--small]`: all figures, or one."""

import argparse
import os
import platform
import tempfile
from pathlib import Path

from tests.benchmarks import (
    early,
    idle,
    inspecting,
    large,
    late,
    manners,
    many,
    pictures,
    plate,
    reads,
    rpcs,
    scrape,
    small,
    sweep,
)
from tests.benchmarks.telling import tell

BENCHMARKS = {
    "rpcs": rpcs.run,
    "reads": reads.run,
    "sweep": sweep.run,
    "small": small.run,
    "latency": small.run_latency,
    "large": large.run,
    "early": early.run,
    "many": many.run,
    "late": late.run,
    "idle": idle.run,
    "manners": manners.run,
    "inspecting": inspecting.run,
    "plate": plate.run,
    "scrape": scrape.run,
    "pictures": pictures.run,
}


def main() -> None:
    """Run what is asked for, each in a temporary folder of its own (TMPDIR says where)."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=sorted(BENCHMARKS), help="absent: all")
    parser.add_argument("--small", action="store_true", help="a quick run, with less of everything")
    options = parser.parse_args()
    tell(f"Python {platform.python_version()}, {platform.system()} {platform.release()}, {os.cpu_count()} cores")
    for name in [options.name] if options.name else BENCHMARKS:
        with tempfile.TemporaryDirectory(prefix=f"irods-watcher-{name}-") as place:
            tell()
            BENCHMARKS[name](Path(place), small=options.small)


if __name__ == "__main__":
    main()
