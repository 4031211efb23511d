"""The last line of defence of logs and support archives: secrets and persons are taken out of what is written.

Neither is to be written in the first place. This is for what comes another way, as in the message of a library or the
name of a folder: what looks like a secret, an e-mail address or an ORCID, and whatever was read as one in this process.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

SECRET: Final = "[secret]"  # noqa: S105
PERSON: Final = "[person]"
ADDRESS: Final = "[e-mail]"
#: A secret that is shorter may be any word, and so may a part of a name.
_SHORTEST_SECRET: Final = 6
_SHORTEST_NAME: Final = 3

_NAMED: Final = re.compile(
    r"(?:password|passwd|passphrase|pwd|secret|token|credentials?|authorization|api[-_ ]?key|signature)(?![a-z])",
    re.IGNORECASE,
)
_VALUE: Final = r"""\"[^\"]*\"|'[^']*'|[^\s"',;&)}\]]+"""
#: What is put in the place of each, in this order.
_LOOKS: Final = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL), SECRET),
    # The login in an address, which may hold an @ itself.
    (re.compile(r"(?<=://)[^/\s]*@"), f"{SECRET}@"),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1 {SECRET}"),
    (re.compile(rf"({_NAMED.pattern}\w*[\"']?\s*[=:]\s*)(?!\[secret\])({_VALUE})", re.IGNORECASE), rf"\1{SECRET}"),
    (re.compile(r"\beyJ[\w-]{6,}\.[\w-]+\.[\w-]*|\bwhsec_[\w+/=-]+"), SECRET),
    (re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}(?![\w-])"), ADDRESS),
    (re.compile(r"\b\d{4}-\d{4}-\d{4}-\d{3}[\dX]\b"), PERSON),
)
_WORD: Final = re.compile(r"[^\W_]+")

_secrets: frozenset[str] = frozenset()
#: Logins in lower case, and parts of names as they are written: a name may be a word, too.
_logins: frozenset[str] = frozenset()
_names: frozenset[str] = frozenset()


def keep_secret(value: str) -> str:
    """The secret itself, which from now on no log of this process shows."""
    global _secrets
    if len(value) >= _SHORTEST_SECRET:
        _secrets |= {value, quote(value, safe="")}
    return value


def keep_private(names: Iterable[str], logins: Iterable[str]) -> None:
    """From now on no log of this process shows these persons.

    Parts of names count as they are written, since they may also be words, logins in any case of letters.
    """
    global _names, _logins
    _names |= {part for name in names for part in _parts(name)}
    # Neither the domain before a login nor the zone behind a user is one.
    alone = [re.split("[#@]", login.rpartition("\\")[2])[0] for login in logins]
    _logins |= {part.casefold() for login in alone for part in _parts(login) or [login]}


def secrets(text: str) -> str:
    """The text without secrets, e-mail addresses and ORCIDs."""
    for secret in _secrets:
        text = text.replace(secret, SECRET)
    for look, instead in _LOOKS:
        text = look.sub(instead, text)
    return text


def persons(text: str) -> str:
    """The text without secrets and without the persons that are known."""
    text = secrets(text)
    if not (_names or _logins):
        return text
    return _WORD.sub(lambda found: PERSON if found[0] in _names or found[0].casefold() in _logins else found[0], text)


def within(value: Any, redacted: Callable[[str], str] = persons) -> Any:
    """The same for all texts in lists and mappings, and for what is shown as text; what is called a secret is one."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        named = {key for key, one in value.items() if isinstance(one, str) and _NAMED.search(str(key))}
        return {key: SECRET if key in named else within(one, redacted) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [within(one, redacted) for one in value]
    return value if value is None or isinstance(value, bool | int | float) else redacted(str(value))


def _parts(name: str) -> list[str]:
    return [part for part in _WORD.findall(name) if len(part) >= _SHORTEST_NAME and not part.isdigit()]
