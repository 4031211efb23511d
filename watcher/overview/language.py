"""The language in which people are told things: English, and what a catalogue in `translations/` adds.

Catalogues are gettext's (docs.python.org, gettext): `translations/de/LC_MESSAGES/irods-watcher.mo`. What is kept in
the journal, such as why a set is held, was written in English and stays so.
"""

import gettext
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Final

DOMAIN: Final = "irods-watcher"
FOLDER: Final = Path(__file__).parent / "translations"

_chosen: ContextVar[gettext.NullTranslations | None] = ContextVar("language", default=None)
_ENGLISH: Final = gettext.NullTranslations()


def say(text: str, /, **values: object) -> str:
    """A sentence in the language of whoever is told, with values in braces."""
    return (_chosen.get() or _ENGLISH).gettext(text).format(**values)


def later(text: str) -> str:
    """A sentence that `say` says at another place; so it is found for the catalogues."""
    return text


def say_many(one: str, many: str, number: int, /, **values: object) -> str:
    """The same for a number of things; `{number}` is it."""
    return (_chosen.get() or _ENGLISH).ngettext(one, many, number).format(number=number, **values)


@contextmanager
def speaking(languages: Sequence[str], folder: Path = FOLDER) -> Iterator[str]:
    """Within this, all is said in the first of these languages of which there is a catalogue, else in English."""
    known = {"en", *(path.name for path in folder.glob("*/"))} if folder.is_dir() else {"en"}
    chosen = next((language for language in languages if language in known), "en")
    token = _chosen.set(_ENGLISH if chosen == "en" else _catalogue(folder, chosen))
    try:
        yield chosen
    finally:
        _chosen.reset(token)


def catalogue() -> gettext.NullTranslations:
    """The catalogue of the language that is spoken, for what looks sentences up by itself."""
    return _chosen.get() or _ENGLISH


@cache
def _catalogue(folder: Path, language: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, folder, [language], fallback=True)
