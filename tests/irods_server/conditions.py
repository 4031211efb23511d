"""The conditions of GenQuery: text such as `= 'a' || like 'b%'` made into a test of one value."""

import re
from collections.abc import Callable

from .codes import Code, RefusedError

Test = Callable[[str], bool]

_OPERATOR = re.compile(
    r"\s*(n<=|n>=|n<>|n<|n>|n=|<=|>=|<>|!=|=|<|>|not\s+like|not\s+in|like|in|between|parent_of)\s*",
    re.IGNORECASE,
)
_COMPARE: dict[str, Callable[[int], bool]] = {
    "=": lambda order: order == 0,
    "<>": lambda order: order != 0,
    "!=": lambda order: order != 0,
    "<": lambda order: order < 0,
    ">": lambda order: order > 0,
    "<=": lambda order: order <= 0,
    ">=": lambda order: order >= 0,
}


def literals(condition: str) -> list[str] | None:
    """The values of a plain `= '...'` or `in ('...')`, for a look-up by index; None for any other condition."""
    operator, value = _plain(condition)
    if operator == "=":
        return [value]
    return re.split(r"'\s*,\s*'", value) if operator == "in" else None


def literal_beginning(condition: str) -> str | None:
    """The path below which all values lie of a plain `like '.../%'`; None for any other condition."""
    operator, value = _plain(condition)
    found = re.fullmatch(r"([^%_\\]*)/%", value) if operator == "like" else None
    return (found[1] or "/") if found else None


def _plain(condition: str) -> tuple[str, str]:
    """The operator of a condition that stands alone, and what is quoted in it; empty for any other."""
    parts = _split_outside_quotes(condition, ("||", "&&"))
    match = _OPERATOR.match(condition)
    if len(parts) > 1 or match is None or match[1].lower() not in ("=", "in", "like"):
        return "", ""
    return match[1].lower(), _quoted(condition[match.end() :])


def compile_condition(condition: str, *, numeric: bool, upper: bool) -> Test:
    """A test for the whole condition: `||` binds weaker than `&&`, and the operator may be left out after them."""
    alternatives = [
        [_compile_one(part, numeric=numeric, upper=upper) for part in _split_outside_quotes(text, ("&&",))]
        for text in _split_outside_quotes(condition, ("||",))
    ]
    return lambda value: any(all(test(value) for test in tests) for tests in alternatives)


def _split_outside_quotes(text: str, separators: tuple[str, ...]) -> list[str]:
    parts, start, quoted, position = [], 0, False, 0
    while position < len(text):
        if text[position] == "'":
            quoted = not quoted
        elif not quoted and text.startswith(separators, position):
            parts.append(text[start:position])
            position += 2
            start = position
            continue
        position += 1
    return [*parts, text[start:]]


def _quoted(text: str) -> str:
    """What stands between the first and the last quote: apostrophes inside need no escape (general_query.cpp)."""
    first, last = text.find("'"), text.rfind("'")
    if first == -1 or last == first:
        raise RefusedError(Code.CAT_INVALID_ARGUMENT)
    return text[first + 1 : last]


def _compile_one(text: str, *, numeric: bool, upper: bool) -> Test:
    match = _OPERATOR.match(text)
    if match is None:
        raise RefusedError(Code.CAT_INVALID_ARGUMENT)
    operator, rest = re.sub(r"\s+", " ", match[1].lower()), text[match.end() :]
    if operator.startswith("n") and operator[1:] in _COMPARE:
        operator, numeric = operator[1:], True
    if operator in _COMPARE:
        return _comparison(operator, _quoted(rest), numeric=numeric, upper=upper)
    if operator in ("in", "not in"):
        members = set(re.split(r"'\s*,\s*'", _quoted(rest)))
        return (lambda value: value in members) if operator == "in" else (lambda value: value not in members)
    if operator in ("like", "not like"):
        pattern = _like_pattern(_quoted(rest), upper=upper)
        return lambda value: (pattern.fullmatch(value) is not None) == (operator == "like")
    if operator == "between":
        low, _, high = _quoted(rest).partition("' '")
        above = _comparison(">=", low, numeric=numeric, upper=upper)
        below = _comparison("<=", high, numeric=numeric, upper=upper)
        return lambda value: above(value) and below(value)
    wanted = _quoted(rest)
    return lambda value: wanted == value or wanted.startswith(value.rstrip("/") + "/")


def _comparison(operator: str, wanted: str, *, numeric: bool, upper: bool) -> Test:
    decide = _COMPARE[operator]
    if numeric:
        try:
            number = float(wanted)
        except ValueError as error:
            raise RefusedError(Code.CAT_SQL_ERR) from error

        def test_number(value: str) -> bool:
            try:
                return decide((float(value) > number) - (float(value) < number))
            except ValueError:
                return False

        return test_number
    if upper:
        return lambda value: decide((value.upper() > wanted) - (value.upper() < wanted))
    return lambda value: decide((value > wanted) - (value < wanted))


def _like_pattern(like: str, *, upper: bool) -> re.Pattern[str]:
    """SQL LIKE as a regular expression: `%`, `_`, and a backslash takes their meaning away."""
    pieces, position = [], 0
    while position < len(like):
        character = like[position]
        if character == "\\" and position + 1 < len(like):
            position += 1
            pieces.append(re.escape(like[position]))
        else:
            pieces.append({"%": ".*", "_": "."}.get(character, re.escape(character)))
        position += 1
    return re.compile("".join(pieces), re.DOTALL | (re.IGNORECASE if upper else 0))
