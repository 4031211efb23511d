"""The bench of the pipeline, for what is shown of sets that have gone their way."""

from tests.unit.pipeline.conftest import bench

__all__ = ["bench"]
