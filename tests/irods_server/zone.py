"""What all agents of one server share: the catalogue, the vault, the faults, the log of requests."""

from dataclasses import dataclass, field
from pathlib import Path

from .catalogue import Catalogue
from .checksums import checksum
from .entities import DataObject
from .faults import SMASHED_CHECKSUM, Faults

VAULT_PREFIX = "/var/lib/irods/Vault"
DEFAULT_RESOURCE = "demoResc"


@dataclass(frozen=True)
class LoggedRequest:
    """One API request that arrived: which connection, which API, about what, with how long a byte stream."""

    connection: int
    api: int
    path: str
    bytes: int
    user: str


@dataclass
class Zone:
    """The zone of a server; it outlives restarts."""

    name: str
    version: str
    hash_scheme: str
    vault: Path
    host: str = "127.0.0.1"
    catalogue: Catalogue = field(init=False)
    faults: Faults = field(default_factory=Faults)
    requests: list[LoggedRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.catalogue = Catalogue(self.name, self.vault)
        self.catalogue.add_resource(DEFAULT_RESOURCE)

    def checksum(self, item: DataObject, scheme: str) -> str:
        """The checksum of a replica's bytes, unless a fault makes it lie."""
        true = checksum(item.location, scheme)
        return SMASHED_CHECKSUM if self.faults.lies_about(item.path) else true

    def physical_path(self, item: DataObject) -> str:
        """The path on the resource that the catalogue shows; a real vault repeats the logical path."""
        return VAULT_PREFIX + item.path.removeprefix(f"/{self.name}")
