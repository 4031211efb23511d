"""How often published sets are compared with their stores again."""

from pydantic import Field

from watcher.profile.base import Section, written
from watcher.profile.units import Duration, Rate


class Audit(Section):
    """When published sets are looked at again, beside the deliveries and never in their way."""

    every: Duration = written(
        "7d", description="So often each set is compared with what the catalogue of each store says.", examples=["7d"]
    )
    deep: Duration | None = Field(
        default=None,
        description="So often the stores read all stored bytes again; absent: only when a person asks for it.",
        examples=["180d"],
    )
    rate: Rate = written(
        "50MB/s", description="How fast stored bytes are read again at most, on average.", examples=["50MB/s"]
    )
