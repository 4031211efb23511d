"""What has arrived in the folder store, read without the program's own code, and what must always hold there."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tests.model.disk import Disk
from watcher import names

METADATA, MANIFEST, CRATE = "irods-watcher.json", "manifest-sha256.txt", "ro-crate-metadata.json"


@dataclass(frozen=True)
class Collection:
    """One set in the archive: its metadata by attribute, its manifest, its crate, and its files without these."""

    name: str
    avus: dict[str, str]
    manifest: str
    crate: str
    files: dict[str, bytes]

    @property
    def state(self) -> str:
        """What its marker says."""
        return self.avus.get("acq:state", "")

    @property
    def published(self) -> bool:
        """Whether readers may count on it, or could once."""
        return self.state in {"complete", "superseded"}


class Archive:
    """The folder that sets go to; it may be away for a while."""

    def __init__(self, base: Path) -> None:
        self.path = base / "archive"
        self._away = base / "archive-away"
        self.path.mkdir()
        self._published: dict[str, Collection] = {}

    def take_away(self) -> None:
        """Its disk is gone."""
        if self.path.exists():
            self.path.rename(self._away)

    def bring_back(self) -> None:
        """Its disk is there again."""
        if self._away.exists():
            assert not self.path.exists(), "the program made the folder of an archive that was away"
            self._away.rename(self.path)

    def damage(self, target: str) -> None:
        """The disk loses a bit of what was just written and is not published."""
        for one in self.collections().values():
            if (content := one.files.get(target)) and not one.published:
                (self.path / one.name / target).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    def collections(self) -> dict[str, Collection]:
        """Everything that a set has claimed, by its name."""
        path = self.path if self.path.exists() else self._away
        found = {}
        for metadata in path.rglob(METADATA):
            folder = metadata.parent
            files = {
                file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()
            }
            avus = json.loads(files.pop(METADATA))["metadata"]
            manifest, crate = (files.pop(file, b"").decode() for file in (MANIFEST, CRATE))
            name = folder.relative_to(path).as_posix()
            found[name] = Collection(name, {attribute: value for attribute, value, _ in avus}, manifest, crate, files)
        return found

    def check(self, disk: Disk) -> None:
        """Raise if a published set is not whole, mixes two moments, or is no longer what it was."""
        now = self.collections()
        identifiers = {one.avus["dcterms:identifier"] for one in now.values() if one.published}
        for one in now.values():
            assert one.state in {"uploading", "complete", "superseded"}, one
            assert not any(other.startswith(f"{one.name}/") for other in now), f"a set lies inside of {one.name}"
            if one.published:
                digests = {name: hashlib.sha256(content).hexdigest() for name, content in one.files.items()}
                listed = _listed(one.manifest)
                assert digests.items() >= listed.items(), one
                assert digests.keys() == listed.keys(), one
                entities = {entity["@id"]: entity for entity in json.loads(one.crate)["@graph"]}
                assert entities[MANIFEST]["sha256"] == hashlib.sha256(one.manifest.encode()).hexdigest(), one
                if one.name not in self._published:
                    assert disk.was(_on_disk(disk, one, listed)), f"{one.name} was never on the disk like that: {one}"
            if one.state == "superseded":
                assert one.avus["dcterms:isReplacedBy"] in identifiers, one
        for name, before in self._published.items():
            assert now[name].published, f"{name} was published, and is {now[name].state}"
            assert (now[name].files, now[name].manifest) == (before.files, before.manifest), name
            assert before.state == "complete" or now[name].state == "superseded", f"{name} came back"
        self._published = {name: one for name, one in now.items() if one.published}


def _on_disk(disk: Disk, one: Collection, members: Iterable[str]) -> dict[str, bytes]:
    """The members of a collection by the paths below the watched folder that they came from."""
    folder = PurePosixPath(one.avus["acq:source_path"]).relative_to(disk.root)
    return {(folder / names.original(name)).as_posix(): one.files[name] for name in members}


def _listed(manifest: str) -> dict[str, str]:
    """The digests in a manifest, as sha256sum reads it."""
    found = {}
    for line in manifest.splitlines():
        mark, digest, name = re.fullmatch(r"(\\?)([0-9a-f]{64})  (.+)", line).groups()  # type: ignore[union-attr]
        found[name.replace("\\\\", "\\") if mark else name] = digest
    return found
