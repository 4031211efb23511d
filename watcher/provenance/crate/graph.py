"""The entities of one RO-Crate, and their text: the same entities give the same bytes."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

from watcher import identifiers

#: Where the metadata of a crate stands (RO-Crate 1.2, RO-Crate Metadata Descriptor).
NAME: Final = "ro-crate-metadata.json"
VERSION: Final = "1.2"

#: One entity named by another.
Reference = Mapping[str, str]

ROOT: Final[Reference] = {"@id": "./"}
#: PROV's word for a delegate, which RO-Crate has none for (w3.org/TR/prov-o, prov:actedOnBehalfOf).
_DELEGATE: Final = "actedOnBehalfOf"
_TERMS: Final = {_DELEGATE: "http://www.w3.org/ns/prov#actedOnBehalfOf"}
#: What may stand in a relative IRI as it is, besides letters, digits and signs of any script (RFC 3987,
#: ipath-rootless); a colon may not be in its first part.
_PLAIN: Final = frozenset("/-._~!$&'()*+,;=@")


class Graph:
    """A crate under construction; what is not known (None or empty) is left out."""

    def __init__(self) -> None:
        from rocrate.rocrate import ROCrate  # a sixth of a second, which only a publication needs

        self._crate: Any = ROCrate(version=VERSION)

    def describe(self, **said: object) -> None:
        """Say something of the whole set."""
        self._say(self._crate.root_dataset, said)

    def add(self, identifier: str, kind: str | Iterable[str], /, **said: object) -> Reference:
        """A thing, person or deed that files have to do with; if it is there already, it stays as it is."""
        from rocrate.model.contextentity import ContextEntity

        name = _printable(identifier)
        if self._crate.dereference(name) is None:
            kinds = kind if isinstance(kind, str) else list(kind)
            self._say(self._crate.add(ContextEntity(self._crate, name, {"@type": kinds})), said)
        return {"@id": name}

    def add_file(self, target: str, /, **said: object) -> Reference:
        """A file of the set."""
        from rocrate.model.data_entity import DataEntity

        entity = DataEntity(self._crate, path_of(target), {"@type": "File"})
        self._say(self._crate.add(entity), {"name": target} | said)
        return {"@id": entity.id}

    def add_value(self, identifier: str, name: str, value: object, /, **said: object) -> Reference | None:
        """A named value; None if it is not known."""
        if value in (None, "", ()):
            return None
        return self.add(identifier, "PropertyValue", name=name, value=value, **said)

    def delegate(self, person: Reference, whose: Reference) -> None:
        """Say that a person acted on behalf of another one."""
        self._crate.metadata.extra_terms.update(_TERMS)
        self._say(self._crate.dereference(person["@id"]), {_DELEGATE: whose})

    def text(self) -> str:
        """The crate's metadata as JSON-LD, readable for people."""
        return json.dumps(self._crate.metadata.generate(), indent=1, ensure_ascii=False) + "\n"

    def _say(self, entity: Any, said: Mapping[str, object]) -> None:
        for key, value in said.items():
            if (plain := _plain(value)) not in (None, "", []):
                entity[key] = plain


def path_of(target: str) -> str:
    """The identifier of a file in a crate: a relative IRI, whose `urllib.parse.unquote` is the file's name.

    International letters stay as they are, as RO-Crate 1.2 asks (Encoding file paths in @ids).
    """
    return "".join(part if part in _PLAIN or _is_letter(part) else _quoted(part) for part in target)


def local(*words: str) -> str:
    """An identifier for what has none outside of the crate."""
    return "#" + "-".join(path_of(word).replace("/", "%2F") for word in words)


def address_or(text: str | None, otherwise: str, check: Callable[[str], str] = identifiers.url) -> str:
    """The text if it is an http or https address, or one of the kind that is checked, and the other one if not."""
    try:
        return check(text or "")
    except ValueError:
        return otherwise


def _is_letter(character: str) -> bool:
    return character.isalnum() or (character > "~" and character.isprintable())


def _quoted(character: str) -> str:
    return quote(character, safe="", errors="backslashreplace")


def _plain(value: object) -> object:
    """A value as JSON-LD holds it in a flat crate: no lists of one, no gaps, and no half characters."""
    if isinstance(value, str):
        return _printable(value)
    if isinstance(value, (list, tuple)):
        kept = [plain for one in value if (plain := _plain(one)) not in (None, "", [])]
        return kept[0] if len(kept) == 1 else kept
    return value


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
