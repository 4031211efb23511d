"""What is taken out of a support archive: persons and secrets always, names of sets and files if that is wanted."""

import getpass
import hashlib
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from watcher import osfacts, redact
from watcher.provenance.people import GENERIC

#: A word with what stands around it.
_WORD: Final = re.compile(r"([(\"'`]*)(\S+?)([)\"'`,.;:!?]*)(?=\s|$)")
#: What can be no name of a set or file: plain words, numbers, and what this program says.
_PLAIN: Final = re.compile(
    r"[a-z]+(?:[-'][a-z]+)*|[-+]?\d[\d.,:/-]*(?:%|[kMGT]?i?B|m?s)?|[kMGT]?i?B|[-=+/&<>]+|irods[-_][a-z_-]+"
    r"|iRODS|OMERO|Python|SHA-256|TLS|PAM|UTF-8|JSON|YAML|XML|OME-XML|TIFF"
    r"|name-[0-9a-f]{8}|\[(?:secret|person|e-mail|computer)\]|(?:urn:uuid:)?[0-9a-f]{8}(?:-[0-9a-f]{4,12})*"
)
_BEGINS: Final = re.compile(r"[A-Z][a-z]*")
_CODE: Final = re.compile(r'File ".*?((?:watcher|site-packages|lib)[\\/][^"]*)"')


class Hiding:
    """Takes names out of texts: in the place of a word stands always the same, from which nobody can guess it.

    `roots` are the folders and collections that the profile itself names: only what lies below them is hidden.
    """

    def __init__(self, roots: Iterable[str], *, with_names: bool) -> None:
        self._roots = sorted((root.rstrip("/\\") for root in roots), key=len, reverse=True)
        self._with_names = with_names
        self._salt = secrets.token_bytes(16)
        if (me := getpass.getuser()).casefold() not in GENERIC:
            redact.keep_private([], [me])

    def name(self, word: str) -> str:
        """What stands for a name."""
        if self._with_names or not word:
            return self.private(word)
        return f"name-{hashlib.sha256(self._salt + word.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"

    def private(self, text: str) -> str:
        """The text without persons, secrets, the folder of an account, and what this computer is called."""
        home, host = str(Path.home()), osfacts.host_name()
        text = re.sub(rf"{re.escape(home)}(?=[/\\]|$)", "~", text) if len(home) > 1 else text
        text = re.sub(rf"(?<![\w-]){re.escape(host)}(?![\w-])", "[computer]", text, flags=re.I) if host else text
        return redact.persons(text)

    def text(self, text: str, known: Iterable[str] = ()) -> str:
        """A sentence without the names in it: `known` ones, and whatever is no plain word."""
        if self._with_names:
            return self.private(text)
        for word in sorted(filter(None, known), key=len, reverse=True):
            text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", lambda found: self.name(found[0]), text)
        text = self.private(text)
        return _WORD.sub(lambda found: found[1] + self._word(found, text) + found[3], text)

    def traceback(self, text: str) -> str:
        """Where in the program something happened, and what it said, without names."""
        *lines, last = text.split("\n")
        return "\n".join([*(self.private(_CODE.sub(r'File "\1"', line)) for line in lines), self.text(last)])

    def profile(self, value: Any, key: str = "") -> Any:
        """The data of a profile: of addresses only whose they are, and nobody who is meant without saying so."""
        if isinstance(value, dict):
            return {name: self.profile(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [self.profile(one, key) for one in value]
        if not isinstance(value, str):
            return value
        if key in {"scientist", "operator"} and value not in {"contributor", "creator"}:
            return redact.PERSON
        return self._address(value) if "://" in value else redact.within({key: self.private(value)}, str)[key]

    def _word(self, found: "re.Match[str]", text: str) -> str:
        word = found[2]
        first = found.start() == 0 or text[: found.start()].rstrip().endswith((":", ";")) or found[1] == "("
        if _PLAIN.fullmatch(word) or (first and _BEGINS.fullmatch(word)):
            return word
        if "://" in word:
            return self._address(word)
        for root in filter(None, self._roots):
            if word == root or word.startswith((f"{root}/", f"{root}\\")):
                return root + (f"/{self.name(word[len(root) + 1 :])}" if word[len(root) + 1 :] else "")
        return self.name(word)

    def _address(self, text: str) -> str:
        try:
            found = urlsplit(text)
            port = f":{found.port}" if found.port else ""
        except ValueError:
            return redact.SECRET
        return self.private(f"{found.scheme}://{found.hostname or ''}{port}/...")
