"""YAML as people mean it: one document of plain keys and values, each with its place in the file.

Only `true`, `false`, whole numbers and `null` are anything but text. `no`, `on`, `22:00`, `0123` and `1.10` stay as
they are written. Duplicate keys, aliases and tags are refused: they are what makes a short file mean something long.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import yaml

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 20

_NUMBER: Final = re.compile(r"0|-?[1-9][0-9]{0,17}")
_WORDS: Final = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_QUOTES: Final = "text that begins with one of * & ! % @ ` { [ must be in quotes"
_BACKSLASH: Final = "in double quotes \\ has a meaning of its own; write / instead of \\, or use single quotes"

#: The way to a value: names of keys and numbers in lists.
Route = tuple[str | int, ...]


class YamlError(Exception):
    """The text is not YAML that a profile can be written in: `place` and what is wrong there."""

    def __init__(self, line: int, column: int, what: str) -> None:
        super().__init__(what)
        self.place = (line, column)


@dataclass
class Located:
    """The data of a document, and the (line, column) of each value and of each key, by its route."""

    data: Any = None
    values: dict[Route, tuple[int, int]] = field(default_factory=dict)
    keys: dict[Route, tuple[int, int]] = field(default_factory=dict)


def parse(content: bytes, most: int = MAX_BYTES, title: str = "profile") -> Located:
    """The data in the bytes of a file, of which there may be so many at most. Raises YamlError."""
    if len(content) > most:
        raise YamlError(1, 1, f"this file is larger than {most:,} bytes and cannot be a {title}")
    root = _composed(_decoded(content))
    located = Located()
    if root is not None:
        located.data = _value(root, (), located)
    return located


def _composed(text: str) -> yaml.Node | None:
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        line, column = _place_in(text[: error.position])
        raise YamlError(line, column, f"the character {chr(int(error.character))!r} cannot stand here") from None
    try:
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        _explain(error)
    except (ValueError, OverflowError):  # what PyYAML lets through from int() and chr()
        mark = loader.get_mark()
        raise YamlError(*_place(mark), f"this number is too large; {_BACKSLASH}") from None


class _Loader(yaml.SafeLoader):
    """PyYAML's parser up to its tree of nodes, without what a profile must not have."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        line, column = _place(event.start_mark)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) or getattr(event, "tag", None):
            raise YamlError(line, column, f"anchors (&), aliases (*) and tags (!) are not allowed; {_QUOTES}")
        if self.depth >= MAX_DEPTH:
            raise YamlError(line, column, f"this is more than {MAX_DEPTH} levels deep")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise YamlError(1, 1, "this file is UTF-16; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _place_in(content[: error.start].decode("utf-8-sig"))
        raise YamlError(line, column, "this character is not UTF-8; save the file as UTF-8") from None


def _value(node: yaml.Node, route: Route, located: Located) -> Any:
    located.values[route] = _place(node.start_mark)
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*route, number), located) for number, item in enumerate(node.value)]
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _key(key_node)
        line, column = _place(key_node.start_mark)
        if key in mapping:
            before = located.keys[(*route, key)][0]
            raise YamlError(line, column, f"{key} stands here for the second time (first in line {before})")
        located.keys[(*route, key)] = (line, column)
        mapping[key] = _value(value_node, (*route, key), located)
    return mapping


def _key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise YamlError(*_place(node.start_mark), f"this cannot be the name of a key; {_QUOTES}")
    return _text(node)


def _text(node: yaml.ScalarNode) -> str:
    text: str = node.value
    if re.search("[\ud800-\udfff]", text):
        raise YamlError(*_place(node.start_mark), "this text holds half a character (\\ud800 to \\udfff)")
    return text


def _scalar(node: yaml.ScalarNode) -> str | int | bool | None:
    text = _text(node)
    if node.style is not None:
        return text
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _NUMBER.fullmatch(text) else text


def _explain(error: yaml.MarkedYAMLError) -> NoReturn:
    """Say in words an operator knows what PyYAML found."""
    problem, context, mark = error.problem or "", error.context or "", error.problem_mark
    if "<stream end>" in problem and "flow node" in context:
        what = "the file ends within brackets that are never closed"
    elif "end of stream" in problem or "<stream end>" in problem:
        mark, what = error.context_mark, "the quote or bracket that begins here is never closed"
    elif "'\\t'" in problem:
        what = "there is a tab here; indent with spaces"
    elif "escape" in problem or "double-quoted" in context:
        what = _BACKSLASH
    elif "mapping values" in problem:
        what = "a second colon in this line, or wrong indentation; text with a colon and a space must be in quotes"
    elif "single document" in context:
        what = "a second document begins here; a profile is one document"
    elif "alias" in context or "anchor" in context or "cannot start any token" in problem:
        what = _QUOTES
    else:
        what = f"this is not valid YAML ({problem}); check the indentation and the quotes: {_QUOTES}"
    place = mark or error.context_mark
    raise YamlError(*(_place(place) if place else (1, 1)), what) from None


def _place(mark: Any) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


def _place_in(before: str) -> tuple[int, int]:
    """The place of the character that follows this text."""
    lines = before.split("\n")
    return len(lines), len(lines[-1]) + 1
