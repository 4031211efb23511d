"""An instrument at its bench, as the tests of the pipeline have it."""

from tests.unit.pipeline.conftest import bench

__all__ = ["bench"]
