"""What a rate limit in the profile does: the rate that is seen on the wire, and the CPU used, beside no limit."""

from pathlib import Path

from tests.benchmarks.files import write_file, write_set
from tests.benchmarks.processes import Figures, fresh
from tests.benchmarks.proxy import line
from tests.benchmarks.telling import table, tell
from tests.benchmarks.way import deliver, write_profile
from tests.benchmarks.zones import Zone, each_zone
from watcher import profile
from watcher.errors import ProfileError

_MB = 1_000_000
LIMITED, FREE = "limited", "no limit"


def run(place: Path, *, small: bool) -> None:
    """Tell the figures for 20 MB/s and 400 MB, or 5 MB/s and 20 MB."""
    rate, total = (5, 20 * _MB) if small else (20, 400 * _MB)
    for zone in each_zone(place):
        tell(f"manners: {total / _MB:.0f} MB, half in one file, half in files of 1 MB, at {rate} MB/s; {zone.name}")
        found = measure(zone, total, rate)
        if "refused" in found:
            tell("  the profile refuses `limits: {rate: ...}`: nothing is limited, and there is nothing to measure")
        rows = []
        for name in (FREE, LIMITED):
            if f"{name}: s" not in found:
                continue
            mean, most, cpu = found[f"{name}: mean"], found[f"{name}: most"], found[f"{name}: cpu"]
            rows.append(
                (name, f"{found[f'{name}: s']:.1f}", f"{mean / _MB:.1f}", f"{mean / _MB / rate:.2f}",
                 f"{most / _MB:.1f}", f"{cpu:.2f}", f"{100 * cpu / found[f'{name}: s']:.0f}")
            )  # fmt: skip
        head = ("", "s", "MB/s on the wire", f"of {rate} MB/s", "most in a second", "CPU s", "% of a core")
        table(head, rows)


def measure(zone: Zone, total: int, rate: int) -> Figures:
    """Bytes a second on the way to the zone (the mean from first to last, and the most in one second), and CPU."""
    data = write_set(zone.place / "data" / "set", max(1, total // 2 // _MB), _MB).parent
    write_file(data / "set" / "large.raw", total // 2)
    found: Figures = {}
    for name, more in ((FREE, ""), (LIMITED, f"limits: {{rate: {rate}MB/s}}\n")):
        run_name = f"manners-{name.replace(' ', '-')}"
        with line(zone, 0.0) as through:
            path = write_profile(zone.place, through.zone, data, run_name, more=more)
            try:
                profile.load(path)
            except ProfileError as error:
                if "limits" not in str(error):
                    raise
                found["refused"] = 1.0
                continue
            figures = fresh(deliver, str(path), str(zone.place / run_name))
            sent = through.sent()
        found |= {f"{name}: {key}": value for key, value in figures.items()}
        found[f"{name}: wire"] = sum(sent.values())
        found[f"{name}: mean"] = 10 * sum(sent.values()) / (max(sent) - min(sent) + 1)
        found[f"{name}: most"] = max(sum(sent.get(begin + more, 0) for more in range(10)) for begin in sent)
    return found
