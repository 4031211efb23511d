"""File names as the store can hold them: never two names made one, and the name on the disk can always be told again.

What must not be in a name there becomes `%XX`: control characters, bytes that are no UTF-8 (Python shows them as lone
surrogates, PEP 383) and, as `%uXXXX`, the control characters from U+0080 on, the other lone surrogates that NTFS
allows, and U+FFFE and U+FFFF, with which a listing is no XML. A `%` becomes `%25` only where it would read as one of
these. All else stays as it is: spaces, quotes, emoji, decomposed letters, `50%20x.tif`.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

from watcher.errors import NameRefused, Unforeseen

#: What the watcher itself writes into the collection of a set.
SIDECARS: Final = frozenset(
    {
        "irods-watcher.json",
        "manifest-sha256.txt",
        "omero-import.tsv",
        "omero-import.yml",
        "omero-quay.json",
        "ro-crate-metadata.json",
    }
)

#: The folder below a watched one in which local copies that are to go wait for their end.
ASIDE: Final = ".irods-watcher-aside"

#: Limits in bytes of UTF-8: a path in the iRODS catalogue has MAX_NAME_LEN = 1088 bytes, the last of them a NUL.
MAX_COMPONENT: Final = 1000
MAX_PATH: Final = 1087

_CODE: Final = r"(?:25|[01][0-9A-F]|7F|[89A-F][0-9A-F]|u00[89][0-9A-F]|uD[89A-F][0-9A-F]{2}|uFFF[EF])"
_ESCAPED: Final = re.compile(f"%{_CODE}")
_FORBIDDEN: Final = r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]"
_ILLEGAL: Final = re.compile(f"{_FORBIDDEN}|%(?={_CODE})")


def legal(name: str) -> str:
    """The name of one file or folder as the store can hold it; different for different names.

    Raises NameRefused for what is no such name: an empty one, `.`, `..`, or one with a `/`.
    """
    _refuse_no_name(name)
    if _hidden_sidecar(name):
        return "%25" + name[1:]
    return _ILLEGAL.sub(lambda found: _escape(found[0]), name)


def original(name: str) -> str:
    """The name on the disk for which `legal` or `legal_path` gave this one."""
    return _hidden_sidecar(name) or _ESCAPED.sub(lambda found: _unescape(found[0]), name)


def original_path(path: str) -> str:
    """The path on the disk for which `legal_path` gave this one."""
    return "/".join(map(original, path.split("/")))


def in_shell(name: str) -> str:
    r"""Any name as visible text that bash and zsh read as exactly this one, as in `$'caf\xe9.tif'`."""
    return "$'" + re.sub(rf"[\\']|{_FORBIDDEN}", lambda found: _shell_escape(found[0]), name) + "'"


def legal_path(path: str) -> str:
    """The path of a member below its collection (with `/`, relative) as the store can hold it.

    A first component that would take the place of one of our sidecars has its first letter escaped, in any case of
    letters, since a folder on Windows does not tell them apart. Raises NameRefused as `legal` does.
    """
    first, *rest = path.split("/")
    if first.casefold() in SIDECARS:
        return "/".join([f"%{ord(first[0]):02X}{first[1:]}", *map(legal, rest)])
    return "/".join(map(legal, [first, *rest]))


def merged(paths: Iterable[str], seen_as: Callable[[str], str]) -> tuple[str, str] | None:
    """Two of these paths, or of the folders that they are in, that a disk makes one; None if it tells all apart.

    `seen_as` gives the same for two paths if the disk takes one for the other.
    """
    known: dict[str, str] = {}
    for path in paths:
        place = path
        while place:
            key = seen_as(place)
            before = known.get(key)
            if before == place:
                break
            if before is not None:
                return before, place
            known[key] = place
            place = place.rpartition("/")[0]
    return None


def check(name: str) -> None:
    """Raise NameRefused unless the store can hold this name of one file or folder just as it is."""
    _refuse_no_name(name)
    if bad := re.search(_FORBIDDEN, name):
        raise NameRefused(f"{name!r}: a name cannot hold the character {bad[0]!r}")


def check_sidecar(name: str) -> None:
    """Raise Unforeseen unless this is one of our sidecars, which no member is called: all else is never overwritten."""
    if name not in SIDECARS:
        raise Unforeseen(f"{name}: only the watcher's own files are ever overwritten")


def check_length(path: str) -> None:
    """Raise NameRefused if the path, or one name in it, is longer than the store can hold."""
    for name in path.split("/"):
        if (length := len(name.encode())) > MAX_COMPONENT:
            raise NameRefused(f"{name}: this name is {length} bytes long, and the store takes {MAX_COMPONENT}")
    if (length := len(path.encode())) > MAX_PATH:
        raise NameRefused(f"{path}: this path is {length} bytes long, and the store takes {MAX_PATH}")


def _refuse_no_name(name: str) -> None:
    if name in {"", ".", ".."} or "/" in name:
        raise NameRefused(f"{name!r}: this is not the name of one file or folder")


def _hidden_sidecar(name: str) -> str:
    """The sidecar's name of which this is the escaped form, "" if it is none."""
    if re.match(r"%[4-7][0-9A-F]", name):
        shown = chr(int(name[1:3], 16)) + name[3:]
        return shown if shown.casefold() in SIDECARS else ""
    return ""


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"%{code - 0xDC00:02X}"
    return f"%u{code:04X}" if code > 0x7F else f"%{code:02X}"


def _shell_escape(character: str) -> str:
    code = ord(character)
    if character in "\\'":
        return f"\\{character}"
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"


def _unescape(escape: str) -> str:
    if escape.startswith("%u"):
        return chr(int(escape[2:], 16))
    code = int(escape[1:], 16)
    return chr(code + 0xDC00 if code > 0x7F else code)
