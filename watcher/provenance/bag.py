"""The files that make a folder a BagIt bag (RFC 8493): everything but the payload, which lies in `data/`.

A percent sign, CR or LF in a name is percent-encoded in manifests of version 1.0 (RFC 8493, 2.1.3). The library that
most people check bags with, bagit-python 1.9, does not read `%25`, so a bag with a percent sign in a name is declared
as 0.97, the version before that rule, in which names stand as they are. What it cannot read at all is told.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

PAYLOAD: Final = "data"
MANIFEST: Final = "manifest-sha256.txt"
_LINE_ENDS: Final = ("%0A", "%0D")


def tag_files(digests: Mapping[str, str], info: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    """The text of each tag file by its name, the manifest of the tag files last.

    digests are those of all files in `data/` (SHA-256, hex) by their name there; info goes into bag-info.txt.
    """
    version = _version(digests)
    files = {
        "bagit.txt": f"BagIt-Version: {version}\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": "".join(f"{label}: {' '.join(value.split())}\n" for label, value in info if value.strip()),
        MANIFEST: "".join(
            f"{digests[name]}  {PAYLOAD}/{_encoded(name) if version == '1.0' else name}\n" for name in sorted(digests)
        ),
    }
    tags = (f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in files.items())
    return {**files, "tagmanifest-sha256.txt": "".join(tags)}


def remarks_on(names: Iterable[str]) -> Iterator[str]:
    """What bagit-python 1.9 does not get right of these names, though RFC 8493 does."""
    seen: dict[str, str] = {}
    for name in names:
        if any(end in name for end in _LINE_ENDS):
            yield f"{name}: bagit-python takes %0A and %0D in a name for line ends and will not find this file"
        if name != name.rstrip():
            yield f"{name!r}: bagit-python will not find this file, since its name ends in a space"
        other = seen.setdefault(unicodedata.normalize("NFC", name), name)
        if other != name:
            yield f"{other} and {name}: bagit-python may take one of these for the other, since they look the same"


def _version(names: Iterable[str]) -> str:
    odd = [name for name in names if "%" in name]
    return "0.97" if odd and not any(end in name for name in odd for end in _LINE_ENDS) else "1.0"


def _encoded(name: str) -> str:
    return re.sub(r"[%\r\n]", lambda found: f"%{ord(found[0]):02X}", name)
