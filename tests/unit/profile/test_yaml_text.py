"""YAML as people mean it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.profile.yaml_text import MAX_BYTES, YamlError, parse

_BACKSLASH = "in double quotes \\ has a meaning of its own; write / instead of \\, or use single quotes"
_NOT_ALLOWED = "anchors (&), aliases (*) and tags (!) are not allowed; "
_QUOTES = "text that begins with one of * & ! % @ ` { [ must be in quotes"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", True),
        ("False", False),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("22:00", "22:00"),
        ("0123", "0123"),
        ("0o17", "0o17"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("1.10", "1.10"),
        ("1e3", "1e3"),
        ("2026-11-23", "2026-11-23"),
        ("<<", "<<"),
        ("=", "="),
        ("-7", -7),
        ("0", 0),
        ("3951000123", 3951000123),
        ("9" * 5000, "9" * 5000),
        ("~", None),
        ("null", None),
        ("", None),
        ("'null'", "null"),
        ('"7"', "7"),
        ("|\n  7", "7"),
        ("~/data", "~/data"),
    ],
)
def test_only_plain_words_and_whole_numbers_are_not_text(written: str, meant: object) -> None:
    data = parse(f"a: {written}\n".encode()).data
    value = data["a"].strip() if isinstance(data["a"], str) else data["a"]
    assert value == meant
    assert type(value) is type(meant)


def test_keys_are_always_text() -> None:
    assert parse(b"on: 1\n7: 2\ntrue: 3\n").data == {"on": 1, "7": 2, "true": 3}


def test_each_value_and_key_has_its_place() -> None:
    located = parse("ä: [1, {b: c}]\nd:\n  e: f\n".encode())
    assert located.data == {"ä": [1, {"b": "c"}], "d": {"e": "f"}}
    assert located.values["ä", 1, "b"] == (1, 12)
    assert located.keys["ä", 1, "b"] == (1, 9)
    assert located.values["d", "e"] == (3, 6)
    assert located.keys["d",] == (2, 1)


def test_a_byte_order_mark_and_windows_line_ends_are_fine() -> None:
    located = parse(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert located.data == {"a": 1, "b": 2}
    assert (located.keys["a",], located.keys["b",]) == ((1, 1), (2, 1))


def test_nothing_is_nothing() -> None:
    assert parse(b"").data is None
    assert parse(b"# only a comment\n").data is None


@pytest.mark.parametrize(
    ("content", "place", "message"),
    [
        (b"a: 1\nb: 2\na: 3\n", (3, 1), "a stands here for the second time (first in line 1)"),
        (b"a: {b: 1, b: 2}\n", (1, 11), "b stands here for the second time (first in line 1)"),
        (b"a: &x [1]\n", (1, 4), _NOT_ALLOWED + _QUOTES),
        (b"a: *x\n", (1, 4), _NOT_ALLOWED + _QUOTES),
        (
            b"a: !!python/name:os.system x\n",
            (1, 4),
            _NOT_ALLOWED + _QUOTES,
        ),
        (b"a: !!str 7\n", (1, 4), _NOT_ALLOWED + _QUOTES),
        (b"a: [!b]\n", (1, 5), _NOT_ALLOWED + _QUOTES),
        (b"a: [*.czi]\n", (1, 6), _QUOTES),
        (b"a: [**/*.czi]\n", (1, 6), _QUOTES),
        (b"a: %x\n", (1, 4), _QUOTES),
        (b"a: @x\n", (1, 4), _QUOTES),
        (
            b"a: {b}/{c}/\n",
            (1, 7),
            "this is not valid YAML (expected <block end>, but found '<scalar>'); "
            "check the indentation and the quotes: " + _QUOTES,
        ),
        (b"? [a]\n: b\n", (1, 3), f"this cannot be the name of a key; {_QUOTES}"),
        (b"a:\n\t- b\n", (2, 1), "there is a tab here; indent with spaces"),
        (
            b'a: "D:\\Data"\n',
            (1, 8),
            _BACKSLASH,
        ),
        (
            b'a: "\\UFFFFFFFF"\n',
            (1, 7),
            "this number is too large; " + _BACKSLASH,
        ),
        (b'a: "\\ud800"\n', (1, 4), "this text holds half a character (\\ud800 to \\udfff)"),
        (b'a: 1\nb: "x\n', (2, 4), "the quote or bracket that begins here is never closed"),
        (b"a: 1\nb: [x\n", (2, 4), "the quote or bracket that begins here is never closed"),
        (
            b"a: b: c\n",
            (1, 5),
            "a second colon in this line, or wrong indentation; text with a colon and a space must be in quotes",
        ),
        (b"a: 1\n---\nb: 1\n", (2, 1), "a second document begins here; a profile is one document"),
        ("é: ü".encode() + b"\xff\n", (1, 5), "this character is not UTF-8; save the file as UTF-8"),
        (b"a: 1\nb: 5 \xb5m\n", (2, 6), "this character is not UTF-8; save the file as UTF-8"),
        ("a: 1".encode("utf-16"), (1, 1), "this file is UTF-16; save it as UTF-8"),
        (b"a: 1\nb: \x00\n", (2, 4), "the character '\\x00' cannot stand here"),
        (b"[" * 5000, (1, 21), "this is more than 20 levels deep"),
        (b"#" * (MAX_BYTES + 1), (1, 1), "this file is larger than 1,000,000 bytes and cannot be a profile"),
    ],
)
def test_what_a_profile_must_not_have_is_told_with_its_place(
    content: bytes, place: tuple[int, int], message: str
) -> None:
    with pytest.raises(YamlError) as caught:
        parse(content)
    assert (caught.value.place, str(caught.value)) == (place, message)


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text("ab:-[]{}\"'\\&*!%|>?#,\n\t $uUx0\ud800\x85", max_size=40)))
def test_whatever_the_file_holds_it_is_read_or_refused_with_a_place(content: bytes | str) -> None:
    raw = content if isinstance(content, bytes) else content.encode(errors="replace")
    try:
        parse(raw)
    except YamlError as error:
        line, column = error.place
        assert 1 <= line <= len(raw) + 1
        assert 1 <= column <= len(raw) + 1
