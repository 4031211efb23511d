"""The part of an RO-Crate that has the shape of REMBI, filled with what is known and nothing invented.

REMBI (Recommended Metadata for Biological Images, Sarkans et al. 2021, doi.org/10.1038/s41592-021-01166-8) has eight
modules of attributes. There are no addresses for its terms, so each is a named value with the module and attribute
as `propertyID`. A module of which nothing is known is absent; of biosample and specimen only what the request says.
"""

from collections.abc import Mapping
from typing import Final

from watcher.model import Attribution, ImageSet
from watcher.profile import Profile
from watcher.provenance.crate.contents import Contents
from watcher.provenance.crate.graph import Graph, Reference, local
from watcher.provenance.crate.request import ASKED

_PAPER: Final = "https://doi.org/10.1038/s41592-021-01166-8"
#: Which attribute of REMBI a value belongs to that the files themselves tell (`watcher/formats/metadata.py`).
_TOLD: Final = {"size": "Dimension extents", "pixel_size_um": "Pixel/voxel size description"}


def add_rembi(
    graph: Graph,
    image_set: ImageSet,
    profile: Profile,
    attribution: Attribution,
    contents: Contents,
    embedded: Mapping[str, str],
) -> list[Reference]:
    """The modules of which something is known."""
    facts, instrument = attribution.facts, profile.instrument
    maker = " ".join(filter(None, (instrument.manufacturer, instrument.model)))
    images = {f"{name}, as the files say": (_TOLD[key], embedded.get(key)) for key, name in _NAMES.items()}
    parameters = {
        f"{key}, as the files say": ("Image acquisition parameters", value)
        for key, value in embedded.items()
        if key not in _TOLD
    }
    requested = {
        f"{ASKED[key]}, as requested": ("Image acquisition parameters", facts.get(key))
        for key in ("channels", "objective", "positions", "repeats")
    }
    modules: dict[str, Mapping[str, tuple[str, object]]] = {
        "Study": {
            "title": ("Title", facts.get("title") or image_set.name),
            "keywords": ("Keywords", profile.metadata.tags),
            "authors": ("Authors", tuple(person.natural for person in attribution.creators)),
            "licence": ("License", facts.get("licence") or profile.metadata.licence),
            "funding": ("Funding", facts.get("funding")),
            "links": ("Links", facts.get("source")),
        },
        "Study component": {"imaging method": ("Imaging method", profile.metadata.imaging_method)},
        "Biosample": {"sample, as requested": ("Identity", facts.get("sample"))},
        "Image acquisition": {
            "instrument": ("Instrument attributes", ", ".join(filter(None, (instrument.name, maker)))),
            **parameters,
            **requested,
        },
        "Image data": {
            "format": ("Format & compression", image_set.format),
            "size": ("Size description", f"{contents.count} files, {contents.size} bytes"),
            **images,
        },
    }
    found = (_module(graph, module, said) for module, said in modules.items())
    return [module for module in found if module]


#: What those values are called.
_NAMES: Final = {"size": "size in pixels (XxYxZxCxT)", "pixel_size_um": "pixel size in micrometres"}


def _module(graph: Graph, module: str, said: Mapping[str, tuple[str, object]]) -> Reference | None:
    slug = "-".join(module.lower().split())
    values = [
        graph.add_value(local("rembi", slug, name), name, value, propertyID=f"REMBI: {module}, {attribute}")
        for name, (attribute, value) in said.items()
    ]
    if not any(values):
        return None
    about = f"REMBI, module {module}: what is known of it."
    return graph.add(
        local("rembi", slug), "CreativeWork", name=f"REMBI: {module}", description=about, url=_PAPER,
        additionalProperty=values,
    )  # fmt: skip
