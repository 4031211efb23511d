"""What never stands in a log, however it came there."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher import redact


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What one test keeps out is not kept out of another's."""
    with monkeypatch.context() as patch:
        for name in ("_secrets", "_logins", "_names"):
            patch.setattr(redact, name, frozenset())
        yield


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("amqp://user:p@ss@host/x", "amqp://[secret]@host/x"),
        ("https://a:b@host:99/q?token=abc&x=1", "https://[secret]@host:99/q?token=[secret]&x=1"),
        ("password: 'hunter two', next", "password: [secret], next"),
        ("IRODS_PASSWORD=swordfish; the rest", "IRODS_PASSWORD=[secret]; the rest"),
        ('{"api_key": "x y", "n": 1}', '{"api_key": [secret], "n": 1}'),
        ("sent with Bearer abcdef123456.", "sent with Bearer [secret]"),
        ("whsec_MDEyMzQ1Njc4OQ== is bad", "[secret] is bad"),
        ("of jane.doe@example.org, who", "of [e-mail], who"),
        ("https://orcid.org/0000-0002-1825-0097", "https://orcid.org/[person]"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\nmore", "[secret]\nmore"),
    ],
)
def test_what_looks_like_a_secret_or_an_address_is_not_shown(text: str, shown: str) -> None:
    assert redact.secrets(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "the name or the password is wrong (iRODS error -826000)",
        "/zone/home/facility/2026/20260304_Actin: it is locked or still being written",
        "the environment variable AGENT_SECRET holds nothing",
        "urn:uuid:423a0eb5-fd51-522e-9e19-f604a8247700",
        "https://agent.example:8443/events answers 500",
        "D:/Data/zeiss/cell@63x",
        "2026-11-27 23:04:13",
    ],
)
def test_what_people_have_to_read_stays_as_it_is(text: str) -> None:
    assert redact.persons(text) == text


def test_a_secret_that_was_read_is_not_shown_anywhere() -> None:
    assert redact.keep_secret("sword/fish!") == "sword/fish!"
    assert redact.secrets("x=sword/fish!y and sword%2Ffish%21") == "x=[secret]y and [secret]"
    redact.keep_secret("rods")
    assert redact.secrets("/zone/home/rods") == "/zone/home/rods", "so short a secret is any word"


def test_persons_that_were_read_are_not_shown_in_names_paths_and_sentences() -> None:
    redact.keep_private(["Doe, Jane", "Müller-Schmidt, Will"], ["jdoe", "LAB\\mu", "asmith#otherZone"])
    shown = redact.persons("/data/jdoe/20260304_JDOE_actin: Jane Doe, Müller-Schmidt; mu; asmith; it will do")
    assert shown == (
        "/data/[person]/20260304_[person]_actin: [person] [person], [person]-[person]; [person]; [person]; it will do"
    )
    assert redact.persons("LAB and otherZone are nobody") == "LAB and otherZone are nobody"


def test_lists_mappings_and_objects_are_gone_through() -> None:
    redact.keep_private([], ["jdoe"])
    found = redact.within({"a": ["/x/jdoe", {"token": "abc", "n": 1}], "b": None, "c": ValueError("jdoe"), "pwd": "x"})
    assert found == {"a": ["/x/[person]", {"token": "[secret]", "n": 1}], "b": None, "c": "[person]", "pwd": "[secret]"}


@given(st.text(), st.text(min_size=6), st.text())
def test_whatever_a_secret_is_it_is_not_in_what_is_shown(before: str, secret: str, after: str) -> None:
    redact.keep_secret(secret)
    if secret not in redact.SECRET:
        assert secret not in redact.secrets(before + secret + after).replace(redact.SECRET, "")
