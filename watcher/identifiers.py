"""Identifiers that carry a check digit: of persons (ORCID), of institutions (ROR), and of requests.

ORCID: 16 characters, the last by ISO/IEC 7064 MOD 11-2 (support.orcid.org, Structure of the ORCID Identifier).
ROR: 0, six characters of Crockford's base 32, two digits by MOD 97-10 (ror.readme.io, ROR identifier pattern; checked
on seven real ones). A request's is our own: RQ, six characters of the same alphabet, one by MOD 37-36, so that it fits
into a folder's name on any disk and into a Code 39 barcode, and a mistyped one is no other request's.
"""

import random
import re
from typing import Final
from urllib.parse import urlsplit

from stdnum.exceptions import ValidationError
from stdnum.iso7064 import mod_11_2, mod_37_36, mod_97_10

ORCID: Final = "https://orcid.org/"
ROR: Final = "https://ror.org/"
#: Crockford's base 32: no I, L, O and U, which are misread (crockford.com/base32.html).
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_REQUEST: Final = re.compile(rf"(?<![0-9A-Za-z])RQ[{_ALPHABET}]{{7}}(?![0-9A-Za-z])", re.IGNORECASE)


def orcid(text: str) -> str:
    """An ORCID, with or without its address, as URL. Raises ValueError, saying what is wrong."""
    digits = re.sub(r"^(https?://)?(www\.)?orcid\.org/", "", text.strip(), flags=re.IGNORECASE).replace("-", "").upper()
    if not re.fullmatch(r"[0-9]{15}[0-9X]", digits):
        raise ValueError("this is no ORCID; write one like 0000-0002-1825-0097")
    if not _holds(mod_11_2, digits):
        raise ValueError("this is no ORCID: its last digit does not fit the others; look for a mistyped one")
    return ORCID + "-".join(digits[at : at + 4] for at in range(0, 16, 4))


def ror(text: str) -> str:
    """A ROR identifier, with or without its address, as URL. Raises ValueError, saying what is wrong."""
    code = re.sub(r"^(https?://)?(www\.)?ror\.org/", "", text.strip(), flags=re.IGNORECASE).lower()
    if not re.fullmatch(rf"0[{_ALPHABET.lower()}]{{6}}[0-9]{{2}}", code):
        raise ValueError("this is no ROR identifier; write one like https://ror.org/03yrm5c26")
    number = 0
    for letter in code[1:7]:
        number = number * 32 + _ALPHABET.index(letter.upper())
    if not _holds(mod_97_10, f"{number}{code[7:]}"):
        raise ValueError("this is no ROR identifier: its last two digits do not fit; look for a mistyped letter")
    return ROR + code


def url(text: str) -> str:
    """An absolute http or https address, as it was written. Raises ValueError, saying what is wrong."""
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"[\s<>\"{}|\\^`\x00-\x1f]", text):
        raise ValueError("this is no address; write one like https://eln.example.org/exp/4711")
    return text


def request(text: str) -> str:
    """A request's identifier in its one form. Raises ValueError, saying what is wrong."""
    code = text.strip().upper()
    if not _REQUEST.fullmatch(code):
        raise ValueError("this is no request's identifier; they look like RQ4F7K2MT")
    if not _holds(mod_37_36, code):
        raise ValueError("this is no request's identifier: its last letter does not fit; look for a mistyped one")
    return code


def requests_in(text: str) -> list[str]:
    """The identifiers of requests that stand by themselves in a text such as the name of a folder, each once."""
    codes = (found[0].upper() for found in _REQUEST.finditer(text))
    return list(dict.fromkeys(code for code in codes if _holds(mod_37_36, code)))


def new_request(chance: random.Random) -> str:
    """An identifier for a new request; one of 700 million."""
    while True:
        stem = "RQ" + "".join(chance.choices(_ALPHABET, k=6))
        check = mod_37_36.calc_check_digit(stem)
        if check in _ALPHABET:
            return stem + check


def _holds(scheme: object, number: str) -> bool:
    try:
        scheme.validate(number)  # type: ignore[attr-defined]
    except ValidationError:
        return False
    return True
