"""The section `handoff`: nothing goes out readable by others unless the profile names who may read it."""

from pathlib import Path

import pytest

from watcher.errors import ProfileError
from watcher.profile import Profile, load
from watcher.profile.handoff import parts_of

BEGINNING = "instrument: {name: LSM980-2}\nwatch: [{path: data}]\nstore: {kind: folder, path: archive}\n"
SECRET = "secret: {env: AGENT_SECRET}"


def read(folder: Path, section: str) -> Profile:
    path = folder / "lab.yaml"
    path.write_text(f"{BEGINNING}handoff: {section}\n", encoding="utf-8")
    return load(path)


def refused(folder: Path, section: str) -> list[str]:
    with pytest.raises(ProfileError) as caught:
        read(folder, section)
    return [problem.removeprefix(f"{folder / 'lab.yaml'}:") for problem in caught.value.problems]


def test_nobody_is_told_of_anything_unless_the_profile_says_so(tmp_path: Path) -> None:
    handoff = read(tmp_path, "{}").handoff
    assert (handoff.agent, handoff.webhook, handoff.amqp, handoff.sinks) == (None, None, None, ())


def test_all_that_can_be_said(tmp_path: Path) -> None:
    webhook = f"webhook: {{url: 'https://agent.example/events', {SECRET}, timeout: 5s, certificate: ca.pem}}"
    amqp = "amqp: {url: {env: AMQP_URL}, exchange: image-sets, routing_key: '{instrument}.{host}'}"
    handoff = read(tmp_path, f"{{agent: omero, {webhook}, {amqp}}}").handoff
    assert handoff.sinks == ("webhook", "amqp")
    assert handoff.webhook is not None
    assert handoff.webhook.timeout == 5.0
    assert handoff.webhook.certificate == tmp_path / "ca.pem"


@pytest.mark.parametrize(
    "url",
    [
        "https://agent.example", "https://agent.example:8443/a?b=c", "http://127.0.0.1:8080/x", "http://localhost/x",
        "http://[::1]:80/x", "http://127.5.5.5/",
    ],
)  # fmt: skip
def test_what_is_encrypted_or_stays_on_this_computer_is_taken(tmp_path: Path, url: str) -> None:
    assert read(tmp_path, f"{{webhook: {{url: '{url}', {SECRET}}}}}").handoff.webhook is not None


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://agent.example/x", "agent.example"), ("http://localhost.evil.example/x", "localhost.evil.example"),
        ("http://127.0.0.1@evil.example/x", "evil.example"), ("http://127.1/x", "127.1"),
        ("http://[2001:db8::1]/x", "2001:db8::1"), ("http://[::]/x", "::"),
    ],
)  # fmt: skip
def test_what_could_be_read_on_the_way_is_refused_until_its_host_is_named(tmp_path: Path, url: str, host: str) -> None:
    cure = f"write https://, or `unencrypted: {host}` beside it if everybody who could read it may"
    (problem,) = refused(tmp_path, f"{{webhook: {{url: '{url}', {SECRET}}}}}")
    assert problem == f"4:26: handoff.webhook.url: http:// to {host} can be read on the way; {cure}"
    other = refused(tmp_path, f"{{webhook: {{url: '{url}', {SECRET}, unencrypted: other.example}}}}")
    assert other == [problem]
    if "@" not in url:
        named = f"{{webhook: {{url: '{url}', {SECRET}, unencrypted: '{host}'}}}}"
        assert read(tmp_path, named).handoff.sinks == ("webhook",)


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        (f"{{webhook: {{url: 'ftp://agent', {SECRET}}}}}", "26: handoff.webhook.url: this is no address; write"),
        (f"{{webhook: {{url: 'agent.example', {SECRET}}}}}", "26: handoff.webhook.url: this is no address; write"),
        (f"{{webhook: {{url: 'https://[x', {SECRET}}}}}", "26: handoff.webhook.url: this is no address; write"),
        (f"{{webhook: {{url: 'https://x:99999/', {SECRET}}}}}", "26: handoff.webhook.url: this is no address; write"),
        (f"{{webhook: {{url: 'https://x/a b', {SECRET}}}}}", "26: handoff.webhook.url: this is no address; write"),
        (
            f"{{webhook: {{url: 'https://me:hunter2@x/', {SECRET}}}}}",
            "26: handoff.webhook.url: a login is never written into the profile",
        ),
        ("{webhook: {url: 'https://x/'}}", "20: handoff.webhook.secret: this is missing; write for example `secret: "),
        ("{webhook: {url: 'https://x/', secret: hunter2}}", "48: handoff.webhook.secret: a secret is never written"),
        (
            f"{{webhook: {{url: 'https://x/', {SECRET}, timeout: 0s}}}}",
            "78: handoff.webhook.timeout: it must be at least 1s and at most 5m",
        ),
        (f"{{webhook: {{url: 'https://x/', {SECRET}, timeot: 5s}}}}", "69: handoff.webhook.timeot: there is no such"),
        ("{amqp: {url: 'amqp://a:b@c', exchange: x}}", "23: handoff.amqp.url: a secret is never written"),
        ("{amqp: {url: {env: A}}}", "17: handoff.amqp.exchange: this is missing; write for example `exchange: "),
        (
            "{amqp: {url: {env: A}, exchange: x, routing_key: '{user}'}}",
            "59: handoff.amqp.routing_key: it can have the fields {instrument}, {host}, {event} and no others",
        ),
        (
            "{amqp: {url: {env: A}, exchange: x, routing_key: '{'}}",
            "59: handoff.amqp.routing_key: it can have the fields {instrument}, {host}, {event} and no others",
        ),
        ("{agent: OMERO importer}", "18: handoff.agent: 'OMERO importer' is no short name"),
        ("{queue: x}", "11: handoff.queue: there is no such key here; there are agent, webhook, amqp, omero"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_its_cure(tmp_path: Path, section: str, problem: str) -> None:
    (found,) = refused(tmp_path, section)
    assert found.startswith(f"4:{problem}")


def test_an_address_that_is_no_good_is_told_without_its_password() -> None:
    for url in ("amqp://me:hunter2@broker.example", "amqps://me:hunter2@[x", "http://me:hunter2@x"):
        with pytest.raises(ValueError, match="amqps://") as caught:
            parts_of(url, "amqps", "amqp", None)
        assert "hunter2" not in str(caught.value)
