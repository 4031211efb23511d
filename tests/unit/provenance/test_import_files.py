"""The import files for OMERO: read as omero-py and omero-quay read them."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.provenance.conftest import a_set
from tests.unit.provenance.strategies import attributions
from tests.unit.provenance.test_manifest import NAMES
from watcher import names
from watcher.model import Attribution, ImageSet, Person
from watcher.profile.import_files import OmeroImport
from watcher.provenance.import_files import BULK, QUAY, TABLE, omero_bulk, opened_by, quay_manifest, target_of

MOUNT = OmeroImport(mount="/mnt/irods", root="/zone")
JANE = Person("Doe, Jane", user="jdoe", email="jane@example.org")


def lines(files: Mapping[str, str], folder: Path) -> Iterator[dict[str, str]]:
    """What `omero import --bulk` would import: as parse_bulk of omero-py does it, beside the YAML file."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    bulk = yaml.safe_load((folder / BULK).read_text(encoding="utf-8"))
    assert bulk["transfer"] == "ln_s"
    assert bulk["path"].endswith(".tsv")
    # The keys that are options of the command, or special (omero-py, HELP of plugins/import.py).
    assert bulk.keys() == {"path", "columns", "transfer", "exclude", "continue"}
    with open(folder / bulk["path"], encoding="utf-8") as table:
        for row in csv.reader(table, delimiter="\t"):
            yield dict(zip(bulk["columns"], row, strict=True))


def test_a_single_file_is_one_line(tmp_path: Path, image_set: ImageSet) -> None:
    files = omero_bulk(image_set, ["cells.czi"], Attribution(), MOUNT)
    assert list(lines(files, tmp_path)) == [
        {"target": "Dataset:name:cells", "name": "cells", "path": "/mnt/irods/home/facility/cells/cells.czi"}
    ]
    assert "not known" not in files[BULK]


@given(found=st.lists(NAMES, min_size=1, max_size=4, unique=True), title=NAMES)
def test_any_names_come_through(tmp_path_factory: pytest.TempPathFactory, found: list[str], title: str) -> None:
    targets = [names.legal_path(name) for name in found]
    named = replace(a_set(), name=names.legal(title), format="")
    files = omero_bulk(named, targets, Attribution(), MOUNT)
    rows = list(lines(files, tmp_path_factory.mktemp("bulk")))
    opened, _ = opened_by("", targets)
    assert [row["path"] for row in rows] == [f"/mnt/irods/home/facility/cells/{name}" for name in opened]
    assert {row["target"] for row in rows} == {f"Dataset:name:{names.legal(title)}"}


@pytest.mark.parametrize(
    ("kind", "targets", "opened"),
    [
        ("oif", ["s.oif", "s.oif.files/a.tif", "s.oif.files/b.tif"], ["s.oif"]),
        ("czi", ["s(1).czi", "s.czi", "s(2).czi"], ["s.czi"]),
        ("mrxs", ["s.mrxs", "s/Data0000.dat", "s/Slidedat.ini"], ["s.mrxs"]),
        ("harmony", ["Images/r01c01.tiff", "Images/Index.idx.xml"], ["Images/Index.idx.xml"]),
        ("ome-tiff", ["b.ome.tif", "a.ome.tif", "x.companion.ome"], ["x.companion.ome"]),
        ("ome-tiff", ["b.ome.tif", "a.ome.tif"], ["a.ome.tif"]),
        ("ome-zarr", ["0/.zarray", ".zattrs", "labels/.zattrs"], [".zattrs"]),
        ("mm-planes", ["Pos1/metadata.txt", "Pos0/metadata.txt", "Pos0/img.tif"], ["Pos0/metadata.txt"]),
        ("htd", ["plate.HTD", "TimePoint_1/plate.HTD", "TimePoint_1/a.TIF"], ["plate.HTD"]),
    ],
)
def test_what_opens_the_others_is_listed_alone(kind: str, targets: list[str], opened: list[str]) -> None:
    assert opened_by(kind, targets) == (opened, True)


def test_of_a_format_that_is_not_known_every_image_is_listed_and_that_is_said(image_set: ImageSet) -> None:
    targets = ["b.dat", "a.dat", "notes.txt", "settings.XML"]
    assert opened_by("", targets) == (["a.dat", "b.dat"], False)
    files = omero_bulk(replace(image_set, format=""), targets, Attribution(), MOUNT)
    assert "is not known to irods-watcher" in files[BULK]
    assert len(files[TABLE].splitlines()) == 2


@pytest.mark.parametrize(
    ("facts", "target", "said"),
    [
        ({"omero": "Screen:id:7", "request": "RQ"}, "Dataset:name:{request}", "Screen:id:7"),
        ({"request": "RQ4F7K2MT"}, "Dataset:name:{request}", "Dataset:name:RQ4F7K2MT"),
        ({}, "Dataset:name:{request}", "Dataset:name:cells"),
        ({"project": "ERC"}, "Dataset:@name:{project}, {scientist}", "Dataset:@name:ERC, Jane Doe"),
        ({}, "Dataset:51", "Dataset:51"),
    ],
)
def test_the_target_is_the_requests_or_the_profiles(
    image_set: ImageSet, facts: dict[str, str], target: str, said: str
) -> None:
    known = Attribution(creators=(JANE,), facts=facts)
    assert target_of(image_set, known, OmeroImport(mount="/mnt", target=target)) == said


def test_plates_go_to_a_screen(image_set: ImageSet) -> None:
    assert target_of(replace(image_set, format="htd"), Attribution(), MOUNT) == "Screen:name:cells"


def test_a_set_that_is_not_mounted_gets_no_files(image_set: ImageSet) -> None:
    elsewhere = replace(image_set, collection="/zone2/home/cells")
    assert omero_bulk(elsewhere, ["a.tif"], Attribution(), MOUNT) == {}


def test_a_set_in_a_folder_is_below_the_mount(image_set: ImageSet, tmp_path: Path) -> None:
    there = replace(image_set, collection="scope/cells")
    files = omero_bulk(there, ["a.tif"], Attribution(), OmeroImport(mount="/mnt/archive"))
    assert [row["path"] for row in lines(files, tmp_path)] == ["/mnt/archive/scope/cells/a.tif"]


#: The slots of the classes that a manifest of ours has, and whether they are required (omero-quay 1.2,
#: manifest-schema.yml; `id` is the identifier of every Thing).
SLOTS: Mapping[str, frozenset[str]] = {
    "manifest": frozenset({"investigations", "studies", "assays", "images", "quay_annotations", "states"}),
    "collection": frozenset({"owner", "urls", "parents", "importlinks", "children", "images", "quay_annotations"}),
    "image": frozenset({"urls", "parents"}),
}


def checked(text: str) -> dict[str, Any]:
    """A manifest, if it keeps the schema of omero-quay as far as that can be told without it."""
    found: dict[str, Any] = json.loads(text)
    assert found.keys() - SLOTS["manifest"] == {"id", "name", "schema_version"}
    everything = [one for kind in SLOTS["manifest"] for one in found[kind]]
    known = {one["id"] for one in everything} | {found["id"]}
    assert len(known) == len(everything) + 1
    for kind in ("investigations", "studies", "assays"):
        for one in found[kind]:
            assert one.keys() - SLOTS["collection"] == {"id", "name"}
    for one in found["images"]:
        assert one.keys() - SLOTS["image"] == {"id", "name"}
    for one in everything:
        for slot in ("parents", "children", "images", "quay_annotations"):
            assert set(one.get(slot, ())) <= known
        for address in one.get("urls", ()):
            assert urlparse(address).scheme == "irods"
            assert urlparse(address).path.startswith("/")
    assert [state["status"] for state in found["states"]] == ["started"]
    assert {state["scheme"] for state in found["states"]} == {"irods"}
    return found


def test_a_manifest_for_quay_has_group_study_and_assay(image_set: ImageSet) -> None:
    facts = {"group": "Doe lab", "project": "ERC", "sample": "HeLa", "readers": "rroe", "omero": "Dataset:1"}
    known = Attribution(creators=(JANE,), facts=facts)
    found = checked(quay_manifest(image_set, ["a.ome.tif", "b.ome.tif"], known)[QUAY])
    assert [one["name"] for one in found["investigations"]] == ["Doe lab"]
    assert [one["name"] for one in found["studies"]] == ["ERC"]
    assert [(one["name"], one["owner"]) for one in found["assays"]] == [("cells", "jdoe")]
    assert found["assays"][0]["importlinks"][0]["srce_url"] == "irods:///zone/home/facility/cells"
    assert [one["urls"] for one in found["images"]] == [["irods:///zone/home/facility/cells/a.ome.tif"]]
    told = {pair["key"]: pair["value"] for pair in found["quay_annotations"][0]["kv_pairs"]}
    assert told == {"group": "Doe lab", "project": "ERC", "sample": "HeLa"}


def test_what_is_not_known_is_not_in_the_manifest(image_set: ImageSet) -> None:
    found = checked(quay_manifest(image_set, ["a.tif"], Attribution())[QUAY])
    assert found["investigations"] == found["studies"] == found["quay_annotations"] == []
    assert "owner" not in found["assays"][0]


@given(known=attributions())
def test_any_attribution_keeps_the_schema_and_tells_no_address(known: Attribution) -> None:
    text = quay_manifest(a_set(), ["a.tif"], known)[QUAY]
    checked(text)
    assert "@example.org" not in text


@pytest.mark.parametrize("name", ["a#1.tif", "a?.tif"])
def test_what_quay_could_not_find_is_not_told_to_it(image_set: ImageSet, name: str) -> None:
    assert quay_manifest(image_set, [name], Attribution()) == {}


def test_a_set_in_a_folder_is_nothing_for_quay(image_set: ImageSet) -> None:
    assert quay_manifest(replace(image_set, collection="scope/cells"), ["a.tif"], Attribution()) == {}
