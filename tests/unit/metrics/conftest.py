"""The bench of the whole way, and metrics read as Prometheus reads them."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from tests.unit.pipeline.conftest import bench

__all__ = ["bench"]

Samples = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(text: bytes) -> Samples:
    """All samples by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def value(text: bytes, name: str, **labels: str) -> float | None:
    """The one sample of this name that has these labels, None if there is none."""
    found = [
        number
        for (sample, has), number in parsed(text).items()
        if sample == f"irods_watcher_{name}" and labels.items() <= dict(has).items()
    ]
    assert len(found) < 2, found
    return found[0] if found else None
