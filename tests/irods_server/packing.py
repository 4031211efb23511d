"""The XML of iRODS packing instructions, in and out (iRODS packStruct.cpp).

Reading is tolerant as the server's own reader is: control characters, which no XML parser takes, are plain text.
"""

import base64
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r"<(/?)([A-Za-z0-9_]+)\s*(/?)>")
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&"}
_ENTITY = re.compile("|".join(_ENTITIES))
_SPECIAL = re.compile("[<>&\"']")
_ESCAPED = {character: entity for entity, character in _ENTITIES.items()}

Value = str | int | Sequence[str | int]
Fields = Iterable[tuple[str, Value]]


@dataclass(slots=True)
class Node:
    """One element of a request."""

    name: str
    text: str = ""
    children: "list[Node]" = field(default_factory=list)

    def all(self, name: str) -> "list[Node]":
        """The direct children called `name`."""
        return [child for child in self.children if child.name == name]

    def get(self, name: str) -> str:
        """The text of the first child called `name`, empty if there is none."""
        return next((child.text for child in self.children if child.name == name), "")

    def number(self, name: str, default: int = 0) -> int:
        """The same as an integer."""
        text = self.get(name)
        return int(text) if text else default

    def child(self, name: str) -> "Node":
        """The first child called `name`, or an empty one."""
        return next((child for child in self.children if child.name == name), Node(name))

    def conditions(self) -> dict[str, str]:
        """The keywords of `KeyValPair_PI`, in the order they came."""
        pairs = self.child("KeyValPair_PI")
        return dict(
            zip((key.text for key in pairs.all("keyWord")), (value.text for value in pairs.all("svalue")), strict=False)
        )


def parse(body: bytes) -> Node:
    """The one element of a request body; an empty body gives an empty element."""
    text = body.decode("utf-8", "surrogateescape")
    top = Node("")
    stack = [top]
    content_start = 0
    for token in _TOKEN.finditer(text):
        closing, name, empty = token.groups()
        if closing:
            node = stack.pop() if len(stack) > 1 else top
            if not node.children:
                node.text = unescape(text[content_start : token.start()])
        else:
            node = Node(name)
            stack[-1].children.append(node)
            if not empty:
                stack.append(node)
        content_start = token.end()
    return top.children[0] if top.children else top


def unescape(text: str) -> str:
    """Text with its entities replaced."""
    return _ENTITY.sub(lambda match: _ENTITIES[match[0]], text) if "&" in text else text


def escape(text: str) -> str:
    """Text as the server writes it: all five XML entities, and nothing else changed."""
    return _SPECIAL.sub(lambda match: _ESCAPED[match[0]], text)


def pack(name: str, fields: Fields) -> bytes:
    """`<name>` with its fields, a line each, as the server lays it out; a list repeats its field."""
    lines = [f"<{name}>\n"]
    for key, value in fields:
        values = [value] if isinstance(value, str | int) else value
        lines += [f"<{key}>{escape(str(item))}</{key}>\n" for item in values]
    lines.append(f"</{name}>\n")
    return "".join(lines).encode("utf-8", "surrogateescape")


def pack_string(text: str) -> bytes:
    """`STR_PI`, what checksums and small JSON answers come in."""
    return pack("STR_PI", [("myStr", text)])


def pack_json(value: Any) -> bytes:
    """JSON in `BinBytesBuf_PI`: sorted, compact and closed by a zero byte (recording 01-connect-native)."""
    data = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\0"
    return pack("BinBytesBuf_PI", [("buflen", len(data)), ("buf", base64.b64encode(data).decode())])


def unpack_json(body: Node) -> dict[str, Any]:
    """The JSON object in a `BinBytesBuf_PI`."""
    value = json.loads(base64.b64decode(body.get("buf")).rstrip(b"\0"))
    if not isinstance(value, dict):
        raise TypeError("not a JSON object")
    return value


def pack_error(status: int, message: str) -> bytes:
    """`RError_PI` with one line, what a refusal explains itself with (recording 05-put606)."""
    line = f"<RErrMsg_PI>\n<status>{status}</status>\n<msg>{escape(message)}</msg>\n</RErrMsg_PI>\n"
    return f"<RError_PI>\n<count>1</count>\n{line}</RError_PI>\n".encode("utf-8", "surrogateescape")
