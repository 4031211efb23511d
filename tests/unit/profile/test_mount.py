"""The section `store` for what an instrument writes through an NFSRODS mount."""

from pathlib import Path

import pytest

from watcher.errors import ProfileError
from watcher.profile import MountStore, Profile, load

STORE = "kind: mount, mount_root: /mnt/irods, logical_root: /zone, known: README.txt"
PLACE = "'/zone/home/lab/{year}/{set}'"


def read(
    folder: Path, store: str = "", watch: str = "path: /mnt/irods/home/lab/landing", more: str = "", head: str = STORE
) -> Profile:
    path = folder / "lab.yaml"
    text = f"instrument: {{name: LSM}}\nwatch: [{{{watch}}}]\nstore: {{{head}, {store}}}\n{more}"
    path.write_text(text, encoding="utf-8")
    return load(path)


def refused(folder: Path, store: str = "", **more: str) -> str:
    with pytest.raises(ProfileError) as caught:
        read(folder, store, **more)
    (problem,) = caught.value.problems
    return problem.removeprefix(f"{folder / 'lab.yaml'}:")


def section(profile: Profile) -> MountStore:
    assert isinstance(profile.store, MountStore)
    return profile.store


def test_where_it_is_mounted_and_a_known_file_are_enough(tmp_path: Path) -> None:
    store = section(read(tmp_path))
    assert (store.mount_root, store.logical_root, store.known) == (Path("/mnt/irods"), "/zone", "README.txt")
    assert (store.collection, store.move_up_to, store.compare, store.connections) == (None, 10_000, False, 4)
    assert store.zone == "zone"


@pytest.mark.parametrize(
    ("mounted", "path", "logical"),
    [
        ("/zone", "/mnt/irods", "/zone"),
        ("/zone/", "/mnt/irods/home/lab", "/zone/home/lab"),
        ("/zone/home/lab", "/mnt/irods/landing/x", "/zone/home/lab/landing/x"),
        ("/zone", "/mnt/irods/home/../trash", "/zone/trash"),
    ],
)
def test_a_place_in_the_mount_has_its_name_in_irods(tmp_path: Path, mounted: str, path: str, logical: str) -> None:
    head = STORE.replace("logical_root: /zone", f"logical_root: {mounted}")
    assert section(read(tmp_path, head=head)).logical(Path(path)) == logical


def test_a_file_is_at_rest_when_the_caches_of_a_mount_cannot_deceive(tmp_path: Path) -> None:
    assert read(tmp_path).watch[0].settle == 120.0
    assert read(tmp_path, watch="path: /mnt/irods/x, settle: 5m").watch[0].settle == 300.0
    assert "write watch[0].settle as at least 120s" in refused(tmp_path, watch="path: /mnt/irods/x, settle: 20s")
    assert "write complete.quiet as at least 120s" in refused(tmp_path, more="complete: {quiet: 1m}\n")


def test_what_is_watched_lies_in_the_mount(tmp_path: Path) -> None:
    assert "store.mount_root: watch[0].path does not lie in /mnt/irods" in refused(tmp_path, watch="path: /data")
    assert "does not lie in" in refused(tmp_path, watch="path: /mnt/irods2")


@pytest.mark.parametrize("group", ["file", "stem"])
def test_a_set_without_a_collection_of_its_own_cannot_be_labelled(tmp_path: Path, group: str) -> None:
    assert "a set needs a collection of its own" in refused(tmp_path, more=f"sets: {{group: {group}}}\n")
    assert read(tmp_path, more="sets: {group: directory}\n").sets.group == "directory"


def test_sets_are_moved_only_within_their_zone_and_out_of_what_is_watched(tmp_path: Path) -> None:
    assert section(read(tmp_path, f"collection: {PLACE}, move_up_to: 7")).move_up_to == 7
    assert "it must begin with /zone/" in refused(tmp_path, "collection: '/other/home/{set}'")
    assert "would be found again" in refused(tmp_path, "collection: '/zone/home/lab/landing/{set}'")
    assert "must hold {set}" in refused(tmp_path, "collection: '/zone/home/lab/{year}'")
    assert "it must begin with the zone" in refused(tmp_path, "collection: 'home/lab/{set}'")
    assert "{nobody} is not known here" in refused(tmp_path, "collection: '/zone/{nobody}/{set}'")


def test_what_lies_on_a_mount_is_never_released(tmp_path: Path) -> None:
    assert "the set itself and no copy of it" in refused(tmp_path, more="release: {after: 7d}\n")


@pytest.mark.parametrize("root", ["zone", "/", "/zone//home", "/zone/../x"])
def test_the_logical_root_is_a_whole_path(tmp_path: Path, root: str) -> None:
    head = STORE.replace("logical_root: /zone", f"logical_root: {root}")
    assert "write the whole path from the zone on" in refused(tmp_path, head=head)


@pytest.mark.parametrize("known", ["/zone/README.txt", "a//b", "../x", "x/"])
def test_the_known_file_is_below_both_roots(tmp_path: Path, known: str) -> None:
    assert "a file below both roots" in refused(tmp_path, head=STORE.replace("README.txt", known))


@pytest.mark.parametrize("key", ["mount_root", "logical_root", "known"])
def test_both_roots_and_the_known_file_are_explicit(tmp_path: Path, key: str) -> None:
    head = ", ".join(part for part in STORE.split(", ") if not part.startswith(key))
    assert f"store.{key}: this is missing" in refused(tmp_path, head=head)
