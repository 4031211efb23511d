"""Files for an in-place import into OMERO, made by whoever runs OMERO: two texts, and no code of OMERO's.

`omero import --bulk omero-import.yml` reads a table of files with their targets (omero-py, plugins/import.py: the table
is found beside the YAML file, its columns become options of the command). The manifest for omero-quay 1.2 follows its
schema (w3id.org/omero-quay/manifest, 1.1), which knows groups, studies and assays; what is not known is left out.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Final

import yaml

from watcher.model import Attribution, ImageSet
from watcher.profile.import_files import OmeroImport
from watcher.profile.pattern import Field, pieces

TABLE: Final = "omero-import.tsv"
BULK: Final = "omero-import.yml"
QUAY: Final = "omero-quay.json"

#: The file by which Bio-Formats opens all files of such a set, the likeliest pattern first; of several that match, the
#: one that lies highest and has the shortest name (Bio-Formats, Supported formats: Dataset Structure Table).
_OPENED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "bdv": ("*.xml",),
    "czi": ("*.czi",),
    "dicom": ("dicomdir", "*"),
    "harmony": ("index*.xml",),
    "htd": ("*.htd",),
    "incell": ("*.xdce",),
    "lif": ("*.lif",),
    "metamorph-nd": ("*.nd",),
    "mm-planes": ("metadata.txt",),
    "mm-stack": ("*.tif", "*.tiff"),
    "mrxs": ("*.mrxs",),
    "oif": ("*.oif",),
    "oir": ("*.oir",),
    "ome-tiff": ("*.companion.ome", "*.ome.*", "*.tif*"),
    "ome-zarr": (".zattrs", "zarr.json"),
    "vsi": ("*.vsi",),
    "xlef": ("*.xlef",),
    "yokogawa": ("*.wpi", "*.mlf"),
}
#: OMERO puts the plates of these into a Screen and never into a Dataset.
_PLATES: Final = frozenset({"harmony", "htd", "incell", "yokogawa"})
#: Facts that are not told of the images: where they go, and who may read them.
_NOT_OF_IMAGES: Final = frozenset({"omero", "readers"})
_NO_IMAGES: Final = frozenset({".csv", ".htm", ".html", ".ini", ".json", ".log", ".md", ".pdf", ".txt", ".xml"})
_NOT_KNOWN: Final = """\
# How Bio-Formats opens this format is not known to irods-watcher, so every file that may be an image is listed. Take
# out those that another one brings along.
"""


def omero_bulk(
    image_set: ImageSet, targets: Iterable[str], attribution: Attribution, section: OmeroImport
) -> Mapping[str, str]:
    """The files for `omero import --bulk` by their names; targets are the set's members by their names in it.

    Nothing if the set's collection is not in what is mounted. Each line has the target in OMERO, the name that the
    images get, and the path as OMERO's server sees it.
    """
    folder = _mounted(image_set, section)
    if folder is None:
        return {}
    opened, known = opened_by(image_set.format, list(targets))
    into = target_of(image_set, attribution, section)
    table = io.StringIO()
    rows = csv.writer(table, delimiter="\t", lineterminator="\n")
    for name in opened:
        rows.writerow((into, image_set.name if len(opened) == 1 else name, str(folder / name)))
    said = {"path": TABLE, "columns": ["target", "name", "path"], "transfer": "ln_s", "exclude": "clientpath"}
    head = f"# Image set {image_set.id}: omero import --bulk {BULK}\n" + ("" if known else _NOT_KNOWN)
    return {BULK: head + yaml.safe_dump({**said, "continue": True}, sort_keys=False), TABLE: table.getvalue()}


def quay_manifest(image_set: ImageSet, targets: Iterable[str], attribution: Attribution) -> Mapping[str, str]:
    """The manifest for omero-quay, as `omero_bulk` gives its files; the set is its assay.

    Nothing for a path with `#` or `?`, since quay takes all behind them for no part of it. Persons stand there only as
    users in iRODS: quay wants the e-mail address of any other.
    """
    collection, facts = image_set.collection or "", attribution.facts
    opened, _ = opened_by(image_set.format, list(targets))
    if not collection.startswith("/") or any(sign in path for path in (collection, *opened) for sign in "#?"):
        return {}
    owner = {"owner": attribution.creators[0].user} if attribution.creators and attribution.creators[0].user else {}
    group, study = facts.get("group"), facts.get("project") or facts.get("request")
    ids = {kind: f"{kind}:{image_set.id.rpartition(':')[2]}" for kind in ("man", "inv", "stu", "ass", "imp", "ann")}
    studies: list[dict[str, object]] = (
        [{"id": ids["stu"], "name": study, "children": [ids["ass"]], **owner}] if study else []
    )
    investigations: list[dict[str, object]] = [{"id": ids["inv"], "name": group, **owner}] if group else []
    if investigations and studies:
        investigations[0]["children"] = [ids["stu"]]
        studies[0]["parents"] = [ids["inv"]]
    place = f"irods://{collection}"
    images = [
        {"id": f"img:{ids['man'][4:]}:{number}", "name": name, "urls": [f"{place}/{name}"], "parents": [ids["ass"]]}
        for number, name in enumerate(opened, start=1)
    ]
    pairs = [{"key": key, "value": facts[key]} for key in sorted(facts) if facts[key] and key not in _NOT_OF_IMAGES]
    assay = {
        "id": ids["ass"],
        "name": image_set.name,
        "urls": [place],
        "images": [image["id"] for image in images],
        "importlinks": [{"id": ids["imp"], "srce_url": place, **owner}],
        "parents": [ids["stu"]] if studies else [],
        "quay_annotations": [ids["ann"]] if pairs else [],
        **owner,
    }
    annotation = {"id": ids["ann"], "ann_type": "map_annotation", "namespace": "irods-watcher", "kv_pairs": pairs}
    manifest = {
        "id": ids["man"],
        "name": image_set.name,
        "schema_version": "1.1",
        "investigations": investigations,
        "studies": studies,
        "assays": [assay],
        "images": images,
        "quay_annotations": [annotation] if pairs else [],
        "states": [{"id": f"sta:{ids['man'][4:]}", "scheme": "irods", "status": "started"}],
    }
    return {QUAY: json.dumps(manifest, indent=1, ensure_ascii=True) + "\n"}


def opened_by(kind: str, targets: Sequence[str]) -> tuple[list[str], bool]:
    """The members of a set of this format that Bio-Formats is to open, and whether that is known for sure."""
    if len(targets) == 1:
        return list(targets), True
    for pattern in _OPENED_BY.get(kind, ()):
        found = [name for name in targets if fnmatchcase(name.rpartition("/")[2].lower(), pattern)]
        if found:
            return [min(found, key=lambda name: (name.count("/"), len(name), name))], True
    images = [name for name in targets if PurePosixPath(name).suffix.lower() not in _NO_IMAGES]
    return sorted(images or targets), len(images) == 1


def target_of(image_set: ImageSet, attribution: Attribution, section: OmeroImport) -> str:
    """Where the images go in OMERO: as the request says, else as the profile says."""
    if said := attribution.facts.get("omero"):
        return said
    scientist = attribution.creators[0].natural if attribution.creators else ""
    values = {**attribution.facts, "scientist": scientist}
    filled = "".join(
        (values.get(part.name) or image_set.name) if isinstance(part, Field) else part
        for part in pieces(section.target)
    )
    return filled.replace("Dataset:name:", "Screen:name:", 1) if image_set.format in _PLATES else filled


def _mounted(image_set: ImageSet, section: OmeroImport) -> PurePosixPath | None:
    """The set's folder as OMERO's server sees it, None if that is not mounted there."""
    place = PurePosixPath("/", image_set.collection or "")
    try:
        return PurePosixPath(section.mount) / place.relative_to(section.root)
    except ValueError:
        return None
